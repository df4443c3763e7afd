"""Read a vCard 3.0 (RFC 2426) or 4.0 (RFC 6350) as the card that the mappings fit and write."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import replace
from typing import BinaryIO

from mappings.compare.content_lines import ContentLine, Malformed, read_lines, split, unescaped
from mappings.fields.context import Reading
from mappings.losses.catalogue import lose
from mappings.vcard.card import NO_NAME, Card, Picture, kind_of
from mappings.vcard.lines import VCardLine, text
from model.errors import Rejected
from model.protocols import Loss, Native, key_of

VERSIONS = ("3.0", "4.0")
NAMED_BY = ("N", "ORG", "NICKNAME", "EMAIL", "TEL", "IMPP")
"""What stands for FN in a card without one, the first of them that says something."""

_DATA = re.compile(r"data:image/([^;,]*);base64,", re.IGNORECASE)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_FIRST = 64
"""Characters of base64 that show which format an image has."""


def skip_card(_native: Native) -> None:
    """Return None: every card moves."""


def title_of(native: Native) -> str:
    """Return the full name on a card.

    Raises:
        Rejected: it cannot be read.
    """
    return _shown(_card_of(native).lines)


def read_contact(native: Native, context: Reading) -> Card:
    """Read a record that is a vCard; one without a UID, or without a name, gets it.

    Raises:
        Rejected: as `read_card`.
    """
    card = _card_of(native)
    lines, losses = _with_name(card.lines)
    if not any(line.name == "UID" for line in lines):
        lines = [text("UID", context.uid_of(key_of(native.ref.id))), *lines]
    return replace(card, lines=tuple(lines), losses=(*card.losses, *losses))


def read_card(stream: BinaryIO) -> Card:
    """Read one card.

    Raises:
        Rejected: "malformed-record", or "unknown-format" for another version, whose lines are encoded
            otherwise.
    """
    try:
        lines = list(read_lines(stream, "VCARD"))
    except Malformed:
        raise _malformed() from None
    versions = [line.value.strip() for line in lines if line.name == "VERSION"]
    if len(versions) != 1:
        raise _malformed()
    if versions[0] not in VERSIONS:
        raise Rejected("unknown-format", "no mapping for this version of a vCard")
    others, pictures, losses = _apart(_line(line) for line in lines if line.name != "VERSION")
    return Card(versions[0], tuple(others), tuple(pictures), tuple(losses))


def _card_of(native: Native) -> Card:
    if native.body is None:
        raise Rejected("malformed-record", "the record was fetched without its body")
    with native.body() as stream:
        return read_card(stream)


def _with_name(lines: Iterable[VCardLine]) -> tuple[list[VCardLine], list[Loss]]:
    """Return the lines with FN, which may not be empty (RFC 2426 section 3.1.1)."""
    lines = list(lines)
    named = any(line.name == "FN" and unescaped(line.value).strip() for line in lines)
    if named:
        return lines, []
    made = [text("FN", _shown(lines)), *(line for line in lines if line.name != "FN")]
    return made, [lose("name", "none-given")] if _shown(lines) == NO_NAME else []


def _shown(lines: Iterable[VCardLine]) -> str:
    for name in ("FN", *NAMED_BY):
        for line in lines:
            if line.name == name and (said := _said(line)):
                return said
    return NO_NAME


def _said(line: VCardLine) -> str:
    """Return a text as one line; of a name in parts first the given names, then those of the family."""
    parts = [unescaped(part) for part in split(line.value, ";")] if line.name in ("N", "ORG") else []
    if line.name == "N":
        family, given, more, before, after = (*parts, "", "", "", "", "")[:5]
        parts = [before, given, more, family, after]
    return " ".join(" ".join(parts or [unescaped(line.value)]).split())


def _apart(lines: Iterable[VCardLine]) -> tuple[list[VCardLine], list[Picture], list[Loss]]:
    """Return the lines, the pictures that stand inside of the card, and what is lost of these."""
    others, inside = list[VCardLine](), list[tuple[VCardLine, str]]()
    for line in lines:
        data = _inside(line)
        others += [line] if data is None else []
        inside += [] if data is None else [(line, data)]
    made = [_picture(*pair) for pair in sorted(inside, key=lambda pair: "PREF" not in pair[0].words())]
    pictures = [each for each in made if isinstance(each, Picture)]
    return others, pictures, [each for each in made if isinstance(each, Loss)]


def _picture(line: VCardLine, data: str) -> Picture | Loss:
    if not _BASE64.fullmatch(data):
        return lose("photo", "not-read")
    kind = kind_of(b64decode(data[:_FIRST])) or _stated_kind(line)
    return (
        Picture(kind, len(data.rstrip("=")) * 3 // 4, lambda: data)
        if kind
        else lose("photo", "unknown-format")
    )


def _inside(line: VCardLine) -> str | None:
    """Return the base64 of a picture inside of the card; None for any other line, or a link to a picture."""
    if line.name != "PHOTO":
        return None
    if any(value.lower() in ("b", "base64") for value in line.parameter("ENCODING")):
        return "".join(line.value.split())
    data = _DATA.match(line.value)
    return None if data is None else "".join(line.value[data.end() :].split())


def _stated_kind(line: VCardLine) -> str:
    """Return what a line says of the format of its picture; "" if it says nothing."""
    data = _DATA.match(line.value)
    said = data[1] if data is not None else next(iter(line.parameter("TYPE")), "")
    kind = said.rpartition("/")[2].upper()
    return kind if kind.isalnum() else ""


def _line(line: ContentLine) -> VCardLine:
    stated = (part for key, values in line.parameters.items() for part in (key, *values))
    try:
        "".join((line.group, line.name, line.value, *stated)).encode()
    except UnicodeEncodeError:  # it was no UTF-8
        raise _malformed() from None
    return VCardLine(line.name, line.value, tuple(line.parameters.items()), line.group)


def _malformed() -> Rejected:
    return Rejected("malformed-record", "the object cannot be read as one vCard")
