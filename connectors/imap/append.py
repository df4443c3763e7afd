"""Write messages: MULTIAPPEND in batches, pipelined APPEND where the server lacks it, literals streamed.

A MULTIAPPEND is atomic: Dovecot 2.4.1 over quota stores none of N messages. A refused batch is therefore
halved until the messages that fit are stored and each message that does not fit stands alone.

Source:
    RFC 3502 (MULTIAPPEND), RFC 7888 (LITERAL+, LITERAL-), RFC 4315 (UIDPLUS, APPENDUID).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO, TypeAlias

from connectors.imap.dates import date_text
from connectors.imap.fetch import uid_of, windows
from connectors.imap.keywords import LIMIT, NOT_TAKEN, Keywords
from connectors.imap.session import Session, raise_for
from connectors.imap.wire.connection import CHUNK, ImapConnection, TaggedReply, number, numbers, quoted
from connectors.imap.wire.refusals import Doubts, Refused, Witness, is_doubtful
from model.errors import Blocked, Rejected, Transient
from model.protocols import Failed, Guard, Item, Stored

ITEM_FAULTS = frozenset({"", "TOOBIG", "LIMIT", "CANNOT", "PARSE", "BADCHARSET", "CLIENTBUG"})
ENOUGH = 3
"""So many messages in a row that are refused alone tell as much as all of a batch."""
SYSTEM_FLAGS = frozenset({"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"})
_NUMBER = re.compile(r"[0-9]{1,10}")
_APPENDUID = re.compile(r"APPENDUID ([0-9]{1,10}) ([0-9:,]+)", re.IGNORECASE)
_ATOM = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")


@dataclass(frozen=True, slots=True)
class PreparedAppend:
    """Hold one item that is ready to be sent.

    Attributes:
        item: the item.
        flags: the flags of the item that the server keeps.
        size: bytes of the body.
        data: the body; None when it is too large to hold and will be streamed.
    """

    item: Item
    flags: frozenset[str]
    size: int
    data: bytes | None

    @property
    def large(self) -> bool:
        """Return True if the body is streamed instead of held in memory."""
        return self.data is None


Refusal: TypeAlias = Refused[PreparedAppend]


@dataclass(frozen=True, slots=True)
class Appender:
    """Append messages to one mailbox.

    Attributes:
        session: the session whose connection carries the commands.
        guard: the write fence; called before anything is sent and before the last bytes of a literal.
        raw: the encoded name of the mailbox.
        permanent: the flags that PERMANENTFLAGS allows.
        max_bytes: the largest message that the server takes; None when it names no limit.
        keywords: what is known about mailboxes that take no more keywords.
        most: the most messages in one command; None: `batch_items` of the settings.
        witness: counts what was stored, for all connections that write to the mailbox.
    """

    session: Session
    guard: Guard
    raw: bytes
    permanent: frozenset[str]
    max_bytes: int | None
    keywords: Keywords = field(default_factory=Keywords)
    most: int | None = None
    witness: Witness = field(default_factory=Witness)

    def parts(self, items: Iterable[Item], refused: list[Failed]) -> Iterator[list[PreparedAppend]]:
        """Split items into batches that fit into one command each.

        Args:
            items: the items to store, in order.
            refused: a list that receives a Failed for each item that no command may take. Codes:
                flag-not-allowed, empty-message, too-large.

        Yields:
            Batches within the limits `most` and `batch_bytes`; a large item is a batch of its own.
        """
        settings = self.session.settings
        most = self.most or settings.batch_items
        batch: list[PreparedAppend] = []
        weight = 0
        for item in items:
            ready = self._prepare(item)
            if isinstance(ready, Failed):
                refused.append(ready)
                continue
            full = len(batch) >= most or weight + ready.size > settings.batch_bytes
            if batch and (full or ready.large or batch[-1].large):
                yield batch
                batch, weight = [], 0
            batch.append(ready)
            weight += ready.size
        if batch:
            yield batch

    def _prepare(self, item: Item) -> PreparedAppend | Failed:
        """Measure one item and read its body, or return why it cannot be sent."""
        kept = flags_kept(item.flags, self.permanent)
        if kept is None:
            return Failed(item.key, Rejected("flag-not-allowed"))
        with item.body() as stream:
            data = stream.read(self.session.settings.spool_above + 1)
            if len(data) <= self.session.settings.spool_above:
                ready = PreparedAppend(item, kept, len(data), data)
            else:
                ready = PreparedAppend(item, kept, _stream_length(stream, len(data)), None)
        if not ready.size:
            # a literal of no bytes would cancel the whole MULTIAPPEND (RFC 3502, 6.3.11)
            return Failed(item.key, Rejected("empty-message"))
        if self.max_bytes is not None and ready.size > self.max_bytes:
            return Failed(item.key, Rejected("too-large"))
        return ready

    def store(self, batch: list[PreparedAppend]) -> Iterator[Stored | Failed | Refusal]:
        """Store one batch. Any of it may have been stored even if this raises.

        Args:
            batch: one batch from `parts`.

        Yields:
            One result per item, in any order; Refused of what the server refused without a reason.

        Raises:
            LeaseLost: the guard refuses.
            Blocked: "over-quota" when one item alone does not fit, and the errors of `error_of`.
            Transient: "append-unconfirmed" when it is unclear where messages went, and connection errors.
        """
        if len(batch) > 1 and not self.session.has("MULTIAPPEND"):
            yield from self._store_pipelined(batch)
            return
        pending, before = [batch], self.witness.done
        doubtful: list[TaggedReply] = []
        while pending:
            part = pending.pop()
            if len(doubtful) >= ENOUGH and self.witness.done == before:  # `again` sends each alone
                yield from (self._refused(ready, doubtful[-1]) for ready in part)
                continue
            sent = self.keywords.kept(self.raw, part[0].flags)
            outcome = self._append(part)
            if not isinstance(outcome, TaggedReply):
                self.witness.done += len(part)
                yield from (
                    self._stored_result(p, flags, href)
                    for p, (flags, href) in zip(part, outcome, strict=True)
                )
            elif len(part) == 1 and self._can_retry_with_fewer_keywords(sent, outcome):
                pending.append(part)
            elif len(part) == 1:
                doubtful += [outcome] if is_doubtful(outcome) else []
                yield self._refused(part[0], outcome)
            else:
                if outcome.reason not in ITEM_FAULTS | {"OVERQUOTA"} and not is_doubtful(outcome):
                    raise_for(outcome)
                half = len(part) // 2
                pending += (part[half:], part[:half])

    def again(self, refused: list[Refusal]) -> Iterator[Stored | Failed]:
        """Send again what was refused without a reason; see connectors.imap.wire.refusals.

        Raises:
            Transient: "server-busy"; and as `store` does.
        """

        def once_more(ready: PreparedAppend) -> Stored | Failed | Refusal:
            (result,) = self.store([ready])
            return result

        doubts: Doubts[PreparedAppend, Stored | Failed] = Doubts(
            self.session, self.witness, once_more, lambda ready: ready.item.key, self.guard
        )
        for result in doubts.settle(refused):
            if isinstance(result, Refused):
                yield Failed(result.item.item.key, result.error)
            else:
                yield result

    def _refused(
        self, ready: PreparedAppend, reply: TaggedReply, since: int | None = None
    ) -> Failed | Refusal:
        """Return the failure of an item that was refused alone; raise when the cause concerns all items.

        since: Witness.done when it was refused; None for now.
        """
        if is_doubtful(reply):
            error = Rejected("refused-by-target").about(reply.known).quoting(reply.said)
            return Refused(ready, error, self.witness.done if since is None else since)
        return _failure_of(ready, reply)

    def _can_retry_with_fewer_keywords(self, sent: frozenset[str], reply: TaggedReply) -> bool:
        """Return True if a refused message should be retried without some of its keywords."""
        return reply.reason == LIMIT and self.keywords.learn(self.session, self.raw, sent)

    def _stored_result(self, ready: PreparedAppend, flags: frozenset[str], href: str) -> Stored:
        """Return the result of a stored message, with a loss when the server did not take all flags."""
        if flags == ready.flags:
            return Stored(ready.item.key, href)
        return Stored(ready.item.key, href, losses=(NOT_TAKEN,), flags=flags)

    def _head(self, ready: PreparedAppend, flags: frozenset[str]) -> bytes:
        """Return the flag list and the date that precede a literal."""
        head = b"(" + " ".join(sorted(flags)).encode() + b") "
        return head + date_text(ready.item.date) + b" " if ready.item.date is not None else head

    def _append(self, batch: list[PreparedAppend]) -> list[tuple[frozenset[str], str]] | TaggedReply:
        """Send one APPEND that carries the whole batch.

        Returns:
            For each message the flags that were sent and its href; or the server's refusal of the whole
            batch.
        """
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

    def _store_pipelined(self, batch: list[PreparedAppend]) -> Iterator[Stored | Failed | Refusal]:
        """Send single APPENDs; send all before the first reply is awaited where the server allows it."""
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
        confirmed: set[str] = set()
        since: list[int] = []
        for ready, flags, reply in zip(batch, sent, replies, strict=True):
            since.append(self.witness.done)
            if reply.ok:
                (href,) = self._hrefs(reply, [ready], None)
                if href in confirmed:
                    raise Transient("append-unconfirmed", "the server confirmed one place for two messages")
                confirmed.add(href)
                self.witness.done += 1
                yield self._stored_result(ready, flags, href)
        for ready, flags, reply, done in zip(batch, sent, replies, since, strict=True):
            if not reply.ok and self._can_retry_with_fewer_keywords(flags, reply):
                yield from self.store([ready])
            elif not reply.ok:
                yield self._refused(ready, reply, done)

    def _literal(self, connection: ImapConnection, tag: bytes, ready: PreparedAppend) -> TaggedReply | None:
        """Announce and send one body; return the refusal if the server gives one.

        A large body waits for the server's "+", so that the server can refuse before the bytes travel.
        """
        if ready.data is not None and self.session.takes_literal(ready.size):
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
        """Call the guard; when it refuses, abandon the connection so that nothing sent becomes effective."""
        try:
            self.guard()
        except BaseException:
            connection.abandon()
            raise

    def _mark(self) -> str | None:
        """Return the mailbox's position before the append where the server lacks UIDPLUS, else None."""
        return None if self.session.has("UIDPLUS") else position(self.session, self.raw)

    def _hrefs(self, reply: TaggedReply, batch: list[PreparedAppend], before: str | None) -> list[str]:
        """Return the href of each message of a batch from APPENDUID, or by a search without UIDPLUS."""
        if reply.reason == "APPENDUID":
            validity, uids = _parse_appenduid(reply.code, len(batch))
        elif before is not None:
            validity, uids = self._locate(before, batch)
        else:
            raise Transient("append-unconfirmed", "the server took a batch and did not say where")
        if len(uids) != len(batch):
            raise Transient("append-unconfirmed", "the server confirmed another number of messages")
        return [f"{validity}:{uid}" for uid in uids]

    def _locate(self, before: str, batch: list[PreparedAppend]) -> tuple[str, list[int]]:
        """Return UIDVALIDITY and UIDs of a batch that was stored without UIDPLUS.

        Exactly as many new messages as were sent, of the same sizes and in the same order, are ours. When
        another client delivered at the same time, only digests can decide: the caller settles.
        """
        validity, _, first = before.partition(":")
        entries = [e for w in windows(self.session, self.raw, int(first) - 1, b"UID RFC822.SIZE") for e in w]
        sizes = [number(entry[b"RFC822.SIZE"]) for entry in entries]
        sent = [_canonical_size(ready) for ready in batch]
        alike = len(sizes) == len(sent) and all(b in (None, a) for a, b in zip(sizes, sent, strict=True))
        selected = self.session.selected
        if not alike or selected is None or str(selected.uidvalidity) != validity:
            raise Transient("append-unconfirmed", "other messages arrived meanwhile")
        return validity, [uid_of(entry) for entry in entries]


