"""Describe what an item states that is no mail: appointments, contacts, tasks and notes.

A record is immutable: whoever edits one puts another in its place. The mailbox stores it in a folder,
numbers, changes and lists it; practice.exchange.records filters it by an item shape.
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
    """Hold what every kind of item has.

    Attributes:
        html: True if the body is HTML.
        reminder: minutes before the start, None for none.
        due: what the reminder is for, None if there is nothing.
        properties: ready-made <t:ExtendedProperty> elements, which a client gets when it asks for them.
    """

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
    """Hold one property of an item: its FieldURI ("calendar:Start"), and the whole element as XML."""

    uri: str
    xml: str


class Record(Protocol):
    """Describe the content of one item."""

    @property
    def common(self) -> Common:
        """Return what every kind of item has."""

    @property
    def item_class(self) -> str:
        """Return IPM.Appointment, IPM.Contact, IPM.DistList, IPM.Task, IPM.StickyNote, or an unknown one."""
        ...

    def elements(self, item: Message, dialect: Dialect) -> Sequence[Element]:
        """Return what only its kind has, in the order of the EWS schema (types.xsd), without `common`."""
        ...


@runtime_checkable
class Series(Protocol):
    """Describe a record that recurs, and whose occurrences can be asked for by ids of their own."""

    def instance(self, day: date) -> Record:
        """Return the occurrence that the pattern puts on this day, wherever it was moved to.

        The day is one of the series' own zone.

        Raises:
            KeyError: there is none, or it was deleted.
        """
        ...


@runtime_checkable
class Searchable(Protocol):
    """Describe a record that sort orders may ask for its own properties."""

    def value(self, uri: str) -> object:
        """Return the value of a FieldURI; None if the record does not have the property."""
        ...


@runtime_checkable
class Renders(Protocol):
    """Describe a record that its server can also give as MIME, losing much of it."""

    def mime(self) -> tuple[str, bytes]:
        """Return the content type, and a body of that type."""
        ...
