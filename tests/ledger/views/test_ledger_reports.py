from __future__ import annotations

from ledger_world import begin, claimed, force, mapped, page, planned, ref, write

from ledger.db.rows import ContainerRow, Finding, Lease, LegState, Outcome, State
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Loss, key_of


def test_a_summary_counts_every_leg(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    ledger.add_mailboxes([planned("bert@old.example", workloads=frozenset({Kind.MAIL, Kind.NOTES}))])
    claimed(ledger, "carl@old.example", "w2")
    write(session, inbox.id, ["a", "b"])
    write(session, other.id, ["c"], first=9)
    session.record_page(other.id, page(ref("d"), ref("e"), ref("f", size=None)))
    force(session, other.id, "e", State.GONE)
    session.record_page(other.id, page(ref("g"), ref("h"), ref("i")))
    session.settle(other.id, [], skipped=[(key_of("g"), "no-body"), (key_of("h"), "no-body")])
    session.settle(other.id, [], rejected=[(key_of("i"), "too-large")])
    losses = (Loss("categories", "too-many"), Loss("date", "future"))
    begin(session, other.id, [key_of("d")], "7:1")
    session.intend(other.id, [mapped(key_of("d"), losses=losses)])
    session.lose(inbox.id, None, losses[:1])
    session.replace_findings(
        inbox.id, [Finding(Outcome.MISSING, key_of("a")), Finding(Outcome.MISSING, None)]
    )
    legs = {(leg.mailbox, leg.workload): leg for leg in ledger.summary("w1")}
    assert len(legs) == 3
    assert len(ledger.summary()) == 4
    mine = legs.pop((lease.mailbox, Kind.MAIL))
    ends = {State.SKIPPED: 2, State.REJECTED: 1}
    assert mine.counts == {State.WRITTEN: 3, State.WRITING: 1, State.GONE: 1, State.SEEN: 1, **ends}
    sizes = {State.WRITTEN: 360, State.WRITING: 120, State.GONE: 100, State.SEEN: 0}
    assert mine.sizes == {**sizes, State.SKIPPED: 200, State.REJECTED: 100}
    assert (mine.items, mine.bytes) == (8, 360)
    assert mine.skips == {"no-body": 2}
    assert mine.losses == {("categories", "too-many"): 2, ("date", "future"): 1}
    assert mine.findings == {(Outcome.MISSING, ""): 2}
    assert (mine.wave, mine.leg, mine.state) == ("w1", lease.leg, LegState.RUNNING)
    assert all(not leg.counts and not leg.losses and leg.items == 0 for leg in legs.values())


def test_what_a_removed_folder_had_lost_counts_no_more(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow
) -> None:
    """The folder's own, and that of an item that is gone; an item that stays at the target keeps its own."""
    session.record_page(other.id, page(ref("d"), ref("e")))
    for name in ("d", "e"):
        begin(session, other.id, [key_of(name)], "7:1")
        session.intend(other.id, [mapped(key_of(name), losses=(Loss("date", "future"),))])
    for container in (inbox, other):
        session.lose(container.id, None, [Loss("folder-name", "too-long")])
    (leg,) = ledger.summary("w1")
    assert leg.losses == {("date", "future"): 2, ("folder-name", "too-long"): 2}
    session.gone_containers({inbox.source_id})
    force(session, other.id, "d", State.GONE)
    (leg,) = ledger.summary("w1")
    assert leg.losses == {("date", "future"): 1, ("folder-name", "too-long"): 1}
    lost = [(place.id, item and item.source_id) for _, place, item, _ in ledger.lost("w1", [Kind.MAIL])]
    assert lost == [(inbox.id, None), (other.id, "e")]


def test_rejected_items_come_with_their_place(
    ledger: Ledger, session: LegLedger, inbox: ContainerRow, other: ContainerRow, lease: Lease
) -> None:
    session.record_page(inbox.id, page(ref("a"), ref("b")))
    session.record_page(other.id, page(ref("c")))
    for container, name in ((inbox, "b"), (other, "c")):
        session.settle(container.id, [], rejected=[(key_of(name), "too-large")])
    found = list(ledger.rejected("w1"))
    assert [
        (mailbox.source, container.path, item.source_id, item.code) for mailbox, container, item in found
    ] == [
        ("anna@old.example", inbox.path, "b", "too-large"),
        ("anna@old.example", other.path, "c", "too-large"),
    ]
    assert found[0][1] == session.containers()[0]
    assert list(ledger.rejected(mailbox=lease.mailbox)) == found
    assert list(ledger.rejected("w2")) == []
