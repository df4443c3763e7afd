"""Recurring appointments: every pattern, every ending, and what was done to single occurrences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from practice.calendar.appointments import Changed, Event
from practice.calendar.event_desk import Make, at, foreign_goid, home, neighbour, person, timed, whole_days
from practice.calendar.series import (
    Daily,
    Monthly,
    MonthlyOn,
    Pattern,
    Recurrence,
    Weekly,
    Yearly,
    YearlyOn,
)
from practice.calendar.timezones import (
    BERLIN,
    ISLAND,
    LONDON,
    NEW_YORK,
    REFORMED,
    SYDNEY,
    TOKYO,
    UTC_ZONE,
    Zone,
)
from practice.mail.letters import Attachment
from practice.world.desk import Desk
from practice.world.records import Common

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
_REMINDED = Common(reminder=15, body="Wie jedes Mal.")
_BARE = Common()


def series(
    desk: Desk,
    subject: str,
    start: datetime,
    recurrence: Recurrence,
    zone: Zone | None = None,
    minutes: int = 60,
    base: Common = _BARE,
) -> Event:
    """start is its first occurrence."""
    return replace(timed(desk, subject, start, minutes, zone, base), recurrence=recurrence)


def _series(
    subject: str,
    start: datetime,
    pattern: Pattern,
    *,
    until: date | None = None,
    count: int | None = None,
    zone: Zone | None = None,
    minutes: int = 60,
) -> Make:
    recurrence = Recurrence(pattern, until, count)
    return lambda desk: series(desk, subject, start, recurrence, zone, minutes)


def _all_day(subject: str, day: date, pattern: Pattern, zone: Zone | None = None, days: int = 1) -> Make:
    return lambda desk: replace(
        whole_days(desk, subject, day, days, zone, _REMINDED), recurrence=Recurrence(pattern)
    )


def moved(event: Event, day: date, by: timedelta) -> Changed:
    """One occurrence at another time, and a word about it."""
    one = event.placed(day)
    base = replace(one.base, body="Verschoben.")
    return Changed(
        day, replace(one, base=base, start=one.start + by, end=one.end + by, recurrence=None, changed=())
    )


def renamed(event: Event, day: date, subject: str) -> Changed:
    one = event.placed(day)
    return Changed(day, replace(one, base=replace(one.base, subject=subject), recurrence=None, changed=()))


def _weekly(desk: Desk, subject: str = "Dienstbesprechung", base: Common = _REMINDED) -> Event:
    """Mondays at nine, from January 2026 on."""
    recurrence = Recurrence(Weekly((MON,)), until=date(2026, 12, 21))
    return series(desk, subject, at((2026, 1, 5)), recurrence, base=base)


def _exceptions(desk: Desk) -> Event:
    """Moved within the day, to another day, over the next one, over a change of clocks; renamed; deleted."""
    event = _weekly(desk)
    changed = (
        moved(event, date(2026, 1, 12), timedelta(hours=3)),
        moved(event, date(2026, 2, 2), timedelta(days=2)),
        moved(event, date(2026, 3, 23), timedelta(days=6, hours=1)),
        moved(event, date(2026, 3, 30), timedelta(days=-2)),
        renamed(event, date(2026, 4, 13), "Dienstbesprechung (mit Gästen; groß)"),
    )
    return replace(event, changed=changed, deleted=(date(2026, 4, 6), date(2026, 5, 25), date(2026, 12, 21)))


def _other_attendees(desk: Desk) -> Event:
    """One occurrence has other attendees, another answer, another room, and a file."""
    event = replace(_weekly(desk, "Teamrunde"), required=(person(neighbour(desk, 1), "Accept"),))
    one = event.placed(date(2026, 2, 9))
    file = Attachment("Gastvortrag.txt", "text/plain", b"Folien folgen.\r\n")
    special = replace(
        one,
        base=replace(one.base, attachments=(file,), sensitivity="Private", reminder=60),
        required=(person(neighbour(desk, 2), "Decline"),),
        optional=(person(neighbour(desk, 3)),),
        location="Saal 2",
        busy="OOF",
        recurrence=None,
    )
    return replace(event, changed=(Changed(one.start.date(), special),))


def _cancelled_occurrence(desk: Desk) -> Event:
    event = replace(_weekly(desk, "Teils abgesagt"), required=(person(neighbour(desk, 1), "Accept"),))
    one = replace(event.placed(date(2026, 3, 2)), cancelled=True, recurrence=None)
    named = replace(one, base=replace(one.base, subject="Abgesagt: Teils abgesagt"), busy="Free")
    return replace(event, changed=(Changed(date(2026, 3, 2), named),))


def _first_and_last(desk: Desk) -> Event:
    """The first occurrence was deleted, the last one moved beyond the end."""
    event = series(desk, "Fünf Abende", at((2026, 2, 3), 18), Recurrence(Weekly((TUE,)), count=5))
    return replace(
        event,
        changed=(moved(event, date(2026, 3, 3), timedelta(days=9)),),
        deleted=(date(2026, 2, 3),),
    )


def _now_all_day(desk: Desk) -> Event:
    """One occurrence became an all-day event, one begins before the series does."""
    event = series(desk, "Werkstatt", at((2026, 5, 5), 14), Recurrence(Weekly((TUE,)), count=8))
    long = replace(
        event.placed(date(2026, 5, 19)), start=at((2026, 5, 19), 0), end=at((2026, 5, 20), 0), recurrence=None
    )
    early = moved(event, date(2026, 5, 12), timedelta(days=-14))
    return replace(event, changed=(early, Changed(date(2026, 5, 19), replace(long, all_day=True))))


def _other_zone(desk: Desk) -> Event:
    """One occurrence was moved by somebody who travelled: its zone is another than the series'."""
    event = series(desk, "Jour fixe", at((2026, 6, 4), 15), Recurrence(Weekly((THU,)), count=6), BERLIN)
    one = replace(
        event.placed(date(2026, 6, 18)),
        start=at((2026, 6, 18), 8, 30),
        end=at((2026, 6, 18), 9, 30),
        zone=NEW_YORK,
        recurrence=None,
    )
    return replace(event, changed=(Changed(date(2026, 6, 18), one),))


