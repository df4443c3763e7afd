"""Read a vCard 3.0 (RFC 2426) or 4.0 (RFC 6350) into the lines that the mappings write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from mappings.compare.content_lines import ContentLine, Malformed, read_lines
from mappings.vcard.lines import VCardLine
from model.errors import Rejected

VERSIONS = ("3.0", "4.0")


@dataclass(frozen=True, slots=True)
class Card:
    """Hold a card.

    Attributes:
        version: of the vCard, "3.0" or "4.0".
        lines: in their order, without BEGIN, VERSION and END. A group is a part of the name.
    """

    version: str
    lines: tuple[VCardLine, ...]


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
    return Card(versions[0], tuple(_line(line) for line in lines if line.name != "VERSION"))


def _line(line: ContentLine) -> VCardLine:
    name = f"{line.group}.{line.name}" if line.group else line.name
    stated = (part for key, values in line.parameters.items() for part in (key, *values))
    try:
        "".join((name, line.value, *stated)).encode()
    except UnicodeEncodeError:  # it was no UTF-8
        raise _malformed() from None
    return VCardLine(name, line.value, tuple(line.parameters.items()))


def _malformed() -> Rejected:
    return Rejected("malformed-record", "the object cannot be read as one vCard")
