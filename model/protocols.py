"""Define the vocabulary that every part of Kogge speaks, and the protocols that a connector fulfils.

Mailbox    the unit of work: one person or resource, its source account and its target accounts
Container  a folder, calendar, address book, task list or drive folder
Item       an immutable RFC 5322 message, iCalendar object, vCard or file, with a stable key
Source     lists changes and fetches native records
Target     ensures containers, writes, finds, reads back
Mapping    a pure function: Native -> Item + losses
Ledger     the durable truth about every mailbox, container and item
Evidence   what an auditor can check without the ledger and without us

Units: sizes are bytes; dates are aware datetimes; ids and hrefs are opaque strings of the system that issued
them. A body is *reopenable*: every call gives a stream at byte 0, which the caller closes.
Errors: what asks a server raises the classes of model.errors. "Idempotent": a repeated call changes nothing
more. Where a method may have changed the server although it raised, its docstring says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO, Protocol

from model.errors import MigrationError
from model.event_habits import PLAIN_EVENTS, EventHabits
from model.event_limits import EventLimits
from model.file_names import FileNames
from model.file_versions import Older
from model.folder_rights import RightsForm
from model.kept_fields import WHOLE_CARDS, WHOLE_TASKS, CardLimits, TaskLimits
from model.kinds import Kind
from model.mail_habits import PLAIN_MAIL, MailHabits
from model.names import readable
from model.sieve_limits import SieveLimits

Body = Callable[[], BinaryIO]
Guard = Callable[[], None]
"""Raise LeaseLost if this worker may no longer write. A target calls it before all that changes the server,
and again before the last bytes of a long literal."""


class Role(StrEnum):
    """Name what a container is for, by the source's own word, never by its (localised) name.

    CALENDAR and the roles after it name the default container of their kind.
    """

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
    """State facts about one server, found by asking it. Core code reads these, never a vendor's name.

    Attributes:
        kinds: the kinds of items that the server holds.
        batch, batch_bytes: the most items, and the most bytes, that one write or fetch call should carry.
        max_bytes: the largest item that the server takes, in bytes; None if it does not say.
        keywords: True if user-defined flags are kept.
        oldest_date: the earliest date that is kept beside an item, in seconds since 1970.
        separator: the hierarchy separator; "" if the namespace is flat.
        name_bytes: the longest name of one level, in bytes of the server's own encoding.
        special_use: True if containers carry roles. mail: what a mail target expects beside the messages.
        incremental: True if changes() after a cursor lists only what changed; otherwise it enumerates anew.
        replaces: True if write() replaces an item in place (Item.replaces), not by a removal and a new one.
        recurring_tasks: True if a VTODO may have an RRULE.
        groups, plain_lists: True if distribution lists are kept; with name and members' addresses alone.
        vcard: the vCard version to write, "3.0" or "4.0".
        silent_agent: True if the server is quiet only about SCHEDULE-AGENT=CLIENT (RFC 6638, 7.1).
        category_commas: True if a category's name in iCalendar may hold a comma (RFC 5545, 3.3.11).
        busy_words: True if X-MICROSOFT-CDO-BUSYSTATUS is kept: out of office, working elsewhere.
        position_types: True if mail, telephone and postal addresses of a contact get types by position.
        attachment_bytes: the largest attachment of an item, in bytes; None if it has no limit of its own.
        series_attachment_bytes: the same for a series with changed occurrences; None if it is the same.
        files: which names a server of files takes; None for other servers.
        versions: how many older versions of a new file write() takes (Item.versions).
        events: what the server keeps of every event, if it holds no iCalendar objects; None if it does.
        cards: what the server keeps of a contact; tasks: of a task.
        event_habits: what the server takes otherwise than RFC 5545 says.
        lists_partly: of a target, True if listing() leaves out items; LooksUp finds them by name.
        shares_events: True if one event is everybody's who is invited: the organizer's has to come first.
        moves: of a source, True if a moved item is named in its new container alone. states: True if
            containers have a Container.state.
        sieve: what a server of rules takes; None for other servers.
        availability: of a server of rules, True if another server may keep working hours.
        rights: in which words the rights to folders are said, by what these hold.
        facts: what else a preflight should show, as short printable values.
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
    mail: MailHabits = PLAIN_MAIL
    incremental: bool = True
    replaces: bool = False
    recurring_tasks: bool = True
    groups: bool = True
    plain_lists: bool = False
    vcard: str = "3.0"
    silent_agent: bool = False
    category_commas: bool = True
    busy_words: bool = True
    position_types: bool = False
    attachment_bytes: int | None = None
    series_attachment_bytes: int | None = None
    files: FileNames | None = None
    versions: int = 0
    events: EventLimits | None = None
    cards: CardLimits = WHOLE_CARDS
    tasks: TaskLimits = WHOLE_TASKS
    event_habits: EventHabits = PLAIN_EVENTS
    lists_partly: bool = False
    shares_events: bool = False
    moves: bool = False
    states: bool = False
    sieve: SieveLimits | None = None
    availability: bool = False
    rights: Mapping[Kind, RightsForm] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Identity:
    """Name the owner of an account, by this system's own word.

    Attributes:
        system: the system's name.
        id: immutable; it changes when the account is deleted and created again.
        addresses: lower-case e-mail addresses that the system itself states; empty if it states none.
        primary: the main one of them, which no other account has; "" if the system does not say which it is.
        part: the server's own id of a folder of files, or what else shows that it is the same account.
        user: the system's own name for the owner, for those who share with them; "" if it has none.
        lent: True if the folder of files belongs to another person, who lets the account use it.
        self_stated: True if the owner may change the addresses: they say only whom somebody claims to be.
        fingerprint: what two logins that open it have in common, and others may; "" if the id is its own.
    """

    system: str
    id: str
    addresses: frozenset[str] = frozenset()
    part: str = ""
    user: str = ""
    lent: bool = False
    self_stated: bool = False
    fingerprint: str = ""
    primary: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """Describe a folder at the source, or the shape of one to ensure at the target.

    Attributes:
        kind: the kind of its items.
        id: stable for the folder's life, also across renames and moves.
        path: the names from the root down, as people see them; see model.names.readable.
        role: what it is for; None if the source gives it no role.
        total: items by the server's own count; None if the server does not say.
        size: bytes of its items; None if the server does not say.
        omit: a code why nothing in it moves ("hidden", "search-folder", "not-mail"); None if it moves.
        color: "#rrggbb"; None if the system does not say.
        order: where people put it among the others, from 0; None if the system does not say.
        readonly: True if its owner may not change it (it is somebody else's, and shared).
        modified: of a folder of files, when it was last changed; None if the system does not say.
        state: a text that changes when an item comes, goes or gets other flags; None if none is stated.
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
    state: str | None = None

    def __post_init__(self) -> None:
        """Clean the path, so that no connector can pass on a name that cannot be kept."""
        object.__setattr__(self, "path", tuple(map(readable, self.path)))


@dataclass(frozen=True, slots=True)
class Ref:
    """Name one item, as a listing does.

    Attributes:
        id: the source's id of the item.
        version: changes whenever anything about the item changes.
        deleted: True if the item no longer exists.
        size: bytes; None if the listing does not say.
        foreign: True if it may be of another kind than its container (fetch tells). It is not compared.
    """

    id: str
    version: str
    deleted: bool = False
    size: int | None = None
    foreign: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Hold refs, and a cursor that is valid AFTER them.

    Attributes:
        refs: the items of this page.
        cursor: continues after this page.
        full: True if its enumeration began from nothing: what it did not name at its end does not exist.
    """

    refs: tuple[Ref, ...]
    cursor: str
    full: bool = False


