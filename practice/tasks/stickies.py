"""Sticky notes: a Message of class IPM.StickyNote, whose colour and place are extended properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from practice.contacts.cards import PLAIN
from practice.world.record_elements import NOTE, named
from practice.world.records import Common, Element

if TYPE_CHECKING:
    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

BLUE, GREEN, PINK, YELLOW, WHITE = range(5)


@dataclass(frozen=True, slots=True)
class Sticky:
    """Hold a sticky note: all of it is in `common`, its subject is the first line of its text."""

    key: str
    common: Common = PLAIN
    item_class: str = "IPM.StickyNote"

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:  # noqa: ARG002
        """Return no elements: a note has none of its own."""
        return ()


def note(key: str, body: str, colour: int | None = YELLOW, size: tuple[int, int] = (200, 166)) -> Sticky:
    """Return a note as Outlook saves one.

    With None for the colour, another client made it, without any property of its own.
    """
    width, height = size
    rows = ((0x8B00, colour), (0x8B02, width), (0x8B03, height), (0x8B04, 110), (0x8B05, 80))
    stored = tuple(named(NOTE, number, value) for number, value in rows if value is not None)
    return Sticky(key, Common(body=body, properties=() if colour is None else stored))
