"""The tables of rights in docs/fidelity.md are what the mapping does."""

from __future__ import annotations

from pathlib import Path

from handbook.right_tables import delegate_table, level_table, role_table, single_table

DOCUMENT = Path(__file__).parents[2] / "docs" / "fidelity.md"
BEGIN, END = "<!-- rights: begin -->\n", "<!-- rights: end -->\n"
TABLES = (level_table, single_table, role_table, delegate_table)


def test_the_tables_are_what_the_mapping_does() -> None:
    _, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    shown, found, _ = rest.partition(END)
    assert found
    assert shown == "".join(f"{table()}\n" for table in TABLES), (
        "regenerate: python -c 'from handbook import right_tables as t;"
        " [print(one()) for one in (t.level_table, t.single_table, t.role_table, t.delegate_table)]'"
    )
