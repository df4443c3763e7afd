"""Which zone a TZID of a stranger's object is, and what is written of it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar_records import WHOLE, event, lines_of, losses_of, mapped, outcome, task, zone

from mappings.compare.semantic_digest import calendar_digest
from mappings.from_ical.zone_names import MOST_OWN
from model.event_habits import EventHabits
from model.protocols import Capabilities

MOMENT = datetime(2026, 11, 25, tzinfo=UTC)
IANA_ALONE = replace(WHOLE, event_habits=EventHabits(own_zones=False))
BERLIN = "Europe/Berlin"


def start(lines: list[str]) -> str:
    return next(line for line in lines if line.startswith(("DTSTART;", "DTSTART:2027")))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (BERLIN, BERLIN),
        ("W. Europe Standard Time", BERLIN),
        (f"/freeassociation.sourceforge.net/{BERLIN}", BERLIN),
        (f"/{BERLIN}", BERLIN),
        (f"/mozilla.org/20050126_1/{BERLIN}", BERLIN),
        ("/softwarestudio.org/Olson_20011030_5/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
    ],
)
@pytest.mark.parametrize("beside", ["", "forged"])
def test_a_known_name_is_that_zone_whatever_stands_beside_it(name: str, found: str, beside: str) -> None:
    forged = zone(name, "-0900", "-0800") if beside else ""
    made = mapped(event(start=f"DTSTART;TZID={name}:20270105T090000", zones=forged))
    assert start(lines_of(made)) == f"DTSTART;TZID={found}:20270105T090000"
    assert not any("-0900" in line for line in lines_of(made))
    assert made.losses == ()


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "GMT", "tzone://Microsoft/Utc"])
def test_utc_by_any_name_is_written_as_such(name: str) -> None:
    made = mapped(event(start=f'DTSTART;TZID="{name}":20270105T090000'))
    assert start(lines_of(made)) == "DTSTART:20270105T090000Z"


def test_a_time_with_z_is_in_utc_whatever_zone_it_names() -> None:
    made = mapped(event(start=f"DTSTART;TZID={BERLIN}:20270105T090000Z"))
    assert start(lines_of(made)) == "DTSTART:20270105T090000Z"


def test_times_that_float_and_days_stay_what_they_are() -> None:
    assert start(lines_of(mapped(event(start="DTSTART:20270105T090000")))) == "DTSTART:20270105T090000"
    days = mapped(event(start="DTSTART;TZID=Nowhere;VALUE=DATE:20270105"))
    assert start(lines_of(days)) == "DTSTART;VALUE=DATE:20270105"


def test_a_zone_that_nobody_knows_is_taken_by_its_rules() -> None:
    inner = "RRULE:FREQ=WEEKLY;COUNT=30"
    told = event(inner, "DTSTART;TZID=Mein Büro:20270105T090000", zone("Mein Büro", "+0130", "+0230"))
    other = event(inner, "DTSTART;TZID=x:20270105T090000", zone("x", "+0130", "+0230"))
    made = mapped(told)
    assert made.item.digest == calendar_digest(io.BytesIO(told.encode()), MOMENT)
    assert start(lines_of(made)).startswith("DTSTART;TZID=Kogge/")
    assert mapped(other).item.body().read() == made.item.body().read()


def test_such_a_zone_is_restated_for_a_target_that_knows_iana_s_alone() -> None:
    told = event("RRULE:FREQ=WEEKLY;COUNT=30", "DTSTART;TZID=x:20270105T090000", zone("x"))
    made = mapped(told, target=IANA_ALONE)
    assert start(lines_of(made)) == f"DTSTART;TZID={BERLIN}:20270105T090000"
    assert made.item.digest == mapped(told).item.digest


@pytest.mark.parametrize("inner", ["DUE;TZID=x:20270105T090000", "DTSTART;TZID=x:20270105T090000"])
def test_the_times_of_a_task_are_restated_too(inner: str) -> None:
    told = task(inner, zone("x", "+0130", "+0230"))
    made = mapped(told, "VTODO", IANA_ALONE)
    assert inner.partition(";")[0] + ":20270105T073000Z" in lines_of(made)
    assert any(line.startswith("TZID:Kogge/") for line in lines_of(mapped(told, "VTODO")))


def test_a_task_that_comes_back_by_its_due_day_in_such_a_zone_is_refused_where_it_cannot_be_said() -> None:
    told = task("DUE;TZID=x:20270105T090000\nRRULE:FREQ=DAILY", zone("x", "+0130", "+0230"))
    assert outcome(told, "VTODO") == "read"
    assert outcome(told, "VTODO", IANA_ALONE) == "unknown-time-zone"


@pytest.mark.parametrize(
    "zones",
    [
        "",
        zone("x", "+9900", "+9800"),
        zone("x").replace("-1SU", "NEVER"),
        zone("x").replace("3;BYDAY=-1SU", "10;BYDAY=SA").replace("10;BYDAY=-1SU", "10;BYDAY=SU"),
        zone("x") + "\n" + zone("x", "+0500", "+0600"),
        "BEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE",
        "BEGIN:VTIMEZONE\nTZID:x\n" + "BEGIN:STANDARD\nEND:STANDARD\n" * 300 + "END:VTIMEZONE",
    ],
)
def test_a_zone_without_rules_that_make_sense_is_refused(zones: str) -> None:
    assert outcome(event(start="DTSTART;TZID=x:20270105T090000", zones=zones)) == "unknown-time-zone"


def test_a_zone_that_no_time_names_does_not_matter() -> None:
    assert outcome(event(zones=zone("x", "+9900", "+9800"))) == "read"


def test_an_object_that_describes_very_many_zones_is_refused() -> None:
    zones = [zone(f"z{n}", f"+00{n:02}", f"+01{n:02}") for n in range(MOST_OWN + 1)]
    dates = [f"EXDATE;TZID=z{n}:20270105T090000" for n in range(MOST_OWN + 1)]
    few = event("\n".join(dates[:-1]), zones="\n".join(zones))
    assert outcome(few) == "read"
    assert outcome(event("\n".join(dates), zones="\n".join(zones))) == "unknown-time-zone"


def test_dates_of_a_series_stand_in_the_zone_of_its_start() -> None:
    made = mapped(
        event(
            "RRULE:FREQ=DAILY;COUNT=9\nEXDATE:20270106T080000Z\nEXDATE;VALUE=DATE:20270107\n"
            "EXDATE:20270108T090000\nEXDATE;TZID=America/New_York:20270109T030000",
            f"DTSTART;TZID={BERLIN}:20270105T090000",
        )
    )
    dates = [line for line in lines_of(made) if line.startswith("EXDATE")]
    assert dates == [f"EXDATE;TZID={BERLIN}:202701{day}T090000" for day in ("06", "07", "08", "09")]
    assert losses_of(made) == set()


def test_a_date_that_cannot_be_in_a_series_is_a_loss() -> None:
    made = mapped(
        event(
            "RRULE:FREQ=DAILY;COUNT=9\nEXDATE:20270106T080000Z\nEXDATE:20270107T000000",
            "DTSTART;VALUE=DATE:20270105",
        )
    )
    assert [line for line in lines_of(made) if line.startswith("EXDATE")] == ["EXDATE;VALUE=DATE:20270107"]
    assert losses_of(made) == {"deleted-occurrence/not-in-series"}


@given(
    st.integers(-11, 12),
    st.sampled_from(["00", "30", "45"]),
    st.sampled_from(
        ["FREQ=WEEKLY;COUNT=60", "FREQ=DAILY;UNTIL=20281231T000000Z", "FREQ=MONTHLY;BYDAY=-1SU;COUNT=9"]
    ),
    st.datetimes(datetime(1998, 1, 1), datetime(2060, 1, 1)),
    st.sampled_from([WHOLE, IANA_ALONE]),
)
def test_every_occurrence_keeps_its_moment(
    hours: int, minutes: str, rule: str, at: datetime, target: Capabilities
) -> None:
    sign, hours = ("-", -hours) if hours < 0 else ("+", hours)
    described = zone("x", f"{sign}{hours:02}{minutes}", f"{sign}{hours + (sign == '+') or 1:02}{minutes}")
    told = event(f"RRULE:{rule}\nDURATION:PT90M", f"DTSTART;TZID=x:{at:%Y%m%dT%H%M%S}", described)
    if outcome(told, "VEVENT", target) == "read":
        made = mapped(told, target=target)
        assert made.item.digest == calendar_digest(io.BytesIO(told.encode()), MOMENT)


def test_a_series_that_ends_before_it_begins_keeps_its_one_moment() -> None:
    told = event(
        "RRULE:FREQ=DAILY;UNTIL=20281231T000000Z",
        "DTSTART;TZID=x:20300401T000000",
        zone("x", "+0000", "+0100"),
    )
    made = mapped(told, target=IANA_ALONE)
    assert made.item.digest == calendar_digest(io.BytesIO(told.encode()), MOMENT)
