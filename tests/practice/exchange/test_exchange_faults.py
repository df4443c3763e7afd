"""Every fault of the plan, as a client without mercy sees it on the wire."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator

import pytest
import requests
from ews_asking import MIME, NS, Asker, asking, codes, distinguished, get_folder, get_items, sync_items
from lxml import etree
from practice_fixtures import exchange_fixture, mailbox_fixture, world_fixture
from servers.faulty import plan as faults
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import Fault, FaultPlan, Kind, Poison

from practice.exchange.context import Limits
from practice.world.folders import Folder
from practice.world.world import Mailbox

world = world_fixture(seed=3, people=2, items=60, nasty=False)


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan()


server = exchange_fixture(limits=Limits(partial=False))
mailbox = mailbox_fixture(0)


@pytest.fixture
def asker(server: FaultyExchange, mailbox: Mailbox, plan: FaultPlan) -> Iterator[Asker]:
    server.faults = plan
    with asking(server, mailbox.address) as one:
        yield one
    server.faults = None


INBOX = get_folder(distinguished("inbox"))


def strike(plan: FaultPlan, fault: Fault, operation: str = "GetFolder") -> None:
    plan.script(operation, 1, fault)


def healthy(asker: Asker) -> bool:
    return codes(asker.ask(INBOX)) == ["NoError"]


def test_http_503(asker: Asker, plan: FaultPlan) -> None:
    strike(plan, faults.http_503(7.2))
    response = asker.post(INBOX)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "8"
    assert healthy(asker)


def test_soap_server_busy(asker: Asker, plan: FaultPlan) -> None:
    strike(plan, faults.soap_server_busy(1234))
    response = asker.post(INBOX)
    root = etree.fromstring(response.content)
    assert response.status_code == 500
    assert root.findtext(".//faultcode") == "a:ErrorServerBusy"
    assert root.findtext(".//{*}ResponseCode") == "ErrorServerBusy"
    value = root.find(".//detail/t:MessageXml/t:Value", NS)
    assert value is not None
    assert (value.get("Name"), value.text) == ("BackOffMilliseconds", "1234")
    assert healthy(asker)


def test_item_server_busy(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    first, second, third = (item.id for item in inbox.items[:3])
    strike(plan, faults.item_server_busy(second, 500), "GetItem")
    root = asker.ask(get_items(first, second, third))
    assert codes(root) == ["NoError", "ErrorServerBusy", "NoError"]
    value = root.find(".//m:MessageXml/t:Value", NS)
    assert value is not None
    assert (value.get("Name"), value.text) == ("BackOffMilliseconds", "500")
    assert codes(asker.ask(get_items(second))) == ["NoError"]


def test_inner_busy(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    strike(plan, faults.inner_busy(700), "GetItem")
    root = asker.ask(get_items(*(item.id for item in inbox.items[:3])))
    assert codes(root) == ["ErrorInternalServerError"] * 3
    values = {value.get("Name"): value.text for value in root.iterfind(".//m:MessageXml/t:Value", NS)}
    assert values["InnerErrorResponseCode"] == "ErrorServerBusy"
    assert values["BackOffMilliseconds"] == "700"


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("GetInboxRules", "<m:GetInboxRules/>"),
    ],
)
def test_inner_busy_of_other_calls(asker: Asker, plan: FaultPlan, operation: str, request_: str) -> None:
    strike(plan, faults.inner_busy(), operation)
    assert codes(asker.ask(request_)) == ["ErrorInternalServerError"]
    assert codes(asker.ask(request_)) == ["NoError"]


def test_cut_mid_body(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    """Both with a Content-Length and in a chunked reply."""
    strike(plan, faults.cut_mid_body(), "GetItem")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        asker.post(get_items(inbox.items[0].id, shape=MIME))
    strike(plan, faults.cut_mid_body(), "GetItem")
    many = [inbox.items[0].id] * 400
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        asker.post(get_items(*many, shape=MIME))
    assert healthy(asker)


def test_slow(asker: Asker, plan: FaultPlan) -> None:
    strike(plan, faults.slow(0.3))
    begun = time.monotonic()
    assert healthy(asker)
    assert time.monotonic() - begun >= 0.3


def test_trickle(asker: Asker, server: FaultyExchange, inbox: Folder) -> None:
    wanted = get_items(*(item.id for item in inbox.items[:5]), shape=MIME)
    whole = asker.post(wanted).content
    server.trickle = 0.02
    try:
        begun = time.monotonic()
        assert asker.post(wanted).content == whole
        assert time.monotonic() - begun >= 0.02 * (len(whole) // 512)
    finally:
        server.trickle = None


def fails(asker: Asker, *ids: str) -> bool:
    response = asker.post(get_items(*ids))
    try:
        return response.status_code != 200 or codes(etree.fromstring(response.content)) != ["NoError"] * len(
            ids
        )
    except etree.XMLSyntaxError:
        return True


@pytest.mark.parametrize("how", [Poison.HTTP_500, Poison.GARBAGE])
def test_poison_item(asker: Asker, plan: FaultPlan, inbox: Folder, how: Poison) -> None:
    """Fails any batch that holds it, again and again, and none without it."""
    ids = [item.id for item in inbox.items[:6]]
    plan.afflict(faults.poison_item(ids[3], how))
    assert fails(asker, *ids)
    assert fails(asker, *ids[3:])
    assert fails(asker, ids[3])
    assert not fails(asker, *ids[:3])
    plan.heal()
    assert not fails(asker, *ids)


def test_poison_that_hangs(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    plan.afflict(faults.poison_item(inbox.items[0].id, Poison.HANG))
    with pytest.raises(requests.exceptions.ReadTimeout):
        asker.post(get_items(inbox.items[0].id), timeout=0.3)
    assert healthy(asker)


def test_mime_conversion_failed_only_with_mime(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    item, other = inbox.items[:2]
    plan.afflict(faults.mime_conversion_failed(item.id))
    for _ in range(2):
        found = codes(asker.ask(get_items(item.id, other.id, shape=MIME)))
        assert found == ["ErrorMimeContentConversionFailed", "NoError"]
    assert codes(asker.ask(get_items(item.id))) == ["NoError"]


def test_vanish(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    plan.afflict(faults.vanish(inbox.items[0].id))
    assert codes(asker.ask(get_items(inbox.items[0].id))) == ["ErrorItemNotFound"]


def test_invalid_sync_state(asker: Asker, plan: FaultPlan) -> None:
    root = asker.ask(sync_items(distinguished("inbox")))
    state = root.findtext(".//m:SyncState", namespaces=NS)
    assert state
    strike(plan, faults.invalid_sync_state(), "SyncFolderItems")
    root = asker.ask(sync_items(distinguished("inbox"), state))
    assert codes(root) == ["ErrorInvalidSyncStateData"]
    assert root.findtext(".//m:SyncState", namespaces=NS) == ""
    assert codes(asker.ask(sync_items(distinguished("inbox"), state))) == ["NoError"]


@pytest.mark.parametrize("state", ["bogus", "H4sIAAAA", "Ym9ndXM="])
def test_bogus_sync_state(asker: Asker, state: str) -> None:
    assert codes(asker.ask(sync_items(distinguished("inbox"), state))) == ["ErrorInvalidSyncStateData"]


def test_another_folders_sync_state(asker: Asker) -> None:
    root = asker.ask(sync_items(distinguished("inbox")))
    state = root.findtext(".//m:SyncState", namespaces=NS)
    assert state
    assert codes(asker.ask(sync_items(distinguished("drafts"), state))) == ["ErrorInvalidSyncStateData"]


def test_expired_token_is_revoked(asker: Asker, server: FaultyExchange, plan: FaultPlan) -> None:
    login = next(iter(server.world.service_accounts))
    token = server.tokens.issue(login)
    bearer = {"Authorization": f"Bearer {token}"}
    asker.http.auth = None
    asker.http.headers.update(bearer)
    assert healthy(asker)
    strike(plan, faults.expired_token())
    response = asker.post(INBOX)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert asker.post(INBOX).status_code == 401
    asker.http.headers["Authorization"] = f"Bearer {server.tokens.issue(login)}"
    assert healthy(asker)


def test_rebuild_mime(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    item = inbox.items[0]

    def read() -> bytes:
        text = asker.ask(get_items(item.id, shape=MIME)).findtext(".//t:MimeContent", namespaces=NS)
        return base64.b64decode(text or "")

    assert read() == item.mime()
    strike(plan, faults.rebuild_mime(item.id), "GetItem")
    assert read() == item.mime(1)
    assert read() == item.mime()


def test_empty_item_and_left_out(asker: Asker, plan: FaultPlan, inbox: Folder) -> None:
    first, second = (item.id for item in inbox.items[:2])
    for fault in (faults.empty_item(first), faults.left_out(first)):
        strike(plan, fault, "GetItem")
        root = asker.ask(get_items(first, second))
        assert [each.get("Id") for each in root.iterfind(".//t:ItemId", NS)] == [second]
        assert codes(root) == ["NoError"] * (2 if fault.kind is Kind.EMPTY_ITEM else 1)
    root = asker.ask(get_items(first, second))
    assert [each.get("Id") for each in root.iterfind(".//t:ItemId", NS)] == [first, second]


def test_error_page(asker: Asker, plan: FaultPlan) -> None:
    strike(plan, faults.error_page())
    response = asker.post(INBOX)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert b"<html>" in response.content


def test_every_kind_is_covered() -> None:
    """A fault that has no test above is one that nobody has seen."""
    covered = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert [kind for kind in Kind if not any(kind.value in name for name in covered)] == []


def test_faults_hit_the_mailbox_by_its_address(asker: Asker, server: FaultyExchange, plan: FaultPlan) -> None:
    plan.rates = {Kind.HTTP_503: 1.0}
    plan.budget = 2
    assert [asker.post(INBOX).status_code for _ in range(3)] == [503, 503, 200]
    with asking(server, server.world.addresses()[1]) as other:
        assert other.post(INBOX).status_code == 503


def test_parallel_calls(asker: Asker, server: FaultyExchange, mailbox: Mailbox, inbox: Folder) -> None:
    """Several clients at once, while the owner works: every reply is whole."""
    found: list[list[str]] = []

    def work() -> None:
        with asking(server, mailbox.address) as one:
            for _ in range(5):
                root = one.ask(sync_items(distinguished("inbox"), limit=20))
                ids = [each.get("Id", "") for each in root.iterfind(".//t:ItemId", NS)]
                found.append(codes(one.ask(get_items(*ids, shape=MIME))))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for item in list(inbox.items)[:20]:
        with server.world.lock:
            mailbox.mark_read(item, not item.is_read)
    for thread in threads:
        thread.join()
    assert len(found) == 15
    assert all(set(each) == {"NoError"} for each in found)
