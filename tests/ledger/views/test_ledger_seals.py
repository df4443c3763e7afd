"""The chain of seals: what a seal rests on, and what keeps a second one out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from ledger_world import KEK, claimed, force, page, planned, ref, write
from sqlalchemy import text

from evidence.bag_writer import write_mailbox
from evidence.pack_sections import sections
from ledger.db.engine import reading
from ledger.db.rows import PARTLY, ContainerRow, Finding, Lease, LegState, Outcome, State
from ledger.inventory import keystore
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from ledger.views.seal_chain import Loose, SealRow, Seals
from model.errors import Corrupt, Transient
from model.kinds import Kind
from model.protocols import Container, Loss, Role, key_of

W = "w1"
ROOT, STATEMENT = b"r" * 32, b"s" * 32


@pytest.fixture
def seals(ledger: Ledger) -> Seals:
    return Seals(ledger)


def seal(seals: Seals, wave: str = W, corrects: int | None = None) -> SealRow:
    basis = seals.basis(wave)
    number = 1 if basis.newest is None else basis.newest.number + 1
    made = SealRow(number, wave, STATEMENT, ROOT, 5.25, corrects)
    return seals.put(wave, seals.state(wave), basis, made)


def verified(ledger: Ledger, lease: Lease) -> None:
    assert ledger.release(lease, LegState.VERIFIED)


def test_seals_are_numbered_over_all_waves(ledger: Ledger, seals: Seals) -> None:
    claimed(ledger, "anna@old.example", "w1")
    claimed(ledger, "berta@old.example", "w2")
    first, second, third = seal(seals, "w1"), seal(seals, "w2"), seal(seals, "w1", corrects=1)
    assert seals.all() == [first, second, third]
    assert seals.all("w1") == [first, third]
    assert [one.number for one in seals.all()] == [1, 2, 3]
    told = ledger.events("w1")[-1]
    assert (told.kind, told.subject) == ("evidence-sealed", None)
    assert told.detail == {"number": 3, "root": ROOT.hex(), "statement": STATEMENT.hex()}
    ledger.verify_events()


def test_a_wave_is_sealed_once(ledger: Ledger, seals: Seals) -> None:
    claimed(ledger)
    seal(seals)
    for corrects in (None, 7):
        with pytest.raises(Transient, match="ledger-changed"):
            seal(seals, corrects=corrects)
    assert len(seals.all()) == 1
    assert [event.kind for event in ledger.events(W)].count("evidence-sealed") == 1


def test_what_a_seal_rests_on_must_still_be_so(ledger: Ledger, seals: Seals) -> None:
    claimed(ledger)
    basis, state = seals.basis(W), seals.state(W)
    ledger.event(W, "who", {"by": "somebody"})
    with pytest.raises(Transient, match="ledger-changed"):
        seals.put(W, state, basis, SealRow(1, W, STATEMENT, ROOT, 1.0, None))
    assert seals.all() == []
    assert ledger.events(W)[-1].kind == "who", "nothing of it is recorded"


def test_the_state_changes_with_whatever_changes_a_pack(
    ledger: Ledger, seals: Seals, session: LegLedger, lease: Lease, inbox: ContainerRow
) -> None:
    states = [seals.state(W)]

    def changed(what: str) -> None:
        states.append(seals.state(W))
        assert len(set(states)) == len(states), what

    write(session, inbox.id, ["a", "b"])
    changed("an inventory was closed")
    verified(ledger, lease)
    changed("the leg was given back")
    ledger.requeue(states=[LegState.VERIFIED], rejected=True)
    changed("it is to be tried again")
    again = ledger.claim(lease.leg, "worker-2", 60)
    assert again is not None
    changed("somebody claimed it")
    verified(ledger, again)
    changed("it was verified anew")
    keystore.destroy(ledger.engine, lease.mailbox, "somebody", "asked for")
    changed("its key is gone")
    ledger.event(W, "who", {"by": "somebody"})
    claimed(ledger, "berta@old.example", "w2")
    assert seals.state(W) == states[-1], "that changes nothing of it"


def test_a_wave_that_goes_on_after_its_seal(
    ledger: Ledger, seals: Seals, session: LegLedger, lease: Lease, inbox: ContainerRow
) -> None:
    write(session, inbox.id, ["a"])
    verified(ledger, lease)
    seal(seals)
    keystore.destroy(ledger.engine, lease.mailbox, "somebody", "asked for")
    ledger.event(W, "who", {"by": "somebody"})
    claimed(ledger, "berta@old.example", "w2")
    assert seals.changed() == seals.changed(W) == [], "that changes nothing of it"
    ledger.requeue(states=[LegState.VERIFIED], rejected=True)
    assert seals.changed() == seals.changed(W) == [W]
    assert seals.changed("w2") == []
    seal(seals, corrects=1)
    assert seals.changed() == []
    ledger.add_mailboxes([planned("carla@old.example", workloads=frozenset())])
    assert seals.changed() == [W], "a mailbox more"


def test_who_is_at_work(ledger: Ledger, seals: Seals, lease: Lease) -> None:
    assert seals.at_work(W) == [lease.mailbox]
    assert seals.at_work("w2") == []
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE leg SET lease_until = lease_until - 100"))
    assert seals.at_work(W) == [], "its lease has ended"


def loose(seals: Seals) -> list[tuple[LegState, str]]:
    return [(one.state, one.code) for one in seals.loose(W)]


def test_what_was_never_listed_is_not_accounted_for(ledger: Ledger, seals: Seals) -> None:
    kinds = frozenset({Kind.TASKS, Kind.CALENDAR, Kind.MAIL})
    (box,) = ledger.add_mailboxes([planned(workloads=kinds)])
    assert seals.loose(W) == [
        Loose(str(box), kind, LegState.PENDING, "no-inventory")
        for kind in (Kind.MAIL, Kind.CALENDAR, Kind.TASKS)
    ]
    (leg,) = ledger.legs(workload=Kind.MAIL)
    lease = ledger.claim(leg.id, "worker", 60)
    assert lease is not None
    ledger.release(lease, LegState.BLOCKED, "access-denied")
    assert loose(seals)[0] == (LegState.BLOCKED, "access-denied")


def test_a_mailbox_of_which_no_workload_is_planned_is_not_accounted_for(ledger: Ledger, seals: Seals) -> None:
    _, bare = ledger.add_mailboxes(
        [planned(workloads=frozenset({Kind.MAIL})), planned("berta@old.example", workloads=frozenset())]
    )
    assert Loose(str(bare), None, None, "no-inventory") in seals.loose(W)
    assert len(seals.loose(W)) == 2


def test_who_signed_a_seal_is_recorded(ledger: Ledger, seals: Seals) -> None:
    claimed(ledger)
    old = seal(seals)
    basis = seals.basis(W)
    new = seals.put(W, seals.state(W), basis, SealRow(2, W, STATEMENT, ROOT, 6.0, 1), "ed25519:abc")
    assert [seals.signer(one) for one in (old, new)] == [None, "ed25519:abc"]


def test_what_is_verified_is_accounted_for(
    ledger: Ledger, seals: Seals, session: LegLedger, lease: Lease, inbox: ContainerRow
) -> None:
    write(session, inbox.id, ["a"])
    session.verified(inbox.id, [key_of("a")])
    assert loose(seals) == [(LegState.RUNNING, "not-verified")]
    verified(ledger, lease)
    assert loose(seals) == []
    assert seals.loose("w2") == []


@pytest.mark.parametrize("code", PARTLY)
def test_what_was_not_read_back_is_not_accounted_for(
    ledger: Ledger, seals: Seals, session: LegLedger, lease: Lease, inbox: ContainerRow, code: str
) -> None:
    write(session, inbox.id, ["a"])
    assert ledger.release(lease, LegState.VERIFIED, code)
    assert loose(seals) == [(LegState.VERIFIED, code)]


def test_what_was_listed_since_is_not_accounted_for(
    ledger: Ledger, seals: Seals, session: LegLedger, lease: Lease, inbox: ContainerRow
) -> None:
    write(session, inbox.id, ["a"])
    session.record_page(inbox.id, page(ref("b")))
    verified(ledger, lease)
    assert loose(seals) == [(LegState.VERIFIED, "inventory-open")]


def test_what_is_owed_is_not_accounted_for(
    ledger: Ledger, seals: Seals, session: LegLedger, lease: Lease, inbox: ContainerRow
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    session.close_inventory(KEK)
    verified(ledger, lease)
    assert loose(seals) == [(LegState.VERIFIED, "items-open")]


def told(ledger: Ledger, lease: Lease, bag: Path) -> list[dict[str, object]]:
    """The results' lines of the first mailbox."""
    with reading(ledger.engine) as connection:
        key = keystore.key_of(connection, lease.mailbox, KEK)
        assert key is not None
        write_mailbox(bag, lease.mailbox, sections(connection, lease.mailbox, key, 7.5))
    with gzip.open(bag / f"data/results/{lease.mailbox}.jsonl.gz") as file:
        return [row for row in map(json.loads, file) if "i" in row]


