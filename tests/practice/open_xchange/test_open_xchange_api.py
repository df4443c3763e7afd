"""The HTTP API of a practice Open-Xchange: what it sees and makes that DAV does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from ox_asking import ALICE, BOB, BOOK, QUIET, TASKS, Asker, card, event, meeting, vevent
from ox_asking import calendar as whole
from servers.open_xchange import mailfilter
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer
from servers.smtp_sink import SmtpSink

RANGE = {"rangeStart": "20190101T000000Z", "rangeEnd": "20290101T000000Z"}


@dataclass
class Api:
    """A session of alice."""

    client: httpx.Client
    session: str

    def ask(self, module: str, action: str, body: Any = None, **params: str) -> dict[str, Any]:
        query = params | {"action": action, "session": self.session}
        method = "GET" if body is None else "PUT"
        answer = self.client.request(method, f"/ajax/{module}", params=query, json=body)
        assert answer.status_code == 200
        return dict(answer.json())

    def data(self, module: str, action: str, body: Any = None, **params: str) -> Any:
        return self.ask(module, action, body, **params)["data"]

    def upload(self, action: str, folder: str, text: str) -> list[dict[str, Any]]:
        query = {"action": action, "folder": folder, "session": self.session, "callback": "import"}
        files = {"file": ("a", text.encode(), "text/plain")}
        page = self.client.post("/ajax/import", params=query, files=files).text
        start, end = page.index("({"), page.index("})</script>")
        return list(json.loads(page[start + 1 : end + 1])["data"])


@pytest.fixture
def api(ox: OpenXchangeServer) -> Iterator[Api]:
    with httpx.Client(base_url=ox.url, headers={"User-Agent": "test"}) as client:
        form = {"name": "alice@ox.test", "password": USER_PASSWORD}
        answer = client.post("/ajax/login", params={"action": "login"}, data=form).json()
        yield Api(client, answer["session"])


def test_a_wrong_password_makes_no_session(ox: OpenXchangeServer) -> None:
    form = {"name": "alice@ox.test", "password": "x"}
    answer = httpx.post(f"{ox.url}/ajax/login", params={"action": "login"}, data=form)
    assert (answer.status_code, "session" in answer.json(), "error" in answer.json()) == (200, False, True)


def test_a_session_is_bound_to_its_user_agent_and_its_cookie(api: Api) -> None:
    assert "data" in api.ask("folders", "allVisible", content_type="event", columns="1")
    other = {"User-Agent": "another"}
    query = {"action": "allVisible", "session": api.session, "content_type": "event", "columns": "1"}
    assert api.client.get("/ajax/folders", params=query, headers=other).json()["code"] == "SES-0203"
    api.client.cookies.clear()
    assert api.ask("folders", "allVisible", content_type="event")["code"] == "SES-0203"


def test_folders_are_told_by_their_stored_titles(api: Api) -> None:
    found = api.data("folders", "allVisible", content_type="event", columns="1,300,308,301")
    assert found["private"] == [
        ["cal://0/31", "Calendar", True, "calendar"],
        ["cal://1/0", "Birthdays", False, "calendar"],
    ]
    books = api.data("folders", "allVisible", content_type="contacts", columns="1,300")
    assert books["public"] == [["6", "All Users"]]


def test_rights_are_given_and_mailed_of_only_with_a_notification(
    api: Api, bob: Asker, sink: SmtpSink
) -> None:
    rights = [{"entity": 3, "bits": 403710016}, {"entity": 4, "bits": 257}]
    assert api.data("folders", "update", {"folder": {"permissions": rights}}, id="cal://0/31") == "cal://0/31"
    assert bob.listed(ALICE) == []
    assert sink.mails == []
    rights.append({"entity": 5, "bits": 257})
    body = {"folder": {"permissions": rights}, "notification": {"transport": "mail"}}
    api.data("folders", "update", body, id="cal://0/31")
    assert [one.recipient for one in sink.mails] == ["carol@ox.test"]
    stated = api.data("folders", "get", id="cal://0/31")["permissions"]
    assert [one["entity"] for one in stated] == [3, 4, 5]


def test_events_are_seen_in_any_range(api: Api, alice: Asker) -> None:
    alice.put(f"{ALICE}k.ics", event("old", "SUMMARY:x", at="20190610T10"))
    found = api.data("chronos", "all", folder="cal://0/31", fields="uid,filename,startDate,rrule", **RANGE)
    assert found == [{"uid": "old", "filename": "k", "startDate": {"value": "20190610T100000Z"}}]


def test_a_series_is_expanded_without_what_was_changed(api: Api, alice: Asker) -> None:
    guests = meeting("bob", bob="ACCEPTED")
    changed = ("RECURRENCE-ID:20261217T100000Z", "DTSTART:20261217T130000Z", "DTEND:20261217T140000Z")
    body = whole(vevent("s", "RRULE:FREQ=WEEKLY;COUNT=3", *guests), vevent("s", *changed, *guests))
    alice.put(f"{ALICE}s.ics", body, **QUIET)
    fields = {"fields": "startDate", "expand": "true", **RANGE}
    found = [one["startDate"]["value"] for one in api.data("chronos", "all", folder="cal://0/31", **fields)]
    assert found == ["20261210T100000Z", "20261224T100000Z"]


def test_the_organizer_is_numbered_for_everybody_who_has_the_meeting(
    api: Api, alice: Asker, bob: Asker, ox: OpenXchangeServer
) -> None:
    bob.put(f"{BOB}m.ics", event("m", *meeting("bob", "alice", host="bob")), **QUIET)
    alice.put(f"{ALICE}own.ics", event("own", *meeting("alice", "bob")), **QUIET)
    alice.put(f"{ALICE}out.ics", event("out", *meeting("alice", host="eve@out.test")), **QUIET)
    found = api.data("chronos", "all", folder="cal://0/31", fields="uid,organizer", **RANGE)
    numbers = {one["uid"]: one["organizer"].get("entity") for one in found}
    users = {login: user.number for login, user in ox.context.users.items()}
    assert numbers == {"m": users["bob@ox.test"], "own": users["alice@ox.test"], "out": None}


@pytest.mark.parametrize(("scheduling", "count"), [({"scheduling": "none"}, 0), ({}, 1)])
def test_a_meeting_is_made_with_or_without_mails(
    api: Api, bob: Asker, sink: SmtpSink, scheduling: dict[str, str], count: int
) -> None:
    times = {"startDate": {"value": "20261220T100000Z"}, "endDate": {"value": "20261220T110000Z"}}
    body = {"summary": "Meet", "attendees": [{"uri": "mailto:bob@ox.test"}], **times}
    made = api.data("chronos", "new", body, folder="cal://0/31", **scheduling)["created"][0]
    assert bob.event(f"{BOB}{made['uid']}.ics").value("SUMMARY") == "Meet"
    assert len(sink.mails) == count


def test_a_distribution_list_is_no_card(api: Api, alice: Asker) -> None:
    alice.put(f"{BOOK}c.vcf", card("c", "EMAIL;TYPE=WORK:w@x.de"))
    number = api.data("contacts", "all", folder="32", columns="1")[0][0]
    members = [
        {"id": number, "folder_id": "con://0/32", "mail_field": 1, "mail": "w@x.de"},
        {"display_name": "Ext", "mail": "ext@extern.test"},
    ]
    body = {"folder_id": "con://0/32", "uid": "l", "display_name": "List", "mark_as_distributionlist": True}
    made = api.data("addressbooks", "new", body | {"distribution_list": members})
    found = api.data("addressbooks", "get", id=made["id"], folder="con://0/32")
    assert [one["mail"] for one in found["distribution_list"]] == ["ext@extern.test", "w@x.de"]
    assert [one["display_name"] for one in found["distribution_list"]] == ["Ext", "Max Muster"]
    assert alice.listed(BOOK) == ["c.vcf"]
    rows = api.data("addressbooks", "all", folder="con://0/32", columns="223,602")
    assert rows == [["c", False], ["l", True]]


def test_a_group_is_imported_by_its_version(api: Api) -> None:
    four = "BEGIN:VCARD\nVERSION:4.0\nUID:g4\nFN:Four\nKIND:group\nMEMBER:mailto:w@x.de\nEND:VCARD\n"
    three = "BEGIN:VCARD\nVERSION:3.0\nUID:g3\nFN:Three\nX-ADDRESSBOOKSERVER-KIND:group\nEND:VCARD\n"
    assert "id" in api.upload("VCARD", "32", four)[0]
    assert api.upload("VCARD", "32", three)[0]["code"] == "CON-0177"
    assert api.data("addressbooks", "all", folder="32", columns="223,602") == [["g4", True]]


def test_recurring_tasks_are_kept_and_caldav_lists_none(api: Api, alice: Asker) -> None:
    times = {"start_time": 1796112000000, "end_time": 1796144400000, "full_time": False}
    body = {"folder_id": "33", "title": "Made", "recurrence_type": 2, "days": 4, "interval": 1}
    assert api.ask("tasks", "new", body)["code"] == "TSK-0037"
    assert "id" in api.data("tasks", "new", body | times)
    lines = ("BEGIN:VTODO", "UID:t", "SUMMARY:Sent", "RRULE:FREQ=WEEKLY;BYDAY=TU,FR", "END:VTODO")
    assert "id" in api.upload("ICAL", "33", whole(*lines))[0]
    rows = api.data("tasks", "all", folder="33", columns="200,209,212")
    assert rows == [["Made", 2, 4], ["Sent", 2, 36]]
    assert alice.listed(TASKS) == []
    assert alice.ask("GET", f"{TASKS}t.ics").status_code == 404


def test_an_imported_meeting_has_lost_its_guests(api: Api, alice: Asker, bob: Asker, sink: SmtpSink) -> None:
    api.upload("ICAL", "cal://0/31", event("m", *meeting("alice", "bob")))
    stored = alice.event(f"{ALICE}m.ics")
    assert (stored.first("ORGANIZER"), stored.first("ATTENDEE"), sink.mails) == (None, None, [])
    assert bob.ask("GET", f"{BOB}m.ics").status_code == 404


def test_what_was_not_recorded_is_an_error(api: Api) -> None:
    assert api.ask("mail", "all")["code"] == "SVL-0005"
    assert api.ask("chronos", "all", folder="cal://0/41", fields="id", **RANGE)["code"] == "FLD-0008"
    assert api.ask("chronos", "all", folder="cal://0/31", fields="id")["code"] == "SVL-0010"


def test_out_of_office_becomes_a_script(api: Api, ox: OpenXchangeServer) -> None:
    vacation = {"id": "vacation", "days": "7", "subject": 'Away "x"', "text": "t", "addresses": ["a@x.de"]}
    rule = {"rulename": "V", "active": True, "test": {"id": "true"}, "actioncmds": [vacation]}
    assert [api.data("mailfilter/v2", "new", rule) for _ in range(2)] == [0, 1]
    assert [one["rulename"] for one in api.data("mailfilter/v2", "list")] == ["V", "V"]
    assert "vacation" in [one["id"] for one in api.data("mailfilter/v2", "config")["actioncmds"]]
    script = mailfilter.script(ox.suite, ox.context.users["alice@ox.test"])
    assert 'vacation :days 7 :addresses "a@x.de" :subject "Away \\"x\\"" "t" ;' in script


def test_sharing_by_dav_needs_its_media_type_and_every_second_one_fails(alice: Asker, bob: Asker) -> None:
    body = """<CS:share xmlns:CS="http://calendarserver.org/ns/" xmlns:D="DAV:"><CS:set>
    <D:href>mailto:bob@ox.test</D:href><CS:read-write/></CS:set></CS:share>"""
    assert alice.ask("POST", ALICE, body, Content_Type="text/xml; charset=utf-8").status_code == 415
    found = [alice.ask("POST", ALICE, body, Content_Type="text/xml").status_code for _ in range(3)]
    assert found == [200, 400, 200]
    assert bob.put(f"{ALICE}b.ics", event("b")) == 201
