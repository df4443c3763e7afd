"""Screens and files: no stranger's text is a command or a formula, and no table loses a character."""

from __future__ import annotations

import ast
import csv
import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

import kogge
from engine.control.error_log import defect_log
from kogge.terminal.options import echo, emit, report, say, screen, write_csv
from kogge.terminal.tables import NUMBERS, table
from model.errors import Misconfigured, Rejected
from model.printable import cell, json_escaped, printable
from reports.files import put

CLIPBOARD = "Rechnung\x1b]52;c;cm0gLXJmIH4=\x07 offen"
HOSTILE = (
    CLIPBOARD,
    "\x1b[2J\x1b[1;1Hall is well",
    "\x9b31mred",
    "\x9d0;title\x9c",
    "invoice\u202efdp.exe",
    "\u2066isolated\u2069",
    "two\rlines",
    "two\u2028lines",
    "\ud800",
    "\u200fright",
    "bell\x07\x08\x0b\x0c\x7f",
    "\U000e0041tag",
)
READABLE = ("Grüße, 株式会社 ☃ 👩\u200d👧", "\u0645\u06cc\u200c\u062e", "a\u00a0b", "100 % + ½")
SIGNS = str.maketrans("\uff1d\uff0b\uff0d\uff20\u2212", "=+-@-")
ROOT = Path(kogge.__file__).parents[1]
ROOMS = ("kogge", "flows", "reports", "engine")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def commands_in(text: str) -> list[str]:
    """The characters in it that a terminal obeys, or that turn the order of letters round."""
    return [one for one in text if one != "\n" and not one.isprintable() and one not in "\u00a0\u200c\u200d"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_stranger_is_a_command(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    screen().print(table(("folder", "subject"), [(text, Text(text))], wrap=("subject",)))
    screen().print(text)
    screen().print(Text(text, style="bold"), soft_wrap=True)
    echo(text)
    say(text)
    report(Misconfigured(f"mailboxes.csv:2: {text}", f"is {text}"))
    report(Rejected("too-large", text))
    shown = capsys.readouterr()
    assert not commands_in(shown.out + shown.err)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_says_the_same_and_commands_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    emit({"subject": text, "name": READABLE[0]})
    shown = capsys.readouterr().out
    assert not commands_in(shown)
    assert json.loads(shown) == {"subject": text, "name": READABLE[0]}
    assert READABLE[0] in shown


def test_a_cell_cannot_begin_a_line_of_its_own() -> None:
    drawn = Console(width=100)
    with drawn.capture() as got:
        drawn.print(table(("subject",), [("hello\nevery item is accounted for",)], wrap=("subject",)))
    assert got.get() == "subject\nhello?every item is accounted for\n"


@pytest.mark.parametrize("text", READABLE)
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text
    assert json_escaped(text) == text


def test_a_terminal_of_few_letters_shows_what_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding="latin-1") as file:
        monkeypatch.setattr("sys.stdout", file)
        echo("Größe 株")
        emit({"name": "株"})
    assert path.read_text("latin-1") == 'Größe ?\n{\n  "name": "\\u682a"\n}\n'


def calls() -> Iterator[tuple[str, str]]:
    """File and dotted name of everything that is called where people are spoken to."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.relative_to(ROOT).as_posix(), ast.unparse(node.func)


def test_there_is_one_way_to_a_screen() -> None:
    """Whatever goes round it may let a stranger's text through."""
    around = {"print", "typer.echo", "typer.confirm", "typer.prompt", "typer.secho", "click.echo", "Console"}
    streams = {"sys.stdout.write", "sys.stderr.write"}
    found = {one for one in calls() if one[1] in around | streams and one[0] != "kogge/terminal/options.py"}
    # The verifier's own source, and metrics for a program: neither has a stranger's text.
    assert found == {(name, "sys.stdout.write") for name in ("kogge/audit/verify.py", "kogge/run/metrics.py")}


def test_there_is_one_way_to_a_csv_file() -> None:
    """Those beside it write files that Kogge reads back: the list, and waves.csv."""
    found = {file for file, name in calls() if name in ("csv.writer", "csv.DictWriter")}
    assert found == {"kogge/terminal/options.py", "kogge/prepare/plan.py", "engine/planning/waves_csv.py"}


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+49 30 1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u00a0=1",
        '"=1',
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20SUM",
        "\u2212cmd",
        "\ufeff=1",
        "Rechnung;=HYPERLINK(1)",
        "Rechnung; =1",
        'Rechnung";=1',
        "a;b;\uff1d1",
    ],
)
def test_no_field_is_a_formula_whatever_separates(text: str, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_csv(path, [{"folder": "x", "subject": text}], ["folder", "subject"], "rows")
    content = path.read_text(encoding="utf-8")
    for mark in (",", ";"):
        # As a lenient spreadsheet reads it: a quote within a field is text.
        for row in csv.reader(content.splitlines(), delimiter=mark):
            for field in (part for value in row for part in value.split("\n")):
                plain = field.translate(SIGNS).lstrip(' \t"?\u00a0\ufeff')
                assert not plain.startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("value", ["-", "", "a-b; c", "x = y", 7, -7, None, 1.5, "Anna@old.example"])
def test_what_is_no_formula_stays(value: object) -> None:
    assert cell(value) == value


def test_a_file_for_one_person_is_read_by_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        write_csv(path, [], ["a"], "rows")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def drawn(width: int, columns: tuple[str, ...], rows: list[tuple[str, ...]], wrap: tuple[str, ...]) -> str:
    out = Console(width=width, no_color=True)
    with out.capture() as got:
        out.print(table(columns, rows, wrap=wrap))
    return got.get()


def tables_in_commands() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Columns of every table whose columns are written where it is made, and which of them may break lines;
    and of those that are named by a constant."""
    found = []
    for text in (text for text in map(Path.read_text, SOURCES) if "table(" in text):
        tree = ast.parse(text)
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "table":
                columns = node.args[0]
                if isinstance(columns, ast.Name):
                    columns = constants.get(columns.id.upper(), columns)
                wrap = next((one.value for one in node.keywords if one.arg == "wrap"), ast.Tuple([]))
                if isinstance(columns, (ast.Tuple, ast.List)) and all(
                    isinstance(one, ast.Constant) for one in columns.elts
                ):
                    found.append((ast.literal_eval(columns), ast.literal_eval(wrap)))
    return [(tuple(columns), tuple(wrap)) for columns, wrap in found]


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize(("columns", "wrap"), tables_in_commands())
def test_every_table_shows_every_digit(columns: tuple[str, ...], wrap: tuple[str, ...], width: int) -> None:
    row = tuple(
        "12,345,678,901" if name in NUMBERS else f"{number}-some-code-of-a-usual-length"
        for number, name in enumerate(columns)
    )
    shown = drawn(width, columns, [row], wrap)
    assert max(map(len, shown.splitlines())) <= width
    for name, value in zip(columns, row, strict=True):
        if name not in wrap:
            assert value in shown
    assert sorted(set("".join(row))) == sorted(set("".join(row)) & set(shown))


def test_commands_have_tables() -> None:
    assert len(tables_in_commands()) > 10


WORDS = st.text(st.sampled_from("aé株0-,. "), max_size=50).map(str.strip)


@given(
    st.integers(8, 120),
    st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4),
    st.sets(st.sampled_from(["first", "items", "last"])),
)
def test_no_width_loses_a_character(width: int, rows: list[tuple[str, str, str]], wrap: set[str]) -> None:
    shown = drawn(width, ("first", "items", "last"), rows, tuple(sorted(wrap)))
    for letter in "é株0,":
        assert shown.count(letter) == sum(text.count(letter) for row in rows for text in row)


def test_what_has_no_room_beside_stands_below() -> None:
    rows = [("m-1", "12,345,678", "over-quota"), ("m-2", "1", "")]
    shown = drawn(20, ("mailbox", "items", "code"), rows, ())
    assert shown.splitlines() == [
        "mailbox       items",
        "m-1      12,345,678",
        "  code: over-quota",
        "m-2               1",
    ]


def test_status_of_large_numbers_in_eighty_columns() -> None:
    columns = ("mailbox", "workload", "state", "done", "items", "size", "rate", "left", "rejected", "code")
    row = (
        "m-12345678",
        "calendar",
        "running",
        "100%",
        "12,345,678",
        "123.4 GB",
        "12,345/s",
        "3h05m",
        "9",
        "x",
    )
    shown = drawn(80, columns, [row], ("code",))
    assert all(value in shown for value in row)


@pytest.fixture
def broken_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert run("init") == 0
    (tmp_path / "mailboxes.csv").write_text(f"source,target,wave\n{CLIPBOARD},b@new.example,{CLIPBOARD}\n")
    return tmp_path


def test_an_error_about_a_file_quotes_no_command(
    broken_list: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check") == 2
    shown = capsys.readouterr()
    assert not commands_in(shown.out + shown.err)


def test_directories_and_logs_are_private_whatever_the_umask(tmp_path: Path) -> None:
    state = tmp_path / "state"
    before = os.umask(0)
    try:
        with defect_log(state):
            logging.getLogger("kogge.defect").error("a defect")
        put(state / "reports" / "wave-a.html", "page", "--out")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (state, *state.rglob("*"))}
    assert modes == {
        **dict.fromkeys(("state", "logs", "reports"), 0o700),
        **dict.fromkeys(("defects.log", "wave-a.html"), 0o600),
    }
