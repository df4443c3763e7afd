"""A server that was away is no item's fault: what was in flight arrives, and what is refused is rejected.

The outage is one of a Nextcloud whose database stops. It is counted in requests, not in seconds.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dav_desk import CALENDAR, Desk, item
from results import by_key, codes, stored

from connectors.http.suspects import FAULTS
from model.errors import Transient
from practice.dav.faults import Away, Fault, Faults
from practice.dav.proxy import Forward, Reply, Request, reply

ROUND = 2
"""Requests of one failure: the PUT and the look after it."""
OUTAGES = {
    "in the middle of a looking": {("PUT", 1): 5 * ROUND},
    "longer than the suspicion": {("PUT", 1): 14},
    "after some were written": {("PUT", 3): 12},
    "twice": {("PUT", 1): 9, ("PUT", 8): 8},
    "again at once": {("PUT", 1): 7, ("PUT", 5): 7},
}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    monkeypatch.setattr("connectors.retry.LONGEST_WAIT", 0.02)


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("statuses", [(500,), (500, 503), (500, 500, 500, 503)])
@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
def test_what_was_in_flight_in_an_outage_arrives(
    desk: Desk, outage: dict[tuple[str, int], int], statuses: tuple[int, ...], connections: int
) -> None:
    href = desk.open().ensure(CALENDAR)
    away = Away(outage, statuses)
    target = desk.open(away, connections=connections)
    items = [item(number) for number in range(6)]
    assert codes(target.write(href, items)) == [""] * 6
    assert len(away.failed) == sum(outage.values())
    assert len(list(target.listing(href))) == 6


def test_a_database_that_is_back_after_the_looking_began_gets_the_item_again(desk: Desk) -> None:
    """PUT 500 four times, GET 500 ten times, then GET 404: as it was measured at Nextcloud 32."""
    href = desk.open().ensure(CALENDAR)
    failing = {"PUT": 4, "GET": 10, "PROPFIND": 0}

    def fails(request: Request, rest: Forward) -> Reply:
        if failing.get(request.method, 0):
            failing[request.method] -= 1
            return reply(500)
        return rest(request)

    target = desk.open(fails)
    assert codes(target.write(href, [item(1)])) == [""]


def test_a_login_that_is_refused_in_an_outage_rejects_nothing(desk: Desk) -> None:
    href = desk.open().ensure(CALENDAR)
    target = desk.open(Away({("PUT", 1): 30}, (500, 401)), connections=1)
    with pytest.raises(Transient, match="login-unconfirmed"):
        list(target.write(href, [item(1), item(2)]))


def test_writes_that_all_fail_while_reading_works_are_nobodys_fault(desk: Desk) -> None:
    href = desk.open().ensure(CALENDAR)
    target = desk.open(Away({("PUT", 1): 40}, reads=False))
    assert codes(target.write(href, [item(number) for number in range(6)])) == [""] * 6


@pytest.mark.parametrize("connections", [1, 4])
def test_one_that_is_refused_is_rejected_while_others_are_stored(desk: Desk, connections: int) -> None:
    href = desk.open().ensure(CALENDAR)
    target = desk.open(_breaks_on(b"uid-2\r"), patience=60.0, connections=connections)
    found = by_key(target.write(href, [item(number) for number in range(5)]))
    assert found == {item(number).key: "refused-by-target" if number == 2 else "" for number in range(5)}
    sent = [one for one in desk.sent("PUT") if b"uid-2\r" in one.body]
    assert FAULTS <= len(sent) <= 2 * FAULTS


def test_one_that_is_refused_alone_is_rejected_by_the_second_attempt(desk: Desk) -> None:
    href = desk.open().ensure(CALENDAR)
    with pytest.raises(Transient, match="server-error"):
        list(desk.open(_breaks_on(b"uid-2\r"), patience=1.5).write(href, [item(2)]))
    again = desk.open(_breaks_on(b"uid-2\r"), patience=1.5)
    (failed,) = again.write(href, [item(2)])
    assert codes([failed]) == ["refused-by-target"]
    (now,) = stored(desk.open().write(href, [item(2)]))
    assert now.href == again.place(item(2).key)


def test_answers_that_are_lost_again_and_again_are_no_change_by_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.http.client.PAUSES", {})
    href = desk.open().ensure(CALENDAR)
    faults = Faults({("PUT", number): Fault.UNSENT for number in range(1, 13)})
    assert codes(desk.open(faults).write(href, [item(1)])) == [""]
    assert len(faults.struck) == 12


def _breaks_on(word: bytes) -> Callable[[Request, Forward], Reply]:
    def layer(request: Request, rest: Forward) -> Reply:
        return reply(500) if request.method == "PUT" and word in request.body else rest(request)

    return layer
