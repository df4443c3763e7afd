"""The terms of the auditors' guides stand in the order in which a reader looks for them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("auditors-guide.md", "## Words"),
        ("auditors-guide.de.md", "## Begriffe"),
        ("auditors-guide.fr.md", "## Vocabulaire"),
    ],
)
def test_terms_are_in_alphabetical_order(name: str, heading: str) -> None:
    after = (DOCS / name).read_text().partition(f"{heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in after.splitlines() if line.startswith("| ")][2:]
    terms = [plain(row.split("|")[1].strip()) for row in rows]
    assert len(terms) > 10
    assert terms == sorted(terms)


def plain(term: str) -> str:
    """Return it without accents and capitals, as a dictionary sorts."""
    parts = unicodedata.normalize("NFD", term.lower())
    return "".join(one for one in parts if not unicodedata.combining(one))
