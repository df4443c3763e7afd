"""Tasks: goldens, days, series, reminders, refusals, and a round trip of anything a task can say."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta
from xml.sax.saxutils import escape

import pytest
import vobject
from event_goldens import losses
from golden_records import GOLDENS, NOT_AFTER, context, golden, names, record
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Todo

from mappings.calendar.task import skip_task
from mappings.compare.semantic_digest import calendar_digest
from mappings.fields.ews_xml import printable
from mappings.losses.catalogue import LOSSES, SKIPS
from mappings.registry import map_task
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native, key_of

TASKS = frozenset({Kind.TASKS})
TARGETS = {
    "recurring": Capabilities(TASKS),
    "single": Capabilities(TASKS, recurring_tasks=False),
}
WEEKLY = (
    "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek></t:WeeklyRecurrence>"
)
FOREVER = "<t:NoEndRecurrence><t:StartDate>2026-09-07</t:StartDate></t:NoEndRecurrence>"


def mapped(native: Native, target: str = "recurring") -> Mapped:
    return map_task(native, context(TARGETS[target]))


def task(inner: str) -> Native:
    return record("task", f"<t:Task>{inner}</t:Task>", "IPM.Task")


def todo(result: Mapped) -> Todo:
    (found,) = Calendar.from_ical(result.item.body().read()).walk("VTODO")
    return found


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", names("task"))
def test_golden(name: str, target: str) -> None:
    result = mapped(golden("task", name), target)
    assert losses(result) == json.loads((GOLDENS / "task" / f"{name}.json").read_text())[target]
    assert {(loss.field, loss.reason) for loss in result.losses} <= set(LOSSES)
    if target == "recurring":
        assert result.item.body().read() == (GOLDENS / "task" / f"{name}.ics").read_bytes()
    else:
        assert "RRULE" not in todo(result)


@pytest.mark.parametrize("name", names("task"))
def test_a_server_that_reads_and_writes_it_anew_keeps_its_meaning(name: str) -> None:
    """Radicale stores what vobject makes of an object."""
    item = mapped(golden("task", name)).item
    again = vobject.readOne(item.body().read().decode()).serialize()
    assert calendar_digest(io.BytesIO(again.encode()), NOT_AFTER) == item.digest


@pytest.mark.parametrize("name", names("task"))
def test_no_task_can_make_a_server_mail_anybody(name: str) -> None:
    found = todo(mapped(golden("task", name)))
    assert "ORGANIZER" not in found
    assert "ATTENDEE" not in found
    assert {str(alarm["ACTION"]) for alarm in found.walk("VALARM")} <= {"DISPLAY"}


def test_the_item_carries_key_uid_digest_and_size() -> None:
    item = mapped(task("<t:Subject>A</t:Subject>")).item
    body = item.body().read()
    assert (item.kind, item.key, item.size, item.flags) == (
        Kind.TASKS,
        key_of("id-1"),
        len(body),
        frozenset(),
    )
    assert item.uid == f"kogge-{key_of('id-1').hex()}" == str(todo(mapped(task("")))["UID"])
    assert item.digest == calendar_digest(item.body(), NOT_AFTER)
    assert body == mapped(task("<t:Subject>A</t:Subject>")).item.body().read()


@pytest.mark.parametrize(
    ("item_class", "code"),
    [
        ("IPM.Task", None),
        ("ipm.task.Custom", None),
        ("IPM.TaskRequest", "not-a-task"),
        ("IPM.Activity", "journal-entry"),
        ("IPM.Note", "not-a-task"),
        ("", "not-a-task"),
    ],
)
def test_what_is_no_task_is_skipped(item_class: str, code: str | None) -> None:
    assert skip_task(record("task", "<t:Task/>", item_class)) == code
    assert code is None or code in SKIPS


@pytest.mark.parametrize(
    ("native", "code"),
    [
        (record("event", "<t:Task/>"), "unknown-format"),
        (record("task", "<t:Contact/>"), "malformed-record"),
        (record("task", "<t:Task>"), "malformed-record"),
        (task(f"<t:Recurrence><t:HourlyRecurrence/>{FOREVER}</t:Recurrence>"), "unknown-recurrence"),
    ],
)
def test_what_cannot_be_read_is_rejected(native: Native, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        mapped(native)
    assert caught.value.code == code


def test_a_task_too_large_for_the_target_is_rejected() -> None:
    native = task(f"<t:Body BodyType='Text'>{'x' * 5000}</t:Body>")
    with pytest.raises(Rejected) as caught:
        map_task(native, context(Capabilities(TASKS, max_bytes=4000)))
    assert caught.value.code == "too-large"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("NotStarted", "NEEDS-ACTION"), ("InProgress", "IN-PROCESS"), ("Completed", "COMPLETED"),
        ("WaitingOnOthers", "IN-PROCESS"), ("Deferred", "NEEDS-ACTION"), ("", "NEEDS-ACTION"),
    ],
)  # fmt: skip
def test_states(said: str, state: str) -> None:
    result = mapped(task(f"<t:Status>{said}</t:Status>"))
    assert str(todo(result)["STATUS"]) == state
    assert losses(result) == (["status/no-equivalent"] if said in ("WaitingOnOthers", "Deferred") else [])


@pytest.mark.parametrize(
    ("written", "percent", "lost"),
    [("0", 0, []), ("50.0", 50, []), ("99.9", 99, ["percent/rounded"]), ("-1", None, ["percent/impossible"])],
)
def test_a_percentage_is_whole_and_never_more_than_was_done(
    written: str, percent: int | None, lost: list[str]
) -> None:
    result = mapped(task(f"<t:PercentComplete>{written}</t:PercentComplete>"))
    assert todo(result).get("PERCENT-COMPLETE") == percent
    assert losses(result) == lost


@pytest.mark.parametrize(
    ("due", "day"),
    [
        ("2026-07-13T22:00:00Z", date(2026, 7, 14)),
        ("2026-07-14T00:00:00Z", date(2026, 7, 14)),
        ("2026-07-14T04:00:00Z", date(2026, 7, 14)),
        ("2026-07-14T00:00:00+09:00", date(2026, 7, 14)),
        ("2028-02-28T23:00:00Z", date(2028, 2, 29)),
        ("4501-01-01T00:00:00Z", None),
    ],
)
def test_a_task_is_due_on_the_day_that_was_typed(due: str, day: date | None) -> None:
    found = todo(mapped(task(f"<t:DueDate>{due}</t:DueDate>")))
    assert (found["DUE"].dt if "DUE" in found else None) == day


@pytest.mark.parametrize(("at", "passed"), [(NOT_AFTER, True), (NOT_AFTER + timedelta(seconds=1), False)])
def test_a_reminder_that_has_passed_does_not_pop_up(at: datetime, passed: bool) -> None:
    inner = (
        f"<t:ReminderDueBy>{at:%Y-%m-%dT%H:%M:%SZ}</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet>"
    )
    (alarm,) = todo(mapped(task(inner))).walk("VALARM")
    assert alarm["TRIGGER"].dt == at
    assert ("ACKNOWLEDGED" in alarm) == passed


def test_a_completed_task_reminds_nobody() -> None:
    inner = "<t:ReminderDueBy>2030-01-01T00:00:00Z</t:ReminderDueBy><t:ReminderIsSet>true</t:ReminderIsSet>"
    result = mapped(task(f"{inner}<t:Status>Completed</t:Status>"))
    assert todo(result).walk("VALARM") == []
    assert losses(result) == ["reminder/already-done"]


def test_a_reminder_that_is_not_set_is_none() -> None:
    inner = "<t:ReminderDueBy>2030-01-01T00:00:00Z</t:ReminderDueBy><t:ReminderIsSet>false</t:ReminderIsSet>"
    assert todo(mapped(task(inner))).walk("VALARM") == []


@pytest.mark.parametrize(("due", "left"), [("2026-09-07", 4), ("2026-09-28", 1), ("2026-12-28", 1)])
def test_a_numbered_series_has_what_is_left_of_it(due: str, left: int) -> None:
    numbered = (
        "<t:NumberedRecurrence><t:StartDate>2026-09-07</t:StartDate>"
        "<t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence>"
    )
    inner = f"<t:DueDate>{due}T00:00:00Z</t:DueDate><t:Recurrence>{WEEKLY}{numbered}</t:Recurrence>"
    assert todo(mapped(task(inner)))["RRULE"]["COUNT"] == [left]


@pytest.mark.parametrize("frequency", ["Daily", "Weekly", "Monthly", "Yearly"])
def test_a_regenerating_task_is_there_once_and_says_so(frequency: str) -> None:
    pattern = f"<t:{frequency}Regeneration><t:Interval>2</t:Interval></t:{frequency}Regeneration>"
    inner = f"<t:DueDate>2026-09-07T00:00:00Z</t:DueDate><t:Recurrence>{pattern}{FOREVER}</t:Recurrence>"
    result = mapped(task(inner))
    assert "RRULE" not in todo(result)
    kept = f"X-KOGGE-RECURRENCE:REGENERATE={frequency.upper()}\\;INTERVAL=2\r\n"
    assert kept.encode() in result.item.body().read()
    assert losses(result) == ["recurrence/regenerates"]


def test_a_recurring_task_has_a_start() -> None:
    inner = f"<t:DueDate>2026-09-14T00:00:00Z</t:DueDate><t:Recurrence>{WEEKLY}{FOREVER}</t:Recurrence>"
    assert todo(mapped(task(inner)))["DTSTART"].dt == date(2026, 9, 14)


TEXT = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc"), include_characters="\n\t", exclude_characters="\ufffe\uffff"
    ),
    max_size=200,
)
DAYS = st.none() | st.dates(date(1970, 1, 2), date(2100, 12, 31))


def dated(name: str, day: date | None) -> str:
    return "" if day is None else f"<t:{name}>{day.isoformat()}T00:00:00Z</t:{name}>"


@given(TEXT, TEXT, DAYS, DAYS, st.integers(0, 100), st.lists(TEXT, max_size=3))
def test_any_task_says_after_a_round_trip_what_it_said(
    subject: str, body: str, start: date | None, due: date | None, percent: int, contacts: list[str]
) -> None:
    people = "".join(f"<t:String>{escape(one)}</t:String>" for one in contacts)
    result = mapped(
        task(
            f"<t:Subject>{escape(subject)}</t:Subject><t:Body BodyType='Text'>{escape(body)}</t:Body>"
            f"<t:Contacts>{people}</t:Contacts>{dated('DueDate', due)}"
            f"<t:PercentComplete>{percent}</t:PercentComplete>{dated('StartDate', start)}"
        )
    )
    found = todo(result)
    assert str(found.get("SUMMARY", "")).split() == printable(subject).split()
    assert str(found.get("DESCRIPTION", "")) == printable(body).rstrip()
    assert (found["DUE"].dt if "DUE" in found else None) == due
    assert found["PERCENT-COMPLETE"] == percent
    if start is not None and due is not None and start > due:
        assert losses(result) == ["start/after-due"]
    else:
        assert (found["DTSTART"].dt if "DTSTART" in found else None) == start
    raw = result.item.body().read()
    assert all(len(line) <= 75 for line in raw.split(b"\r\n"))
    assert all(line.decode() is not None for line in raw.split(b"\r\n"))


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)))
def test_the_same_task_is_the_same_whenever_it_is_mapped(when: datetime) -> None:
    """All but what not_after decides: whether a reminder has passed."""
    native = golden("task", "everything")
    later = context(TARGETS["recurring"])
    one = map_task(native, later)
    other = map_task(
        native, type(later)(later.target, when.replace(tzinfo=UTC), later.owner, later.addresses)
    )
    passed = datetime(2027, 2, 3, 8, tzinfo=UTC) <= when.replace(tzinfo=UTC)
    assert (one.item.body().read() == other.item.body().read()) == (not passed)
