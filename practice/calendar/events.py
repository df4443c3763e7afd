"""Make a mailbox's events: its oddities, what it shares with its neighbours, and weeks of work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from practice.calendar.appointments import Answer, Event
from practice.calendar.event_desk import GOID, Make, at, home, neighbour, person, timed
from practice.calendar.icalendar_case import icalendar
from practice.calendar.series import Recurrence, Weekly
from practice.calendar.timezones import BERLIN
from practice.harness.dice import Dice
from practice.world.case_records import event
from practice.world.cases import made_of
from practice.world.desk import NEIGHBOURS, SAMPLE, Desk, share
from practice.world.records import Common

ODDITIES: Mapping[str, Make] = made_of("events", event, {}, SAMPLE, forms={".ics": icalendar})
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
_ANSWERED = datetime(2026, 3, 2, 7, 15, tzinfo=UTC)
_ANSWERS: tuple[Answer, ...] = ("Accept", "Tentative", "Decline", "NoResponseReceived")
_INVITED = Common(reminder=15, body="Bitte um Rückmeldung.", html=False)
_CATEGORIES = ((), (), (), (), ("Rote Kategorie",), ("Blaue Kategorie", "Haushalt 2025/26"))


def sample_events(seed: int, index: int, count: int, odd: bool = True) -> list[Event]:
    """Return `count` events of a mailbox, its oddities first."""
    made = list(_odd(seed, index))[:count] if odd else []
    return made + [_ordinary(Desk(seed, index, f"event/{n}"), n) for n in range(count - len(made))]


def _odd(seed: int, index: int) -> Iterator[Event]:
    due = share(seed, index, "event", ODDITIES)
    yield from common_meetings(seed, index)
    for name in due:
        yield ODDITIES[name](Desk(seed, index, f"event/{name}"))


def second_calendar(seed: int, index: int) -> list[Event]:
    """Return what else lies in the second calendar: the twin of an item of the first, under the same UID."""
    if "twin_uid" not in share(seed, index, "event", ODDITIES):
        return []
    twin = ODDITIES["twin_uid"](Desk(seed, index, "event/twin"))
    return [replace(twin, base=replace(twin.base, subject="In zwei Kalendern (hier anders)"))]


def common_meetings(seed: int, index: int) -> list[Event]:
    """Return what the five of a block have in common, under one UID in all their calendars.

    The first of them invited, the others answered as they like.
    """
    return [_common(Desk(seed, index, f"event/common/{n}"), n) for n in range(2)]


def _common(desk: Desk, n: int) -> Event:
    block = desk.index // NEIGHBOURS * NEIGHBOURS
    boss = desk.person(block)
    others = [desk.person(block + step) for step in range(1, NEIGHBOURS)]
    answers = [Dice(desk.seed, block, n, one.index).pick(_ANSWERS) for one in others]
    mine = desk.index == block
    required = tuple(
        person(one, answer, _ANSWERED if mine and answer in _ANSWERS[:3] else None) if mine else person(one)
        for one, answer in zip(others, answers, strict=True)
    )
    event = timed(
        desk, ("Klausurtagung", "Montagsrunde")[n], at((2026, 10, 5 + n * 7), 9), zone=BERLIN, base=_INVITED
    )
    event = replace(
        event,
        uid=f"{GOID}{Dice(desk.seed, block, 'common', n).hex(80).upper()}",
        required=required,
        organizer=None if mine else person(boss, "Organizer"),
        answer="Organizer" if mine else answers[desk.index - block - 1],
        location="Rathaus, Saal 1",
    )
    return replace(event, recurrence=Recurrence(Weekly((0,)), count=20)) if n else event


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
        return _ordinary_meeting(desk, subject, start, dice.between(1, NEIGHBOURS - 1))
    base = Common(body=f"{subject}\r\n", reminder=15 if kind < 7 else None, categories=dice.pick(_CATEGORIES))
    event = timed(desk, subject, start, dice.pick((15, 30, 60, 90)), home(desk), base)
    return replace(event, location=dice.pick(("", "Zimmer 12", "Rathaus")))


def _ordinary_meeting(desk: Desk, subject: str, start: datetime, guests: int) -> Event:
    """Return a meeting by the owner, in the owner's zone, with some of the neighbours."""
    dice = desk.dice("answers")
    required = tuple(person(neighbour(desk, step), dice.pick(_ANSWERS)) for step in range(1, guests + 1))
    return replace(timed(desk, subject, start, 60, home(desk), _INVITED), required=required)


def _weekly(desk: Desk, subject: str, start: datetime) -> Event:
    recurrence = Recurrence(Weekly((start.weekday(),)), count=desk.dice("count").between(3, 40))
    return replace(timed(desk, subject, start), recurrence=recurrence)
