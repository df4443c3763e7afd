"""Writing messages: MULTIAPPEND in batches, pipelined APPEND where there is none, literals streamed.

A MULTIAPPEND is atomic (RFC 3502; Dovecot 2.4.1 over quota stores none of N), so a refused batch is
halved until what fits is stored and what does not stands alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO

from connectors.imap.connection import CHUNK, ImapConnection, TaggedReply, number, numbers, quoted
from connectors.imap.dates import date_text
from connectors.imap.fetch import uid_of, windows
from connectors.imap.keywords import LIMIT, NOT_TAKEN, Keywords
from connectors.imap.session import Session, raise_for
from model.errors import Blocked, Rejected, Transient
from model.protocols import Failed, Guard, Item, Stored

LITERAL_MINUS = 4096
ITEM_FAULTS = frozenset({"", "TOOBIG", "LIMIT", "CANNOT", "PARSE", "BADCHARSET", "CLIENTBUG"})
SYSTEM_FLAGS = frozenset({"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"})
_NUMBER = re.compile(r"[0-9]{1,10}")
_APPENDUID = re.compile(r"APPENDUID ([0-9]{1,10}) ([0-9:,]+)", re.IGNORECASE)
_ATOM = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")


@dataclass(frozen=True, slots=True)
class PreparedAppend:
    """An item ready to send: data is None for one that is streamed. flags: those that the server keeps."""

    item: Item
    flags: frozenset[str]
    size: int
    data: bytes | None

    @property
    def large(self) -> bool:
        return self.data is None


@dataclass(frozen=True, slots=True)
class Appender:
    """Appends to one mailbox (raw: its encoded name). permanent: what PERMANENTFLAGS allows."""

    session: Session
    guard: Guard
    raw: bytes
    permanent: frozenset[str]
    max_bytes: int | None
    keywords: Keywords = field(default_factory=Keywords)

    def parts(self, items: Iterable[Item], refused: list[Failed]) -> Iterator[list[PreparedAppend]]:
        """items in parts that one command takes; those that no command may take go to refused."""
        settings = self.session.settings
        batch: list[PreparedAppend] = []
        weight = 0
        for item in items:
            ready = self._prepared(item)
            if isinstance(ready, Failed):
                refused.append(ready)
                continue
            full = len(batch) >= settings.batch_items or weight + ready.size > settings.batch_bytes
            if batch and (full or ready.large or batch[-1].large):
                yield batch
                batch, weight = [], 0
            batch.append(ready)
            weight += ready.size
        if batch:
            yield batch

    def _prepared(self, item: Item) -> PreparedAppend | Failed:
        kept = flags_kept(item.flags, self.permanent)
        if kept is None:
            return Failed(item.key, Rejected("flag-not-allowed"))
        with item.body() as stream:
            data = stream.read(self.session.settings.spool_above + 1)
            if len(data) <= self.session.settings.spool_above:
                ready = PreparedAppend(item, kept, len(data), data)
            else:
                ready = PreparedAppend(item, kept, _measured(stream, len(data)), None)
        if not ready.size:
            # a literal of no bytes would cancel the whole MULTIAPPEND (RFC 3502, 6.3.11)
            return Failed(item.key, Rejected("empty-message"))
        if self.max_bytes is not None and ready.size > self.max_bytes:
            return Failed(item.key, Rejected("too-large"))
        return ready

    def store(self, batch: list[PreparedAppend]) -> Iterator[Stored | Failed]:
        """Stores a part. May have stored any of it even if it raises."""
        if len(batch) > 1 and not self.session.has("MULTIAPPEND"):
            yield from self._store_pipelined(batch)
            return
        pending = [batch]
        while pending:
            part = pending.pop()
            sent = self.keywords.kept(self.raw, part[0].flags)
            outcome = self._append(part)
            if not isinstance(outcome, TaggedReply):
                yield from (
                    self._stored(p, flags, href) for p, (flags, href) in zip(part, outcome, strict=True)
                )
            elif len(part) == 1 and self._with_fewer(sent, outcome):
                pending.append(part)
            elif len(part) == 1:
                yield _refused(part[0], outcome)
            else:
                if outcome.reason not in ITEM_FAULTS | {"OVERQUOTA"}:
                    raise_for(outcome)
                half = len(part) // 2
                pending += (part[half:], part[:half])

    def _with_fewer(self, sent: frozenset[str], reply: TaggedReply) -> bool:
        """Whether a message that was refused is worth another try without some of its keywords."""
        return reply.reason == LIMIT and self.keywords.learn(self.session, self.raw, sent)

    def _stored(self, ready: PreparedAppend, flags: frozenset[str], href: str) -> Stored:
        if flags == ready.flags:
            return Stored(ready.item.key, href)
        return Stored(ready.item.key, href, losses=(NOT_TAKEN,), flags=flags)

    def _head(self, ready: PreparedAppend, flags: frozenset[str]) -> bytes:
        head = b"(" + " ".join(sorted(flags)).encode() + b") "
        return head + date_text(ready.item.date) + b" " if ready.item.date is not None else head

    def _append(self, batch: list[PreparedAppend]) -> list[tuple[frozenset[str], str]] | TaggedReply:
        """One APPEND of all of batch: the flags they were sent with and their hrefs, or the server's refusal
        of all of them."""
        self.guard()
        before = self._mark()
        connection = self.session.connection
        tag = connection.begin(b"APPEND " + quoted(self.raw))
        sent = [self.keywords.kept(self.raw, ready.flags) for ready in batch]
        for ready, flags in zip(batch, sent, strict=True):
            connection.put(b" " + self._head(ready, flags))
            refusal = self._literal(connection, tag, ready)
            if refusal is not None:
                return refusal
        self._check(connection)
        connection.put(b"\r\n")
        connection.flush()
        reply = connection.finish(tag)
        return list(zip(sent, self._hrefs(reply, batch, before), strict=True)) if reply.ok else reply

    def _store_pipelined(self, batch: list[PreparedAppend]) -> Iterator[Stored | Failed]:
        """Single APPENDs, all sent before the first reply is awaited where the server allows it."""
        if not (self.session.has("LITERAL+") and self.session.has("UIDPLUS")):
            for ready in batch:
                yield from self.store([ready])
            return
        connection = self.session.connection
        tags = []
        sent = [self.keywords.kept(self.raw, ready.flags) for ready in batch]
        for ready, flags in zip(batch, sent, strict=True):
            self._check(connection)
            tags.append(connection.begin(b"APPEND " + quoted(self.raw) + b" " + self._head(ready, flags)))
            self._literal(connection, tags[-1], ready)
            connection.put(b"\r\n")
        connection.flush()
        replies = [connection.finish(tag) for tag in tags]
        taken: set[str] = set()
        for ready, flags, reply in zip(batch, sent, replies, strict=True):
            if reply.ok:
                (href,) = self._hrefs(reply, [ready], None)
                if href in taken:
                    raise Transient("append-unconfirmed", "the server confirmed one place for two messages")
                taken.add(href)
                yield self._stored(ready, flags, href)
        for ready, flags, reply in zip(batch, sent, replies, strict=True):
            if not reply.ok and self._with_fewer(flags, reply):
                yield from self.store([ready])
            elif not reply.ok:
                yield _refused(ready, reply)

    def _literal(self, connection: ImapConnection, tag: bytes, ready: PreparedAppend) -> TaggedReply | None:
        """A large one waits for the server's leave, so that it may refuse before the bytes travel."""
        plus = self.session.has("LITERAL+") or (self.session.has("LITERAL-") and ready.size <= LITERAL_MINUS)
        if plus and ready.data is not None:
            connection.put(b"{%d+}\r\n" % ready.size)
        else:
            connection.put(b"{%d}\r\n" % ready.size)
            refusal = connection.proceed(tag)
            if refusal is not None:
                return refusal
        if ready.data is not None:
            connection.put(ready.data)
            return None
        with ready.item.body() as stream:
            connection.stream(stream, ready.size, lambda: self._check(connection))
        return None

    def _check(self, connection: ImapConnection) -> None:
        """The guard; when it refuses, what was already sent must not become effective."""
        try:
            self.guard()
        except BaseException:
            connection.abandon()
            raise

    def _mark(self) -> str | None:
        return None if self.session.has("UIDPLUS") else position(self.session, self.raw)

    def _hrefs(self, reply: TaggedReply, batch: list[PreparedAppend], before: str | None) -> list[str]:
        if reply.reason == "APPENDUID":
            validity, found = _confirmed(reply.code, len(batch))
        elif before is not None:
            validity, found = self._located(before, batch)
        else:
            raise Transient("append-unconfirmed", "the server took a batch and did not say where")
        if len(found) != len(batch):
            raise Transient("append-unconfirmed", "the server confirmed another number of messages")
        return [f"{validity}:{uid}" for uid in found]

    def _located(self, before: str, batch: list[PreparedAppend]) -> tuple[str, list[int]]:
        """Without UIDPLUS: exactly as many new messages as were sent, of the same sizes, are ours, in
        order. When somebody else delivered meanwhile, only digests can tell: the caller settles."""
        validity, _, first = before.partition(":")
        found = [e for w in windows(self.session, self.raw, int(first) - 1, b"UID RFC822.SIZE") for e in w]
        sizes = [number(entry[b"RFC822.SIZE"]) for entry in found]
        sent = [_canonical_size(ready) for ready in batch]
        alike = len(sizes) == len(sent) and all(b in (None, a) for a, b in zip(sizes, sent, strict=True))
        selected = self.session.selected
        if not alike or selected is None or str(selected.uidvalidity) != validity:
            raise Transient("append-unconfirmed", "other messages arrived meanwhile")
        return validity, [uid_of(entry) for entry in found]


