"""List and read an open IMAP mailbox in windows, without ever setting a flag.

Windows keep memory independent of the folder's size. EXAMINE and BODY.PEEK leave the flags as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from connectors.imap.dates import date_of
from connectors.imap.session import ImapSettings, Selected, Session, raise_for
from connectors.imap.wire.connection import Parts, Token, compact, fetched, number, tokens, words
from connectors.imap.wire.refusals import Doubts, Refused, Witness, is_doubtful
from connectors.spool import SpoolFile, bytes_body
from model.errors import MigrationError, Rejected, Transient
from model.protocols import Body

Attributes = dict[bytes, Token]

WINDOW_ITEMS = 1000
WINDOW_BYTES = 1 << 20
ESTIMATE_MOST = 8
RECENT = frozenset({"\\Recent", "\\recent", "\\RECENT"})
META = b"UID FLAGS INTERNALDATE RFC822.SIZE"
WHOLE = META + b" BODY.PEEK[]"


@dataclass(frozen=True, slots=True)
class FetchedMessage:
    r"""Hold one message as it was read.

    Attributes:
        uid: its UID.
        flags: its flags without `\Recent`.
        date: INTERNALDATE; None when the server gave none.
        size: the server's RFC822.SIZE in bytes; an estimate on some servers.
        body: None when no body was requested.
    """

    uid: int
    flags: frozenset[str]
    date: datetime | None
    size: int | None
    body: Body | None = None


Result = tuple[int, FetchedMessage | MigrationError]


def windows(
    session: Session, name: bytes, above: int, items: bytes, opened: Selected | None = None
) -> Iterator[list[Attributes]]:
    """List the messages whose UID is greater than `above`, in order, in windows of WINDOW_ITEMS.

    The windows go by sequence number: UIDs may have gaps of any width, and no server may renumber during
    FETCH. When another command of ours let the server renumber, or opened another mailbox, the position is
    searched again.

    Args:
        session: the session of the account.
        name: the encoded name of the mailbox.
        above: only greater UIDs are listed; 0 lists all.
        items: the FETCH items; they must include UID and RFC822.SIZE.
        opened: the mailbox as the caller has just opened it for reading; None to open it again.

    Yields:
        Non-empty lists of attributes, sorted by UID.

    Raises:
        Transient: "folder-vanished" when the mailbox was re-created meanwhile.

    Source:
        RFC 9051, section 7.5.1 (no EXPUNGE during FETCH).
    """
    selected = opened or session.select(name, readonly=True, fresh=True)
    validity = selected.uidvalidity
    start, shifted = _first(session, selected, above), selected.shifted
    while start <= selected.exists:
        entries, settled = _window(session, start, min(start + WINDOW_ITEMS - 1, selected.exists), items)
        if not settled:
            session.done(b"NOOP")
            start, shifted = _first(session, selected, above), selected.shifted
            continue
        above = max([above, *(uid_of(entry) for entry in entries)])
        if entries:
            yield entries
        start += WINDOW_ITEMS
        if session.selected is not selected or selected.shifted != shifted:
            before, selected = selected, session.select(name, readonly=True)
            if selected.uidvalidity != validity:
                raise Transient("folder-vanished", "a folder was re-created while it was listed")
            if before.shifted != shifted or not _is_same(before, selected):
                start = _first(session, selected, above)
            shifted = selected.shifted


def _is_same(before: Selected, now: Selected) -> bool:
    """Return True if a folder has the same messages under the same sequence numbers as before.

    What comes raises UIDNEXT, and what goes lowers the count as long as nothing comes.
    """
    return before.uidnext == now.uidnext > 0 and before.exists == now.exists and not now.shifted


def window_question(start: int, end: int, items: bytes) -> bytes:
    """Return the command with which `windows` asks for the messages between two sequence numbers."""
    return b"FETCH %d:%d (%s)" % (start, end, items)


def _window(session: Session, start: int, end: int, items: bytes) -> tuple[list[Attributes], bool]:
    """Fetch one window; return its entries and False when another session deleted messages meanwhile.

    In that case the server describes the deleted messages wrongly, and the window must be fetched again.
    """
    entries: dict[int, Attributes] = {}

    def note(parts: Parts) -> None:
        attributes = fetched(parts)
        if attributes is None or b"RFC822.SIZE" not in attributes or not uid_of(attributes):
            return
        if len(entries) <= end - start + 1:
            entries[uid_of(attributes)] = attributes

    reply = session.run(window_question(start, end, items), note)
    if len(entries) > end - start + 1:
        raise session.connection.nonsense()
    if not reply.ok and reply.reason != "EXPUNGEISSUED":
        raise_for(reply)
    return [entries[uid] for uid in sorted(entries)], reply.reason != "EXPUNGEISSUED"


def uid_of(attributes: Attributes) -> int:
    """Return the UID among FETCH attributes; 0 when the server gave none."""
    return number(attributes.get(b"UID")) or 0


def flags_of(attributes: Attributes) -> frozenset[str]:
    r"""Return the message's flags without `\Recent`, which belongs to the session and not to the message."""
    flags = words(attributes.get(b"FLAGS"))
    return flags - RECENT if flags & RECENT else flags


