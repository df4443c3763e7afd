"""Plan practice mail: a recipe makes a Letter of a Scene, and the letter is written as MIME when asked.

Planning (properties) is cheap; writing happens when the body is read, in chunks, so that a letter of 150 MB
is never whole in memory. The same scene gives the same letter, byte for byte.
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
    """Hold an address as Exchange states it.

    Attributes:
        routing: "SMTP" or "EX"; with "EX" the address is a legacyExchangeDN.
    """

    name: str
    address: str
    routing: str = "SMTP"


@dataclass(frozen=True, slots=True)
class Attachment:
    """Hold what GetAttachment answers.

    Attributes:
        content: of an attached message, its MIME; item_class is set then.
        contact_photo: True for the picture of the contact that it is attached to.
        unreadable: True if GetAttachment always fails.
    """

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
    """Hold what a recipe may depend on.

    Attributes:
        key: unique to the letter.
        sent: True if the owner is the sender.
        size: about how many bytes of text the letter should have.
        revision: how often a draft was edited so far.
    """

    key: str
    owner: Person
    people: Directory
    sent: bool = False
    size: int = 2000
    revision: int = 0

    def dice(self, purpose: str = "") -> Dice:
        """Return dice for one purpose of this letter."""
        return Dice(self.key, purpose)


def _nothing() -> tuple[Attachment, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Letter:
    """Hold the properties of a mail, and how to write it.

    Attributes:
        write: gives the bytes in chunks; another variant has the same meaning with other boundaries and
            folding.
        size: what the server states, which is only near the number of bytes.
        words: gives the text that a client would show.
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
        """Return the whole MIME."""
        return b"".join(self.write(variant))

    def open(self, variant: int = 0) -> BinaryIO:
        """Return the MIME as a stream, which the caller closes."""
        return io.BufferedReader(_Stream(iter(self.write(variant))), buffer_size=65536)


Recipe = Callable[[Scene], Letter]


class _Stream(io.RawIOBase):
    """Read chunks as a stream."""

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
    """Return a moment in the years before the practice world's present."""
    return EPOCH + timedelta(minutes=dice.below(SPAN_MINUTES), seconds=dice.below(60))


def correspondent(person: Person) -> Correspondent:
    """Return a person's address."""
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
    """Return sender and recipients: the owner writes, or is written to."""
    other = correspondent(scene.people.at(dice.below(scene.people.count)))
    if dice.chance(0.3):
        other = stranger(dice)
    owner = correspondent(scene.owner)
    return (owner, (other,)) if scene.sent else (other, (owner,))


def message_id(dice: Dice) -> str:
    """Return a Message-ID."""
    return f"<{dice.hex(24).upper()}@{dice.pick(('ex01', 'ex02', 'mail'))}.{DOMAIN}>"
