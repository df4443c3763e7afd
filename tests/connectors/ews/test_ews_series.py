"""Series whose days change under a change key that stays: what a listing tells, and what it asks for that."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from ews_records_script import CALENDAR, series
from ews_responder import Answer, Request, envelope, error, fault, message, responder, root_folder
from ews_scripts import Open, sync

from connectors.ews.series_states import KEY, STATE, CalendarCursor, read_cursor, series_key
from connectors.ews.source import EwsSource
from model.errors import CursorLost, Transient
from model.protocols import Page

Flaw = Callable[[Request], Answer | None]


@dataclass
class Calendar:
    """A calendar of series, which keeps its changes to itself: SyncFolderItems names everything once.

    days: the place of each changed day, by the number of its series. page: series a page.
    """

    count: int = 3
    days: dict[int, str] = field(default_factory=dict)
    type_: str = "RecurringMaster"
    page: int = 512
    flaw: Flaw = lambda _: None
    forgets: bool = False

    def __call__(self, request: Request) -> Answer:
        flawed = self.flaw(request)
        if flawed is not None:
            return flawed
        if request.operation == "SyncFolderItems":
            return self._listing(request)
        if request.operation == "GetItem":
            return Answer(envelope("GetItem", *map(self._item, request.ids)))
        return root_folder()

    def _listing(self, request: Request) -> Answer:
        given = re.search(r"<m:SyncState>s(\d+)<", request.xml)
        known = 0 if given is None or self.forgets else int(given[1])
        upto = min(self.count, known + self.page)
        listed = "".join(
            f'<t:Create><t:CalendarItem><t:ItemId Id="s{number}=" ChangeKey="K{number}"/>'
            f"<t:CalendarItemType>{self.type_}</t:CalendarItemType></t:CalendarItem></t:Create>"
            for number in range(known, upto)
        )
        return sync(listed, f"s{upto}", last=upto == self.count)

    def _item(self, id_: str) -> str:
        number = int(id_.strip("sd="))
        if id_.startswith("s"):
            changed = [(f"d{number}=", "2026-03-02T09:00:00Z")] if number in self.days else []
            return message("GetItem", f"<m:Items>{series(id_, *changed)}</m:Items>")
        place = f"<t:Location>{self.days[number]}</t:Location>"
        day = f'<t:CalendarItem><t:ItemId Id="{id_}" ChangeKey="K"/>{place}</t:CalendarItem>'
        return message("GetItem", f"<m:Items>{day}</m:Items>")


def follow(source: EwsSource, cursor: str | None) -> list[Page]:
    return list(source.changes(CALENDAR, cursor))


def told(pages: list[Page]) -> dict[str, str]:
    """The version in which each item was named last."""
    return {ref.id: ref.version for page in pages for ref in page.refs}


def test_a_changed_day_is_told_once_with_a_version_that_ends_as_the_series_own(source: Open) -> None:
    calendar = Calendar(days={1: "Saal 1"})
    with responder(calendar) as server:
        one = source(server)
        (first,) = follow(one, None)
        assert told([first]) == {"s0=": "K0", "s1=": "K1", "s2=": "K2"}
        (silent,) = follow(one, first.cursor)
        assert (silent.refs, silent.cursor) == ((), first.cursor)
        calendar.days = {1: "Saal 2", 2: "Saal 3"}
        odd, own = follow(one, silent.cursor)
        assert told([own]) == {"s1=": "K1", "s2=": "K2"}
        assert told([odd]).keys() == told([own]).keys()
        assert not {*told([odd]).values()} & {"K1", "K2"}
        again = follow(one, odd.cursor)  # whoever was stopped between the two hears both once more
        assert told(again) == told([own])
        calendar.days = {2: "Saal 3"}
        assert told(follow(one, own.cursor)) == {"s1=": "K1"}


def test_a_server_that_forgets_the_state_hides_no_changed_day(source: Open) -> None:
    calendar = Calendar(days={1: "Saal 1"})
    with responder(calendar) as server:
        one = source(server)
        (first,) = follow(one, None)
        calendar.days, calendar.forgets = {1: "Saal 2"}, True
        odd, own = follow(one, first.cursor)
        assert told([odd])["s0="] == "K0"
        assert told([odd])["s1="] != "K1"
        assert told([own]) == {"s1=": "K1"}


def test_what_it_costs_is_a_listing_and_a_request_for_each_hundred(source: Open) -> None:
    calendar = Calendar(count=250, days=dict.fromkeys(range(120), "Saal"), page=100)
    with responder(calendar) as server:
        one = source(server)
        *_, last = follow(one, None)
        assert len(server.requests) == 3 + 3 + 2
        follow(one, last.cursor)
        assert len(server.requests) == 8 + 1 + 3 + 3 + 2


def test_a_calendar_without_series_costs_nothing(source: Open) -> None:
    calendar = Calendar(type_="Single")
    with responder(calendar) as server:
        one = source(server)
        (first,) = follow(one, None)
        (silent,) = follow(one, first.cursor)
        assert silent.cursor == first.cursor
        assert len(server.requests) == 2
        calendar.count, calendar.type_ = 4, "RecurringMaster"
        (page,) = follow(one, silent.cursor)
        assert told([page]) == {"s3=": "K3"}
        calendar.days = {3: "Saal"}
        assert told(follow(one, page.cursor)) == {"s3=": "K3"}


def test_a_cursor_of_two_thousand_series_stays_small() -> None:
    digests = {series_key(f"s{number}"): bytes(STATE) for number in range(2000)}
    cursor = CalendarCursor("state", digests)
    assert len(cursor.text()) < 2000 * 19
    assert read_cursor(cursor.text()) == cursor
    assert all(len(key) == KEY for key in digests)


def test_a_series_without_such_days_adds_nothing_to_the_cursor(source: Open) -> None:
    with responder(Calendar(count=100)) as server:
        (page,) = follow(source(server), None)
        assert page.cursor == "s100\n"


@pytest.mark.parametrize("cursor", ["s3", "s3\n", "s3\n-", "s3\n?"])
def test_every_cursor_is_read(cursor: str) -> None:
    assert read_cursor(cursor).state == "s3"


def test_of_an_earlier_version_s_cursor_nothing_is_known(source: Open) -> None:
    calendar = Calendar(days={1: "Saal 1"})
    with responder(calendar) as server:
        (page,) = follow(source(server), "s3")
        assert page.refs == ()
        calendar.days = {1: "Saal 2"}
        assert told(follow(source(server), page.cursor)) == {"s1=": "K1"}


@pytest.mark.parametrize("poisoned", ["s2=", "d2="])
def test_a_series_at_which_the_server_fails_hides_no_other(source: Open, poisoned: str) -> None:
    def fails(request: Request) -> Answer | None:
        return Answer("", status=500, kind="text/html") if poisoned in request.ids else None

    calendar = Calendar(days={1: "Saal 1", 2: "Saal 1"}, flaw=fails)
    with responder(calendar) as server:
        one = source(server)
        (first,) = follow(one, None)
        calendar.days = {1: "Saal 2", 2: "Saal 1"}
        assert told(follow(one, first.cursor)) == {"s1=": "K1"}


@pytest.mark.parametrize("whole", [True, False])
def test_a_server_that_does_not_tell_of_days_still_lists(source: Open, whole: bool) -> None:
    def refuses(request: Request) -> Answer | None:
        if request.operation != "GetItem":
            return None
        if whole:
            return fault("ErrorInvalidPropertyRequest")
        return Answer(
            envelope("GetItem", *[error("GetItem", "ErrorInvalidPropertyRequest") for _ in request.ids])
        )

    with responder(Calendar(count=90, flaw=refuses)) as server:
        one = source(server)
        (first,) = follow(one, None)
        assert len(first.refs) == 90
        assert follow(one, first.cursor)[0].refs == ()
        assert len(server.of("GetItem")) == 2


def test_a_server_that_is_away_ends_the_listing(source: Open) -> None:
    away = lambda request: Answer("", status=503) if request.operation != "SyncFolderItems" else None  # noqa: E731
    with responder(Calendar(flaw=away)) as server:
        one = source(server, patience_seconds=0.2)
        with pytest.raises(Transient, match="busy"):
            follow(one, None)


def test_a_lost_cursor_is_lost(source: Open) -> None:
    def lost(_):
        return Answer(envelope("SyncFolderItems", error("SyncFolderItems", "ErrorInvalidSyncStateData")))

    with responder(Calendar(flaw=lost)) as server, pytest.raises(CursorLost):
        follow(source(server), "s3\n")
