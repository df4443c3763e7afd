"""Define the card that every source's contacts are read into, before it is fitted to a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mappings.vcard.lines import VCardLine
from model.protocols import Loss

MAGIC: Mapping[bytes, str] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
"""How the file formats begin."""

NO_NAME = "(no name)"
"""The full name of a contact of which nothing is known by which it could be called."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Hold a contact's picture, which is not read until it is known that the target takes it.

    Attributes:
        kind: of the image: "JPEG", "PNG" and so on.
        size: in bytes.
        encoded: returns its bytes in base64, without white space.
    """

    kind: str
    size: int
    encoded: Callable[[], str]


@dataclass(frozen=True, slots=True)
class LinkedMember(VCardLine):
    """Hold a member of a group that is another card, by the UID of that card.

    Attributes:
        plain: the line of the member's address, for a target that keeps no links; None if it has no address.
    """

    plain: VCardLine | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Hold a card as its source has it, whatever the target can hold.

    Attributes:
        version: whose words the lines use, "3.0" or "4.0".
        lines: in their order, without BEGIN, VERSION, END and the pictures inside of it.
        pictures: the one that its owner prefers first.
        losses: what was lost while the card was read.
    """

    version: str
    lines: tuple[VCardLine, ...]
    pictures: tuple[Picture, ...] = ()
    losses: tuple[Loss, ...] = ()


def kind_of(data: bytes) -> str | None:
    """Return the format of an image by its first bytes: JPEG, PNG, GIF, BMP, TIFF or WEBP; else None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), None)
