"""Calendars that shrink, calls that fail, workers that lose their lease: over objects replaced in place."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from calendars import HOME, calendar_trial, edit_calendar, folder
from lost_leases import LONG, WAIT, Stuck, expire
from memory.records import APPOINTMENT, event
from passing_faults import BUSY
from walking import PACE, Died, Failing, Trial, verified

from engine.control import lease
from ledger.db.rows import LegState

DEFAULT = "/dav/default/"


@pytest.fixture
def full(quick_path: Path) -> Trial:
    """A calendar of 43."""
    trial = calendar_trial(quick_path, 0)
    for _, message in list(trial.mailbox.messages()):
        trial.mailbox.delete(message.id)
    home = folder(trial.mailbox, *HOME).id
    for number in range(43):
        trial.mailbox.deliver(home, event(f"u{number}", f"{number}"), APPOINTMENT)
    verified(trial)
    return trial


@pytest.mark.parametrize("cursors", ["kept", "lost"])
def test_a_shrunken_calendar_waits_for_a_person(full: Trial, cursors: str) -> None:
    before = full.store.snapshot()
    full.mailbox.shrink(folder(full.mailbox, *HOME).id, 5)
    if cursors == "lost":
        full.mailbox.lose_cursors()
    for _ in range(2):
        result = full.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "source-shrunk")
        assert full.store.snapshot() == before
    full.approve("source-shrunk")
    verified(full)
    assert len(full.store.collections[DEFAULT].objects) == 5


def test_a_deleted_calendar_waits_for_a_person(full: Trial) -> None:
    before = full.store.snapshot()
    full.mailbox.delete_folder(folder(full.mailbox, *HOME).id)
    assert full.run().code == "source-shrunk"
    assert full.store.snapshot() == before


def test_every_item_under_another_id_keeps_its_object(full: Trial) -> None:
    before = full.store.snapshot()
    full.mailbox.rekey(folder(full.mailbox, *HOME).id)
    verified(full)
    assert full.store.snapshot() == before


@pytest.mark.parametrize("meaning", ["same", "other"])
def test_what_somebody_touched_at_the_target_goes_if_it_still_means_the_same(
    full: Trial, meaning: str
) -> None:
    """A server that notes something in an object keeps nothing alive; what says something else by now is not
    what we wrote, and verification names it."""
    (name,) = [name for _, name, one in full.store.objects() if b"UID:u7\r" in one.raw]
    added = b"X-SEEN-BY:me\r\nUID:" if meaning == "same" else b"LOCATION:hier\r\nUID:"
    full.store.alter(DEFAULT, name, b"UID:", added)
    deleted = next(message.id for _, message in full.mailbox.messages() if b">u7<" in message.raw)
    full.mailbox.delete(deleted)
    if meaning == "same":
        verified(full)
        assert name not in full.store.collections[DEFAULT].objects
    else:
        assert full.run().state is LegState.DIFFERS
        assert full.findings() == [("-", "unknown")]
        assert b"LOCATION:hier" in full.store.collections[DEFAULT].objects[name].raw


CALLS = [
    "source.changes",
    "source.fetch",
    "target.containers",
    "target.ensure",
    "target.rename",
    "target.position",
    "target.write",
    "target.remove",
    "target.listing",
    "target.read",
]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A first run is done, people went on working; never run itself, only copied."""
    directory = tmp_path_factory.mktemp("objects") / "start"
    directory.mkdir()
    trial = calendar_trial(directory)
    verified(trial)
    edit_calendar(trial.mailbox)
    return trial


@pytest.fixture(scope="module")
def wanted(start: Trial) -> Counter[object]:
    """The target after a run that nothing disturbed."""
    trial = start.copy(start.directory.parent / "calm")
    verified(trial)
    return Counter(trial.store.snapshot())


@pytest.mark.parametrize("when", ["", " done"], ids=["before", "after"])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("times", "passing"), [(1, 0), (2, 1)])
def test_a_fault_that_passes_changes_nothing(
    start: Trial, wanted: Counter[object], quick_path: Path, name: str, when: str, times: int, passing: int
) -> None:
    trial = start.copy(quick_path / "trial")
    step = Failing(name + when, BUSY, times=times, passing=passing)
    result = trial.run(step)
    assert (result.state, result.code) == (LegState.VERIFIED, None), trial.findings()
    assert Counter(trial.store.snapshot()) == wanted


@pytest.mark.parametrize("name", [*CALLS, "target.write done", "target.remove done"])
def test_a_fault_that_persists_leaves_the_leg_waiting(
    start: Trial, wanted: Counter[object], quick_path: Path, name: str
) -> None:
    trial = start.copy(quick_path / "trial")
    step = Failing(name, BUSY, times=10**6)
    for _ in range(2):
        result = trial.run(step)
        assert (result.state, result.code) == (LegState.WAITING, "busy")
    verified(trial)
    assert Counter(trial.store.snapshot()) == wanted


def test_a_collection_that_somebody_removed_while_a_write_was_unsettled(quick_path: Path) -> None:
    trial = calendar_trial(quick_path)
    calm = trial.copy(quick_path / "calm")
    verified(calm)

    def die(name: str) -> None:
        if name == "target.write done" and trial.store.collections.get(DEFAULT):
            raise Died

    with pytest.raises(Died):
        trial.run(die)
    del trial.store.collections[DEFAULT]
    verified(trial)
    assert trial.store.snapshot() == calm.store.snapshot()


@pytest.mark.parametrize("name", ["target.write", "target.write done", "source.fetch", "target.remove"])
def test_a_worker_whose_lease_expired_writes_nothing_more(
    start: Trial, wanted: Counter[object], quick_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It was stopped, its renewals with it, and continues when another has taken over."""
    monkeypatch.setattr(lease.LeaseKeeper, "_run", lambda self: None)
    trial = start.copy(quick_path / "trial")
    trial.pace = replace(LONG, batch=2)
    stuck = Stuck(name)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(trial.run, stuck)
        assert stuck.reached.wait(WAIT)
        expire(trial, monkeypatch)
        trial.pace = PACE
        assert trial.run().state is LegState.VERIFIED
        stuck.go.set()
        lost = first.result()
    assert (lost.state, lost.code) == (LegState.RUNNING, "lease-lost")
    # The one request that was past its last check finds its place taken, or its ETag gone.
    assert Counter(trial.store.snapshot()) == wanted
    verified(trial)
    assert Counter(trial.store.snapshot()) == wanted
