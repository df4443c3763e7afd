"""A target lists a part of what it holds, as a calendar that shows a year around today. Every item is found
by its name, nothing is written twice, and no collection is removed because it looks empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from calendars import calendar_trial, edit_calendar
from memory.doubles import MemoryShelf
from undoing import undone
from walking import Died, Trial, dying_at, verified

from ledger.db.rows import LegState, Phase

SHOWN = [pytest.param("$^", id="nothing"), pytest.param("k-[0-7]", id="some")]
"""What a listing shows."""
DEFAULT = "/dav/default/"


@pytest.fixture(params=SHOWN)
def shown(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def trial(quick_path: Path, shown: str) -> Trial:
    trial = calendar_trial(quick_path, 6, listed=shown, rewrites=True)
    verified(trial)
    return trial


@pytest.fixture
def calm(quick_path: Path) -> Trial:
    """The same, at a target that lists everything."""
    (quick_path / "calm").mkdir()
    return calendar_trial(quick_path / "calm", 6, rewrites=True)


def shelf(trial: Trial) -> MemoryShelf:
    assert isinstance(trial.store, MemoryShelf)
    return trial.store


def drop(trial: Trial, words: bytes) -> None:
    href, name = next((href, name) for href, name, one in shelf(trial).objects() if words in one.raw)
    del shelf(trial).collections[href].objects[name]


def test_what_is_not_listed_is_verified(trial: Trial, calm: Trial) -> None:
    verified(calm)
    assert shelf(trial).snapshot() == shelf(calm).snapshot()
    assert (trial.states(), trial.findings()) == (calm.states(), calm.findings())


def test_a_second_pass_has_nothing_to_do(trial: Trial) -> None:
    before = shelf(trial).counted
    result = trial.run()
    assert (result.state, result.tally.new, result.tally.replaced) == (LegState.VERIFIED, 0, 0)
    assert shelf(trial).counted == before


def test_a_pass_after_changes(trial: Trial, calm: Trial) -> None:
    verified(calm)
    for one in (trial, calm):
        edit_calendar(one.mailbox)
        verified(one)
    assert shelf(trial).snapshot() == shelf(calm).snapshot()


def test_what_somebody_removed_is_missing_and_written_again(trial: Trial) -> None:
    before = shelf(trial).snapshot()
    drop(trial, b"Termin 1")
    drop(trial, b"series")
    verified(trial)
    assert shelf(trial).snapshot() == before


def test_a_worker_dies_after_it_wrote(quick_path: Path, shown: str, calm: Trial) -> None:
    verified(calm)
    trial = calendar_trial(quick_path, 6, listed=shown, rewrites=True)
    for times in (2, 2, 4):
        with pytest.raises(Died):
            trial.run(dying_at("target.write", times))
    verified(trial)
    assert shelf(trial).snapshot() == shelf(calm).snapshot()


def test_objects_go_with_a_rollback_and_collections_stay(trial: Trial) -> None:
    """An event of somebody else may be in them, whatever the listing says."""
    shelf(trial).place(DEFAULT, "theirs.ics", b"BEGIN:VCALENDAR\r\nUID:theirs\r\nEND:VCALENDAR\r\n")
    collections = set(shelf(trial).collections)
    undoing = undone(trial)
    assert [name for _, name, _ in shelf(trial).objects()] == ["theirs.ics"]
    assert set(shelf(trial).collections) == collections
    assert undoing.counts["containers-staying"] == len(collections)


def test_a_folder_of_the_source_goes_and_its_collection_stays(trial: Trial) -> None:
    work = next(one for one in trial.mailbox.folders.values() if one.path == ("Arbeit",))
    trial.mailbox.delete_folder(work.id)
    verified(trial)
    assert len(shelf(trial).collections) == 2


def test_in_the_live_phase_nothing_is_written_again(trial: Trial) -> None:
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    drop(trial, b"Termin 1")
    before = shelf(trial).counted
    verified(trial)
    assert shelf(trial).counted == before
