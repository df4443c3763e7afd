"""Every odd task comes back from an Open-Xchange with its meaning: what it drops is not sent, and named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest
from golden_records import NOT_AFTER, context, golden, names, record
from icalendar import Calendar, Todo
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer
from servers.smtp_sink import SmtpSink

from connectors.caldav.product_open_xchange import PROFILE
from connectors.open_xchange.target import _with_rules
from mappings.compare.semantic_digest import calendar_digest
from mappings.losses.catalogue import LOSSES
from mappings.registry import map_task
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native

ANNA = "anna@ox.test"
TARGET = Capabilities(
    frozenset({Kind.TASKS}),
    recurring_tasks=PROFILE.recurring_tasks,
    category_commas=PROFILE.category_commas,
    tasks=PROFILE.todos,
)


@dataclass
class TaskList:
    """The default list of a person."""

    url: str

    def returned(self, made: Mapped) -> bytes | None:
        headers = {"Content-Type": "text/calendar", **PROFILE.put}
        with httpx.Client(auth=(ANNA, USER_PASSWORD), headers=headers) as client:
            path = f"{self.url}{made.item.uid}.ics"
            client.put(path, content=made.item.body().read()).raise_for_status()
            answer = client.get(path)
            return answer.content if answer.status_code == 200 else None


@pytest.fixture(scope="module")
def tasks() -> Iterator[TaskList]:
    with SmtpSink() as sink, OpenXchangeServer({ANNA: "Anna Adler"}, sink=sink) as suite:
        (home, *_) = suite.context.own("tasks", suite.context.users[ANNA])
        yield TaskList(f"{suite.url}/caldav/{home.segment}/")
        assert sink.mails == []


def mapped(native: Native) -> Mapped:
    return map_task(native, context(TARGET))


def todo(made: Mapped) -> Todo:
    (found,) = Calendar.from_ical(made.item.body().read()).walk("VTODO")
    return found


def reasons(made: Mapped) -> set[str]:
    return {f"{loss.field}/{loss.reason}" for loss in made.losses}


@pytest.mark.parametrize("name", names("task"))
def test_a_task_comes_back(tasks: TaskList, name: str) -> None:
    made = mapped(golden("task", name))
    found = tasks.returned(made)
    assert found is not None
    assert calendar_digest(io.BytesIO(found), NOT_AFTER) == made.item.digest
    assert {(loss.field, loss.reason) for loss in made.losses} <= set(LOSSES)


@pytest.mark.parametrize("name", names("task"))
def test_a_task_is_never_sent_with_people(name: str) -> None:
    """It would be mailed of, whatever the headers say, and not be stored."""
    for target in (TARGET, Capabilities(TARGET.kinds)):
        found = todo(map_task(golden("task", name), context(target)))
        assert not {"ATTENDEE", "ORGANIZER"} & set(found)


def test_everything_that_is_dropped_is_named() -> None:
    made = mapped(golden("task", "everything"))
    assert {
        "attachment/not-kept",
        "other/not-kept",
        "people/not-kept",
        "text/formatting-not-kept",
    } <= reasons(made)
    assert not [name for name in todo(made) if name.startswith("X-")]


def test_the_rule_of_a_recurring_task_is_named() -> None:
    made = mapped(golden("task", "weekly"))
    assert {"recurrence/current-occurrence-only", "recurrence/rule-not-kept"} <= reasons(made)
    assert not {"RRULE", "X-KOGGE-RECURRENCE"} & set(todo(made))


@pytest.mark.parametrize(("days", "kept"), [(-400, False), (-1, False), (1, True)])
@pytest.mark.parametrize("state", ["NotStarted", "Completed"])
def test_only_a_reminder_that_is_to_come_is_sent(tasks: TaskList, days: int, kept: bool, state: str) -> None:
    """The server drops an acknowledged one, or its acknowledgement: it would ring on the first day."""
    at = NOT_AFTER + timedelta(days=days)
    made = mapped(
        record(
            "task",
            f"<t:Task><t:Subject>A</t:Subject><t:Status>{state}</t:Status><t:DueDate>{at:%Y-%m-%dT00:00:00Z}"
            f"</t:DueDate><t:ReminderDueBy>{at:%Y-%m-%dT%H:%M:%SZ}</t:ReminderDueBy>"
            "<t:ReminderIsSet>true</t:ReminderIsSet></t:Task>",
            "IPM.Task",
        )
    )
    is_sent = kept and state != "Completed"
    assert len(todo(made).walk("VALARM")) == is_sent
    assert ("reminder/over" in reasons(made)) == (not kept)
    found = tasks.returned(made)
    assert found is not None
    assert calendar_digest(io.BytesIO(found), NOT_AFTER) == made.item.digest


@pytest.mark.parametrize("api", [False, True], ids=["without api", "with api"])
@pytest.mark.parametrize(
    ("state", "percent", "kept", "lost"),
    [
        ("InProgress", "100", ("IN-PROCESS", 99), {"percent/rounded"}),
        ("NotStarted", "100", ("IN-PROCESS", 99), {"percent/rounded", "status/no-equivalent"}),
        ("NotStarted", "50", ("IN-PROCESS", 50), {"status/no-equivalent"}),
        ("Deferred", "50", ("IN-PROCESS", 50), {"status/no-equivalent", "other/not-kept"}),
        ("WaitingOnOthers", "100", ("IN-PROCESS", 99), {"percent/rounded", "status/no-equivalent"}),
        ("NotStarted", "0", ("NEEDS-ACTION", 0), set()),
        ("InProgress", "50", ("IN-PROCESS", 50), set()),
        ("Completed", "100", ("COMPLETED", 100), set()),
    ],
)
def test_a_task_that_is_not_completed_stays_so(
    tasks: TaskList, state: str, percent: str, kept: tuple[str, int], lost: set[str], api: bool
) -> None:
    inner = f"<t:Status>{state}</t:Status><t:PercentComplete>{percent}</t:PercentComplete>"
    given = record("task", f"<t:Task><t:Subject>A</t:Subject>{inner}</t:Task>", "IPM.Task")
    limits = _with_rules(PROFILE.todos) if api else PROFILE.todos
    made = map_task(given, context(replace(TARGET, tasks=limits)))
    assert (str(todo(made)["STATUS"]), int(todo(made)["PERCENT-COMPLETE"])) == kept
    assert reasons(made) >= lost
    assert ("percent/rounded" in reasons(made)) == ("percent/rounded" in lost)
    found = tasks.returned(made)
    assert found is not None
    assert calendar_digest(io.BytesIO(found), NOT_AFTER) == made.item.digest


def test_a_confidential_task_is_private(tasks: TaskList) -> None:
    inner = "<t:Task><t:Subject>A</t:Subject><t:Sensitivity>Confidential</t:Sensitivity></t:Task>"
    made = mapped(record("task", inner, "IPM.Task"))
    assert "sensitivity/shown-as-private" in reasons(made)
    found = tasks.returned(made)
    assert found is not None
    assert calendar_digest(io.BytesIO(found), NOT_AFTER) == made.item.digest
