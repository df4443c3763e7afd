"""What the judges find, and what they leave alone."""

from __future__ import annotations

import json

import pytest
import samples
from ews_asking import MIME, envelope, get_items
from judges.court import FOLDER, SCHEMAS
from judges.ews import EwsJudge
from judges.graph import GraphJudge
from servers.faulty.plan import Kind
from servers.faulty.tap import Exchanged

from practice.exchange.app import EWS_PATH
from practice.exchange.soap import EXCHANGE

pytestmark = samples.marks(FOLDER)
ASKED = envelope(get_items("AA==", shape=MIME))
NOTHING = frozenset[Kind]()
USER = "/v1.0/users/anna@example.org"


@pytest.fixture(scope="module")
def ews() -> EwsJudge:
    return EwsJudge(SCHEMAS)


@pytest.fixture(scope="module")
def graph() -> GraphJudge:
    return GraphJudge(SCHEMAS)


def soap(messages: str, operation: str = "GetItem") -> bytes:
    return b"".join(EXCHANGE.envelope(operation, [messages.encode()]))


def item(properties: str) -> bytes:
    return soap(
        '<m:GetItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"<m:Items><t:Message>{properties}</t:Message></m:Items></m:GetItemResponseMessage>"
    )


def over_ews(
    answer: bytes,
    *,
    asked: bytes = ASKED,
    agent: str = "Kogge",
    server: str = "Exchange",
    kind: str = EXCHANGE.content_type,
    faults: frozenset[Kind] = NOTHING,
) -> Exchanged:
    return Exchanged(server, "POST", EWS_PATH, agent, asked, 200, kind, answer, faults)


GOOD = item('<t:ItemId Id="AA=="/><t:Subject>One</t:Subject><t:Size>1</t:Size>')


def test_a_valid_exchange_is_left_alone(ews: EwsJudge) -> None:
    before = ews.judged
    assert ews(over_ews(GOOD)) == []
    assert ews.judged == before + 2


def test_an_element_out_of_order_is_told_with_its_place_and_its_request(ews: EwsJudge) -> None:
    (found,) = ews(over_ews(item("<t:Size>1</t:Size><t:Subject>One</t:Subject>")))
    assert "Exchange, answered: /m:GetItemResponse/" in found
    assert "/t:Message/t:Subject: This element is not expected" in found
    assert found.endswith(f"POST {EWS_PATH} GetItem")


def test_what_a_connector_sends_is_judged_and_what_others_send_is_not(ews: EwsJudge) -> None:
    asked = ASKED.replace(b"IdOnly", b"Nothing")
    (found,) = ews(over_ews(GOOD, asked=asked))
    assert "Exchange, sent: /m:GetItem/m:ItemShape/t:BaseShape" in found
    assert ews(over_ews(GOOD, asked=asked, agent="python-requests/2")) == []


def test_a_header_and_the_code_of_a_fault_are_judged(ews: EwsJudge) -> None:
    (found,) = ews(over_ews(GOOD, asked=ASKED.replace(b"Exchange2016", b"Exchange1816")))
    assert "/t:RequestServerVersion: [facet 'enumeration']" in found
    fault = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><detail>'
        '<e:ResponseCode xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">{}'
        "</e:ResponseCode></detail></s:Fault></s:Body></s:Envelope>"
    )
    assert ews(over_ews(fault.format("ErrorServerBusy").encode())) == []
    (found,) = ews(over_ews(fault.format("ErrorServerLazy").encode()))
    assert "'ErrorServerLazy' is not in ResponseCodeType" in found


@pytest.mark.parametrize(
    ("answer", "kind", "fault"),
    [
        (soap(""), EXCHANGE.content_type, Kind.LEFT_OUT),
        (GOOD[:-40], EXCHANGE.content_type, Kind.POISON_ITEM),
        (b"<html/>", "text/html", Kind.ERROR_PAGE),
    ],
    ids=["left-out", "poisoned", "page"],
)
def test_a_fault_excuses_what_it_does_and_nothing_else(
    ews: EwsJudge, answer: bytes, kind: str, fault: Kind
) -> None:
    assert ews(over_ews(answer, kind=kind, faults=frozenset({fault}))) == []
    assert len(ews(over_ews(answer, kind=kind))) == 1
    assert len(ews(over_ews(answer, kind=kind, faults=frozenset({Kind.SLOW})))) == 1
    wrong = item("<t:Size>1</t:Size><t:Subject>One</t:Subject>")
    assert len(ews(over_ews(wrong, faults=frozenset({fault})))) == 1


def test_a_habit_of_another_server_is_that_server_s_alone(ews: EwsJudge) -> None:
    root = '<m:RootFolder TotalItemsInView="0" IncludesLastItemInRange="true"><t:Items/>{}</m:RootFolder>'
    message = (
        '<m:FindItemResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>'
        f"{root}</m:FindItemResponseMessage>"
    )
    groups = soap(message.format("<t:Groups/>"), "FindItem")
    assert ews(over_ews(groups, server="gromox")) == []
    assert len(ews(over_ews(groups))) == 1
    other = soap(message.format("<t:Grapes/>"), "FindItem")
    assert len(ews(over_ews(other, server="gromox"))) == 1


