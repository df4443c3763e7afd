"""Encode the lines of the evidence: from values to bytes, and nothing else.

Every line is UTF-8 JSON without blanks, its keys in a fixed order, stored without a line end. An auditor
hashes these bytes, so a line that is written anew must have the same bytes. No address, subject, folder or
file name is in any of them: what could name a person is an HMAC under the mailbox's key.
"""

from __future__ import annotations

import hmac
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from model.kinds import Kind, kinds_that

NEW, CHANGED = 0, 1
WHAT = ("new", "changed")
"""How a listing named an item, by number, as the ledger packs it."""

MATCH, NORMALISED, CONVERTED = "match", "normalised", "converted"
SKIPPED, FAILED, WITHDRAWN = "skipped", "failed", "withdrawn"
LATER, OPEN = "later", "open"
VERDICTS = (MATCH, NORMALISED, CONVERTED, SKIPPED, FAILED, WITHDRAWN, LATER, OPEN)
REBUILT, UNVERIFIED, NOT_OURS, REKEYED = "rebuilt", "unverified", "not-ours", "rekeyed"
"""Rules. Of NORMALISED: the tolerant digest agreed. Of FAILED: written and never read back.

Of WITHDRAWN: it was at the target before, and is there still (not ours), or the source lists it under another
id, by which another line has its copy (rekeyed).
"""

BOX, NAME, SOURCE, TARGET, CONTENT, MESSAGE = b"box", b"name", b"src", b"dst", b"h", b"mid"
"""Labels of H: what a pseudonym stands for."""

SECTIONS = tuple(Kind)
"""The workloads in the order of the evidence."""

_IN_CLEAR = kinds_that(lambda traits: traits.in_mailbox)
_UID = re.compile(r"[0-9]+:[0-9]+")


def pseudonym(key: bytes, label: bytes, data: bytes) -> str:
    """Return H: the first 16 bytes of HMAC-SHA256(key, label ‖ 0x00 ‖ data), in hexadecimal digits."""
    return hmac.digest(key, label + b"\0" + data, "sha256")[:16].hex()


def item_text(key: bytes, container_key: bytes, item_key: bytes) -> str:
    """Return an item's pseudonym, which covers its folder, too.

    A source may number the items of each folder anew, so that one id belongs to two items. An item that moved
    is withdrawn in one folder, and is another item in the next.
    """
    return pseudonym(key, SOURCE, container_key + item_key)


def folder_text(path: Sequence[str]) -> str:
    """Return a folder's path as its name's pseudonym takes it: "/Inbox/Projects", NFC, without case."""
    return unicodedata.normalize("NFC", "/" + "/".join(path)).casefold()


def message_number(message_id: str) -> bytes:
    """Return the 8 bytes that stand for a Message-ID in the ledger."""
    return sha256(message_id.encode("utf-8", "surrogateescape")).digest()[:8]


def message_mark(message_id: str | None) -> int | None:
    """Return the 8 bytes of a Message-ID as a signed number; None if there is no Message-ID."""
    return None if message_id is None else int.from_bytes(message_number(message_id), "big", signed=True)


def place_text(key: bytes, section: Kind, href: str | None) -> str | None:
    """Return where an item is at the target: UIDVALIDITY:UID as it is, a path or a name as a pseudonym."""
    if href is None:
        return None
    if section in _IN_CLEAR and _UID.fullmatch(href):
        return href
    return pseudonym(key, TARGET, href.encode())


@dataclass(frozen=True, slots=True)
class InventoryFolder:
    """Describe a container as a section's header does.

    Attributes:
        box: the pseudonym of the container.
        name: the pseudonym of its path.
        kind: the kind of its items.
        total: the source's own count; None if it does not say.
        listed: lines of the section in it.
        omit: as in model.protocols.Container.
    """

    box: str
    name: str
    kind: Kind
    total: int | None
    listed: int
    omit: str | None


