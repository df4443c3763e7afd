"""What a chart's axes name, and what is drawn: round amounts, times by the readers' clock, nothing unseen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from lxml import html

from ledger.views.progress_samples import Beat
from reports.axes import DAY, HOUR, MINUTE, Plot, amounts
from reports.charts import NARROW, WIDE, Charts
from reports.data import Fate
from reports.drawing import HEAVY, SIZE
from reports.i18n import LANGUAGES, text

BEGAN = 1_764_144_000


def beats(count: int, seconds: int = MINUTE, pace: float = 1.0) -> list[Beat]:
    return [
        Beat(
            at=BEGAN + at * seconds, seconds=seconds, mailboxes=0, items=900, done=10 * at, copied=10 * at,
            copied_bytes=0, legs=1, source=pace, target=1.0,
        )
        for at in range(count)
    ]  # fmt: skip


def elements(drawn: str, tag: str) -> Iterator[dict[str, str]]:
    """The attributes of each, and its words."""
    for found in html.fromstring(drawn).iter(tag):
        yield {**{str(name): str(value) for name, value in found.attrib.items()}, "words": found.text or ""}


def words(drawn: str) -> list[str]:
    return [one["words"] for one in elements(drawn, "text")]


def bars(drawn: str, fill: str) -> list[dict[str, float]]:
    sides = ("x", "y", "width", "height")
    return [
        {name: float(one[name]) for name in sides} for one in elements(drawn, "rect") if one["fill"] == fill
    ]


@pytest.mark.parametrize(
    ("most", "whole", "ticks"),
    [
        (2_750, True, (0, 1000, 2000, 3000)),
        (2, True, (0, 1, 2)),
        (0, True, (0, 1)),
        (0.2, False, (0, 0.05, 0.1, 0.15, 0.2)),
        (0.201, False, (0, 0.1, 0.2, 0.3)),
        (110_000_000, True, (0, 50_000_000, 100_000_000, 150_000_000)),
        (1_000, True, (0, 500, 1000)),
    ],
)
def test_an_axis_names_round_amounts_up_to_the_highest(
    most: float, whole: bool, ticks: tuple[float, ...]
) -> None:
    assert amounts(most, whole=whole).ticks == pytest.approx(ticks)


@pytest.mark.parametrize(("most", "digits"), [(0.2, 2), (0.3, 1), (3, 0), (40, 0), (0.004, 3)])
def test_amounts_have_the_decimal_places_that_tell_them_apart(most: float, digits: int) -> None:
    found = amounts(most)
    assert found.digits == digits
    assert len({f"{tick:.{digits}f}" for tick in found.ticks}) == len(found.ticks)


@pytest.mark.parametrize(
    "span", [MINUTE, 7 * MINUTE, HOUR, 5 * HOUR, 47 * HOUR, 3 * DAY, 20 * DAY, 200 * DAY]
)
@pytest.mark.parametrize("at_most", [3, 6])
def test_the_axis_of_time_names_some_moments_at_even_distances(span: int, at_most: int) -> None:
    plot = Plot(50, 720, 0, 100, BEGAN + 17, BEGAN + 17 + span, 1)
    found = plot.moments(at_most)
    assert 1 <= len(found) <= at_most + 1
    assert all(plot.first <= moment <= plot.last for moment in found)
    assert len({after - before for before, after in pairwise(found)}) <= 1
    if span > DAY:
        assert any(map(plot.names_day, found))


@pytest.mark.parametrize(
    ("language", "percent", "day"),
    [
        ("en", "100%", "30 Nov"),
        ("de", "100\N{NO-BREAK SPACE}%", "30. Nov."),
        ("fr", "100\N{NARROW NO-BREAK SPACE}%", "30 nov."),
    ],
)
def test_axes_are_written_as_the_language_writes(language: str, percent: str, day: str) -> None:
    drawn = Charts(text(language)).pace(beats(40, 6 * HOUR, pace=0.5))
    assert drawn is not None
    for one in (drawn.wide, drawn.narrow):
        assert percent in words(one)
    assert day in words(drawn.wide)


def test_a_halt_and_a_minute_of_a_long_wave_can_be_seen() -> None:
    halted = Charts(text("en")).pace(beats(3, pace=0.0))
    assert halted is not None
    assert [box["height"] for box in bars(halted.wide, "var(--care)")] == [2, 2, 2]
    first, last = beats(1)[0], beats(40, DAY)[-1]
    copied = Charts(text("en")).throughput([first, replace(last, seconds=MINUTE)])
    assert copied is not None
    assert [box["width"] for box in bars(copied.narrow, "var(--accent)")] == [1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_large_numbers_do_not_lie_on_the_ribbons(language: str) -> None:
    number = 110_000_000
    drawn = Charts(text(language)).flow({Fate.MIGRATED: number, Fate.WITHDRAWN: 3})
    assert drawn is not None
    (bar,) = bars(drawn.wide, "var(--fate-migrated)")
    shown = text(language).number(number)
    (label,) = (one for one in elements(drawn.wide, "text") if one["words"] == shown)
    assert float(label["x"]) - HEAVY * SIZE * len(label["words"]) > bar["x"] + bar["width"]


def test_a_picture_fits_into_its_width() -> None:
    charts = Charts(text("de"))
    for drawn in (charts.flow({Fate.MIGRATED: 5}), charts.progress(beats(9)), charts.throughput(beats(9))):
        assert drawn is not None
        for one, width in ((drawn.wide, WIDE), (drawn.narrow, NARROW)):
            (root,) = elements(one, "svg")
            assert root["viewbox"].split()[2] == f"{width:g}"
            for shape in (*elements(one, "rect"), *elements(one, "text")):
                assert 0 <= float(shape["x"]) <= width
