"""What a report says of a person who was given back: it was copied, and they work at the source."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from lxml import html
from report_world import WAVE, World

from ledger.db.rows import Phase
from reports.data import WaveReport
from reports.html import person_page
from reports.i18n import text
from reports.read import read
from reports.text_blocks import headline


@pytest.fixture(scope="module")
def report(place: World) -> WaveReport:
    return read(place.ledger, WAVE)


@pytest.mark.parametrize(
    ("language", "moved", "copied"),
    [
        ("en", r"\bmoved\b", "You work at the old system again"),
        ("de", "umgezogen", "Sie arbeiten wieder im alten System"),
        (
            "fr",
            "transférée?s?\\b(?! a été copié)",
            "Vous travaillez de nouveau dans l\N{RIGHT SINGLE QUOTATION MARK}ancien système",
        ),
    ],
)
@pytest.mark.parametrize("number", [0, 5])
def test_to_who_was_given_back_nothing_is_said_to_have_moved(
    place: World, report: WaveReport, number: int, language: str, moved: str, copied: str
) -> None:
    back = replace(
        next(one for one in report.boxes if one.id == place.ids[number]), phase=Phase.STAGING, given_back=True
    )
    tree = html.fromstring(person_page(replace(report, boxes=(back,)), back, text(language)))
    told = tree.xpath("string(//h1)") + tree.xpath("string(//section[@id='moved'])")
    assert not re.search(moved, told), told
    assert copied in tree.xpath("string(//header)")
    one = replace(report, boxes=(back,))
    assert back.complete is not bool(re.search(moved, headline(one, text(language)).partition(";")[0]))
