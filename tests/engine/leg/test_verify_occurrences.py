"""A calendar is held against the source's own expansion of its series."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from engine.verify.occurrences import DETAIL, UNCHECKED, Almanac, compare
from ledger.db.rows import ContainerRow, ItemRow, Outcome, State
from model.kinds import Kind
from model.protocols import Item, Mapped

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = b"k" * 16
WEEKLY = """\
BEGIN:VEVENT
UID:one
DTSTART:20260302T090000Z
DTEND:20260302T100000Z
RRULE:FREQ=WEEKLY;COUNT=3
END:VEVENT
"""
DAILY = """\
BEGIN:VEVENT
UID:one
DTSTART;VALUE=DATE:20260302
DTEND;VALUE=DATE:20260303
END:VEVENT
"""


class Source:
    """Tells these beginnings of the event "one", and one of somebody else's."""

    def __init__(self, *starts: datetime) -> None:
        self.starts = starts

    def occurrences(self, *_: Any) -> Iterator[tuple[str, datetime, datetime]] | None:
        hour = timedelta(hours=1)
        return iter([("other", NOW, NOW + hour), *(("one", at, at + hour) for at in self.starts)])


def container() -> ContainerRow:
    return ContainerRow(1, Kind.CALENDAR, "c", ("Kalender",), None, "/c/", None, True, 1, None, False)


def row() -> ItemRow:
    return ItemRow(KEY, "i", "v", State.VERIFIED, 1, 1, None, "h", None, b"", None, None)


def mapped(event: str) -> Mapped:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{event}END:VCALENDAR\n".replace("\n", "\r\n").encode()
    return Mapped(Item(Kind.CALENDAR, KEY, b"", len(text), lambda: io.BytesIO(text), uid="one"))


class Events:
    """What a ledger is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def event(self, kind: str, detail: dict[str, object]) -> None:
        self.told.append((kind, detail))


def found(event: str, source: object, events: Events | None = None) -> list[str]:
    almanac = Almanac(NOW)
    almanac.note(row(), mapped(event))
    work: Any = SimpleNamespace(source=source, ledger=events or Events())
    findings = list(compare(work, container(), almanac))
    assert all((one.outcome, one.key) == (Outcome.DIFFERS, KEY) for one in findings)
    return [one.detail for one in findings]


WEEKS = [datetime(2026, 3, day, 9, tzinfo=UTC) for day in (2, 9, 16)]


def test_the_same_occurrences_are_no_finding() -> None:
    assert found(WEEKLY, Source(*WEEKS)) == []


@pytest.mark.parametrize(
    "starts",
    [WEEKS[:2], [*WEEKS, datetime(2026, 3, 23, 9, tzinfo=UTC)], [*WEEKS[:2], WEEKS[2] + timedelta(hours=1)]],
    ids=["one fewer", "one more", "an hour later"],
)
def test_another_occurrence_is_one(starts: list[datetime]) -> None:
    assert found(WEEKLY, Source(*starts)) == [DETAIL]


@pytest.mark.parametrize("offset", [-10, -5, 0, 1, 9, 13])
def test_a_whole_day_is_the_day_of_any_zone(offset: int) -> None:
    midnight = datetime(2026, 3, 2, tzinfo=UTC) - timedelta(hours=offset)
    assert found(DAILY, Source(midnight)) == []
    assert found(DAILY, Source(midnight + timedelta(days=1))) == [DETAIL]


def test_a_source_that_does_not_expand_is_not_asked() -> None:
    assert found(WEEKLY, object()) == []
    silent: Any = SimpleNamespace(occurrences=lambda *_: None)
    assert found(WEEKLY, silent) == []


@pytest.mark.parametrize(
    ("source", "items"),
    [(Source(), 1), (SimpleNamespace(occurrences=lambda *_: None), 1), (Source(*WEEKS), 0)],
    ids=["no series", "no views", "all"],
)
def test_what_cannot_be_checked_is_named_and_is_no_difference(source: object, items: int) -> None:
    events = Events()
    assert found(WEEKLY, source, events) == []
    assert events.told == ([(UNCHECKED, {"container": 1, "items": items})] if items else [])


def test_a_single_event_that_is_not_told_is_a_difference_all_the_same() -> None:
    events = Events()
    assert found(DAILY, Source(), events) == [DETAIL]
    assert events.told == []


def test_one_answer_without_entries_is_no_difference() -> None:
    answers = [Source(), Source(datetime(2026, 3, 2, tzinfo=UTC))]
    source: Any = SimpleNamespace(occurrences=lambda *asked: answers.pop(0).occurrences(*asked))
    assert found(DAILY, source) == []
    assert answers == []


def test_what_lies_outside_of_the_window_does_not_count() -> None:
    assert found(WEEKLY, Source(*WEEKS, datetime(2030, 1, 1, tzinfo=UTC))) == []
