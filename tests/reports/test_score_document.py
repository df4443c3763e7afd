"""docs/score.md shows the rule and the classes that the program goes by, and the words that it uses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.approvals.score import (
    FAIR_LACKING,
    FAIR_SHARE,
    GOOD_LACKING,
    GOOD_SHARE,
    Rating,
    Score,
)
from evidence.pack_sections import result_of
from handbook.score_tables import class_table, rule_table
from ledger.db.rows import State
from ledger.inventory.inventory import InventoryLine
from ledger.inventory.lines import LATER, VERDICTS
from ledger.views.scores import ARRIVED, UNCOUNTED, ScoreCounts
from mappings.losses.catalogue import LOSSES, PARTS
from mappings.losses.severity import Class, class_of
from model.kinds import Kind
from model.protocols import Loss
from reports.data import Fate
from reports.i18n import LANGUAGES, text
from reports.read import fates_of

DOCUMENT = (Path(__file__).parents[2] / "docs" / "score.md").read_text()


def part(name: str) -> str:
    _, found, rest = DOCUMENT.partition(f"<!-- {name}: begin -->\n")
    shown, ended, _ = rest.partition(f"\n<!-- {name}: end -->\n")
    assert found
    assert ended
    return shown


@pytest.mark.parametrize(
    ("name", "text", "source"),
    [("rule", rule_table(), "rule_table"), ("classes", class_table(), "class_table")],
)
def test_the_tables_are_the_program_s(name: str, text: str, source: str) -> None:
    assert part(name) == text, (
        f"regenerate: python -c 'from handbook.score_tables import {source} as t; print(t())'"
    )


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
        assert title in PARTS
        for row in re.findall(r"^\| (?!What|---)(.+) \|$", table, re.MULTILINE):
            field, *cells = row.split(" | ")
            for kind, cell in zip(Class, cells, strict=True):
                for reason in re.findall(r"`([a-z0-9-]+)`", cell):
                    found.setdefault((field, reason), set()).add(kind)
    assert found.keys() == LOSSES.keys()
    assert all(kinds == {class_of(*pair)} for pair, kinds in found.items())


def verdict_of(state: State, *, lost: bool, rebuilt: bool) -> str:
    """What a pack says of an item in this state, with its rule where that is no code of the item's own."""
    losses = (Loss("text", "truncated"),) if lost else ()
    line = InventoryLine(1, b"", b"", 0, None, 1, state, "a-code", None, None, None, None, losses, rebuilt)
    told = result_of(bytes(32), Kind.MAIL, 1, line)
    return f"{told.verdict}, {told.rule}" if told.rule == "unverified" else told.verdict


def counted(state: State) -> str:
    if state in UNCOUNTED:
        return "not counted"
    return "arrived" if state in ARRIVED else "did not arrive"


def fate_of(state: State, *, lost: bool, back: bool) -> Fate:
    own = ScoreCounts(Counter({state: 1}), Counter({0: 1} if lost else {}))
    (fate,) = (fate for fate, items in fates_of(own, back).items() if items)
    return fate


def every_item() -> Iterator[tuple[str, str, str, str]]:
    """What a ledger can hold of an item, in the ledger's, the report's, the pack's and the score's word."""
    for state in State:
        there = state in ARRIVED
        for lost in (False, True) if there else (False,):
            for rebuilt in (False, True) if state is State.VERIFIED and not lost else (False,):
                for back in (False, True) if state is State.SEEN else (False,):
                    fate, verdict = (
                        fate_of(state, lost=lost, back=back),
                        verdict_of(state, lost=lost, rebuilt=rebuilt),
                    )
                    yield state.name.lower(), str(fate), verdict, counted(state)


def test_the_words_for_every_item_are_those_that_are_used() -> None:
    """Read from the document as a person does: each row of its table is one that can be, and none lacks."""
    shown = set()
    for row in re.findall(r"^\| (?!What|---)(.+) \|$", part("words"), re.MULTILINE):
        _, ledger, report, pack, score = row.split(" | ")
        title, fate = re.fullmatch(r"(.+) \(`([a-z-]+)`\)", report).groups()  # type: ignore[union-attr]
        assert title == text("en").name("fate", fate)
        states = ledger.partition(", of a workload")[0]
        for state in re.findall(r"`([a-z-]+)`", states):
            shown.add((state, fate, pack.replace("`", ""), score))
    assert shown == set(every_item())
    assert {fate for _, fate, _, _ in shown} == set(map(str, Fate))
    assert {verdict.partition(",")[0] for _, _, verdict, _ in shown} == set(VERDICTS) - {LATER}
    assert f"`{LATER}` in a pack is no fate" in DOCUMENT


def test_the_report_leads_to_the_table_of_words() -> None:
    titles = re.findall(r"^## (.+)$", DOCUMENT, re.MULTILINE)
    for language in LANGUAGES:
        assert [one for one in titles if one in text(language)("wave.words")], language
