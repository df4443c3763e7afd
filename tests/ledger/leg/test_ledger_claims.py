"""R6: leases. Only the database's clock counts, and no leg ever has two owners at once."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from ledger_world import INBOX, begin, claimed, force, item, page, planned, ref, write
from sqlalchemy import Connection, event, update

from ledger.db.rows import Lease, LegState, Phase, State
from ledger.db.schema import leg as leg_table
from ledger.store import Ledger
from model.errors import Blocked, LeaseLost
from model.kinds import Kind
from model.protocols import key_of


def expire(ledger: Ledger, lease: Lease) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(update(leg_table).where(leg_table.c.id == lease.leg).values(lease_until=1.0))


def test_a_claimed_leg_is_taken_until_released(ledger: Ledger, lease: Lease) -> None:
    assert (lease.workload, lease.owner, lease.epoch, lease.took_over) == (Kind.MAIL, "worker-1", 1, False)
    (leg,) = ledger.legs()
    assert (leg.state, leg.owner) == (LegState.RUNNING, "worker-1")
    assert leg.started is not None
    assert ledger.claim(lease.leg, "worker-2", 60) is None
    assert ledger.release(lease, LegState.BLOCKED, "quota-full")
    (leg,) = ledger.legs()
    assert (leg.state, leg.code, leg.owner, leg.lease_until) == (LegState.BLOCKED, "quota-full", None, None)
    second = ledger.claim(lease.leg, "worker-2", 60)
    assert second is not None
    assert (second.epoch, second.took_over) == (2, False)
    (again,) = ledger.legs()
    assert (again.code, again.finished, again.started) == (None, None, leg.started)


def test_a_leg_is_blocked_only_while_nobody_holds_it(ledger: Ledger, lease: Lease) -> None:
    assert not ledger.block(lease.leg, "internal-error")
    assert ledger.leg(lease.leg).state is LegState.RUNNING
    assert ledger.release(lease, LegState.VERIFIED)
    assert ledger.block(lease.leg, "internal-error")
    assert (ledger.leg(lease.leg).state, ledger.leg(lease.leg).code) == (LegState.BLOCKED, "internal-error")


def test_an_unknown_leg_cannot_be_claimed(ledger: Ledger) -> None:
    assert ledger.claim(999, "worker-1", 60) is None


def test_an_expired_lease_may_be_taken_over(ledger: Ledger, lease: Lease) -> None:
    expire(ledger, lease)
    assert ledger.renew(lease, 60)  # nobody took it: it is still ours
    assert ledger.claim(lease.leg, "worker-2", 60) is None
    expire(ledger, lease)
    second = ledger.claim(lease.leg, "worker-2", 60)
    assert second is not None
    assert second.took_over
    assert not ledger.renew(lease, 60)
    assert not ledger.release(lease, LegState.VERIFIED)
    (leg,) = ledger.legs()
    assert (leg.state, leg.owner, leg.epoch) == (LegState.RUNNING, "worker-2", 2)


def test_a_dead_owners_lease_need_not_expire(ledger: Ledger, lease: Lease) -> None:
    assert ledger.claim(lease.leg, "worker-2", 60, dead=lambda owner: owner != "worker-1") is None
    second = ledger.claim(lease.leg, "worker-2", 60, dead=lambda owner: owner == "worker-1")
    assert second is not None
    assert second.took_over


def test_the_owner_asked_about_is_the_one_replaced(ledger: Ledger, lease: Lease) -> None:
    """Somebody else takes the leg over while we find out whether its owner is dead."""

    def dead(owner: str) -> bool:
        assert ledger.claim(lease.leg, "thief", 60, dead=lambda _: True) is not None
        return owner == "worker-1"

    assert ledger.claim(lease.leg, "worker-2", 60, dead=dead) is None
    assert [leg.owner for leg in ledger.legs()] == ["thief"]


def test_times_are_the_databases(ledger: Ledger, lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 0.0)
    before = datetime.now(UTC)
    assert ledger.renew(lease, 100)
    (leg,) = ledger.legs()
    assert leg.lease_until is not None
    assert abs(leg.lease_until - before - timedelta(seconds=100)) < timedelta(seconds=30)


def test_threads_never_share_a_leg(ledger: Ledger) -> None:
    ledger.add_mailboxes([planned(f"m{number}@old.example") for number in range(12)])
    legs = [leg.id for leg in ledger.legs()]
    won: list[list[int]] = [[] for _ in range(4)]
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        for leg in legs:
            if ledger.claim(leg, f"worker-{number}", 60) is not None:
                won[number].append(leg)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [leg for mine in won for leg in mine]
    assert sorted(everything) == sorted(set(everything))
    # PostgreSQL skips a leg that somebody is claiming; whoever that was has it, or it is still free.
    free = [leg.id for leg in ledger.legs() if leg.owner is None]
    assert sorted(everything + free) == sorted(legs)


CLAIMER = """
import sys
from ledger.store import Ledger
ledger = Ledger(sys.argv[1])
won = [leg.id for leg in ledger.legs() if ledger.claim(leg.id, sys.argv[2], 60)]
print(*won)
"""


def test_processes_never_share_a_leg(ledger: Ledger, url: str) -> None:
    ledger.add_mailboxes([planned(f"m{number}@old.example") for number in range(30)])
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, url, f"worker-{n}"], stdout=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    won = [int(leg) for worker in workers for leg in worker.communicate(timeout=60)[0].split()]
    assert all(worker.returncode == 0 for worker in workers)
    assert len(won) == len(set(won))
    assert sorted(won) == sorted(leg.id for leg in ledger.legs() if leg.owner is not None)
    assert won


def test_release_counts_totals_anew(ledger: Ledger, lease: Lease) -> None:
    with ledger.session(lease, mirror=True) as session:
        inbox = session.record_container(INBOX)
        write(session, inbox.id, ["a", "b"])
        session.record_page(inbox.id, page(ref("c"), ref("d")))
        force(session, inbox.id, "d", State.GONE)
        session.rewrite(inbox.id, [item(session, inbox.id, "a").key])
    assert ledger.release(lease, LegState.WAITING, "busy")
    (leg,) = ledger.legs()
    assert (leg.items, leg.done, leg.bytes) == (3, 1, 120)
    assert leg.finished is not None


def test_a_leg_without_items_has_none(ledger: Ledger, lease: Lease) -> None:
    assert ledger.release(lease, LegState.VERIFIED, None)
    (leg,) = ledger.legs()
    assert (leg.items, leg.done, leg.bytes) == (0, 0, 0)


def test_requeue(ledger: Ledger, lease: Lease) -> None:
    other = claimed(ledger, "bert@old.example", "w2")
    assert ledger.requeue() == 0  # both are held
    ledger.release(lease, LegState.BLOCKED, "quota-full")
    ledger.release(other, LegState.VERIFIED)
    assert ledger.requeue(wave="w2") == 0
    assert ledger.requeue([other.leg]) == 0
    assert ledger.requeue([lease.leg], workload=Kind.FILES) == 0
    assert ledger.requeue([lease.leg], mailbox=lease.mailbox) == 1
    assert {leg.id: (leg.state, leg.code) for leg in ledger.legs()} == {
        lease.leg: (LegState.PENDING, None),
        other.leg: (LegState.VERIFIED, None),
    }
    assert ledger.requeue(states=[LegState.VERIFIED]) == 1


def test_requeue_gives_rejected_items_new_attempts(ledger: Ledger, lease: Lease) -> None:
    with ledger.session(lease, mirror=True) as session:
        inbox = session.record_container(INBOX)
        session.record_page(inbox.id, page(ref("a"), ref("b")))
        write(session, inbox.id, ["b"])
        session.recheck(inbox.id, [item(session, inbox.id, "b").key])
        for name in ("a", "b"):
            begin(session, inbox.id, [item(session, inbox.id, name).key], "7:1")
            session.settle(inbox.id, [], rejected=[(item(session, inbox.id, name).key, "too-large")])
    ledger.release(lease, LegState.DIFFERS)
    assert ledger.requeue() == 1
    with ledger.session(lease, mirror=True) as session:
        assert session.counts() == {State.REJECTED: 2}
        assert ledger.requeue(states=[LegState.PENDING], rejected=True) == 1
        rows = {row.source_id: (row.state, row.attempts, row.code) for row in session.rows(inbox.id)}
        # What has a copy at the target is amended, not written a second time.
        assert rows == {"a": (State.SEEN, 0, None), "b": (State.CHANGED, 0, None)}


def test_a_lost_lease_is_noticed_at_once(ledger: Ledger, lease: Lease) -> None:
    second = ledger.claim(lease.leg, "worker-2", 60, dead=lambda _: True)
    assert second is not None
    with ledger.session(lease, mirror=True) as session, pytest.raises(LeaseLost) as raised:
        session.record_container(INBOX)
    assert raised.value.code == "lease-lost"


def ahead(ledger: Ledger, seconds: float = 3600.0) -> None:
    """The database's clock is put ahead: every lease looks as if it ended so much earlier."""
    with ledger.engine.begin() as connection:
        connection.execute(update(leg_table).values(lease_until=leg_table.c.lease_until - seconds))


