"""Mail and files that arrive, or change, after a leg's first pass began have their own dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from drives import a_drive, folder
from dying import Countdown
from memory.doubles import Marks, MemoryCabinet, MemoryMailbox, MemoryStore
from undoing import repaired
from walking import Died, Trial, a_mailbox, letter

from engine.leg.repair_walk import What
from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import LegState, Phase
from model.protocols import Loss

DAYS = timedelta(days=20)
"""How long the pilots of a migration work side by side."""
FUTURE = Loss("date", "in-the-future")
WHOLE = Task(Level.BOTH)


def today(**ago: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**ago)


def dates(trial: Trial) -> list[datetime]:
    assert isinstance(trial.store, MemoryStore)
    return sorted(message.date for one in trial.store.folders.values() for message in one.messages.values())


def losses(trial: Trial) -> list[Loss]:
    (leg,) = trial.ledger.legs()
    return [loss for _, _, loss in trial.ledger.losses(leg.id) if loss.reason == "in-the-future"]


def inbox(mailbox: MemoryMailbox) -> str:
    return next(one.id for one in mailbox.folders.values() if one.path == ("Posteingang",))


def moved(directory: Path, phase: Phase = Phase.STAGING) -> Trial:
    """Its leg began weeks ago."""
    trial = Trial(directory, a_mailbox(3), MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    trial.begin_earlier(DAYS)
    trial.ledger.set_phase(trial.id, phase, "somebody")
    return trial


@pytest.mark.parametrize("phase", list(Phase))
def test_mail_that_arrives_later_keeps_its_date(quick_path: Path, phase: Phase) -> None:
    trial = moved(quick_path, phase)
    arrived = []
    for number, ago in ((501, today(days=9)), (502, today(minutes=1))):
        trial.mailbox.deliver(inbox(trial.mailbox), letter(number), Marks(received=ago))
        arrived.append(ago)
        assert trial.run(task=WHOLE).state is LegState.VERIFIED
        assert dates(trial)[-len(arrived) :] == arrived
    assert losses(trial) == []


@pytest.mark.parametrize("phase", list(Phase))
def test_a_file_that_changes_later_keeps_its_date(quick_path: Path, phase: Phase) -> None:
    trial = Trial(quick_path, a_drive(3), MemoryCabinet())
    assert trial.run().state is LegState.VERIFIED
    trial.begin_earlier(DAYS)
    trial.ledger.set_phase(trial.id, phase, "somebody")
    for name, ago in (("neu.txt", today(days=9)), ("neuer.txt", today(minutes=1))):
        trial.mailbox.deliver(folder(trial.mailbox).id, name.encode(), Marks(name=name, received=ago))
        assert trial.run(task=WHOLE).state is LegState.VERIFIED
        assert isinstance(trial.store, MemoryCabinet)
        assert max(paper.date for _, paper in trial.store.papers()) == ago
    assert losses(trial) == []


def ahead(trial: Trial, days: float) -> datetime:
    """A mail that is dated so many days from now arrives."""
    day = today(days=-days)
    trial.mailbox.deliver(inbox(trial.mailbox), letter(503), Marks(received=day))
    return day


def test_a_date_in_the_future_is_clamped_to_the_moment_of_reading_for_good(quick_path: Path) -> None:
    trial = moved(quick_path)
    ahead(trial, 3)
    before = today(seconds=1)
    assert trial.run().state is LegState.VERIFIED
    (clamped,) = [date for date in dates(trial) if date >= before]
    assert losses(trial) == [FUTURE]
    trial.now = lambda: today(days=-1)
    for task in (WHOLE, Task(Level.TARGET), Task(Level.BOTH, copy=False)):
        result = trial.run(task=task)
        assert (result.state, result.tally.replaced) == (LegState.VERIFIED, 0)
        assert dates(trial)[-1] == clamped
    assert repaired(trial, What.DATES).counts["repaired"] == 0


def test_once_the_day_has_come_the_item_gets_its_date(quick_path: Path) -> None:
    trial = moved(quick_path)
    day = ahead(trial, 3)
    assert trial.run().state is LegState.VERIFIED
    assert isinstance(trial.store, MemoryStore)
    trial.now = trial.store.now = lambda: today(days=-4)
    result = trial.run(task=WHOLE)
    assert (result.state, result.tally.replaced) == (LegState.VERIFIED, 1)
    assert dates(trial)[-1] == day
    assert losses(trial) == []
    assert trial.run(task=WHOLE).tally.replaced == 0


def test_a_target_whose_clock_is_slow_makes_no_endless_work(quick_path: Path) -> None:
    """It makes its own now of a date that has come by our clock; the same value is old by its clock soon."""
    trial = moved(quick_path)
    assert isinstance(trial.store, MemoryStore)
    trial.store.now = lambda: today(seconds=90)
    ahead(trial, 3)
    assert trial.run().state is LegState.DIFFERS
    trial.store.now = lambda: today(seconds=-90)
    trial.now = lambda: today(seconds=-180)
    trial.ledger.requeue()
    assert trial.finish().state is LegState.VERIFIED
    assert trial.run().tally.replaced == 0


def clamped_wrongly(trial: Trial) -> None:
    """As earlier versions did with what arrived after the leg's first run began."""
    assert isinstance(trial.store, MemoryStore)
    wrong = today(days=15)
    with trial.ledger.engine.begin() as connection:
        for path, one in trial.store.folders.items():
            for uid, message in one.messages.items():
                where = (path[-1] if path == ("INBOX",) else "/".join(path), f"{one.uidvalidity}:{uid}")
                sql = (
                    "SELECT item.id, item.container, item.key FROM item JOIN container c "
                    "ON c.id = item.container WHERE c.href = ? AND item.href = ? AND date > ?"
                )
                found = connection.exec_driver_sql(sql, (*where, int(wrong.timestamp()))).one_or_none()
                if found is not None:
                    message.date = wrong
                    change = "UPDATE item SET date = ? WHERE id = ?"
                    connection.exec_driver_sql(change, (int(wrong.timestamp()), found.id))
                    named = "INSERT INTO loss (container, key, field, reason) VALUES (?, ?, ?, ?)"
                    values = (found.container, found.key, FUTURE.field, FUTURE.reason)
                    connection.exec_driver_sql(named, values)