def _first(session: Session, selected: Selected, above: int) -> int:
    """Return the lowest sequence number whose UID is greater than `above`; exists + 1 when there is none."""
    if not above or not selected.exists:
        return 1
    first = selected.exists + 1

    def note(parts: Parts) -> None:
        nonlocal first
        if parts[0][2:10].upper() == b"ESEARCH ":
            listed = tokens(parts)
            pairs = zip(listed, map(number, listed[1:]), strict=False)
            first = min((n for key, n in pairs if key == b"MIN" and n), default=first)
        elif parts[0][2:8].upper() == b"SEARCH":
            first = min([first, *(n for n in map(number, tokens(parts)[1:]) if n)])

    # "n:*" always names the last message too, even when its UID is smaller (RFC 9051, 6.4.8)
    minimum = b"RETURN (MIN) " if session.has("ESEARCH") else b""
    session.done(b"SEARCH %sUID %d:*" % (minimum, above + 1), note)
    if first == selected.exists and _last_uid(session, first) <= above:
        return selected.exists + 1
    return first


def _last_uid(session: Session, sequence: int) -> int:
    """Return the UID of one sequence number; 0 when the server gives none."""
    last = 0

    def note(parts: Parts) -> None:
        nonlocal last
        attributes = fetched(parts)
        if attributes is not None:
            last = max(last, uid_of(attributes))

    session.done(b"FETCH %d (UID)" % sequence, note)
    return last


def first_questions(settings: ImapSettings, sizes: Mapping[int, int | None]) -> list[bytes]:
    """Return the command with which a MessageReader begins to read these bodies, if their sizes are known.

    Args:
        settings: the server's settings.
        sizes: the messages by UID, each with its size in bytes; None if it is not known.
    """
    chunk = dict(islice(sizes.items(), WINDOW_ITEMS))
    small = {uid: size for uid, size in chunk.items() if size is not None and size <= settings.spool_above}
    if None in chunk.values() or not small:
        return []
    batch = next(_batches(small, settings.batch_items, settings.batch_bytes, bodies=True))
    return [_question(batch, WHOLE)]


def _question(uids: list[int], items: bytes) -> bytes:
    return b"UID FETCH %s (%s)" % (compact(uids), items)


class _Unexplained(Rejected):
    """State that the server gave no reason for a refusal: the message or the server may be the cause."""


