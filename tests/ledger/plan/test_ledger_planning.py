from __future__ import annotations

import re
import threading
import time
from contextlib import nullcontext
from dataclasses import replace

import pytest
from ledger_world import claimed, dump, page, planned, ref

from ledger.db.rows import Lease, LegState, Phase
from ledger.plan.mailboxes import PlanConflict
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Container, Identity

EWS, IMAP = Identity("ews", "guid-1"), Identity("imap", "user-1")


def bound(ledger: Ledger, source: str, ews: Identity = EWS, imap: Identity = IMAP) -> Lease:
    lease = claimed(ledger, source)
    ledger.bind(lease, ews, imap, "address")
    return lease


def logins_of(ledger: Ledger, mailbox: str) -> tuple[str | None, str | None, str]:
    own = ledger.planned(mailbox)
    return own.source_login, own.target_login, own.folder


def test_planning_is_idempotent_by_source(ledger: Ledger) -> None:
    rows = [planned("anna@old.example"), planned("bert@old.example", "w2", source_login="OLD\\bert")]
    first = ledger.add_mailboxes(rows)
    before = dump(ledger)
    assert ledger.add_mailboxes(reversed(rows)) == first[::-1]
    assert dump(ledger) == before
    assert all(re.fullmatch("m-[0-9a-f]{8}", str(one)) for one in first)
    anna = ledger.mailbox(str(first[0]))
    assert (anna.wave, anna.phase, anna.source, anna.target) == (
        "w1",
        Phase.STAGING,
        "anna@old.example",
        "anna@old.example.new",
    )
    assert logins_of(ledger, str(first[1])) == ("OLD\\bert", None, "")
    assert [row.id for row in ledger.mailboxes("w2")] == [first[1]]
    assert [row.id for row in ledger.mailboxes(ids=[str(first[0]), "m-unknown"])] == [first[0]]


def test_a_row_named_twice_is_one_mailbox(ledger: Ledger) -> None:
    first, second = ledger.add_mailboxes([planned(), planned(target="else@new.example")])
    assert first == second
    assert ledger.mailbox(str(first)).target == "else@new.example"


def test_an_unbound_mailbox_follows_the_plan_but_never_its_phase(ledger: Ledger) -> None:
    both = frozenset({Kind.MAIL, Kind.CALENDAR})
    (number,) = ledger.add_mailboxes([planned(workloads=both)])
    ledger.set_phase(str(number), Phase.FROZEN, "operator")
    changed = planned(wave="w2", target="else@new.example", workloads=frozenset({Kind.MAIL, Kind.TASKS}))
    assert ledger.add_mailboxes([changed]) == [number]
    row = ledger.mailbox(str(number))
    assert (row.wave, row.target, row.phase) == ("w2", "else@new.example", Phase.FROZEN)
    assert [leg.workload for leg in ledger.legs()] == [Kind.MAIL, Kind.TASKS]


@pytest.mark.parametrize("field", ["target", "wave", "source_login", "target_login"])
def test_a_bound_mailbox_refuses_a_changed_row(ledger: Ledger, field: str) -> None:
    lease = bound(ledger, "anna@old.example")
    ledger.release(lease, LegState.WAITING)
    rows = dump(ledger)["identity"], logins_of(ledger, lease.mailbox), ledger.mailbox(lease.mailbox)
    changed = replace(planned("anna@old.example"), **{field: "else"})
    for _ in range(2):
        assert ledger.add_mailboxes([changed]) == [PlanConflict(lease.mailbox, field)]
    assert (
        dump(ledger)["identity"],
        logins_of(ledger, lease.mailbox),
        ledger.mailbox(lease.mailbox),
    ) == rows
    (leg,) = ledger.legs()
    assert (leg.state, leg.code, leg.withheld) == (LegState.BLOCKED, "plan-changed", "plan-changed")
    assert ledger.requeue() == 0, "no retry sends it back"
    with pytest.raises(Blocked) as raised:
        ledger.refuse_withheld(lease.mailbox)
    assert raised.value.code == "plan-changed"
    assert [event.kind for event in ledger.events("w1")] == ["bound", "withheld"]


