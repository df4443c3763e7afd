"""The site has every page, its reference every setting and command, and it fetches nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.main import get_command

from connectors.catalogue.connector import named
from connectors.catalogue.entries import connectors
from connectors.settings import Strict
from engine.config.load import Config
from engine.planning.mailbox_list import OPTIONAL, REQUIRED
from engine.planning.relations import COLUMNS
from engine.planning.waves_csv import ESTIMATED, PLANNED
from engine.rollback.report import RollbackLine
from handbook import commands, configuration
from handbook.site import (
    OF_THE_ROOT,
    ROOT,
    loaded_from_elsewhere,
    name_languages,
    pages,
    stage,
    without_sources,
    write_codes,
)
from kogge.app import app
from kogge.prepare.links import LINKS
from kogge.prepare.losses import LOST
from kogge.run.failures import FAILED
from kogge.run.server_words import WORDS
from kogge.terminal.output import Output

NAV = set(re.findall(r": ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
OF_THE_PROGRAM = pages()
PAGES = {
    path.relative_to(ROOT / "docs").as_posix()
    for path in (ROOT / "docs").rglob("*.md")
    if path.parent.name != "adr"
}


def test_every_page_is_in_the_navigation_of_mkdocs_yml() -> None:
    assert {*PAGES, *OF_THE_PROGRAM} - NAV == set()
    assert NAV - {*PAGES, *OF_THE_PROGRAM, *OF_THE_ROOT} == set()


def test_the_list_of_decisions_has_each_of_them() -> None:
    listed = re.findall(r"\]\((.+\.md)\)", OF_THE_PROGRAM["adr/index.md"])
    assert listed == sorted(path.name for path in (ROOT / "docs" / "adr").glob("*.md"))


def test_every_table_of_the_configuration_is_in_the_reference() -> None:
    elsewhere = {"mailboxes", "addresses", "source", "target", "windows", "mail_routes"}
    assert set(Config.model_fields) == {*configuration.TABLES, *elsewhere}


@pytest.mark.parametrize(
    "model",
    [
        *dict.fromkeys(named(one.settings) for one in connectors().values()),
        *(model for _, _, model in configuration.PARTS),
        *(configuration.table_of(name) for name in configuration.TABLES),
    ],
)
def test_every_setting_has_a_meaning(model: type[Strict]) -> None:
    assert [name for name, text in configuration.described(model).items() if not text] == []


def test_a_setting_says_its_type_limits_and_default() -> None:
    lines = OF_THE_PROGRAM["reference/configuration.md"].splitlines()
    begins = "| `lease_seconds` | whole number from 10 to 3,600 | `60` |"
    assert any(line.startswith(begins) for line in lines)
    assert any(line.startswith("| `password` | [secret](#secrets) | must be given |") for line in lines)
    assert any(
        line.startswith("| `level` | `counts`, `sample`, `target`, `both` | `target` |") for line in lines
    )


def test_every_command_is_in_the_reference() -> None:
    page = OF_THE_PROGRAM["reference/commands.md"]
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for below in getattr(command, "commands", {"": None}):
            assert command.hidden or f"\n## `kogge {name} {below}".rstrip() in page
    assert "\\[" not in page


def test_an_option_says_its_value_and_default() -> None:
    assert "| `--config`, `-c` `FILE` | The configuration. (default `kogge.toml`; or" in commands.page()


@pytest.mark.parametrize(
    "columns",
    [
        (*REQUIRED, *OPTIONAL),
        (*PLANNED, *ESTIMATED),
        COLUMNS,
        Output(FAILED).names,
        Output(LOST).names,
        WORDS.names,
        LINKS.names,
        tuple(RollbackLine.__dataclass_fields__),
    ],
)
def test_every_column_is_in_the_reference(columns: Sequence[str]) -> None:
    page = (ROOT / "docs" / "reference" / "csv-files.md").read_text()
    assert any(
        {f"`{name}`" for name in columns} <= set(re.findall("`[^`]+`", row)) for row in page.splitlines()
    )


def test_pages_of_the_root_keep_links_into_the_site_alone() -> None:
    text = "[a](docs/score.md#x) [b](engine/app.py) [c](SECURITY.md) [d](https://example.org) [e](#f)"
    assert (
        without_sources(text, "docs/")
        == "[a](score.md#x) b [c](SECURITY.md) [d](https://example.org) [e](#f)"
    )


def test_links_to_the_root_lead_to_the_copies_in_the_site(tmp_path: Path) -> None:
    stage(tmp_path / "site")
    assert "](SECURITY.md)" in (tmp_path / "site" / "privacy-and-backups.md").read_text()
    assert (tmp_path / "site" / "SECURITY.md").exists()


def test_what_a_page_fetches_from_elsewhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<script src="https://cdn.example/x.js"></script><link rel=stylesheet href=//fonts.example/y.css>'
        '<img src="pictures/z.png"><a href="https://example.org/">elsewhere</a>'
    )
    assert loaded_from_elsewhere(tmp_path) == {"https://cdn.example/x.js", "//fonts.example/y.css"}


def test_a_page_in_another_language_says_so(tmp_path: Path) -> None:
    for name in ("guide.html", "guide.de.html"):
        (tmp_path / name).write_text('<!doctype html><html lang="en" class="no-js"><p lang="en">')
    name_languages(tmp_path)
    assert '<html lang="en" class' in (tmp_path / "guide.html").read_text()
    assert '<html lang="de" class="no-js"><p lang="en">' in (tmp_path / "guide.de.html").read_text()


def test_a_page_of_codes_that_is_behind_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "reference" / "codes.md"
    page.parent.mkdir(parents=True)
    page.write_text("Before.\n<!-- generated: begin -->\nold\n<!-- generated: end -->\nAfter.\n")
    assert write_codes(tmp_path)
    assert "`target-not-empty`" in page.read_text()
    assert page.read_text().endswith("<!-- generated: end -->\nAfter.\n")
    assert not write_codes(tmp_path)