@dataclass(frozen=True, slots=True)
class MessageReader:
    """Read messages of one mailbox: small ones in batches, large ones in windows through a spool file.

    The settings `batch_items` and `batch_bytes` bound what is held in memory. The mailbox is opened again
    when a command in between opened another one.

    Attributes:
        session: the session of the account.
        name: the encoded name of the mailbox.
        uidvalidity: the UIDVALIDITY that the UIDs belong to.
        spool: the folder for the spool files.
    """

    session: Session
    name: bytes
    uidvalidity: int
    spool: Path

    def read(self, messages: Iterable[tuple[int, int | None]], *, bodies: bool = True) -> Iterator[Result]:
        """Read messages.

        Args:
            messages: pairs of UID and size in bytes; size None: it is asked first.
            bodies: False to read only flags, date and size.

        Yields:
            One (uid, result) per pair, in any order. The result is Rejected("vanished") for a message that is
            gone and Rejected("item-refused") for one that the server does not give.

        Raises:
            Transient: "folder-vanished" when UIDVALIDITY changed, "server-busy", and connection errors.
            Blocked: a body cannot be spooled.
        """
        witness, refused = Witness(), list[Refused[int]]()
        probe: tuple[int, int] | None = None
        large: set[int] = set()
        for uid, result in self._read_once(messages, large, bodies=bodies):
            if isinstance(result, _Unexplained):
                refused.append(Refused(uid, result, witness.done))
                continue
            if isinstance(result, FetchedMessage) and uid not in large:
                witness.done += 1
                this = (result.size or 0, uid)
                probe = this if probe is None else min(probe, this)
            yield uid, result
        if refused:
            smallest = None if probe is None else probe[1]
            yield from self._again(refused, witness, smallest, large, bodies=bodies)

    def _again(
        self,
        refused: list[Refused[int]],
        witness: Witness,
        probe: int | None,
        large: Collection[int],
        *,
        bodies: bool,
    ) -> Iterator[Result]:
        """Read again what was refused without a reason; see connectors.imap.wire.refusals.

        probe: a message that was read; read once more, it shows that the server gives messages now.
        large: the messages that are read through a spool file.
        """

        def read_alone(uid: int) -> Result | Refused[int]:
            result = self._read_large(uid) if uid in large else next(self._read_batch([uid], bodies))[1]
            if isinstance(result, _Unexplained):
                return Refused(uid, result, witness.done)
            witness.done += isinstance(result, FetchedMessage)
            return uid, result

        if probe is not None:
            read_alone(probe)
        folder = self.name
        doubts: Doubts[int, Result] = Doubts(
            self.session, witness, read_alone, lambda uid: folder + b"\n%d" % uid, lambda: None
        )
        for each in doubts.settle(refused):
            if isinstance(each, Refused):
                yield (
                    each.item,
                    Rejected(each.error.code).about(each.error.detail).quoting(each.error.words),
                )
            else:
                yield each

    def _read_once(
        self, messages: Iterable[tuple[int, int | None]], large: set[int], *, bodies: bool
    ) -> Iterator[Result]:
        """Read messages as `read` does; `large` receives those that are read through a spool file."""
        for chunk in _chunks(messages, WINDOW_ITEMS):
            sizes = self._with_sizes(chunk) if bodies else chunk
            for uid in chunk.keys() - sizes.keys():
                yield uid, Rejected("vanished")
            yield from self._read(sizes, bodies, large)

    def _read(self, sizes: dict[int, int | None], bodies: bool, large: set[int]) -> Iterator[Result]:
        settings = self.session.settings
        small = {
            uid: size or 0 for uid, size in sizes.items() if (size or 0) <= settings.spool_above or not bodies
        }
        for batch in _batches(small, settings.batch_items, settings.batch_bytes, bodies):
            yield from self._read_batch(batch, bodies)
        large |= sizes.keys() - small.keys()
        for uid in sorted(sizes.keys() - small.keys()):
            yield uid, self._read_large(uid)

    def _with_sizes(self, chunk: dict[int, int | None]) -> dict[int, int | None]:
        """Add the missing sizes; messages that are gone are left out.

        Where the server refuses to tell sizes, the messages are read as small ones.
        """
        unknown = sorted(uid for uid, size in chunk.items() if size is None)
        sizes: dict[int, int | None] = {uid: size for uid, size in chunk.items() if size is not None}
        if unknown:
            entries, error = self._fetch(unknown, b"UID RFC822.SIZE", b"RFC822.SIZE")
            sizes |= {} if error.code == "vanished" else dict.fromkeys(unknown)
            sizes |= {uid: number(entry[b"RFC822.SIZE"]) for uid, entry in entries.items()}
        return sizes

    def _fetch(self, uids: list[int], items: bytes, needed: bytes) -> tuple[dict[int, Attributes], Rejected]:
        """Fetch items of some UIDs; return the entries, and the error for the UIDs without an entry.

        Args:
            uids: the UIDs.
            items: the FETCH items.
            needed: an attribute that unsolicited FETCH responses lack; responses without it are ignored.
        """
        entries: dict[int, Attributes] = {}
        requested = set(uids)
        if self.session.select(self.name, readonly=True).uidvalidity != self.uidvalidity:
            raise Transient("folder-vanished", "a folder was re-created while it was read")

        def note(parts: Parts) -> None:
            attributes = fetched(parts)
            if attributes is not None and needed in attributes and uid_of(attributes) in requested:
                entries[uid_of(attributes)] = attributes

        reply = self.session.run(_question(uids, items), note)
        if reply.reason == "EXPUNGEISSUED":
            # Dovecot 2.4.1 describes what another session just deleted as a message of 1970 without a
            # body, and says OK; once it has reported the deletion, it leaves the message out
            entries.clear()
        missing = [uid for uid in uids if uid not in entries]
        if missing and (reply.ok or reply.reason == "EXPUNGEISSUED"):
            # a session sees changes of other sessions only after the server reported them (RFC 9051, section
            # 5.2)
            self.session.done(b"NOOP")
            reply = self.session.run(_question(missing, items), note)
        if reply.reason in ("UNAVAILABLE", "INUSE", "LIMIT", "EXPUNGEISSUED"):
            raise Transient("server-busy").quoting(reply.said)
        if reply.ok:
            return entries, Rejected("vanished")
        refusal = _Unexplained if is_doubtful(reply, "SERVERBUG", "CONTACTADMIN") else Rejected
        return entries, refusal("item-refused").about(reply.known).quoting(reply.said)

    def _read_batch(self, uids: list[int], bodies: bool) -> Iterator[Result]:
        """Read small messages; read each alone when the server refuses the batch."""
        items, needed = (WHOLE, b"BODY[]") if bodies else (META, b"RFC822.SIZE")
        entries, error = self._fetch(uids, items, needed)
        for uid, entry in entries.items():
            yield uid, _record(uid, entry, bodies)
        missing = [uid for uid in uids if uid not in entries]
        if error.code == "vanished" or len(uids) == 1:
            yield from ((uid, error) for uid in missing)
            return
        for uid in missing:  # one message the server cannot give must not cost the others
            yield from self._read_batch([uid], bodies)

    def _read_large(self, uid: int) -> FetchedMessage | MigrationError:
        """Read one message through a spool file."""
        entries, error = self._fetch([uid], META, b"RFC822.SIZE")
        if uid not in entries:
            return error
        file = SpoolFile(self.spool)
        most = ESTIMATE_MOST * (number(entries[uid][b"RFC822.SIZE"]) or 0) + WINDOW_BYTES
        refused = self._spool_body(uid, file.write, most)
        if refused is not None:
            return refused
        return _record(uid, entries[uid], bodies=False, body=file.open)

    def _spool_body(self, uid: int, write: Callable[[bytes], None], most: int) -> Rejected | None:
        """Read a body window by window until one comes back short; return the error, if any.

        RFC822.SIZE is an estimate on some servers, so the end is found by the short window. `most` bounds the
        bytes, because no message is several times as large as its estimate.
        """
        offset = 0
        while offset <= most:
            key = b"BODY[]<%d>" % offset
            entries, error = self._fetch([uid], b"BODY.PEEK[]<%d.%d>" % (offset, WINDOW_BYTES), key)
            if uid not in entries:
                return error
            data = entries[uid][key]
            data = data if isinstance(data, bytes) else b""
            if len(data) > WINDOW_BYTES:
                raise self.session.connection.nonsense()
            write(data)
            offset += len(data)
            if len(data) < WINDOW_BYTES:
                return None
        return Rejected("item-refused")


def _record(
    uid: int, entry: Attributes, bodies: bool, body: Body | None = None
) -> FetchedMessage | MigrationError:
    if bodies:
        data = entry[b"BODY[]"]
        if data is None:
            return Rejected("item-refused")
        body = bytes_body(data if isinstance(data, bytes) else b"")
    return FetchedMessage(
        uid=uid,
        flags=flags_of(entry),
        date=date_of(entry.get(b"INTERNALDATE")),
        size=number(entry.get(b"RFC822.SIZE")),
        body=body,
    )


def _chunks(wanted: Iterable[tuple[int, int | None]], most: int) -> Iterator[dict[int, int | None]]:
    chunk: dict[int, int | None] = {}
    for uid, size in wanted:
        chunk[uid] = size
        if len(chunk) == most:
            yield chunk
            chunk = {}
    if chunk:
        yield chunk


def _batches(sizes: dict[int, int], items: int, most: int, bodies: bool) -> Iterator[list[int]]:
    batch: list[int] = []
    held = 0
    for uid in sorted(sizes):
        size = sizes[uid] if bodies else 0
        if batch and (len(batch) >= items or held + size > most):
            yield batch
            batch, held = [], 0
        batch.append(uid)
        held += size
    if batch:
        yield batch
