"""List the folders of an IMAP account: names, namespaces, roles and the server's own counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from imapclient import imap_utf7

from connectors.imap.session import Session
from connectors.imap.wire.connection import (
    Parts,
    Token,
    fetched,
    number,
    quoted,
    status_command,
    status_of,
    tokens,
    words,
)
from connectors.imap.wire.pipelining import PIPELINING
from model.errors import Blocked, Rejected, Transient
from model.kinds import Kind
from model.names import readable
from model.protocols import Container, Role

INBOX = b"INBOX"
NAMESPACE = b"NAMESPACE"
LIST_IDS = b'LIST "" "*" RETURN (STATUS (MAILBOXID))'

ROLES = {
    "\\SENT": Role.SENT,
    "\\DRAFTS": Role.DRAFTS,
    "\\TRASH": Role.TRASH,
    "\\JUNK": Role.JUNK,
    "\\ARCHIVE": Role.ARCHIVE,
}
USES = {role: use for use, role in ROLES.items()}
FOLDERS_MOST = 100_000
MAILBOX_ID = "MAILBOXID"
RAW = "\ufdd0"
"""A noncharacter, which no name of a Container has: after it, a name is the server's bytes."""
ORIGIN = b"X-MAILBOX"
_OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""Source: RFC 8474, section 7 (objectid)."""
NO_SELECT = frozenset({"\\NOSELECT", "\\NONEXISTENT"})
VIRTUAL = frozenset({"\\ALL", "\\FLAGGED", "\\IMPORTANT"})
"""Uses of mailboxes that show messages stored in other mailboxes. Source: RFC 6154, RFC 8457."""


@dataclass(frozen=True, slots=True)
class ImapFolder:
    """Hold one line of LIST.

    Attributes:
        raw: the name as the server spells it (modified UTF-7).
        separator: the hierarchy separator; "" in a flat namespace.
        attributes: attributes in upper case.
        status: the STATUS items by upper-case name; {} when they were not asked.
        named: the role that the configuration gives to its name; None if it gives none.
    """

    raw: bytes
    separator: str
    attributes: frozenset[str]
    status: dict[str, str] = field(default_factory=dict)
    named: Role | None = None

    @property
    def name(self) -> str:
        """Return the readable name."""
        return shown(self.raw)

    @property
    def key(self) -> str:
        """Return the name that no other folder has, and from which `encoded` gives the bytes again."""
        return decoded(self.raw)

    @property
    def selectable(self) -> bool:
        """Return True if the mailbox can be opened."""
        return not self.attributes & NO_SELECT

    @property
    def role(self) -> Role | None:
        """Return the role that the server states, else the one of its name, or None."""
        if self.raw.upper() == INBOX:
            return Role.INBOX
        return next((ROLES[use] for use in sorted(self.attributes) if use in ROLES), self.named)


@dataclass(frozen=True, slots=True)
class Namespace:
    """Hold where the account's own folders are and which prefixes belong to others.

    Attributes:
        prefix: the prefix of the account's own folders; "" when they have none.
        separator: the hierarchy separator; "" in a flat namespace.
        foreign: the prefixes of folders that belong to others.
        others: True if everything outside of the prefix, except INBOX, belongs to others. This holds where a
            namespace of others has the prefix "", as Cyrus' shared folders have it.
        more: the prefixes of the account's further namespaces.

    Source:
        RFC 2342.
    """

    prefix: str = ""
    separator: str = "/"
    foreign: tuple[str, ...] = ()
    others: bool = False
    more: tuple[str, ...] = ()

    def path(self, name: str) -> tuple[str, ...]:
        """Return the path that a person sees: without the namespace's own prefix."""
        own = name[len(self.prefix) :] if self.prefix and name.startswith(self.prefix) else name
        return tuple(own.split(self.separator)) if self.separator else (own,)

    def name(self, path: Iterable[str]) -> str:
        """Return the mailbox name of a path.

        Raises:
            Rejected: "name-not-allowed" when a level contains the separator.
        """
        levels = tuple(path)
        if self.separator and any(self.separator in level for level in levels):
            raise Rejected("name-not-allowed", "a folder name contains the hierarchy separator")
        joined = self.separator.join(levels)
        return joined if joined.upper() == "INBOX" else self.prefix + joined

    def is_foreign(self, name: str) -> bool:
        """Return True if the mailbox belongs to another person or is shared."""
        if any(name.startswith(prefix) or name + self.separator == prefix for prefix in self.foreign):
            return True
        own = name.upper() == "INBOX" or (name + self.separator).startswith(self.prefix)
        return self.others and bool(self.prefix) and not own


