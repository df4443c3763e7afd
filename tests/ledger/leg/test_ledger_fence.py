"""Every method that writes is one transaction: fenced, and all or nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from ledger_world import INBOX, begin, dump, mapped, page, ref, write
from sqlalchemy import event, update

from ledger.db.rows import ContainerRow, Finding, Lease, LegState, Outcome, Phase, State
from ledger.db.schema import mailbox
from ledger.leg.containers import Placed, States
from ledger.leg.leg_session import LegLedger
from ledger.leg.rekeying import Rekeyed
from ledger.store import Ledger
from model.errors import LeaseLost, Transient
from model.protocols import Identity, Loss, Stored, key_of

NAMES = ("seen", "begun", "written", "changed", "checked", "twin")
SEEN, BEGUN, WRITTEN, CHANGED, CHECKED, TWIN = (key_of(name) for name in NAMES)
READS = {
    "awaits_folders",
    "places",
    "gives_rights",
    "folders_of_mail",
    "begun",
    "generation",
    "moves",
    "last_event",
    "last_refusal",
    "containers",
    "placed",
    "held_elsewhere",
    "placed_apart",
    "skipped_as",
    "counts",
    "pending",
    "rows",
    "claimed",
    "claimed_anywhere",
    "labels",
    "row",
    "elsewhere",
    "findings",
    "close",
}
APART = {"close_inventory"}
"""See test_ledger_inventory."""
WRITES: dict[str, Callable[[LegLedger, int], Any]] = {
    "record_container": lambda s, c: s.record_container(INBOX),
    "record_containers": lambda s, c: s.record_containers([INBOX]),
    "gone_containers": lambda s, c: s.gone_containers(set()),
    "set_href": lambda s, c: s.set_href(c, "elsewhere", ("elsewhere",)),
    "set_hrefs": lambda s, c: s.set_hrefs([Placed(c, "a", ("a",), True), Placed(c, "b", ("b",))]),
    "record_page": lambda s, c: s.record_page(c, page(ref("new"), ref("written", "v2"), cursor="later")),
    "finish_listing": lambda s, c: s.finish_listing(c, "end", set()),
    "finish_listings": lambda s, c: s.finish_listings({c: "end"}),
    "begin": lambda s, c: s.begin(c, [SEEN], "7:9"),
    "intend": lambda s, c: s.intend(c, [mapped(BEGUN, losses=(Loss("x", "y"),), labels=(("$k", "Rot"),))]),
    "settle": lambda s, c: s.settle(c, [Stored(BEGUN, "7:9")], skipped=[(SEEN, "report")], gone=[CHANGED]),
    "restore": lambda s, c: s.restore(c, [BEGUN], refund=True),
    "amended": lambda s, c: s.amended(c, [(Stored(CHANGED, "7:2"), frozenset())]),
    "unamended": lambda s, c: s.unamended(c, [CHANGED]),
    "keep": lambda s, c: s.keep(c),
    "recheck": lambda s, c: s.recheck(c, [WRITTEN]),
    "rewrite": lambda s, c: s.rewrite(c, [WRITTEN]),
    "withdrawn": lambda s, c: s.withdrawn(c, [WRITTEN]),
    "lost": lambda s, c: s.lost(c, [WRITTEN], "code"),
    "rehref": lambda s, c: s.rehref(c, {WRITTEN: "8:1"}),
    "rekeyed": lambda s, c: s.rekeyed(c, [Rekeyed(c, WRITTEN, SEEN, State.WRITTEN)]),
    "verified": lambda s, c: s.verified(c, [WRITTEN]),
    "doubted": lambda s, c: s.doubted(c, [CHECKED]),
    "replace_findings": lambda s, c: s.replace_findings(c, [Finding(Outcome.EXTRA, None)]),
    "reconsider": lambda s, c: s.reconsider("duplicate-uid"),
    "take_account": lambda s, c: s.take_account("7:hash"),
    "keep_states": lambda s, c: s.keep_states({c: States("7:9:1:4", "8:2:1:5", 100.0)}),
    "surveyed": lambda s, c: s.surveyed({c: "7:9"}),
    "lose": lambda s, c: s.lose(c, SEEN, [Loss("x", "y")]),
    "keep_generation": lambda s, c: s.keep_generation(7),
    "event": lambda s, c: s.event("kind", {"count": 1}),
}


class Crash(Exception):
    """The process ends here."""


def test_every_public_method_is_covered() -> None:
    public = {
        name for name, _ in inspect.getmembers(LegLedger, inspect.isfunction) if not name.startswith("_")
    }
    assert public == READS | WRITES.keys() | APART


@pytest.fixture
def stage(session: LegLedger, inbox: ContainerRow) -> int:
    """An item in each state that some step needs."""
    write(session, inbox.id, ["written", "changed", "checked"])
    session.verified(inbox.id, [CHECKED])
    session.recheck(inbox.id, [CHANGED])
    session.record_page(inbox.id, page(ref("seen"), ref("begun"), ref("twin")))
    begin(session, inbox.id, [BEGUN, TWIN], "7:9")
    session.settle(inbox.id, [], skipped=[(TWIN, "duplicate-uid")])
    session.replace_findings(inbox.id, [Finding(Outcome.MISSING, WRITTEN)])
    return inbox.id


@pytest.mark.parametrize("name", WRITES)
def test_an_old_lease_writes_nothing(
    ledger: Ledger, session: LegLedger, stage: int, lease: Lease, name: str
) -> None:
    assert ledger.claim(lease.leg, "worker-2", 60, dead=lambda _: True) is not None
    before = dump(ledger)
    with pytest.raises(LeaseLost):
        WRITES[name](session, stage)
    assert dump(ledger) == before
    assert session.counts(stage)  # reading is still allowed


@pytest.mark.parametrize("name", WRITES)
def test_a_lease_of_another_phase_writes_nothing(
    ledger: Ledger, session: LegLedger, stage: int, lease: Lease, name: str
) -> None:
    """Whatever moved the mailbox, and however: its worker goes by rules that hold no more."""
    with ledger.engine.begin() as connection:
        connection.execute(update(mailbox).values(phase=Phase.LIVE.value))
    before = dump(ledger)
    with pytest.raises(LeaseLost) as raised:
        WRITES[name](session, stage)
    assert raised.value.code == "phase-changed"
    assert dump(ledger) == before
    assert session.counts(stage)  # reading is still allowed
    assert not ledger.renew(lease, 60)
    assert not ledger.release(lease, LegState.VERIFIED)


def test_no_session_mirrors_a_live_mailbox(ledger: Ledger, lease: Lease) -> None:
    ledger.release(lease, LegState.VERIFIED)
    ledger.set_phase(lease.mailbox, Phase.LIVE, "somebody")
    live = ledger.claim(lease.leg, "worker-2", 60)
    assert live is not None
    with pytest.raises(LeaseLost, match="phase-changed"):
        ledger.session(live, mirror=True)
    with ledger.session(live, mirror=False) as adding:
        adding.record_container(INBOX)


def test_an_old_lease_binds_nothing(ledger: Ledger, lease: Lease) -> None:
    assert ledger.claim(lease.leg, "worker-2", 60, dead=lambda _: True) is not None
    before = dump(ledger)
    with pytest.raises(LeaseLost):
        ledger.bind(lease, Identity("ews", "1"), Identity("imap", "1"), "address")
    assert dump(ledger) == before


@pytest.mark.parametrize("name", WRITES)
def test_a_crash_before_any_statement_leaves_everything_or_nothing(
    ledger: Ledger, session: LegLedger, stage: int, name: str
) -> None:
    """Interrupts at statement 1, 2, … of the method until it gets through."""
    session.containers()  # the connection is there: its set-up is not counted
    before = dump(ledger)
    for step in range(1, 50):
        seen = _crash_at(ledger, step, lambda: WRITES[name](session, stage))
        if seen < step:
            break
        assert dump(ledger) == before
    assert 2 <= step < 49
    assert dump(ledger) != before or name in ("record_container", "record_containers")


def _crash_at(ledger: Ledger, step: int, action: Callable[[], Any]) -> int:
    """Runs the action, raising before its step-th statement; returns how many statements it got to."""
    count = 0

    def crash(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == step:
            raise Crash

    event.listen(ledger.engine, "before_cursor_execute", crash)
    try:
        action()
    except Crash:
        return count
    finally:
        event.remove(ledger.engine, "before_cursor_execute", crash)
    return count


def test_a_failed_commit_leaves_nothing(ledger: Ledger, session: LegLedger, stage: int) -> None:
    before = dump(ledger)

    def crash(*_: Any) -> None:
        raise Crash

    event.listen(ledger.engine, "commit", crash)
    with pytest.raises(Crash):
        session.begin(stage, [SEEN], "7:9")
    event.remove(ledger.engine, "commit", crash)
    session.close()
    assert dump(ledger) == before
    session.begin(stage, [SEEN], "7:9")
    assert dump(ledger) != before


def test_a_database_that_hangs_up_is_transient(
    ledger: Ledger, session: LegLedger, stage: int, url: str
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("an embedded database does not hang up")
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    with pytest.raises(Transient) as raised:
        session.counts(stage)
    assert raised.value.code == "ledger-unavailable"
    assert session.counts(stage)