def inventory_header(
    section: Kind,
    number: int,
    at: float,
    after: bytes | None,
    earlier: int,
    folders: Iterable[InventoryFolder],
) -> bytes:
    """Return the header of an inventory.

    Args:
        section: the workload.
        number: of the inventory.
        at: seconds since 1970 UTC.
        after: the root of the section's inventory before; None for the first.
        earlier: items listed before the evidence began, which no inventory names.
        folders: the folders that it names.
    """
    return _line(
        {
            "section": section.value,
            "pass": number,
            "at": round(at, 6),
            "after": None if after is None else after.hex(),
            "earlier": earlier,
            "folders": [
                {
                    "box": folder.box,
                    "name": folder.name,
                    "kind": folder.kind.value,
                    "total": folder.total,
                    "listed": folder.listed,
                    "omit": folder.omit,
                }
                for folder in folders
            ],
        }
    )


def inventory_line(number: int, box: str, source: str, size: int | None, what: int) -> bytes:
    """Return a line of an inventory.

    Args:
        number: from 1, in its section.
        box: the pseudonym of the container.
        source: the pseudonym of the item.
        size: bytes by the listing; None if it does not say.
        what: NEW or CHANGED.
    """
    count = "null" if size is None else size
    return f'{{"i":{number},"box":"{box}","src":"{source}","n":{count},"what":"{WHAT[what]}"}}'.encode()


def results_header(
    section: Kind,
    number: int,
    inventory: bytes,
    lines: int,
    state: str,
    verified: float | None,
    sealed: float,
) -> bytes:
    """Return the header of a section of results.

    Args:
        section: the workload.
        number: of the inventory.
        inventory: the root of the inventory that these results answer.
        lines: how many follow.
        state: the leg's.
        verified: when the leg was verified, in seconds since 1970 UTC; None if it is not.
        sealed: when the pack was made, in seconds since 1970 UTC.
    """
    return _line(
        {
            "section": section.value,
            "pass": number,
            "inventory": inventory.hex(),
            "n": lines,
            "state": state,
            "verified": None if verified is None else round(verified, 6),
            "sealed": round(sealed, 6),
        }
    )


@dataclass(frozen=True, slots=True)
class LineResult:
    """Say what became of an inventory's line.

    Attributes:
        verdict: one of VERDICTS.
        rule: why; None if the verdict says all.
        target: see place_text.
        meant: the pseudonym of what was written.
        found: the pseudonym of what was read back.
        size: bytes at the target.
        message: the pseudonym of its Message-ID.
    """

    verdict: str
    rule: str | None = None
    target: str | None = None
    meant: str | None = None
    found: str | None = None
    size: int | None = None
    message: str | None = None


def results_line(number: int, source: str, result: LineResult) -> bytes:
    """Return a line of results. `number` and `source` are those of the inventory's line."""
    size = "null" if result.size is None else result.size
    return (
        f'{{"i":{number},"src":"{source}","verdict":"{result.verdict}","rule":{_text(result.rule)}'
        f',"dst":{_quoted(result.target)},"h_src":{_quoted(result.meant)},"h_dst":{_quoted(result.found)}'
        f',"n_dst":{size},"mid":{_quoted(result.message)}}}'
    ).encode()


def roots_line(
    mailbox: str,
    section: Kind,
    number: int,
    lines: int,
    inventory: bytes,
    results: bytes,
    verdicts: Mapping[str, int],
) -> bytes:
    """Return a section in one line: its two roots, and how many of its lines have which verdict."""
    return _line(
        {
            "mailbox": mailbox,
            "section": section.value,
            "pass": number,
            "n": lines,
            "inventory": inventory.hex(),
            "results": results.hex(),
            "verdicts": dict(sorted(verdicts.items())),
        }
    )


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(maxsize=4096)
def _text(text: str | None) -> str:
    """Return a rule as JSON, cached: rules are few, and a folder of a million items has a handful."""
    return json.dumps(text, ensure_ascii=False)


def _quoted(text: str | None) -> str:
    """Return hexadecimal digits, or a UIDVALIDITY:UID, as JSON."""
    return "null" if text is None else f'"{text}"'
