"""What a mailbox has beside its folders stays with the old system: whoever reads the report is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from lxml import html
from report_world import WAVE, World, world

from ledger.plan.source_extras import extras_of, keep_extras
from reports.html import person_page, wave_page
from reports.i18n import LANGUAGES, text
from reports.read import read

FOUND = {"archive-mailbox": 2, "inbox-rules": 3, "delegates": 1, "recoverable-items": 0}
STAYS = ("archive", "inbox-rules", "delegates")


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = world(f"sqlite:///{tmp_path_factory.mktemp('world')}/ledger.db")
    with closing(found.ledger):
        yield found


def source(place: World, number: int = 0) -> str:
    return place.ledger.mailbox(place.ids[number]).source


def test_they_are_replaced_and_none_is_kept_for_none(place: World) -> None:
    first, second = source(place, 0), source(place, 1)
    keep_extras(place.ledger, {first: FOUND, second: {"archive-mailbox": None}})
    assert extras_of(place.ledger, [first, second]) == {
        first: {"archive-mailbox": 2, "inbox-rules": 3, "delegates": 1},
        second: {"archive-mailbox": None},
    }
    keep_extras(place.ledger, {first: {}})
    assert extras_of(place.ledger, [first]) == {first: {}}
    assert extras_of(place.ledger, ["nobody@old.example"]) == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_whoever_decides_and_whoever_moves_is_told(place: World, language: str) -> None:
    own = text(language)
    before = html.fromstring(wave_page(read(place.ledger, WAVE), own)).xpath("string(//section[@id='left'])")
    assert own("left.unasked", n=len(place.ids)).replace("`", "") in before
    keep_extras(place.ledger, {source(place): FOUND})
    report = read(place.ledger, WAVE)
    told = html.fromstring(wave_page(report, own)).xpath("string(//section[@id='left'])")
    assert own("left.text-decide") in told
    assert own("left.text") not in told
    assert own("left.unasked", n=len(place.ids) - 1).replace("`", "") in told
    (box,) = (one for one in report.boxes if one.id == place.ids[0])
    person = html.fromstring(person_page(report, box, own)).xpath("string(//main)")
    for name in STAYS:
        assert own(f"stay.{name}.title") in person
        assert own(f"stay.{name}.do") in person


def test_a_source_that_was_asked_and_has_nothing_of_it_needs_nobody(place: World) -> None:
    """Nor does one that does not offer it."""
    keep_extras(place.ledger, {source(place, number): {"holds": None} for number in range(1, len(place.ids))})
    report = read(place.ledger, WAVE)
    assert [box.id for box in report.boxes if not box.asked] == [place.ids[0]]
    whole = replace(report, boxes=tuple(box for box in report.boxes if box.asked))
    page = wave_page(whole, text("en"))
    assert "was not asked" not in page
    assert text("en")("left.text-decide") not in page
