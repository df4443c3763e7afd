"""Listing and reading an open IMAP mailbox: both in windows, so that memory does not grow with the
folder, and without ever setting a flag (EXAMINE and BODY.PEEK)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.imap.connection import Parts, Token, compact, fetched, number, tokens, words
from connectors.imap.dates import date_of
from connectors.imap.session import Selected, Session, raise_for
from connectors.spool import SpoolFile, bytes_body
from model.errors import MigrationError, Rejected, Transient
from model.protocols import Body

Attributes = dict[bytes, Token]

WINDOW_ITEMS = 1000
WINDOW_BYTES = 1 << 20
ESTIMATE_MOST = 8
RECENT = frozenset({"\\Recent", "\\recent", "\\RECENT"})
META = b"UID FLAGS INTERNALDATE RFC822.SIZE"


@dataclass(frozen=True, slots=True)
class FetchedMessage:
    """One message as read. size is the server's RFC822.SIZE; body None when none was asked for."""

    uid: int
    flags: frozenset[str]
    date: datetime | None
    size: int | None
    body: Body | None = None


Result = tuple[int, FetchedMessage | MigrationError]


def windows(session: Session, name: bytes, above: int, items: bytes) -> Iterator[list[Attributes]]:
    """Lists what has a UID greater than above, in order, about a thousand at a time.

    Goes by sequence number: UIDs may have gaps of any width, and no server may renumber during FETCH
    (RFC 9051, 7.5.1). When another command of ours let it renumber, or opened another mailbox, the place
    is found again."""
    selected = session.select(name, readonly=True, fresh=True)
    validity = selected.uidvalidity
    start, shifted = _first(session, selected, above), selected.shifted
    while start <= selected.exists:
        found, settled = _window(session, start, min(start + WINDOW_ITEMS - 1, selected.exists), items)
        if not settled:
            session.done(b"NOOP")
            start, shifted = _first(session, selected, above), selected.shifted
            continue
        above = max([above, *(uid_of(entry) for entry in found)])
        if found:
            yield found
        start += WINDOW_ITEMS
        if session.selected is not selected or selected.shifted != shifted:
            selected = session.select(name, readonly=True)
            if selected.uidvalidity != validity:
                raise Transient("folder-vanished", "a folder was re-created while it was listed")
            start, shifted = _first(session, selected, above), selected.shifted


def _window(session: Session, start: int, end: int, items: bytes) -> tuple[list[Attributes], bool]:
    """False: another session deleted some meanwhile, and what came describes those wrongly."""
    found: dict[int, Attributes] = {}

    def note(parts: Parts) -> None:
        attributes = fetched(parts)
        if attributes is None or b"RFC822.SIZE" not in attributes or not uid_of(attributes):
            return
        if len(found) <= end - start + 1:
            found[uid_of(attributes)] = attributes

    reply = session.run(b"FETCH %d:%d (%s)" % (start, end, items), note)
    if len(found) > end - start + 1:
        raise session.connection.nonsense()
    if not reply.ok and reply.reason != "EXPUNGEISSUED":
        raise_for(reply)
    return [found[uid] for uid in sorted(found)], reply.reason != "EXPUNGEISSUED"


def uid_of(attributes: Attributes) -> int:
    """0 when the server did not say."""
    return number(attributes.get(b"UID")) or 0


def flags_of(attributes: Attributes) -> frozenset[str]:
    r"""The message's flags; \Recent is the session's, not the message's."""
    flags = words(attributes.get(b"FLAGS"))
    return flags - RECENT if flags & RECENT else flags


def _first(session: Session, selected: Selected, above: int) -> int:
    """The lowest sequence number whose UID is greater than above; exists + 1 when there is none."""
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
    last = 0

    def note(parts: Parts) -> None:
        nonlocal last
        attributes = fetched(parts)
        if attributes is not None:
            last = max(last, uid_of(attributes))

    session.done(b"FETCH %d (UID)" % sequence, note)
    return last