def test_a_row_that_is_as_it_was_runs_again(ledger: Ledger) -> None:
    lease = bound(ledger, "anna@old.example")
    ledger.release(lease, LegState.WAITING)
    ledger.add_mailboxes([planned("anna@old.example", target="else@new.example")])
    assert ledger.add_mailboxes([planned("anna@old.example")]) == [lease.mailbox]
    ledger.refuse_withheld(lease.mailbox)
    (leg,) = ledger.legs()
    assert (leg.state, leg.code, leg.withheld) == (LegState.PENDING, None, None)


def test_a_row_taken_out_takes_its_unbound_mailbox_along(ledger: Ledger) -> None:
    wrong, other = ledger.add_mailboxes([planned("bernd@old.example"), planned("carl@old.example", "w2")])
    (leg,) = ledger.legs(mailbox=str(wrong))
    lease = ledger.claim(leg.id, "dry-run", 60)
    assert lease is not None
    with ledger.session(lease, mirror=True) as session:
        row = session.record_container(Container(Kind.MAIL, "f1", ("Inbox",)))
        session.record_page(row.id, page(ref("one")), keep_cursor=True)
    ledger.release(lease, LegState.PENDING, "dry-run")
    (right,) = ledger.add_mailboxes([planned("anna@old.example")], whole=True, waves={"w1"})
    assert {row.id for row in ledger.mailboxes()} == {right, other}, "another wave's are not asked about"
    assert {leg.mailbox for leg in ledger.legs()} == {right, other}
    assert not dump(ledger)["item"]
    assert [event.kind for event in ledger.events("w1")] == ["withdrawn"]


def test_a_row_taken_out_withholds_its_bound_mailbox(ledger: Ledger) -> None:
    open_, done = (
        bound(ledger, f"{name}@old.example", Identity("ews", name), Identity("imap", name))
        for name in ("anna", "bert")
    )
    ledger.release(open_, LegState.WAITING)
    ledger.release(done, LegState.VERIFIED)
    ledger.add_mailboxes([], whole=True)
    legs = {leg.mailbox: leg for leg in ledger.legs()}
    assert (legs[open_.mailbox].state, legs[open_.mailbox].code) == (LegState.BLOCKED, "not-in-plan")
    assert legs[done.mailbox].state is LegState.VERIFIED, "what is accounted for stays so"
    assert {leg.withheld for leg in legs.values()} == {"not-in-plan"}


@pytest.mark.parametrize("code", ["rolled-back", "rolling-back", "login-refused"])
def test_what_is_blocked_stays_so_when_its_row_is_taken_out_and_put_back(ledger: Ledger, code: str) -> None:
    lease = bound(ledger, "anna@old.example")
    ledger.release(lease, LegState.BLOCKED, code)
    ledger.add_mailboxes([], whole=True)
    (leg,) = ledger.legs()
    assert (leg.state, leg.code, leg.withheld) == (LegState.BLOCKED, code, "not-in-plan")
    ledger.add_mailboxes([planned("anna@old.example", target="else@new.example")], whole=True)
    assert ledger.add_mailboxes([planned("anna@old.example")], whole=True) == [lease.mailbox]
    (leg,) = ledger.legs()
    assert (leg.state, leg.code, leg.withheld) == (LegState.BLOCKED, code, None), "nobody asked to retry it"
    assert ledger.requeue() == 1, "a retry does"


def test_a_mailbox_at_work_is_not_changed_under_its_worker(ledger: Ledger, lease: Lease) -> None:
    changed = planned("anna@old.example", target="else@new.example")
    assert ledger.add_mailboxes([changed]) == [PlanConflict(lease.mailbox, "target")]
    ledger.add_mailboxes([], whole=True)
    assert ledger.renew(lease, 60)
    ledger.release(lease, LegState.PENDING)
    assert ledger.add_mailboxes([changed]) == [lease.mailbox]
    assert ledger.mailbox(lease.mailbox).target == "else@new.example"


