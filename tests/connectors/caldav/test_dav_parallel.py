"""Several at a time: order, the weight of errors, and what becomes of what was begun."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from connectors.http.parallel import spread
from model.errors import Blocked, LeaseLost, MigrationError, Transient


def _nothing(_item: object) -> None:
    return None


def test_every_item_has_its_result() -> None:
    assert sorted(spread(range(50), lambda number: number * 2, 4, _nothing)) == list(range(0, 100, 2))


def test_no_more_at_a_time_than_there_are_lanes() -> None:
    busy, most, lock = [0], [0], threading.Lock()
    meet = threading.Barrier(3, timeout=10)

    def act(number: int) -> int:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        meet.wait()
        with lock:
            busy[0] -= 1
        return number

    assert len(list(spread(range(9), act, 3, _nothing))) == 9
    assert most == [3]


def test_the_same_are_never_under_way_together() -> None:
    busy: set[int] = set()
    seen: list[int] = []
    lock = threading.Lock()

    def act(number: int) -> int:
        name = number % 2
        with lock:
            assert name not in busy
            busy.add(name)
            seen.append(number)
        threading.Event().wait(0.005)
        with lock:
            busy.remove(name)
        return number

    assert len(list(spread(range(12), act, 4, lambda number: number % 2))) == 12
    assert [one for one in seen if one % 2 == 0] == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([Transient("busy"), Blocked("over-quota")], "over-quota"),
        ([Blocked("over-quota"), LeaseLost("lease-lost")], "lease-lost"),
        ([Transient("busy"), Transient("busy")], "busy"),
    ],
)
def test_what_weighs_most_is_raised(errors: list[MigrationError], raised: str) -> None:
    meet = threading.Barrier(2, timeout=10)

    def act(error: MigrationError) -> None:
        meet.wait()
        raise error

    with pytest.raises(MigrationError, match=raised):
        list(spread(errors, act, 2, _nothing))


def test_after_an_error_nothing_is_begun_and_what_was_begun_is_told() -> None:
    begun: list[int] = []
    failed = threading.Event()

    def act(number: int) -> int:
        begun.append(number)
        if number == 1:
            failed.set()
            raise Transient("busy")
        failed.wait(10)
        return number

    told: list[int] = []
    with pytest.raises(Transient, match="busy"):
        _into(told, spread(range(100), act, 2, _nothing))
    assert 0 in told
    assert len(begun) <= 4
    assert sorted([*told, 1]) == sorted(begun)


def test_items_are_taken_no_faster_than_they_are_done() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    results = spread(items(), _double, 4, _nothing)
    for _ in range(10):
        next(results)
    assert len(taken) <= 10 + 4 + 1


_double: Callable[[int], int] = (2).__mul__


def _into(told: list[int], results: Iterator[int]) -> None:
    for one in results:
        told.append(one)  # noqa: PERF402 - what was told before the error counts