def encoded(name: str) -> bytes:
    """Return the server's own bytes for a mailbox name: modified UTF-7, or what `decoded` could not read.

    Source:
        RFC 3501, section 5.1.3.
    """
    if name.startswith(RAW):
        return name[len(RAW) :].encode("latin-1", "replace")
    return bytes(imap_utf7.encode(readable(name)))


@lru_cache(maxsize=1024)
def decoded(raw: bytes) -> str:
    """Return a mailbox name from which `encoded` gives the same bytes again; no two names are equal.

    A name that is not valid modified UTF-7, or that holds half a surrogate pair, stays as its bytes, after
    RAW.
    """
    text = _text(raw)
    is_text = text is not None and not text.startswith(RAW) and encoded(text) == raw
    return text if text is not None and is_text else RAW + raw.decode("latin-1")


@lru_cache(maxsize=1024)
def shown(raw: bytes) -> str:
    """Return a mailbox name as people read it. Several names may look alike."""
    text = _text(raw)
    if text is None:
        return readable(raw.decode("latin-1"))
    clean = readable(text)
    return clean if clean != text or encoded(text) == raw else raw.decode("latin-1")


def _text(raw: bytes) -> str | None:
    """Return the text of modified UTF-7, perhaps with halves of surrogate pairs; None if it is none."""
    try:
        return str(imap_utf7.decode(raw))
    except (ValueError, LookupError):
        return None


def namespace(session: Session) -> Namespace:
    """Ask the server for its namespaces; without NAMESPACE, use the separator from LIST."""
    namespaces: list[Namespace] = []

    def note(parts: Parts) -> None:
        if parts[0][2:12].upper() == b"NAMESPACE ":
            namespaces.append(_namespace(tokens(parts)[1:]))
        elif parts[0][2:7].upper() == b"LIST ":
            separator = tokens(parts)[2]
            namespaces.append(Namespace(separator=separator.decode() if isinstance(separator, bytes) else ""))

    command = NAMESPACE if session.has("NAMESPACE") else b'LIST "" ""'
    session.done(command, note)
    return namespaces[0] if namespaces else Namespace()


def _namespace(groups: list[Token]) -> Namespace:
    """Build a Namespace from the three groups of a NAMESPACE response."""
    personal, *others = (_entries(group) for group in groups)
    prefix, separator = personal[0] if personal else (b"", b"/")
    foreign = tuple(shown(name) for group in others for name, _ in group if name)
    shared = any(not name for group in others for name, _ in group)
    more = tuple(shown(name) for name, _ in personal[1:] if name)
    return Namespace(shown(prefix), separator.decode(), foreign, shared, more)


def _entries(group: Token) -> list[tuple[bytes, bytes]]:
    """Return (prefix, separator) of each entry; a flat namespace has the separator NIL."""
    return [
        (entry[0], entry[1] if isinstance(entry[1], bytes) else b"")
        for entry in (group if isinstance(group, list) else [])
        if isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[0], bytes)
    ]


