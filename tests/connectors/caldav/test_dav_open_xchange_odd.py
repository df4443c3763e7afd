"""Every odd event of a practice Exchange, written into a practice Open-Xchange: each comes back as it was
written, takes place when it did, and loses what is named here; nobody is mailed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from pathlib import Path

import pytest
from event_native import NOT_AFTER, context
from icalendar import Calendar
from odd_events import OWNER, OddEvents, begins, odd_events
from open_xchange_desk import PASSWORD_ENV, desk_on
from recurring_ical_events import of
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink

from mappings.calendar.event import skip_event
from mappings.compare.semantic_digest import calendar_differing
from mappings.registry import map_event
from model.protocols import Mapped
from practice.calendar.appointments import Event

FROM, TO, EDGE = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC), timedelta(days=3)
LOSSES = {
    "busy_oof": {"free-or-busy"},
    "busy_workingelsewhere": {"free-or-busy"},
    "categories": {"comma-replaced"},
    "meeting_series": {"answer-of-occurrence"},
    "meeting_tentative": {"free-or-busy"},
    "meeting_unanswered": {"free-or-busy"},
    "series_custom_zone": {"zone-of-series"},
    "series_other_attendees": {"free-or-busy", "privacy-of-occurrence"},
    "series_private": {"comma-replaced"},
    "series_reformed_zone": {"zone-of-series"},
}
"""Beside what any server costs."""
FIELDS = {
    "answer-of-occurrence": "answers",
    "comma-replaced": "categories",
    "free-or-busy": "busy",
    "privacy-of-occurrence": "privacy",
}
"""In which field of the comparison a loss shows; a series in UTC is the same by its moments."""
Written = dict[str, tuple[Event, Mapped, Mapped, bytes]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """The event, what it becomes anywhere, what it becomes here, and what is read back."""
    spool = Path(tmp_path_factory.mktemp("spool"))
    with pytest.MonkeyPatch.context() as patch, SmtpSink() as sink, odd_events("exchange", spool) as events:
        patch.setenv(PASSWORD_ENV, USER_PASSWORD)
        with OpenXchangeServer(colleagues(events), sink=sink, rate=Rate(10**9)) as server:
            desk = desk_on(server, spool, OWNER)
            yield {
                name: (event, map_event(one, context({OWNER})), *desk.write(one))
                for name, (event, one) in events.items()
                if skip_event(one) is None
            }
            desk.target.close()
            assert sink.mails == []


def colleagues(events: OddEvents) -> dict[str, str]:
    """Everybody of the practice organisation whom an event names is a user of the server."""
    names = {OWNER: "The owner"}
    for _, one in events.values():
        if skip_event(one) is None:
            text = map_event(one, context({OWNER})).item.body().read().replace(b"\r\n ", b"").decode()
            found = (word.partition("mailto:")[2].strip().lower() for word in text.splitlines())
            names |= {who: who for who in found if who.endswith("@practice.example")}
    return names


def test_all_of_them_move_and_only_what_is_named_is_lost(written: Written) -> None:
    assert len(written) > 100
    lost = {
        name: {loss.reason for loss in here.losses} - {loss.reason for loss in anywhere.losses}
        for name, (_, anywhere, here, _) in written.items()
    }
    assert {name: reasons for name, reasons in lost.items() if reasons} == LOSSES


def test_what_differs_is_what_was_named(written: Written) -> None:
    for name, (_, anywhere, _, body) in written.items():
        with anywhere.item.body() as meant:
            differing = calendar_differing(meant, io.BytesIO(body), NOT_AFTER)
        named = {FIELDS[reason] for reason in LOSSES.get(name, set()) & FIELDS.keys()}
        assert set(differing) == named, name


def test_each_takes_place_when_the_source_says(written: Written) -> None:
    for name, (event, _, _, body) in written.items():
        found = (begin(one["DTSTART"].dt, event) for one in of(Calendar.from_ical(body)).between(FROM, TO))
        assert inner(found) == inner(iter(begins(event, FROM, TO))), name


def test_every_zone_is_one_that_the_server_knows(written: Written) -> None:
    """Any other would be read as a floating time, or as the user's own zone."""
    known = set(resources.files("tzdata").joinpath("zones").read_text().split())
    for name, (_, _, here, _) in written.items():
        body = here.item.body().read().replace(b"\r\n ", b"").decode()
        assert set(re.findall(r"TZID[=:]([^;:\r]+)", body)) <= known, name
        floating = re.compile(r"^(?:DTSTART|DTEND|RECURRENCE-ID|EXDATE|RDATE):[0-9T]+\r", re.MULTILINE)
        events = body.partition("BEGIN:VEVENT")[2]
        assert not floating.search(events), name


def begin(start: date, event: Event) -> datetime:
    if isinstance(start, datetime):
        return start.astimezone(UTC)
    return event.zone.utc(datetime.combine(start, time()))


def inner(found: Iterator[datetime]) -> list[datetime]:
    return sorted(at for at in found if FROM + EDGE < at < TO - EDGE)