@pytest.mark.parametrize(
    ("state", "verdict", "rule"),
    [
        (State.SEEN, "open", "seen"),
        (State.WRITING, "open", "writing"),
        (State.CHANGED, "open", "changed"),
        (State.LEAVING, "open", "leaving"),
        (State.WRITTEN, "failed", "unverified"),
        (State.VERIFIED, "match", None),
        (State.SKIPPED, "skipped", "some-code"),
        (State.REJECTED, "failed", "some-code"),
        (State.GONE, "withdrawn", None),
    ],
)
def test_every_state_is_a_verdict(
    ledger: Ledger,
    session: LegLedger,
    lease: Lease,
    inbox: ContainerRow,
    tmp_path: Path,
    state: State,
    verdict: str,
    rule: str | None,
) -> None:
    session.record_page(inbox.id, page(ref("a")))
    session.close_inventory(KEK)
    force(session, inbox.id, "a", state)
    session.close_inventory(KEK)
    lines = told(ledger, lease, tmp_path)
    assert (lines[-1]["verdict"], lines[-1]["rule"]) == (verdict, rule)
    assert [line["rule"] for line in lines[:-1]] == ["pass 2"] * (len(lines) - 1)


def test_what_was_not_ours_is_withdrawn_and_stays(
    ledger: Ledger, session: LegLedger, lease: Lease, inbox: ContainerRow, tmp_path: Path
) -> None:
    write(session, inbox.id, ["a", "b"])
    session.record_page(inbox.id, page(ref("a", deleted=True), ref("b", deleted=True)))
    session.withdrawn(inbox.id, [key_of("a")], removed=False, code="not-ours")
    session.withdrawn(inbox.id, [key_of("b")])
    lines = told(ledger, lease, tmp_path)
    assert [(line["verdict"], line["rule"]) for line in lines] == [
        ("withdrawn", "not-ours"),
        ("withdrawn", None),
    ]
    session.record_page(inbox.id, page(ref("a")))
    session.close_inventory(KEK)
    assert told(ledger, lease, tmp_path)[-1]["verdict"] == "open", "it is back"


