"""How a rate limit is divided: simulated workers with requests to send, over hours of simulated time."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

import pytest

from connectors.http.rate_limit import RateLimit
from engine.pacing.request_budget import BudgetLease, BudgetRules, BudgetState

AS_SHIPPED = RateLimit(1500, 300.0)


@dataclass
class Worker:
    """Sends a request every `each` seconds while it may; dies after `lives` requests."""

    name: str
    each: float
    owes: int
    lives: int = 10**9
    left: int = 0
    valid: float = 0.0
    next: float = 0.0
    sent: list[float] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return len(self.sent) >= min(self.owes, self.lives)


class Office:
    """Workers that share one limit."""

    def __init__(self, limit: RateLimit, *workers: Worker) -> None:
        self.rules = BudgetRules(limit)
        self.workers = workers
        self.text = ""
        self.leases = 0

    def lease(self, worker: Worker, at: float) -> BudgetLease:
        state, lease = self.rules.lease(BudgetState.read(self.text), worker.name, worker.left, at)
        self.text = state.text()
        self.leases += 1
        return lease

    def turn(self, worker: Worker, at: float) -> None:
        if not worker.left or at >= worker.valid:
            lease = self.lease(worker, at)
            worker.left = lease.requests
            worker.valid = at + lease.seconds
            if not lease.requests:
                worker.next = at + lease.seconds
                return
        worker.left -= 1
        worker.sent.append(at)
        worker.next = at + worker.each

    def work(self, until: float = 1e6) -> float:
        """Until nobody owes anything, or until then; returns when."""
        at = 0.0
        while at < until and (busy := [one for one in self.workers if not one.done]):
            worker = min(busy, key=lambda one: one.next)
            at = max(at, worker.next)
            self.turn(worker, at)
        return at

    def most(self) -> int:
        """The most requests in any window."""
        sent = sorted(moment for worker in self.workers for moment in worker.sent)
        window = self.rules.limit.seconds
        return max(bisect_left(sent, begun + window) - number for number, begun in enumerate(sent))


@pytest.mark.parametrize("seed", range(6))
def test_no_window_holds_more_than_the_limit_wherever_it_begins(seed: int) -> None:
    chance = random.Random(seed)
    limit = RateLimit(chance.choice((7, 60, 400, 1500)), chance.choice((10.0, 60.0, 300.0)))
    workers = [
        Worker(f"w{n}", chance.choice((0.001, 0.04, 0.5, 7.0)), 3 * limit.requests // 2, next=50 * n)
        for n in range(chance.randint(1, 6))
    ]
    office = Office(limit, *workers)
    office.work()
    assert all(worker.done for worker in workers)
    assert office.most() <= limit.requests


def test_nearly_all_of_the_limit_is_used() -> None:
    office = Office(AS_SHIPPED, *(Worker(f"w{n}", 0.04, 10_000) for n in range(4)))
    office.work(3600.0)
    sent = sum(len(worker.sent) for worker in office.workers)
    assert sent > 0.92 * 12 * 1500


def test_a_slow_worker_alone_never_waits_for_what_it_did_not_use() -> None:
    slow = Worker("slow", 4.0, 400)
    office = Office(AS_SHIPPED, slow)
    assert office.work() <= 4.0 * 400
    assert office.leases < len(slow.sent)


def test_requests_do_not_cost_a_lease_each() -> None:
    office = Office(AS_SHIPPED, Worker("fast", 0.01, 1485))
    office.work()
    assert office.leases <= 1500 / 50 + 1


def test_workers_get_about_the_same_whoever_came_first() -> None:
    workers = [Worker("early", 0.01, 10**6), Worker("late", 0.01, 10**6, next=30.0)]
    workers.append(Worker("slower", 0.05, 10**6, next=200.0))
    office = Office(AS_SHIPPED, *workers)
    office.work(7200.0)
    counts = Counter({worker.name: len([one for one in worker.sent if one > 600]) for worker in workers})
    assert counts["late"] > 0.8 * counts["early"]
    assert counts["slower"] > 0.3 * counts["early"]  # it comes for a block more seldom


def test_what_a_dead_worker_leased_is_free_after_the_window() -> None:
    dead = Worker("dead", 0.001, 10**6, lives=1480)
    office = Office(AS_SHIPPED, dead)
    died = office.work()
    living = Worker("living", 0.0, 1500)
    first = office.lease(living, died)
    assert first.requests == 0
    assert died < first.until <= died + office.rules.valid + office.rules.counts
    at, got = first.until, 0
    while (lease := office.lease(living, at)).requests:
        got += lease.requests
        at += 0.1
    assert got > 1000  # what it sent, and what it never sent


def test_a_dead_worker_in_the_queue_holds_nobody_up_for_long() -> None:
    office = Office(RateLimit(20, 300.0))
    for number in range(20):
        assert office.lease(Worker(f"w{number}", 0.0, 1), 0.0).requests == 1
    assert office.lease(Worker("dead", 0.0, 1), 1.0).requests == 0
    at, living = 2.0, Worker("living", 0.0, 1)
    while not (lease := office.lease(living, at)).requests:
        at += lease.seconds
    assert at <= office.rules.valid + office.rules.counts + 2 * office.rules.ask


def test_a_refusal_is_for_everybody() -> None:
    office = Office(AS_SHIPPED)
    one, other = Worker("one", 0.0, 1), Worker("other", 0.0, 1)
    assert office.lease(one, 0.0).requests == 50
    office.text = office.rules.refused(BudgetState.read(office.text), 300.0, 1.0).text()
    assert (office.lease(other, 2.0).requests, office.lease(other, 2.0).until) == (0, 301.0)
    assert office.rules.waits_until(BudgetState.read(office.text), 3.0) == 301.0
    assert office.lease(other, 301.0).requests == 50
    assert office.rules.waits_until(BudgetState.read(office.text), 302.0) is None


def test_a_clock_that_is_put_back_halts_nobody_for_long() -> None:
    office = Office(RateLimit(10, 100.0))
    ahead = 10**6
    for number in range(10):
        assert office.lease(Worker(f"w{number}", 0.0, 1), ahead).requests == 1
    lease = office.lease(Worker("late", 0.0, 1), 0.0)
    assert 0 < lease.until <= office.rules.valid + office.rules.counts