def test_a_clock_put_ahead_leaves_the_owner_in_doubt(ledger: Ledger, lease: Lease) -> None:
    """It is at work, and finds out at its next renewal: whoever takes the leg over has to wait for that."""
    assert not lease.unproven
    ahead(ledger)
    second = ledger.claim(lease.leg, "worker-2", 60)
    assert second is not None
    assert (second.took_over, second.unproven) == (True, True)
    assert not ledger.renew(lease, 60)


def test_an_owner_that_is_proven_dead_is_not_in_doubt(ledger: Ledger, lease: Lease) -> None:
    ahead(ledger)
    second = ledger.claim(lease.leg, "worker-2", 60, dead=lambda owner: owner == "worker-1")
    assert second is not None
    assert (second.took_over, second.unproven) == (True, False)


def test_a_doubt_stays_until_somebody_has_waited(ledger: Ledger, lease: Lease) -> None:
    """Who took over died as well, provably, or gave the leg back before it had waited."""
    ahead(ledger)
    assert ledger.claim(lease.leg, "worker-2", 60) is not None
    third = ledger.claim(lease.leg, "worker-3", 60, dead=lambda owner: owner == "worker-2")
    assert third is not None
    assert third.unproven
    ledger.release(third, LegState.PENDING, "stopped")
    with pytest.raises(Blocked, match="claimed-elsewhere"):
        ledger.set_phase(lease.mailbox, Phase.LIVE, "somebody")
    fourth = ledger.claim(lease.leg, "worker-4", 60)
    assert fourth is not None
    assert (fourth.took_over, fourth.unproven) == (True, True)
    ledger.outwaited(fourth)
    ledger.release(fourth, LegState.VERIFIED)
    fifth = ledger.claim(lease.leg, "worker-5", 60)
    assert fifth is not None
    assert (fifth.took_over, fifth.unproven) == (False, False)
    with pytest.raises(LeaseLost):
        ledger.outwaited(fourth)


