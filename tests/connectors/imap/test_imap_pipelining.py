"""Servers that break connections among the answers to several commands, and how long that is remembered."""

from __future__ import annotations

import pytest

from connectors.imap.wire.pipelining import ALONE_SECONDS, Pipelining, Use
from model.errors import Transient

ONE = "one:143"


class Clock:
    """Tell the seconds that the test sets; each look takes one."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pipelining(clock: Clock) -> Pipelining:
    return Pipelining(clock)


def breaking(
    pipelining: Pipelining, code: str = "connection-lost", use: Use = Use.ACCOUNT, since: float | None = None
) -> None:
    begun = pipelining.clock() if since is None else since
    with pytest.raises(Transient), pipelining.trying(ONE, use, begun):
        raise Transient(code)


def going_well(pipelining: Pipelining, use: Use = Use.ACCOUNT, *, done: bool = True) -> None:
    with pipelining.trying(ONE, use, pipelining.clock(), done=done):
        pass


def test_connections_that_break_again_and_again_are_asked_one_thing_at_a_time(
    pipelining: Pipelining,
) -> None:
    for _ in range(3):
        breaking(pipelining)
        breaking(pipelining)
        assert pipelining.allows(ONE), "a connection may break"
        going_well(pipelining)
    for _ in range(3):
        breaking(pipelining)
    assert not pipelining.allows(ONE)
    assert pipelining.allows("other:143")
    going_well(pipelining)  # what was sent before
    assert not pipelining.allows(ONE)


def test_what_makes_no_sense_is_enough_at_once(pipelining: Pipelining) -> None:
    breaking(pipelining, "protocol-error")
    assert not pipelining.allows(ONE)


def test_connections_that_we_close_say_nothing(pipelining: Pipelining) -> None:
    for _ in range(5):
        breaking(pipelining, "connection-closed")
    assert pipelining.allows(ONE)


def test_connections_that_break_at_the_same_time_count_once(pipelining: Pipelining, clock: Clock) -> None:
    """A server is restarted while many workers wait for it."""
    begun = clock()
    for _ in range(40):
        breaking(pipelining, since=begun)
    assert pipelining.allows(ONE)
    for _ in range(2):
        begun = clock()
        breaking(pipelining, since=begun)
        breaking(pipelining, since=begun)
    assert not pipelining.allows(ONE)


def test_what_goes_well_for_one_use_says_nothing_of_another(pipelining: Pipelining) -> None:
    for _ in range(3):
        going_well(pipelining, Use.ACCOUNT)
        breaking(pipelining, use=Use.FOLDERS)
    assert not pipelining.allows(ONE), "for no use: a leg has to get through in a few attempts"


def test_the_first_of_several_answers_says_nothing(pipelining: Pipelining) -> None:
    for _ in range(3):
        going_well(pipelining, done=False)
        breaking(pipelining, "timeout")
    assert not pipelining.allows(ONE)


@pytest.mark.parametrize("mended", [True, False])
def test_a_server_gets_another_chance_later(pipelining: Pipelining, clock: Clock, mended: bool) -> None:
    """One connection that breaks then is enough to stop it again."""
    for _ in range(3):
        breaking(pipelining)
    clock.now += ALONE_SECONDS - 10
    assert not pipelining.allows(ONE)
    clock.now += 10
    assert pipelining.allows(ONE)
    if mended:
        going_well(pipelining)
    breaking(pipelining)
    assert pipelining.allows(ONE) is mended
