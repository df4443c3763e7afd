"""Write to one mailbox over several connections at a time.

A server makes every message durable before it answers and mostly waits for its disk: Dovecot 2.4.1 on one
disk takes 2,300 messages of 8 KB a second over one connection and 3,500 over two. Each MULTIAPPEND stays
whole and on one connection; batches of one call may be stored in any order.

Connecting needs several round trips. It happens beside the writing: until another connection is ready, the
first one takes every batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice
from math import ceil

from connectors.imap.append import Appender, PreparedAppend, Refusal
from connectors.imap.session import Session
from connectors.imap.wire.refusals import Refused
from model.errors import MigrationError, Transient
from model.protocols import Failed, Item, Stored

APART = 100
"""More messages than that are divided among the connections."""


def most_in_one(count: int, connections: int, most: int) -> int:
    """Return how many messages one command should carry.

    Args:
        count: the messages to write.
        connections: how many connections may write them.
        most: the most that one command may carry.
    """
    return most if count <= APART else min(most, max(APART // 2, ceil(count / connections)))


@dataclass(slots=True)
class ExtraSessions:
    """Hold the further sessions of an account, which connect when they are first wanted.

    Attributes:
        sessions: all of them.
        connecting: the thread that connects them, once it was started.
    """

    sessions: tuple[Session, ...]
    connecting: threading.Thread | None = None
    _connected: list[Session] = field(default_factory=list)

    def connected(self) -> tuple[Session, ...]:
        """Return those that are connected by now; the first call starts connecting, and does not wait."""
        if self.sessions and self.connecting is None:
            self.connecting = threading.Thread(target=self._connect, name="append-connect", daemon=True)
            self.connecting.start()
        return tuple(self._connected)

    def _connect(self) -> None:
        """Connect one after the other: a server may allow fewer connections per account."""
        for session in self.sessions:
            try:
                session.connection  # noqa: B018 - connects
            except MigrationError:  # the first connection meets what concerns the account
                session.close()
                return
            self._connected.append(session)


@dataclass(slots=True)
class SharedParts:
    """Hand batches out to several threads, each to one of them.

    Attributes:
        parts: the batches.
        ended: True once no more may be begun.
    """

    parts: Iterator[list[PreparedAppend]]
    ended: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> list[PreparedAppend] | None:
        """Return the next batch; None when there is none, or none may be begun."""
        with self._lock:
            return None if self.ended else next(self.parts, None)


@dataclass(slots=True)
class AppendJob:
    """Store batches over one connection, as long as there are any.

    Attributes:
        appender: writes over this connection.
        part: its first batch.
        parts: the other batches, which other connections take from too.
        results: what was stored or refused, also when an error followed.
    """

    appender: Appender
    part: list[PreparedAppend]
    parts: SharedParts
    results: list[Stored | Failed | Refusal] = field(default_factory=list)

    def run(self) -> None:
        """Store batches and collect the results; after an error no connection begins another batch."""
        part: list[PreparedAppend] | None = self.part
        try:
            while part is not None:
                self.results.extend(self.appender.store(part))
                part = self.parts.next()
        except BaseException:
            self.parts.ended = True
            raise


def write(
    first: Appender, others: Callable[[], Iterable[Appender]], items: Iterable[Item]
) -> Iterator[Stored | Failed]:
    """Store items over one or more connections; see `model.protocols.Target.write`.

    Args:
        first: the appender of the main connection.
        others: returns further appenders for the same mailbox; called only when there is more than one batch.
        items: the items to store.

    Yields:
        One result per item, in any order.

    Raises:
        LeaseLost, Blocked, Transient: as in `Appender.store`. Any item may have been stored.
    """
    doubtful: list[Refusal] = []
    for result in _write_once(first, others, items):
        if isinstance(result, Refused):
            doubtful.append(result)
        else:
            yield result
    if doubtful:
        yield from first.again(doubtful)


def _write_once(
    first: Appender, others: Callable[[], Iterable[Appender]], items: Iterable[Item]
) -> Iterator[Stored | Failed | Refusal]:
    """Send each item once; see `write`."""
    refused: list[Failed] = []
    parts = first.parts(items, refused)
    first_parts = list(islice(parts, 2))
    appenders = (first, *others()) if len(first_parts) > 1 else (first,)
    parts = chain(first_parts, parts)
    if len(appenders) == 1:
        for part in parts:
            yield from _drain(refused)
            yield from first.store(part)
    else:
        dealt, shared = list(islice(parts, len(appenders))), SharedParts(parts)
        jobs = [AppendJob(*pair, shared) for pair in zip(appenders, dealt, strict=False)]
        yield from _store_at_once(jobs, refused)
    yield from _drain(refused)


def _store_at_once(jobs: Sequence[AppendJob], refused: list[Failed]) -> Iterator[Stored | Failed | Refusal]:
    """Run all jobs at once and yield every result before raising an error.

    An error that concerns the mailbox is raised before a transient one.
    """
    with ThreadPoolExecutor(len(jobs), thread_name_prefix="append") as threads:
        running = [threads.submit(job.run) for job in jobs]
    errors = [error for future in running if (error := future.exception()) is not None]
    for job in jobs:
        yield from job.results
    yield from _drain(refused)
    if errors:
        raise min(errors, key=lambda error: isinstance(error, Transient))


def _drain(refused: list[Failed]) -> Iterator[Failed]:
    while refused:
        yield refused.pop()