def _confirmed(code: str, most: int) -> tuple[str, list[int]]:
    """UIDVALIDITY and UIDs of "APPENDUID 7 3:5". Messages get their UIDs in the order in which they were
    sent (RFC 9051, 2.3.1.1), so a set in any other order confirms nothing."""
    found = _APPENDUID.fullmatch(code)
    try:
        uids = numbers(found[2], most) if found else []
    except ValueError:
        uids = []
    if found is None or not uids or any(b <= a for a, b in pairwise(uids)):
        raise Transient("append-unconfirmed", "the server's confirmation makes no sense")
    return str(int(found[1])), uids


def position(session: Session, raw: bytes) -> str:
    """UIDVALIDITY:UIDNEXT of a mailbox."""
    status = session.status(raw, "UIDVALIDITY", "UIDNEXT")
    told = [status.get(name, "") for name in ("UIDVALIDITY", "UIDNEXT")]
    if not all(_NUMBER.fullmatch(one) for one in told):
        raise session.connection.nonsense()
    return ":".join(told)


def flags_kept(flags: frozenset[str], permanent: frozenset[str]) -> frozenset[str] | None:
    """What of flags this server takes; None when one is not an atom and no server may take it."""
    if any(not _ATOM.fullmatch(flag.removeprefix("\\")) for flag in flags):
        return None
    any_keyword = "\\*" in permanent
    named = {flag.lower() for flag in permanent}
    return frozenset(
        flag
        for flag in flags
        if flag.lower() in SYSTEM_FLAGS
        or (not flag.startswith("\\") and (any_keyword or flag.lower() in named))
    )


def _refused(ready: PreparedAppend, reply: TaggedReply) -> Failed:
    """One item alone was refused: its own fault, or everybody's."""
    if reply.reason == "OVERQUOTA":
        raise Blocked("over-quota", "raise the quota, then resume").about(reply.known).said(reply.said)
    if reply.reason not in ITEM_FAULTS:
        raise_for(reply)
    error = Rejected("too-large" if reply.reason == "TOOBIG" else "refused-by-target")
    return Failed(ready.item.key, error.about(reply.known).said(reply.said))


def _measured(stream: BinaryIO, already: int) -> int:
    """The stream's whole length; read through when it cannot seek."""
    if stream.seekable():
        return stream.seek(0, os.SEEK_END)
    size = already
    while chunk := stream.read(CHUNK):
        size += len(chunk)
    return size


def _canonical_size(ready: PreparedAppend) -> int | None:
    """The size once every line ends in CRLF; None when it was not held."""
    if ready.data is None:
        return None
    return ready.size + ready.data.count(b"\n") - ready.data.count(b"\r\n")