def test_another_account_of_an_unbound_mailbox_is_listed_anew(ledger: Ledger, lease: Lease) -> None:
    with ledger.session(lease, mirror=True) as session:
        row = session.record_container(Container(Kind.MAIL, "f1", ("Inbox",)))
        session.record_page(row.id, page(ref("one")), keep_cursor=True)
    ledger.release(lease, LegState.PENDING, "dry-run")
    assert ledger.add_mailboxes([planned("anna@old.example", source_login="a.smith")]) == [lease.mailbox]
    assert logins_of(ledger, lease.mailbox) == ("a.smith", None, "")
    assert not dump(ledger)["item"]
    assert not ledger.renew(lease, 60)


def test_a_leg_that_ever_ran_is_kept(ledger: Ledger, lease: Lease) -> None:
    ledger.release(lease, LegState.WAITING)
    ledger.add_mailboxes([planned(workloads=frozenset({Kind.TASKS}))])
    assert [leg.workload for leg in ledger.legs()] == [Kind.MAIL, Kind.TASKS]
    assert [leg.workload for leg in ledger.legs(workload=Kind.TASKS)] == [Kind.TASKS]


def test_binding_is_proved_again_at_every_call(ledger: Ledger) -> None:
    lease = bound(ledger, "anna@old.example")
    row = ledger.mailbox(lease.mailbox)
    assert (row.source_identity, row.target_identity) == ("ews:guid-1", "imap:user-1")
    before = dump(ledger)
    ledger.bind(lease, EWS, IMAP, "address")
    assert dump(ledger) == before


def test_a_folder_is_bound_when_there_is_one_and_is_that_one_then(ledger: Ledger) -> None:
    lease = bound(ledger, "anna@old.example")
    here, elsewhere = replace(IMAP, part="7", user="anna"), replace(IMAP, part="8")
    for _ in range(2):
        ledger.bind(lease, EWS, here, "address")
        assert ledger.mailbox(lease.mailbox).target_identity == "imap:user-1#7"
    before = dump(ledger)
    for other in (elsewhere, IMAP):
        with pytest.raises(Blocked) as raised:
            ledger.bind(lease, EWS, other, "address")
        assert raised.value.code == "folder-replaced"
    with pytest.raises(Blocked) as raised:
        ledger.bind(lease, EWS, Identity("imap", "user-2", part="7"), "address", replaced=True)
    assert raised.value.code == "identity-changed"
    assert dump(ledger) == before
    ledger.bind(lease, EWS, elsewhere, "address", replaced=True)
    assert ledger.mailbox(lease.mailbox).target_identity == "imap:user-1#8"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (Identity("ews", "guid-2"), IMAP),
        (EWS, Identity("imap", "user-2")),
        (EWS, Identity("dav", "user-1")),
    ],
)
def test_another_account_than_the_bound_one_blocks(
    ledger: Ledger, source: Identity, target: Identity
) -> None:
    lease = bound(ledger, "anna@old.example")
    before = dump(ledger)
    with pytest.raises(Blocked) as raised:
        ledger.bind(lease, source, target, "address")
    assert raised.value.code == "identity-changed"
    assert dump(ledger) == before


@pytest.mark.parametrize(
    ("source", "target"), [(EWS, Identity("imap", "user-2")), (Identity("ews", "guid-2"), IMAP)]
)
def test_an_account_belongs_to_one_mailbox(ledger: Ledger, source: Identity, target: Identity) -> None:
    bound(ledger, "anna@old.example")
    other = claimed(ledger, "bert@old.example")
    before = dump(ledger)
    with pytest.raises(Blocked) as raised:
        ledger.bind(other, source, target, "address")
    assert raised.value.code == "identity-bound-elsewhere"
    assert dump(ledger) == before