def test_a_clock_put_back_makes_no_second_owner(ledger: Ledger, lease: Lease) -> None:
    ahead(ledger, -3600.0)
    assert ledger.claim(lease.leg, "worker-2", 60) is None
    assert ledger.renew(lease, 60)


@pytest.mark.parametrize("released", [True, False])
def test_whose_death_left_the_items_is_known_until_they_are_settled(
    ledger: Ledger, lease: Lease, released: bool
) -> None:
    """Who took over was stopped, or died, while it waited, so it settled nothing."""
    expire(ledger, lease)
    second = ledger.claim(lease.leg, "worker-2", 60)
    assert second is not None
    if released:
        assert ledger.release(second, LegState.PENDING, "stopped")
    else:
        expire(ledger, second)
    third = ledger.claim(lease.leg, "worker-3", 60)
    assert third is not None
    assert (third.took_over, third.before) == (True, "worker-1")
    ledger.outwaited(third)
    expire(ledger, third)
    fourth = ledger.claim(lease.leg, "worker-4", 60)
    assert fourth is not None
    assert fourth.before == "worker-3"


def rejected_in(ledger: Ledger, source: str) -> Lease:
    """A leg that was given back with one rejected item."""
    lease = claimed(ledger, source)
    with ledger.session(lease, mirror=True) as session:
        inbox = session.record_container(INBOX)
        session.record_page(inbox.id, page(ref("a")))
        begin(session, inbox.id, [key_of("a")], "7:1")
        session.settle(inbox.id, [], rejected=[(key_of("a"), "too-large")])
    ledger.release(lease, LegState.DIFFERS, "verification-differs")
    return lease


def test_only_the_leg_that_is_asked_for_is_tried_again(ledger: Ledger) -> None:
    first, second, third = (rejected_in(ledger, f"{name}@old.example") for name in ("anna", "bert", "carla"))
    assert ledger.requeue([second.leg], rejected=True) == 1
    assert {leg.id: (leg.state, leg.code, leg.done) for leg in ledger.legs()} == {
        first.leg: (LegState.DIFFERS, "verification-differs", 1),
        second.leg: (LegState.PENDING, None, 0),
        third.leg: (LegState.DIFFERS, "verification-differs", 1),
    }
    assert {mailbox.id for mailbox, _, _ in ledger.rejected()} == {first.mailbox, third.mailbox}


@pytest.mark.parametrize("code", ["rolled-back", "stopped", "busy"])
def test_only_a_rollback_that_was_begun_leaves_its_code(ledger: Ledger, lease: Lease, code: str) -> None:
    ledger.release(lease, LegState.WAITING, code)
    assert ledger.claim(lease.leg, "worker-2", 60) is not None
    assert ledger.leg(lease.leg).code is None


def test_a_renewal_is_given_up_before_the_next_one_is_due(ledger: Ledger, lease: Lease) -> None:
    if ledger.engine.dialect.name != "postgresql":
        pytest.skip("an embedded database does not hang")
    limits: list[str] = []

    def note(connection: Connection, *_: object) -> None:
        with connection.connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            (limit,) = cursor.fetchone() or ("",)
        limits.append(str(limit))

    event.listen(ledger.engine, "after_execute", note)
    assert ledger.renew(lease, 60)
    event.remove(ledger.engine, "after_execute", note)
    assert limits[-1] == "20s"
