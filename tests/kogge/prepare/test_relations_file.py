"""`kogge discover --relations`: who is whose delegate becomes a file that `kogge plan` finds."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from commands import run
from lonely import TOML, settle

from engine.planning.mailbox_list import Person
from engine.preflight.source_inventory import Inventory
from kogge.prepare.relations_file import write_relations

ROWS = "source,target,wave\n" + "".join(f"{name}@old.example,{name}@new.example,\n" for name in "abc")


def person(line: int, name: str) -> Person:
    source, target = f"{name}@old.example", f"{name}@new.example"
    return Person(line, source, target, "", source, target)


def test_only_delegates_of_the_list_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = [
        Inventory(person(2, "a"), delegates=("B@old.example", "stranger@old.example")),
        Inventory(person(3, "b")),
        Inventory(person(4, "c"), delegates_unknown=True),
    ]
    file = tmp_path / "relations.csv"
    write_relations(file, found)
    assert file.read_text().split() == ["person,delegates", "a@old.example,B@old.example"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = capsys.readouterr().err
    assert "1 delegate of 1 mailbox in" in told
    assert "1 is in no row of the list" in told
    assert "1 mailbox does not say who its delegates are" in told
    assert "@" not in told


def test_plan_finds_the_file_beside_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(tmp_path, monkeypatch)
    (tmp_path / "mailboxes.csv").write_text(ROWS)
    (tmp_path / "relations.csv").write_text("person,delegates\na@old.example,nobody@old.example\n")
    assert run("plan") == 0
    shown = capsys.readouterr()
    assert "relations: relations.csv, which is beside the list" in shown.err
    assert "unknown-person: line 2" in shown.out
    (tmp_path / "kogge.toml").write_text(TOML + '[plan]\nrelations = "other.csv"\n')
    (tmp_path / "other.csv").write_text("person\na@old.example\n")
    assert run("plan") == 0
    assert "relations.csv" not in capsys.readouterr().err
