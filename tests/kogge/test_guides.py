"""The guides name commands, options, files, headings and functions that exist; one page has all codes."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from engine.control.code_book import FIDELITY, entries, handbook
from engine.control.remedies import ADVICE, STAYS
from kogge.app import app

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "codes.md"
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"
GUIDES = sorted(
    str(page.relative_to(ROOT))
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if page.parent.name != "adr"
)
FLOORS = (
    "model",
    "ledger",
    "mappings",
    "connectors",
    "engine",
    "evidence",
    "reports",
    "flows",
    "kogge",
    "practice",
)
PROGRAM = [*(file for floor in FLOORS for file in (ROOT / floor).rglob("*.py")), ROOT / "docker-compose.yml"]
COMMAND = r"(?:`|\$ |^    )kogge ([a-z]+(?:-[a-z]+)*)"
WALK = (ROOT / "docs" / "architecture.md").read_text()
NAMED = r"`((?:kogge|flows|reports|evidence|engine|connectors|mappings|ledger|model)(?:\.\w+){2,})`"


def test_the_codes_are_those_of_the_program() -> None:
    _, _, rest = DOCUMENT.read_text().partition(BEGIN)
    shown, found, _ = rest.partition(END)
    assert found
    assert shown == handbook(), "run `make docs`: it writes the page anew"


def test_every_code_is_in_the_handbook_once() -> None:
    codes = re.findall(r"^\| `([a-z-]+)` \|", handbook(), re.MULTILINE)
    assert sorted(codes) == sorted([*ADVICE, *STAYS])


@pytest.mark.parametrize("guide", GUIDES)
def test_commands_that_are_named_exist(guide: str) -> None:
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(COMMAND, (ROOT / guide).read_text(), re.MULTILINE))
    assert named <= known


@pytest.mark.parametrize("guide", GUIDES)
def test_options_that_are_named_exist(guide: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    lines = re.findall(rf"{COMMAND}([^`\n#]*)", (ROOT / guide).read_text(), re.MULTILINE)
    for name, rest in lines:
        command = commands[name]
        for word in rest.split():
            command = getattr(command, "commands", {}).get(word, command)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= known, f"kogge {name}{rest}"


@pytest.mark.parametrize("guide", GUIDES)
def test_links_lead_to_files(guide: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / guide).read_text())
    missing = [link for link in links if not ((ROOT / guide).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("guide", GUIDES)
def test_links_to_a_heading_find_it(guide: str) -> None:
    for link, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", (ROOT / guide).read_text()):
        page = (ROOT / guide).parent / link if link else ROOT / guide
        titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_pages_that_the_program_names_exist() -> None:
    named = {
        page
        for file in PROGRAM
        for page in re.findall(r"(?<![\w/])docs/[\w./-]+\.(?:md|png|sha256)", file.read_text())
    }
    assert len(named) > 3
    assert sorted(page for page in named if not (ROOT / page).exists()) == []


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`(\w+/[\w/]*(?:\.py)?)`", WALK))))
def test_files_of_the_walk_exist(file: str) -> None:
    assert (ROOT / file).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(NAMED, WALK))))
def test_functions_of_the_walk_exist(name: str) -> None:
    parts = name.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if find_spec_of(".".join(parts[:n])))
    found: object = import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        known = hasattr(found, part) or part in getattr(found, "__annotations__", {})
        assert known, f"{name} is gone"
        found = getattr(found, part, None)


def find_spec_of(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


EXPLAINED = [one for one in entries() if one.page != FIDELITY]
"""Fidelity has a row for each loss, with its field and its reason in two columns."""


@pytest.mark.parametrize("page", sorted({one.page for one in EXPLAINED}))
def test_a_page_that_explains_a_code_names_it(page: str) -> None:
    text = (ROOT / page.partition("#")[0]).read_text()
    codes = [one.code for one in EXPLAINED if one.page == page]
    assert [code for code in codes if f"`{code}`" not in text] == []
