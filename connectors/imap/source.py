"""Read any IMAP account as a source. Folders are opened with EXAMINE, so the source never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.utils import getaddresses
from functools import lru_cache
from pathlib import Path

from connectors.imap.fetch import (
    WINDOW_ITEMS,
    Attributes,
    FetchedMessage,
    MessageReader,
    first_questions,
    flags_of,
    uid_of,
    window_question,
    windows,
)
from connectors.imap.folder_life import Mark, marks, parsed_marks, questions, written
from connectors.imap.folders import (
    RAW,
    VIRTUAL,
    ImapFolder,
    Namespace,
    ask_folders,
    container,
    encoded,
    folders,
    folders_questions,
    id_item,
    lists_counts,
    namespace,
    virtual_prefixes,
)
from connectors.imap.open_at_once import open_at_once
from connectors.imap.server_info import facts, identity
from connectors.imap.session import ImapSettings, Selected, Session
from connectors.imap.special_folders import with_names
from connectors.imap.wire.connection import Parts, fetched, number, tokens
from connectors.settings import Account
from model.errors import PUT_BACK, Blocked, CursorLost, MigrationError, Rejected, Transient
from model.kinds import Kind
from model.protocols import Capabilities, Container, Failed, Identity, Native, Page, Ref, Role, key_of

__all__ = ["ImapSettings", "ImapSource"]

PAGE = 1000
VANISHED_MOST = 1_000_000
LISTED = b"UID FLAGS RFC822.SIZE"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Hold what a folder's cursor states: every UID up to `uid` is listed.

    Attributes:
        uidvalidity: the UIDVALIDITY that the UIDs belong to.
        uid: the greatest UID that is listed.
        done: True if the enumeration reached the end.
        modseq: the folder's HIGHESTMODSEQ when the enumeration began; None where the server keeps none.
        marks: messages that were there then; see `connectors.imap.folder_life`.
        life: how often the folder was put back to an older state, as far as was noticed.
    """

    uidvalidity: int
    uid: int
    done: bool
    modseq: int | None
    marks: tuple[Mark, ...] = ()
    life: int = 0

    def __str__(self) -> str:
        text = f"{self.uidvalidity}:{self.uid}:{'done' if self.done else 'part'}:{self.modseq or ''}"
        return f"{text}:{written(self.marks)}:{self.life}" if self.marks or self.life else text

    @property
    def era(self) -> str:
        """The beginning of the ids of the folder's messages: UIDs are unique within an era."""
        return f"{self.uidvalidity}.{self.life}" if self.life else f"{self.uidvalidity}"

    def goes_on(self, selected: Selected, found: Collection[Mark]) -> bool:
        """Return True unless the folder was put back to an older state since.

        Args:
            selected: the folder as it is now.
            found: what has the UIDs of the marks now; a message that is gone says nothing.
        """
        if selected.uidnext and selected.uidnext <= self.uid:
            return False
        return set(found) <= set(self.marks)


def parsed(cursor: str) -> Cursor:
    """Parse a cursor of this source.

    Raises:
        CursorLost: "cursor-lost" for a text that this source did not write.
    """
    try:
        validity, uid, state, modseq, *more = cursor.split(":")
        mark, life = more or ("", "0")
        done = {"done": True, "part": False}[state]
        number = int(modseq) if modseq else None
        return Cursor(int(validity), int(uid), done, number, parsed_marks(mark), int(life))
    except (ValueError, KeyError):
        raise CursorLost("cursor-lost", "not a cursor of this source") from None


FROM_MOST, COMMENTS_MOST = 4_000, 50
"""Bytes of a From field that are parsed, and its comments: the parser's time grows with the square of
them."""