@dataclass(frozen=True, slots=True)
class MessageReader:
    """Reads messages of the mailbox that is open: small ones many at a time, large ones in partial FETCH
    windows through a spool file. batch_items and batch_bytes bound what is held in memory.

    name and uidvalidity say which mailbox the UIDs belong to; it is opened again when a command in
    between opened another."""

    session: Session
    name: bytes
    uidvalidity: int
    spool: Path

    def read(self, wanted: Iterable[tuple[int, int | None]], *, bodies: bool = True) -> Iterator[Result]:
        """One result for each (uid, size or None), in any order. Rejected("vanished") for what is gone,
        Rejected("item-refused") for what the server will not give. Raises Blocked when a body cannot be
        spooled."""
        for asked in _chunks(wanted, WINDOW_ITEMS):
            sizes = self._sized(asked) if bodies else asked
            for uid in asked.keys() - sizes.keys():
                yield uid, Rejected("vanished")
            yield from self._read(sizes, bodies)

    def _read(self, sizes: dict[int, int | None], bodies: bool) -> Iterator[Result]:
        settings = self.session.settings
        small = {
            uid: size or 0 for uid, size in sizes.items() if (size or 0) <= settings.spool_above or not bodies
        }
        for batch in _batches(small, settings.batch_items, settings.batch_bytes, bodies):
            yield from self._batch(batch, bodies)
        for uid in sorted(sizes.keys() - small.keys()):
            yield uid, self._large(uid)

    def _sized(self, asked: dict[int, int | None]) -> dict[int, int | None]:
        unknown = sorted(uid for uid, size in asked.items() if size is None)
        known: dict[int, int | None] = {uid: size for uid, size in asked.items() if size is not None}
        if unknown:
            found = self._fetch(unknown, b"UID RFC822.SIZE", b"RFC822.SIZE")[0]
            known |= {uid: number(entry[b"RFC822.SIZE"]) for uid, entry in found.items()}
        return known

    def _fetch(self, uids: list[int], items: bytes, needed: bytes) -> tuple[dict[int, Attributes], Rejected]:
        """What came, and the fate of what did not come: it is gone, or the server refused it. Unasked FETCH
        responses lack needed."""
        found: dict[int, Attributes] = {}
        asked = set(uids)
        if self.session.select(self.name, readonly=True).uidvalidity != self.uidvalidity:
            raise Transient("folder-vanished", "a folder was re-created while it was read")

        def note(parts: Parts) -> None:
            attributes = fetched(parts)
            if attributes is not None and needed in attributes and uid_of(attributes) in asked:
                found[uid_of(attributes)] = attributes

        reply = self.session.run(b"UID FETCH %s (%s)" % (compact(uids), items), note)
        if reply.reason == "EXPUNGEISSUED":
            # Dovecot 2.4.1 describes what another session just deleted as a message of 1970 without a
            # body, and says OK; once it has told of the deletion it leaves it out
            found.clear()
        missing = [uid for uid in uids if uid not in found]
        if missing and (reply.ok or reply.reason == "EXPUNGEISSUED"):
            # a session sees what others deleted or added only after it was told (RFC 9051, 5.2)
            self.session.done(b"NOOP")
            reply = self.session.run(b"UID FETCH %s (%s)" % (compact(missing), items), note)
        if reply.reason in ("UNAVAILABLE", "INUSE", "LIMIT", "EXPUNGEISSUED"):
            raise Transient("server-busy").said(reply.said)
        return found, Rejected("vanished") if reply.ok else Rejected("item-refused").said(reply.said)

    def _batch(self, uids: list[int], bodies: bool) -> Iterator[Result]:
        items, needed = (META + b" BODY.PEEK[]", b"BODY[]") if bodies else (META, b"RFC822.SIZE")
        found, fate = self._fetch(uids, items, needed)
        for uid, entry in found.items():
            yield uid, _record(uid, entry, bodies)
        missing = [uid for uid in uids if uid not in found]
        if fate.code == "vanished" or len(uids) == 1:
            yield from ((uid, fate) for uid in missing)
            return
        for uid in missing:  # one message the server cannot give must not cost the others
            yield from self._batch([uid], bodies)

    def _large(self, uid: int) -> FetchedMessage | MigrationError:
        found, fate = self._fetch([uid], META, b"RFC822.SIZE")
        if uid not in found:
            return fate
        file = SpoolFile(self.spool)
        most = ESTIMATE_MOST * (number(found[uid][b"RFC822.SIZE"]) or 0) + WINDOW_BYTES
        refused = self._spooled(uid, file.write, most)
        if refused is not None:
            return refused
        return _record(uid, found[uid], bodies=False, body=file.open)

    def _spooled(self, uid: int, write: Callable[[bytes], None], most: int) -> Rejected | None:
        """Until a window comes back short: RFC822.SIZE is an estimate on some servers, but no message is
        some times as large."""
        offset = 0
        while offset <= most:
            key = b"BODY[]<%d>" % offset
            found, _ = self._fetch([uid], b"BODY.PEEK[]<%d.%d>" % (offset, WINDOW_BYTES), key)
            if uid not in found:
                return Rejected("vanished")
            data = found[uid][key]
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
