"""Hold one item of a practice mailbox: a few mutable marks, and a letter planned again when needed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Literal

from practice.mail.letters import Attachment, Correspondent, Letter

if TYPE_CHECKING:
    from datetime import date

    from practice.world.folders import Folder
    from practice.world.records import Record

FlagStatus = Literal["NotFlagged", "Flagged", "Complete"]
Importance = Literal["Low", "Normal", "High"]

REPLIED, REPLIED_ALL, FORWARDED = 102, 103, 104


@dataclass(frozen=True, slots=True)
class Marks:
    """Hold what people do to a mail without changing it. Shared between items while equal."""

    categories: tuple[str, ...] = ()
    flag: FlagStatus = "NotFlagged"
    importance: Importance = "Normal"
    verb: int | None = None
    read_receipt: bool = False
    draft: bool = False


UNMARKED = Marks()
DRAFT = Marks(draft=True)


class Message:
    """Hold an item. Change it by the mailbox's methods.

    id and change_key are those of this moment: id changes on a move, change_key with any change. Everything
    else that never changes is the letter's.

    Attributes:
        seed: names the letter (with the mailbox's address): it survives moves, and two items of one seed are
            duplicates, byte for byte.
        number: the one in the id.
        by_owner: True if the owner wrote it.
        budget: about how many bytes the letter should have.
        record: what an item states that is no mail; its letter is the little of it that mail has too.
        day: of an occurrence, which is never in a folder itself.
        origin: where it was before it was moved, as (folder number, number): what an immutable id is made of.
        restless: True if its MIME is another one at each reading.
        rendered: counts the readings of a restless item.
        series_change: of a series, the last change that was not one of a single occurrence.
    """

    __slots__ = (
        "arrived",
        "budget",
        "by_owner",
        "content_change",
        "day",
        "folder",
        "is_associated",
        "is_read",
        "made",
        "marks",
        "number",
        "origin",
        "read_change",
        "recipe",
        "record",
        "rendered",
        "restless",
        "revision",
        "seed",
        "series_change",
    )

    def __init__(
        self,
        recipe: str,
        seed: str,
        marks: Marks = UNMARKED,
        *,
        is_read: bool = True,
        by_owner: bool = False,
        budget: int | None = None,
    ) -> None:
        self.folder: Folder
        self.recipe = recipe
        self.seed = seed
        self.marks = marks
        self.is_read = is_read
        self.by_owner = by_owner
        self.budget = budget
        self.is_associated = recipe == "associated"
        self.revision = 0
        self.number = self.arrived = self.content_change = self.read_change = self.series_change = 0
        self.made: Letter | None = None
        self.origin: tuple[int, int] | None = None
        self.record: Record | None = None
        self.day: date | None = None
        self.restless = False
        self.rendered = 0

    @property
    def id(self) -> str:
        """Return the item's id of now."""
        if self.day is not None:
            return self.folder.mailbox.ids.occurrence(self.folder.number, self.number, self.day.toordinal())
        return self.folder.mailbox.ids.item(self.folder.number, self.number)

    @property
    def immutable_id(self) -> str:
        """Return the id that survives moves within the mailbox."""
        folder, number = self.origin or (self.folder.number, self.number)
        day = self.day.toordinal() if self.day else None
        return self.folder.mailbox.ids.immutable(folder, number, day)

    @property
    def change(self) -> int:
        """Return the number of the last change."""
        return max(self.content_change, self.read_change)

    @property
    def change_key(self) -> str:
        """Return the change key."""
        return self.folder.mailbox.ids.change_key(self.change)

    @property
    def series_key(self) -> str:
        """Return the change key where a change of one occurrence is none of its series."""
        return self.folder.mailbox.ids.change_key(max(self.series_change, self.read_change))

    @property
    def letter(self) -> Letter:
        """Return the item as a letter."""
        return self.folder.mailbox.letter(self)

    @property
    def item_class(self) -> str:
        """Return the message class."""
        return self.letter.item_class

    @property
    def size(self) -> int:
        """Return what the server states as the item's size; near, but not equal to, the MIME's."""
        return self.folder.mailbox.size(self)

    @property
    def subject(self) -> str:
        """Return the subject."""
        return self.letter.subject

    @property
    def received(self) -> datetime | None:
        """Return when it was received; None if it never was."""
        return self.letter.received

    @property
    def sent(self) -> datetime | None:
        """Return when it was sent; None if it never was."""
        return self.letter.sent

    @property
    def created(self) -> datetime | None:
        """Return when it was created."""
        return self.letter.received or self.letter.sent

    @property
    def modified(self) -> datetime | None:
        """Return when it was last modified."""
        return self.record.common.modified if self.record else self.received or self.created

    @property
    def sensitivity(self) -> str:
        """Return the sensitivity."""
        return self.record.common.sensitivity if self.record else "Normal"

    @property
    def reminder(self) -> int | None:
        """Return the minutes before the start; None without a reminder."""
        return self.record.common.reminder if self.record else None

    @property
    def due(self) -> datetime | None:
        """Return what the reminder is for."""
        return self.record.common.due if self.record else None

    @property
    def message_id(self) -> str | None:
        """Return the Message-ID."""
        return self.letter.message_id

    @property
    def sender(self) -> Correspondent:
        """Return the sender."""
        return self.letter.sender

    @property
    def to(self) -> tuple[Correspondent, ...]:
        """Return the recipients."""
        return self.letter.to

    @property
    def cc(self) -> tuple[Correspondent, ...]:
        """Return the recipients of copies."""
        return self.letter.cc

    @property
    def text(self) -> str:
        """Return the text that a client would show."""
        return self.letter.words()

    @property
    def has_attachments(self) -> bool:
        """Return whether there are attachments."""
        return self.letter.has_attachments

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Return the attachments."""
        return self.letter.attachments()

    @property
    def categories(self) -> tuple[str, ...]:
        """Return the categories."""
        return self.marks.categories

    @property
    def importance(self) -> Importance:
        """Return the importance."""
        return self.marks.importance

    @property
    def flag_status(self) -> FlagStatus:
        """Return the follow-up flag."""
        return self.marks.flag

    @property
    def last_verb(self) -> int | None:
        """PR_LAST_VERB_EXECUTED: 102 replied, 103 replied to all, 104 forwarded."""
        return self.marks.verb

    @property
    def is_draft(self) -> bool:
        """Return whether it is a draft."""
        return self.marks.draft

    @property
    def read_receipt_requested(self) -> bool:
        """Return whether the sender wants a receipt."""
        return self.marks.read_receipt

    def mime(self, variant: int = 0) -> bytes:
        """Return the whole message; another variant differs in boundaries and folding only."""
        return self.letter.mime(variant) + self._stamp()

    def open(self, variant: int = 0) -> BinaryIO:
        """Return the message as a stream: never whole in memory. The caller closes it."""
        if not self.restless:
            return self.letter.open(variant)
        with self.letter.open(variant) as stream:
            return io.BytesIO(stream.read() + self._stamp())

    def _stamp(self) -> bytes:
        """Return what a restless item has in its text: another word at every reading."""
        if not self.restless:
            return b""
        self.rendered += 1
        return b"rendered %d\r\n" % self.rendered
