"""Recurring tasks, which CalDAV refuses, arrive once by the HTTP API, whatever happens on the way."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from ox_api_desk import ANNA, MOMENT, ApiDesk, lost
from results import code, stored

from connectors.open_xchange.target import OpenXchangeTarget
from mappings.compare.semantic_digest import calendar_digest
from model.errors import LeaseLost, Transient
from model.kinds import Kind
from model.protocols import Container, Item, Native, Role, Stored, key_of
from practice.dav.proxy import reply

TASKS = Container(Kind.TASKS, "source-3", ("Tasks",), Role.TASKS)
LIST = "/caldav/MzM/"
RULE = ("RRULE:FREQ=WEEKLY;BYDAY=TU",)
ALARM = (
    *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;VALUE=DATE-TIME:20261201T070000Z"),
    *("DESCRIPTION:x", "END:VALARM"),
)


def task(number: int, *lines: str, title: str = "Bericht\\, Teil 1") -> bytes:
    uid = f"kogge-{key_of(f'item-{number}').hex()}"
    days = ("DTSTART;VALUE=DATE:20261201", "DUE;VALUE=DATE:20261203")
    inner = (
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        *days,
        f"SUMMARY:{title}",
        "STATUS:NEEDS-ACTION",
        *lines,
    )
    whole = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:t",
        "BEGIN:VTODO",
        *inner,
        "END:VTODO",
        "END:VCALENDAR",
    )
    return "\r\n".join((*whole, "")).encode()


def item(number: int, raw: bytes, replaces: Stored | None = None) -> Item:
    key = key_of(f"item-{number}")
    return Item(
        kind=Kind.TASKS,
        key=key,
        digest=calendar_digest(io.BytesIO(raw), MOMENT),
        size=len(raw),
        body=lambda: io.BytesIO(raw),
        uid=f"kogge-{key.hex()}",
        replaces=replaces,
    )


def tasks(desk: ApiDesk) -> list[tuple[str, int]]:
    """What the person has: the title of each task, and how it comes back."""
    home = desk.server.context.default("tasks", desk.server.context.users[ANNA])
    return sorted(
        (one.part.value("SUMMARY"), (one.recurrence or {}).get("recurrence_type", 0))
        for one in desk.server.suite.tasks.everything(home)
    )


def opened(desk: ApiDesk, *, live: bool = False) -> OpenXchangeTarget:
    return desk.target(Kind.TASKS, live=live)


FULL = (*RULE, "CLASS:PRIVATE", "PRIORITY:1", "CATEGORIES:Rot,Blau", r"DESCRIPTION:Eins\nzwei", *ALARM)


@pytest.mark.parametrize("lines", [RULE, FULL, (*RULE, "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40")])
def test_a_series_arrives_beside_tasks_and_means_the_same(desk: ApiDesk, lines: tuple[str, ...]) -> None:
    target = opened(desk)
    href = target.ensure(TASKS)
    assert href == LIST
    assert target.capabilities.recurring_tasks
    raw = task(1, *lines)
    raw = raw.replace(b"STATUS:NEEDS-ACTION\r\n", b"") if b"IN-PROCESS" in raw else raw
    items = [item(1, raw), item(2, task(2, title="Einmal"))]
    made = stored(target.write(href, items))
    assert {one.href for one in made} == {target.place(one.key) for one in items}
    assert tasks(desk) == [("Bericht\\, Teil 1", 2), ("Einmal", 0)]
    assert {one.href for one in target.listing(href)} == {one.href for one in made}
    wanted = {str(target.place(one.key)): one.digest for one in items}
    for name, result in target.read(href, wanted):
        assert isinstance(result, Native)
        assert result.body is not None
        assert calendar_digest(result.body(), MOMENT) == wanted[name]
    assert desk.sink.mails == []
    assert all("timezone=UTC" in one.query for one in desk.asked("tasks?") if "action=all" not in one.query)


@pytest.mark.parametrize("faults", [[lost], [reply(503)], [lost, lost], [reply(429), lost, reply(500)]])
def test_a_lost_reply_makes_no_second_series(desk: ApiDesk, faults: list[object]) -> None:
    target = opened(desk)
    href = target.ensure(TASKS)
    desk.layer.answers, desk.layer.what = list(faults), "action=new"
    (made,) = stored(target.write(href, [item(1, task(1, *RULE))]))
    assert stored(opened(desk).write(href, [item(1, task(1, *RULE))])) == [made]
    assert len(tasks(desk)) == 1
    assert len(desk.layer.answers) < len(faults)


def test_a_series_is_not_given_up_for_many_passing_faults(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them lets the item be looked up and sent again; none is a change by somebody else."""
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    monkeypatch.setattr("connectors.retry.LONGEST_WAIT", 0.02)
    target = opened(desk)
    href = target.ensure(TASKS)
    desk.layer.answers, desk.layer.what = [reply(503)] * 10, "action=new"
    assert len(stored(target.write(href, [item(1, task(1, *RULE))]))) == 1
    assert desk.layer.answers == []
    assert len(tasks(desk)) == 1


