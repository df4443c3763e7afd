"""What one application asks of one mailbox: four requests at a time, ten thousand in ten minutes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.graph_api.rate_limit import Allowance, allowance


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


def test_never_more_than_four_at_a_time() -> None:
    shared = Allowance(4, 10_000)
    lock, under_way, most = threading.Lock(), 0, 0

    def ask(requests: int) -> None:
        nonlocal under_way, most
        with shared.taken(requests, time.sleep):
            with lock:
                under_way += min(requests, 4)
                most = max(most, under_way)
            time.sleep(0.01)
            with lock:
                under_way -= min(requests, 4)

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(ask, [1, 1, 20, 2, 1, 1, 3, 1, 20, 1, 1, 1]))
    assert most == 4


def test_the_budget_of_ten_minutes_is_waited_for_and_comes_back() -> None:
    clock = Clock()
    shared = Allowance(4, 100, clock)
    for _ in range(5):
        with shared.taken(20, clock.wait):
            pass
    assert clock.waited == []
    clock.now += 60
    with shared.taken(1, clock.wait):
        pass
    assert sum(clock.waited) == pytest.approx(540)
    assert clock.now - 1000 == pytest.approx(600)


def test_more_than_the_whole_budget_is_asked_all_the_same() -> None:
    clock = Clock()
    with Allowance(4, 10, clock).taken(20, clock.wait):
        pass
    assert clock.waited == []


def test_a_wait_ends_when_the_source_is_closed() -> None:
    class Closed(Exception):
        pass

    def closed(_: float) -> None:
        raise Closed

    shared = Allowance(1, 100)
    with shared.taken(1, time.sleep), pytest.raises(Closed), shared.taken(1, closed):
        pass


def test_the_legs_of_one_mailbox_share_and_other_mailboxes_do_not() -> None:
    one, other = allowance(("url", "app", "anna"), 4, 100), allowance(("url", "app", "anna"), 4, 100)
    assert one is other
    assert allowance(("url", "app", "ben"), 4, 100) is not one
