"""An IMAP account as a target: Dovecot, Open-Xchange and every server with UIDPLUS.

Refusals before anything is sent: the guard's (LeaseLost), and in the live phase rename, amend and remove.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from connectors.imap import metadata, parallel_append
from connectors.imap.append import Appender, position
from connectors.imap.connection import TaggedReply, number, quoted
from connectors.imap.dates import date_of
from connectors.imap.delete_mailbox import clear
from connectors.imap.fetch import Attributes, MessageReader, flags_of, uid_of, windows
from connectors.imap.flags import Store
from connectors.imap.folders import (
    INBOX,
    USES,
    Namespace,
    container,
    encoded,
    folders,
    namespace,
    quota,
)
from connectors.imap.keywords import Keywords
from connectors.imap.server_info import append_limit, facts, identity
from connectors.imap.session import ImapSettings, Session, error_of
from connectors.imap.source import properties_of
from connectors.imap.verify_uid import Judge
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Rejected
from model.protocols import (
    Amendment,
    Capabilities,
    Container,
    Failed,
    Guard,
    Identity,
    Item,
    Kind,
    Listed,
    Native,
    Ref,
    Stored,
    key_of,
)

__all__ = ["ImapSettings", "ImapTarget"]

NOTES = "notes"
LISTED = b"UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
VIRTUAL = frozenset({"\\ALL", "\\FLAGGED"})
"""Folders of these uses show what lies in others (RFC 6154)."""


class ImapTarget:
    """One account on one IMAP server. Implements model.protocols.Target,
    optional_protocols.RemovesContainers, optional_protocols.TellsHeaders and optional_protocols.KeepsMark.
    kind: MAIL, or NOTES for what lies in the folder "Notes" alone.

    judge: by which it knows again what is about to be removed or amended, where size and date do not tell.

    A container's href is its mailbox name, an item's "UIDVALIDITY:UID". Stored.version is empty.
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
        self._kind = kind
        self._settings = settings
        self._session = Session(settings, account)
        self._guard = guard
        self._spool = spool
        self._live = live
        self._judge = judge
        self._namespace: Namespace | None = None
        self._permanent: frozenset[str] | None = None
        self._known: dict[bytes, frozenset[str]] | None = None
        self._others = tuple(Session(settings, account) for _ in range(settings.connections - 1))
        self._lanes: tuple[Session, ...] | None = None
        self._keywords = Keywords()

    @property
    def capabilities(self) -> Capabilities:
        """Asks the server once; INBOX is opened to learn which flags it keeps."""
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
            facts=facts(session),
        )

    def identity(self) -> Identity:
        """See connectors.imap.server_info.identity. No addresses: IMAP states none."""
        return identity(self._session)

    def quota(self) -> tuple[int, int] | None:
        """(used, limit) in bytes; None when the server sets or tells none."""
        return quota(self._session)

    def server(self) -> dict[str, str]:
        """What a preflight should show, by the server's own word."""
        return facts(self._session)

    def containers(self) -> Iterator[Container]:
        where = self._where()
        for folder in folders(self._session, counts=True):
            if folder.selectable and not where.is_foreign(folder.name):
                found = container(folder, where, folder.name)
                if self._kind is not Kind.NOTES or found.path[0].lower() == NOTES:
                    yield replace(found, kind=self._kind)

    def ensure(self, container: Container) -> str:
        """The path decides; a role is given to a new folder only when no other has it."""
        name = "INBOX" if _is_inbox(container) else self._where().name(container.path)
        raw = encoded(name)
        known = self._listed()
        if raw not in known or known[raw] & {"\\NOSELECT", "\\NONEXISTENT"}:
            self._create(raw, container)
            known[raw] = frozenset({USES[container.role]} if container.role in USES else ())
        return name

    def rename(self, href: str, container: Container) -> str:
        name = self._where().name(container.path)
        if name == href:
            return href
        self._not_when_live()
        # some servers end a session whose open mailbox is renamed
        self._session.select(INBOX, readonly=True)
        self._guard()
        reply = self._session.run(b"RENAME " + quoted(encoded(href)) + b" " + quoted(encoded(name)))
        if not reply.ok:
            raise self._not_named(reply)
        self._known = None
        self._subscribe(encoded(name))
        return name

    def position(self, href: str) -> str:
        return position(self._session, encoded(href))

    def place(self, key: bytes) -> str | None:
        """None: the server numbers what it takes."""
        del key
        return None

    def write(self, href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        """Raises Blocked("over-quota") after yielding what fitted before the first that did not. Rejected
        codes: too-large, empty-message, flag-not-allowed, refused-by-target."""
        limit = append_limit(self._session)
        raw, flags = encoded(href), self._flags()

        def appender(session: Session) -> Appender:
            return Appender(session, self._guard, raw, flags, limit, self._keywords)

        yield from parallel_append.write(appender(self._session), lambda: map(appender, self._more()), items)

    def amend(self, href: str, changes: Iterable[Amendment]) -> Iterator[Stored | Failed]:
        self._not_when_live()
        return self._store(href).amend(changes, self._flags())

    def remove(self, href: str, stored: Iterable[Stored]) -> Iterator[Stored | Failed]:
        r"""Needs UIDPLUS: a plain EXPUNGE would also destroy what others marked \Deleted."""
        self._not_when_live()
        if not self._session.has("UIDPLUS"):
            raise Blocked("cannot-remove", "the server has no UIDPLUS")
        return self._store(href).remove(stored)

    def clear(self, href: str) -> bool:
        """See model.optional_protocols.RemovesContainers."""
        self._not_when_live()
        self._known = None
        return clear(self._session, self._guard, encoded(href))

    def listing(self, href: str, since: str | None = None) -> Iterator[Listed]:
        """A position with another UIDVALIDITY lists everything: all hrefs from before it are void."""
        raw = encoded(href)
        validity = self._session.select(raw, readonly=True, fresh=True).uidvalidity
        own, _, first = (since or "").partition(":")
        above = int(first) - 1 if own == str(validity) else 0
        for window in windows(self._session, raw, above, LISTED):
            yield from (_listed(validity, entry) for entry in window)

    def headers(self, href: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        raw = encoded(href)
        if self._listed().get(raw, frozenset()) & VIRTUAL:
            return
        fields = b"BODY.PEEK[HEADER.FIELDS (" + " ".join(names).encode() + b")]"
        validity = self._session.select(raw, readonly=True, fresh=True).uidvalidity
        for window in windows(self._session, raw, 0, b"UID RFC822.SIZE " + fields):
            for entry in window:
                yield f"{validity}:{uid_of(entry)}", _header_of(entry)

    def read(self, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
        raw = encoded(href)
        validity = self._session.select(raw, readonly=True, fresh=True).uidvalidity
        uids = []
        for one in hrefs:
            own, _, uid = one.partition(":")
            if own == str(validity) and uid.isdigit():
                uids.append(int(uid))
            else:
                yield one, Failed(key_of(one), Rejected("vanished"))
        reader = MessageReader(self._session, raw, validity, self._spool)
        for number_, found in reader.read((uid, None) for uid in uids):
            one = f"{validity}:{number_}"
            if isinstance(found, MigrationError):
                yield one, Failed(key_of(one), found)
            else:
                yield one, Native(Ref(one, "", size=found.size), "rfc822", properties_of(found), found.body)

    def label(self, labels: Mapping[str, str]) -> bool:
        """Kept as JSON in the server annotation /private/vendor/vendor.kogge/labels (RFC 5464)."""
        value = json.dumps(dict(labels), ensure_ascii=True, sort_keys=True).encode()
        return metadata.write(self._session, self._guard, b"labels", value)

    def mark(self) -> str | None:
        """See model.optional_protocols.SupportsMark."""
        found = metadata.read(self._session, self._marked())
        return None if found is None else found.decode("ascii", "replace")

    def keep_mark(self, text: str) -> bool:
        return metadata.write(self._session, self._guard, self._marked(), text.encode())

    def close(self) -> None:
        for session in (self._session, *self._others):
            session.close()

    # -- internals

    def _more(self) -> tuple[Session, ...]:
        """Without UIDPLUS only a mailbox that nobody else writes to tells where a message went."""
        if self._lanes is None:
            apart = self._session.has("UIDPLUS") and self._session.has("MULTIAPPEND")
            self._lanes = tuple(parallel_append.usable(self._others)) if apart else ()
        return self._lanes

    def _marked(self) -> bytes:
        """Mail and notes may share one account."""
        return f"pass-{self._kind.value}".encode()

    def _store(self, href: str) -> Store:
        return Store(self._session, self._guard, encoded(href), self._spool, self._judge, self._keywords)

    def _not_when_live(self) -> None:
        if self._live:
            raise Blocked("live-phase", "the user works there now: only new items are added")

    def _where(self) -> Namespace:
        if self._namespace is None:
            self._namespace = namespace(self._session)
        return self._namespace

    def _flags(self) -> frozenset[str]:
        if self._permanent is None:
            found = self._session.select(INBOX, readonly=False).permanent
            # RFC 9051, 6.3.2: without PERMANENTFLAGS every flag can be changed permanently
            self._permanent = frozenset({"\\*"}) if found is None else found
        return self._permanent

    def _listed(self) -> dict[bytes, frozenset[str]]:
        if self._known is None:
            listed = folders(self._session, counts=False)
            self._known = {f.raw: f.attributes for f in listed} | {INBOX: frozenset()}
        return self._known

    def _create(self, raw: bytes, container: Container) -> None:
        self._guard()
        use = USES.get(container.role) if container.role else None
        taken = any(use in attributes for attributes in self._listed().values()) if use else True
        reply: TaggedReply | None = None
        if use and not taken and self._session.has("CREATE-SPECIAL-USE"):
            special = "\\" + use[1:].capitalize()
            reply = self._session.run(b"CREATE " + quoted(raw) + b" (USE (" + special.encode() + b"))")
        if reply is None or reply.reason == "USEATTR":
            reply = self._session.run(b"CREATE " + quoted(raw))
        if not reply.ok and reply.reason != "ALREADYEXISTS":
            raise self._not_named(reply)
        self._subscribe(raw)

    def _subscribe(self, raw: bytes) -> None:
        """Clients show subscribed folders only. A refusal costs nothing but that."""
        self._guard()
        self._session.run(b"SUBSCRIBE " + quoted(raw))

    def _not_named(self, reply: TaggedReply) -> MigrationError:
        if reply.reason in ("", "CANNOT", "ALREADYEXISTS", "LIMIT", "NONEXISTENT"):
            return Rejected("name-not-allowed", "the server refuses a folder's name").said(reply.said)
        return error_of(reply)


def _is_inbox(container: Container) -> bool:
    return len(container.path) == 1 and container.path[0].upper() == "INBOX"


def _header_of(entry: Attributes) -> bytes:
    header = next((value for name, value in entry.items() if name.startswith(b"BODY[HEADER")), None)
    return header if isinstance(header, bytes) else b""


def _listed(validity: int, entry: Attributes) -> Listed:
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
