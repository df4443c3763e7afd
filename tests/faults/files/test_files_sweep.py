"""After a worker died, only what it was about to write is looked for: what others have is theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from drives import drive_trial, file, folder, marks
from memory.cabinet import Drawer, Request, Verb
from walking import Died, Trial

from ledger.db.rows import LegState, Phase


def test_a_copy_that_somebody_made_stays(quick_path: Path) -> None:
    trial = drive_trial(quick_path, 4)
    assert trial.run().state is LegState.VERIFIED
    drawer = next(one for one in trial.store.drawers.values() if one.href.endswith("/Arbeit"))
    mine = next(iter(drawer.papers.values()))
    trial.store.answer(Request(Verb.PUT, drawer.href, "Vorlage des Amts.txt", mine.raw))
    trial.mailbox.deliver(folder(trial.mailbox, "Arbeit").id, b"another one", marks("neu.txt"))
    deaths = iter([Died])

    def die(name: str) -> None:
        if name == "target.write" and (death := next(deaths, None)) is not None:
            raise death

    with pytest.raises(Died):
        trial.run(die)
    trial.finish()
    names = {paper.name for paper in drawer.papers.values()}
    assert {"Vorlage des Amts.txt", mine.name, "neu.txt"} <= names


class _LostReply:
    """The first write's reply is lost, and its request is still under way when the walk ends."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.writes = trial, 0

    def __call__(self, name: str) -> None:
        self.writes += name == "target.write"
        self.trial.store.late = name == "target.write" and self.writes == 1


def _renamed_in_flight(path: Path) -> tuple[Trial, Drawer, str]:
    """A file whose first write is in flight under a name that it has no more, after two whole passes."""
    trial = drive_trial(path, 4)
    assert trial.run(_LostReply(trial)).state is LegState.VERIFIED
    (lost,) = trial.store.in_flight
    trial.mailbox.mark(file(trial.mailbox, lost.name), marks("umbenannt.txt"))
    assert trial.run().state is LegState.VERIFIED
    drawer = trial.store.drawer(lost.href)
    assert drawer is not None
    return trial, drawer, lost.name


def _names(drawer: Drawer) -> set[str]:
    return {paper.name for paper in drawer.papers.values()}


def test_a_write_that_lands_under_a_former_name_is_removed_by_the_next_pass(quick_path: Path) -> None:
    trial, drawer, lost = _renamed_in_flight(quick_path)
    before = _names(drawer)
    assert trial.store.land() == 1
    assert _names(drawer) == before | {lost}
    assert trial.finish().state is LegState.VERIFIED, trial.findings()
    assert _names(drawer) == before


def test_what_somebody_else_has_under_a_former_name_stays(quick_path: Path) -> None:
    trial, drawer, lost = _renamed_in_flight(quick_path)
    trial.store.answer(Request(Verb.PUT, drawer.href, lost, b"not what was sent"))
    trial.finish()
    assert lost in _names(drawer)


def test_in_the_live_phase_it_is_its_owners(quick_path: Path) -> None:
    trial, drawer, lost = _renamed_in_flight(quick_path)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "a test")
    trial.store.land()
    trial.finish()
    assert lost in _names(drawer)


@pytest.mark.parametrize("lands", ["before", "afterwards", "never"])
def test_who_takes_the_name_of_one_whose_write_died_gets_it(quick_path: Path, lands: str) -> None:
    """Nobody knows whether a write of that batch still comes; its successors get the names anyway."""
    trial = drive_trial(quick_path, 4)
    lost = _LostReply(trial)

    def dying(name: str) -> None:
        lost(name)
        if name == "target.write done":
            raise Died

    with pytest.raises(Died):
        trial.run(dying)
    (sent,) = trial.store.in_flight
    home, _ = trial.mailbox.find(file(trial.mailbox, sent.name))
    formers = [*home.messages.values()]
    for one in formers:
        trial.mailbox.delete(one.id)
        trial.mailbox.deliver(home.id, b"its successor", one.marks)
    if lands == "before":
        trial.store.land()
    for _ in range(2):
        assert trial.finish().state is LegState.VERIFIED, trial.findings()
        if lands == "afterwards":
            trial.store.land()
    drawer = trial.store.drawer(sent.href)
    assert drawer is not None
    found = {paper.name: paper.raw for paper in drawer.papers.values()}
    assert found == {one.marks.name: b"its successor" for one in formers}