def wrong_since(directory: Path, phase: Phase = Phase.STAGING) -> tuple[Trial, object]:
    trial = moved(directory)
    for number, days in ((501, 9), (502, 4)):
        trial.mailbox.deliver(inbox(trial.mailbox), letter(number), Marks(received=today(days=days)))
    assert trial.run().state is LegState.VERIFIED
    right = trial.store.snapshot()
    clamped_wrongly(trial)
    trial.ledger.set_phase(trial.id, phase, "somebody")
    assert trial.store.snapshot() != right
    assert losses(trial) == [FUTURE, FUTURE]
    return trial, right


def test_a_pass_puts_right_what_earlier_versions_clamped(quick_path: Path) -> None:
    trial, right = wrong_since(quick_path)
    result = trial.run()
    assert (result.state, result.tally.replaced) == (LegState.VERIFIED, 2)
    assert trial.store.snapshot() == right
    assert losses(trial) == []
    assert trial.run(task=WHOLE).state is LegState.VERIFIED


def test_a_pass_that_dies_while_it_puts_dates_right_loses_and_doubles_nothing(quick_path: Path) -> None:
    (quick_path / "start").mkdir()
    start, right = wrong_since(quick_path / "start")
    count = Countdown()
    quiet = (calm := start.copy(quick_path / "calm")).commits(count)
    calm.run(count)
    quiet()
    for number in count.moments(every=False):
        trial = start.copy(quick_path / str(number))
        countdown = Countdown(number)
        quiet = trial.commits(countdown)
        with pytest.raises(Died):
            trial.run(countdown)
        quiet()
        assert trial.finish().state is LegState.VERIFIED, number
        assert trial.store.snapshot() == right, number
        assert losses(trial) == []
        trial.discard()


def test_a_live_mailbox_is_put_right_by_a_repair_alone(quick_path: Path) -> None:
    """What its user has dated otherwise since stays."""
    trial, right = wrong_since(quick_path, Phase.LIVE)
    wrong = trial.store.snapshot()
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot() == wrong
    order = repaired(trial, What.DATES)
    assert (order.code, order.counts["repaired"], order.counts["user"]) == (None, 2, 0)
    assert trial.store.snapshot() == right
    assert losses(trial) == []


def test_a_verification_of_both_sides_finds_a_wrong_date_and_a_pass_mends_it(quick_path: Path) -> None:
    trial, right = wrong_since(quick_path)
    with trial.ledger.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM loss WHERE reason = ?", (FUTURE.reason,))
    looked = trial.run(task=Task(Level.BOTH, copy=False))
    assert looked.state is LegState.DIFFERS
    assert trial.findings() == [("*", "source-date"), ("*", "source-date")]
    assert trial.run(task=WHOLE).state is LegState.VERIFIED
    assert trial.store.snapshot() == right
