"""Occurrences against two other expanders; zones, bounds and what hangs on no more than spelling."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from meaning_written import BERLIN, SERIES, calendar, component, differing, event, meaning

from mappings.compare.rrule import rule_of, walls
from mappings.compare.semantic_digest import calendar_meaning
from mappings.compare.time import seconds

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
STARTS = st.datetimes(datetime(1990, 1, 1), datetime(2035, 12, 31)).map(lambda at: at.replace(microsecond=0))


def some(values: st.SearchStrategy[object], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=most, unique=True).map(
        lambda found: ",".join(map(str, found))
    )


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 4))}"]
    if draw(st.booleans()):
        parts.append(f"BYMONTH={draw(some(st.integers(1, 12)))}")
    if frequency != "WEEKLY" and draw(st.booleans()):
        parts.append(f"BYMONTHDAY={draw(some(st.integers(-31, 31).filter(bool)))}")
    if draw(st.booleans()):
        parts.append(f"BYDAY={draw(days(frequency))}")
    if frequency == "YEARLY" and draw(st.booleans()):
        yearly = {"BYYEARDAY": st.integers(-366, 366), "BYWEEKNO": st.integers(-53, 53)}
        name = draw(st.sampled_from(sorted(yearly)))
        parts.append(f"{name}={draw(some(yearly[name].filter(bool)))}")
    if frequency in ("MONTHLY", "YEARLY") and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(some(st.integers(-3, 3).filter(bool)))}")
    if draw(st.booleans()):
        parts.append(f"BYHOUR={draw(some(st.integers(0, 23)))}")
    parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    return ";".join(draw(st.permutations(parts)))


def days(frequency: str) -> st.SearchStrategy[str]:
    """dateutil takes a plain and a numbered weekday together for both at once; RFC 5545 for either."""
    plain = some(st.sampled_from(WEEKDAYS), 5)
    if frequency not in ("MONTHLY", "YEARLY"):
        return plain
    numbered = st.tuples(st.integers(-5, 5).filter(bool), st.sampled_from(WEEKDAYS)).map(
        lambda p: f"{p[0]}{p[1]}"
    )
    return plain | some(numbered)


@given(rules(), STARTS)
@example("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", datetime(2026, 1, 31, 9))
@example("FREQ=YEARLY;BYWEEKNO=53,1;BYDAY=MO,SU;WKST=SU", datetime(1999, 1, 1))
@example("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", datetime(2026, 1, 4))
@example("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", datetime(2024, 2, 29))
def test_rules_expand_as_dateutil_has_them(rule: str, start: datetime) -> None:
    last = start + timedelta(days=4000)
    expected = rrulestr(f"{rule};UNTIL={last:%Y%m%dT235959}", dtstart=start)
    found = chain.from_iterable(walls(rule_of(rule), start, last.toordinal()))
    assert list(islice(found, 300)) == [seconds(at) for at in islice(expected, 300)]


@given(
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    STARTS,
    st.integers(1, 40),
    st.integers(1, 3),
    st.data(),
)
@settings(max_examples=30)
def test_moments_are_those_of_recurring_ical_events(
    frequency: str, start: datetime, count: int, interval: int, data: st.DataObject
) -> None:
    assume(start.day < 29 and not 0 < start.hour < 4)  # no days a month has not, no hours a zone has not
    zone = data.draw(st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Sydney"]))
    rule = f"RRULE:FREQ={frequency};COUNT={count};INTERVAL={interval}\n"
    body = event(f"DTSTART;TZID={zone}:{start:%Y%m%dT%H%M%S}\n{rule}", zone="")
    found = recurring_ical_events.of(Calendar.from_ical(body)).after(
        start.replace(tzinfo=UTC) - timedelta(days=2)
    )
    expected = sorted(int(one.start.timestamp()) for one in found)
    assert moments(body) == expected


def moments(body: bytes) -> list[int]:
    value = meaning(body).fields["occurrences"]
    assert isinstance(value, tuple)
    return list(value[1])


def utc(at: str) -> int:
    return int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())


def test_a_series_keeps_its_hour_across_a_change_of_clocks() -> None:
    found = moments(event("DTSTART;TZID=Europe/Berlin:20270326T093000\nRRULE:FREQ=DAILY;COUNT=4\n"))
    assert found == [utc(f"2027-03-{day}") for day in ("26T08:30", "27T08:30", "28T07:30", "29T07:30")]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Amt 7"])
def test_hours_that_come_twice_or_never(zone: str) -> None:
    """RFC 5545 section 3.3.5; the second zone is known by its VTIMEZONE alone."""
    for local, instant in {
        "20271031T023000": "2027-10-31T00:30",  # twice: the first
        "20270328T023000": "2027-03-28T01:30",  # never: by the offset before the gap
        "20270328T030000": "2027-03-28T01:00",
        "20271031T030000": "2027-10-31T02:00",
        "19600701T120000": "1960-07-01T11:00",
    }.items():
        body = event(f"DTSTART;TZID={zone}:{local}\n", zone=BERLIN.replace("Europe/Berlin", zone))
        assert moments(body) == [utc(instant)]


@given(st.integers(1971, 2037), st.integers(0, 8783))
def test_a_vtimezone_is_the_zone_it_describes(year: int, hour: int) -> None:
    """The rules of 1996 on, for every hour of a year."""
    start = datetime(max(year, 1997), 1, 1) + timedelta(hours=hour)
    body = event(f"DTSTART;TZID=Amt:{start:%Y%m%dT%H%M%S}\n", zone=BERLIN.replace("Europe/Berlin", "Amt"))
    assert moments(body) == [int(start.replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp())]


def test_a_zone_with_ends_and_dates() -> None:
    zone = BERLIN.replace(
        "BYDAY=-1SU\nTZOFFSETFROM:+0100", "BYDAY=-1SU;UNTIL=20260329T010000Z\nTZOFFSETFROM:+0100"
    )
    zone = zone.replace("TZID:Europe/Berlin", "TZID:Amt").replace(
        "TZOFFSETFROM:+0100", "RDATE:20280402T020000\nTZOFFSETFROM:+0100"
    )
    for local, instant in {
        "20260701": "20260701T080000Z",
        "20270701": "20270701T090000Z",
        "20280701": "20280701T080000Z",
    }.items():
        body = event(f"DTSTART;TZID=Amt:{local}T100000\n", zone=zone)
        assert differing(body, event(f"DTSTART:{instant}\n")) == ()


def test_a_zone_nobody_knows_is_not_another() -> None:
    local = event("DTSTART;TZID=Nowhere/At All:20260701T100000\n", zone="")
    assert differing(local, event("DTSTART:20260701T100000\n")) == ("start", "occurrences")
    assert differing(local, event("DTSTART;TZID=Elsewhere:20260701T100000\n", zone="")) == (
        "start",
        "occurrences",
    )


def test_a_series_without_end_is_followed_for_two_years_and_ten_intervals() -> None:
    daily = moments(event("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\n"))
    assert date.fromtimestamp(daily[-1]) == date(2026, 11, 25) + timedelta(days=731)
    yearly = moments(event("DTSTART:20260101T090000Z\nRRULE:FREQ=YEARLY;INTERVAL=4\n"))
    assert [datetime.fromtimestamp(at, UTC).year for at in yearly[-2:]] == [2062, 2066]


def test_a_series_with_an_end_is_followed_to_it() -> None:
    found = moments(event("DTSTART:20260101T090000Z\nRRULE:FREQ=YEARLY;COUNT=60\n"))
    assert (len(found), found[-1]) == (60, utc("2085-01-01T09:00"))
    assert moments(event("DTSTART:20260101T090000Z\nRRULE:FREQ=YEARLY;UNTIL=20850101\n")) == found


def test_that_a_series_goes_on_counts() -> None:
    """One that ends just where the other is no longer followed has the same moments."""
    endless = event("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\n")
    ended = event(f"DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY;COUNT={len(moments(endless))}\n")
    assert moments(ended) == moments(endless)
    assert differing(ended, endless) == ("occurrences",)


@pytest.mark.parametrize(
    ("start", "until", "count"),
    [
        ("DTSTART;TZID=America/New_York:20260101T210000", "20260104T020000Z", 3),  # still the 3rd there
        ("DTSTART;TZID=America/New_York:20260101T210000", "20260104T015959Z", 2),
        ("DTSTART;TZID=America/New_York:20260101T210000", "20260103", 3),
        ("DTSTART:20260101T210000", "20260103T210000", 3),
        ("DTSTART:20260101T210000", "20260103T205959Z", 2),
        ("DTSTART;VALUE=DATE:20260101", "20260103", 3),
        ("DTSTART;VALUE=DATE:20260101", "20260103T000000Z", 3),
    ],
)
def test_the_last_moment_of_a_series(start: str, until: str, count: int) -> None:
    assert len(moments(event(f"{start}\nRRULE:FREQ=DAILY;UNTIL={until}\n"))) == count


def test_the_moment_of_the_run_decides_how_far() -> None:
    body = event("DTSTART:20260101T090000Z\nRRULE:FREQ=DAILY\n")
    early, late = (
        calendar_meaning(io.BytesIO(body), datetime(year, 1, 1, tzinfo=UTC)) for year in (2027, 2028)
    )
    assert early.differing(late, ["occurrences"]) == ("occurrences",)


@pytest.mark.parametrize("line", ["EXDATE:20351204T100001Z", "EXDATE;VALUE=DATE:20351205"])
def test_what_takes_nothing_out_does_not_move_the_window(line: str) -> None:
    assert differing(event(SERIES), event(f"{line}\n{SERIES}")) == ()


def test_exceptions_that_change_places_are_seen() -> None:
    def moved(stands_for: str, to: str) -> str:
        return f"RECURRENCE-ID:{stands_for}\nDTSTART:{to}\nDURATION:PT1H\nSUMMARY:x\n"

    master = "DTSTART:20260105T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nSUMMARY:x\n"
    one, two = "20260106T090000Z", "20260107T090000Z"
    swapped = event(master, moved(one, two), moved(two, one))
    assert differing(event(master), swapped) == ("exceptions",)
    both = event(master, moved(one, "20260108T090000Z"), moved(two, "20260109T090000Z"))
    assert moments(both) == [utc(f"2026-01-0{day}T09:00") for day in (5, 8, 9)]
    chained = event(master, moved(one, two), moved(two, "20260108T090000Z"))
    assert moments(chained) == [utc(f"2026-01-0{day}T09:00") for day in (5, 7, 8)]


def test_beyond_the_bound_the_rule_is_compared() -> None:
    def long(rule: str) -> bytes:
        return event(f"DTSTART:19700101T090000Z\nRRULE:{rule}\n")

    assert len(moments(long("FREQ=DAILY"))) == 10_000
    assert differing(long("FREQ=DAILY"), long("INTERVAL=1;FREQ=DAILY")) == ()
    assert differing(long("FREQ=DAILY;COUNT=20000"), long("FREQ=DAILY;COUNT=20001")) == ("occurrences",)
    assert differing(long("FREQ=HOURLY"), long("FREQ=HOURLY;INTERVAL=2")) == ("occurrences",)
    assert differing(long("FREQ=HOURLY"), long("FREQ=HOURLY;BYDAY=MO")) == ("occurrences",)
    excepted = long("FREQ=HOURLY").replace(b"RRULE", b"EXDATE:19800101T100000Z\r\nRRULE")
    assert differing(long("FREQ=HOURLY"), excepted) == ("occurrences",)


def test_tasks_recur_from_their_start_or_when_due() -> None:
    def chore(lines: str) -> bytes:
        return calendar(component(lines, "VTODO"), zone="")

    started = chore("DTSTART;VALUE=DATE:20260105\nDUE;VALUE=DATE:20260106\nRRULE:FREQ=WEEKLY;COUNT=2\n")
    assert moments(started) == [date(2026, 1, day).toordinal() for day in (5, 12)]
    due = chore("DUE;VALUE=DATE:20260105\nRRULE:FREQ=WEEKLY;COUNT=2\n")
    assert moments(due) == moments(started)
    assert differing(started, due) == ("start", "duration", "due")