def test_legs_of_a_mailbox_share_its_accounts(ledger: Ledger) -> None:
    (number,) = ledger.add_mailboxes([planned(workloads=frozenset({Kind.MAIL, Kind.CALENDAR}))])
    calendar, mail = (ledger.claim(leg.id, "worker-1", 60) for leg in ledger.legs())
    assert mail is not None
    assert calendar is not None
    ledger.bind(mail, EWS, IMAP, "address")
    ledger.bind(calendar, EWS, Identity("dav", "user-1"), "address")
    assert len([event for event in ledger.events("w1") if event.kind == "bound"]) == 2
    assert ledger.mailbox(str(number)).source_identity == "ews:guid-1"


def test_a_mailbox_has_one_account_a_system(ledger: Ledger) -> None:
    ledger.add_mailboxes([planned(workloads=frozenset({Kind.MAIL, Kind.CALENDAR}))])
    calendar, mail = (ledger.claim(leg.id, "worker-1", 60) for leg in ledger.legs())
    assert mail is not None
    assert calendar is not None
    ledger.bind(mail, EWS, IMAP, "address")
    with pytest.raises(Blocked) as raised:
        ledger.bind(calendar, Identity("ews", "guid-2"), Identity("dav", "user-1"), "address")
    assert raised.value.code == "identity-changed"


@pytest.mark.parametrize(
    ("cards", "code"),
    [
        (Identity("dav:dav.example:443", "user-2"), "identity-changed"),
        (Identity("dav:dav.example:4434", "user-2"), None),
        (Identity("dav:cards.example:443", "user-1"), None),
    ],
)
def test_a_persons_calendars_and_contacts_may_lie_on_two_servers(
    ledger: Ledger, cards: Identity, code: str | None
) -> None:
    ledger.add_mailboxes([planned(workloads=frozenset({Kind.CALENDAR, Kind.CONTACTS}))])
    calendar, contacts = (ledger.claim(leg.id, "worker-1", 60) for leg in ledger.legs())
    assert calendar is not None
    assert contacts is not None
    ledger.bind(calendar, EWS, Identity("dav:dav.example:443", "user-1"), "address")
    with pytest.raises(Blocked) if code else nullcontext() as raised:
        ledger.bind(contacts, EWS, cards, "address")
    assert (raised.value.code if raised else None) == code


def both_held(ledger: Ledger) -> tuple[Lease, Lease]:
    ledger.add_mailboxes([planned(workloads=frozenset({Kind.MAIL, Kind.CALENDAR}))])
    calendar, mail = (ledger.claim(leg.id, "worker-1", 60) for leg in ledger.legs())
    assert mail is not None
    assert calendar is not None
    return mail, calendar


def test_a_mailbox_has_one_account_on_each_server_it_is_read_from(ledger: Ledger) -> None:
    """Two Exchange servers know one person by two ids: each leg is bound to that of its own."""
    mail, calendar = both_held(ledger)
    other, dav = Identity("ews", "guid-2"), Identity("dav", "user-1")
    ledger.bind(mail, EWS, IMAP, "address", apart=(Kind.CALENDAR,))
    for _ in range(2):
        ledger.bind(calendar, other, dav, "address", apart=(Kind.MAIL,))
        ledger.bind(mail, EWS, IMAP, "address", apart=(Kind.CALENDAR,))
    before = dump(ledger)
    for swapped in (EWS, Identity("ews", "guid-3"), Identity("imap", "guid-2")):
        with pytest.raises(Blocked) as raised:
            ledger.bind(calendar, swapped, dav, "address", apart=(Kind.MAIL,))
        assert raised.value.code == "identity-changed", "a workload stays where it was bound"
    assert dump(ledger) == before


