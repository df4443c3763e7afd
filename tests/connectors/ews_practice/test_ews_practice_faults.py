"""The EWS source against the practice Exchange at its worst."""

from __future__ import annotations

import pytest
from ews_truth import SERVICE, Open, body_digest, copied, inbox, truth
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import (
    Fault,
    FaultPlan,
    Poison,
    cut_mid_body,
    empty_item,
    error_page,
    http_503,
    inner_busy,
    invalid_sync_state,
    item_server_busy,
    left_out,
    mime_conversion_failed,
    poison_item,
    slow,
    soap_server_busy,
    vanish,
)
from servers.faulty.plan import Kind as Fate

from connectors.settings import Secret
from model.errors import Blocked, CursorLost, Transient
from model.protocols import Failed, Native
from practice.world.mailbox import Mailbox
from practice.world.world import World

PASSING: list[tuple[str, Fault]] = [
    ("GetItem", http_503(0)),
    ("GetItem", soap_server_busy(50)),
    ("GetItem", inner_busy(50)),
    ("GetItem", item_server_busy(back_off_ms=50)),
    ("GetItem", cut_mid_body()),
    ("GetItem", error_page()),
    ("GetItem", slow(0.8)),
    ("GetItem", empty_item()),
    ("GetItem", left_out()),
    ("SyncFolderItems", http_503(0)),
    ("SyncFolderItems", soap_server_busy(50)),
    ("SyncFolderItems", inner_busy(50)),
    ("SyncFolderItems", cut_mid_body()),
    ("SyncFolderItems", error_page()),
    ("FindFolder", soap_server_busy(50)),
    ("FindFolder", cut_mid_body()),
    ("GetFolder", http_503(0)),
    ("GetFolder", cut_mid_body()),
]


@pytest.mark.parametrize(("operation", "fault"), PASSING, ids=lambda v: getattr(v, "kind", v))
def test_each_passing_fault_costs_a_repetition_and_nothing_else(
    flat_server: FaultyExchange, source: Open, flat_mailbox: Mailbox, operation: str, fault: Fault
) -> None:
    plan = FaultPlan()
    plan.script(operation, 1, fault)
    plan.script(operation, 2, fault)
    flat_server.faults = plan
    assert copied(source(flat_server, timeout_seconds=0.5)) == truth(flat_mailbox)
    assert plan.struck == {fault.kind: 2}


def test_everything_at_once(flat_server: FaultyExchange, source: Open, flat_mailbox: Mailbox) -> None:
    kinds = [Fate.HTTP_503, Fate.SOAP_SERVER_BUSY, Fate.ITEM_SERVER_BUSY, Fate.INNER_BUSY]
    kinds += [Fate.CUT_MID_BODY, Fate.ERROR_PAGE]
    plan = FaultPlan(
        seed=3,
        rates=dict.fromkeys(kinds, 0.2),
        shapes={kind: Fault(kind, seconds=0, millis=30) for kind in kinds},
    )
    flat_server.faults = plan
    assert copied(source(flat_server)) == truth(flat_mailbox)
    assert plan.struck.keys() == set(kinds)


@pytest.mark.parametrize("how", list(Poison))
def test_poison_costs_one_item(
    flat_server: FaultyExchange, source: Open, flat_mailbox: Mailbox, how: Poison
) -> None:
    one = source(flat_server, timeout_seconds=0.3)
    refs = [ref for page in one.changes(inbox(one), None) for ref in page.refs]
    plan = FaultPlan()
    plan.afflict(poison_item(refs[4].id, how))
    flat_server.faults = plan
    assert copied(one) == {**truth(flat_mailbox), refs[4].id: "poison-item"}


def test_what_the_server_cannot_convert_is_rebuilt(
    exchange: FaultyExchange, source: Open, mailbox: Mailbox
) -> None:
    one = source(exchange)
    box = inbox(one)
    refs = [ref for page in one.changes(box, None) for ref in page.refs]
    plan = FaultPlan()
    for ref in refs[:3]:
        plan.afflict(mime_conversion_failed(ref.id))
    exchange.faults = plan
    found = {n.ref.id: n for n in one.fetch(box, refs) if isinstance(n, Native)}
    assert len(found) == len(refs)
    assert [found[ref.id].properties["Rebuilt"] for ref in refs[:4]] == [True, True, True, False]
    for ref in refs[:3]:
        again = next(iter(one.fetch(box, [ref])))
        assert isinstance(again, Native)
        assert body_digest(again) == body_digest(found[ref.id])


def test_vanishing_and_lost_states(exchange: FaultyExchange, source: Open) -> None:
    one = source(exchange)
    box = inbox(one)
    pages = list(one.changes(box, None))
    plan = FaultPlan()
    plan.afflict(vanish(pages[0].refs[0].id))
    plan.script("SyncFolderItems", 1, invalid_sync_state())
    exchange.faults = plan
    with pytest.raises(CursorLost):
        list(one.changes(box, pages[-1].cursor))
    codes = [r.error.code for r in one.fetch(box, pages[0].refs) if isinstance(r, Failed)]
    assert codes == ["vanished"]


def test_a_token_that_expires_on_the_way(exchange: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    one = source(
        exchange,
        auth="oauth2",
        client_id=SERVICE,
        client_secret=Secret(env="EWS_PASSWORD"),
        token_url=exchange.token_url,
    )
    assert one.server()["product"].startswith("Exchange")
    exchange.tokens.revoke_all()
    assert copied(one) == truth(mailbox)
    assert exchange.requests["token"] == 2


def test_refusals(
    exchange: FaultyExchange, source: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = "reader@practice.example"
    monkeypatch.setenv("READER", world.service_accounts[reader].password)
    monkeypatch.setenv("WRONG", "wrong")
    cases = [
        (source(exchange, username=reader, password=Secret(env="READER")), "impersonation-refused"),
        (source(exchange, "nobody@practice.example"), "mailbox-missing"),
        (source(exchange, password=Secret(env="WRONG")), "login-refused"),
    ]
    for one, code in cases:
        for _ in range(2):
            with pytest.raises(Blocked) as caught:
                one.identity()
            assert caught.value.code == code
    assert exchange.gatekeeper.refused[SERVICE] == 1


def test_a_server_that_restarts(exchange: FaultyExchange, source: Open, mailbox: Mailbox) -> None:
    one = source(exchange)
    box = inbox(one)
    refs = [ref for page in one.changes(box, None) for ref in page.refs]
    exchange.stop()
    impatient = source(exchange, patience_seconds=0.3)
    with pytest.raises(Transient) as caught:
        list(impatient.fetch(box, refs))
    assert caught.value.code == "unreachable"
    exchange.start()
    expected = truth(mailbox)
    assert {n.ref.id: body_digest(n) for n in one.fetch(box, refs) if isinstance(n, Native)} == {
        ref.id: expected[ref.id] for ref in refs
    }
