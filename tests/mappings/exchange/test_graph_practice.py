"""One mailbox, two ways to read it: what EWS and Graph give of the same record becomes the same object, to
the byte, but for what stands in the table below; docs/fidelity.md says the same to people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from graph_worlds import KINDS, Pair, Sources, differences, same, sources

from mappings.registry import ITEM_FORMS
from model.kinds import Kind
from practice.world.world import World

UNTOLD: dict[tuple[Kind, str], str] = {
    (Kind.CALENDAR, "ATTENDEE"): "Graph does not say who of those invited is a list, and names one without a "
    "name by the address",
    (Kind.CONTACTS, "IPM.DistList"): "Graph has no lists of people",
    (Kind.CONTACTS, "photo/unknown-format"): "a picture without a byte is none for Graph; ...",
    (Kind.CONTACTS, "photo/not-read"): "... MAPI says that there is one",
    (
        Kind.CONTACTS,
        "attachment/left-out",
    ): "Graph shows no files of a contact; beside a picture they are not even known of",
    (Kind.TASKS, "DUE"): "To Do tells the moment a day began, not which day it was: beyond twelve hours from "
    "UTC, or where Outlook kept another day beside the moment, ...",
    (Kind.TASKS, "DTSTART"): "... it is another",
    (Kind.TASKS, "CLASS"): "To Do knows no sensitivity",
    (Kind.TASKS, "sensitivity/shown-as-private"): "the same",
    (Kind.TASKS, "PERCENT-COMPLETE"): "To Do knows no percentage but none and all",
    (Kind.TASKS, "percent/rounded"): "the same",
    (Kind.TASKS, "RRULE"): "To Do does not say that a task comes back only when it was done, ...",
    (Kind.TASKS, "X-KOGGE-RECURRENCE"): "... which has no RRULE",
    (Kind.TASKS, "recurrence/regenerates"): "the same",
    (Kind.TASKS, "ATTACH"): "To Do shows attached files alone, no items",
    (Kind.TASKS, "CONTACT"): "To Do knows nobody a task is about",
    (Kind.TASKS, "X-KOGGE-ACTUAL-WORK"): "nor work, ...",
    (Kind.TASKS, "X-KOGGE-TOTAL-WORK"): "...",
    (Kind.TASKS, "X-KOGGE-BILLING-INFORMATION"): "nor billing, ...",
    (Kind.TASKS, "X-KOGGE-MILEAGE"): "nor mileage, ...",
    (Kind.TASKS, "X-KOGGE-COMPANY"): "nor companies, ...",
    (Kind.TASKS, "X-KOGGE-ASSIGNED"): "nor that somebody assigned it",
    (Kind.TASKS, "X-KOGGE-DELEGATION-STATE"): "the same",
    (Kind.TASKS, "X-KOGGE-DELEGATOR"): "the same",
    (Kind.TASKS, "X-KOGGE-OWNER"): "the same",
    (Kind.TASKS, "assignment/not-shown"): "the same",
}
"""Every difference there is, and why. Nothing else may differ; nothing may stand here that does not."""

Paired = tuple[Sources, list[Pair]]


@pytest.fixture(scope="module")
def paired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paired]:
    world = World(seed=7, people=5, items=0, large=(), pim=60)
    with sources(world, tmp_path_factory.mktemp("spool")) as both:
        yield both, [pair for address in world.addresses() for pair in both.pairs(address)]


def moving(paired: Paired) -> Iterator[tuple[Pair, set[str]]]:
    """What both give and what moves, with the names of what differs."""
    both, pairs = paired
    for pair in pairs:
        form, context = ITEM_FORMS[pair.kind], both.context(pair)
        if pair.ews and pair.graph and form.skip(pair.ews) is None:
            one, other = form.map(pair.ews, context), form.map(pair.graph, context)
            found = set() if same(one, other) else differences(one, other)
            assert same(one, other) or found
            yield pair, found


def test_every_difference_is_in_the_table_and_the_table_is_true(paired: Paired) -> None:
    found: Counter[tuple[Kind, str]] = Counter()
    for pair in paired[1]:
        if pair.ews and not pair.graph:
            found[pair.kind, str(pair.ews.properties["ItemClass"])] += 1
    equal = 0
    for pair, names in moving(paired):
        found.update((pair.kind, name) for name in names)
        equal += not names
    assert found.keys() == UNTOLD.keys()
    assert equal > 850


def test_graph_has_nothing_that_ews_does_not_have(paired: Paired) -> None:
    assert all(pair.ews for pair in paired[1])
    assert {pair.kind for pair in paired[1]} == KINDS


def test_both_skip_the_same(paired: Paired) -> None:
    for pair in paired[1]:
        if pair.ews and pair.graph:
            skip = ITEM_FORMS[pair.kind].skip
            assert skip(pair.ews) == skip(pair.graph)
