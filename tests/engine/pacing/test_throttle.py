"""The pace against simulated servers: one that queues, one that fails, several workers, a budget."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pacing.call_metrics import MetricsSample
from engine.pacing.throttle import AGAIN, FLOOR, FULL, SLOWEST, Throttle, shares

PERIOD = 5.0


@dataclass
class Server:
    """Answers a call in `base` seconds while no more than `capacity` are asked at once; then they queue."""

    base: float = 0.2
    capacity: float = 4.0

    def latency(self, at_once: float) -> float:
        return self.base * max(1.0, at_once / self.capacity) ** 2

    def period(self, legs: float, of_all: float, dice: random.Random) -> MetricsSample:
        """What `legs` of a worker find while `of_all` are at work."""
        latency = self.latency(of_all) * dice.uniform(0.9, 1.1)
        calls = max(1, int(legs * PERIOD / latency))
        return MetricsSample(calls, 0, calls * latency)


GOOD, SLOW = MetricsSample(20, 0, 2.0), MetricsSample(20, 0, 80.0)
DOWN, FAILING = MetricsSample(10, 8, 1.0), MetricsSample(10, 3, 1.0)


def throttle(pace: float = FULL) -> Throttle:
    return Throttle(slow=1.0, share=0.2, pace=pace)


@pytest.mark.parametrize("seed", range(5))
def test_one_worker_finds_what_a_server_that_queues_can_bear_and_stays_there(seed: int) -> None:
    dice, server, held = random.Random(seed), Server(), throttle()
    legs, paces = 32, []
    for _ in range(400):
        at_work = max(1, int(held.pace * legs))
        held.judge(server.period(at_work, at_work, dice))
        paces.append(held.pace)
    settled = paces[50:]
    # 4 at once answer in 0.2 s; 9 in 1 s, which is too slow.
    assert 0.5 < sum(settled) / len(settled) * legs / 9 < 1.3
    assert min(settled) >= SLOWEST
    assert max(settled) < 0.6


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_that_share_a_server_slow_down_together(workers: int) -> None:
    dice, server = random.Random(7), Server(capacity=10)
    runner, legs = [throttle() for _ in range(workers)], 16
    last = [MetricsSample() for _ in runner]
    sums = []
    for _ in range(300):
        at_work = [max(1, int(one.pace * legs)) for one in runner]
        seen = [server.period(mine, sum(at_work), dice) for mine in at_work]
        for number, one in enumerate(runner):
            one.judge(seen[number], [other for place, other in enumerate(last) if place != number])
        last = seen
        sums.append(sum(at_work))
    paces = [one.pace for one in runner]
    assert max(paces) - min(paces) <= 0.3
    assert 8 <= sum(sums[50:]) / len(sums[50:]) <= 30


def test_it_slows_down_and_recovers_with_the_server() -> None:
    held = throttle()
    for _ in range(12):
        held.judge(SLOW)
    assert held.pace == SLOWEST
    for _ in range(20):
        held.judge(GOOD)
    assert held.pace == FULL


def test_slowness_alone_never_halts() -> None:
    held = throttle()
    for _ in range(1000):
        assert held.judge(SLOW) >= SLOWEST


def test_a_server_that_fails_is_halted_and_goes_on_when_a_try_goes_well() -> None:
    held = throttle()
    held.judge(DOWN)
    assert held.halted
    held.judge(MetricsSample())
    assert held.halted
    held.judge(MetricsSample(1, 1, 0.1))
    assert held.halted
    held.judge(MetricsSample(3, 0, 0.3))
    assert held.pace == AGAIN
    for _ in range(20):
        held.judge(GOOD)
    assert held.pace == FULL


def test_a_server_that_fails_often_is_slowed_down_and_then_halted() -> None:
    held, paces = throttle(), []
    while not held.halted:
        paces.append(held.judge(FAILING))
    assert sorted(set(paces), reverse=True) == [1 / 2, 1 / 4, 1 / 8, 1 / 16, 0.0]


def test_a_single_fault_or_slow_call_proves_nothing() -> None:
    held = throttle()
    held.judge(MetricsSample(1, 1, 0.1))
    held.judge(MetricsSample(1, 0, 30.0))
    assert held.pace == FULL


def test_without_a_call_the_pace_stays() -> None:
    held = throttle(0.5)
    for _ in range(100):
        held.judge(MetricsSample())
    assert held.pace == 0.5


def test_what_only_one_worker_meets_does_not_halt_the_others() -> None:
    broken, well = throttle(), throttle()
    for _ in range(40):
        broken.judge(DOWN, [MetricsSample(200, 0, 20.0)])
        well.judge(MetricsSample(200, 0, 20.0), [DOWN])
    assert broken.halted
    assert well.pace == FULL


@given(
    st.lists(st.builds(MetricsSample, st.integers(0, 50), st.integers(0, 50), st.floats(0, 500)), max_size=80)
)
def test_a_pace_is_always_one_that_means_something(readings: list[MetricsSample]) -> None:
    held = throttle()
    for reading in readings:
        pace = held.judge(reading)
        assert pace == 0.0 or FLOOR <= pace <= FULL


@given(st.integers(1, 60), st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 64), max_size=8))
def test_a_budget_is_shared_and_kept(budget: int, wanted: dict[str, int]) -> None:
    given_out = shares(budget, wanted)
    assert sum(given_out.values()) == min(budget, sum(wanted.values()))
    assert all(given_out[name] <= wanted[name] for name in wanted)
    hungry = [given_out[name] for name in wanted if given_out[name] < wanted[name]]
    assert all(given_out[name] <= min(hungry) + 1 for name in wanted) if hungry else True


AWAY, BACK = MetricsSample(6, 6, 0.1, failures=6), MetricsSample(20, 3, 2.0, outage=True)


def recovered(held: Throttle) -> list[float]:
    """The paces of a server that is tried with success after a halt, until they no longer double."""
    paces = []
    for _ in range(5):
        held.judge(GOOD)
        paces.append(held.pace)
    return paces


def test_a_server_that_was_away_gets_its_former_pace_within_few_periods() -> None:
    held = throttle()
    assert held.judge(AWAY) == 0.0
    assert held.judge(AWAY) == 0.0
    assert recovered(held) == [AGAIN, 0.25, 0.5, FULL, FULL]


def test_a_server_that_was_away_within_one_period_is_not_one_of_which_calls_fail() -> None:
    held = throttle()
    assert held.judge(BACK) == AGAIN
    assert recovered(held)[:3] == [0.25, 0.5, FULL]


def test_a_server_that_goes_away_again_soon_comes_back_to_half_of_what_it_had_reached() -> None:
    held = throttle()
    held.judge(AWAY)
    recovered(held)
    held.judge(AWAY)
    assert recovered(held) == [AGAIN, 0.25, 0.5, 0.55, pytest.approx(0.6)]
    held.judge(AWAY)
    assert recovered(held)[:3] == [AGAIN, 0.25, pytest.approx(0.3)]


def test_a_server_that_is_slow_before_it_goes_away_comes_back_to_half_of_its_pace() -> None:
    held = throttle()
    held.judge(MetricsSample(6, 6, 60.0, failures=6))
    assert recovered(held)[:4] == [AGAIN, 0.25, 0.5, 0.55]


def test_what_comes_back_and_fails_again_is_slowed_down_as_ever() -> None:
    held = throttle()
    held.judge(AWAY)
    held.judge(GOOD)
    held.judge(GOOD)
    assert held.pace == 0.25
    assert held.judge(MetricsSample(100, 30, 1.0)) == 0.125
    held.judge(GOOD)  # it still contains calls from before the decrease
    assert held.judge(GOOD) == pytest.approx(0.175)
