"""A lost reply writes nothing twice: what may be there is left to the ledger, and half a series is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from agenda_desk import HREF, SINGLE, Desk, item, read, series
from results import by_key, code, stored
from servers.dav.faults import Away, Fault

from model.errors import Blocked, Transient
from model.protocols import Native
from practice.dav.proxy import Fate, Forward, Reply, Request, reply


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Fault.UNSENT])
def test_a_lost_reply_is_left_to_the_ledger(desk: Desk, fault: Fault) -> None:
    desk.faults({("POST", 1): fault})
    target = desk.target()
    with pytest.raises(Transient):
        list(target.write(HREF, [item(1)]))
    there = [read(target, one.href) for one in target.listing(HREF)]
    assert there == ([] if fault is Fault.UNSENT else [item(1).digest])
    assert len(desk.sent("POST")) == 1


def test_a_gateway_that_gave_up_too_early_writes_nothing_twice(desk: Desk) -> None:
    desk.faults({("POST", 1): Fault.LATE})
    with pytest.raises(Transient, match="busy"):
        list(desk.target().write(HREF, [item(1)]))
    assert desk.titles() == ["Number 1"]


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.LIMIT, Fault.LOCKED, Fault.BROKEN])
def test_what_is_certainly_not_there_is_tried_again(desk: Desk, fault: Fault) -> None:
    desk.faults({("POST", 1): fault, ("POST", 2): fault})
    assert len(stored(desk.target().write(HREF, [item(1)]))) == 1
    assert desk.titles() == ["Number 1"]


def test_an_event_that_always_breaks_the_server_is_rejected(desk: Desk) -> None:
    def breaks(request: Request, rest: Forward) -> Reply:
        return reply(500) if b"Number 1" in request.body else rest(request)

    desk.exo.layers = (breaks,)
    found = by_key(desk.target().write(HREF, [item(1), item(2)]))
    assert found == {item(1).key: "refused-by-target", item(2).key: ""}
    assert desk.titles() == ["Number 2"]


@pytest.mark.parametrize("begins", [1, 2])
def test_an_outage_rejects_no_event(desk: Desk, begins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.retry.FIRST_WAIT", 0.001)
    monkeypatch.setattr("connectors.retry.LONGEST_WAIT", 0.02)
    away = Away({("POST", begins): 20})
    desk.exo.layers = (away,)
    assert len(stored(desk.target().write(HREF, [item(1), item(2), series(3)]))) == 3
    assert len(away.failed) == 20


def test_what_is_refused_with_a_reason_is_not_tried_again(desk: Desk) -> None:
    def refuse(request: Request, rest: Forward) -> Reply:
        return reply(500, "endDate:agenda.x") if request.method == "POST" else rest(request)

    desk.exo.layers = (refuse,)
    assert code(desk.target().write(HREF, [item(1)])) == "refused-by-target"
    assert len(desk.sent("POST")) == 1


def test_a_text_no_column_holds_is_refused(desk: Desk) -> None:
    long = item(1, SINGLE, "DESCRIPTION:" + 70_000 * "x")
    found = by_key(desk.target().write(HREF, [long, item(2)]))
    assert found == {long.key: "refused-by-target", item(2).key: ""}
    assert desk.titles() == ["Number 2"]


@pytest.mark.parametrize("step", range(1, 6))
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.UNSENT])
@pytest.mark.parametrize("live", [False, True])
def test_a_series_interrupted_anywhere_is_there_once(desk: Desk, step: int, fault: Fault, live: bool) -> None:
    """Steps: the series, what stands beside it (three), the title. Then it is settled, and written again."""
    given = series(1)
    where = ("POST", step) if step < 5 else ("PATCH", 1)
    struck = desk.faults({where: fault})
    with pytest.raises(Transient):
        list(desk.target(live=live).write(HREF, [given]))
    assert struck.struck == [fault]
    fresh = desk.target(live=live)
    there = [one.href for one in fresh.listing(HREF)]
    if given.digest not in [read(fresh, one) for one in there]:
        there = [one.href for one in stored(fresh.write(HREF, [given]))]
    assert [one.href for one in fresh.listing(HREF)] == there
    assert read(fresh, there[0]) == given.digest
    assert len(desk.exo.agenda.events) == 4


def test_a_series_whose_exception_is_refused_leaves_nothing(desk: Desk) -> None:
    def refuse(request: Request, rest: Forward) -> Reply:
        refused = request.method == "POST" and b'"parent"' in request.body
        return reply(400) if refused else rest(request)

    desk.exo.layers = (refuse,)
    assert code(desk.target().write(HREF, [series(1)])) == "refused-by-target"
    assert desk.titles() == []


def test_in_the_live_phase_nothing_is_removed(desk: Desk) -> None:
    live = desk.target(live=True)
    found = stored(live.write(HREF, [item(1)]))
    with pytest.raises(Blocked, match="live-phase"):
        live.remove(HREF, found)
    assert desk.titles() == ["Number 1"]


@pytest.mark.parametrize("body", ["[]", "{", '{"events": [{"id": 1}]}', '{"id": 1}', "null"])
def test_nonsense_is_an_error_of_ours(desk: Desk, body: str) -> None:
    target = desk.target(patience_seconds=0)
    target.identity()
    desk.exo.layers = (lambda request, rest: reply(200, body, kind="application/json"),)
    results = []
    try:
        results = list(target.read(HREF, ["1"]))
    except Transient as error:
        results = [("1", error)]
    assert all(not isinstance(found, Native) for _, found in results)


def test_an_empty_answer_that_says_nothing_of_its_end_is_no_missing_event(desk: Desk) -> None:
    (there,) = stored(desk.target().write(HREF, [item(1)]))
    target = desk.target()

    def nothing(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        is_event = request.method == "GET" and request.path.endswith(f"/{there.href}")
        return replace(answer, body=b"", fate=Fate.BROKEN_OFF) if is_event else answer

    desk.exo.layers = (nothing,)
    with pytest.raises(Transient, match="not-agenda"):
        list(target.read(HREF, [there.href]))
    desk.exo.layers = ()
    assert read(target, there.href) == item(1).digest
