"""Calendars by EWS from a scripted server: what a listing names, and how the server itself expands."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from ews_folders_script import folder, folders
from ews_records_script import CALENDAR, TASKS
from ews_responder import Answer, Request, envelope, error, fault, message, responder, root_folder
from ews_scripts import Open, sync

from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Role

START = datetime(2020, 1, 1, tzinfo=UTC)
Entry = tuple[str, datetime, datetime, str]


def changed(id_: str, type_: str) -> str:
    return (
        f'<t:Create><t:CalendarItem><t:ItemId Id="{id_}" ChangeKey="K"/><t:Size>9</t:Size>'
        f"<t:CalendarItemType>{type_}</t:CalendarItemType></t:CalendarItem></t:Create>"
    )


def test_a_listing_names_masters_and_single_appointments_alone(source: Open) -> None:
    types = {"a": "Single", "b": "RecurringMaster", "c": "Exception", "d": "Occurrence"}

    def script(request: Request) -> Answer:
        if request.operation == "GetItem":
            return Answer(envelope("GetItem", *[error("GetItem", "ErrorItemNotFound") for _ in request.ids]))
        return sync("".join(changed(*one) for one in types.items()), "S1")

    with responder(script) as server:
        (page,) = source(server).changes(CALENDAR, None)
        assert [ref.id for ref in page.refs] == ["a", "b"]
        assert "calendar:CalendarItemType" in server.requests[0].xml
        list(source(server).changes(TASKS, None))
        assert "calendar:CalendarItemType" not in server.of("SyncFolderItems")[1].xml


def test_a_server_that_does_not_tell_types_still_lists(source: Open) -> None:
    def script(request: Request) -> Answer:
        if "calendar:CalendarItemType" in request.xml:
            return Answer(
                envelope("SyncFolderItems", error("SyncFolderItems", "ErrorInvalidPropertyRequest"))
            )
        return sync(changed("a", "Single"), "S1")

    with responder(script) as server:
        one = source(server)
        for _ in range(2):
            (page,) = one.changes(CALENDAR, None)
            assert [ref.id for ref in page.refs] == ["a"]
        assert len(server.requests) == 3


class Calendar:
    """A server that expands: at most `most` entries a view, views of two years at most."""

    def __init__(
        self,
        entries: list[Entry],
        *,
        most: int = 1000,
        says_last: bool = True,
        window: Literal["kept", "ignored"] = "kept",
    ) -> None:
        self.entries = entries
        self.most = most
        self.says_last = says_last
        self.window = window
        self.views: list[tuple[datetime, datetime]] = []

    def __call__(self, request: Request) -> Answer:
        if request.operation != "FindItem":
            return root_folder()
        low, high = (datetime.fromisoformat(one) for one in re.findall(r'Date="([^"]*)"', request.xml))
        self.views.append((low, high))
        if high - low > timedelta(days=730):
            return Answer(envelope("FindItem", error("FindItem", "ErrorCalendarViewRangeTooBig")))
        found = [one for one in self.entries if self.window == "ignored" or (one[1] < high and one[2] > low)]
        last = len(found) <= self.most or not self.says_last
        items = "".join(map(entry, found[: self.most]))
        top = f'<m:RootFolder IncludesLastItemInRange="{str(last).lower()}"><t:Items>{items}</t:Items>'
        return Answer(envelope("FindItem", message("FindItem", f"{top}</m:RootFolder>")))


def entry(one: Entry) -> str:
    uid, start, end, type_ = one
    if not type_:
        return f'<t:Message><t:ItemId Id="{uid}"/></t:Message>'
    return (
        f'<t:CalendarItem><t:ItemId Id="{uid}{start.timestamp()}"/><t:UID>{uid}</t:UID>'
        f"<t:Start>{start:%Y-%m-%dT%H:%M:%SZ}</t:Start><t:End>{end:%Y-%m-%dT%H:%M:%SZ}</t:End>"
        f"<t:CalendarItemType>{type_}</t:CalendarItemType></t:CalendarItem>"
    )


def daily(days: int) -> list[Entry]:
    starts = [START + timedelta(days=day, hours=9) for day in range(days)]
    return [("u", start, start + timedelta(hours=1), "Occurrence") for start in starts]


@pytest.mark.parametrize("says_last", [True, False])
@pytest.mark.parametrize("window", ["kept", "ignored"])
def test_every_occurrence_is_given_once(
    source: Open, says_last: bool, window: Literal["kept", "ignored"]
) -> None:
    """Views are full at a thousand entries whether the server says so or not."""
    over = ("long", START - timedelta(days=1), START + timedelta(days=900), "Single")
    entries = [over, *daily(900), *[("v", START, START + timedelta(hours=1), "Single")] * 2]
    if window == "kept":
        begins = [START + timedelta(days=5, minutes=n) for n in range(1500)]
        entries += [(f"w{n}", at, at + timedelta(minutes=30), "Single") for n, at in enumerate(begins)]
        entries += [("stranger", START, START + timedelta(hours=1), "")]
    calendar = Calendar(entries, says_last=says_last, window=window)
    with responder(calendar) as server:
        found = source(server).occurrences(CALENDAR, START, START + timedelta(days=2000))
        assert found is not None
        assert sorted(found) == sorted(one[:3] for one in entries if one[3])
    assert all(high - low <= timedelta(days=730) for low, high in calendar.views)
    assert len(calendar.views) < 60


def test_what_lies_outside_is_not_given(source: Open) -> None:
    with responder(Calendar(daily(30))) as server:
        low, high = START + timedelta(days=10), START + timedelta(days=20)
        found = source(server).occurrences(CALENDAR, low, high)
        assert found is not None
        assert sorted(start for _, start, _ in found) == [
            START + timedelta(days=d, hours=9) for d in range(10, 20)
        ]


@pytest.mark.parametrize(
    "entries",
    [
        [("u", START, START + timedelta(hours=1), "RecurringMaster")],
        [(f"u{n}", START, START + timedelta(hours=1), "Single") for n in range(1001)],
    ],
    ids=["masters", "crowd"],
)
def test_a_server_that_cannot_expand_all_says_nothing(source: Open, entries: list[Entry]) -> None:
    with responder(Calendar(entries)) as server:
        assert source(server).occurrences(CALENDAR, START, START + timedelta(days=1)) is None


def test_a_server_without_views_says_nothing_and_a_refused_mailbox_is_no_such_server(source: Open) -> None:
    with responder(lambda _: fault("ErrorInvalidRequest")) as server:
        assert source(server).occurrences(CALENDAR, START, START + timedelta(days=1)) is None
    with responder(lambda _: fault("ErrorAccessDenied")) as server, pytest.raises(Blocked):
        source(server).occurrences(CALENDAR, START, START + timedelta(days=1))


def test_a_view_without_its_entries_is_asked_for_again(source: Open) -> None:
    calendar = Calendar(daily(5))
    bare = '<m:RootFolder TotalItemsInView="5" IncludesLastItemInRange="true"><t:Items/></m:RootFolder>'

    def script(request: Request) -> Answer:
        empty = request.operation == "FindItem" and request.number < 2
        return Answer(envelope("FindItem", message("FindItem", bare))) if empty else calendar(request)

    with responder(script) as server:
        found = source(server).occurrences(CALENDAR, START, START + timedelta(days=9))
        assert found is not None
        assert len(list(found)) == 5


@pytest.mark.parametrize("code", ["ErrorItemCorrupt", "ErrorCorruptData", "ErrorCalendarOutOfRange"])
def test_a_server_that_chokes_on_a_view_says_nothing_and_blocks_nothing(source: Open, code: str) -> None:
    for refusal in (Answer(envelope("FindItem", error("FindItem", code))), fault(code)):
        with responder(lambda _, refusal=refusal: refusal) as server:
            assert source(server).occurrences(CALENDAR, START, START + timedelta(days=1)) is None


def test_default_folders_have_roles_and_read_only_ones_are_marked(source: Open) -> None:
    listed = [
        folder("cal", "IPF.Appointment", rights=True),
        folder("team", "IPF.Appointment", rights=False),
        folder("quiet", "IPF.Appointment", rights=None),
        folder("birth", "IPF.Appointment.Birthday", rights=False),
        folder("con", "IPF.Contact", rights=True),
        folder("tas", "IPF.Task", rights=True),
        folder("not", "IPF.StickyNote", rights=True),
    ]
    known = {"calendar": "cal", "contacts": "con", "tasks": "tas", "notes": "not"}
    with responder(folders(listed, known)) as server:
        found = {one.id: one for one in source(server).containers()}
        other = {one.id: one for one in source(server, impersonation=False, username="svc").containers()}
        own = {one.id: one for one in source(server, impersonation=False).containers()}
    assert {id_: (one.kind, one.role) for id_, one in found.items()} == {
        "cal": (Kind.CALENDAR, Role.CALENDAR),
        "team": (Kind.CALENDAR, None),
        "quiet": (Kind.CALENDAR, None),
        "birth": (Kind.CALENDAR, None),
        "con": (Kind.CONTACTS, Role.CONTACTS),
        "tas": (Kind.TASKS, Role.TASKS),
        "not": (Kind.NOTES, Role.NOTES),
    }
    assert {id_ for id_, one in found.items() if one.readonly} == {"team", "birth"}
    assert {id_ for id_, one in own.items() if one.readonly} == {"team", "birth"}
    assert not any(one.readonly for one in other.values())  # the rights of somebody who may only look
    assert {id_: one.omit for id_, one in found.items() if one.omit} == {"birth": "system-folder"}


@pytest.mark.parametrize(("refused", "asked"), [("EffectiveRights", 2), ("ExtendedFieldURI", 3)])
def test_folders_are_listed_where_their_rights_or_tags_are_not_told(
    source: Open, refused: str, asked: int
) -> None:
    """What is hidden must stay known where only rights are refused."""
    script = folders([folder("cal", "IPF.Appointment", rights=None)], {}, refused=refused)
    with responder(script) as server:
        (found,) = source(server).containers()
        assert (found.id, found.readonly) == ("cal", False)
        requests = server.of("FindFolder")
    assert len(requests) == asked
    assert ("0x10F4" in requests[-1].xml) == (refused == "EffectiveRights")


def test_names_of_folders_show_what_xml_cannot_carry_as_people_know_it(source: Open) -> None:
    with responder(folders([folder("a&#1;b", "IPF.Appointment", rights=None)], {})) as server:
        (found,) = source(server).containers()
    assert found.path == ("a\ufffdb",)
