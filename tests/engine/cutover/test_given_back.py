"""Who was given back stays out of their wave's cutover until one names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cutting import Rig, quiet

from engine.config.load import Config, RunSettings
from engine.control.stop_signal import Stop
from engine.cutover.given_back import record_begin
from engine.cutover.run_many import CutoverRequest, all_of, announce, concerned
from engine.cutover.steps import CutoverResult
from engine.pacing.admission import Admission
from engine.pacing.run_legs import Boundary
from engine.pacing.watchdog import Watchdog
from engine.pacing.worker_slots import WorkerSlots
from ledger.db.rows import Phase


def _asked(rig: Rig, *, named: bool, meanwhile: Callable[[], object] = lambda: None) -> CutoverResult:
    """meanwhile: what happens after the cutover began and before this mailbox's turn."""
    config = Config.model_construct(run=RunSettings(mailboxes_at_once=1))
    ledger, cutting = rig.trial.ledger, rig.cutting(quiet)
    held = Admission(config, ledger)
    slots = WorkerSlots(held, Watchdog(config, ledger, Stop(), held), cutting.stop)
    order = CutoverRequest(config, replace(cutting), slots, Boundary(cutting.stop))
    announce(order, ledger.mailboxes(), named=named)
    meanwhile()
    ended: list[CutoverResult] = []
    all_of(order, [rig.trial.id], ended.append)
    return ended[0]


def test_it_is_recorded_as_ended_once_the_mailbox_is_in_staging(rig: Rig) -> None:
    """By whatever command ends it, and not while an undo fails."""
    rig.fails = {"close": ["exit-1"], "redirect.undo": ["exit-1"]}
    assert rig.cut().code == "hook-failed"
    for by in ("Night shift", "Night shift", "Day shift"):
        record_begin(rig.trial.ledger, rig.trial.ledger.mailboxes(), by)
    assert rig.cut(back=True).code == "hook-failed"
    assert _told(rig) == [("give-back-begun", "Night shift"), ("give-back-begun", "Day shift")]
    assert rig.cut(back=True).code is None
    assert _told(rig)[2:] == [("given-back", "tester")]
    assert rig.cut(back=True).code is None
    assert len(_told(rig)) == 3
    rig.fails = {"close": ["exit-1"]}
    assert _asked(rig, named=True).code == "hook-failed"
    assert rig.cut(back=True).code is None
    assert _told(rig)[3:] == [("cutover-named", "tester")], "nobody gave it back this time"


def test_who_has_nothing_to_go_back_from_is_not_counted(rig: Rig) -> None:
    ledger = rig.trial.ledger
    assert concerned(ledger, ledger.mailboxes(), back=True) == []
    rig.fails = {"close": ["exit-1"]}
    rig.cut()
    assert concerned(ledger, ledger.mailboxes(), back=True) == ledger.mailboxes()
    record_begin(ledger, ledger.mailboxes(), "Night shift")
    assert concerned(ledger, ledger.mailboxes()) == []
    assert concerned(ledger, ledger.mailboxes(), named=True) == ledger.mailboxes()


def _told(rig: Rig) -> list[tuple[str, object]]:
    kinds = ("give-back-begun", "given-back", "cutover-named")
    (row,) = rig.trial.ledger.mailboxes()
    events = rig.trial.ledger.events(row.wave)
    return [(event.kind, event.detail["by"]) for event in events if event.kind in kinds]


def test_a_cutover_of_the_whole_wave_leaves_them_out(rig: Rig) -> None:
    record_begin(rig.trial.ledger, rig.trial.ledger.mailboxes(), "Night shift")
    assert _asked(rig, named=False) == CutoverResult(rig.trial.id, Phase.STAGING, "given-back")
    assert _asked(rig, named=False).code == "given-back", "asking twice changes nothing"
    assert rig.log == []


def test_one_that_names_them_takes_them_along_from_then_on(rig: Rig) -> None:
    record_begin(rig.trial.ledger, rig.trial.ledger.mailboxes(), "Night shift")
    rig.fails = {"close": ["exit-1"]}
    assert _asked(rig, named=True).code == "hook-failed"
    assert _asked(rig, named=False) == CutoverResult(rig.trial.id, Phase.LIVE, None)


def test_given_back_again_they_stay_out_again(rig: Rig) -> None:
    rows = rig.trial.ledger.mailboxes()
    record_begin(rig.trial.ledger, rows, "Night shift")
    rig.fails = {"close": ["exit-1"]}
    _asked(rig, named=True)
    record_begin(rig.trial.ledger, rows, "Night shift")
    assert _asked(rig, named=False).code == "given-back"
    assert rig.phase == Phase.STAGING


def test_who_is_given_back_while_the_cutover_is_at_others_stays_out(rig: Rig) -> None:
    """A wave takes hours. Before their turn comes, somebody who was frozen before is given back."""
    rig.fails = {"close": ["exit-1"]}
    assert _asked(rig, named=False).code == "hook-failed"

    def give_back() -> None:
        record_begin(rig.trial.ledger, rig.trial.ledger.mailboxes(), "Help desk")
        assert rig.cut(back=True).code is None

    for named in (False, True):
        ended = _asked(rig, named=named, meanwhile=give_back)
        assert ended == CutoverResult(rig.trial.id, Phase.STAGING, "given-back")
    assert rig.log.count("redirect") == 1
