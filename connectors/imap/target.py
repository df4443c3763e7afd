"""Write to an IMAP account: Dovecot, Open-Xchange and every server with UIDPLUS.

Two checks refuse before anything is sent: the guard (LeaseLost), and in the live phase rename, amend and
remove.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from pathlib import Path

from connectors.imap import metadata, parallel_append
from connectors.imap.acl import open_to_others
from connectors.imap.append import Appender, position
from connectors.imap.dates import date_of
from connectors.imap.delete_mailbox import clear
from connectors.imap.fetch import Attributes, MessageReader, first_questions, flags_of, uid_of, windows
from connectors.imap.flags import Store
from connectors.imap.folders import (
    INBOX,
    USES,
    VIRTUAL,
    ImapFolder,
    Namespace,
    ask_folders,
    container,
    decoded,
    encoded,
    folders,
    folders_questions,
    namespace,
    quota,
)
from connectors.imap.keywords import Keywords
from connectors.imap.last_write import LastWrite
from connectors.imap.open_at_once import open_at_once
from connectors.imap.server_info import append_limit, facts, identity
from connectors.imap.session import ImapSettings, Selected, Session, error_of
from connectors.imap.source import properties_of
from connectors.imap.special_folders import with_names
from connectors.imap.verify_uid import Judge
from connectors.imap.wire.connection import TaggedReply, number, quoted
from connectors.imap.wire.refusals import Witness
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Rejected
from model.kinds import Kind
from model.mail_habits import MailHabits
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
    Listed,
    Native,
    Ref,
    Role,
    Stored,
    key_of,
)
from model.readers import Readers

__all__ = ["ImapSettings", "ImapTarget"]

NOTES = "notes"
MARKED_ELSEWHERE = "marked-elsewhere"
LISTED = b"UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"


class ImapTarget:
    """Write to one account on one IMAP server.

    Implements `model.protocols.Target` and, of `model.optional_protocols`, RemovesContainers, SupportsHeaders
    and SupportsMark. A container's href is its mailbox name, an item's href is "UIDVALIDITY:UID".
    Stored.version is empty.
    """

    def __init__(
        self,
        settings: ImapSettings,
        account: Account,
        guard: Guard,
        spool: Path,
        *,
        kind: Kind = Kind.MAIL,
        live: bool = False,
        judge: Judge | None = None,
    ) -> None:
        """Prepare the target; the server is not asked before the first call.

        Args:
            settings: the server's settings.
            account: the account to open.
            guard: the write fence; called before each change.
            spool: the folder for spool files.
            kind: MAIL; or NOTES, for the folder "Notes" alone.
            live: True in the live phase: write only adds.
            judge: recognizes a message before it is removed or amended, where size and date do not decide.
        """
        self._kind = kind
        self._settings = settings
        self._session = Session(settings, account)
        self._last_write = LastWrite(self._session)
        self._guard = guard
        self._spool = spool
        self._live = live
        self._judge = judge
        self._namespace: Namespace | None = None
        self._permanent: frozenset[str] | None = None
        self._sizes: dict[str, int] = {}
        self._known: dict[bytes, frozenset[str]] | None = None
        others = tuple(Session(settings, account) for _ in range(settings.connections - 1))
        self._others = parallel_append.ExtraSessions(others)
        self._keywords = Keywords()
        self._witness = Witness()

    def connect_ahead(self, *, copies: bool) -> None:
        """Begin to connect; see `model.optional_protocols.AsksAhead`."""

        def questions() -> list[bytes]:
            mark = (
                [metadata.question(self._mark_name())] if copies and metadata.has_room(self._session) else []
            )
            return mark + folders_questions(self._session, identity=copies, ids=False)

        self._session.connect_ahead(questions)

    def logs_in_as(self) -> str | None:
        """Return who logs in; see `model.optional_protocols.AsksAhead`."""
        return self._session.person

    def refused_ahead(self) -> Blocked | None:
        """Return a refusal of the login; see `model.optional_protocols.AsksAhead`."""
        return self._session.refused_ahead()

    def ask_containers(self) -> None:
        """Ask for the folders; see `model.optional_protocols.AsksAhead`."""
        ask_folders(self._session, ids=False, prefixes=self._namespace is None)

    @property
    def capabilities(self) -> Capabilities:
        """Return what the server can do. Asks once; INBOX is opened to learn which flags it keeps."""
        session = self._session
        return Capabilities(
            kinds=frozenset({self._kind}),
            batch=self._settings.batch_items,
            batch_bytes=self._settings.batch_bytes,
            max_bytes=append_limit(session),
            keywords="\\*" in self._flags(),
            oldest_date=session.quirks.oldest_date,
            separator=self._where().separator,
            special_use=session.has("SPECIAL-USE"),
            states=session.has("CONDSTORE"),
            mail=self._habits(),
            facts=facts(session) | self._marked_elsewhere(),
        )

    def identity(self) -> Identity:
        """Return `connectors.imap.server_info.identity`; without addresses, because IMAP states none."""
        return identity(self._session)

    def quota(self) -> tuple[int, int] | None:
        """Return (used, limit) in bytes; None when the server states no limit."""
        return quota(self._session)

    def readers(self, hrefs: Collection[str] | None) -> Readers:
        """Return what others may see, by the server's ACL; see `model.readers.TellsReaders`."""
        if not self._session.has("ACL"):
            return Readers()
        asked = [container.id for container in self.containers()] if hrefs is None else hrefs
        names = {encoded(href): href for href in asked}
        found = open_to_others(self._session, list(names))
        return Readers(
            frozenset(names[raw] for raw, is_open in found.items() if is_open),
            frozenset(names[raw] for raw, is_open in found.items() if is_open is None),
        )

    def server(self) -> dict[str, str]:
        """Return what a preflight shows, in the server's own words."""
        return facts(self._session)

    def containers(self) -> Iterator[Container]:
        """List the account's own folders; see `model.protocols.Target.containers`."""
        where = self._where()
        listed_folders = folders(self._session, counts=True, ids=False)
        self._known = _attributes(listed_folders)
        for folder in with_names(listed_folders, where, self._named()):
            if folder.selectable and not where.is_foreign(folder.name):
                listed = container(folder, where, folder.key)
                if self._kind is not Kind.NOTES or listed.path[0].lower() == NOTES:
                    yield replace(listed, kind=self._kind)

    def ensure(self, container: Container) -> str:
        """Create the folder unless it exists; idempotent; return its mailbox name.

        The path decides. A new folder gets its role only when no other folder has it.

        Args:
            container: the folder's path and role.

        Raises:
            Rejected: "name-not-allowed".
            LeaseLost: the guard refuses.
        """
        name = "INBOX" if _is_inbox(container) else self._where().name(container.path)
        raw = encoded(name)
        listed = self._folder_attributes()
        if raw not in listed or listed[raw] & {"\\NOSELECT", "\\NONEXISTENT"}:
            self._create(raw, container)
            listed[raw] = frozenset({USES[container.role]} if container.role in USES else ())
        return name

    def empty(self, hrefs: Collection[str]) -> frozenset[str]:
        """Return the folders that are empty; see `model.optional_protocols.TellsEmpty`."""
        names = {encoded(href): href for href in hrefs}
        opened = open_at_once(self._session, list(names), () if self._permanent is not None else {INBOX})
        if self._permanent is None and INBOX in opened:
            self._permanent = _kept_flags(opened[INBOX])
        self._last_write.opened(opened.values())
        return frozenset(names[raw] for raw, folder in opened.items() if not folder.exists)

    def rename(self, href: str, container: Container) -> str:
        """Rename a folder; idempotent; refused in the live phase; return its new mailbox name.

        Args:
            href: the mailbox name.
            container: its new path.

        Raises:
            Rejected: "name-not-allowed".
            Blocked: "live-phase".
            LeaseLost: the guard refuses.
        """
        name = self._where().name(container.path)
        if name == href:
            return href
        self._refuse_when_live()
        # some servers end a session whose open mailbox is renamed
        self._session.select(INBOX, readonly=True)
        self._guard()
        reply = self._session.run(b"RENAME " + quoted(encoded(href)) + b" " + quoted(encoded(name)))
        if not reply.ok:
            raise self._name_error(reply)
        self._known = None
        self._subscribe(encoded(name))
        return name

    def position(self, href: str) -> str:
        """Return "UIDVALIDITY:UIDNEXT" of a folder.

        Right after a write, UIDNEXT is taken to be one above the greatest UID that the write was given.
        """
        raw = encoded(href)
        return self._last_write.position(raw) or position(self._session, raw)

    def place(self, key: bytes) -> str | None:
        """Return None, because the server numbers the messages that it takes."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Store messages; see `model.protocols.Target.write`. May have stored any of them even if it raises.

        Rejected codes: too-large, empty-message, flag-not-allowed, refused-by-target.

        Raises:
            Blocked: "over-quota", after the items that fitted before the first that did not.
            Transient: "append-unconfirmed", and connection errors.
        """
        limit, settings = append_limit(self._session), self._settings
        raw, flags = encoded(href), self._flags()
        count = len(items) if isinstance(items, Sized) else 0
        most = parallel_append.most_in_one(count, settings.connections, settings.batch_items)

        def appender(session: Session) -> Appender:
            return Appender(session, self._guard, raw, flags, limit, self._keywords, most, self._witness)

        results = parallel_append.write(
            appender(self._session), lambda: map(appender, self._extra_sessions()), items
        )
        yield from self._last_write.noted(raw, results)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        """Set flags; idempotent; refused in the live phase; see `connectors.imap.flags.Store.amend`.

        Args:
            href: the mailbox name.
            changes: the messages with their new, complete sets of flags.

        Raises:
            Blocked: "live-phase".
            LeaseLost: the guard refuses.
        """
        self._refuse_when_live()
        return self._store(href).amend(changes, self._flags())

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        r"""Remove messages; idempotent; refused in the live phase; see `connectors.imap.flags.Store.remove`.

        UIDPLUS is required: a plain EXPUNGE would also remove messages that others marked `\Deleted`.

        Args:
            href: the mailbox name.
            stored: the messages as they were written.

        Raises:
            Blocked: "live-phase", or "cannot-remove" without UIDPLUS.
            LeaseLost: the guard refuses.
        """
        self._refuse_when_live()
        if not self._session.has("UIDPLUS"):
            raise Blocked("cannot-remove", "the server has no UIDPLUS")
        return self._store(href).remove(stored)

    def clear(self, href: str) -> bool:
        """Remove an empty folder; see `model.optional_protocols.RemovesContainers`."""
        self._refuse_when_live()
        self._known = None
        return clear(self._session, self._guard, encoded(href))

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """List messages at or after a position; see `model.protocols.Target.listing`.

        A position with another UIDVALIDITY lists everything, because all hrefs from before it are void.
        """
        raw = encoded(href)
        opened = self._session.select(raw, readonly=True, fresh=True)
        validity = opened.uidvalidity
        own, _, first = (since or "").partition(":")
        above = int(first) - 1 if own == str(validity) else 0
        for window in windows(self._session, raw, above, LISTED, opened):
            listed = [_listed_message(validity, entry) for entry in window]
            self._sizes = {entry.href: entry.size for entry in listed}
            yield from listed

    def headers(self, href: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Yield header lines of all messages; see `model.optional_protocols.SupportsHeaders`."""
        raw = encoded(href)
        if self._folder_attributes().get(raw, frozenset()) & VIRTUAL:
            return
        fields = b"BODY.PEEK[HEADER.FIELDS (" + " ".join(names).encode() + b")]"
        opened = self._session.select(raw, readonly=True, fresh=True)
        validity = opened.uidvalidity
        for window in windows(self._session, raw, 0, b"UID RFC822.SIZE " + fields, opened):
            for entry in window:
                yield f"{validity}:{uid_of(entry)}", _header_of(entry)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        """Read messages back; see `model.protocols.Target.read`."""
        raw, asked = encoded(href), list(hrefs)
        questions = first_questions(self._settings, dict(self._sized(asked)))
        validity = self._session.select(raw, readonly=True, fresh=True, then=questions).uidvalidity
        of_folder = [item_href for item_href in asked if _is_of(item_href, validity)]
        for item_href in set(asked) - set(of_folder):
            yield item_href, Failed(key_of(item_href), Rejected("vanished"))
        reader = MessageReader(self._session, raw, validity, self._spool)
        for number_, message in reader.read(self._sized(of_folder)):
            item_href = f"{validity}:{number_}"
            if isinstance(message, MigrationError):
                yield item_href, Failed(key_of(item_href), message)
            else:
                ref = Ref(item_href, "", size=message.size)
                yield item_href, Native(ref, "rfc822", properties_of(message), message.body)

    def label(self, labels: Mapping[str, str]) -> bool:
        """Store keyword labels as JSON in the annotation /private/vendor/vendor.kogge/labels.

        Source:
            RFC 5464 (METADATA).
        """
        value = json.dumps(dict(labels), ensure_ascii=True, sort_keys=True).encode()
        return metadata.write(self._session, self._guard, b"labels", value)

    def mark(self) -> str | None:
        """Return the stored mark; see `model.optional_protocols.SupportsMark`."""
        value = metadata.read(self._session, self._mark_name())
        return None if value is None else value.decode("ascii", "replace")

    def keep_mark(self, text: str) -> bool:
        """Store the mark; see `model.optional_protocols.SupportsMark`."""
        return metadata.write(self._session, self._guard, self._mark_name(), text.encode())

    def stateless(self) -> frozenset[str]:
        """Return the folders that keep no modification sequences, among those that were opened."""
        return frozenset(map(decoded, self._session.uncounted))

    def close(self) -> None:
        """Close all connections; safe from any thread and more than once."""
        for session in (self._session, *self._others.sessions):
            session.close()

    # -- internals

    def _sized(self, hrefs: Iterable[str]) -> Iterator[tuple[int, int | None]]:
        """Yield the UID of each message and its size, if that was listed just before."""
        for href in hrefs:
            uid = href.partition(":")[2]
            if uid.isdigit():
                yield int(uid), self._sizes.get(href)

    def _extra_sessions(self) -> tuple[Session, ...]:
        """Return the further sessions that can write in parallel.

        Without UIDPLUS a message's place is known only where one session writes, so there are no further
        ones.
        """
        apart = self._session.has("UIDPLUS") and self._session.has("MULTIAPPEND")
        return self._others.connected() if apart else ()

    def _mark_name(self) -> bytes:
        """Return the annotation's name; mail and notes may share one account."""
        return f"pass-{self._kind.value}".encode()

    def _store(self, href: str) -> Store:
        return Store(self._session, self._guard, encoded(href), self._spool, self._judge, self._keywords)

    def _refuse_when_live(self) -> None:
        """Raise Blocked("live-phase") in the live phase."""
        if self._live:
            raise Blocked("live-phase", "the user works there now: only new items are added")

    def _named(self) -> dict[Role, tuple[str, ...]]:
        """Return where the folders with a role are, by name; notes have none."""
        return {} if self._kind is Kind.NOTES else self._settings.special_paths

    def _habits(self) -> MailHabits:
        """Return names and colours; notes have neither."""
        paths = {role.value: path for role, path in self._named().items()}
        return MailHabits(paths, {} if self._kind is Kind.NOTES else self._settings.colours)

    def _marked_elsewhere(self) -> dict[str, str]:
        """Return, as a fact, the roles that the server gives to other folders than the names say."""
        if not (names := self._named()):
            return {}
        where, listed = self._where(), folders(self._session, counts=False)
        marked = {folder.role: where.path(folder.name) for folder in listed}
        roles = " ".join(role for role, path in names.items() if marked.get(role, path) != path)
        return {MARKED_ELSEWHERE: roles} if roles else {}

    def _where(self) -> Namespace:
        if self._namespace is None:
            self._namespace = namespace(self._session)
        return self._namespace

    def _flags(self) -> frozenset[str]:
        """Return the flags that INBOX keeps permanently."""
        if self._permanent is None:
            self._permanent = _kept_flags(self._session.select(INBOX, readonly=False))
        return self._permanent

    def _folder_attributes(self) -> dict[bytes, frozenset[str]]:
        """Return the attributes of every folder by encoded name; asks only if nothing was listed yet."""
        if self._known is None:
            self._known = _attributes(folders(self._session, counts=False))
        return self._known

    def _create(self, raw: bytes, container: Container) -> None:
        """Create a folder, with its role if no other folder has it, and subscribe to it."""
        self._guard()
        use = USES.get(container.role) if container.role else None
        role_taken = (
            any(use in attributes for attributes in self._folder_attributes().values()) if use else True
        )
        reply: TaggedReply | None = None
        if use and not role_taken and self._session.has("CREATE-SPECIAL-USE"):
            special = "\\" + use[1:].capitalize()
            reply = self._session.run(b"CREATE " + quoted(raw) + b" (USE (" + special.encode() + b"))")
        if reply is None or reply.reason == "USEATTR":
            reply = self._session.run(b"CREATE " + quoted(raw))
        if not reply.ok and reply.reason != "ALREADYEXISTS":
            raise self._name_error(reply)
        self._subscribe(raw)

    def _subscribe(self, raw: bytes) -> None:
        """Subscribe to a folder, because clients show subscribed folders only. A refusal is ignored."""
        self._guard()
        self._session.run(b"SUBSCRIBE " + quoted(raw))

    def _name_error(self, reply: TaggedReply) -> MigrationError:
        """Return the error for a refused folder name."""
        if reply.reason in ("", "CANNOT", "ALREADYEXISTS", "LIMIT", "NONEXISTENT"):
            return Rejected("name-not-allowed", "the server refuses a folder's name").quoting(reply.said)
        return error_of(reply)


def _attributes(listed: Iterable[ImapFolder]) -> dict[bytes, frozenset[str]]:
    """Return the attributes of folders by encoded name, INBOX among them."""
    return {folder.raw: folder.attributes for folder in listed} | {INBOX: frozenset()}


def _kept_flags(opened: Selected) -> frozenset[str]:
    """Return the flags that a folder keeps permanently: every flag, without PERMANENTFLAGS.

    Source:
        RFC 9051, section 6.3.2.
    """
    return frozenset({"\\*"}) if opened.permanent is None else opened.permanent


def _is_of(href: str, validity: int) -> bool:
    own, _, uid = href.partition(":")
    return own == str(validity) and uid.isdigit()


def _is_inbox(container: Container) -> bool:
    return len(container.path) == 1 and container.path[0].upper() == "INBOX"


def _header_of(entry: Attributes) -> bytes:
    header = next((value for name, value in entry.items() if name.startswith(b"BODY[HEADER")), None)
    return header if isinstance(header, bytes) else b""


def _listed_message(validity: int, entry: Attributes) -> Listed:
    """Convert a FETCH entry into a Listed."""
    return Listed(
        href=f"{validity}:{uid_of(entry)}",
        size=number(entry.get(b"RFC822.SIZE")) or 0,
        flags=flags_of(entry),
        date=date_of(entry.get(b"INTERNALDATE")),
        message_id=_message_id(_header_of(entry)),
    )


def _message_id(header: bytes) -> str | None:
    value = b" ".join(header.partition(b":")[2].split()).decode("latin-1")
    return value or None
