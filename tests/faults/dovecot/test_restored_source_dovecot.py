"""A real Dovecot as the source is put back to a backup: it gives UIDs of mail that it lost to other mail."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from memory.doubles import MemoryStore
from on_dovecot import Walk, put_back
from server_fixtures import dovecot_with_and_without
from servers.dovecot import Dovecot
from walking import letter

from engine.leg.run import Task
from engine.verify.compare import Level
from ledger.db.rows import SOURCE_RESTORED, LegState, Phase

pytestmark = pytest.mark.dovecot
dovecot = dovecot_with_and_without("QRESYNC", [f"user{number}" for number in range(20)])
DAY = datetime(2021, 5, 1, 12, tzinfo=UTC)
SAVED, LOST = 8, 3
_people = count()


@pytest.fixture
def trial(quick_path: Path, dovecot: Dovecot) -> Walk:
    """Put back, after everything was verified: SAVED mails are there, LOST ones not any more."""
    trial = Walk(quick_path, dovecot, f"user{next(_people) % 20}", MemoryStore(batch=50))
    deliver(trial, range(SAVED))
    assert trial.run().state is LegState.VERIFIED
    dovecot.restart()
    shutil.copytree(dovecot.lab / "mail" / trial.user, quick_path / "copy")
    deliver(trial, range(100, 100 + LOST))
    assert trial.run().state is LegState.VERIFIED
    put_back(dovecot, trial.user, quick_path / "copy")
    return trial


def deliver(trial: Walk, numbers: range) -> None:
    with trial.client() as client:
        for number in numbers:
            client.append("INBOX", letter(number, f"mail {number}"), (), DAY)


def subjects(raws: list[bytes]) -> Counter[bytes]:
    return Counter(raw.partition(b"Subject: ")[2].partition(b"\r\n")[0] for raw in raws)


def at_source(trial: Walk) -> Counter[bytes]:
    with trial.client() as client:
        return subjects([data[b"BODY[]"] for data in client.fetch(client.search(), ["BODY.PEEK[]"]).values()])


def at_target(trial: Walk) -> Counter[bytes]:
    return subjects([one.raw for folder in trial.store.folders.values() for one in folder.messages.values()])


@pytest.mark.parametrize("new", [1, LOST + 2])
def test_mail_under_the_number_of_lost_mail_is_brought(trial: Walk, new: int) -> None:
    deliver(trial, range(200, 200 + new))
    result = trial.run()
    assert (result.state, result.code, result.tally.new) == (LegState.VERIFIED, None, new)
    assert at_target(trial) == at_source(trial)
    assert trial.run(Task(Level.BOTH, copy=False)).state is LegState.VERIFIED
    before = trial.store.snapshot()
    assert trial.run().tally.new == 0
    assert trial.store.snapshot() == before


def test_as_much_mail_as_was_lost_is_brought_before_the_cutover(trial: Walk) -> None:
    """The folder states the same as before; from the freeze on it is listed all the same."""
    deliver(trial, range(200, 200 + LOST))
    trial.run()
    trial.ledger.set_phase(trial.id, Phase.FROZEN, "somebody")
    result = trial.run()
    assert (result.state, result.code, result.tally.new) == (LegState.VERIFIED, None, LOST)
    assert at_target(trial) == at_source(trial)


def test_a_verification_does_not_call_it_verified(trial: Walk) -> None:
    deliver(trial, range(200, 200 + LOST))
    result = trial.run(Task(Level.TARGET, copy=False))
    assert (result.state, result.code) == (LegState.COPIED, "changed-since")
    assert trial.run().tally.new == LOST
    assert at_target(trial) == at_source(trial)


def test_a_second_restore_is_noticed_as_well(trial: Walk, quick_path: Path, dovecot: Dovecot) -> None:
    deliver(trial, range(200, 201))
    assert trial.run().state is LegState.VERIFIED
    put_back(dovecot, trial.user, quick_path / "copy")
    deliver(trial, range(300, 302))
    assert trial.run().tally.new == 2
    assert at_target(trial) == at_source(trial)


@pytest.mark.parametrize("gone", [1, LOST - 1])
def test_it_is_noticed_by_any_mail_that_has_a_lost_number(trial: Walk, gone: int) -> None:
    """People file and delete the newest mail first: what has the newest lost numbers is gone again."""
    deliver(trial, range(200, 200 + LOST + 4))
    with trial.client() as client:
        client.delete_messages(client.search()[SAVED + LOST - gone : SAVED + LOST])
        client.expunge()
    assert trial.run().state is LegState.VERIFIED
    assert at_target(trial) == at_source(trial)
    before = trial.store.snapshot()
    assert trial.run().tally.new == 0
    assert trial.store.snapshot() == before


def test_mail_that_the_backup_brings_back_is_brought(trial: Walk, quick_path: Path, dovecot: Dovecot) -> None:
    """It was deleted since, and the server does not say that it changed."""
    trial.run()
    with trial.client() as client:
        client.delete_messages(client.search()[:2])
        client.expunge()
    assert trial.run().state is LegState.VERIFIED
    put_back(dovecot, trial.user, quick_path / "copy")
    deliver(trial, range(300, 305))
    assert trial.run().state is LegState.VERIFIED
    assert at_target(trial) == at_source(trial)


@pytest.mark.parametrize("new", [0, 1, LOST + 2])
def test_a_live_mailbox_whose_source_was_put_back_is_told_so(trial: Walk, new: int) -> None:
    """What the source lost stays with its user: nothing is read under the ids of lost mail."""
    trial.ledger.set_phase(trial.id, Phase.LIVE, "somebody")
    deliver(trial, range(200, 200 + new))
    assert trial.run().state is LegState.VERIFIED
    for _ in range(2):
        result = trial.run(Task(Level.BOTH, copy=False))
        assert (result.state, result.code) == (LegState.VERIFIED, SOURCE_RESTORED)
    (leg,) = trial.ledger.legs(mailbox=trial.id)
    assert not list(trial.ledger.findings(leg.id))
    assert at_target(trial) >= at_source(trial)
    deliver(trial, range(300, 301))
    assert trial.run().tally.new == 1
