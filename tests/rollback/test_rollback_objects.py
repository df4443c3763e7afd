"""Taking back events, contacts and files: by what they mean, and by what they hold."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from calendars import a_calendar, an_address_book
from drives import a_drive
from memory.doubles import MemoryCabinet, MemoryShelf
from memory.shelf import Answer, Request, Status
from undoing import Undoing, undone
from walking import Trial

from connectors.http.hrefs import OURS
from ledger.db.rows import LegState, Phase, State
from model.errors import Transient
from model.kinds import Kind


@pytest.fixture(params=[Phase.STAGING, Phase.LIVE])
def phase(request: pytest.FixtureRequest) -> Phase:
    return Phase(request.param)


@pytest.fixture
def calendar(quick_path: Path, phase: Phase) -> Trial:
    trial = Trial(quick_path, a_calendar(4), MemoryShelf(rewrites=True))
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    return trial


@pytest.fixture
def drive(quick_path: Path, phase: Phase) -> Trial:
    trial = Trial(quick_path, a_drive(4), MemoryCabinet())
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    return trial


def test_calendars_of_ours_go(calendar: Trial) -> None:
    undone(calendar)
    assert isinstance(calendar.store, MemoryShelf)
    assert not calendar.store.collections
    assert calendar.states()[State.REJECTED] == 1  # never arrived, and is as it was


def test_address_books_of_ours_go(quick_path: Path) -> None:
    trial = Trial(quick_path, an_address_book(), MemoryShelf(kind=Kind.CONTACTS))
    assert trial.run().state is LegState.VERIFIED
    undone(trial)
    assert isinstance(trial.store, MemoryShelf)
    assert not trial.store.collections


def test_an_event_that_somebody_edited_stays_with_its_calendar(calendar: Trial) -> None:
    assert isinstance(calendar.store, MemoryShelf)
    href, name, one = next(found for found in calendar.store.objects() if b"Termin 1" in found[2].raw)
    calendar.store.alter(href, name, b"Termin 1", b"Termin eins")
    edited = one.raw.replace(b"Termin 1", b"Termin eins")
    told = Undoing(calendar).look()
    undoing = undone(calendar)
    assert undoing.counts == told
    assert (undoing.counts["changed"], undoing.counts["containers-staying"]) == (1, 1)
    assert undoing.report.lines is not None
    assert [one.folder for one in undoing.report.lines if one.outcome == "containers-staying"] == ["Kalender"]
    assert list(calendar.store.collections) == [href]
    assert calendar.store.snapshot() == {(href, calendar.store.meaning(edited)): 1}


def test_what_a_server_touched_and_means_the_same_goes(calendar: Trial) -> None:
    assert isinstance(calendar.store, MemoryShelf)
    for href, name, one in list(calendar.store.objects()):
        calendar.store.place(href, name, one.raw)  # another ETag
    undone(calendar)
    assert not calendar.store.collections


def test_an_event_of_its_user_stays(calendar: Trial) -> None:
    assert isinstance(calendar.store, MemoryShelf)
    href, _, one = next(calendar.store.objects())
    calendar.store.place(href, "mine.ics", one.raw.replace(b"UID:", b"UID:mine-"))
    undoing = undone(calendar)
    assert undoing.counts["added"] == 1
    assert [name for _, name, _ in calendar.store.objects()] == ["mine.ics"]


def test_meetings_that_somebody_rests_on_stay(calendar: Trial) -> None:
    assert isinstance(calendar.store, MemoryShelf)
    names = [name for _, name, _ in calendar.store.objects() if OURS.fullmatch(name)]
    key = bytes.fromhex(names[0][2:34])
    undoing = Undoing(calendar, rested=frozenset({key}))
    undoing.approve()
    assert undoing.run().code == "rolled-back"
    assert undoing.counts["shared"] == 1
    assert [name for _, name, _ in calendar.store.objects()] == [names[0]]


def test_files_go_and_what_was_edited_or_added_stays(drive: Trial) -> None:
    assert isinstance(drive.store, MemoryCabinet)
    drive.store.place("/Arbeit", "a.txt", b"edited")
    drive.store.place("/Arbeit/Pläne", "mine.txt", b"mine")
    undoing = undone(drive)
    assert (undoing.counts["changed"], undoing.counts["added"]) == (1, 1)
    assert {(href, paper.raw) for href, paper in drive.store.papers()} == {
        ("/Arbeit", b"edited"),
        ("/Arbeit/Pläne", b"mine"),
    }
    assert {one.href for one in drive.store.drawers.values()} == {"", "/Arbeit", "/Arbeit/Pläne"}


def test_events_moved_again_are_as_never_rolled_back(calendar: Trial) -> None:
    before = calendar.store.snapshot()
    undone(calendar)
    calendar.ledger.requeue()
    result = calendar.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert calendar.store.snapshot() == before


def test_files_moved_again_are_as_never_rolled_back(drive: Trial, phase: Phase) -> None:
    before = drive.store.snapshot()
    undone(drive)
    drive.ledger.requeue()
    result = drive.finish()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    different = {name for _, name, *_ in (before - drive.store.snapshot()).elements()}
    # In the live phase folders are the user's: they get no date of ours.
    assert different == ({""} if phase is Phase.LIVE else set())


def lost_answers(trial: Trial) -> None:
    undoing = Undoing(trial)
    undoing.approve()
    lost = 0

    def lose(step: str) -> None:
        nonlocal lost
        if step == "target.remove done" and lost < 8:
            lost += 1
            raise Transient("connection-lost")

    items = trial.states()[State.VERIFIED]
    assert undoing.run(lose).code == "rolled-back"
    assert lost == min(8, items)
    assert undoing.counts["ours"] == items
    assert set(trial.states()) <= {State.SEEN, State.REJECTED, State.SKIPPED}
    assert trial.states()[State.SEEN] >= items


def test_answers_lost_on_removal_of_events_are_looked_for(calendar: Trial) -> None:
    lost_answers(calendar)


def test_answers_lost_on_removal_of_files_are_looked_for(drive: Trial) -> None:
    lost_answers(drive)


def test_a_file_held_by_bytes_is_ours_by_its_hash(drive: Trial) -> None:
    assert isinstance(drive.store, MemoryCabinet)
    for href, paper in list(drive.store.papers()):
        drive.store.place(href, paper.name, io.BytesIO(paper.raw).read())
    assert undone(drive).counts["changed"] == 0
    assert not list(drive.store.papers())


class Liar(MemoryShelf):
    """Says that it removed whatever it was asked to, and keeps two of them."""

    def answer(self, request: Request) -> Answer:
        kept = sorted(name for _, name, _ in self.objects())[:2]
        if request.raw is None and request.name in kept:
            return Answer(Status.DONE)
        return super().answer(request)


def test_a_server_that_keeps_what_it_says_is_gone_is_found_out(quick_path: Path) -> None:
    trial = Trial(quick_path, a_calendar(4), Liar())
    assert trial.run().state is LegState.VERIFIED
    undoing = undone(trial)
    assert isinstance(trial.store, MemoryShelf)
    assert undoing.counts["refused"] == len(list(trial.store.objects())) > 0
    assert trial.states()[State.WRITTEN] == undoing.counts["refused"]
