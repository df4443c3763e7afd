"""A target that is put back to a backup: what it lost is written again, in the live phase once a person says
so, and no number of the target belongs to two items."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from memory.doubles import Marks, MemoryMailbox, MemoryStore
from sqlalchemy import func, select
from walking import SOURCE, TODAY, Trial, letter, verified

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.engine import reading
from ledger.db.rows import LegState, Phase, State
from ledger.db.schema import item
from model.protocols import Role

INBOX = ("INBOX",)
LOOK = Task(Level.BOTH, copy=False)
BEFORE, AFTER = 6, 10


class Restorable(Trial):
    """backup: the target's folder as it was."""

    def back_up(self) -> None:
        self.backup = copy.deepcopy(self.store.folders[INBOX])

    def put_back(self) -> None:
        self.store.folders[INBOX] = copy.deepcopy(self.backup)

    def late(self, number: int) -> str:
        where = next(iter(self.mailbox.folders))
        return self.mailbox.deliver(where, letter(number), Marks(received=TODAY))

    def hrefs_twice(self) -> int:
        query = select(item.c.href).where(item.c.href.is_not(None)).group_by(item.c.href)
        with reading(self.ledger.engine) as connection:
            return len(connection.execute(query.having(func.count() > 1)).all())

    def copies(self, *numbers: int) -> list[int]:
        raws = [one.raw for one in self.store.folders[INBOX].messages.values()]
        return [raws.count(letter(number)) for number in numbers]


@pytest.fixture
def trial(quick_path: Path) -> Restorable:
    """10 mails are copied; the target's backup is from the time when it had 6."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=8)
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(BEFORE):
        mailbox.deliver(where, letter(number))
    trial = Restorable(quick_path, mailbox, MemoryStore(batch=50))
    verified(trial)
    trial.back_up()
    for number in range(BEFORE, AFTER):
        mailbox.deliver(where, letter(number))
    verified(trial)
    return trial


def live(trial: Trial) -> None:
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    verified(trial)
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    verified(trial)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FROZEN])
@pytest.mark.parametrize("late", [0, 2, 6])
def test_what_is_lost_before_the_release_is_written_again_at_once(
    trial: Restorable, phase: Phase, late: int
) -> None:
    trial.ledger.set_phase(trial.id, phase, "somebody")
    trial.put_back()
    for number in range(20, 20 + late):
        trial.late(number)
    trial.run()
    assert trial.hrefs_twice() == 0
    verified(trial)
    assert trial.copies(*range(AFTER), *range(20, 20 + late)) == [1] * (AFTER + late)
    assert "target-restored" in [one.kind for one in trial.ledger.events("w")]


@pytest.mark.parametrize("late", [0, 3])
def test_what_a_live_mailbox_lost_waits_for_a_person(trial: Restorable, late: int) -> None:
    live(trial)
    trial.put_back()
    for number in range(20, 20 + late):
        trial.late(number)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.COPIED, "target-restored")
        assert trial.hrefs_twice() == 0
        assert trial.states()[State.REJECTED] == AFTER - BEFORE
        assert trial.copies(*range(AFTER)) == [1] * BEFORE + [0] * (AFTER - BEFORE)
    result = trial.run(task=LOOK)
    assert (result.state, result.code) == (LegState.COPIED, "target-restored")
    assert trial.copies(*range(20, 20 + late)) == [1] * late
    trial.approve("target-restored")
    verified(trial)
    assert trial.copies(*range(AFTER), *range(20, 20 + late)) == [1] * (AFTER + late)
    assert trial.hrefs_twice() == 0
    verified(trial)
    assert trial.copies(*range(AFTER), *range(20, 20 + late)) == [1] * (AFTER + late)


def test_a_look_alone_names_it(trial: Restorable) -> None:
    live(trial)
    trial.put_back()
    for task in (LOOK, Task(copy=False)):
        result = trial.run(task=task)
        assert (result.state, result.code) == (LegState.DIFFERS, "target-restored")
        assert trial.findings() == [("+", "target-restored")] * (AFTER - BEFORE)


def test_a_second_restore_is_asked_about_again(trial: Restorable) -> None:
    live(trial)
    for _ in range(2):
        trial.put_back()
        assert trial.run().code == "target-restored"
        trial.approve("target-restored")
        verified(trial)
        assert trial.copies(*range(AFTER)) == [1] * AFTER


def test_what_its_user_deletes_or_adds_is_no_restore(trial: Restorable) -> None:
    live(trial)
    folder = trial.store.folders[INBOX]
    for uid in list(folder.messages)[-3:]:
        del folder.messages[uid]
    trial.store.append(INBOX, letter(70), frozenset(), None)
    trial.late(20)
    verified(trial)
    assert trial.run(task=LOOK).state is LegState.VERIFIED
    assert sum(trial.copies(*range(AFTER))) == AFTER - 3
    assert trial.copies(20) == [1]


@pytest.mark.parametrize("mails", [2, 4, 9])
def test_mail_that_came_before_the_next_pass_does_not_hide_it(trial: Restorable, mails: int) -> None:
    """They have the numbers of what was lost, one after the other."""
    live(trial)
    trial.put_back()
    for number in range(50, 50 + mails):
        trial.store.append(INBOX, letter(number, "y" * 60), frozenset(), None)
    trial.finish()
    result = trial.finish()
    assert (result.state, result.code) == (LegState.COPIED, "target-restored")
    trial.approve("target-restored")
    verified(trial)
    assert trial.copies(*range(AFTER)) == [1] * AFTER
    assert trial.copies(*range(50, 50 + mails)) == [0] * mails, "these have another text"
    assert len(trial.store.folders[INBOX].messages) == AFTER + mails
    assert trial.hrefs_twice() == 0


def test_what_its_user_filed_away_before_does_not_come_twice(trial: Restorable) -> None:
    """The mail was moved, and the other folder was not put back."""
    live(trial)
    trial.store.create(("Mine",))
    last = max(trial.store.folders[INBOX].messages)
    raw = trial.store.folders[INBOX].messages[last].raw
    trial.store.move(INBOX, last, ("Mine",))
    trial.put_back()
    assert trial.run().code == "target-restored"
    trial.approve("target-restored")
    verified(trial)
    assert [one.raw for one in trial.store.folders["Mine",].messages.values()] == [raw]
    assert raw not in [one.raw for one in trial.store.folders[INBOX].messages.values()]
    assert sum(trial.copies(*range(AFTER))) == AFTER - 1
