"""Describe the time zones that a practice Exchange knows, and write them.

They are Windows names, and rules of their own. The arithmetic is this module's alone and asks no zone
database: what it computes is what the server states. A wall clock time that happens twice is the first of the
two; one that is skipped counts by the offset before.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from practice.exchange.soap import escape

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = tuple(calendar.month_name[1:])
CUSTOM = "tzone://Microsoft/Custom"


@dataclass(frozen=True, slots=True)
class Switch:
    """Say when the clocks change.

    Attributes:
        minutes: after midnight, by the clock that ends.
        nth: which weekday of the month (1 to 4, -1 the last).
        day: a fixed day of the month in its stead.
    """

    month: int
    minutes: int
    weekday: int = 6
    nth: int = -1
    day: int | None = None

    def moment(self, year: int) -> datetime:
        """Return the wall clock time of the change in a year."""
        return datetime.combine(self._date(year), datetime.min.time()) + timedelta(minutes=self.minutes)

    def _date(self, year: int) -> date:
        if self.day is not None:
            return date(year, self.month, self.day)
        weekday, last = calendar.monthrange(year, self.month)
        found = range(1 + (self.weekday - weekday) % 7, last + 1, 7)
        return date(year, self.month, found[self.nth - 1 if self.nth > 0 else -1])


@dataclass(frozen=True, slots=True)
class Rules:
    """Hold offsets in minutes east of UTC. Without a daylight there is no summer time."""

    standard: int
    daylight: int | None = None
    begins: Switch | None = None
    ends: Switch | None = None

    def switches(self) -> list[tuple[Switch, int, int]]:
        """Return (when, offset before, offset after), in the order of the year."""
        if self.daylight is None or self.begins is None or self.ends is None:
            return []
        rows = [
            (self.begins, self.standard, self.daylight),
            (self.ends, self.daylight, self.standard),
        ]
        return sorted(rows, key=lambda row: row[0].month)

    def offset(self, wall: datetime) -> int:
        """Return the minutes east of UTC at this wall clock time."""
        rows = self.switches()
        now = rows[0][1] if rows else self.standard
        for switch, before, after in rows:
            # Clocks that go forward skip what lies between; it still counts by the offset before.
            change = switch.moment(wall.year) + timedelta(minutes=max(after - before, 0))
            if wall >= change:
                now = after
        return now


@dataclass(frozen=True, slots=True)
class Zone:
    """Hold a zone.

    Attributes:
        id: a Windows name, or CUSTOM.
        eras: the rules, and the year from which they hold, the oldest first.
    """

    id: str
    name: str
    eras: tuple[tuple[int, Rules], ...]

    @property
    def known(self) -> bool:
        """Return whether its name alone says its rules."""
        return self.id in ZONES

    def rules(self, year: int) -> Rules:
        """Return the rules of a year."""
        return [rules for since, rules in self.eras if since <= year][-1]

    def utc(self, wall: datetime) -> datetime:
        """Return the moment of a naive wall clock time."""
        offset = self.rules(wall.year).offset(wall)
        return (wall - timedelta(minutes=offset)).replace(tzinfo=UTC)

    def offset(self, wall: datetime) -> str:
        """Return the offset, as "+01:00", at this wall clock time."""
        minutes = self.rules(wall.year).offset(wall)
        hours, rest = divmod(abs(minutes), 60)
        return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"

    def attributes(self) -> str:
        """Return id and name as attributes."""
        return f'Id="{escape(self.id)}" Name="{escape(self.name)}"'

    def xml(self, tag: str) -> str:
        """Return <t:StartTimeZone> and the like: a known zone by its id alone, others with their rules."""
        if self.known:
            return f"<t:{tag} {self.attributes()}/>"
        return f"<t:{tag} {self.attributes()}>{self.definition()}</t:{tag}>"

    def definition(self) -> str:
        """Return Periods, TransitionsGroups and Transitions."""
        groups = [_group(at, rules) for at, (_, rules) in enumerate(self.eras)]
        periods = "".join(_periods(at, rules) for at, (_, rules) in enumerate(self.eras))
        return (
            f"<t:Periods>{periods}</t:Periods><t:TransitionsGroups>{''.join(groups)}</t:TransitionsGroups>"
            f"<t:Transitions>{self._transitions()}</t:Transitions>"
        )

    def _transitions(self) -> str:
        first = '<t:Transition><t:To Kind="Group">0</t:To></t:Transition>'
        return first + "".join(
            f'<t:AbsoluteDateTransition><t:To Kind="Group">{at}</t:To>'
            f"<t:DateTime>{since}-01-01T00:00:00</t:DateTime></t:AbsoluteDateTransition>"
            for at, (since, _) in enumerate(self.eras)
            if at
        )

    def meeting(self) -> str:
        """Return <t:MeetingTimeZone>, as Exchange 2007 stored it: one rule for all years."""
        rules = self.eras[-1][1]
        changes = {after - rules.standard: switch for switch, _, after in rules.switches()}
        inner = f"<t:BaseOffset>{_bias(rules.standard)}</t:BaseOffset>"
        for offset in sorted(changes):  # standard time first, as the schema has it
            inner += _change("Daylight" if offset else "Standard", changes[offset], offset)
        return f'<t:MeetingTimeZone TimeZoneName="{escape(self.id)}">{inner}</t:MeetingTimeZone>'


def _bias(offset: int) -> str:
    """Return the minutes to add to local time to get UTC."""
    if not offset:
        return "PT0S"
    return f"{'-' if offset > 0 else ''}PT{abs(offset)}M"


def _periods(at: int, rules: Rules) -> str:
    rows = f'<t:Period Bias="{_bias(rules.standard)}" Name="Standard" Id="trule:{at}-Standard"/>'
    if rules.daylight is not None:
        rows += f'<t:Period Bias="{_bias(rules.daylight)}" Name="Daylight" Id="trule:{at}-Daylight"/>'
    return rows


def _group(at: int, rules: Rules) -> str:
    inner = "".join(
        _recurring(switch, f"trule:{at}-{'Standard' if after == rules.standard else 'Daylight'}")
        for switch, _, after in rules.switches()
    )
    plain = f'<t:Transition><t:To Kind="Period">trule:{at}-Standard</t:To></t:Transition>'
    return f'<t:TransitionsGroup Id="{at}">{inner or plain}</t:TransitionsGroup>'


def _recurring(switch: Switch, period: str) -> str:
    head = f'<t:To Kind="Period">{period}</t:To><t:TimeOffset>PT{switch.minutes}M</t:TimeOffset>'
    head += f"<t:Month>{switch.month}</t:Month>"
    if switch.day is not None:
        return f"<t:RecurringDateTransition>{head}<t:Day>{switch.day}</t:Day></t:RecurringDateTransition>"
    return (
        f"<t:RecurringDayTransition>{head}<t:DayOfWeek>{WEEKDAYS[switch.weekday]}</t:DayOfWeek>"
        f"<t:Occurrence>{switch.nth}</t:Occurrence></t:RecurringDayTransition>"
    )


def _change(tag: str, switch: Switch, offset: int) -> str:
    index = "Last" if switch.nth < 0 else ("First", "Second", "Third", "Fourth")[switch.nth - 1]
    hours, minutes = divmod(switch.minutes, 60)
    return (
        f"<t:{tag}><t:Offset>{_bias(offset)}</t:Offset><t:RelativeYearlyRecurrence>"
        f"<t:DaysOfWeek>{WEEKDAYS[switch.weekday]}</t:DaysOfWeek><t:DayOfWeekIndex>{index}</t:DayOfWeekIndex>"
        f"<t:Month>{MONTHS[switch.month - 1]}</t:Month></t:RelativeYearlyRecurrence>"
        f"<t:Time>{hours:02d}:{minutes:02d}:00</t:Time></t:{tag}>"
    )


def _europe(offset: int) -> Rules:
    """Return rules that change at 01:00 UTC on the last Sundays of March and October.

    Source: Directive 2000/84/EC.
    """
    return Rules(offset, offset + 60, Switch(3, 60 + offset), Switch(10, 120 + offset))


def _america(offset: int) -> Rules:
    """Return rules that change at 02:00 on the second Sunday of March and the first of November.

    Source: Energy Policy Act of 2005.
    """
    return Rules(offset, offset + 60, Switch(3, 120, nth=2), Switch(11, 120, nth=1))


_ROWS: tuple[tuple[str, str, Rules], ...] = (
    ("UTC", "(UTC) Coordinated Universal Time", Rules(0)),
    ("GMT Standard Time", "(UTC+00:00) Dublin, Edinburgh, Lisbon, London", _europe(0)),
    ("W. Europe Standard Time", "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", _europe(60)),
    ("Romance Standard Time", "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", _europe(60)),
    ("Central European Standard Time", "(UTC+01:00) Sarajevo, Skopje, Warsaw, Zagreb", _europe(60)),
    ("FLE Standard Time", "(UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius", _europe(120)),
    ("Eastern Standard Time", "(UTC-05:00) Eastern Time (US & Canada)", _america(-300)),
    ("Pacific Standard Time", "(UTC-08:00) Pacific Time (US & Canada)", _america(-480)),
    ("Newfoundland Standard Time", "(UTC-03:30) Newfoundland", _america(-210)),
    ("India Standard Time", "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", Rules(330)),
    ("Tokyo Standard Time", "(UTC+09:00) Osaka, Sapporo, Tokyo", Rules(540)),
    ("Arab Standard Time", "(UTC+03:00) Kuwait, Riyadh", Rules(180)),
    (
        "AUS Eastern Standard Time",
        "(UTC+10:00) Canberra, Melbourne, Sydney",
        Rules(600, 660, Switch(10, 120, nth=1), Switch(4, 180, nth=1)),
    ),
)
ZONES = {id_: Zone(id_, name, ((1, rules),)) for id_, name, rules in _ROWS}
"""The zones by Windows name; the rules of each have been the same since 2008."""

BERLIN, UTC_ZONE, NEW_YORK = ZONES["W. Europe Standard Time"], ZONES["UTC"], ZONES["Eastern Standard Time"]
PARIS, LONDON, TOKYO = (
    ZONES["Romance Standard Time"],
    ZONES["GMT Standard Time"],
    ZONES["Tokyo Standard Time"],
)
LOS_ANGELES, SYDNEY = ZONES["Pacific Standard Time"], ZONES["AUS Eastern Standard Time"]

ISLAND = Zone(
    CUSTOM, "Inselzeit", ((1, Rules(45, 105, Switch(2, 90, weekday=5, nth=3), Switch(11, 0, day=5))),)
)
"""Nobody's: 00:45 before UTC, summer time from the third Saturday of February to a fixed day."""
REFORMED = Zone(
    CUSTOM,
    "Ohne Umstellung seit 2025",
    ((1, Rules(120, 180, Switch(3, 180), Switch(10, 240))), (2025, Rules(180))),
)
"""Summer time until 2024, since then one time for all the year."""
