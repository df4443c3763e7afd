"""R8: a source that lost much is asked about, also where people have little, or many lose it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from calendars import calendar_trial, cards_trial
from drives import drive_trial
from memory.doubles import MemoryMailbox, MemoryStore
from walking import SOURCE, Trial, letter

from engine.context.shrink_guard import ShrinkBreaker
from ledger.db.rows import LegState, Phase, State
from ledger.plan.mailboxes import PlannedMailbox
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Role


def few(directory: Path, items: int = 4) -> Trial:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    where = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(items):
        mailbox.deliver(where, letter(number))
    directory.mkdir(exist_ok=True)
    trial = Trial(directory, mailbox, MemoryStore())
    assert trial.run().state is LegState.VERIFIED
    return trial


def lose(trial: Trial, share: float) -> None:
    """The first of each folder, as a retention rule takes them."""
    for folder in trial.mailbox.folders.values():
        items = list(folder.messages)
        for item in items[: round(share * len(items))]:
            trial.mailbox.delete(item)


@pytest.mark.parametrize("phase", [Phase.STAGING, Phase.FROZEN])
@pytest.mark.parametrize("make", [few, calendar_trial, cards_trial, drive_trial])
@pytest.mark.parametrize("share", [0.8, 1.0])
def test_most_of_a_small_workload_is_not_removed_unasked(
    quick_path: Path, make: Callable[[Path], Trial], share: float, phase: Phase
) -> None:
    trial = make(quick_path)
    assert trial.finish().state is LegState.VERIFIED
    trial.ledger.set_phase(trial.id, phase, "somebody")
    before = trial.store.snapshot()
    lose(trial, share)
    for _ in range(2):
        result = trial.run()
        assert (result.state, result.code) == (LegState.BLOCKED, "source-shrunk")
        assert trial.store.snapshot() == before
    trial.approve("source-shrunk")
    assert trial.finish().state is LegState.VERIFIED
    assert trial.store.snapshot().total() < before.total()
    assert trial.states()[State.LEAVING] == 0


def test_half_of_it_is_a_person_tidying_up(quick_path: Path) -> None:
    trial = few(quick_path)
    lose(trial, 0.5)
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == 2


def test_a_folder_that_is_emptied_item_by_item_goes(quick_path: Path) -> None:
    trial = few(quick_path, 6)
    for _ in range(3):
        for _, message in list(trial.mailbox.messages())[:2]:
            trial.mailbox.delete(message.id)
        assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == 0


def test_several_mailboxes_that_lose_their_few_stop_each_other(quick_path: Path) -> None:
    """Each of them is below its own guard."""
    breaker = ShrinkBreaker()
    trials = [few(quick_path / str(number), 2) for number in range(5)]
    for trial in trials:
        trial.breaker = breaker
        lose(trial, 1.0)
    results = [trial.run() for trial in trials]
    assert [result.code for result in results] == [None, None, *["source-shrunk"] * 3]
    assert [trial.store.snapshot().total() for trial in trials] == [0, 0, 2, 2, 2]
    fault = breaker.fault(results[2].code)
    assert fault is not None
    assert fault.code == "source-shrunk"
    assert breaker.fault("over-quota") is None
    trials[2].approve("source-shrunk")
    assert trials[2].run().state is LegState.VERIFIED
    assert trials[3].run().code == "source-shrunk"


def test_a_few_among_many_stop_nobody(quick_path: Path) -> None:
    breaker = ShrinkBreaker()
    for number in range(40):
        breaker.note(f"m-{number}", gone=False)
    trials = [few(quick_path / str(number), 2) for number in range(3)]
    for trial in trials:
        trial.breaker = breaker
        lose(trial, 1.0)
    assert [trial.run().code for trial in trials] == [None] * 3
    assert not breaker.pulled
    assert breaker.fault("source-shrunk") is None


class OfTwo(Trial):
    """One of two workloads of a mailbox."""

    def planned(self) -> PlannedMailbox:
        return replace(super().planned(), workloads=frozenset({Kind.MAIL, Kind.CALENDAR}))


def test_an_approval_does_not_cover_what_another_workload_loses(quick_path: Path) -> None:
    """A person saw that mail is gone; that the calendar was emptied since, nobody saw."""
    few_mails = few(quick_path / "mail", 60)
    mail = OfTwo(quick_path / "mail", few_mails.mailbox, MemoryStore(), shares=few_mails.ledger)
    made = calendar_trial(quick_path / "calendar")
    calendar = OfTwo(quick_path / "calendar", made.mailbox, made.store, shares=mail.ledger)
    assert calendar.id == mail.id
    assert mail.finish().state is calendar.finish().state is LegState.VERIFIED
    lose(mail, 0.8)
    assert mail.run().code == "source-shrunk"
    mail.approve("source-shrunk")
    before = calendar.store.snapshot()
    lose(calendar, 1.0)
    assert calendar.run().code == "source-shrunk"
    assert calendar.store.snapshot() == before
    mail.approve("source-shrunk")
    assert calendar.run().state is LegState.VERIFIED
    assert mail.run().code == "source-shrunk"


def test_an_approval_of_the_wave_does_not_rest_on_a_refusal_of_long_ago(quick_path: Path) -> None:
    trial = few(quick_path, 60)
    lose(trial, 0.8)
    assert trial.run().code == "source-shrunk"
    trial.approve("source-shrunk")
    assert trial.run().state is LegState.VERIFIED
    trial.ledger.approve("wave:w", "source-shrunk", "somebody", "of other mailboxes")
    before = trial.store.snapshot()
    lose(trial, 1.0)
    assert trial.run().code == "source-shrunk"
    assert trial.store.snapshot() == before


def test_an_approval_covers_no_more_than_a_pass_removes_unasked(quick_path: Path) -> None:
    """A tenth more of very many would be as many as a person is asked about."""
    trial = few(quick_path, 450)

    def lose_up_to(count: int) -> None:
        (folder,) = trial.mailbox.folders.values()
        while len(folder.messages) > 450 - count:
            trial.mailbox.delete(next(iter(folder.messages)))

    before = trial.store.snapshot()
    lose_up_to(300)
    assert trial.run().code == "source-shrunk"
    trial.approve("source-shrunk")
    lose_up_to(320)
    assert trial.run().code == "source-shrunk"
    assert trial.store.snapshot() == before
    trial.approve("source-shrunk")
    lose_up_to(339)
    assert trial.run().state is LegState.VERIFIED


def test_an_approval_is_spent_by_the_removal_whatever_comes_after_it(quick_path: Path) -> None:
    """The pass is refused at a later step, and a person has to look into that; meanwhile more is lost."""
    trial = drive_trial(quick_path, 27)
    assert trial.finish().state is LegState.VERIFIED
    lose(trial, 0.6)
    assert trial.run().code == "source-shrunk"
    trial.approve("source-shrunk")

    def refuse(step: str) -> None:
        if step == "target.stamp":
            raise Blocked("no-permission")

    result = trial.run(refuse)
    assert (result.code, result.tally.withdrawn > 5) == ("no-permission", True)
    before = trial.store.snapshot()
    lose(trial, 1.0)
    for _ in range(2):
        assert trial.run().code == "source-shrunk"
        assert trial.store.snapshot() == before