@dataclass(frozen=True, slots=True)
class Native:
    """Hold a record as its system gave it: the body and the properties that live outside of it.

    Attributes:
        ref: the item, in the version that was read.
        format: names the dialect ("ews-message", "rfc822"); a mapping is chosen by it.
        properties: by the source's own names; see the mapping of the format.
        body: None if only properties were asked for.
    """

    ref: Ref
    format: str
    properties: Mapping[str, object]
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """Describe an item at the target.

    Attributes:
        key: the item's key (key_of).
        href: identifies it in its container: "UIDVALIDITY:UID" in IMAP, the last part of the path in DAV, the
            name of a file.
        version: its ETag; "" if there is none.
        via: True if it existed already and means the same, as an organizer's meeting: not ours to change.
        digest: of what was last written, as the ledger knows it; b"" if it is not stated. If `via` is set and
            the existing object differs from the item, the existing object's.
        losses: what is lost because the existing object (`via`) differs from the item.
        versions: how many older versions of a file are kept. None: all that a new file came with; of another,
            the number is not known anew.
        flags: the flags that the target took, if they are fewer than were given; None means all.
        size: bytes, if the ledger has them. What is removed or amended is recognised by size, date and mid.
        date: seconds since 1970 UTC, if the ledger has it.
        mid: a hash of the Message-ID (ledger.db.rows.ItemRow), if the ledger has it.
    """

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
    """Describe what is written.

    Attributes:
        kind: what it is.
        key: the item's key (key_of).
        digest: of its meaning (mappings.registry).
        size: bytes of the body.
        body: reopenable.
        flags: the full set of flags.
        date: the date that is kept beside the item; None if there is none.
        replaces: the older version at the target that this one replaces in place; None for a new item.
        uid: its iCalendar or vCard UID, which a DAV server keeps unique.
        invited: of a meeting that somebody else called, the addresses of the mailbox's owner.
        organizer: of a meeting, the lower-case address of who called it; "" if it is not known.
        shown_as: of such a meeting, the href by which the organizer's own leg wrote it, if it did.
        name: of a file, the name that it gets; it is free in its container.
        versions: of a new file, its older ones, the oldest first; dates in whole seconds, no two equal.
        message_id: of a mail, as its header has it (mappings.fields.message_id).
    """

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
    organizer: str = field(default="", repr=False)
    shown_as: str | None = None
    name: str | None = None
    versions: tuple[Older, ...] = ()
    message_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Loss:
    """Name what a mapping could not carry over. No content: both are fixed words.

    Attributes:
        field: what was lost.
        reason: why it was lost.
    """

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """Hold a mapping's result.

    Attributes:
        item: what is written.
        losses: what could not be carried over.
        labels: pairs of a keyword and a category's name. The ledger keeps them, and the target; no log does.
        left: the code by which the item is not written now, though its record could be read; "" if it is
            written. It is asked about again in later passes.
    """

    item: Item
    losses: tuple[Loss, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    left: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Name one item that could not be fetched, written, amended, read or removed. The others could.

    Attributes:
        key: the item's key (key_of).
        error: why.
    """

    key: bytes
    error: MigrationError


@dataclass(frozen=True, slots=True)
class Amendment:
    """Ask for new flags for an item that is already at the target; never for a new body.

    Attributes:
        stored: the item.
        flags: the full new set.
    """

    stored: Stored
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Listed:
    """Describe one item as the target lists it.

    Attributes:
        href: as Stored.href.
        size: bytes.
        flags: the full set of flags.
        date: the date that the target keeps beside it; None if it keeps none.
        message_id: of a mail, as its header has it; None if it has none.
    """

    href: str
    size: int
    flags: frozenset[str] = frozenset()
    date: datetime | None = None
    message_id: str | None = None


def key_of(source_id: str) -> bytes:
    """Return the 16-byte key of a source id: never of content, because two identical mails are two mails."""
    return hashlib.blake2b(source_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Source(Protocol):
    """List and fetch items of one account. A source never writes.

    Not thread-safe: one thread at a time uses an instance, except for close().

    Every method but close() may raise Transient, Blocked or LeaseLost. None of them changes the server, so
    each may be repeated after an error. The fault of one single item is a Failed that fetch yields.
    """

    @property
    def capabilities(self) -> Capabilities:
        """Return the facts about this server. Idempotent; it may ask the server, once."""

    def identity(self) -> Identity:
        """Return who owns the account, by this system's own word. Idempotent; asks the server."""

    def containers(self) -> Iterator[Container]:
        """Yield all containers, parents before children.

        Containers that are to be omitted are included, with their reason. Idempotent. If it raises, the
        containers that it yielded before are not all.
        """

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor.

        Idempotent: the same cursor may be used again. If it raises, the cursor of the last page that was
        yielded is still valid, and the enumeration goes on from there.

        Args:
            container: where to look.
            cursor: of an earlier page; None lists everything.

        Yields:
            Pages. The last one may have no refs. Names of files depend on who comes first, so items of files
            come in the same order each time.

        Raises:
            CursorLost: the server no longer knows the cursor: enumerate anew.
        """

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        """Yield one result for each ref, in any order.

        Idempotent. If it raises, the refs without a result may be fetched again.

        Args:
            container: where the items are.
            refs: the items to fetch.
            bodies: False if only properties are needed.

        Yields:
            Records; pair them by key_of(native.ref.id). native.ref.version is the version that was read. An
            item that no longer exists is Failed(Rejected("vanished")).
        """

    def close(self) -> None:
        """Close every socket. Safe from any thread and more than once; never raises."""


class Target(Protocol):
    """Write items to one account, find them and read them back.

    Not thread-safe: one thread at a time uses an instance, except for close().

    The guard given at construction refuses writes once the lease is lost. In the live phase (live=True at
    construction) write only adds; rename, amend and remove refuse with Blocked("live-phase").

    Every method but close() may raise Transient, Blocked or LeaseLost. Methods that only read may be repeated
    after an error. After an error of a method that writes, the server may have done what was asked although
    the answer was lost; each method says how to go on.
    """

    @property
    def capabilities(self) -> Capabilities:
        """Return the facts about this server. Idempotent; it may ask the server, once."""

    def identity(self) -> Identity:
        """Return who owns the account, by this system's own word. Idempotent; asks the server."""

    def containers(self) -> Iterator[Container]:
        """Yield the containers that exist; their id is the href. Idempotent; changes nothing."""

    def ensure(self, container: Container) -> str:
        """Create the container unless it exists, and return its href.

        Idempotent. It may have created the container or some of its parents if it raises: call it again.

        Args:
            container: its path is already mapped to what this server can hold (mappings.fields.folder_names).

        Raises:
            Rejected: the server refuses the container.
        """

    def rename(self, href: str, container: Container) -> str:
        """Rename a container and return its new href.

        Not idempotent everywhere: if it raises, the container may have its new name already, and a second
        call may be refused because the old name no longer exists. List the containers before you decide.

        Args:
            href: the container as it is.
            container: as it should be.

        Raises:
            Rejected: the server refuses the name, or the name is taken.
            Blocked: "live-phase".
        """

    def position(self, href: str) -> str:
        """Return a mark below everything that will be written from now on. Idempotent; changes nothing.

        It is UIDVALIDITY:UIDNEXT in IMAP, and ":0" if hrefs have no order.
        """

    def place(self, key: bytes) -> str | None:
        """Return the href that an item of this key gets; None if it is not known before the item is written.

        Idempotent; does not ask the server.
        """

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Write items and yield one result for each, in any order.

        NOT IDEMPOTENT. IT MAY HAVE WRITTEN ANY OF THE ITEMS EVEN IF IT RAISES: the caller settles by
        listing() before it tries again.

        If capabilities.replaces is set, an item that exists already under its place() or Item.replaces is
        settled by meaning (the digest given at construction). If it means the same, the result is Stored.
        Otherwise it is replaced in staging; in the live phase the result is Failed with
        Rejected("changed-at-target").

        If another object has an item's UID, its meaning decides. If it means something else, the result is
        Failed with Rejected("uid-conflict"). If it means the same, or can stand for an item with `invited`,
        the result is Stored with `via`, or Failed with Rejected("duplicate-uid") if it is another item of
        ours that means the same.

        Args:
            href: the container.
            items: read one after the other while they are written; bodies are opened as they are needed.
        """

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Set flags of items and yield one result for each; never touch a body.

        Idempotent. It may have amended any of the items if it raises: call it again.

        Yields:
            Stored; or Failed with Rejected("vanished") if the item no longer exists, and with
            Rejected("changed-at-target") if something else is in its place.
        """

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """Yield what is in a container. Idempotent; changes nothing. Streams in windows.

        Args:
            href: the container.
            since: a mark of position(); only items at or after it are listed. None lists everything.
        """

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read items back and yield them by item href, in any order. Idempotent; changes nothing.

        Large bodies are spooled to disk, not held in memory.
        """

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        """Remove exactly these items and yield one result for each.

        Idempotent: an item that is gone already is a success. It may have removed any of the items if it
        raises: call it again. It takes only what the ledger says we wrote, and reads each item first (R8b).

        Yields:
            Stored; or Failed with Rejected("changed-at-target") if the item no longer means stored.digest, or
            if something else has its number by now.
        """

    def label(self, labels: Mapping[str, str]) -> bool:
        """Keep the whole map of keywords and their texts beside the mailbox (IMAP METADATA, RFC 5464).

        Idempotent; the map replaces the one before. It may have kept it if it raises: call it again. It
        returns False if this server has no place for it.
        """

    def close(self) -> None:
        """Close every socket at once, without a farewell; else as Source.close."""
