"""Hold the working hours of people, of every eighth person others: in Graph's words, and as Exchange's XML.

They are the usual ones, a part-time week, none that were ever set, a zone that only its rules describe, no
day at all, a night shift, a zone with a localised name, and an end at midnight.

Source:
    MS-OXOCFG, 2.2.5.3; https://learn.microsoft.com/graph/api/resources/workinghours
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from practice.world.people import Person

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday")
ZONE, CUSTOM = "W. Europe Standard Time", "Customized Time Zone"
_NUMBERS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True, slots=True)
class Hours:
    """Describe working hours: days, times by the clock on the wall, and the name of its zone."""

    days: tuple[str, ...] = WEEK
    start: str = "08:00:00"
    end: str = "17:00:00"
    zone: str = ZONE


UNSET = 2
"""Who never set any: Exchange has no configuration then, and Graph shows the usual ones."""
HOURS = {
    1: Hours(WEEK[:3], "07:30:00", "12:15:00"),
    3: Hours(zone=CUSTOM),
    4: Hours(()),
    5: Hours(("friday", "saturday", "sunday"), "22:00:00", "06:00:00"),
    6: Hours(WEEK, "09:00:00", "18:30:00", "Mitteleuropäische Zeit"),
    7: Hours(("saturday",), "16:00:00", "00:00:00"),
}
"""By a person's number; the others have the usual ones."""


def hours_of(person: Person) -> Hours:
    """Return the working hours of a person."""
    return HOURS.get(person.index % 8, Hours())


def graph_hours(person: Person) -> dict[str, Any]:
    """Return a person's workingHours; a zone without a name in the registry is described."""
    hours = hours_of(person)
    return {
        "daysOfWeek": list(hours.days),
        "startTime": f"{hours.start}.0000000",
        "endTime": f"{hours.end}.0000000",
        "timeZone": {"name": hours.zone} if hours.zone == ZONE else _described(CUSTOM),
    }


def _described(name: str) -> dict[str, Any]:
    day: dict[str, Any] = {"dayOccurrence": 5, "dayOfWeek": "sunday", "year": 0}
    return {
        "@odata.type": "#microsoft.graph.customTimeZone",
        "bias": -60,
        "name": name,
        "standardOffset": {"time": "03:00:00.0000000", "month": 10} | day,
        "daylightOffset": {"daylightBias": -60, "time": "02:00:00.0000000", "month": 3} | day,
    }


def ews_hours(person: Person) -> str | None:
    """Return the XmlData of a person's configuration WorkHours, in base64; None if there is none."""
    if person.index % 8 == UNSET:
        return None
    hours = hours_of(person)
    days = " ".join(day.capitalize() for day in sorted(hours.days, key=_NUMBERS.index))
    xml = (
        '<?xml version="1.0"?><Root xmlns="WorkingHours.xsd"><WorkHoursVersion1>'
        f"<TimeZone><Bias>-60</Bias>{_change('Standard', 0, '03:00:00', 10)}"
        f"{_change('DaylightSavings', -60, '02:00:00', 3)}<Name>{hours.zone}</Name></TimeZone>"
        f"<TimeSlot><Start>{hours.start}</Start><End>{hours.end}</End></TimeSlot>"
        f"<WorkDays>{days}</WorkDays></WorkHoursVersion1></Root>"
    )
    return base64.b64encode(xml.encode()).decode()


def _change(name: str, bias: int, time: str, month: int) -> str:
    return (
        f"<{name}><Bias>{bias}</Bias><ChangeDate><Time>{time}</Time><Date>0000/{month:02d}/05</Date>"
        f"<DayOfWeek>0</DayOfWeek></ChangeDate></{name}>"
    )
