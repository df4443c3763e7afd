"""The keeper of a lease: whatever becomes of a renewal, the sockets are closed by the deadline."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from walking import PACE, Trial, a_mailbox

from engine.control import lease
from engine.control.lease import LeaseKeeper
from ledger.db.rows import Lease, LegState, Phase
from model.errors import LeaseLost, Transient
from model.kinds import Kind

WAIT = 60.0
TTL, MARGIN = 0.6, 0.2
HELD = Lease(1, "m-1", Kind.MAIL, "me", 1, False, Phase.STAGING)


class Ledger:
    """Renews as it is told."""

    def __init__(self, renewal: Callable[[], bool]) -> None:
        self.renewal = renewal
        self.asked = threading.Event()

    def renew(self, held: Lease, ttl: float) -> bool:
        self.asked.set()
        return self.renewal()


@pytest.fixture
def hangs() -> Iterator[Callable[[], bool]]:
    """A renewal over a connection whose other end is gone."""
    go = threading.Event()
    yield lambda: go.wait(WAIT)
    go.set()


def kept(renewal: Callable[[], bool]) -> tuple[LeaseKeeper, Ledger, threading.Event]:
    ledger, closed = Ledger(renewal), threading.Event()
    keeper = LeaseKeeper(ledger, HELD, TTL, MARGIN, lease.now())
    keeper.watch(closed.set)
    keeper.start()
    return keeper, ledger, closed


def test_a_renewal_that_hangs_closes_the_sockets(hangs: Callable[[], bool]) -> None:
    keeper, _, closed = kept(hangs)
    assert closed.wait(WAIT)
    with pytest.raises(LeaseLost):
        keeper.guard()
    keeper.stop()


def test_the_end_of_a_leg_does_not_wait_for_a_renewal_that_hangs(
    hangs: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "STOP_SECONDS", 0.01)
    keeper, ledger, _ = kept(hangs)
    assert ledger.asked.wait(WAIT)
    keeper.stop()
    assert any(thread.name == "lease" for thread in threading.enumerate())


def test_a_defect_in_a_renewal_closes_the_sockets(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bool:
        raise ValueError("anna@old.example")

    keeper, _, closed = kept(broken)
    assert closed.wait(WAIT)
    keeper.stop()
    assert "lease of m-1: ValueError at " in caplog.text
    assert "anna" not in caplog.text


def test_a_socket_that_does_not_close_leaves_no_other_open(caplog: pytest.LogCaptureFixture) -> None:
    keeper, closed = LeaseKeeper(Ledger(lambda: False), HELD, TTL, MARGIN, lease.now()), threading.Event()

    def stuck() -> None:
        raise OSError("anna@old.example")

    keeper.watch(stuck, closed.set)
    keeper.start()
    assert closed.wait(WAIT)
    keeper.stop()
    assert "OSError" in caplog.text
    assert "anna" not in caplog.text


def test_a_lease_that_is_renewed_stays() -> None:
    renewed = threading.Semaphore(0)

    def renewal() -> bool:
        renewed.release()
        return True

    keeper, _, closed = kept(renewal)
    for _ in range(4):  # longer than a lease lasts without
        assert renewed.acquire(timeout=WAIT)
    keeper.stop()
    assert not closed.is_set()


FAR = -1000.0
"""A margin that puts the deadline far away: what happens, happens for another reason."""


def test_a_lease_that_is_lost_closes_the_sockets_at_once() -> None:
    keeper, closed = LeaseKeeper(Ledger(lambda: False), HELD, TTL, FAR, lease.now()), threading.Event()
    keeper.watch(closed.set)
    keeper.start()
    assert closed.wait(WAIT)
    with pytest.raises(LeaseLost):
        keeper.guard()
    keeper.stop()


def test_a_ledger_that_is_away_for_a_moment_ends_nothing() -> None:
    answers = iter([False, False, True])
    renewed, closed = threading.Event(), threading.Event()

    def renewal() -> bool:
        if not next(answers, True):
            raise Transient("ledger-unavailable")
        renewed.set()
        return True

    keeper = LeaseKeeper(Ledger(renewal), HELD, TTL, FAR, lease.now())
    keeper.watch(closed.set)
    keeper.start()
    assert renewed.wait(WAIT)
    keeper.guard()
    keeper.stop()
    assert not closed.is_set()


def test_a_leg_that_ends_while_the_ledger_is_away_closes_nothing() -> None:
    """Its sockets may be another leg's by then."""

    def renewal() -> bool:
        raise Transient("ledger-unavailable")

    ledger, closed = Ledger(renewal), threading.Event()
    keeper = LeaseKeeper(ledger, HELD, TTL, FAR, lease.now())
    keeper.watch(closed.set)
    keeper.start()
    assert ledger.asked.wait(WAIT)
    keeper.stop()
    assert not closed.is_set()