def _many(desk: Desk) -> Event:
    """A hundred days, every fifth of them deleted or moved."""
    event = series(desk, "Probe", at((2026, 1, 1), 19), Recurrence(Daily(), count=100), home(desk), 90)
    days = list(event.days())
    changed = tuple(moved(event, day, timedelta(hours=1)) for day in days[4::10])
    return replace(event, changed=changed, deleted=tuple(days[9::10]))


def _foreign(desk: Desk) -> Event:
    uid = foreign_goid(f"{desk.dice('uid').hex(12)}@liste.example")
    return replace(_weekly(desk, "Verein"), uid=uid, deleted=(date(2026, 7, 6),))


def _old_zone(desk: Desk) -> Event:
    event = series(desk, "Seit 2006", at((2019, 3, 4), 8), Recurrence(Weekly((MON,)), count=30), BERLIN)
    return replace(event, old_zone=True)


def _private(desk: Desk) -> Event:
    base = Common(sensitivity="Private", reminder=30, categories=("Familie, privat",))
    return series(desk, "Klavierstunde", at((2026, 1, 8), 17), Recurrence(Weekly((THU,))), base=base)


ODD: Mapping[str, Make] = {
    "daily": _series("Täglich", at((2026, 3, 25)), Daily(), count=10),
    "every_third_day": _series("Gießen", at((2026, 1, 30), 7), Daily(3), until=date(2026, 4, 30), minutes=10),
    "working_days": _series("Stand-up", at((2026, 2, 2), 9, 15), Weekly((MON, TUE, WED, THU, FRI)), count=60),
    "weekly_days": _series("Sport", at((2026, 1, 6), 18), Weekly((TUE, THU, SUN)), until=date(2026, 6, 30)),
    "fortnightly_from_monday": _series(
        "Alle zwei Wochen (Mo)", at((2026, 1, 6), 10), Weekly((TUE, SUN), 2, MON), count=12),
    "fortnightly_from_sunday": _series(
        "Alle zwei Wochen (So)", at((2026, 1, 6), 10), Weekly((TUE, SUN), 2, SUN), count=12),
    "third_week_from_saturday": _series(
        "Alle drei Wochen (Sa)", at((2026, 1, 3), 10), Weekly((SAT, MON), 3, SAT), until=date(2026, 12, 31)),
    "monthly": _series("Rechnung", at((2026, 1, 15), 8), Monthly(15)),
    "monthly_29": _series("Am 29.", at((2025, 1, 29), 8), Monthly(29), until=date(2028, 12, 31)),
    "monthly_30": _series("Am 30.", at((2025, 1, 30), 8), Monthly(30), count=26),
    "monthly_31": _series("Am 31.", at((2025, 1, 31), 8), Monthly(31)),
    "quarterly_31": _series("Quartalsende", at((2025, 3, 31), 16), Monthly(31, 3)),
    "first_monday": _series("Erster Montag", at((2026, 1, 5), 19), MonthlyOn("Monday", "First")),
    "last_friday": _series("Letzter Freitag", at((2026, 1, 30), 15), MonthlyOn("Friday", "Last"), count=20),
    "fourth_weekday": _series("Werktag 4", at((2026, 1, 6), 9), MonthlyOn("Weekday", "Fourth"), count=14),
    "last_weekday": _series("Letzter Werktag", at((2026, 1, 30), 9), MonthlyOn("Weekday", "Last")),
    "second_weekend_day": _series(
        "Zweiter Wochenendtag", at((2026, 1, 4), 9), MonthlyOn("WeekendDay", "Second"), count=9),
    "last_weekend_day": _series("Flohmarkt", at((2026, 1, 31), 9), MonthlyOn("WeekendDay", "Last", 2)),
    "third_day": _series("Am 3.", at((2026, 1, 3), 9), MonthlyOn("Day", "Third"), until=date(2026, 9, 9)),
    "last_day": _series("Letzter Tag", at((2026, 1, 31), 23), MonthlyOn("Day", "Last"), minutes=30),
    "yearly": _all_day("Geburtstag Käthe", date(1971, 6, 30), Yearly(30, 6)),
    "leap_day": _all_day("Schalttag", date(2020, 2, 29), Yearly(29, 2)),
    "yearly_numbered": _series("Jubiläum", at((2022, 9, 1), 11), Yearly(1, 9), count=6),
    "last_thursday_of_november": _series("Danksagung", at((2023, 11, 30)), YearlyOn("Thursday", "Last", 11)),
    "last_day_of_february": _series("Februarende", at((2023, 2, 28)), YearlyOn("Day", "Last", 2)),
    "first_weekend_day_of_may": _series("Mai", at((2023, 5, 6)), YearlyOn("WeekendDay", "First", 5), count=5),
    "all_day_weekly": _all_day("Markttag", date(2026, 1, 10), Weekly((SAT,))),
    "all_day_tokyo": _all_day("In Tokio, alle Tage", date(2026, 4, 1), Weekly((WED,)), TOKYO),
    "all_day_weekend": _all_day("Wochenenddienst", date(2026, 1, 3), Weekly((SAT,), 4), days=2),
    "spring_gap": _series("Täglich 02:30", at((2026, 3, 26), 2, 30), Daily(), count=8, zone=BERLIN),
    "autumn_fold": _series("Nachts", at((2026, 10, 22), 2, 30), Daily(), count=8, zone=BERLIN, minutes=20),
    "night_shift": _series("Nachts", at((2026, 10, 20), 22), Daily(), count=10, zone=BERLIN, minutes=480),
    "new_york": _series("Weekly sync", at((2026, 3, 2), 9), Weekly((MON,)), count=40, zone=NEW_YORK),
    "sydney": _series("Aurora call", at((2026, 3, 5), 8), Weekly((THU,)), count=40, zone=SYDNEY),
    "london": _series("Call", at((2026, 3, 6), 16), Weekly((FRI,)), until=date(2026, 11, 30), zone=LONDON),
    "utc": _series("Wartungsfenster", at((2026, 3, 7), 2), Weekly((SAT,)), count=40, zone=UTC_ZONE),
    "tokyo": _series("定例会議", at((2026, 3, 3), 10), Weekly((TUE,)), count=40, zone=TOKYO),
    "custom_zone": _series("Inselrat", at((2026, 1, 7), 1, 15), Weekly((WED, SAT)), count=60, zone=ISLAND),
    "reformed_zone": _series("Seit der Reform", at((2024, 9, 2), 9), Weekly((MON,)), count=30, zone=REFORMED),
    "once": _series("Nur einmal", at((2026, 6, 6), 9), Weekly((SAT,)), count=1),
    "ends_on_start": _series("Endet sofort", at((2026, 6, 7), 9), Daily(), until=date(2026, 6, 7)),
    "exceptions": _exceptions,
    "other_attendees": _other_attendees,
    "cancelled_occurrence": _cancelled_occurrence,
    "first_and_last": _first_and_last,
    "now_all_day": _now_all_day,
    "other_zone": _other_zone,
    "many": _many,
    "foreign_series": _foreign,
    "old_zone": _old_zone,
    "private": _private,
}  # fmt: skip
"""Series by name."""
