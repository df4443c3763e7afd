"""Dates, flags and folders that arrived otherwise than the source has them are put right in place."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from drives import a_drive
from dying import Countdown
from memory.doubles import MemoryCabinet, MemoryStore
from undoing import Undoing, repaired
from walking import Died, Trial, a_mailbox, letter

from engine.leg.repair_walk import What
from ledger.db.rows import LegState, Phase
from ledger.leg.cutover_steps import Steps

INBOX = ("INBOX",)
WRONG = datetime(2001, 1, 1, tzinfo=UTC)


def moved(directory: Path, phase: Phase = Phase.STAGING) -> Trial:
    trial = Trial(directory, a_mailbox(5), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    return trial


def spoil(trial: Trial, **values: object) -> None:
    """As an older version would have written it: at the target and in the ledger."""
    assert isinstance(trial.store, MemoryStore)
    for folder in trial.store.folders.values():
        for message in folder.messages.values():
            for name, value in values.items():
                setattr(message, name, value)
    columns = {"date": int(WRONG.timestamp())} if "date" in values else {"flags": None}
    with trial.ledger.engine.execution_options(writes=True).begin() as connection:
        for name, value in columns.items():
            connection.exec_driver_sql(f"UPDATE item SET {name} = ? WHERE href IS NOT NULL", (value,))


SPOILT = [(What.DATES, {"date": WRONG}), (What.FLAGS, {"flags": frozenset()})]


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(("what", "values"), SPOILT, ids=["dates", "flags"])
def test_what_we_wrote_wrong_is_right_afterwards(
    quick_path: Path, what: What, values: dict[str, object], phase: Phase
) -> None:
    trial = moved(quick_path, phase)
    right = trial.store.snapshot()
    spoil(trial, **values)
    assert trial.store.snapshot() != right
    order = repaired(trial, what)
    assert order.code is None
    assert trial.store.snapshot() == right
    assert order.counts["repaired"] > 0
    again = repaired(trial, what)
    assert (again.counts["repaired"], again.counts["user"], again.counts["refused"]) == (0, 0, 0)
    assert trial.run().state is LegState.VERIFIED


@pytest.mark.parametrize(("what", "values"), SPOILT, ids=["dates", "flags"])
def test_a_look_counts_and_changes_nothing(quick_path: Path, what: What, values: dict[str, object]) -> None:
    trial = moved(quick_path, Phase.LIVE)
    spoil(trial, **values)
    before = trial.store.snapshot()
    told = repaired(trial, what, execute=False).counts
    assert trial.store.snapshot() == before
    (leg,) = trial.ledger.legs()
    assert leg.state is LegState.VERIFIED
    assert repaired(trial, what).counts["repaired"] == told["repaired"] > 0


def test_what_a_user_flagged_in_the_live_phase_wins(quick_path: Path) -> None:
    trial = moved(quick_path, Phase.LIVE)
    assert isinstance(trial.store, MemoryStore)
    spoil(trial, flags=frozenset())
    uid = min(trial.store.folders[INBOX].messages)
    trial.store.folders[INBOX].messages[uid].flags = frozenset({"\\Answered"})
    trial.store.append(INBOX, letter(300), frozenset({"\\Flagged"}), WRONG)
    order = repaired(trial, What.FLAGS)
    assert order.counts["user"] == 1
    assert trial.store.folders[INBOX].messages[uid].flags == {"\\Answered"}
    repaired(trial, What.DATES)
    assert (INBOX, frozenset({"\\Flagged"}), WRONG) in {
        (path, flags, date) for path, _, flags, date in trial.store.snapshot()
    }


def test_in_staging_the_target_is_ours(quick_path: Path) -> None:
    trial = moved(quick_path)
    assert isinstance(trial.store, MemoryStore)
    right = trial.store.snapshot()
    uid = min(trial.store.folders[INBOX].messages)
    trial.store.folders[INBOX].messages[uid].flags = frozenset({"\\Answered"})
    assert repaired(trial, What.FLAGS).counts == Counter(right=sum(right.values()) - 1, repaired=1)
    assert trial.store.snapshot() == right


def test_a_repair_that_died_anywhere_loses_and_doubles_nothing(quick_path: Path) -> None:
    (quick_path / "start").mkdir()
    start = moved(quick_path / "start", Phase.LIVE)
    right = start.store.snapshot()
    spoil(start, date=WRONG)
    count = Countdown()
    quiet = (calm := start.copy(quick_path / "calm")).commits(count)
    repaired(calm, What.DATES, count)
    quiet()
    moments = count.moments(every=False)
    assert len(moments) > 10
    for number in moments:
        trial = start.copy(quick_path / str(number))
        countdown = Countdown(number)
        quiet = trial.commits(countdown)
        with pytest.raises(Died):
            repaired(trial, What.DATES, countdown)
        quiet()
        there = Counter((path, digest) for path, digest, *_ in trial.store.snapshot().elements())
        assert not Counter((path, digest) for path, digest, *_ in right.elements()) - there, number
        assert repaired(trial, What.DATES).code is None
        assert trial.store.snapshot() == right, number
        trial.discard()


def test_files_get_their_dates_where_they_are(quick_path: Path) -> None:
    trial = Trial(quick_path, a_drive(4), MemoryCabinet())
    assert trial.run().state is LegState.VERIFIED
    assert isinstance(trial.store, MemoryCabinet)
    right = trial.store.snapshot()
    for _, paper in trial.store.papers():
        paper.date += timedelta(days=1)
    assert repaired(trial, What.DATES).counts["refused"] == 0
    assert trial.store.snapshot() == right


def test_a_folder_that_is_called_otherwise_gets_its_name(quick_path: Path) -> None:
    trial = moved(quick_path)
    assert isinstance(trial.store, MemoryStore)
    right = trial.store.snapshot()
    folders = set(trial.store.folders)
    drafts = next(path for path in trial.store.folders if path not in (INBOX,) and len(path) == 1)
    trial.store.folders["Falsch",] = trial.store.folders.pop(drafts)
    with trial.ledger.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql(
            "UPDATE container SET href = 'Falsch', placed = '[\"Falsch\"]' WHERE href = ?", (drafts[0],)
        )
    assert repaired(trial, What.FOLDERS, execute=False).counts["repaired"] == 1
    assert repaired(trial, What.FOLDERS).counts["repaired"] == 1
    assert set(trial.store.folders) == folders
    assert trial.store.snapshot() == right


def test_a_folder_that_its_user_renamed_stays(quick_path: Path) -> None:
    trial = moved(quick_path, Phase.LIVE)
    assert isinstance(trial.store, MemoryStore)
    drafts = next(path for path in trial.store.folders if path not in (INBOX,) and len(path) == 1)
    trial.store.folders["Meins",] = trial.store.folders.pop(drafts)
    order = repaired(trial, What.FOLDERS)
    assert order.counts["repaired"] == 0
    assert ("Meins",) in trial.store.folders


def test_what_never_moved_is_left_alone(quick_path: Path) -> None:
    trial = Trial(quick_path, a_mailbox(2), MemoryStore())
    assert repaired(trial, What.FLAGS).code == "not-copied"


@pytest.mark.parametrize("what", list(What))
def test_a_rollback_that_died_is_not_ended_by_a_repair(quick_path: Path, what: What) -> None:
    """Else the next pass would fill again what somebody is emptying."""
    trial = moved(quick_path)
    undoing = Undoing(trial)
    undoing.approve()

    def die(step: str) -> None:
        if step == "target.remove done":
            raise Died(step)

    with pytest.raises(Died):
        undoing.run(die)
    left = trial.store.snapshot()
    assert repaired(trial, what).code == "rolling-back"
    result = trial.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "rolling-back")
    assert trial.store.snapshot() == left
    assert undoing.run().code == "rolled-back"
    assert trial.store.snapshot().total() == 0


def test_nothing_is_repaired_once_its_user_may_be_there(quick_path: Path) -> None:
    """Its cutover opened the target, and stopped before it was live."""
    trial = moved(quick_path)
    spoil(trial, flags=frozenset())
    before = trial.store.snapshot()
    Steps(trial.ledger).release(trial.id)
    assert repaired(trial, What.FLAGS).code == "releasing"
    assert trial.store.snapshot() == before
