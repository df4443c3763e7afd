"""What a practice mail is: a Letter, planned from a Scene by a recipe, written as MIME when asked.

Planning (properties) is cheap; writing happens when the body is read, in chunks, so that a letter of
150 MB is never whole in memory. The same scene gives the same letter, byte for byte.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from practice.harness.dice import Dice
from practice.world.people import DOMAIN, Directory, Person

EPOCH = datetime(2019, 1, 7, 6, 0, tzinfo=UTC)
SPAN_MINUTES = 7 * 365 * 24 * 60

Chunks = Iterable[bytes]
Write = Callable[[int], Chunks]


@dataclass(frozen=True, slots=True)
class Correspondent:
    """An address as Exchange states it: routing is "SMTP" or "EX" (address is then a legacyExchangeDN)."""

    name: str
    address: str
    routing: str = "SMTP"


@dataclass(frozen=True, slots=True)
class Attachment:
    """What GetAttachment answers. For an attached message, content is its MIME and item_class is set.
    contact_photo: the picture of the contact it is attached to. unreadable: GetAttachment fails, always."""

    name: str
    content_type: str
    content: bytes
    content_id: str | None = None
    inline: bool = False
    item_class: str | None = None
    contact_photo: bool = False
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What a recipe may depend on. key is unique to the letter; sent: the owner is the sender;
    size: about how many bytes of text the letter should have; revision: edits of a draft so far."""

    key: str
    owner: Person
    people: Directory
    sent: bool = False
    size: int = 2000
    revision: int = 0

    def dice(self, purpose: str = "") -> Dice:
        return Dice(self.key, purpose)


def _nothing() -> tuple[Attachment, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: its properties, and how to write it.

    write(variant) gives the bytes in chunks; another variant is the same meaning with other
    boundaries and folding. size is what the server states, which is only near the bytes. words gives
    the text a client would show.
    """

    subject: str
    sender: Correspondent
    to: tuple[Correspondent, ...]
    sent: datetime | None
    received: datetime | None
    write: Write
    size: int
    message_id: str | None = None
    cc: tuple[Correspondent, ...] = ()
    item_class: str = "IPM.Note"
    has_attachments: bool = False
    words: Callable[[], str] = str
    attachments: Callable[[], tuple[Attachment, ...]] = _nothing

    def mime(self, variant: int = 0) -> bytes:
        return b"".join(self.write(variant))

    def open(self, variant: int = 0) -> BinaryIO:
        return io.BufferedReader(_Stream(iter(self.write(variant))), buffer_size=65536)


Recipe = Callable[[Scene], Letter]


class _Stream(io.RawIOBase):
    """A read-only stream over chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def moment(dice: Dice) -> datetime:
    """A moment in the years before the practice world's present."""
    return EPOCH + timedelta(minutes=dice.below(SPAN_MINUTES), seconds=dice.below(60))


def correspondent(person: Person) -> Correspondent:
    return Correspondent(person.name, person.address)


def stranger(dice: Dice) -> Correspondent:
    """Somebody outside of the organisation."""
    name, local, domain = dice.pick(
        (
            ("Stadtwerke Kiel", "service", "stadtwerke.example"),
            ("Łukasz Żółć", "lukasz", "biuro.example"),
            ("山田 太郎", "yamada", "tokyo.example"),
            ("Newsletter", "news", "liste.example"),
            ('Dr. "Fritz" Ahlers', "ahlers", "kanzlei.example"),
            ("Mairie de Rennes", "contact", "rennes.example"),
        )
    )
    return Correspondent(name, f"{local}@{domain}")


def parties(scene: Scene, dice: Dice) -> tuple[Correspondent, tuple[Correspondent, ...]]:
    """Sender and recipients: the owner writes, or is written to."""
    other = correspondent(scene.people.at(dice.below(scene.people.count)))
    if dice.chance(0.3):
        other = stranger(dice)
    owner = correspondent(scene.owner)
    return (owner, (other,)) if scene.sent else (other, (owner,))


def message_id(dice: Dice) -> str:
    return f"<{dice.hex(24).upper()}@{dice.pick(('ex01', 'ex02', 'mail'))}.{DOMAIN}>"
