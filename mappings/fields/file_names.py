"""Map names of files and of folders of files to what a server of files can hold.

The steps, in this order: Unicode NFC, if the server makes names so anyway; characters that it refuses become
look-alikes; a name that it reserves (.htaccess, CON) or an ending that it refuses (.part, a space) is changed
in one character; a name longer than its limit in UTF-8 is cut before the extension and gets a hash of the
whole.

Only then two names of one folder may meet: `free_name` parts them by the item's key. `original` turns a name
back, exactly if it held no look-alike from the start, was not cut, and was free. The ledger holds the
source's name.
"""

from __future__ import annotations

import hashlib
import itertools
import unicodedata
from collections.abc import Callable, Iterator, Mapping

from mappings.fields.look_alikes import DOTS, LOOK_ALIKES, UNKNOWN, UNSHOWABLE
from model.file_names import FileNames

ALIKES: Mapping[str, str] = {
    **LOOK_ALIKES,
    " ": "\N{SYMBOL FOR SPACE}",
    "?": "\N{FULLWIDTH QUESTION MARK}",
    "<": "\N{FULLWIDTH LESS-THAN SIGN}",
    ">": "\N{FULLWIDTH GREATER-THAN SIGN}",
    '"': "\N{FULLWIDTH QUOTATION MARK}",
    ";": "\N{FULLWIDTH SEMICOLON}",
}
ALWAYS = {"/", "\x7f", *map(chr, range(0x20))}
RESERVED = "_"
"""Ends the stem of a name that would be reserved without it."""
HASH_CHARACTERS = 8
EXTENSION_BYTES = 20
KEY_CHARACTERS = (8, 16, 32)
LONGEST_CHARACTER = 4
"""Bytes of one character in UTF-8, at most."""


def file_name(name: str, rules: FileNames) -> tuple[str, frozenset[str]]:
    """Return a name that the server takes, and the reasons why it differs. A good name stays as it is."""
    reasons: set[str] = set()
    steps: tuple[tuple[str, Callable[[str, FileNames], str]], ...] = (
        ("unicode-normalised", _composed),
        ("characters-replaced", _replaced),
        ("reserved", _unreserved),
        ("truncated", _fitting),
    )
    for reason, step in steps:
        changed = step(name, rules)
        reasons |= {reason} if changed != name else set()
        name = changed
    return name, frozenset(reasons)


def free_name(name: str, key: bytes, is_taken: Callable[[str], bool], rules: FileNames) -> str:
    """Return a name that is free in its folder.

    Args:
        name: as file_name() returns it.
        key: of the item; as much of it as needed goes before the extension, if the name is taken.
        is_taken: tells whether an identity() is taken.
        rules: the server's.
    """
    candidates = itertools.chain((name,), partings(name, key, rules))
    return next(candidate for candidate in candidates if not is_taken(identity(candidate, rules)))


def partings(name: str, key: bytes, rules: FileNames) -> Iterator[str]:
    """Yield the name with a part of the key before its extension, the shortest part first."""
    ends = (f" ({key.hex()[:length]})" for length in KEY_CHARACTERS)
    more = (f" ({key.hex()}-{number})" for number in itertools.count(2))
    return (_ended(name, end, rules.bytes) for end in itertools.chain(ends, more))


def unparted(name: str, key: bytes, rules: FileNames) -> str | None:
    """Return the name to which free_name gave a part of the key; None if it did not, or cut it as well."""
    if utf8(name) + LONGEST_CHARACTER > rules.bytes:
        return None
    for length in KEY_CHARACTERS:
        stem, end, extension = name.rpartition(f" ({key.hex()[:length]})")
        if end and (not extension or extension.startswith(".")):
            return stem + extension
    return None


def identity(name: str, rules: FileNames) -> str:
    """Return a text that is equal for two names that are one to the server."""
    composed = unicodedata.normalize("NFC", name)
    return unicodedata.normalize("NFC", composed.casefold()) if rules.fold else composed


def utf8(text: str) -> int:
    """Return the bytes in UTF-8; half a surrogate pair, which has none, counts as its replacement."""
    return len(text.encode("utf-8", "replace"))


def _composed(name: str, rules: FileNames) -> str:
    return unicodedata.normalize("NFC", name) if rules.composed else name


def _replaced(name: str, rules: FileNames) -> str:
    table = {ord(char): ALIKES.get(char, UNKNOWN) for char in ALWAYS | set(rules.characters)}
    shown = UNSHOWABLE.sub(UNKNOWN, name.translate(table))
    # a look-alike may compose with an accent that followed what it stands for
    composed = _composed(DOTS.get(shown, shown), rules)
    while end := next((end for end in sorted(rules.endings) if composed.lower().endswith(end)), ""):
        at = len(composed) - len(end)
        composed = composed[:at] + ALIKES.get(composed[at], UNKNOWN) + composed[at + 1 :]
    return composed


def _unreserved(name: str, rules: FileNames) -> str:
    if name and not _is_reserved(name, rules):
        return name
    if name.startswith(".") and "." not in rules.characters:
        return ALIKES["."] + name[1:]
    stem, rest = _first_dot(name)
    return stem + RESERVED + rest


def _is_reserved(name: str, rules: FileNames) -> bool:
    return name.lower() in rules.names or _first_dot(name)[0].lower() in rules.stems


def _first_dot(name: str) -> tuple[str, str]:
    """Split a name at the first dot that does not begin it."""
    at = name.find(".", 1)
    return (name, "") if at < 0 else (name[:at], name[at:])


def _fitting(name: str, rules: FileNames) -> str:
    if utf8(name) <= rules.bytes:
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=HASH_CHARACTERS // 2).hexdigest()
    return _ended(name, f"~{digest}", rules.bytes)


def _ended(name: str, end: str, limit: int) -> str:
    """Return as much of the stem as fits, the end, and the extension."""
    at = name.rfind(".")
    stem, extension = (name[:at], name[at:]) if at > 0 and utf8(name[at:]) <= EXTENSION_BYTES else (name, "")
    room = limit - utf8(end) - utf8(extension)
    kept = stem.encode("utf-8", "replace")[: max(0, room)].decode("utf-8", "ignore")
    return kept + end + extension
