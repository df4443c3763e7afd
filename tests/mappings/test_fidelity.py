"""docs/fidelity.md shows exactly what mappings.losses.catalogue declares, all of which is used, and what
mappings.compare.semantic_digest compares."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from meaning_tables import tables

from handbook.score_tables import loss_table
from mappings.compare.semantic_digest import CALENDAR_FIELDS, CARD_FIELDS, IGNORED
from mappings.losses.catalogue import LOSSES, REJECTIONS, SKIPS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "fidelity.md"
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"
COMPARED = "<!-- compared: begin -->\n", "<!-- compared: end -->\n"


def sources() -> str:
    places = (
        "mappings/**/*.py",
        "engine/**/*.py",
        "ledger/**/*.py",
        "connectors/**/*.py",
        "model/target_losses.py",
    )
    files = [file for place in places for file in ROOT.glob(place) if file.parent.name != "losses"]
    return "\n".join(file.read_text() for file in files)


def test_the_table_is_the_declared_one() -> None:
    _, _, rest = DOCUMENT.read_text().partition(BEGIN)
    shown, found, _ = rest.partition(END)
    assert found
    assert shown == loss_table() + "\n", (
        "regenerate: python -c 'from handbook.score_tables import loss_table; print(loss_table())'"
    )


def test_what_is_compared_is_the_program_s_own_word() -> None:
    _, _, rest = DOCUMENT.read_text().partition(COMPARED[0])
    shown, found, _ = rest.partition(COMPARED[1])
    assert found
    assert shown == tables() + "\n", (
        "regenerate: PYTHONPATH=.:tests/support/records"
        " python -c 'import meaning_tables as t; print(t.tables())'"
    )


def test_nothing_stands_there_twice() -> None:
    titles = re.findall(r"^(?:## .+|<!-- .+ -->)$", DOCUMENT.read_text(), re.MULTILINE)
    assert sorted(set(titles)) == sorted(titles)


def test_every_field_and_everything_ignored_has_one_row() -> None:
    rows = re.findall(r"^\| (?!Field|What|---)`?([^|`]+)`? \| [^|]+ \|$", tables(), re.MULTILINE)
    assert sorted(rows) == sorted([*CALENDAR_FIELDS, *CARD_FIELDS, *IGNORED])


@pytest.mark.parametrize("code", sorted({reason for _, reason in LOSSES} | set(SKIPS) | set(REJECTIONS)))
def test_every_declared_code_is_kebab_case_and_used(code: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
    assert f'"{code}"' in sources()


@pytest.mark.parametrize("text", [*LOSSES.values(), *SKIPS.values(), *REJECTIONS.values()])
def test_every_sentence_is_one(text: str) -> None:
    assert text[0].isupper()
    assert text.endswith(".")
    assert "|" not in text
