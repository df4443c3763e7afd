"""Calendars over Graph: which move, what is listed, and how an event is read whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from graph_script import ACCOUNT, HOME, Answer, Ask, Cloud, Open, error

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from mappings.exchange.graph_json import record
from model.kinds import Kind
from model.protocols import Body, Container, Failed, Native, Ref, Role
from practice.calendar.event_desk import at, timed
from practice.calendar.series import Recurrence, Weekly
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.mail.letters import Attachment
from practice.world.desk import Desk
from practice.world.diary import delete_occurrence, modify_occurrence
from practice.world.record_elements import public
from practice.world.records import Common
from practice.world.world import World

CALENDARS = frozenset({Kind.CALENDAR})
CALENDAR = Container(Kind.CALENDAR, "C1", ("Calendar",), Role.CALENDAR)
Row = dict[str, Any]


def calendar(id_: str, name: str, owner: str = "anna@example.org", **more: object) -> Row:
    known = {"name": "Somebody", "address": owner}
    return {"id": id_, "name": name, "hexColor": "", "canEdit": True, "owner": known, **more}


def calendars(
    rows: list[Row], grouped: list[Row] | None = None, facts: dict[str, Row] | None = None
) -> Cloud:
    """rows: the default one first. grouped: what the one group names; facts: MAPI properties by id."""

    def script(ask: Ask) -> Answer:
        path = ask.path.removeprefix(HOME)
        if path == "/calendar":
            return Answer(rows[0])
        if path == "/calendars":
            return Answer({"value": rows})
        if path == "/calendarGroups":
            return Answer({"value": [{"id": "G1"}]})
        if path == "/calendarGroups/G1/calendars":
            return Answer({"value": rows if grouped is None else grouped})
        found = (facts or {}).get(path.removeprefix("/calendars/"))
        return Answer({"id": "x", **found}) if found is not None else error("ErrorItemNotFound", 404)

    return Cloud(script)


def tags(class_: str, hidden: str = "false") -> Row:
    rows = [{"id": "String 0x3613", "value": class_}, {"id": "Boolean 0x10f4", "value": hidden}]
    return {"singleValueExtendedProperties": rows}


def test_calendars_of_all_groups_once_with_colour_and_rights(source: Open) -> None:
    first = calendar("A", "Calendar", "Anna@Example.org")
    second = calendar("B", "Shifts", hexColor="#A6D1F5", canEdit=False)
    cloud = calendars([first, second], [second, calendar("C", "Club", hexColor="red")])
    found = {one.id: one for one in source(cloud, kinds=CALENDARS).containers()}
    assert [one.path for one in found.values()] == [("Calendar",), ("Shifts",), ("Club",)]
    assert [one.role for one in found.values()] == [Role.CALENDAR, None, None]
    assert [one.color for one in found.values()] == [None, "#a6d1f5", None]
    assert [one.readonly for one in found.values()] == [False, True, False]
    assert {one.omit for one in found.values()} == {None}


def test_what_is_somebody_else_s_hidden_or_computed_is_omitted(source: Open) -> None:
    rows = [
        calendar("A", "Calendar"),
        calendar("B", "Berta", "berta@example.org"),
        calendar("C", "Birthdays"),
        calendar("D", "Old"),
    ]
    facts = {"C": tags("IPF.Appointment.Birthday"), "D": tags("IPF.Appointment", "true")}
    found = list(source(calendars(rows, facts=facts), kinds=CALENDARS).containers())
    assert [one.omit for one in found] == [None, "shared", "system-folder", "hidden"]


def listing(answers: list[list[str]], most: int = 2) -> Cloud:
    """A calendar whose first listing names these ids, whose second those. Pages are counted from the top:
    each page is one of what is there at that moment."""
    asked: list[int] = []

    def script(ask: Ask) -> Answer:
        skip = int(ask.query.get("$skip", "0"))
        if not skip:
            asked.append(1)
        ids = answers[min(len(asked), len(answers)) - 1]
        rows = [{"id": id_, "changeKey": f"k{id_}"} for id_ in ids[skip : skip + most]]
        page: Row = {"value": rows}
        if skip + most < len(ids):
            page["@odata.nextLink"] = f"https://elsewhere.example/x?$skip={skip + most}"
        return Answer(page)

    return Cloud(script)


def named(
    source: Open, cloud: Cloud, cursor: str | None = None, page_items: int = 2
) -> tuple[list[str], str, bool]:
    pages = list(source(cloud, kinds=CALENDARS, page_items=page_items).changes(CALENDAR, cursor))
    return [ref.id for page in pages for ref in page.refs], pages[-1].cursor, any(page.full for page in pages)


def test_a_page_that_shifted_hides_nothing(source: Open) -> None:
    cloud = listing([["1", "2", "4"], ["1", "2", "3", "4"], ["1", "2", "3", "4"]])
    assert sorted(named(source, cloud)[0]) == ["1", "2", "3", "4"]
    restless = listing([["1", "2", "3"], ["1", "2", "4"], ["1", "2", "5"], ["1", "2", "6"]])
    assert sorted(named(source, restless)[0]) == ["1", "2", "3", "4", "5", "6"]


def test_pages_that_are_smaller_than_asked_for_are_pages(source: Open) -> None:
    """A server may give fewer rows than asked for: what shifts between such pages is not lost, either."""
    cloud = listing([["1", "2", "4"], ["1", "2", "3", "4"], ["1", "2", "3", "4"]])
    assert sorted(named(source, cloud, page_items=500)[0]) == ["1", "2", "3", "4"]


def test_a_calendar_of_one_page_is_listed_once(source: Open) -> None:
    cloud = listing([["1", "2"]])
    assert named(source, cloud)[0] == ["1", "2"]
    assert len(cloud.asks) == 1


def test_a_cursor_knows_that_nothing_changed(source: Open) -> None:
    ids, cursor, full = named(source, listing([["1", "2", "3"]]))
    assert (ids, full) == (["1", "2", "3"], True)
    assert named(source, listing([["3", "2", "1"]]), cursor) == ([], cursor, False)
    ids, _, full = named(source, listing([["1", "2"]]), cursor)
    assert (ids, full) == (["1", "2"], True)


def event(id_: str, **more: object) -> Row:
    when = {"dateTime": "2026-03-02T08:00:00.0000000", "timeZone": "UTC"}
    body = {"contentType": "html", "content": ""}
    return {
        "id": id_, "changeKey": f"k{id_}", "type": "singleInstance", "iCalUId": "U", "start": when,
        "end": when, "body": body, "hasAttachments": False, "originalStartTimeZone": "UTC",
        "singleValueExtendedProperties": [{"id": "Boolean 0xe1b", "value": "false"}], **more,
    }  # fmt: skip


WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
    "range": {"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": 5},
}


def series(days: Callable[[], Answer], changed: Callable[[], Answer]) -> Cloud:
    """A series M. days: what became of single days; changed: its one changed day X."""

    def script(ask: Ask) -> Answer:
        if ask.path.endswith("/X"):
            return changed()
        if "exceptionOccurrences" in ask.query.get("$expand", ""):
            return days()
        return Answer(event("M", type="seriesMaster", recurrence=WEEKLY))

    return Cloud(script)


def told(ids: list[str], cancelled: list[str]) -> Answer:
    return Answer(
        {"id": "M", "cancelledOccurrences": cancelled, "exceptionOccurrences": [{"id": one} for one in ids]}
    )


def read(source: Open, cloud: Cloud) -> Native | Failed:
    (found,) = source(cloud, kinds=CALENDARS).fetch(CALENDAR, [Ref("M", "")])
    return found


def test_a_series_comes_with_its_changed_and_deleted_days(source: Open) -> None:
    changed = event("X", type="exception", originalStart="2026-03-09T08:00:00Z", subject="Other")
    found = read(source, series(lambda: told(["X"], ["OID.M.2026-03-16"]), lambda: Answer(changed)))
    assert isinstance(found, Native)
    whole = record(found)
    assert [one["id"] for one in whole["exceptions"]] == ["X"]
    assert whole["cancelled"] == ["OID.M.2026-03-16"]


def test_a_changed_day_that_is_gone_is_asked_for_anew(source: Open) -> None:
    answers = iter([told(["X"], []), told([], [])])
    found = read(source, series(lambda: next(answers), lambda: error("ErrorItemNotFound", 404)))
    assert isinstance(found, Native)
    assert record(found)["exceptions"] == []


def test_a_changed_day_that_stays_away_rejects_the_series(source: Open) -> None:
    found = read(source, series(lambda: told(["X"], []), lambda: error("ErrorItemNotFound", 404)))
    assert isinstance(found, Failed)
    assert found.error.code == "occurrence-missing"


def test_one_event_that_cannot_be_read_is_its_own_failure(source: Open) -> None:
    def script(ask: Ask) -> Answer:
        if ask.path.endswith("/B"):
            return error("ErrorInternalServerError", 500)
        return Answer(event(ask.path.rpartition("/")[2]))

    refs = [Ref(one, "") for one in "ABC"]
    found = list(source(Cloud(script), kinds=CALENDARS).fetch(CALENDAR, refs))
    assert [one.error.code for one in found if isinstance(one, Failed)] == ["poison-item"]
    assert sorted(one.ref.id for one in found if isinstance(one, Native)) == ["A", "C"]


@pytest.fixture
def world() -> World:
    return World(seed=3, people=1, items=0, nasty=False)


def opened(source: Open, server: GraphServer) -> Any:
    address = server.world.addresses()[0]
    return source(server, Account(login=address, address=address), kinds=CALENDARS)


def whole(found: Any) -> list[Native]:
    box = next(one for one in found.containers() if one.role is Role.CALENDAR)
    refs = [ref for page in found.changes(box, None) for ref in page.refs]
    return [one for one in found.fetch(box, refs) if isinstance(one, Native)]


def test_attachments_arrive_to_the_byte_whatever_they_are(source: Open, world: World) -> None:
    """JSON and HTML in a batch would be taken for answers; a JSON string even for base64."""
    files = {
        "a.json": ("application/json", b'"QUJD"'),
        "b.json": ("application/json", b'{"id": "x"}'),
        "c.html": ("text/html", b"<html><body>Guten Tag</body></html>"),
        "d.bin": ("application/octet-stream", bytes(range(256)) * 4000),
        "e.txt": ("text/plain", b""),
    }
    attached = tuple(Attachment(name, media, data) for name, (media, data) in files.items())
    box = world.mailbox(world.addresses()[0])
    made = timed(Desk(3, 0, "e"), "Anlagen", at((2026, 5, 4)), base=Common(attachments=attached))
    box.put(box.distinguished("calendar"), made)
    with GraphServer(world) as server:
        (found,) = whole(opened(source, server))
    bodies: Any = found.properties["Attachments"]
    names = {one["id"]: one["name"] for one in record(found)["item"]["attachments"]}
    assert {names[id_]: content(body) for id_, body in bodies.items()} == {
        name: data for name, (_, data) in files.items()
    }


def content(body: Body) -> bytes:
    with body() as stream:
        return stream.read()


def test_a_link_kept_by_mapi_alone_arrives(source: Open, world: World) -> None:
    base = Common(properties=(public("SkypeTeamsMeetingUrl", "https://teams.example/x"),), body="Text")
    box = world.mailbox(world.addresses()[0])
    box.put(box.distinguished("calendar"), timed(Desk(3, 0, "e"), "Termin", at((2026, 5, 4)), base=base))
    with GraphServer(world) as server:
        (found,) = whole(opened(source, server))
    item = record(found)["item"]
    assert item["textBody"] == "Text"
    assert any(one["value"] == "https://teams.example/x" for one in item["singleValueExtendedProperties"])


def weekly(world: World) -> None:
    """Twelve years of Mondays, one moved to Tuesday, one deleted; a whole day; one event before all."""
    box = world.mailbox(world.addresses()[0])
    folder = box.distinguished("calendar")
    made = timed(Desk(3, 0, "series"), "Montags", at((2020, 1, 6)))
    item = box.put(folder, replace(made, recurrence=Recurrence(Weekly((0,)), until=date(2031, 12, 29))))
    day = timedelta(days=1)
    modify_occurrence(box, item, date(2026, 3, 2), lambda e: replace(e, start=e.start + day, end=e.end + day))
    delete_occurrence(box, item, date(2026, 3, 9))
    box.put(folder, timed(Desk(3, 0, "one"), "Früher", at((2019, 12, 31), 23), 120))


def test_occurrences_are_those_that_ews_expands(
    source: Open, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Twelve years: more windows than one, and each occurrence under its series' UID."""
    weekly(world)
    address = world.addresses()[0]
    start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2032, 1, 1, tzinfo=UTC)
    with GraphServer(world) as server, ExchangeServer(world) as exchange:
        over_graph = opened(source, server)
        box = next(one for one in over_graph.containers() if one.role is Role.CALENDAR)
        graph = sorted(over_graph.occurrences(box, start, end))
        monkeypatch.setenv("EWS", next(iter(world.service_accounts.values())).password)
        settings = EwsSettings(
            url=exchange.url, username=next(iter(world.service_accounts)), password=Secret(env="EWS")
        )
        ews = EwsSource(settings, Account(login=address, address=address), tmp_path)
        mine = next(one for one in ews.containers() if one.role is Role.CALENDAR)
        old = sorted(ews.occurrences(mine, start, end) or ())
        ews.close()
    assert graph == old
    assert len(graph) > 600


def test_only_calendars_expand(source: Open) -> None:
    cloud = Cloud(lambda _: error("ErrorItemNotFound", 404))
    graph = source(cloud, ACCOUNT, kinds=frozenset({Kind.TASKS}))
    tasks = Container(Kind.TASKS, "T", ("Tasks",))
    assert (
        graph.occurrences(tasks, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)) is None
    )
