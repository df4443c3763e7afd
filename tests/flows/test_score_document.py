"""docs/score.md shows the rule and the classes that the program goes by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flows.score import FAIR_LACKING, FAIR_SHARE, GOOD_LACKING, GOOD_SHARE, Rating, Score, rule_table
from mappings.losses import KINDS, LOSSES, class_table
from mappings.losses_classes import Class, class_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "score.md").read_text()
FLOWS, MAPPINGS = "flows.score import rule_table", "mappings.losses import class_table"


def part(name: str) -> str:
    _, found, rest = DOCUMENT.partition(f"<!-- {name}: begin -->\n")
    shown, ended, _ = rest.partition(f"\n<!-- {name}: end -->\n")
    assert found
    assert ended
    return shown


@pytest.mark.parametrize(
    ("name", "text", "source"), [("rule", rule_table(), FLOWS), ("classes", class_table(), MAPPINGS)]
)
def test_the_tables_are_the_program_s(name: str, text: str, source: str) -> None:
    assert part(name) == text, f"regenerate: python -c 'from {source} as t; print(t())'"


def test_the_thresholds_that_are_published_are_those_that_decide() -> None:
    """At each published threshold, and one item in a million beyond it."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", part("rule"), re.MULTILINE))
    lacking = dict(re.findall(r"^\| `(\w+)` \| .+? \| at most (\d+)% \|", part("rule"), re.MULTILINE))
    assert rows["good"] == f"{100 * GOOD_SHARE:g}% or more"
    assert rows["investigate"] == f"{100 * FAIR_SHARE:g}% or more"
    assert (int(lacking["good"]), int(lacking["investigate"])) == (100 * GOOD_LACKING, 100 * FAIR_LACKING)
    for rating, worse in ((Rating.GOOD, Rating.INVESTIGATE), (Rating.INVESTIGATE, Rating.POOR)):
        least = round(float(rows[rating].partition("%")[0]) * 10_000)
        most = int(lacking[rating]) * 10_000
        assert Score(1_000_000, least, 0).rating is rating
        assert Score(1_000_000, least - 1, 0).rating is worse
        assert Score(1_000_000, 1_000_000, most).rating is rating
        assert Score(1_000_000, 1_000_000, most + 1).rating is worse


def test_every_loss_stands_in_the_column_of_its_class() -> None:
    """Read from the document as a person does."""
    titles = re.split(r"^### (.+)$", part("classes"), flags=re.MULTILINE)[1:]
    found: dict[tuple[str, str], set[Class]] = {}
    for title, table in zip(titles[::2], titles[1::2], strict=True):
        assert title in KINDS
        for row in re.findall(r"^\| (?!What|---)(.+) \|$", table, re.MULTILINE):
            field, *cells = row.split(" | ")
            for kind, cell in zip(Class, cells, strict=True):
                for reason in re.findall(r"`([a-z0-9-]+)`", cell):
                    found.setdefault((field, reason), set()).add(kind)
    assert found.keys() == LOSSES.keys()
    assert all(kinds == {class_of(*pair)} for pair, kinds in found.items())