class ImapSource:
    """Read one account on one IMAP server. Implements `model.protocols.Source`.

    Item ids are "UIDVALIDITY:UID". Once a folder was put back to an older state they are
    "UIDVALIDITY.LIFE:UID", because it gives its UIDs once more, to other messages. A version is a hash of the
    flags, because nothing else of an IMAP message can change. The server is not asked before the first call.
    """

    def __init__(self, settings: ImapSettings, account: Account, spool: Path) -> None:
        self._settings = settings
        self._session = Session(settings, account)
        self._spool = spool
        self._namespace: Namespace | None = None
        self._virtual: tuple[str, ...] | None = None
        self._names: dict[str, bytes] = {}
        self._lives: dict[bytes, int] = {}
        self._expected: dict[bytes, bool] = {}
        self._empty: dict[bytes, Selected] = {}

    def connect_ahead(self, *, copies: bool) -> None:
        """Begin to connect; see `model.optional_protocols.AsksAhead`."""
        session = self._session
        session.connect_ahead(lambda: folders_questions(session, identity=copies, ids=True))

    def logs_in_as(self) -> str | None:
        """Return who logs in; see `model.optional_protocols.AsksAhead`."""
        return self._session.person

    def refused_ahead(self) -> Blocked | None:
        """Return a refusal of the login; see `model.optional_protocols.AsksAhead`."""
        return self._session.refused_ahead()

    def ask_containers(self) -> None:
        """Ask for the folders; see `model.optional_protocols.AsksAhead`."""
        ask_folders(self._session, ids=True, prefixes=self._namespace is None)

    @property
    def capabilities(self) -> Capabilities:
        """Return what the server can do; connects."""
        session = self._session
        return Capabilities(
            kinds=frozenset({Kind.MAIL}),
            batch=self._settings.batch_items,
            batch_bytes=self._settings.batch_bytes,
            separator=self._where().separator,
            special_use=session.has("SPECIAL-USE"),
            states=session.has("CONDSTORE"),
            incremental=session.has("QRESYNC"),
            facts=facts(session),
        )

    def identity(self) -> Identity:
        """Return `connectors.imap.server_info.identity`; without addresses, because IMAP states none."""
        return identity(self._session)

    def containers(self) -> Iterator[Container]:
        """List all folders, parents before children; see `model.protocols.Source.containers`."""
        where = self._where()
        listed = self._folders(counts=True, ids=True)
        if self._virtual is None:
            self._virtual = virtual_prefixes(self._session, listed, where)
        for folder in listed:
            identifier = self._id(folder)
            self._names[identifier] = folder.raw
            yield container(folder, where, identifier, _omit_code(folder, where, self._virtual))

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """List what changed since a cursor; see `model.protocols.Source.changes`.

        An enumeration that was interrupted continues where it stopped. After a finished one, a server with
        QRESYNC lists only what changed; without QRESYNC everything is listed again (`full`).

        Args:
            container: the folder.
            cursor: None lists everything, by UID, in pages of about a thousand.

        Yields:
            Pages; the last one may be empty.

        Raises:
            CursorLost: "cursor-lost" when UIDVALIDITY changed, when the folder was put back to an older
                state, or when more changed than the folder can have.
            Transient: "folder-vanished" when the folder was removed meanwhile.

        Source:
            RFC 7162 (CONDSTORE, QRESYNC).
        """
        name = self._raw(container)
        before = parsed(cursor) if cursor else None
        selected = self._open(name, before, container.total)
        if before is not None and before.uidvalidity != selected.uidvalidity:
            raise CursorLost("cursor-lost", "the folder's UIDVALIDITY changed")
        start = self._start(name, selected, before)
        if before is not None and before.done and self._incremental(before, selected):
            yield from self._changed_pages(before, selected, start)
        elif before is not None and before.done:
            yield from self._enumerate(name, selected, start, before)
        elif before is not None:
            yield from self._enumerate(name, selected, before, None, full=False)
        else:
            yield from self._enumerate(name, selected, start, None)

    def expect(self, containers: Sequence[Container]) -> None:
        """Prepare for the first listing; see `model.optional_protocols.ExpectsListings`."""
        self._expected = {self._raw(container): container.total == 0 for container in containers}
        self._empty.clear()

    def fetch(
        self, container: Container, refs: Iterable[Ref], *, bodies: bool = True
    ) -> Iterator[Native | Failed]:
        """Read messages; see `model.protocols.Source.fetch`.

        The format is "rfc822". Properties: FLAGS (frozenset of str), INTERNALDATE (aware datetime),
        RFC822.SIZE (int).

        Args:
            container: the folder.
            refs: the messages.
            bodies: False to read the properties only.

        Yields:
            One result per ref, in any order. An id from before the folder was put back names no message any
            more, although another one has its UID: "vanished", with the detail PUT_BACK.
        """
        requested = list(refs)
        if not requested:
            return
        name = self._raw(container)
        questions = first_questions(self._settings, _sizes(requested)) if bodies else []
        validity = self._select(name, then=questions).uidvalidity
        life = max([self._lives.get(name, 0), *(_life_of(ref, validity) or 0 for ref in requested)])
        by_uid: dict[int, Ref] = {}
        for ref in requested:
            uid = ref.id.partition(":")[2]
            its_life = _life_of(ref, validity)
            if its_life == life and uid.isdigit():
                by_uid[int(uid)] = ref
            else:
                detail = "" if its_life is None else PUT_BACK
                yield Failed(key_of(ref.id), Rejected("vanished").about(detail))
        reader = MessageReader(self._session, name, validity, self._spool)
        pairs = ((number_, ref.size) for number_, ref in by_uid.items())
        for number_, message in reader.read(pairs, bodies=bodies):
            yield _native(by_uid[number_].id, message)

    def _open(self, name: bytes, before: Cursor | None, total: int | None) -> Selected:
        """Open a folder to list what changed in it, and ask for what is needed then.

        A folder that is listed for the first time needs no QRESYNC.

        name: its encoded name.
        before: the cursor of the last listing.
        total: how many messages it had a moment ago, if that is known.
        """
        is_empty = self._expected.pop(name, None) if before is None else None
        if is_empty is None and self._session.has("QRESYNC") and not self._session.qresync:
            self._session.done(b"ENABLE QRESYNC")
            self._session.qresync = True
        opened = self._opened_empty(name) if is_empty else None
        if opened is not None:
            return opened
        ahead = questions(before.marks if before else (), total) if total else []
        if before is None and total:
            ahead.append(window_question(1, min(total, WINDOW_ITEMS), LISTED))
        return self._select(name, fresh=True, then=ahead)

    def _opened_empty(self, name: bytes) -> Selected | None:
        """Return the state of a folder that is counted as empty; None if it is not.

        All folders that are so, and are to be listed for the first time, are opened at the first of them.
        """
        if name not in self._empty:
            others = [raw for raw, is_empty in self._expected.items() if is_empty and raw not in self._empty]
            self._empty |= open_at_once(self._session, [name, *others])
        selected = self._empty.pop(name, None)
        return None if selected is None or selected.exists else selected

    def _select(self, name: bytes, *, fresh: bool = False, then: Sequence[bytes] = ()) -> Selected:
        """Open a folder; a folder that was removed or renamed since the listing is Transient.

        The next pass lists the folders again.
        """
        try:
            return self._session.select(name, readonly=True, fresh=fresh, then=then)
        except Blocked as error:
            if error.code != "container-missing":
                raise
            raise Transient("folder-vanished", "a folder was removed meanwhile: list again") from None

    def sent_from(self, limit: int = 50) -> list[str]:
        """Return the sender addresses of the newest sent items, newest first.

        Args:
            limit: the most items to read.

        Returns:
            Lower-case addresses; [] without a Sent folder.
        """
        addresses: dict[int, str] = {}

        def note(parts: Parts) -> None:
            entry = fetched(parts)
            header = next((v for k, v in (entry or {}).items() if k.startswith(b"BODY[HEADER")), None)
            if entry is not None and isinstance(header, bytes) and (address := _address(header)):
                addresses[uid_of(entry)] = address

        counts = lists_counts(self._session)  # together with them, the listing was asked for already
        sent = next((f for f in self._folders(counts=counts) if f.role is Role.SENT), None)
        if sent is None or not sent.selectable or sent.status.get("MESSAGES") == "0":
            return []
        last = self._session.select(sent.raw, readonly=True, fresh=True).exists
        if last:
            items = b"UID BODY.PEEK[HEADER.FIELDS (FROM)]"
            self._session.done(b"FETCH %d:%d (%s)" % (max(1, last - limit + 1), last, items), note)
        return [addresses[uid] for uid in sorted(addresses, reverse=True)]

    def extras(self) -> Iterator[tuple[str, int | None]]:
        """Yield (code, count) of what exists and does not move; None where IMAP cannot count it."""
        where = self._where()
        listed = folders(self._session, counts=False)
        yield "shared-folders", sum(where.is_foreign(folder.name) for folder in listed)
        yield "inbox-rules", None

    def server(self) -> dict[str, str]:
        """Return what a preflight shows, in the server's own words."""
        return facts(self._session)

    def stateless(self) -> frozenset[str]:
        """Return the folders without modification sequences, among those that were opened.

        Dovecot states a HIGHESTMODSEQ of them in STATUS all the same. NOMODSEQ comes when one is opened.

        Source:
            RFC 7162, section 3.1.2.2.
        """
        return frozenset(key for key, raw in self._names.items() if raw in self._session.uncounted)

    def close(self) -> None:
        """Close the connection; safe from any thread and more than once."""
        self._session.close()

    # -- internals

    def _folders(self, *, counts: bool, ids: bool = False) -> list[ImapFolder]:
        """List the folders, those with a role by their name among them."""
        listed = folders(self._session, counts=counts, ids=ids)
        return with_names(listed, self._where(), self._settings.special_paths)

    def _where(self) -> Namespace:
        if self._namespace is None:
            self._namespace = namespace(self._session)
        return self._namespace

    def _id(self, folder: ImapFolder) -> str:
        item = id_item(self._session)
        return (folder.status.get(item) if item else None) or folder.key

    def _raw(self, container: Container) -> bytes:
        raw = self._names.get(container.id)
        if raw is not None:
            return raw
        is_raw = container.id.startswith(RAW)
        return encoded(container.id if is_raw else self._where().name(container.path))

    def _start(self, name: bytes, selected: Selected, before: Cursor | None) -> Cursor:
        """Return the cursor of an enumeration that begins now.

        Raises:
            CursorLost: the folder was put back to an older state since `before`.
        """
        newest, found = marks(self._session, selected, before.marks if before else ())
        if before is not None:
            self._lives[name] = before.life
            if not before.goes_on(selected, found):
                self._lives[name] += 1
                raise CursorLost("cursor-lost", "the folder was put back to an older state")
        return Cursor(selected.uidvalidity, 0, False, selected.modseq, newest, self._lives.get(name, 0))

    def _incremental(self, before: Cursor, selected: Selected) -> bool:
        """Return True if only the changes can be listed.

        A modseq above the folder's own one belongs to another life of the folder: a restored backup.
        """
        has_modseqs = before.modseq is not None and selected.modseq is not None
        return self._session.qresync and has_modseqs and (before.modseq or 0) <= (selected.modseq or 0)

    def _enumerate(
        self, name: bytes, opened: Selected, start: Cursor, before: Cursor | None, *, full: bool = True
    ) -> Iterator[Page]:
        """List all messages above `start`.

        opened: the folder as it was just opened.
        before: the finished cursor that stays valid until this enumeration is finished, too.
        """
        uid = start.uid
        for window in windows(self._session, name, start.uid, LISTED, opened):
            refs = tuple(_ref(start.era, entry) for entry in window)
            uid = uid_of(window[-1])
            yield Page(refs, str(before or replace(start, uid=uid)), full=full)
        yield Page((), str(replace(start, uid=uid, done=True)), full=full)

    def _changed_pages(self, before: Cursor, selected: Selected, now: Cursor) -> Iterator[Page]:
        """List what changed since `before` with QRESYNC.

        Only the last page carries the new cursor; until then the old cursor asks for the same changes again.
        """
        after = replace(now, uid=max(before.uid, selected.uidnext - 1), done=True)
        refs: list[Ref] = []
        vanished: list[tuple[int, int]] = []
        absent = 0

        def note(parts: Parts) -> None:
            nonlocal absent
            entry = fetched(parts)
            if entry is not None and b"RFC822.SIZE" in entry:
                if len(refs) <= selected.exists + PAGE:
                    refs.append(_ref(after.era, entry))
            elif absent <= VANISHED_MOST and parts[0].upper().startswith(b"* VANISHED (EARLIER) "):
                ranges = list(_ranges(tokens(parts)[2], selected.uidnext))
                absent += sum(high - low + 1 for low, high in ranges)
                vanished.extend(ranges)

        if before.modseq != selected.modseq:
            self._session.done(
                b"UID FETCH 1:* (%s) (CHANGEDSINCE %d VANISHED)" % (LISTED, before.modseq or 1), note
            )
        if absent > VANISHED_MOST or len(refs) > selected.exists + PAGE:
            raise CursorLost("cursor-lost", "more changes than the folder can have: enumerate anew")
        gone = (
            Ref(f"{after.era}:{uid}", "", deleted=True)
            for low, high in vanished
            for uid in range(low, high + 1)
        )
        page: list[Ref] = []
        for ref in (*refs, *gone) if len(vanished) < PAGE else _chain(refs, gone):
            page.append(ref)
            if len(page) == PAGE:
                yield Page(tuple(page), str(before))
                page = []
        yield Page(tuple(page), str(after))