def _parse_appenduid(code: str, most: int) -> tuple[str, list[int]]:
    """Return UIDVALIDITY and UIDs of a response code such as "APPENDUID 7 3:5".

    Messages get their UIDs in the order in which they were sent, so a set in any other order confirms
    nothing.

    Args:
        code: the text between the brackets.
        most: the number of messages that were sent.

    Raises:
        Transient: "append-unconfirmed".

    Source:
        RFC 9051, section 2.3.1.1 (UIDs ascend) and RFC 4315, section 3 (APPENDUID).
    """
    match = _APPENDUID.fullmatch(code)
    try:
        uids = numbers(match[2], most) if match else []
    except ValueError:
        uids = []
    if match is None or not uids or any(b <= a for a, b in pairwise(uids)):
        raise Transient("append-unconfirmed", "the server's confirmation makes no sense")
    return str(int(match[1])), uids


def position(session: Session, raw: bytes) -> str:
    """Return "UIDVALIDITY:UIDNEXT" of a mailbox.

    Args:
        session: the session of the account.
        raw: the encoded name of the mailbox.

    Raises:
        Transient: "protocol-error" when the server gives no such numbers.
        Blocked: "container-missing".
    """
    status = session.status(raw, "UIDVALIDITY", "UIDNEXT")
    values = [status.get(name, "") for name in ("UIDVALIDITY", "UIDNEXT")]
    if not all(_NUMBER.fullmatch(value) for value in values):
        raise session.connection.nonsense()
    return ":".join(values)


