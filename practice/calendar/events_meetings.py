"""Meetings: who invited whom, and who answered what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from practice.calendar.appointments import Answer, Changed, Event, Party
from practice.calendar.event_desk import (
    GOID,
    Make,
    at,
    by_dn,
    home,
    imceaex,
    left,
    neighbour,
    outsider,
    person,
    room,
    timed,
)
from practice.calendar.events_series import MON, WED, moved
from practice.calendar.series import Recurrence, Weekly
from practice.calendar.timezones import BERLIN
from practice.harness.dice import Dice
from practice.world.desk import NEIGHBOURS, Desk
from practice.world.records import Common

_ANSWERED = datetime(2026, 3, 2, 7, 15, tzinfo=UTC)
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_ANSWERS: tuple[Answer, ...] = ("Accept", "Tentative", "Decline", "NoResponseReceived")
_INVITED = Common(reminder=15, body="Bitte um Rückmeldung.", html=False)


def _organised(desk: Desk, subject: str = "Abstimmung", start: datetime | None = None) -> Event:
    """By the owner, with every answer there is."""
    required = tuple(
        person(neighbour(desk, step), answer, _ANSWERED if answer in _ANSWERS[:3] else None)
        for step, answer in enumerate(_ANSWERS, 1)
    )
    optional = (outsider("Łukasz Żółć", "lukasz@biuro.example", "Unknown", _NEVER),)
    event = timed(desk, subject, start or at((2026, 9, 15), 10), base=_INVITED)
    return replace(event, required=required, optional=optional, location="Ratssaal", sequence=1)


def _rooms(desk: Desk) -> Event:
    event = _organised(desk, "Mit Räumen und Beamer", at((2026, 9, 16), 10))
    resources = (room("Ratssaal"), room("Beamer 3", "Decline"), room("Dienstwagen", "Tentative"))
    return replace(event, resources=resources)


def _only_room(desk: Desk) -> Event:
    return replace(timed(desk, "Nur ein Raum", at((2026, 9, 17), 8)), resources=(room("Büro 12"),))


def _invited(desk: Desk, subject: str, answer: Answer, start: datetime) -> Event:
    """By a colleague; the owner's copy knows the owner's answer alone."""
    event = timed(desk, subject, start, base=_INVITED)
    required = (person(desk.owner), person(neighbour(desk, 2)))
    return replace(
        event,
        organizer=person(neighbour(desk, 1), "Organizer"),
        required=required,
        answer=answer,
        busy="Tentative" if answer in ("Tentative", "NoResponseReceived") else "Busy",
    )


def _by(subject: str, answer: Answer, day: int) -> Make:
    return lambda desk: _invited(desk, subject, answer, at((2026, 9, day), 14))


def _from_outside(desk: Desk) -> Event:
    event = _invited(desk, "Ortstermin", "Accept", at((2026, 9, 25), 9))
    uid = f"{desk.dice('uid').hex(20)}@stadtwerke.example"
    return replace(event, organizer=outsider("Stadtwerke Kiel", "service@stadtwerke.example"), uid=uid)


def _legacy(desk: Desk) -> Event:
    """Colleagues as legacyExchangeDN and as IMCEAEX, one who has left, one without any address."""
    event = _organised(desk, "Alte Adressen", at((2026, 9, 18), 11))
    gone = left(desk)
    attendees = (
        by_dn(neighbour(desk, 1), "Accept"),
        imceaex(neighbour(desk, 2), "Tentative"),
        by_dn(gone),
        imceaex(gone),
        Party("Ohne Adresse", ""),
        Party("team@practice.example", "team@practice.example", kind="PublicDL"),
    )
    return replace(event, required=attendees, optional=())


def _legacy_organizer(desk: Desk) -> Event:
    event = _invited(desk, "Vom Vorgänger", "Accept", at((2022, 5, 4), 9))
    return replace(event, organizer=by_dn(left(desk)))


def _odd_names(desk: Desk) -> Event:
    event = _organised(desk, "Namen", at((2026, 9, 21), 11))
    attendees = (
        outsider('Dr. "Fritz" Ahlers; RA, Notar', "ahlers@kanzlei.example", "Accept", _ANSWERED),
        outsider("山田 太郎", "yamada@tokyo.example", "Tentative", _ANSWERED),
        outsider("O'Neill^Smith", "O'Neill+tag@Mixed.Example"),
        outsider("", "namenlos@liste.example"),
        person(neighbour(desk, 1), "Accept"),
        person(neighbour(desk, 1), "Decline"),
        person(desk.owner, "Organizer"),
    )
    return replace(event, required=attendees)


def _cancelled(desk: Desk) -> Event:
    event = _invited(desk, "Abgesagt: Klausur", "Accept", at((2026, 9, 28), 9))
    return replace(event, cancelled=True, busy="Free", sequence=2)


def _cancelled_by_owner(desk: Desk) -> Event:
    event = _organised(desk, "Abgesagt: Runde", at((2026, 9, 29), 9))
    return replace(event, cancelled=True, busy="Free", sequence=3)


def _past(desk: Desk) -> Event:
    return _organised(desk, "Längst vorbei", at((2021, 4, 20), 13))


def _private(desk: Desk) -> Event:
    event = _organised(desk, "Vertraulich, mit Gästen", at((2026, 9, 30), 9))
    return replace(event, base=replace(event.base, sensitivity="Confidential", importance="High"))


def _teams(desk: Desk) -> Event:
    link = "https://teams.practice.example/l/meetup-join/19%3ameeting_YmFy%40thread.v2/0"
    return replace(_organised(desk, "Hybrid", at((2026, 9, 24), 9)), online=link)


def _crowd(desk: Desk) -> Event:
    guests = tuple(outsider(f"Gast {n:03d}", f"gast{n}@messe.example") for n in range(250))
    return replace(_organised(desk, "Bürgerversammlung", at((2026, 11, 2), 18)), optional=guests)


def _series(desk: Desk) -> Event:
    """Organised by the owner; an attendee declined one occurrence."""
    event = _organised(desk, "Serie mit Antworten", at((2026, 1, 7), 11))
    event = replace(event, recurrence=Recurrence(Weekly((WED,)), until=date(2026, 10, 28)))
    one = event.placed(date(2026, 5, 6))
    answers = (replace(one.required[0], answer="Decline", replied=_ANSWERED), *one.required[1:])
    special = replace(one, required=answers, recurrence=None)
    shifted = moved(event, date(2026, 5, 20), timedelta(hours=2))
    changed = (Changed(date(2026, 5, 6), special), shifted)
    return replace(event, changed=changed, deleted=(date(2026, 8, 5),))


def _invited_series(desk: Desk) -> Event:
    """By a colleague; the owner declined one occurrence."""
    event = _invited(desk, "Eingeladen zur Serie", "Accept", at((2026, 1, 7), 13))
    event = replace(event, recurrence=Recurrence(Weekly((WED,)), count=30))
    one = replace(event.placed(date(2026, 6, 3)), answer="Decline", busy="Free", recurrence=None)
    return replace(event, changed=(Changed(date(2026, 6, 3), one),))


def common_meetings(seed: int, index: int) -> list[Event]:
    """What the five of a block have in common, under one UID in all their calendars: the first of them
    invited, the others answered as they like."""
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
    return replace(event, recurrence=Recurrence(Weekly((MON,)), count=20)) if n else event


ODD: Mapping[str, Make] = {
    "organised": _organised,
    "rooms": _rooms,
    "only_room": _only_room,
    "accepted": _by("Zugesagt", "Accept", 1),
    "tentative": _by("Mit Vorbehalt", "Tentative", 2),
    "declined": _by("Abgelehnt, behalten", "Decline", 3),
    "unanswered": _by("Noch offen", "NoResponseReceived", 4),
    "from_outside": _from_outside,
    "legacy": _legacy,
    "legacy_organizer": _legacy_organizer,
    "odd_names": _odd_names,
    "cancelled": _cancelled,
    "cancelled_by_owner": _cancelled_by_owner,
    "past": _past,
    "private": _private,
    "teams": _teams,
    "crowd": _crowd,
    "series": _series,
    "invited_series": _invited_series,
}
"""Meetings by name."""


def ordinary_meeting(desk: Desk, subject: str, start: datetime, guests: int) -> Event:
    """By the owner, in the owner's zone, with some of the neighbours."""
    dice = desk.dice("answers")
    required = tuple(person(neighbour(desk, step), dice.pick(_ANSWERS)) for step in range(1, guests + 1))
    return replace(timed(desk, subject, start, 60, home(desk), _INVITED), required=required)