def test_an_item_is_one_of_its_folder(
    ledger: Ledger, session: LegLedger, lease: Lease, inbox: ContainerRow, tmp_path: Path
) -> None:
    """A source may number the items of each folder anew: the same id in two folders is two items."""
    other = session.record_container(Container(Kind.MAIL, "another", ("Ablage",), Role.ARCHIVE))
    for place in (inbox.id, other.id):
        session.record_page(place, page(ref("1700000000:1")))
    session.close_inventory(KEK)
    first, second = told(ledger, lease, tmp_path)
    assert first["src"] != second["src"]


def test_a_loss_weighs_more_than_another_rendering(
    ledger: Ledger, session: LegLedger, lease: Lease, inbox: ContainerRow, tmp_path: Path
) -> None:
    write(session, inbox.id, ["a", "b"])
    session.lose(inbox.id, key_of("a"), [Loss("body", "nul"), Loss("body", "bare-lf")])
    session.lose(inbox.id, None, [Loss("name", "shortened")])
    rebuilt = [Finding(Outcome.REBUILT, key_of(name), "7:1") for name in "ab"]
    session.replace_findings(inbox.id, rebuilt)
    session.verified(inbox.id, [key_of("a"), key_of("b")])
    lines = told(ledger, lease, tmp_path)
    assert [(line["verdict"], line["rule"]) for line in lines] == [
        ("converted", "body:bare-lf,body:nul"),
        ("normalised", "rebuilt"),
    ]
    assert [line["dst"] for line in lines] == ["7:1", "7:2"], "of mail in clear"


def test_an_inventory_that_lacks_an_item_s_fate_is_refused(
    ledger: Ledger, session: LegLedger, lease: Lease, inbox: ContainerRow, tmp_path: Path
) -> None:
    write(session, inbox.id, ["a"])
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE item SET inventory = NULL"))
    with pytest.raises(Corrupt, match="inventory-broken"):
        told(ledger, lease, tmp_path)