def flags_kept(flags: frozenset[str], permanent: frozenset[str]) -> frozenset[str] | None:
    r"""Return the flags of an item that this server keeps.

    Args:
        flags: the flags of the item.
        permanent: what PERMANENTFLAGS allows; `\*` means any keyword.

    Returns:
        The flags to send; None when one of them is not an atom, so that no server may take it.

    Source:
        RFC 9051, section 7.1 (PERMANENTFLAGS) and section 9 (flag-keyword is an atom).
    """
    if any(not _ATOM.fullmatch(flag.removeprefix("\\")) for flag in flags):
        return None
    any_keyword = "\\*" in permanent
    allowed = {flag.lower() for flag in permanent}
    return frozenset(
        flag
        for flag in flags
        if flag.lower() in SYSTEM_FLAGS
        or (not flag.startswith("\\") and (any_keyword or flag.lower() in allowed))
    )


def _failure_of(ready: PreparedAppend, reply: TaggedReply) -> Failed:
    """Return the failure of an item that was refused alone; raise when the cause concerns all items."""
    if reply.reason == "OVERQUOTA":
        raise (Blocked("over-quota", "raise the quota, then resume").about(reply.known).quoting(reply.said))
    if reply.reason not in ITEM_FAULTS:
        raise_for(reply)
    error = Rejected("too-large" if reply.reason == "TOOBIG" else "refused-by-target")
    return Failed(ready.item.key, error.about(reply.known).quoting(reply.said))


def _stream_length(stream: BinaryIO, already: int) -> int:
    """Return the length of a whole stream in bytes; read it through when it cannot seek."""
    if stream.seekable():
        return stream.seek(0, os.SEEK_END)
    size = already
    while chunk := stream.read(CHUNK):
        size += len(chunk)
    return size


def _canonical_size(ready: PreparedAppend) -> int | None:
    """Return the size once every line ends in CRLF; None when the body is not held."""
    if ready.data is None:
        return None
    return ready.size + ready.data.count(b"\n") - ready.data.count(b"\r\n")
