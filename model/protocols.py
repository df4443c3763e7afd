"""The vocabulary every part of Kogge speaks, and the protocols a connector fulfils.

Mailbox    the unit of work: one person or resource, its source account and its target accounts
Container  a folder, calendar, address book, task list or drive folder
Item       an immutable RFC 5322 message, iCalendar object, vCard or file, with a stable key
Source     lists changes and fetches native records
Target     ensures containers, writes, finds, reads back
Mapping    a pure function: Native -> Item + losses
Ledger     the durable truth about every mailbox, container and item
Evidence   what an auditor can check without the ledger and without us

Units: sizes are bytes; dates are aware datetimes; ids and hrefs are opaque strings of the system
that issued them. A body is *reopenable*: every call gives a fresh stream at byte 0, so that a retry
reads the same bytes again. The caller closes the stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Protocol

from model.errors import MigrationError
from model.event_limits import EventLimits
from model.file_names import FileNames
from model.file_versions import Older

Body = Callable[[], BinaryIO]

Guard = Callable[[], None]
"""Raises LeaseLost when this worker may no longer write. A target calls it before it sends anything
that changes the server, and again before the last bytes of a long literal."""


class Kind(StrEnum):
    """What an item is; also the name of the leg (workload) that moves it."""

    MAIL = "mail"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    TASKS = "tasks"
    NOTES = "notes"
    FILES = "files"
    SETTINGS = "settings"


class Role(StrEnum):
    """What a container is for, by the source's own word, never by its (localised) name. From CALENDAR on: the
    default one of its kind."""

    INBOX = "inbox"
    SENT = "sent"
    DRAFTS = "drafts"
    TRASH = "trash"
    JUNK = "junk"
    ARCHIVE = "archive"
    OUTBOX = "outbox"
    TEMPLATES = "templates"
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    TASKS = "tasks"
    NOTES = "notes"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts about one server, found by asking it. Core code asks these, never for a vendor's name.

    batch, batch_bytes  the most one write or fetch call should carry
    max_bytes           the largest item the server takes; None when it does not say
    keywords            user-defined flags are kept
    oldest_date         the earliest date that is kept beside an item, in seconds since 1970
    separator           the hierarchy separator; "" when the namespace is flat
    name_bytes          the longest name of one level, in the server's own encoding
    special_use         containers carry roles
    incremental         changes() after a cursor lists only what changed (else it enumerates anew)
    replaces            write() replaces an item in place (Item.replaces); else it is removed and written anew
    recurring_tasks     a VTODO may have an RRULE
    groups              distribution lists are kept among the contacts
    vcard               the vCard version to write, "3.0" or "4.0"
    silent_agent        the server keeps quiet only about what has SCHEDULE-AGENT=CLIENT (RFC 6638)
    category_commas     a category's name in iCalendar may hold a comma (RFC 5545, 3.3.11)
    attachment_bytes    the largest attachment that may stand inline; None: no limit of its own
    files               of files: which names it takes
    versions            of files: how many older versions of a new one write() takes (Item.versions)
    events              its one calendar holds no iCalendar objects, but so much of every event
    moves               a source: an item that moved to another container is named in that one alone
    facts               whatever else a preflight should show, as short printable values
    """

    kinds: frozenset[Kind]
    batch: int = 100
    batch_bytes: int = 10_000_000
    max_bytes: int | None = None
    keywords: bool = True
    oldest_date: int = 0
    separator: str = "/"
    name_bytes: int = 255
    special_use: bool = True
    incremental: bool = True
    replaces: bool = False
    recurring_tasks: bool = True
    groups: bool = True
    vcard: str = "3.0"
    silent_agent: bool = False
    category_commas: bool = True
    attachment_bytes: int | None = None
    files: FileNames | None = None
    versions: int = 0
    events: EventLimits | None = None
    moves: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who owns an account, by this system's own word.

    id         immutable; changes when the account is deleted and re-created
    addresses  lower-case e-mail addresses the system itself states; empty when it states none
    part       of files, which folder of the account it is, by the server's own id; "" when it tells none, or
               the folder is not there yet. Of calendars and contacts, what else tells that the account is the
               same one
    lent       of files, the folder is another person's, who lets the account use it
    user       what the system itself calls the owner, for those who share with them; "" when it has no word
    fingerprint  of an account that has no id of its own: what two logins that open it have in common, and
               others may have as well; "" where its id is its own
    self_stated  the owner may change addresses, as in a profile: they say whom somebody claims to be
    """

    system: str
    id: str
    addresses: frozenset[str] = frozenset()
    part: str = ""
    user: str = ""
    lent: bool = False
    self_stated: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """A folder at the source, or the shape of one to ensure at the target.

    id      stable for the folder's life, also across renames and moves
    path    the names from the root down, as people see them
    total   items by the server's own count; size their bytes, where it tells
    omit    a code why nothing in it moves ("hidden", "search-folder", "not-mail"); None: it moves
    color   "#rrggbb"; order: where people put it among the others, from 0; None: the system does not tell
    readonly  its owner may not change it (somebody else's, shared)
    modified  when it was last changed; of folders of files
    """

    kind: Kind
    id: str
    path: tuple[str, ...]
    role: Role | None = None
    total: int | None = None
    size: int | None = None
    omit: str | None = None
    color: str | None = None
    order: int | None = None
    readonly: bool = False
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """One item as a listing names it. version changes whenever anything about the item changes."""

    id: str
    version: str
    deleted: bool = False
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Refs, and a cursor that is valid AFTER them.

    full  the enumeration this page belongs to started from nothing: when it ends, what it never
          named does not exist. False for a page of changes since a cursor.
    """

    refs: tuple[Ref, ...]
    cursor: str
    full: bool = False


@dataclass(frozen=True, slots=True)
class Native:
    """A record as its system gave it: body plus the properties that live outside of it.

    format      names the dialect ("ews-message", "rfc822"); a mapping is chosen by it
    properties  by the source's own names; see the mapping of the format
    body        None when only properties were asked for
    """

    ref: Ref
    format: str
    properties: Mapping[str, object]
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """An item at the target. href identifies it in its container ("UIDVALIDITY:UID" in IMAP, the last part of
    the path in DAV, the name of a file). version: its ETag. via: it was there already and means the same (an
    organizer's meeting in an attendee's calendar): it has arrived, and is not ours to change or to remove.
    digest: what was last written means, as the ledger knows it; b"": it is not told. What is via and means
    something else than the item (the organizer's copy of a meeting, for an attendee's) comes with its own
    digest, and with what is lost because of it. flags: what the target took of the flags, where that is less
    than it was given; None: all. versions: how many older ones of a file are kept; None: a new one's are all
    that it came with, and of another nobody knows more than before. size, date (in seconds since 1970 UTC),
    mid (see ledger.db.rows.ItemRow): by these what is about to be removed or amended is known again, as far
    as the ledger has them."""

    key: bytes
    href: str
    version: str = ""
    via: bool = False
    digest: bytes = b""
    losses: tuple[Loss, ...] = ()
    versions: int | None = None
    flags: frozenset[str] | None = None
    size: int | None = None
    date: int | None = None
    mid: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What is written. digest says what it means (mappings.registry); size is that of body. uid: its
    iCalendar or vCard UID, which a DAV server keeps unique. invited: of a meeting that somebody else called,
    the addresses of the mailbox's owner. name: of a file, the one it gets, free in its container. versions:
    of a new file, what it was before, oldest first, each with a date, in whole seconds, before the next
    one's. message_id: of a mail, as its header has it (mappings.fields.message_id)."""

    kind: Kind
    key: bytes
    digest: bytes
    size: int
    body: Body
    flags: frozenset[str] = frozenset()
    date: datetime | None = None
    replaces: Stored | None = None
    uid: str | None = None
    invited: frozenset[str] = field(default=frozenset(), repr=False)
    name: str | None = None
    versions: tuple[Older, ...] = ()
    message_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Loss:
    """What a mapping could not carry over. No content: field and reason are fixed words."""

    field: str
    reason: str


KEYWORDS_NOT_TAKEN = Loss("keywords", "limit-reached")
"""Of an item whose container has as many different keywords at the target as that keeps: Stored.flags says
which flags it took."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping's result. labels pairs a keyword with the text a person gave it (a category's name):
    kept in the ledger and, where the target can, beside the mailbox; never in logs."""

    item: Item
    losses: tuple[Loss, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """One item that could not be fetched, written, amended, read or removed. The others could."""

    key: bytes
    error: MigrationError


@dataclass(frozen=True, slots=True)
class Amendment:
    """New flags (the full set) for an item that is already at the target; never a new body."""

    stored: Stored
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Listed:
    """One item as the target lists it."""

    href: str
    size: int
    flags: frozenset[str] = frozenset()
    date: datetime | None = None
    message_id: str | None = None


def key_of(source_id: str) -> bytes:
    """The 16-byte key of a source id: of its identity, never of content, for two identical mails are two."""
    return hashlib.blake2b(source_id.encode(), digest_size=16).digest()


class Source(Protocol):
    """Where items come from. Never writes. Not thread-safe: one instance, one thread at a time.

    Every method may raise Transient, Blocked or LeaseLost. fetch yields Failed for one item's fault.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def identity(self) -> Identity: ...

    def containers(self) -> Iterator[Container]:
        """All containers, parents before children, those to omit included with their reason."""
        ...

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """What changed since cursor; everything for None. The last page may be empty. Of files, whose names
        go by who comes first, the same items come in the same order again.

        Raises CursorLost when the server no longer knows the cursor: enumerate anew."""
        ...

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        """One result per ref, in any order; pair by key_of(native.ref.id). An item that no longer
        exists is Failed(Rejected("vanished")). native.ref.version is the version that was read."""
        ...

    def close(self) -> None:
        """Closes every socket; safe from any thread and more than once."""
        ...


class Target(Protocol):
    """Where items go. Not thread-safe, but close() may be called from any thread.

    Writes are refused by the guard given at construction. In the live phase (live=True at
    construction) write only adds; rename, amend and remove refuse with Blocked("live-phase").
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def identity(self) -> Identity: ...

    def containers(self) -> Iterator[Container]:
        """What is there already; id is the href."""
        ...

    def ensure(self, container: Container) -> str:
        """Creates the container unless it exists; idempotent; returns its href. The path is already
        mapped to what this server can hold (mappings.fields.folder_names)."""
        ...

    def rename(self, href: str, container: Container) -> str:
        """Renames; returns the new href. Raises Rejected when the server refuses (name taken)."""
        ...

    def position(self, href: str) -> str:
        """A mark below everything that will be written from now on: IMAP UIDVALIDITY:UIDNEXT; ":0" where
        hrefs have no order."""
        ...

    def place(self, key: bytes) -> str | None:
        """The href an item of this key gets, where that is known before it is written; else None."""
        ...

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """One result per item, in any order. MAY HAVE WRITTEN ANY OF THEM EVEN IF IT RAISES: the
        caller settles by listing() before it tries again. Where capabilities.replaces, an item that is
        there already under its place() or Item.replaces is settled by meaning (the digest given at
        construction): the same is Stored; another is replaced in staging, and Failed with
        Rejected("changed-at-target") in the live phase. Where something else has an item's UID: when that
        means another thing, Failed with Rejected("uid-conflict"); when it means the same, or can stand for an
        item with invited, Stored with via, or Failed with Rejected("duplicate-uid") when it is another of
        ours that means the same."""
        ...

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Sets flags; idempotent; never touches a body. An item no longer there is
        Failed(Rejected("vanished")); where something else is in its place, Rejected("changed-at-target")."""
        ...

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """What is there, at or after the position since. Streams in windows."""
        ...

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Reads items back, by item href, in any order; large bodies are spooled, not held."""
        ...

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Removes exactly these, idempotent: one already gone is success. Takes only what the
        ledger says we wrote, and looks at it first (R8b): what no longer means stored.digest, or is something
        else that has its number by now, is Failed with Rejected("changed-at-target")."""
        ...

    def label(self, labels: Mapping[str, str]) -> bool:
        """Keeps the whole keyword -> text map beside the mailbox (IMAP METADATA); idempotent. False
        when this server has no place for it."""
        ...

    def close(self) -> None:
        """Closes every socket at once, without a farewell; safe from any thread, more than once."""
        ...