def test_a_task_may_come_back_later_and_no_more(desk: ApiDesk) -> None:
    """By DAV, then by the API under the same UID, and by DAV again; once at any time."""
    target = opened(desk)
    href = target.ensure(TASKS)
    (once,) = stored(target.write(href, [item(1, task(1, title="A"))]))
    (series,) = stored(target.write(href, [item(1, task(1, *RULE, title="B"), replaces=once)]))
    assert (series.href, tasks(desk)) == (once.href, [("B", 2)])
    desk.layer.answers, desk.layer.what = [lost], "action=update"
    stored(target.write(href, [item(1, task(1, "RRULE:FREQ=DAILY", title="C"), replaces=series)]))
    assert tasks(desk) == [("C", 1)]
    desk.layer.answers, desk.layer.what = [lost], "action=delete"
    (again,) = stored(target.write(href, [item(1, task(1, title="D"), replaces=series)]))
    assert (again.href, tasks(desk)) == (once.href, [("D", 0)])


def test_what_a_series_became_stays_in_the_live_phase(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(TASKS)
    (made,) = stored(target.write(href, [item(1, task(1, *RULE))]))
    live = opened(desk, live=True)
    assert (
        code(live.write(href, [item(1, task(1, *RULE, title="Neu"), replaces=made)])) == "changed-at-target"
    )
    assert code(live.write(href, [item(1, task(1), replaces=made)])) == "changed-at-target"
    assert stored(live.write(href, [item(1, task(1, *RULE))])) == [made]
    assert tasks(desk) == [("Bericht\\, Teil 1", 2)]


def test_a_series_is_removed_as_it_was_written(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(TASKS)
    items = [item(1, task(1, *RULE)), item(2, task(2, *RULE, title="Zwei"))]
    made = {one.key: one for one in stored(target.write(href, items))}
    one, two = (replace(made[each.key], digest=each.digest) for each in items)
    home = desk.server.context.default("tasks", desk.server.context.users[ANNA])
    theirs = next(each for each in desk.server.suite.tasks.everything(home) if each.uid == items[1].uid)
    assert theirs.fields is not None
    desk.server.suite.tasks.change_by_api(home, theirs, {**theirs.fields, "status": 3})
    assert code(target.remove(href, [two])) == "changed-at-target"
    assert stored(target.remove(href, [one])) == [one]
    assert stored(target.remove(href, [one])) == [one]
    assert tasks(desk) == [("Zwei", 2)]


def test_a_series_that_changes_while_it_is_removed_stays(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(TASKS)
    (made,) = stored(target.write(href, [item(1, task(1, *RULE))]))
    desk.layer.answers, desk.layer.what = [reply(200, '{"data": [1], "timestamp": 1}')], "action=delete"
    assert code(target.remove(href, [made])) == "changed-at-target"
    assert len(tasks(desk)) == 1


def test_a_lost_lease_makes_no_series(desk: ApiDesk) -> None:
    def refuse() -> None:
        raise LeaseLost("lease-lost")

    opened(desk).ensure(TASKS)
    with pytest.raises(LeaseLost):
        list(desk.target(Kind.TASKS, guard=refuse).write(LIST, [item(1, task(1, *RULE))]))
    assert tasks(desk) == []


@pytest.mark.parametrize(
    "answer", [reply(200, '{"data": {}}'), reply(200, "<html>"), reply(200, '{"data": null, "timestamp": 1}')]
)
def test_garbage_about_a_series_is_not_believed(desk: ApiDesk, answer: object) -> None:
    target = opened(desk)
    href = target.ensure(TASKS)
    (made,) = stored(target.write(href, [item(1, task(1, *RULE))]))
    desk.layer.answers, desk.layer.what = [answer] * 9, "action=get"
    with pytest.raises(Transient) as caught:
        list(target.read(href, [made.href]))
    assert caught.value.code == "not-http-api"


def test_a_series_that_the_server_refuses_is_rejected_alone(desk: ApiDesk) -> None:
    target = opened(desk)
    href = target.ensure(TASKS)
    refusal = {"error": "x", "code": "TSK-0037", "categories": "USER_INPUT"}
    desk.layer.answers, desk.layer.what = [reply(200, json.dumps(refusal))], "action=new"
    first, second = target.write(href, [item(1, task(1, *RULE)), item(2, task(2, *RULE))])
    assert code([first]) == "refused-by-target"
    assert stored([second])
    timed = task(3, *RULE).replace(b";VALUE=DATE:20261203", b":20261203T100000Z")
    timed = timed.replace(b";VALUE=DATE:20261201", b":20261201T100000Z")
    assert code(target.write(href, [item(3, timed)])) == "refused-by-target"