def of_process(pid: int) -> str:
    """The name of a worker in a process of this machine."""
    return f"{lease.process_name().partition('/')[0]}/{pid}/{lease._started(pid)}/aa"


def test_whose_end_this_machine_can_prove() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        try:
            owner = of_process(process.pid)
            assert [lease.is_dead(owner), lease.process_lives(owner)] == [False, True]
        finally:
            process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert [lease.is_dead(owner), lease.process_lives(owner)] == [True, False]
    assert [lease.is_dead(owner), lease.process_lives(owner)] == [True, False]
    assert lease.ran_here(owner)
    assert lease.process_of(owner) == owner.removesuffix("/aa")


@pytest.mark.parametrize("machine", ["", "!", "0", "~"])
def test_nobody_s_end_on_another_machine_can_be_proven(machine: str) -> None:
    """Whatever its name is, and although no process here has this number and this start."""
    owner = f"{machine}/{os.getpid()}/1/aa"
    assert [lease.is_dead(owner), lease.process_lives(owner), lease.ran_here(owner)] == [False] * 3


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(4), MemoryStore(), pace=replace(PACE, grace=3.0))


def left_by(trial: Trial, owner: str) -> None:
    """Somebody claimed the leg, and its lease ended an hour ago by the ledger's clock: put ahead, or not."""
    (leg,) = trial.ledger.legs()
    assert trial.ledger.claim(leg.id, owner, 60) is not None
    with trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE leg SET lease_until = lease_until - 3600")


def test_whoever_may_still_write_is_waited_for(trial: Trial) -> None:
    """A clock put ahead ended its lease: it finds out at its next renewal, or when it cannot renew."""
    left_by(trial, "elsewhere/1/1/aa")
    slept = trial.slept
    del slept[:]
    assert trial.run().state is LegState.VERIFIED
    assert sum(slept) == pytest.approx(60.0 - 10.0 + 3.0)


def test_whoever_is_proven_dead_is_waited_for_a_moment(trial: Trial) -> None:
    owner = lease.new_owner()
    left_by(trial, owner)
    lease.retire(owner)
    slept = trial.slept
    del slept[:]
    assert trial.run().state is LegState.VERIFIED
    assert sum(slept) == pytest.approx(3.0)


def test_who_stops_in_that_wait_leaves_it_to_the_next(trial: Trial) -> None:
    left_by(trial, "elsewhere/1/1/aa")
    stop = threading.Event()
    stop.set()
    assert trial.run(stop=stop).code == "stopped"
    (leg,) = trial.ledger.legs()
    assert (leg.state, leg.owner) == (LegState.PENDING, None)
    slept = trial.slept
    del slept[:]
    assert trial.run().state is LegState.VERIFIED
    assert sum(slept) == pytest.approx(53.0)
    del slept[:]
    assert trial.run().state is LegState.VERIFIED
    assert slept == []


def test_a_process_is_told_from_an_earlier_one_of_its_number() -> None:
    """By when it was started: numbers are given again."""
    owner = lease.new_owner()
    with subprocess.Popen(["sleep", "60"]) as child:
        machine, _, started = lease.process_name().split("/")
        later = (Path("/proc") / str(child.pid) / "stat").read_text().rpartition(")")[2].split()[19]
        child.kill()
        assert int(later) > int(started) > 0
    assert not lease.is_dead(owner)
    assert lease.is_dead(f"{machine}/{os.getpid()}/{int(started) - 1}/x")


@pytest.mark.parametrize("owner", ["me", "m/1/2", "/1/2/3", "m/1/2/3/4"])
def test_who_was_not_named_by_a_machine_is_not_taken_for_one(owner: str) -> None:
    assert not lease.is_named(owner)
    assert lease.is_named(lease.new_owner())