def folders(session: Session, *, counts: bool, ids: bool = True) -> list[ImapFolder]:
    """List every mailbox that the account sees, parents before children.

    Args:
        session: the session of the account.
        counts: True to ask for the server's counts and ids, too.
        ids: False to leave out ids that would need a question of their own.

    Raises:
        Transient: "folder-vanished" when a folder was added or removed during the listing; connection errors.
    """
    listed: dict[bytes, ImapFolder] = {}
    totals: dict[bytes, dict[str, str]] = {}

    def note(parts: Parts) -> None:
        if parts[0][2:7].upper() == b"LIST ":
            _, attributes, separator, raw, *_ = tokens(parts)
            if isinstance(raw, bytes):
                upper = frozenset(word.upper() for word in words(attributes))
                if len(listed) >= FOLDERS_MOST:
                    raise ValueError("more folders than any account has")
                level_separator = separator.decode() if isinstance(separator, bytes) else ""
                listed[raw] = ImapFolder(raw, level_separator, upper)
        elif status := status_of(parts):
            raw = tokens(parts)[1]
            if isinstance(raw, bytes) and len(totals) < FOLDERS_MOST:
                totals.setdefault(raw, {}).update(status)

    if counts:
        close_open_mailbox(session)
    session.done(list_command(session, counts=counts), note)
    if counts and not lists_counts(session):
        totals = _status_one_by_one(session, listed.values(), ids=ids)
    elif counts and ids and session.has("OBJECTID"):
        _ask_ids(session, totals)
    listing = [ImapFolder(f.raw, f.separator, f.attributes, totals.get(f.raw, {})) for f in listed.values()]
    return sorted(
        listing, key=lambda folder: (folder.raw.upper() != INBOX, folder.name.split(folder.separator or "\0"))
    )


def list_command(session: Session, *, counts: bool) -> bytes:
    """Return the command with which `folders` asks for the mailboxes."""
    return b'LIST "" "*"' + _options(session, counts)


def folders_questions(session: Session, *, identity: bool, ids: bool) -> list[bytes]:
    """Return the commands with which an account is looked at first, as far as the server knows them.

    Args:
        session: the session of the account.
        identity: True if it will be asked whose account it is.
        ids: True if the ids of folders will be asked, too.
    """
    item = id_item(session) or "UIDVALIDITY"
    commands = [status_command(INBOX, item)] if identity else []
    return commands + _listing_questions(session, ids=ids, prefixes=True)


def ask_folders(session: Session, *, ids: bool, prefixes: bool) -> None:
    """Ask for what `folders` with counts will ask for, and do not wait for the answer.

    Args:
        session: the session of the account.
        ids: True if the ids of folders will be asked, too.
        prefixes: True if the namespaces will be asked before.
    """
    close_open_mailbox(session)
    questions = _listing_questions(session, ids=ids, prefixes=prefixes)
    if not all(map(session.is_asked, questions)):
        session.drop_answers()  # ids of an older listing: names may have changed hands since
    session.ask_ahead(questions)


def _listing_questions(session: Session, *, ids: bool, prefixes: bool) -> list[bytes]:
    commands = [NAMESPACE] if prefixes and session.has("NAMESPACE") else []
    commands.append(list_command(session, counts=True))
    if ids and session.has("OBJECTID") and lists_counts(session):
        commands.append(LIST_IDS)
    return commands


def lists_counts(session: Session) -> bool:
    """Return True if one command lists the mailboxes together with the server's counts."""
    return session.has("LIST-STATUS") and session.has("LIST-EXTENDED")


def close_open_mailbox(session: Session) -> None:
    """Close the open mailbox, so that its count is current in a listing that was not asked for yet.

    Dovecot 2.4.1 counts the open mailbox as this session last saw it, which is an old number. NOOP would
    update it, but ends the session when the mailbox was renamed. CLOSE removes nothing after EXAMINE.
    """
    selected = session.selected
    if selected is None or not (selected.readonly or session.has("UNSELECT")):
        return
    if session.is_asked(list_command(session, counts=True)):
        return
    closing = b"UNSELECT" if session.has("UNSELECT") else b"CLOSE"
    if PIPELINING.allows(session.server):
        session.connection.add(closing)
    else:
        session.run(closing)
    session.selected = None  # where that is refused, a mailbox is opened once more than it need be


def _options(session: Session, counts: bool) -> bytes:
    """Return the RETURN options of LIST that this server supports."""
    options = []
    if session.has("SPECIAL-USE"):
        options.append("SPECIAL-USE")
    if counts and session.has("LIST-STATUS"):
        options.append(f"STATUS ({' '.join(status_items(session))})")
    return f" RETURN ({' '.join(options)})".encode() if options and session.has("LIST-EXTENDED") else b""


