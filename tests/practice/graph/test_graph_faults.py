"""What goes wrong at the practice Graph: limits of a mailbox, and every kind of fault of a plan."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from graph_asking import GraphAsker, asking_graph
from servers.faulty.graph import FaultyGraph
from servers.faulty.plan import (
    Fault,
    FaultPlan,
    Kind,
    Poison,
    cut_mid_body,
    error_page,
    expired_token,
    http_503,
    inner_busy,
    invalid_sync_state,
    item_server_busy,
    mime_conversion_failed,
    poison_item,
    rebuild_mime,
    slow,
    soap_server_busy,
    vanish,
)

from practice.graph.limits import Gauge
from practice.graph.server import never_converted
from practice.graph.wire import rest_id
from practice.world.folders import Folder
from practice.world.messages import Message
from practice.world.world import Mailbox, World


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def graph(world: World, plan: FaultPlan) -> Iterator[FaultyGraph]:
    plan.on_vanish = world.vanish
    with FaultyGraph(world, faults=plan) as running:
        yield running


@pytest.fixture
def item(inbox: Folder) -> Message:
    return next(one for one in inbox.items if one.recipe == "alternative" and not never_converted(one))


def at(item: Message) -> str:
    return f"messages/{rest_id(item.immutable_id)}"


@pytest.mark.parametrize(
    ("fault", "status", "code", "after"),
    [
        (http_503(2), 503, "ServiceUnavailable", "2"),
        (soap_server_busy(3000), 429, "ApplicationThrottled", "3"),
        (inner_busy(), 504, "UnknownError", None),
        (item_server_busy(back_off_ms=1500), 429, "ApplicationThrottled", "2"),
    ],
)
def test_a_passing_fault_says_when_to_ask_again(
    asker: GraphAsker, plan: FaultPlan, item: Message, fault: Fault, status: int, code: str, after: str | None
) -> None:
    plan.script("ReadItem", 1, fault)
    reply = asker.get(at(item))
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert reply.headers.get("retry-after") == after
    assert asker.get(at(item)).status_code == 200


def test_any_token_may_be_lost_once_also_in_the_middle_of_a_round(asker: GraphAsker, plan: FaultPlan) -> None:
    path = "mailFolders/inbox/messages/delta"
    plan.script("Delta", 1, invalid_sync_state())
    page = asker.json(path, "odata.maxpagesize=3")  # a first request has no token to lose
    plan.script("Delta", 1, invalid_sync_state())
    assert asker.code(page["@odata.nextLink"]) == (410, "SyncStateNotFound")
    _, link = asker.round(page["@odata.nextLink"])
    plan.script("Delta", 1, invalid_sync_state())
    assert asker.code(link) == (410, "SyncStateNotFound")


def test_an_expired_token_is_void_from_then_on(asker: GraphAsker, plan: FaultPlan, item: Message) -> None:
    plan.script("ReadItem", 1, expired_token())
    assert asker.code(at(item)) == (401, "InvalidAuthenticationToken")
    assert asker.code(at(item)) == (401, "InvalidAuthenticationToken")
    asker.token = asker.server.token()
    assert asker.get(at(item)).status_code == 200


def test_a_connection_is_cut_in_the_middle_of_an_answer(
    asker: GraphAsker, plan: FaultPlan, item: Message
) -> None:
    plan.script("ReadMime", 1, cut_mid_body())
    with pytest.raises(httpx.RemoteProtocolError):
        asker.get(f"{at(item)}/$value")
    assert asker.get(f"{at(item)}/$value").content == item.mime()


def test_an_answer_may_come_late_or_be_a_page_or_nonsense(
    asker: GraphAsker, plan: FaultPlan, item: Message
) -> None:
    plan.script("ReadItem", 1, slow(0.3))
    before = time.monotonic()
    assert asker.get(at(item)).status_code == 200
    assert time.monotonic() - before >= 0.3
    plan.script("ReadItem", 1, error_page())
    page = asker.get(at(item))
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    plan.afflict(poison_item(item.id, Poison.GARBAGE))
    with pytest.raises(ValueError, match="utf-8"):
        asker.get(at(item)).json()


def test_a_poisoned_item_fails_alone_in_a_batch(asker: GraphAsker, plan: FaultPlan, inbox: Folder) -> None:
    bad, good = inbox.items[:2]
    plan.afflict(poison_item(bad.id))
    user = f"/users/{asker.user}"
    answers = asker.batch(
        {"id": "bad", "method": "GET", "url": f"{user}/{at(bad)}"},
        {"id": "good", "method": "GET", "url": f"{user}/{at(good)}"},
    )
    assert (answers["bad"]["status"], answers["good"]["status"]) == (500, 200)
    assert answers["bad"]["body"]["error"]["code"] == "ErrorInternalServerError"


def test_a_throttled_part_of_a_batch_says_when_to_ask_again(
    asker: GraphAsker, plan: FaultPlan, item: Message
) -> None:
    plan.script("ReadItem", 1, soap_server_busy(2000))
    answer = asker.batch({"id": "1", "method": "GET", "url": f"/users/{asker.user}/{at(item)}"})["1"]
    assert (answer["status"], answer["headers"]["Retry-After"]) == (429, "2")
    plan.script("Batch", 1, http_503(1))
    reply = asker.client.post(
        f"{asker.server.url}/$batch",
        json={"requests": []},
        headers={"Authorization": f"Bearer {asker.token}"},
    )
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


def test_mime_is_refused_for_ever_where_the_plan_says_so_and_the_rest_is_there(
    asker: GraphAsker, plan: FaultPlan, item: Message
) -> None:
    plan.afflict(mime_conversion_failed(item.id))
    for _ in range(2):
        assert asker.code(f"{at(item)}/$value") == (500, "ErrorMimeContentConversionFailed")
    assert asker.json(at(item))["subject"] == item.subject


def test_mime_may_be_rebuilt(asker: GraphAsker, plan: FaultPlan, item: Message) -> None:
    plan.script("ReadMime", 1, rebuild_mime(item.id))
    assert asker.get(f"{at(item)}/$value").content == item.mime(1) != item.mime()


def test_an_item_vanishes_after_it_was_listed(
    asker: GraphAsker, plan: FaultPlan, item: Message, inbox: Folder
) -> None:
    _, link = asker.round("mailFolders/inbox/messages/delta")
    gone = rest_id(item.immutable_id)
    plan.script("ReadItem", 1, vanish(item.id))
    assert asker.code(at(item)) == (404, "ErrorItemNotFound")
    assert item not in inbox.items
    assert [row["id"] for row in asker.round(link)[0]] == [gone]


def test_chance_strikes_graph_as_it_strikes_ews(asker: GraphAsker, plan: FaultPlan, inbox: Folder) -> None:
    plan.rates = {Kind.HTTP_503: 0.5, Kind.INVALID_SYNC_STATE: 1.0, Kind.MIME_CONVERSION_FAILED: 0.5}
    for one in inbox.items:
        asker.get(at(one))
        asker.get(f"{at(one)}/$value")
    asker.get("mailFolders/inbox/messages/delta")
    assert set(plan.struck) == {Kind.HTTP_503, Kind.MIME_CONVERSION_FAILED, Kind.INVALID_SYNC_STATE}


def test_more_than_four_requests_at_a_time_are_refused(
    asker: GraphAsker, plan: FaultPlan, graph: FaultyGraph, item: Message
) -> None:
    for nth in range(1, 5):
        plan.script("ReadItem", nth, slow(1.0))
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(asker.get(at(item)).status_code)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while graph.gauge.inside < 4:
        time.sleep(0.01)
    refused = asker.get("mailFolders")
    assert asker.get("").status_code == 200  # the directory is no mailbox
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "ApplicationThrottled")
    assert "MailboxConcurrency" in refused.json()["error"]["message"]
    assert refused.headers["retry-after"] == "1"
    assert (graph.gauge.refused, max(graph.gauge.busiest.values())) == (1, 4)
    assert asker.get("mailFolders").status_code == 200


def test_a_full_batch_alone_keeps_the_limit_and_beside_another_request_it_does_not(
    asker: GraphAsker, plan: FaultPlan, graph: FaultyGraph, inbox: Folder
) -> None:
    rows = [
        {"id": str(n), "method": "GET", "url": f"/users/{asker.user}/mailFolders/inbox"} for n in range(20)
    ]
    assert {one["status"] for one in asker.batch(*rows).values()} == {200}
    plan.script("ListFolders", 1, slow(1.0))
    beside = threading.Thread(target=lambda: asker.get("mailFolders"))
    beside.start()
    while graph.gauge.inside < 1:
        time.sleep(0.01)
    statuses = [one["status"] for one in asker.batch(*rows).values()]
    beside.join()
    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(429) == 5  # the last of each four


def test_ten_thousand_requests_in_ten_minutes_are_the_most(world: World, mailbox: Mailbox) -> None:
    now = [0.0]
    gauge = Gauge(in_window=3, clock=lambda: now[0])
    with FaultyGraph(world, gauge=gauge) as graph, asking_graph(graph, mailbox.address) as asker:
        assert [asker.get("mailFolders").status_code for _ in range(3)] == [200] * 3
        now[0] = 100.0
        refused = asker.get("mailFolders")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "501")
        asker.user = world.addresses()[0]
        assert asker.get("mailFolders").status_code == 200
        asker.user = mailbox.address
        now[0] = 601.0
        assert asker.get("mailFolders").status_code == 200
