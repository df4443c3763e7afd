"""What an item that is no mail says: the content of appointments, contacts, tasks and notes.

A record is immutable: whoever edits one puts another in its place. How it is kept in a folder, numbered,
changed and listed is the mailbox's affair; how it is filtered by an item shape is ews_properties'.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from practice.mail.letters import Attachment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from practice.exchange.soap import Dialect
    from practice.world.messages import Message

Sensitivity = Literal["Normal", "Personal", "Private", "Confidential"]
EPOCH = datetime(2021, 3, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Common:
    """What every kind of item has. html: the body is HTML; reminder: minutes before the start, None for
    none; due: what the reminder reminds of, None where there is none; properties: ready-made
    <t:ExtendedProperty> elements, which a client gets when it asks for them."""

    subject: str = ""
    body: str = ""
    html: bool = False
    sensitivity: Sensitivity = "Normal"
    importance: Literal["Low", "Normal", "High"] = "Normal"
    categories: tuple[str, ...] = ()
    reminder: int | None = None
    created: datetime = EPOCH
    modified: datetime = EPOCH
    attachments: tuple[Attachment, ...] = ()
    properties: tuple[str, ...] = ()
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Element:
    """One property of an item: its FieldURI ("calendar:Start"), and the whole element as XML."""

    uri: str
    xml: str


class Record(Protocol):
    """The content of one item."""

    @property
    def common(self) -> Common: ...

    @property
    def item_class(self) -> str:
        """IPM.Appointment, IPM.Contact, IPM.DistList, IPM.Task, IPM.StickyNote, or one of nobody's."""
        ...

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:
        """What only its kind has, in the order of the EWS schema (types.xsd); not what `common` says."""
        ...


@runtime_checkable
class Series(Protocol):
    """A record that recurs, and whose occurrences can be asked for by ids of their own."""

    def instance(self, day: date) -> Record:
        """The occurrence that the pattern puts on this day of the series' own zone, wherever it was moved to.
        Raises KeyError when there is none, or it was deleted."""
        ...


@runtime_checkable
class Searchable(Protocol):
    """A record that restrictions and sort orders may ask for its own properties."""

    def value(self, uri: str) -> object:
        """The value of a FieldURI; None: the record does not have the property."""
        ...


@runtime_checkable
class Renders(Protocol):
    """A record that its server can also give as MIME, losing much of it."""

    def mime(self) -> tuple[str, bytes]:
        """The content type, and a body of that type."""
        ...