def status_items(session: Session) -> list[str]:
    """Return the STATUS items to ask of this server, without MAILBOXID."""
    items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY"]
    if session.has("CONDSTORE"):
        items.append("HIGHESTMODSEQ")
    if session.has("STATUS=SIZE"):
        items.append("SIZE")
    if not session.has("OBJECTID") and session.quirks.mailbox_id:
        items.append(session.quirks.mailbox_id)
    return items


def id_item(session: Session) -> str | None:
    """Return the STATUS item that identifies a mailbox for its life, or None."""
    return MAILBOX_ID if session.has("OBJECTID") else session.quirks.mailbox_id


def lifelong_id(session: Session, raw: bytes) -> str:
    """Return the mailbox's own id; "" where the server has none.

    MAILBOXID is asked in a STATUS of its own: Cyrus 3.10.2 answers with freed memory when it stands beside
    MESSAGES or SIZE.

    Args:
        session: the session of the account.
        raw: the encoded name of the mailbox.

    Raises:
        Transient: "protocol-error" for a malformed id. Two listings that disagree would look like one folder
            that is gone and a new one.

    Source:
        RFC 8474, section 4.3 (STATUS MAILBOXID).
    """
    item = id_item(session)
    return _checked_id(session, item, session.status(raw, item).get(item, "")) if item else ""


def _checked_id(session: Session, item: str, value: str) -> str:
    """Return the id; raise Transient("protocol-error") when it is malformed."""
    if item == MAILBOX_ID and not _OBJECT_ID.fullmatch(value):
        raise session.connection.nonsense()
    return value


def _ask_ids(session: Session, totals: dict[bytes, dict[str, str]]) -> None:
    """Add each mailbox's id to its totals; see `lifelong_id`."""
    ids: dict[bytes, str] = {}

    def note(parts: Parts) -> None:
        if status := status_of(parts):
            raw = tokens(parts)[1]
            if isinstance(raw, bytes) and raw in totals and MAILBOX_ID in status:
                ids[raw] = status[MAILBOX_ID]

    session.done(LIST_IDS, note)
    if ids.keys() != totals.keys():
        raise Transient("folder-vanished", "a folder was made or removed meanwhile: list again")
    for raw, status in totals.items():
        status[MAILBOX_ID] = _checked_id(session, MAILBOX_ID, ids[raw])


def _status_one_by_one(
    session: Session, listed: Iterable[ImapFolder], *, ids: bool
) -> dict[bytes, dict[str, str]]:
    """Ask STATUS for each mailbox where LIST cannot return it."""
    totals: dict[bytes, dict[str, str]] = {}
    for folder in listed:
        if folder.selectable:
            try:
                status = session.status(folder.raw, *status_items(session))
                if ids and session.has("OBJECTID"):
                    status[MAILBOX_ID] = lifelong_id(session, folder.raw)
                totals[folder.raw] = status
            except (Blocked, Rejected):
                totals[folder.raw] = {}  # listed, but gone or not ours to open: its total is unknown
    return totals


def container(folder: ImapFolder, where: Namespace, identifier: str, omit: str | None = None) -> Container:
    """Convert a folder into a Container.

    Args:
        folder: the folder.
        where: the account's namespace.
        identifier: the container's id.
        omit: the code why nothing in it moves; None: it moves.
    """
    status = folder.status
    inbox = folder.raw.upper() == INBOX
    return Container(
        kind=Kind.MAIL,
        id=identifier,
        path=("INBOX",) if inbox else where.path(folder.name),
        role=folder.role,
        total=number(status.get("MESSAGES", "").encode()),
        size=number(status.get("SIZE", "").encode()),
        omit=omit,
        state=state_of(status),
    )


