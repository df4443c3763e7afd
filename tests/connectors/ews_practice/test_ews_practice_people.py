"""Whole address books, calendars, task lists and notes of five people, in both dialects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from ews_desk import END, KINDS, START, expanded, given, held
from ews_truth import Open
from servers.faulty.exchange import FaultyExchange

from model.kinds import Kind
from practice.world.world import World


@pytest.fixture(scope="module")
def grown() -> World:
    return World(seed=11, people=5, items=2, large=(), folder_count=3, pim=40)


@pytest.fixture
def world(grown: World) -> World:
    return grown


@pytest.fixture(params=["exchange", "gromox"])
def server(request: pytest.FixtureRequest, grown: World) -> Iterator[FaultyExchange]:
    with FaultyExchange(grown, dialect=request.param) as running:
        yield running


@pytest.mark.parametrize("number", range(5))
def test_every_record_of_a_person(server: FaultyExchange, source: Open, grown: World, number: int) -> None:
    mailbox = grown.mailbox(grown.addresses()[number])
    one = source(server, mailbox.address, spool_above=20_000)
    boxes = [box for box in one.containers() if box.kind in KINDS and box.omit is None]
    assert {box.kind for box in boxes} == set(KINDS)
    for box in boxes:
        assert given(one, box) == held(mailbox.folder(box.id))
    readonly = [box.path[-1] for box in boxes if box.readonly]
    assert readonly == [box.path[-1] for box in boxes if "(nur lesen)" in box.path[-1]]


@pytest.mark.parametrize("number", range(5))
def test_every_occurrence_of_a_person(source: Open, grown: World, number: int) -> None:
    mailbox = grown.mailbox(grown.addresses()[number])
    with FaultyExchange(grown) as server:
        one = source(server, mailbox.address)
        for box in one.containers():
            if box.kind is Kind.CALENDAR:
                found = one.occurrences(box, START, END)
                assert found is not None
                assert Counter(found) == expanded(mailbox.folder(box.id))
