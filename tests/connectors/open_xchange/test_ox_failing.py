"""An HTTP API that fails for a while, or at one item: the one is no item's fault, the other is the item's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from ox_api_desk import ApiDesk
from results import code, stored
from test_ox_lists import BOOK, group, lists
from test_ox_lists import item as list_item
from test_ox_tasks import LIST, RULE, task, tasks
from test_ox_tasks import item as task_item

from connectors.open_xchange.target import OpenXchangeTarget
from model.errors import Blocked, Transient
from model.kinds import Kind
from model.protocols import Item
from practice.dav.proxy import Forward, Reply, Request, reply

FAULTS = (
    ("TSK-0005", "ERROR"),
    ("CON-0200", "ERROR"),
    ("SVL-0003", "CONFIGURATION"),
    ("DBP-0001", "SERVICE_DOWN"),
)
"""A database that is away is told by several categories."""


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    monkeypatch.setattr("connectors.retry.LONGEST_WAIT", 0.01)
    monkeypatch.setattr("connectors.http.suspects._tried_in_vain", set())


def says(code: str, category: str) -> Reply:
    return reply(200, json.dumps({"error": "No.", "code": code, "categories": category}))


@dataclass
class Failing:
    """A layer. at: which requests fail; left: how many of them, and None for all."""

    answer: Reply
    at: Callable[[Request], bool]
    left: int | None = None
    failed: list[Request] = field(default_factory=list)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        if not self.at(request) or self.left == 0:
            return rest(request)
        self.left = None if self.left is None else self.left - 1
        self.failed.append(request)
        return self.answer


def of_api(request: Request) -> bool:
    return request.path.startswith("/ajax/") and not request.path.endswith("/login")


def does(*actions: str) -> Callable[[Request], bool]:
    return lambda request: any(f"action={one}" in request.query for one in actions)


def opened(desk: ApiDesk, kind: Kind = Kind.TASKS) -> OpenXchangeTarget:
    return desk.target(kind, patience_seconds=0.2)


def series(number: int) -> Item:
    return task_item(number, task(number, *RULE, title=f"Reihe {number}"))


@pytest.mark.parametrize(("fault", "category"), FAULTS)
@pytest.mark.parametrize("at", [of_api, does("new")], ids=["all", "writes"])
def test_an_outage_rejects_no_item(
    desk: ApiDesk, fault: str, category: str, at: Callable[[Request], bool]
) -> None:
    """Several tries end in it. Once it is over, all items arrive."""
    away = Failing(says(fault, category), at)
    for _ in range(3):
        target = opened(desk)
        list(target.look_up(LIST, []))
        desk.server.layers = (away,)
        with pytest.raises(Transient) as caught:
            list(target.write(LIST, [series(1), series(2)]))
        assert caught.value.code in ("server-error", "busy")
        desk.server.layers = ()
        if at is not of_api:
            break  # what a server that still reads says is believed the second time
    assert len(stored(opened(desk).write(LIST, [series(1), series(2)]))) == 2
    assert len(tasks(desk)) == 2


def test_an_item_at_which_the_server_always_fails_is_rejected_alone(desk: ApiDesk) -> None:
    broken = Failing(says("TSK-0039", "ERROR"), lambda one: does("new")(one) and b"Reihe 2" in one.body)
    desk.server.layers = (broken,)
    results = list(opened(desk).write(LIST, [series(number) for number in range(4)]))
    assert len(tasks(desk)) == 3
    (failed,) = [one for one in results if one.key == series(2).key]
    assert code([failed]) == "refused-by-target"
    assert failed.error.detail == "TSK-0039"  # type: ignore[union-attr]
    assert len(stored([one for one in results if one is not failed])) == 3


def test_what_was_not_sent_after_the_server_recovered_is_not_blamed(desk: ApiDesk) -> None:
    """It fails often enough, and is sent once more when others have arrived."""
    first = series(1).uid or ""
    broken = Failing(
        says("TSK-0001", "ERROR"), lambda one: does("new")(one) and first in one.body.decode(), 4
    )
    desk.server.layers = (broken,)
    assert len(stored(opened(desk).write(LIST, [series(number) for number in (1, 2, 3)]))) == 3
    assert len(broken.failed) == 4


def test_an_only_item_is_blamed_when_two_attempts_are_used_up(desk: ApiDesk) -> None:
    desk.server.layers = (Failing(says("TSK-0039", "ERROR"), does("new")),)
    with pytest.raises(Transient) as caught:
        list(opened(desk).write(LIST, [series(1)]))
    assert caught.value.code == "server-error"
    assert code(opened(desk).write(LIST, [series(1)])) == "refused-by-target"


@pytest.mark.parametrize(("fault", "category"), FAULTS)
def test_what_an_outage_hides_has_not_vanished(desk: ApiDesk, fault: str, category: str) -> None:
    """A rollback takes nothing for removed, and a verification nothing for missing."""
    made = stored(opened(desk, Kind.CONTACTS).write(BOOK, [list_item(1, group(1, "a@x.example"))]))
    target = opened(desk, Kind.CONTACTS)
    list(target.look_up(BOOK, []))
    desk.server.layers = (Failing(says(fault, category), does("get", "delete")),)
    with pytest.raises(Transient):
        list(target.read(BOOK, [made[0].href]))
    with pytest.raises(Transient):
        list(target.remove(BOOK, made))
    assert len(lists(desk)) == 1
    desk.server.layers = (Failing(says(fault, category), does("get", "delete"), 2),)
    assert stored(target.remove(BOOK, made)) == made
    assert lists(desk) == []


def test_a_folder_that_is_gone_is_no_items_fault(desk: ApiDesk) -> None:
    target = opened(desk)
    list(target.look_up(LIST, []))
    desk.server.layers = (Failing(says("FLD-0008", "USER_INPUT"), does("new")),)
    with pytest.raises(Blocked) as caught:
        list(target.write(LIST, [series(1)]))
    assert caught.value.code == "container-missing"


@pytest.mark.parametrize("when", ["action=update", "action=get"])
def test_what_its_owner_removes_at_the_same_moment_is_written_anew(desk: ApiDesk, when: str) -> None:
    """In staging, as whatever is missing there."""
    made = stored(opened(desk).write(LIST, [series(1)]))
    home = desk.server.context.folders[33]

    def removes(request: Request, rest: Forward) -> Reply:
        if when in request.query:
            for one in list(desk.server.suite.tasks.everything(home)):
                desk.server.suite.tasks.delete(home, one)
            desk.server.layers = ()
        return rest(request)

    desk.server.layers = (removes,)
    changed = task_item(1, task(1, *RULE, title="Neu"), replaces=made[0])
    assert stored(opened(desk).write(LIST, [changed])) == made
    assert tasks(desk) == [("Neu", 2)]
