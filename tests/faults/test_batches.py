"""How much goes at once: a container's first batches are small, and each is begun at a known position."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from calendars import calendar_trial
from memory.doubles import MemoryMailbox, MemoryStore
from walking import PACE, SOURCE, Trial, letter

from engine.steps.copying import copy
from engine.steps.copying.copy import FIRST
from ledger.db.rows import LegState, State
from ledger.leg.leg_session import LegLedger
from model.protocols import Role

MANY = 5 * FIRST


def test_batches_grow_and_each_lies_above_its_own_position(quick_path: Path) -> None:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=MANY)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(MANY):
        mailbox.deliver(inbox, letter(number))
    trial = Trial(quick_path, mailbox, MemoryStore(), pace=replace(PACE, batch=2 * FIRST))
    assert trial.run().state is LegState.VERIFIED
    marks = [(int(since.rpartition(":")[2]), int(href.rpartition(":")[2])) for since, href in places(trial)]
    assert all(since <= uid for since, uid in marks)
    # Two batches are begun before the first of them is sent.
    assert Counter(since for since, _ in marks) == {1: 3 * FIRST, 1 + FIRST: 2 * FIRST}


@pytest.mark.parametrize(("seconds", "sizes"), [(60.0, [20, 40, 80, 40]), (0.0, [20, 40, 40, 40, 40])])
def test_batches_stay_small_where_a_target_is_slow(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, sizes: list[int]
) -> None:
    """Slow is what takes as long as this or longer."""
    monkeypatch.setattr(copy, "USUAL", 2 * FIRST)
    monkeypatch.setattr(copy, "QUICK", seconds)
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=9 * FIRST)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(9 * FIRST):
        mailbox.deliver(inbox, letter(number))
    trial = Trial(quick_path, mailbox, MemoryStore(), pace=replace(PACE, batch=4 * FIRST))
    begun: list[int] = []
    begin = LegLedger.begin

    def noted(ledger: LegLedger, container_id: int, keys: list[bytes], since: str) -> None:
        begun.append(len(keys))
        begin(ledger, container_id, keys, since)

    monkeypatch.setattr(LegLedger, "begin", noted)
    assert trial.run().state is LegState.VERIFIED
    assert begun == sizes


@pytest.mark.parametrize(("letters", "batches"), [(0.5, 4), (1, 4), (1.5, 4), (2, 2), (3.9, 2), (4, 1)])
def test_a_batch_holds_as_many_bytes_as_it_may_and_at_least_one_item(
    quick_path: Path, letters: float, batches: int
) -> None:
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=MANY)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(10, 14):
        mailbox.deliver(inbox, letter(number, "of one size"))
    bytes_most = int(letters * len(letter(10, "of one size")))
    trial = Trial(quick_path, mailbox, MemoryStore(), pace=replace(PACE, batch=FIRST, batch_bytes=bytes_most))
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert steps.count("source.fetch") == batches


def test_after_an_answer_that_ends_the_leg_nothing_more_is_sent(quick_path: Path) -> None:
    """The next batch was fetched meanwhile; it stays here."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=MANY)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(MANY):
        mailbox.deliver(inbox, letter(number))
    trial = Trial(quick_path, mailbox, MemoryStore(batch=FIRST, quota=0), pace=replace(PACE, batch=FIRST))
    steps: list[str] = []
    result = trial.run(steps.append)
    assert (result.state, result.code) == (LegState.BLOCKED, "over-quota")
    assert steps.count("target.write") == 1


def test_a_position_that_means_nothing_is_asked_once(quick_path: Path) -> None:
    trial = calendar_trial(quick_path, MANY)
    trial.pace = replace(PACE, batch=FIRST)
    steps: list[str] = []
    assert trial.run(steps.append).state is LegState.VERIFIED
    assert steps.count("target.position") == len(trial.store.collections)


@pytest.mark.parametrize("where", ["source.fetch", "target.write", "target.write done"])
def test_what_was_only_announced_when_somebody_stops_is_pending_again(quick_path: Path, where: str) -> None:
    """Nothing is left in the middle, and no attempt is counted for what was not tried."""
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}), page=MANY)
    inbox = mailbox.create_folder(("Inbox",), Role.INBOX)
    for number in range(MANY):
        mailbox.deliver(inbox, letter(number))
    trial = Trial(quick_path, mailbox, MemoryStore(), pace=replace(PACE, batch=FIRST))
    stop = threading.Event()
    result = trial.run(lambda name: stop.set() if name == where else None, stop=stop)
    assert (result.state, result.code) == (LegState.PENDING, "stopped")
    assert trial.states()[State.WRITING] == 0
    with trial.ledger.engine.connect() as connection:
        tried = connection.exec_driver_sql("SELECT count(*) FROM item WHERE attempts > 0").scalar_one()
    assert tried == trial.states()[State.WRITTEN] == trial.store.snapshot().total()
    assert trial.run().state is LegState.VERIFIED
    assert trial.store.snapshot().total() == MANY


def places(trial: Trial) -> list[tuple[str, str]]:
    with trial.ledger.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT since, href FROM item").all()
    return [(since, href) for since, href in rows]
