"""The list with its waves filled in: every other cell, and which line is which, stays."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kogge.prepare.plan import filled

CELLS = st.text(alphabet="ab;,\"\n '|", max_size=6)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("list") / "mailboxes.csv"


def parsed(text: str, mark: str) -> list[tuple[int, list[str]]]:
    """(line, cells), as every reader of the list has them."""
    rows = csv.reader(text.splitlines(keepends=True), delimiter=mark, strict=True)
    return [(rows.line_num, cells) for cells in rows if any(cell.strip() for cell in cells)]


@given(
    st.lists(st.tuples(CELLS, CELLS, st.booleans()), max_size=8),
    st.sampled_from(",;\t"),
    st.sampled_from(["", "wave", "WAVE "]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_all_else_stays(
    file: Path, rows: list[tuple[str, str, bool]], mark: str, wave: str, end: str
) -> None:
    text = io.StringIO()
    out = csv.writer(text, delimiter=mark, lineterminator=end)
    out.writerow(["source", "target", "folder", *([wave] if wave else [])])
    for number, (one, other, blank) in enumerate(rows):
        out.writerow([f"{number}@x", one, other, *(["old"] if wave else [])])
        if blank:
            text.write(end)
    file.write_text(text.getvalue(), newline="")
    before = parsed(text.getvalue(), mark)
    waves = {line: f"wave-{line:03}" for line, _ in before[1:]}
    after = parsed(filled(file, waves), mark)
    assert [line for line, _ in after] == [line for line, _ in before]
    assert [cells[:3] for _, cells in after] == [cells[:3] for _, cells in before]
    assert [cells[3] for _, cells in after[1:]] == list(waves.values())
    assert after[0][1][3].strip().lower() == "wave"


def test_a_row_that_lacks_its_last_cells_gets_them(file: Path) -> None:
    file.write_text("source,target,source_login,wave\na@x,a@y\nb@x,b@y,b,,\n")
    assert filled(file, {2: "w1", 3: "w2"}) == (
        "source,target,source_login,wave\na@x,a@y,,w1\nb@x,b@y,b,w2,\n"
    )