def over_graph(
    target: str, answer: object, *, agent: str = "NONISV|Any|Kogge/1", status: int = 200
) -> Exchanged:
    body = json.dumps(answer).encode()
    return Exchanged("Graph", "GET", target, agent, b"", status, "application/json", body)


@pytest.mark.parametrize(
    ("path", "answer", "found"),
    [
        ("", {"id": "1", "mail": 7}, "microsoft.graph.user.mail: 7 is no Edm.String"),
        ("", {"id": "1", "shoe": 7}, "microsoft.graph.user has no 'shoe'"),
        ("/memberOf", {"rows": []}, "a collection without a list 'value'"),
        ("/messages", {"value": [{"importance": "huge"}]}, "'huge' is not in microsoft.graph.importance"),
        ("/messages", {"value": [{"toRecipients": None}]}, "message.toRecipients: no list"),
        (
            "/memberOf",
            {"value": [{"@odata.type": "#microsoft.graph.group", "proxyAddresses": [1]}]},
            "microsoft.graph.group.proxyAddresses: 1 is no Edm.String",
        ),
        (
            "/memberOf",
            {"value": [{"@odata.type": "#microsoft.graph.event"}]},
            "#microsoft.graph.event is none",
        ),
        ("/calendar/events", {"value": [{"start": {"dateTime": "x"}}]}, ""),
        ("/calendar/events", {"value": [{"createdDateTime": "1-01-01T00:00:00Z"}]}, "no Edm.DateTimeOffset"),
        ("/drive", {"quota": {"total": "9"}}, "microsoft.graph.quota.total: '9' is no Edm.Int64"),
    ],
)
def test_an_answer_is_held_to_names_types_and_values(
    graph: GraphJudge, path: str, answer: object, found: str
) -> None:
    told = graph(over_graph(USER + path, answer))
    assert [found in one for one in told] == [True] * bool(found)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("/mails", "microsoft.graph.user has no 'mails'"),
        ("/messages?$select=id,colour", "$select: microsoft.graph.message has no 'colour'"),
        ("/messages?$orderby=receivedDateTime%20down", "$orderby: 'down' is no direction"),
        ("/messages?$expand=attachments($select=id,weight)", "microsoft.graph.attachment has no 'weight'"),
        ("/messages?$filter=isRead%20eq%20true%20and%20isBlue%20eq%20true", "has no 'isBlue'"),
        ("/messages?$filter=subject%20eq%20'isBlue'", ""),
        (
            "/messages?$filter=singleValueExtendedProperties/any(p:p/id%20eq%20'a'%20and%20p/worth%20ne%20null)",
            "singleValueLegacyExtendedProperty has no 'worth'",
        ),
        ("/messages?$bottom=3", "no query option is '$bottom'"),
        ("/messages?$filter=receivedDateTime%20ge%202024-01-02T03:04:05Z", ""),
        ("/messages/A/attachments?$select=id,microsoft.graph.fileAttachment/contentId", ""),
        ("/calendar/calendarView/delta?startDateTime=a&endDateTime=b", ""),
        ("/memberOf/microsoft.graph.group?$select=groupTypes", ""),
        ("/memberOf/microsoft.graph.event", "microsoft.graph.event is not derived from"),
    ],
)
def test_a_request_is_held_to_addresses_and_properties(graph: GraphJudge, asked: str, found: str) -> None:
    refused = {"error": {"code": "Some", "message": ""}}
    told = graph(over_graph(USER + asked, refused, status=400))
    assert [found in one and "Graph, sent: " in one for one in told] == [True] * bool(found)
    assert graph(over_graph(USER + asked, refused, agent="httpx", status=400)) == []


def test_addresses_by_path_lead_to_drives_and_sites(graph: GraphJudge) -> None:
    for path in (
        "/drives/D/root:/a/b:/children",
        "/drives/D/items/I/children",
        "/sites/h:/sites/one:/drives",
    ):
        assert graph(over_graph(f"/v1.0{path}?$select=id,name", {"value": [{"id": "1"}]})) == []
        assert len(graph(over_graph(f"/v1.0{path}?$select=id,shoe", {"value": [{"shoe": "1"}]}))) == 2


def test_a_part_of_a_batch_is_judged_as_if_it_came_alone(graph: GraphJudge) -> None:
    asked = {"requests": [{"id": "a", "method": "GET", "url": "/users/anna/messages?$select=colour"}]}
    rows = [{"id": "a", "status": 200, "body": {"value": [{"isRead": "no"}]}}]
    batch = Exchanged(
        "Graph",
        "POST",
        "/v1.0/$batch",
        "Kogge",
        json.dumps(asked).encode(),
        200,
        "application/json",
        json.dumps({"responses": rows}).encode(),
    )
    sent, answered = graph(batch)
    assert sent.startswith("Graph, sent: $select: microsoft.graph.message has no 'colour'")
    assert answered.startswith("Graph, answered: microsoft.graph.message.isRead: 'no' is no Edm.Boolean")
    assert "GET /users/anna/messages" in sent
