"""What a real server does with what is written to it; see live_dav."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_dav import account, codes, container, item, meanings, opened, settings, text_of, uid_of, written

from connectors.caldav.put import CONTENT, SUFFIX
from connectors.caldav.target import DavTarget
from engine.preflight.probe_caldav import Desk
from model.kinds import Kind
from model.protocols import Stored, key_of

pytestmark = pytest.mark.live


@pytest.fixture(params=[Kind.CALENDAR, Kind.TASKS, Kind.CONTACTS], ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    return Kind(request.param)


@pytest.fixture
def target(kind: Kind, tmp_path: Path) -> Iterator[DavTarget]:
    made = opened(kind, tmp_path)
    yield made
    made.close()


@pytest.fixture
def href(kind: Kind, target: DavTarget) -> Iterator[str]:
    """A collection that is empty before and after."""
    path = target.ensure(container(kind))
    yield path
    left = [Stored(key_of(one.href), one.href) for one in target.listing(path)]
    assert all(isinstance(one, Stored) for one in target.remove(path, left))


def by_client(kind: Kind, path: str, text: str) -> int:
    """What any client does: the status of a PUT without a condition."""
    desk = Desk(settings(kind), account())
    try:
        content = {"Content-Type": CONTENT.get(kind, "text/calendar; charset=utf-8")}
        return desk.client.ask("PUT", path, {**content, **desk.profile.put}, text.encode()).status
    finally:
        desk.close()


def test_the_account_is_found(target: DavTarget) -> None:
    assert target.identity() == target.identity()
    assert target.capabilities.kinds
    assert all(len(value) < 100 for value in target.server().values())


def test_items_go_there_and_come_back_as_they_were(kind: Kind, target: DavTarget, href: str) -> None:
    items = [item(kind, number) for number in range(12)]
    stored = written(target, href, *items)
    assert meanings(kind, target, href, stored) == {one.key: one.digest for one in items}
    assert {one.href for one in written(target, href, *items)} == {one.href for one in stored}
    old = {one.key: one for one in stored}
    changed = [item(kind, number, "Changed", old[items[number].key]) for number in range(3)]
    replaced = written(target, href, *changed)
    assert meanings(kind, target, href, replaced) == {one.key: one.digest for one in changed}
    assert len(list(target.listing(href))) == len(items)
    assert all(isinstance(one, Stored) for one in target.remove(href, [old[one.key] for one in items[3:]]))
    assert len(list(target.listing(href))) == 3


def test_what_was_removed_can_come_again(kind: Kind, target: DavTarget, href: str) -> None:
    for title in ("First", "Second", "Third"):
        again = item(kind, 50, title)
        stored = written(target, href, again)
        assert meanings(kind, target, href, stored) == {again.key: again.digest}
        assert all(isinstance(one, Stored) for one in target.remove(href, stored))
    assert list(target.listing(href)) == []


def test_a_uid_that_is_there_already(kind: Kind, target: DavTarget, href: str) -> None:
    """Under a client's name: the same is found, something else stays and is told."""
    foreign = f"client-{uid_of(60)}{SUFFIX.get(kind, '.ics')}"
    assert by_client(kind, href + foreign, text_of(kind, 60)) == 201
    first = item(kind, 60)
    try:
        if codes(target, href, first) == [""] and len(list(target.listing(href))) == 2:
            pytest.skip("this server takes a UID twice")
        (found,) = written(target, href, first)
        assert (found.via, found.href) == (True, foreign)
        assert codes(target, href, item(kind, 60, "Other")) == ["uid-conflict"]
        assert meanings(kind, target, href, [found]) == {first.key: first.digest}
    finally:
        _delete(kind, href + foreign)


def test_what_a_client_changed(kind: Kind, target: DavTarget, href: str, tmp_path: Path) -> None:
    """While nobody works there it is put right; in the live phase it is left alone."""
    (old,) = written(target, href, item(kind, 70))
    assert by_client(kind, href + old.href, text_of(kind, 70, "By its user")) in {200, 201, 204}
    careful = opened(kind, tmp_path, live=True)
    try:
        assert codes(careful, href, item(kind, 70, "Newer", old)) == ["changed-at-target"]
    finally:
        careful.close()
    newer = item(kind, 70, "Newer", old)
    assert meanings(kind, target, href, written(target, href, newer)) == {newer.key: newer.digest}


def test_two_workers_write_the_same_at_once(kind: Kind, target: DavTarget, href: str, tmp_path: Path) -> None:
    items = [item(kind, number) for number in range(80, 100)]
    second = opened(kind, tmp_path)
    results: list[list[str]] = []
    thread = threading.Thread(target=lambda: results.append(codes(second, href, *items)))
    thread.start()
    try:
        results.append(codes(target, href, *items))
    finally:
        thread.join()
        second.close()
    assert results == [[""] * len(items)] * 2
    stored = [Stored(one.key, str(target.place(one.key))) for one in items]
    assert meanings(kind, target, href, stored) == {one.key: one.digest for one in items}
    assert len(list(target.listing(href))) == len(items)


def _delete(kind: Kind, path: str) -> None:
    desk = Desk(settings(kind), account())
    try:
        desk.delete(path, quiet=True)
    finally:
        desk.close()
