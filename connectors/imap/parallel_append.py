"""Write to one mailbox over several connections at a time.

A server makes every message durable before it answers and mostly waits for its disk: Dovecot 2.4.1 on one
disk takes 2,300 messages of 8 KB a second over one connection and 3,500 over two. Each MULTIAPPEND stays
whole and on one connection; batches of one call may be stored in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice

from connectors.imap.append import Appender, PreparedAppend
from connectors.imap.session import Session
from model.errors import Blocked, Transient
from model.protocols import Failed, Item, Stored


@dataclass(slots=True)
class AppendJob:
    """Hold one connection with its batch of a round.

    Attributes:
        appender: writes over this connection.
        part: the batch.
        results: what was stored or refused, also when an error followed.
    """

    appender: Appender
    part: list[PreparedAppend]
    results: list[Stored | Failed] = field(default_factory=list)

    def run(self) -> None:
        """Store the batch and collect the results."""
        self.results.extend(self.appender.store(self.part))


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
    refused: list[Failed] = []
    parts = first.parts(items, refused)
    first_parts = list(islice(parts, 2))
    appenders = (first, *others()) if len(first_parts) > 1 else (first,)
    parts = chain(first_parts, parts)
    while round_parts := list(islice(parts, len(appenders))):
        yield from _drain(refused)
        if len(round_parts) == 1:
            yield from first.store(round_parts[0])
        else:
            yield from _store_at_once(
                [AppendJob(*pair) for pair in zip(appenders, round_parts, strict=False)]
            )
    yield from _drain(refused)


def usable(sessions: Iterable[Session]) -> Iterator[Session]:
    """Yield the sessions that can be connected: a server may allow fewer connections per account."""
    for session in sessions:
        try:
            session.connection  # noqa: B018 - connects
        except (Transient, Blocked):
            session.close()
            return
        yield session


def _store_at_once(jobs: Sequence[AppendJob]) -> Iterator[Stored | Failed]:
    """Store the batches of all jobs at once and yield every result before raising an error.

    An error that concerns the mailbox is raised before a transient one.
    """
    with ThreadPoolExecutor(len(jobs), thread_name_prefix="append") as threads:
        running = [threads.submit(job.run) for job in jobs]
    errors = [error for future in running if (error := future.exception()) is not None]
    for job in jobs:
        yield from job.results
    if errors:
        raise min(errors, key=lambda error: isinstance(error, Transient))


def _drain(refused: list[Failed]) -> Iterator[Failed]:
    while refused:
        yield refused.pop()