def state_of(status: Mapping[str, str]) -> str | None:
    """Return Container.state of a mailbox; None where the server does not count changes of flags.

    A message that comes raises UIDNEXT, and one that goes lowers MESSAGES as long as none comes. The flags
    have HIGHESTMODSEQ alone. It is 0 for a mailbox without modification sequences.

    Args:
        status: the STATUS items by upper-case name.

    Source:
        RFC 9051, section 2.3.1.1 (UIDNEXT); RFC 7162, sections 3.1.2.2 and 3.1.7 (HIGHESTMODSEQ).
    """
    values = [status.get(name, "") for name in ("UIDVALIDITY", "UIDNEXT", "MESSAGES", "HIGHESTMODSEQ")]
    if not all(value.isascii() and value.isdecimal() for value in values) or int(values[-1]) == 0:
        return None
    return ":".join(values)


def virtual_prefixes(session: Session, listed: Sequence[ImapFolder], where: Namespace) -> tuple[str, ...]:
    """Return the prefixes of the account's own namespaces in which all folders are virtual.

    Dovecot keeps folders that only show mail of others in a namespace of their own. Inside of one, each
    message tells the folder that it is really in.

    One folder of each further namespace is asked, because a namespace has one kind of storage. A namespace
    of which all folders are empty cannot be told.

    Args:
        session: the session of the account.
        listed: the account's folders, with the server's counts.
        where: the account's namespaces.

    Source:
        Dovecot: FETCH X-MAILBOX, https://doc.dovecot.org/main/core/plugins/virtual.html.
    """
    if not session.quirks.tells_origin:
        return ()
    return tuple(prefix for prefix in where.more if _is_virtual(session, _within(listed, prefix)))


def _within(listed: Iterable[ImapFolder], prefix: str) -> Iterable[ImapFolder]:
    inside = (folder for folder in listed if folder.name.startswith(prefix) and folder.selectable)
    return (folder for folder in inside if folder.status.get("MESSAGES", "0") != "0")


def _is_virtual(session: Session, folders: Iterable[ImapFolder]) -> bool:
    """Return True if the first folder that tells says that its mail is in another one."""
    for folder in folders:
        origin = _origin(session, folder.raw)
        if origin is not None:
            return origin not in (folder.raw, folder.name.encode())
    return False


def _origin(session: Session, raw: bytes) -> bytes | None:
    """Return the folder in which a folder's first message is; None if the server does not tell."""
    origins: list[bytes] = []

    def note(parts: Parts) -> None:
        value = (fetched(parts) or {}).get(ORIGIN)
        if isinstance(value, bytes):
            origins.append(value)

    try:
        session.select(raw, readonly=True, fresh=True)
    except (Blocked, Rejected):
        return None
    session.run(b"FETCH 1 (" + ORIGIN + b")", note)
    return origins[-1] if origins else None


def quota(session: Session) -> tuple[int, int] | None:
    """Return (used, limit) in bytes of INBOX's storage quota; None when the server states no limit.

    Of several limits the one with the least free space counts.

    Source:
        RFC 9208, section 5.1 (STORAGE is counted in units of 1024 octets).
    """
    if not session.has("QUOTA"):
        return None
    limits: list[tuple[int, int]] = []

    def note(parts: Parts) -> None:
        if parts[0][2:8].upper() == b"QUOTA ":
            resources = tokens(parts)[-1]
            for name, used, limit in _triples(resources if isinstance(resources, list) else []):
                if name.upper() == b"STORAGE":
                    limits.append((int(used) * 1024, int(limit) * 1024))  # RFC 9208: units of 1024 octets

    if not session.run(b"GETQUOTAROOT " + quoted(INBOX), note).ok or not limits:
        return None
    return min(limits, key=lambda pair: pair[1] - pair[0])


def _triples(items: list[Token]) -> list[tuple[bytes, bytes, bytes]]:
    """Group a flat list into (name, used, limit)."""
    names = [item for item in items if isinstance(item, bytes)]
    return list(zip(names[::3], names[1::3], names[2::3], strict=False))


__all__ = [
    "INBOX",
    "USES",
    "VIRTUAL",
    "ImapFolder",
    "Namespace",
    "ask_folders",
    "container",
    "decoded",
    "encoded",
    "folders",
    "folders_questions",
    "id_item",
    "lists_counts",
    "namespace",
    "quota",
    "virtual_prefixes",
]
