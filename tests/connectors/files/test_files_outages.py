"""A file server that was away is no file's fault: all files arrive, and what is refused is rejected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from files_desk import Desk, file, folder
from results import by_key
from servers.dav.faults import Away

from model.errors import Transient
from practice.dav.proxy import Forward, Reply, Request, reply

OUTAGES = {
    "in the middle of a looking": {("PUT", 1): 15},
    "after some were written": {("PUT", 3): 12},
    "twice": {("PUT", 1): 9, ("PUT", 7): 7},
}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    monkeypatch.setattr("connectors.retry.LONGEST_WAIT", 0.02)


@pytest.mark.parametrize("statuses", [(500,), (500, 500, 500, 503)])
@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
def test_what_was_in_flight_in_an_outage_arrives(
    desk: Desk, outage: dict[tuple[str, int], int], statuses: tuple[int, ...]
) -> None:
    target = desk.target()
    href = target.ensure(folder("Work"))
    away = Away(outage, statuses)
    desk.cloud.layers = (away,)
    items = [file(number, bytes([65 + number])) for number in range(6)]
    assert set(by_key(target.write(href, items)).values()) == {""}
    assert len(away.failed) == sum(outage.values())
    assert desk.files() == {f"Work/file {number}.txt": bytes([65 + number]) for number in range(6)}


def test_a_database_that_is_back_after_the_looking_began_gets_the_file_again(desk: Desk) -> None:
    target = desk.target(connections=1)
    href = target.ensure(folder("Work"))
    desk.cloud.layers = (_fails({"PUT": 4, "PROPFIND": 0}, 3),)
    assert set(by_key(target.write(href, [file(1)])).values()) == {""}


def test_writes_that_all_fail_while_reading_works_are_nobodys_fault(desk: Desk) -> None:
    target = desk.target()
    href = target.ensure(folder("Work"))
    desk.cloud.layers = (Away({("PUT", 1): 40}, reads=False),)
    found = by_key(target.write(href, [file(number) for number in range(6)]))
    assert set(found.values()) == {""}


def test_one_that_is_refused_is_rejected_while_others_are_stored(desk: Desk) -> None:
    target = desk.target(patience_seconds=60)
    href = target.ensure(folder("Work"))
    desk.cloud.layers = (_breaks_on("file 2"),)
    found = by_key(target.write(href, [file(number) for number in range(5)]))
    assert found == {file(number).key: "refused-by-target" if number == 2 else "" for number in range(5)}


def test_one_that_is_refused_alone_is_rejected_by_the_second_attempt(desk: Desk) -> None:
    target = desk.target(patience_seconds=1.5)
    href = target.ensure(folder("Work"))
    desk.cloud.layers = (_breaks_on("file 2"),)
    with pytest.raises(Transient, match="server-error"):
        list(target.write(href, [file(2)]))
    again = desk.target(patience_seconds=1.5)
    assert list(by_key(again.write(href, [file(2)])).values()) == ["refused-by-target"]


def _fails(first: dict[str, int], looks: int) -> Callable[[Request, Forward], Reply]:
    """So many PUTs fail; after the last of them, so many looks do, and then everything works."""

    def layer(request: Request, rest: Forward) -> Reply:
        if request.method == "PUT" and first["PUT"]:
            first["PUT"] -= 1
            first["PROPFIND"] = 0 if first["PUT"] else looks + 1
            return reply(500)
        if request.method == "PROPFIND" and first["PROPFIND"]:
            first["PROPFIND"] -= 1
            return rest(request) if first["PROPFIND"] == looks else reply(500)
        return rest(request)

    return layer


def _breaks_on(word: str) -> Callable[[Request, Forward], Reply]:
    def layer(request: Request, rest: Forward) -> Reply:
        return reply(500) if request.method == "PUT" and word in request.path else rest(request)

    return layer
