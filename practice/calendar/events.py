"""The events of a mailbox: the oddities due to it, what it has in common with its neighbours, and ordinary
weeks of work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from practice.calendar import events_meetings, events_plain, events_series
from practice.calendar.appointments import Event
from practice.calendar.event_desk import Make, at, home, timed
from practice.calendar.events_meetings import common_meetings, ordinary_meeting
from practice.calendar.events_series import series
from practice.calendar.series import Recurrence, Weekly
from practice.world.desk import NEIGHBOURS, Desk, share
from practice.world.records import Common

ODDITIES: Mapping[str, Make] = {
    **events_plain.ODD,
    **{f"series_{name}": make for name, make in events_series.ODD.items()},
    **{f"meeting_{name}": make for name, make in events_meetings.ODD.items()},
}
"""Every odd event by name; between them, five neighbouring mailboxes hold all."""
_FIRST, _DAYS = date(2022, 1, 3), 5 * 365
_SUBJECTS = {
    "de": (
        "Bauausschuss",
        "Rücksprache",
        "Personalrat",
        "Zahnarzt",
        "Telefonat Müller",
        "Vorbereitung",
        "Urlaub",
    ),
    "fr": ("Réunion d'équipe", "Point budget", "Déjeuner", "Entretien", "Congés", "Préparation"),
    "en": ("Catch-up", "Planning", "Lunch", "Interview", "Review", "Dentist"),
}
_CATEGORIES = ((), (), (), (), ("Rote Kategorie",), ("Blaue Kategorie", "Haushalt 2025/26"))


def sample_events(seed: int, index: int, count: int, odd: bool = True) -> list[Event]:
    """count events of mailbox number index, the oddities due to it first."""
    made = list(_odd(seed, index))[:count] if odd else []
    return made + [_ordinary(Desk(seed, index, f"event/{n}"), n) for n in range(count - len(made))]


def _odd(seed: int, index: int) -> Iterator[Event]:
    due = share(seed, index, "event", ODDITIES)
    yield from common_meetings(seed, index)
    for name in due:
        yield ODDITIES[name](Desk(seed, index, f"event/{name}"))


def second_calendar(seed: int, index: int) -> list[Event]:
    """What lies in the second calendar besides: the twin of an item of the first, under the same UID."""
    if "twin_uid" not in share(seed, index, "event", ODDITIES):
        return []
    return [events_plain.twin(Desk(seed, index, "event/twin"), "In zwei Kalendern (hier anders)")]


def _ordinary(desk: Desk, n: int) -> Event:
    """Mostly single appointments, some meetings, a few weekly series."""
    dice = desk.dice("ordinary")
    day = _FIRST + timedelta(days=dice.below(_DAYS))
    start = at(day - timedelta(days=max(day.weekday() - 4, 0)), dice.between(8, 16), dice.pick((0, 15, 30)))
    subject = f"{dice.pick(_SUBJECTS[desk.owner.locale])} {n}"
    kind = dice.below(10)
    if kind == 0:
        return _weekly(desk, subject, start)
    if kind < 3:
        return ordinary_meeting(desk, subject, start, dice.between(1, NEIGHBOURS - 1))
    base = Common(body=f"{subject}\r\n", reminder=15 if kind < 7 else None, categories=dice.pick(_CATEGORIES))
    event = timed(desk, subject, start, dice.pick((15, 30, 60, 90)), home(desk), base)
    return replace(event, location=dice.pick(("", "Zimmer 12", "Rathaus")))


def _weekly(desk: Desk, subject: str, start: datetime) -> Event:
    recurrence = Recurrence(Weekly((start.weekday(),)), count=desk.dice("count").between(3, 40))
    return series(desk, subject, start, recurrence)
