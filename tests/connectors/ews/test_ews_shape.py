"""What one server refuses to be asked is found out once, and asked no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ews_records_script import CALENDAR, CONTACTS, Desk, element, event, outcome, series, subjects
from ews_responder import Answer, Request, envelope, error, fault, responder
from ews_scripts import Open

from connectors.ews.fields import NEEDED, OPTIONAL, Shape
from model.kinds import Kind
from model.protocols import Ref


def refs(*ids: str) -> list[Ref]:
    return [Ref(one, "", size=1000) for one in ids]


def whole(request: Request) -> Answer:
    return fault("ErrorSchemaValidation")


def each(request: Request) -> Answer:
    return Answer(
        envelope("GetItem", *(error("GetItem", "ErrorInvalidPropertyRequest") for _ in request.ids))
    )


@pytest.mark.parametrize("refusal", [whole, each])
def test_refused_fields_are_found_once_and_left_out(
    source: Open, refusal: Callable[[Request], Answer]
) -> None:
    refused = ("item:TextBody", "calendar:EnhancedLocation", 'PropertyName="SkypeTeamsMeetingUrl"')
    desk = Desk({"a": series("a", ("a1", "2024-01-01T00:00:00Z")), "a1": event("a1"), "b": event("b")})
    desk.flaw = lambda request, _: refusal(request) if any(one in request.xml for one in refused) else None
    with responder(desk) as server:
        one = source(server)
        found = outcome(one.fetch(CALENDAR, refs("a", "b")), "a", "b")
        assert subjects(found["a"]) == ["a", "a1"]
        assert subjects(found["b"]) == ["b"]
        learned = len(desk.asked)
        assert learned < 30
        list(one.fetch(CALENDAR, refs("b")))
        assert len(desk.asked) == learned + 1
    last = desk.asked[-1].xml
    kept = [one for one in OPTIONAL[Kind.CALENDAR] if one in last]
    assert len(kept) == len(OPTIONAL[Kind.CALENDAR]) - len(refused)
    assert all(one in last for one in NEEDED[Kind.CALENDAR])


def test_each_kind_learns_for_itself(source: Open) -> None:
    desk = Desk({"a": event("a"), "c": element("Contact", "c", class_="IPM.Contact")})
    desk.flaw = lambda request, _: whole(request) if "item:TextBody" in request.xml else None
    with responder(desk) as server:
        one = source(server)
        assert subjects(outcome(one.fetch(CALENDAR, refs("a")), "a")["a"]) == ["a"]
        assert subjects(outcome(one.fetch(CONTACTS, refs("c")), "c")["c"]) == ["c"]


def test_a_server_that_refuses_what_is_needed_loses_no_field(source: Open) -> None:
    """A series without its Recurrence would arrive as a single appointment."""
    desk = Desk({"a": event("a")})
    desk.flaw = lambda request, _: whole(request) if "calendar:Recurrence" in request.xml else None
    with responder(desk) as server:
        one = source(server)
        assert outcome(one.fetch(CALENDAR, refs("a")), "a") == {"a": "item-refused"}
    assert all("calendar:Recurrence" in request.xml for request in desk.of("GetItem"))


def test_one_item_refused_with_such_a_word_costs_that_item_alone(source: Open) -> None:
    desk = Desk({one: event(one) for one in "abcdefghij"})

    def refuse(request: Request, _: int) -> Answer | None:
        if "h" not in request.ids:
            return None
        bad = error("GetItem", "ErrorInvalidRequest")
        return Answer(envelope("GetItem", *(bad if one == "h" else desk.item(one) for one in request.ids)))

    desk.flaw = refuse
    with responder(desk) as server:
        found = outcome(source(server).fetch(CALENDAR, refs(*"abcdefghij")), *"abcdefghij")
    assert found.pop("h") == "item-refused"
    assert {id_: subjects(one) for id_, one in found.items()} == {id_: [id_] for id_ in "abcdefgij"}


def test_busy_while_learning_is_waited_out(source: Open) -> None:
    desk = Desk({"a": event("a")})
    busy = fault("ErrorServerBusy", {"BackOffMilliseconds": "10"})

    def refuse(request: Request, before: int) -> Answer | None:
        if before % 2:
            return busy
        return whole(request) if "item:TextBody" in request.xml else None

    desk.flaw = refuse
    with responder(desk) as server:
        assert subjects(outcome(source(server).fetch(CALENDAR, refs("a")), "a")["a"]) == ["a"]


def test_an_older_schema_is_used_before_fields_are_given_up(source: Open) -> None:
    desk = Desk({"a": event("a")})

    def old(request: Request, _: int) -> Answer | None:
        if "Exchange2013_SP1" in request.xml:
            return fault("ErrorInvalidServerVersion")
        return whole(request) if "item:TextBody" in request.xml else None

    desk.flaw = old
    with responder(desk) as server:
        assert subjects(outcome(source(server).fetch(CALENDAR, refs("a")), "a")["a"]) == ["a"]


@pytest.mark.parametrize("kind", list(OPTIONAL))
def test_learning_keeps_exactly_what_is_accepted(kind: Kind) -> None:
    shape = Shape(kind)
    refused = set(OPTIONAL[kind][1::3])
    tries: list[int] = []

    def accepts(fields: tuple[str, ...]) -> bool:
        tries.append(len(fields))
        return not refused.intersection(fields)

    assert shape.lessen(accepts) == bool(refused)
    assert shape.fields == NEEDED[kind] + tuple(one for one in OPTIONAL[kind] if one not in refused)
    assert not shape.lessen(accepts)
    assert len(set(shape.fields)) == len(shape.fields)
