"""Divide a server's rate limit among all workers: what is leased, for how long, and to whom next. Pure.

A worker leases requests in blocks, so that no request costs a transaction. A block counts until every request
that it may have paid for has left the server's window. So the number of requests in any window, wherever it
begins, stays within the limit. A worker that lives gives back what it did not use, with its next lease; the
block of one that died counts until its time is over.

Workers that wait form a queue: who waited longer is served first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from connectors.http.rate_limit import RateLimit

BLOCK_MOST = 50
"""The most requests of one lease."""
BLOCKS_LEAST = 20
"""Into how many blocks a limit is divided at least, so that no worker takes a large part of it at once."""
VALID_SECONDS, SLACK_SECONDS, ASK_SECONDS = 10.0, 5.0, 5.0
"""How long a block may be used; how much longer than the window it counts, because requests travel; how often
a waiting worker asks again at least. Each is shorter for a short window."""
ABSENT = 3
"""A worker that has not asked for so many times ASK_SECONDS no longer waits."""
KEPT_SHARE = 0.01
"""The share of the limit that is never leased: a session's logout is sent whatever was leased."""
CLOSED_SECONDS, CLOSED_MOST = 60.0, 900.0
"""How long nothing is sent after a refusal that states no delay, and at most."""


@dataclass(frozen=True, slots=True)
class Block:
    """Hold requests that count against the limit.

    Attributes:
        worker: who may still use them; "" once they are used.
        ends: when they no longer count, by the database's clock.
        requests: how many.
    """

    worker: str
    ends: float
    requests: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Say since when a worker waits.

    Attributes:
        worker: who waits.
        since: since when.
        seen: when it asked last.
    """

    worker: str
    since: float
    seen: float


@dataclass(frozen=True, slots=True)
class BudgetState:
    """Hold what all workers know of one server's limit; times are of the database's clock.

    Attributes:
        blocks: what counts.
        queue: who waits.
        closed: until when the server refuses everything.
    """

    blocks: tuple[Block, ...] = ()
    queue: tuple[Waiting, ...] = ()
    closed: float = 0.0

    @classmethod
    def read(cls, text: str) -> BudgetState:
        """Return the state that `text` holds; an empty one for ""."""
        if not text:
            return cls()
        raw = json.loads(text)
        blocks = tuple(Block(*entry) for entry in raw["blocks"])
        return cls(blocks, tuple(Waiting(*entry) for entry in raw["queue"]), raw["closed"])

    def text(self) -> str:
        """Return the state as text."""
        blocks = [[block.worker, round(block.ends, 3), block.requests] for block in self.blocks]
        queue = [[entry.worker, entry.since, entry.seen] for entry in self.queue]
        return json.dumps({"blocks": blocks, "queue": queue, "closed": self.closed}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class BudgetLease:
    """Say what a worker got.

    Attributes:
        requests: how many requests it may send; 0 if it has to wait.
        seconds: for how long it may send them, or when to ask again.
        until: when the next request is free, by the database's clock; 0 for one that need not wait.
        free_in: how many seconds that is from now.
    """

    requests: int
    seconds: float
    until: float = 0.0
    free_in: float = 0.0


@dataclass(frozen=True, slots=True)
class BudgetRules:
    """Hold the times of one limit; see the constants.

    Attributes:
        limit: the limit.
        valid: seconds.
        slack: seconds.
        ask: seconds.
        block: requests of one lease.
        most: requests that are leased in any window.
    """

    limit: RateLimit
    valid: float = field(init=False)
    slack: float = field(init=False)
    ask: float = field(init=False)
    block: int = field(init=False)
    most: int = field(init=False)

    def __post_init__(self) -> None:
        window = self.limit.seconds
        object.__setattr__(self, "valid", min(VALID_SECONDS, window / 10))
        object.__setattr__(self, "slack", min(SLACK_SECONDS, window / 10))
        object.__setattr__(self, "ask", min(ASK_SECONDS, window / 10))
        object.__setattr__(self, "block", max(1, min(BLOCK_MOST, self.limit.requests // BLOCKS_LEAST)))
        object.__setattr__(self, "most", self.limit.requests - int(KEPT_SHARE * self.limit.requests))

    @property
    def counts(self) -> float:
        """Seconds for which a block counts after its last request."""
        return self.limit.seconds + self.slack

    def lease(
        self, state: BudgetState, worker: str, unused: int, at: float
    ) -> tuple[BudgetState, BudgetLease]:
        """Give a worker its next block, or say how long to wait.

        Args:
            state: what is known.
            worker: who asks. It uses no request of an earlier block any more.
            unused: how many requests of its last block it did not use.
            at: the time.

        Returns:
            What is known then, and what the worker got.
        """
        blocks = tuple(self._current(state, worker, unused, at))
        queue = [entry for entry in state.queue if at - entry.seen <= ABSENT * self.ask]
        own = next((entry for entry in queue if entry.worker == worker), Waiting(worker, at, at))
        others = tuple(entry for entry in queue if entry.worker != worker)
        ahead = sum((entry.since, entry.worker) < (own.since, own.worker) for entry in others)
        closed = min(state.closed, at + CLOSED_MOST)
        known = BudgetState(blocks, others, closed)
        until = max(closed, self._free_at(blocks, ahead * self.block, at))
        if until > at:
            known = replace(known, queue=(*others, replace(own, seen=at)))
            return known, BudgetLease(0, min(until - at, self.ask), until, until - at)
        free = self.most - sum(block.requests for block in blocks) - ahead * self.block
        leased = Block(worker, at + self.valid + self.counts, min(self.block, free))
        return replace(known, blocks=(*blocks, leased)), BudgetLease(leased.requests, self.valid)

    def refused(self, state: BudgetState, seconds: float | None, at: float) -> BudgetState:
        """Return the state after the server refused a request because of its limit."""
        pause = min(CLOSED_SECONDS if seconds is None else seconds, CLOSED_MOST)
        return replace(state, closed=max(state.closed, at + pause))

    def waits_until(self, state: BudgetState, at: float) -> float | None:
        """Return until when workers wait, by the database's clock; None if none waits."""
        if not any(at - entry.seen <= ABSENT * self.ask for entry in state.queue):
            return None
        blocks = tuple(block for block in state.blocks if block.ends > at)
        until = max(state.closed, self._free_at(blocks, 0, at))
        return until if until > at else None

    def _current(self, state: BudgetState, worker: str, unused: int, at: float) -> Iterator[Block]:
        """Yield what still counts; what the worker used of its last block counts from now on."""
        longest = at + self.valid + self.counts  # a clock that was put back must not halt everybody
        for block in state.blocks:
            ends = min(block.ends, longest)
            if block.worker == worker:
                used = Block("", min(ends, at + self.counts), block.requests - unused)
                if used.requests > 0 and used.ends > at:
                    yield used
            elif ends > at:
                yield replace(block, ends=ends)

    def _free_at(self, blocks: tuple[Block, ...], reserved: int, at: float) -> float:
        """Return when a request is free that is not reserved for workers who waited longer."""
        free = self.most - reserved - sum(block.requests for block in blocks)
        if free > 0:
            return at
        for block in sorted(blocks, key=lambda block: block.ends):
            free += block.requests
            if free > 0:
                return block.ends
        return at + self.ask  # more wait than the limit has blocks
