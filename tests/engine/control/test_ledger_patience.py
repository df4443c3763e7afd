"""A ledger whose database does not answer is asked again, for so long; nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.control.ledger_patience import ANSWERS, LedgerPatience, walk_patiently
from model.errors import Blocked, Transient, Unwritable

AWAY = Transient("ledger-unavailable", "the ledger's database did not answer")
STANDBY = Unwritable("ledger-unwritable", "the ledger's database server only reads: is it a standby?")


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.stopping = False

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, seconds: float = 60) -> LedgerPatience:
        return LedgerPatience(
            seconds, lambda: self.stopping, self.said.append, sleep=self.sleep, clock=lambda: self.now
        )


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return call


def test_it_is_asked_again_and_people_hear_of_it_once() -> None:
    clock = Clock()
    assert clock.patience().ask(failing(*[AWAY] * 5)) == "done"
    assert clock.said == ["the ledger's database does not answer; it is asked again for 60 seconds", ANSWERS]


def test_a_standby_that_takes_over_is_waited_for() -> None:
    clock = Clock()
    assert clock.patience().ask(failing(STANDBY, STANDBY)) == "done"


@pytest.mark.parametrize(
    "other",
    [
        Blocked("not-approved"),
        Transient("ledger-in-use"),
        Unwritable("ledger-full"),
        Unwritable("ledger-unwritable").with_local_cause("/srv/ledger.db"),
    ],
)
def test_what_needs_a_person_or_another_time_is_not_asked_again(other: Exception) -> None:
    clock = Clock()
    with pytest.raises(type(other)):
        clock.patience().ask(failing(other))
    assert (clock.now, clock.said) == (0, [])


def test_after_so_long_it_is_a_passing_fault() -> None:
    clock = Clock()
    with pytest.raises(Transient, match="ledger-unavailable"):
        clock.patience(600).ask(failing(*[AWAY] * 999))
    assert 300 < clock.now <= 600


def test_who_asks_later_does_not_begin_to_wait_from_the_start() -> None:
    clock = Clock()
    patience = clock.patience()
    with pytest.raises(Transient):
        patience.ask(failing(*[AWAY] * 99))
    gave_up, clock.now = clock.now, 60.0
    with pytest.raises(Transient):
        patience.ask(failing(*[AWAY] * 99))
    assert gave_up <= clock.now == 60.0
    patience.answered()
    assert patience.ask(failing(AWAY)) == "done", "it had answered in between"


def test_nobody_waits_after_a_stop() -> None:
    clock = Clock()
    clock.stopping = True
    with pytest.raises(Transient):
        clock.patience().ask(failing(AWAY))
    assert clock.now == 0


def test_a_leg_that_only_the_ledger_ended_is_walked_again() -> None:
    clock = Clock()
    ends = ["ledger-unavailable", "lease-lost", None]
    assert walk_patiently(clock.patience().ask, lambda: ends.pop(0)) is None
    assert walk_patiently(clock.patience().ask, lambda: "quota-exceeded") == "quota-exceeded"


def test_a_leg_whose_ledger_stays_away_ends_with_the_last_code() -> None:
    assert walk_patiently(Clock().patience(0).ask, lambda: "lease-lost") == "lease-lost"
