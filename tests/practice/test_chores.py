"""Tasks, sticky notes and journal entries: what is written is what exchangelib reads."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from exchangelib.items import Task as Read
from records_written import ORDER, SEED, mailbox_of, parsed, properties, tags, written

from practice.exchange.soap import GROMOX, T
from practice.tasks.chores import Chore
from practice.tasks.journal import KINDS, Activity, sample_journal
from practice.tasks.notes import ODDITIES as NOTES
from practice.tasks.notes import sample_stickies
from practice.tasks.stickies import Sticky
from practice.tasks.tasks import ODDITIES, sample_chores
from practice.world.desk import Desk
from practice.world.records import Record

NEIGHBOURS = range(5)
ODD = ODDITIES
MONDAY = datetime.date(2026, 9, 7)
RECURRENCES = {
    "daily": ("DailyPattern", {"interval": 3}, "NumberedPattern"),
    "weekly": (
        "WeeklyPattern",
        {"interval": 2, "weekdays": [1, 3, 5], "first_day_of_week": 1},
        "EndDatePattern",
    ),
    "weekly_from_sunday": ("WeeklyPattern", {"weekdays": [7, 2], "first_day_of_week": 7}, "NoEndPattern"),
    "monthly_31": ("AbsoluteMonthlyPattern", {"day_of_month": 31, "interval": 1}, "NumberedPattern"),
    "monthly_last_weekday": ("RelativeMonthlyPattern", {"weekday": 9, "week_number": 5}, "NoEndPattern"),
    "monthly_second_tuesday": ("RelativeMonthlyPattern", {"weekday": 2, "week_number": 2}, "NumberedPattern"),
    "monthly_weekend": ("RelativeMonthlyPattern", {"weekday": 10, "week_number": 1}, "EndDatePattern"),
    "monthly_fourth_day": ("RelativeMonthlyPattern", {"weekday": 8, "week_number": 4}, "NumberedPattern"),
    "yearly_leap_day": ("AbsoluteYearlyPattern", {"day_of_month": 29, "month": 2}, "NumberedPattern"),
    "yearly_relative": (
        "RelativeYearlyPattern",
        {"weekday": 4, "week_number": 4, "month": 11},
        "NoEndPattern",
    ),
    "regenerating_daily": ("DailyRegeneration", {"interval": 2}, "NoEndPattern"),
    "regenerating_weekly": ("WeeklyRegeneration", {"interval": 1}, "NumberedPattern"),
    "regenerating_monthly": ("MonthlyRegeneration", {"interval": 3}, "EndDatePattern"),
    "regenerating_yearly": ("YearlyRegeneration", {"interval": 1}, "NoEndPattern"),
}


def odd(name: str) -> Chore:
    return ODD[name](Desk(SEED, 1, f"chore/{name}"))


def keys(records: list[Record]) -> set[str]:
    return {record.key for record in records if isinstance(record, Chore | Sticky | Activity)}


def note(name: str) -> Sticky:
    """That odd note, of whichever of the five mailboxes has it."""
    made = [one for index in NEIGHBOURS for one in sample_stickies(SEED, index, 20)]
    return next(one for one in made if isinstance(one, Sticky) and one.key == f"sticky/{name}")


@pytest.mark.parametrize("name", ODD)
def test_every_oddity_is_written_in_the_order_of_the_schema(name: str) -> None:
    element = written(mailbox_of(odd(name), folder="tasks"))[0]
    found = [ORDER["Task"].index(tag) for tag in tags(element)]
    assert found == sorted(set(found))


@pytest.mark.parametrize("name", ODD)
def test_every_oddity_is_read_as_it_was_meant(name: str) -> None:
    chore = odd(name)
    read = parsed(Read, chore)
    assert read.status == chore.status
    assert read.percent_complete == Decimal(str(chore.percent))
    assert read.is_complete == (chore.status == "Completed")
    assert read.is_recurring == (chore.repeat is not None) == (read.recurrence is not None)
    assert (read.start_date is None, read.due_date is None) == (chore.start is None, chore.due is None)
    assert (read.total_work, read.actual_work) == (chore.total_work, chore.actual_work)
    assert read.delegation_state == chore.delegation


@pytest.mark.parametrize("name", RECURRENCES)
def test_recurrences_are_read(name: str) -> None:
    kind, expected, boundary = RECURRENCES[name]
    read = parsed(Read, odd(name)).recurrence
    assert type(read.pattern).__name__ == kind
    assert {field: getattr(read.pattern, field) for field in expected} == expected
    assert type(read.boundary).__name__ == boundary


def test_days_of_a_recurrence_may_carry_a_zone() -> None:
    def start(name: str) -> str | None:
        element = written(mailbox_of(odd(name), folder="tasks"))[0]
        return element.findtext(f"{T}Recurrence/*/{T}StartDate")

    found = [start("weekly"), start("monthly_15"), start("yearly")]
    assert found == ["2026-09-07", "2026-09-15Z", "2026-10-03+02:00"]


@pytest.mark.parametrize(
    ("name", "text", "local"),
    [
        ("of_berlin", "2026-07-13T22:00:00Z", "2026-07-14"),
        ("of_berlin_in_winter", "2026-01-13T23:00:00Z", "2026-01-14"),
        ("of_seattle", "2026-07-14T07:00:00Z", "2026-07-14"),
        ("of_kiritimati", "2026-07-13T10:00:00Z", "2026-07-14"),
    ],
)
def test_days_are_midnight_of_whichever_zone(name: str, text: str, local: str) -> None:
    chore = odd(name)
    assert written(mailbox_of(chore, folder="tasks"))[0].findtext(f"{T}DueDate") == text
    assert properties(chore)["0x8105"] == f"{local}T00:00:00Z"
    assert properties(chore)["0x8517"] == text


def test_everything_a_task_has() -> None:
    read = parsed(Read, odd("everything"))
    assert (read.start_date, read.due_date) == (MONDAY - datetime.timedelta(days=7), MONDAY)
    assert read.percent_complete == Decimal("37.5")
    assert (read.companies, read.contacts) == (["Werft", "Messe GmbH"], ["Wiebke Lüders", "山田 太郎"])
    assert (read.owner, read.billing_information, read.mileage) == (
        "Lüders, Wiebke",
        "Projekt 12; netto",
        "348 km",
    )


def test_the_owner_of_a_task_is_the_mailbox_owner_unless_it_is_said() -> None:
    mailbox = mailbox_of(odd("not_started"), folder="tasks")
    assert written(mailbox)[0].findtext(f"{T}Owner") == mailbox.owner.name
    assert "Owner" not in tags(written(mailbox, GROMOX)[0])


@pytest.mark.parametrize(
    ("sample", "kind", "names"),
    [
        (sample_chores, "chore", tuple(ODD)),
        (sample_stickies, "sticky", NOTES),
    ],
)
def test_neighbours_have_every_oddity_between_them(
    sample: Callable[[int, int, int], list[Record]], kind: str, names: tuple[str, ...]
) -> None:
    found = {key for index in NEIGHBOURS for key in keys(sample(SEED, index, 40))}
    assert {f"{kind}/{name}" for name in names} <= found


@pytest.mark.parametrize("sample", [sample_chores, sample_stickies, sample_journal])
@pytest.mark.parametrize("count", [0, 2, 30])
def test_as_many_as_asked_for_and_the_same_again(
    sample: Callable[[int, int, int], list[Record]], count: int
) -> None:
    first = sample(SEED, 1, count)
    assert first == sample(SEED, 1, count)
    assert len(keys(first)) == len(first) == count


@pytest.mark.parametrize("sample", [sample_chores, sample_stickies])
def test_nothing_odd_when_none_is_wanted(sample: Any) -> None:
    found = sample(SEED, 1, 20, odd=False)
    assert len(found) == 20
    assert all(key.partition("/")[2].isdigit() for key in keys(found))


# Notes and the journal


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("one_line", "Milch kaufen"),
        ("lines", "Einkauf"),
        ("bare_newlines", "Erste"),
        ("empty", ""),
        ("late_start", ""),
        ("long_line", ("Wort " * 51)[:255]),
    ],
)
def test_a_note_is_called_by_its_first_line(name: str, subject: str) -> None:
    assert note(name).common.subject == subject


def test_colour_and_size_of_a_note() -> None:
    assert properties(note("large")) == {
        "0x8b00": "1",
        "0x8b02": "1600",
        "0x8b03": "1200",
        "0x8b04": "110",
        "0x8b05": "80",
    }
    assert properties(note("colourless")) == {}


def test_notes_and_activities_have_no_elements_of_their_own() -> None:
    records = [*sample_stickies(SEED, 0, 3), *sample_journal(SEED, 0, 3)]
    assert [tags(each) for each in written(mailbox_of(*records, folder="notes"))] == [[]] * 6
    assert {record.item_class for record in records} == {"IPM.StickyNote", "IPM.Activity"}


def test_an_activity_says_what_it_was_and_when() -> None:
    entries = sample_journal(SEED, 0, len(KINDS))
    assert [properties(entry)["0x8700"] for entry in entries] == list(KINDS)
    start, end = properties(entries[0])["0x8706"], properties(entries[0])["0x8708"]
    minutes = datetime.timedelta(minutes=int(properties(entries[0])["0x8707"]))
    assert datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start) == minutes