def _chain(refs: list[Ref], gone: Iterator[Ref]) -> Iterator[Ref]:
    yield from refs
    yield from gone


def _ranges(token: object, uidnext: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a UID set, limited to the UIDs that the folder has given out."""
    for part in token.decode().split(",") if isinstance(token, bytes) else ():
        first, _, last = part.partition(":")
        low, high = sorted((int(first), int(last or first)))
        high = min(high, uidnext - 1)
        if 0 < low <= high:
            yield low, high


def _life_of(ref: Ref, validity: int) -> int | None:
    """Return how often the folder had been put back when it gave an id; None for another UIDVALIDITY."""
    own, _, life = ref.id.partition(":")[0].partition(".")
    return int(life or 0) if own == str(validity) and (life or "0").isdecimal() else None


def _sizes(refs: Iterable[Ref]) -> dict[int, int | None]:
    """Return the sizes of messages by UID, as if all of them were of one UIDVALIDITY."""
    uids = ((ref.id.partition(":")[2], ref.size) for ref in refs)
    return {int(uid): size for uid, size in uids if uid.isdigit()}


def _omit_code(folder: ImapFolder, where: Namespace, virtual: tuple[str, ...]) -> str | None:
    if not folder.selectable:
        return "no-select"
    if where.is_foreign(folder.name):
        return "shared-folder"
    return "virtual-folder" if folder.attributes & VIRTUAL or folder.name.startswith(virtual) else None


def _ref(era: str, entry: Attributes) -> Ref:
    version = version_of(flags_of(entry))
    return Ref(f"{era}:{uid_of(entry)}", version, size=number(entry.get(b"RFC822.SIZE")))


@lru_cache(maxsize=1024)
def version_of(flags: frozenset[str]) -> str:
    """Return a short hash of the flags."""
    return hashlib.blake2b(" ".join(sorted(flags)).encode(), digest_size=6).hexdigest()


def _native(identifier: str, message: FetchedMessage | MigrationError) -> Native | Failed:
    """Convert a message, or its error, into the result of fetch."""
    if isinstance(message, MigrationError):
        return Failed(key_of(identifier), message)
    ref = Ref(identifier, version_of(message.flags), size=message.size)
    return Native(ref, "rfc822", properties_of(message), message.body)


def properties_of(message: FetchedMessage) -> dict[str, object]:
    """Return a record's properties by IMAP's own names, without those that the server did not give."""
    properties = {"FLAGS": message.flags, "INTERNALDATE": message.date, "RFC822.SIZE": message.size}
    return {name: value for name, value in properties.items() if value is not None}


def _address(header: bytes) -> str | None:
    """Return the first address of a From field in lower case, or None."""
    text = header[:FROM_MOST].decode("utf-8", "replace").partition(":")[2].replace("\r\n", " ")
    if text.count("(") > COMMENTS_MOST:  # each one is a recursion of the parser
        return None
    return next((address.lower() for _, address in getaddresses([text]) if "@" in address), None)
