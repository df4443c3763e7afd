"""Two workers on one leg: one works, the other goes; whoever lost the lease writes nothing more."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from lost_leases import LONG, WAIT, Stuck, expire
from memory.doubles import MemoryStore
from servers import postgres
from two_workers_process import opened
from walking import PACE, Trial, a_mailbox

from engine.control import lease
from engine.leg.leg_result import LegResult
from ledger.db.rows import LegState, State
from ledger.store import Ledger

SHORT = replace(PACE, lease=1.0, margin=0.3)


@pytest.fixture
def trial(quick_path: Path) -> Trial:
    return Trial(quick_path, a_mailbox(8), MemoryStore(batch=2))


@pytest.fixture
def wanted(trial: Trial, quick_path: Path) -> MemoryStore:
    other = trial.copy(quick_path / "calm")
    assert other.run().state is LegState.VERIFIED
    return other.store


def test_only_one_of_two_threads_works(trial: Trial, wanted: MemoryStore) -> None:
    stuck = Stuck("target.write")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(trial.run, stuck)
        assert stuck.reached.wait(WAIT)
        second = trial.run()
        assert (second.state, second.code) == (LegState.RUNNING, "claimed-elsewhere")
        stuck.go.set()
        assert first.result().state is LegState.VERIFIED
    assert trial.store.snapshot() == wanted.snapshot()


def test_many_threads_at_once(trial: Trial, wanted: MemoryStore) -> None:
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: trial.run(), range(6)))
    codes = [result.code for result in results]
    assert codes.count(None) >= 1
    assert set(codes) <= {None, "claimed-elsewhere"}
    assert trial.store.snapshot() == wanted.snapshot()


@pytest.mark.parametrize("name", ["target.write", "target.write done", "source.fetch", "target.position"])
@pytest.mark.parametrize("nth", [1, 3])
def test_a_worker_whose_lease_expired_writes_nothing_more(
    trial: Trial, wanted: MemoryStore, monkeypatch: pytest.MonkeyPatch, name: str, nth: int
) -> None:
    """It was stopped, its renewals with it, and continues when another has taken over."""
    monkeypatch.setattr(lease.LeaseKeeper, "_run", lambda self: None)
    trial.pace = LONG
    stuck = Stuck(name, nth)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(trial.run, stuck)
        assert stuck.reached.wait(WAIT)
        expire(trial, monkeypatch)
        between: list[LegResult] = [trial.run()]
        assert between[0].state is LegState.VERIFIED
        after = trial.store.snapshot()
        stuck.go.set()
        lost = first.result()
    assert (lost.state, lost.code) == (LegState.RUNNING, "lease-lost")
    # At most the batch that was past its last check may have landed; the next run takes it away.
    assert (trial.store.snapshot() - after).total() <= trial.store.batch
    (leg,) = trial.ledger.legs()
    assert (leg.state, leg.owner) == (LegState.VERIFIED, None)
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == wanted.snapshot()
    told = {(one.kind, one.subject, *one.detail.values()) for one in trial.ledger.events("w")}
    assert ("taken-over", leg.mailbox, str(leg.workload)) in told


def test_a_lost_lease_closes_the_sockets(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that renews finds out while the worker is blocked in a call."""
    trial.pace = SHORT
    stuck = Stuck("target.write")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(trial.run, stuck)
        assert stuck.reached.wait(WAIT)
        (leg,) = trial.ledger.legs()
        taken = trial.ledger.claim(leg.id, "somebody", 60, dead=lambda owner: True)
        assert taken is not None
        time.sleep(SHORT.lease)
        stuck.go.set()
        assert first.result().code == "lease-lost"
    assert trial.states()[State.WRITTEN] == 0


def test_a_request_to_stop_finishes_the_batch_in_hand(trial: Trial, wanted: MemoryStore) -> None:
    stop = threading.Event()

    def step(name: str) -> None:
        if name == "target.write":
            stop.set()

    result = trial.run(step, stop=stop)
    assert (result.state, result.code) == (LegState.PENDING, "stopped")
    states = trial.states()
    assert states[State.WRITING] == 0
    assert 0 < states[State.WRITTEN] < len(list(trial.mailbox.messages()))
    (leg,) = trial.ledger.legs()
    assert (leg.state, leg.owner) == (LegState.PENDING, None)
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == wanted.snapshot()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: postgres.Postgres = request.getfixturevalue("postgres")
    return server.create(f"two{secrets.token_hex(4)}")


@pytest.fixture
def other(tmp_path: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process with a lease of two seconds, stuck in its first write."""
    tests = Path(__file__).parents[2]
    paths = os.pathsep.join(str(path) for path in (tests, tests / "support", tests.parent))
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("two_workers_process.py")), str(tmp_path), url, "2"],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + WAIT
        while not (tmp_path / "writing").exists():
            assert process.poll() is None, "the other worker ended"
            assert time.monotonic() < until
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_only_one_of_two_processes_works(tmp_path: Path, url: str, other: subprocess.Popen[str]) -> None:
    assert opened(tmp_path, url, lambda name: None) == "running claimed-elsewhere"
    (tmp_path / "go").touch()
    said, _ = other.communicate(timeout=WAIT)
    assert said.strip() == "verified None"


def test_a_killed_process_is_taken_over_at_once(
    tmp_path: Path, url: str, other: subprocess.Popen[str]
) -> None:
    """It is seen to be dead: nobody waits for its lease."""
    other.kill()
    other.wait()
    assert opened(tmp_path, url, lambda name: None) == "verified None"


def test_a_stopped_process_loses_its_lease(tmp_path: Path, url: str, other: subprocess.Popen[str]) -> None:
    """SIGSTOP stops the thread that renews as well; continued, it records nothing."""
    assert opened(tmp_path, url, lambda name: None) == "running claimed-elsewhere"
    other.send_signal(signal.SIGSTOP)
    time.sleep(2.2)
    assert opened(tmp_path, url, lambda name: None) == "verified None"
    (tmp_path / "go").touch()
    other.send_signal(signal.SIGCONT)
    said, _ = other.communicate(timeout=WAIT)
    assert said == "running lease-lost"
    ledger = Ledger(url)
    (leg,) = ledger.legs()
    assert (leg.state, leg.owner) == (LegState.VERIFIED, None)
    ledger.close()
