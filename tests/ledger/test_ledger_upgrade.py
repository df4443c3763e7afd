"""A schema changes only while nobody is at work by an older one, and nobody goes on by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from ledger_world import INBOX, dump, planned
from sqlalchemy import text

import ledger.migrations
from ledger.db.engine import reading, writing
from ledger.db.rows import LegState
from ledger.migrations import newest
from ledger.store import Ledger
from model.errors import Corrupt, LeaseLost, Misconfigured, Transient

pytestmark = pytest.mark.migrates

OLD = "0014"
MAILBOX = (
    "INSERT INTO mailbox (id, wave, phase, source, target, planned_at)"
    " VALUES ('m-1', 'w1', 'staging', 'a@x', 'a@y', 200)"
)
LEG = (
    "INSERT INTO leg"
    " (mailbox, workload, state, epoch, took_over, items, done, bytes, busy, copied, copied_bytes)"
    " VALUES ('m-1', 'mail', 'pending', 0, false, 0, 0, 0, 0, 0, 0)"
)
EVENT = (
    "INSERT INTO event (wave, seq, at, kind, detail, hash) VALUES ('w1', 1, 100, 'a', '{}', :hash),"
    " ('w1', 2, 300, 'b', '{}', :hash)"
)
CLAIM = text(
    "UPDATE leg SET owner = :owner, lease_until = :until, epoch = epoch + 1, state = 'running'"
    " WHERE id = 1 AND (owner IS NULL OR lease_until < :now)"
)
"""As programs before 0015 do it."""
FENCE = text("SELECT epoch FROM leg WHERE id = 1 AND epoch = :epoch AND owner = :owner")


@pytest.fixture
def old(url: str) -> Iterator[Ledger]:
    """A ledger as an older version made it, with one mailbox."""
    opened = Ledger(url)
    with writing(opened.engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(ledger.migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, OLD)
        for statement in (MAILBOX, LEG, EVENT):
            connection.execute(text(statement), {"hash": b"x"} if ":hash" in statement else {})
    yield opened
    opened.close()


def claim_as_before(opened: Ledger, owner: str, seconds: float) -> None:
    now = opened.clock().timestamp()
    with writing(opened.engine) as connection:
        connection.execute(CLAIM, {"owner": owner, "until": now + seconds, "now": now})


def test_who_only_looks_upgrades_nothing(old: Ledger) -> None:
    with pytest.raises(Misconfigured, match="kogge ledger upgrade"):
        old.ready()
    assert old.revision() == OLD
    old.migrate()
    assert old.revision() == newest()
    old.ready()


def test_who_only_looks_makes_a_ledger_where_there_is_none(url: str) -> None:
    opened = Ledger(url)
    assert opened.revision() is None
    opened.ready()
    assert opened.mailboxes() == []
    opened.close()


def test_an_upgrade_waits_for_older_workers(old: Ledger) -> None:
    claim_as_before(old, "worker", 3600)
    with pytest.raises(Transient) as raised:
        old.migrate()
    assert raised.value.code == "ledger-in-use"
    assert "1 of its workloads" in str(raised.value)
    assert old.revision() == OLD


def test_an_older_worker_that_slept_finds_its_lease_lost(old: Ledger) -> None:
    """And whoever comes next knows that it may still be writing."""
    claim_as_before(old, "worker", -1)
    with reading(old.engine) as connection:
        assert connection.execute(FENCE, {"epoch": 1, "owner": "worker"}).all()
    old.migrate()
    with reading(old.engine) as connection:
        assert not connection.execute(FENCE, {"epoch": 1, "owner": "worker"}).all()
    lease = old.claim(1, "newer", 60)
    assert lease is not None
    assert (lease.took_over, lease.unproven, lease.epoch) == (True, True, 3)


def test_an_older_program_claims_nothing(old: Ledger) -> None:
    """One that was idle, and has looked at the revision for the last time when it was started."""
    old.migrate()
    before = dump(old)
    with pytest.raises(Corrupt, match="ledger-inconsistent"):
        claim_as_before(old, "older", 60)
    assert dump(old) == before
    lease = old.claim(1, "newer", 60)
    assert lease is not None
    assert old.release(lease, LegState.VERIFIED)


def test_a_program_of_this_version_claims_nothing_of_a_newer_ledger(
    old: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.migrate()
    lease = old.claim(1, "worker", 60)
    assert lease is not None
    with old.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE leg SET lease_until = 1"))
    before = dump(old)
    with pytest.raises(Misconfigured, match="newer version"):
        old.claim(1, "another", 60)
    assert dump(old) == before


def test_the_next_upgrade_ends_the_leases_of_this_version(
    old: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.migrate()
    lease = old.claim(1, "worker", 60)
    assert lease is not None
    with writing(old.engine) as connection:
        connection.execute(text("UPDATE leg SET lease_until = 1"))
        ledger.migrations._end_leases(connection)
    with old.session(lease, mirror=True) as session, pytest.raises(LeaseLost):
        session.record_container(INBOX)
    again = old.claim(1, "newer", 60)
    assert again is not None
    assert again.unproven


def test_what_was_approved_before_the_upgrade_stays_so(old: Ledger) -> None:
    """Of an older ledger the times are all there is to tell the order by."""
    old.migrate()
    with reading(old.engine) as connection:
        assert connection.execute(text("SELECT planned_seq FROM mailbox")).scalar_one() == 1


def test_a_ledger_of_this_version_is_left_alone(ledger: Ledger) -> None:
    ledger.add_mailboxes([planned()])
    held = ledger.claim(ledger.legs()[0].id, "worker", 60)
    assert held is not None
    ledger.migrate()
    ledger.ready()
    assert ledger.renew(held, 60)
