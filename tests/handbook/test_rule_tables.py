"""The tables of inbox rules in docs/fidelity.md are what the mapping does."""

from __future__ import annotations

from pathlib import Path

from handbook.rule_tables import action_table, condition_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "fidelity.md"
BEGIN, END = "<!-- rules: begin -->\n", "<!-- rules: end -->\n"


def test_the_tables_are_what_the_mapping_does() -> None:
    _, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    shown, found, _ = rest.partition(END)
    assert found
    assert shown == f"{condition_table()}\n{action_table()}\n", (
        "regenerate: python -c 'from handbook import rule_tables as t;"
        " print(t.condition_table()); print(t.action_table())'"
    )
