"""A task list: this mailbox's share of the oddities, and ordinary tasks around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

from practice.mail.letters import Attachment
from practice.mail.letters_text import text
from practice.world.chores import Chore, Delegation, Repeat, Status, local_days, moments
from practice.world.desk import Desk, share
from practice.world.record_elements import COMMON, at_midnight, named, public
from practice.world.records import Common, Record, Sensitivity

Make = Callable[[Desk], Chore]
MONDAY = date(2026, 9, 7)
DUE = datetime(2026, 9, 7, tzinfo=UTC)
_PDF = Attachment("Antrag.pdf", "application/pdf", b"%PDF-1.4\n%%EOF\n")
_MAIL = b"From: ute@firma.example\r\nSubject: Bitte erledigen\r\nMIME-Version: 1.0\r\n\r\nBis Montag.\r\n"


def _plainly(desk: Desk) -> Chore:
    return Chore(desk.key, Common(subject="Bericht schreiben"), due=DUE)


def _in(status: Status, percent: float) -> Make:
    done = DUE - timedelta(days=3) if status == "Completed" else None
    return lambda desk: replace(
        _plainly(desk), status=status, percent=percent, completed=done, start=DUE - timedelta(days=7)
    )


def _said(common: Common) -> Make:
    return lambda desk: replace(_plainly(desk), common=common)


def _hidden(sensitivity: Sensitivity) -> Make:
    return _said(Common(subject="Gespräch vorbereiten", body="geheim", sensitivity=sensitivity))


def _on(start: datetime | None, due: datetime | None, completed: datetime | None = None) -> Make:
    status: Status = "Completed" if completed else "NotStarted"
    return lambda desk: replace(
        _plainly(desk),
        start=start,
        due=due,
        completed=completed,
        status=status,
        percent=100 * bool(completed),
    )


def _of_zone(hours: float, day: date = date(2026, 7, 14)) -> Make:
    """Midnight of a zone that is ahead of UTC by so many hours; the day meant is in the properties."""
    moment = at_midnight(day.year, day.month, day.day, hours)
    kept = local_days(day, day) + moments(moment, moment)
    common = Common(subject=f"Mitternacht bei {hours:+g} h", properties=kept)
    return lambda desk: Chore(desk.key, common, start=moment, due=moment)


def _again(repeat: Repeat, status: Status = "NotStarted") -> Make:
    start = datetime(repeat.start.year, repeat.start.month, repeat.start.day, tzinfo=UTC)
    done = start if status == "Completed" else None
    common = Common(subject=f"Immer wieder: {repeat.frequency}")
    return lambda desk: Chore(
        desk.key, common, start=start, due=start, repeat=repeat, status=status, completed=done,
        percent=100 * bool(done),
    )  # fmt: skip


def _delegated(state: Delegation, owner: str | None, team: bool = False) -> Make:
    return lambda desk: Chore(
        desk.key,
        Common(subject="Übertragen: Inventur"),
        due=DUE,
        delegation=state,
        delegator=desk.colleague.name,
        owner=owner,
        assigned=DUE - timedelta(days=30),
        team=team,
        changes=4,
    )


def _reminded(at: datetime | None, minutes: int = 0) -> Make:
    """Reminders of tasks are moments; minutes other than 0 are what some clients leave there."""
    signal = () if at is None else (named(COMMON, 0x8502, at), named(COMMON, 0x8560, at))
    common = Common(subject="Mit Erinnerung", reminder=minutes, due=at, properties=signal)
    return lambda desk: replace(_plainly(desk), common=common)


def _everything(desk: Desk) -> Chore:
    return Chore(
        desk.key,
        Common(
            subject="Messestand; Aufbau, Abbau \\ Rückfahrt",
            body="Erste Zeile\r\n\r\nLetzte Zeile",
            importance="High",
            categories=("Rote Kategorie", "Messe 2026"),
            attachments=(_PDF, Attachment("Bitte erledigen", "message/rfc822", _MAIL, item_class="IPM.Note")),
            reminder=0,
            due=DUE + timedelta(hours=8),
            properties=(*local_days(MONDAY, MONDAY), public("Kostenstelle", "4711")),
        ),
        status="InProgress",
        percent=37.5,
        start=DUE - timedelta(days=7),
        due=DUE,
        owner="Lüders, Wiebke",
        total_work=2880,
        actual_work=1075,
        billing="Projekt 12; netto",
        mileage="348 km",
        companies=("Werft", "Messe GmbH"),
        contacts=("Wiebke Lüders", "山田 太郎"),
        changes=17,
    )


_LAST = date(2026, 12, 31)
_RULES = {
    "daily": Repeat("Daily", MONDAY, 10, interval=3),
    "weekly": Repeat("Weekly", MONDAY, _LAST, 2, days="Monday Wednesday Friday"),
    "weekly_from_sunday": Repeat("Weekly", MONDAY, None, 2, days="Sunday Tuesday", week_start="Sunday"),
    "monthly_15": Repeat("AbsoluteMonthly", date(2026, 9, 15), None, day=15, zone="Z"),
    "monthly_31": Repeat("AbsoluteMonthly", date(2026, 8, 31), 12, day=31),
    "monthly_last_weekday": Repeat("RelativeMonthly", date(2026, 9, 30), None, days="Weekday", index="Last"),
    "monthly_second_tuesday": Repeat(
        "RelativeMonthly", date(2026, 9, 8), 5, 3, days="Tuesday", index="Second"
    ),
    "monthly_weekend": Repeat("RelativeMonthly", date(2026, 9, 5), _LAST, days="WeekendDay", index="First"),
    "monthly_fourth_day": Repeat("RelativeMonthly", date(2026, 9, 4), 4, days="Day", index="Fourth"),
    "yearly": Repeat("AbsoluteYearly", date(2026, 10, 3), None, day=3, month="October", zone="+02:00"),
    "yearly_leap_day": Repeat("AbsoluteYearly", date(2024, 2, 29), 8, day=29, month="February"),
    "yearly_relative": Repeat(
        "RelativeYearly", date(2026, 11, 26), None, days="Thursday", index="Fourth", month="November"
    ),
    "regenerating_daily": Repeat("DailyRegeneration", MONDAY, None, 2),
    "regenerating_weekly": Repeat("WeeklyRegeneration", MONDAY, 6, 1),
    "regenerating_monthly": Repeat("MonthlyRegeneration", MONDAY, _LAST, 3),
    "regenerating_yearly": Repeat("YearlyRegeneration", MONDAY, None, 1),
}


def _repeats() -> Iterator[tuple[str, Make]]:
    for name, rule in _RULES.items():
        yield name, _again(rule)
    monday = at_midnight(2026, 9, 7, 2)
    weekly = _again(Repeat("Weekly", MONDAY, None))
    yield "weekly_of_berlin", lambda desk: replace(weekly(desk), start=monday, due=monday)
    yield "weekly_due_only", lambda desk: replace(weekly(desk), start=None)
    yield (
        "weekly_under_way",
        lambda desk: replace(weekly(desk), start=None, due=DUE + timedelta(days=70), changes=11),
    )
    yield "series_done", _again(Repeat("Weekly", MONDAY, 3), "Completed")


ODDITIES: dict[str, Make] = {
    "everything": _everything,
    "not_started": _in("NotStarted", 0),
    "in_progress": _in("InProgress", 50),
    "completed": _in("Completed", 100),
    "waiting": _in("WaitingOnOthers", 25),
    "deferred": _in("Deferred", 0),
    "fraction_of_a_percent": _in("InProgress", 12.5),
    "all_but_complete": _in("InProgress", 100),
    "completed_by_half": _in("Completed", 50),
    "no_days": _on(None, None),
    "start_only": _on(DUE, None),
    "start_after_due": _on(DUE + timedelta(days=9), DUE),
    "completed_before_start": _on(DUE, DUE, DUE - timedelta(days=400)),
    "completed_undated": lambda desk: replace(_plainly(desk), status="Completed", percent=100),
    "due_on_leap_day": _on(None, datetime(2028, 2, 29, tzinfo=UTC)),
    "due_before_1970": _on(None, datetime(1969, 12, 31, tzinfo=UTC)),
    "no_day_of_outlook": _on(datetime(4501, 1, 1, tzinfo=UTC), datetime(4501, 1, 1, tzinfo=UTC)),
    "with_a_time": _on(DUE + timedelta(hours=9), DUE + timedelta(hours=17, minutes=30)),
    "with_offset": _on(None, datetime(2026, 9, 7, tzinfo=timezone(timedelta(hours=2)))),
    "of_berlin": _of_zone(2),
    "of_berlin_in_winter": _of_zone(1, date(2026, 1, 14)),
    "of_berlin_at_the_change": _of_zone(1, date(2026, 3, 29)),
    "of_seattle": _of_zone(-7),
    "of_kathmandu": _of_zone(5.75),
    "of_kiritimati": _of_zone(14),
    "delegated": _delegated("Owned", "Petersen, Hans"),
    "delegated_new": _delegated("OwnNew", None),
    "delegated_accepted": _delegated("Accepted", "Petersen, Hans", team=True),
    "delegated_declined": _delegated("Declined", "Petersen, Hans"),
    "undelegated": _delegated("NoMatch", None),
    "reminder": _reminded(DUE + timedelta(hours=7)),
    "reminder_long_past": _reminded(datetime(2014, 5, 1, 7, tzinfo=UTC)),
    "reminder_in_minutes": _reminded(DUE, 15),
    "reminder_without_moment": _reminded(None),
    "private": _hidden("Private"),
    "personal": _hidden("Personal"),
    "confidential": _hidden("Confidential"),
    "low": _said(Common(subject="Unwichtig", importance="Low", categories=("A, B; C", "📌", " am Rand "))),
    "nameless": _said(Common(body="Nur Text")),
    "lines_in_the_subject": _said(Common(subject="Erste\r\nZweite\tDritte; \\n, Ende")),
    "long_subject": _said(Common(subject="Aufgabe " * 31)),
    "html": _said(
        Common(subject="HTML", body="<html><body><p>Ä <b>fett</b> &lt;x&gt;</p></body></html>", html=True)
    ),
    "scripts": _said(Common(subject="買い物 ברכה 👩\u200d🚒", body="牛乳\nnur LF\r\nEND:VTODO\r\n")),
    "attached": _said(Common(subject="Mit Anlage", attachments=(_PDF,))),
    "work": lambda desk: replace(_plainly(desk), total_work=0, actual_work=100_000),
    "long": lambda desk: Chore(desk.key, Common(subject="Lang", body=text("de", desk.dice("text"), 40_000))),
    "of_own_class": lambda desk: replace(_plainly(desk), item_class="IPM.Task.Ticket"),
    "twin_a": lambda desk: replace(_plainly(desk), status="Deferred"),
    "twin_b": lambda desk: replace(_plainly(desk), status="Deferred"),
} | dict(_repeats())
"""Every odd task by name; between them, five neighbouring mailboxes hold all."""


def sample_chores(seed: int, index: int, count: int, *, odd: bool = True) -> list[Record]:
    """count tasks of mailbox number index, the oddities due to it first, unless not odd."""
    names = share(seed, index, "chore", ODDITIES) if odd else []
    made = [ODDITIES[name](Desk(seed, index, f"chore/{name}")) for name in names]
    made += [_ordinary(Desk(seed, index, f"chore/{n}")) for n in range(count - len(made))]
    return [_finished(seed, index, chore) for chore in made[:count]]


def _ordinary(desk: Desk) -> Chore:
    dice = desk.dice("chore")
    words = dice.pick(("Rechnung prüfen", "Akte anlegen", "Protokoll", "Rückruf", "Haushalt planen"))
    due = DUE + timedelta(days=dice.between(-900, 300))
    done = dice.chance(0.4)
    return Chore(
        desk.key,
        Common(subject=f"{words} {dice.between(1, 9999)}"),
        due=due if dice.chance(0.8) else None,
        status="Completed" if done else "NotStarted",
        percent=100 if done else 0,
        completed=min(due, DUE) if done else None,
    )


def _finished(seed: int, index: int, chore: Chore) -> Chore:
    return replace(chore, common=Desk(seed, index, chore.key).dated(chore.common, chore.common.subject))