def test_another_mailbox_has_none_of_the_two_accounts(ledger: Ledger) -> None:
    mail, calendar = both_held(ledger)
    ledger.bind(mail, EWS, IMAP, "address", apart=(Kind.CALENDAR,))
    other, dav = Identity("ews", "guid-2"), Identity("dav", "user-1")
    ledger.bind(calendar, other, dav, "address", apart=(Kind.MAIL,))
    stranger = claimed(ledger, "bert@old.example")
    for taken in (EWS, other):
        with pytest.raises(Blocked) as raised:
            ledger.bind(stranger, taken, Identity("imap", "user-2"), "address", apart=(Kind.CALENDAR,))
        assert raised.value.code == "identity-bound-elsewhere"


def test_workloads_of_one_server_share_one_account_there(ledger: Ledger) -> None:
    """It does not help that some other workload is read from elsewhere."""
    mail, calendar = both_held(ledger)
    ledger.bind(mail, EWS, IMAP, "address")
    with pytest.raises(Blocked) as raised:
        ledger.bind(
            calendar, Identity("ews", "guid-2"), Identity("dav", "user-1"), "address", apart=(Kind.TASKS,)
        )
    assert raised.value.code == "identity-changed"


def test_who_is_recorded_without_an_address(ledger: Ledger, lease: Lease) -> None:
    for asked in (lease.mailbox, "anna@old.example", "anna@old.example.new"):
        assert ledger.who(asked, "operator").id == lease.mailbox
    events = ledger.events("w1")
    assert [(event.kind, event.subject, event.detail) for event in events] == [
        ("who", lease.mailbox, {"by": "operator"})
    ] * 3
    with pytest.raises(Blocked) as raised:
        ledger.who("nobody@old.example", "operator")
    assert "nobody" not in str(raised.value)
    assert len(ledger.events("w1")) == 3


@pytest.mark.parametrize("ask", ["mailbox", "planned"])
def test_an_unknown_mailbox(ledger: Ledger, ask: str) -> None:
    with pytest.raises(Blocked) as raised:
        getattr(ledger, ask)("m-00000000")
    assert raised.value.code == "mailbox-unknown"
    with pytest.raises(Blocked):
        ledger.set_phase("m-00000000", Phase.LIVE, "operator")


def test_plans_made_at_the_same_time_agree(ledger: Ledger) -> None:
    rows = [planned(f"m{number}@old.example") for number in range(20)]
    answers: list[list[object]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(list(ledger.add_mailboxes(rows)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)
    assert len(ledger.mailboxes()) == len(ledger.legs()) == 20


@pytest.mark.parametrize("changes", [{"target": "else@new.example"}, {"source_login": "anna"}])
def test_an_approval_is_for_the_accounts_that_were_looked_at(ledger: Ledger, changes: dict[str, str]) -> None:
    (number,) = map(str, ledger.add_mailboxes([planned()]))
    ledger.approve(number, "asserted", "auditor", "seen both")
    assert ledger.approved(number, "asserted")
    assert "example" not in str(ledger.events("w1")[-1].detail)
    ledger.add_mailboxes([planned(**changes)])
    assert not ledger.approved(number, "asserted")
    ledger.add_mailboxes([planned()])
    assert ledger.approved(number, "asserted"), "what was seen is there again"


def test_an_approval_of_a_wave_is_for_what_was_planned_in_it(ledger: Ledger) -> None:
    anna, bert = map(str, ledger.add_mailboxes([planned("anna@old.example"), planned("bert@old.example")]))
    ledger.approve("wave:w1", "asserted", "auditor", "seen these")
    rows = [planned("anna@old.example"), planned("bert@old.example", target="else@new.example")]
    time.sleep(0.01)
    *_, carl = map(str, ledger.add_mailboxes([*rows, planned("carl@old.example")]))
    assert [ledger.approved("wave:w1", "asserted", one) for one in (anna, bert, carl)] == [True, False, False]
    ledger.approve("wave:w1", "asserted", "auditor", "seen all")
    assert all(ledger.approved("wave:w1", "asserted", one) for one in (anna, bert, carl))
