"""Writing to one mailbox over several connections at a time.

A server makes every message durable before it answers, and mostly waits for its disk: Dovecot 2.4.1 on one
disk takes 2,300 messages of 8 KB a second over one connection and 3,500 over two. Each MULTIAPPEND stays
whole and on one connection; those of one call may be stored in any order.
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
class Lane:
    """One connection with its part of a turn. results also holds what was told before an error."""

    appender: Appender
    part: list[PreparedAppend]
    results: list[Stored | Failed] = field(default_factory=list)

    def run(self) -> None:
        self.results.extend(self.appender.store(self.part))


def write(
    first: Appender, others: Callable[[], Iterable[Appender]], items: Iterable[Item]
) -> Iterator[Stored | Failed]:
    """See model.protocols.Target.write. others, which write to the same mailbox, are asked for when
    there is more than one part to store."""
    refused: list[Failed] = []
    parts = first.parts(items, refused)
    begun = list(islice(parts, 2))
    appenders = (first, *others()) if len(begun) > 1 else (first,)
    parts = chain(begun, parts)
    while turn := list(islice(parts, len(appenders))):
        yield from _drained(refused)
        if len(turn) == 1:
            yield from first.store(turn[0])
        else:
            yield from _together([Lane(*pair) for pair in zip(appenders, turn, strict=False)])
    yield from _drained(refused)


def usable(sessions: Iterable[Session]) -> Iterator[Session]:
    """Those that can be connected: a server may allow one account fewer connections."""
    for session in sessions:
        try:
            session.connection  # noqa: B018 - connects
        except (Transient, Blocked):
            session.close()
            return
        yield session


def _together(lanes: Sequence[Lane]) -> Iterator[Stored | Failed]:
    """Waits for every lane, tells what each was told, and only then raises: what decides about the
    mailbox before what passes."""
    with ThreadPoolExecutor(len(lanes), thread_name_prefix="lane") as threads:
        running = [threads.submit(lane.run) for lane in lanes]
    errors = [error for one in running if (error := one.exception()) is not None]
    for lane in lanes:
        yield from lane.results
    if errors:
        raise min(errors, key=lambda error: isinstance(error, Transient))


def _drained(refused: list[Failed]) -> Iterator[Failed]:
    while refused:
        yield refused.pop()
