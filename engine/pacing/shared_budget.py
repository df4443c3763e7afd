"""Take requests out of the budget that all workers of a ledger share for one server.

A server counts requests by address and User-Agent, so that there is one budget for each server and
User-Agent, whatever is moved there. It is kept in the ledger (engine.pacing.request_budget). Whether the
workers' machines reach the server from one address is not known; it is assumed, because the other error
exceeds the limit.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from connectors.http.rate_limit import NO_BUDGET, RateLimited, RequestBudget
from engine.config.load import Config
from engine.pacing.request_budget import BudgetLease, BudgetRules, BudgetState
from ledger.db.shared_values import change_value, read_value
from ledger.open_ledgers import held_open
from model.errors import Transient

RATE_LIMITED = "target-rate-limit"
STEP_SECONDS = 1.0
"""How often a request that waits looks whether its connection was closed."""
_NAME = "requests:"

Change = Callable[[str, float], tuple[str, BudgetLease]]
Exchange = Callable[[Change], BudgetLease]
"""Changes the state that all workers share; see ledger.db.shared_values.change_value."""


class SharedBudget:
    """Take requests one by one, in the order in which they were asked for. Thread-safe."""

    def __init__(
        self, rules: BudgetRules, exchange: Exchange, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare a budget; nothing is leased before the first request.

        Args:
            rules: how the limit is divided.
            exchange: changes the state that all workers share.
            clock: seconds, from any origin.
        """
        self._rules = rules
        self._exchange = exchange
        self._clock = clock
        self._worker = f"{socket.gethostname()[:24]}-{id(self):x}-{time.time_ns():x}"
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._left = 0
        self._valid = 0.0
        self._ready = self._free = 0.0
        self._waited = float("-inf")
        self._until: float | None = None

    @property
    def waits_until(self) -> float | None:
        """Until when requests wait, in seconds since 1970; None if they do not."""
        return self._until if self.spent else None

    @property
    def spent(self) -> bool:
        """True if a request would have to wait, as far as this worker knows."""
        with self._changed:
            return self._until is not None and self._clock() < self._free

    def waited_within(self, seconds: float) -> bool:
        """Return True if a request waited within the last seconds."""
        with self._changed:
            return self._clock() - self._waited <= seconds

    def take(self, pause: Callable[[float], None]) -> None:
        """Wait until one more request may be sent; see connectors.http.rate_limit.RequestBudget."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
        try:
            while not self._is_served(ticket):
                pause(0.0)
                self._await(ticket)
        finally:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def refused(self, seconds: float | None) -> bool:
        """Let every worker wait as long as the server asks; see RequestBudget."""

        def change(text: str, at: float) -> tuple[str, BudgetLease]:
            state = self._rules.refused(BudgetState.read(text), seconds, at)
            return state.text(), BudgetLease(0, 0.0, state.closed)

        self._exchange(change)
        with self._changed:
            self._valid = self._ready = self._clock()
        return True

    # -- internals

    def _is_served(self, ticket: object) -> bool:
        """Use a leased request if it is this one's turn."""
        with self._changed:
            if self._queue[0] is not ticket or not self._left or self._clock() >= self._valid:
                return False
            self._left -= 1
            return True

    def _await(self, ticket: object) -> None:
        """Lease the next block if it is this one's turn and time; else wait for a while."""
        with self._changed:
            pause = self._ready - self._clock() if self._queue[0] is ticket else STEP_SECONDS
            if pause > 0:
                if self._until is not None:
                    self._waited = self._clock()
                self._changed.wait(min(pause, STEP_SECONDS))
                return
        self._lease()

    def _lease(self) -> None:
        """Ask for the next block. Only the first in the queue does so, outside of the lock."""
        unused, asked = self._left, self._clock()

        def change(text: str, at: float) -> tuple[str, BudgetLease]:
            state, lease = self._rules.lease(BudgetState.read(text), self._worker, unused, at)
            return state.text(), lease

        lease = self._exchange(change)
        with self._changed:
            self._left = lease.requests
            self._valid = asked + lease.seconds if lease.requests else asked
            self._ready = asked if lease.requests else self._clock() + lease.seconds
            self._until = None if lease.requests else lease.until
            self._free = self._clock() + lease.free_in


@dataclass(frozen=True, slots=True)
class StoppableBudget:
    """Take requests for a leg: none waits on once the leg is to stop.

    Attributes:
        budget: the budget.
        stop: the request to stop.
    """

    budget: RequestBudget
    stop: threading.Event

    def take(self, pause: Callable[[float], None]) -> None:
        """Wait until one more request may be sent; raise Transient once the leg is to stop."""

        def heeding(seconds: float) -> None:
            if self.stop.is_set():
                raise Transient(
                    RATE_LIMITED, "the workload was asked to stop while it waited for the rate limit"
                )
            pause(seconds)

        self.budget.take(heeding)

    def refused(self, seconds: float | None) -> bool:
        """See RequestBudget."""
        return self.budget.refused(seconds)


_lock = threading.Lock()
_budgets: dict[tuple[str, str], SharedBudget] = {}


def budget_of(config: Config, settings: object) -> SharedBudget | None:
    """Return this process's access to the budget of a server; None if the server has no rate limit.

    Args:
        config: the configuration.
        settings: the settings of a source or a target.
    """
    if not isinstance(settings, RateLimited) or (limit := settings.limit) is None:
        return None
    name, rules = name_of(settings), BudgetRules(limit)
    with _lock:
        key = (config.ledger_url(), f"{name}:{limit.requests}:{limit.seconds}")
        if key not in _budgets:
            _budgets[key] = SharedBudget(rules, _exchange_of(config, name))
        return _budgets[key]


def request_budget(config: Config, settings: object, stop: threading.Event | None = None) -> RequestBudget:
    """Return what a connection to a server asks before each request; see budget_of.

    Args:
        config: the configuration.
        settings: the settings of the source or the target.
        stop: set when whoever uses it is to stop; None if it is never stopped.
    """
    budget = budget_of(config, settings)
    if budget is None:
        return NO_BUDGET
    return budget if stop is None else StoppableBudget(budget, stop)


def waits_until(config: Config, settings: object) -> float | None:
    """Return until when any worker waits for the rate limit of a server, in seconds since 1970.

    None if none waits, or if the server has no rate limit.
    """
    if not isinstance(settings, RateLimited) or settings.limit is None:
        return None
    text, at = read_value(held_open(config.ledger_url()), name_of(settings))
    return BudgetRules(settings.limit).waits_until(BudgetState.read(text), at)


def name_of(settings: RateLimited) -> str:
    """Return the name of the budget of a server."""
    return _NAME + hashlib.blake2b(settings.counted_as.encode(), digest_size=8).hexdigest()


def _exchange_of(config: Config, name: str) -> Exchange:
    """Return how the state of a budget is changed; in memory as long as there is no ledger.

    A command that only looks makes no ledger. Without one there is no other worker.
    """
    memory, file = [""], config.ledger_file

    def exchange(change: Change) -> BudgetLease:
        if file is None or file.exists():
            return change_value(held_open(config.ledger_url()), name, change)
        memory[0], lease = change(memory[0], time.time())
        return lease

    return exchange
