"""A directory with seven mailboxes that have no wave yet, and how a person runs commands in it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import run
from configurations import NO_APPROVAL, SILENT, imap_sides

from ledger.db.rows import LegState
from ledger.store import Ledger
from model.protocols import Identity

SIDES = imap_sides("localhost", "localhost", SILENT)
TOML = f"""\
{NO_APPROVAL}{SIDES}[plan]
mailboxes = 3
pilot = 1
first = 2027-01-16
relations = "relations.csv"
inventory = "inventory.csv"
"""
NAMES = ("anna", "bert", "carl", "dora", "emil", "fred", "gina")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven mailboxes without a wave; anna and gina are delegates, fred's size is unknown."""
    (tmp_path / "kogge.toml").write_text(TOML)
    listed(tmp_path, *(f"{name}@old.example;{name}@new.example;" for name in NAMES))
    (tmp_path / "relations.csv").write_text("person,delegates\nanna@old.example,gina@old.example\n")
    sizes = [f"{line},{100 * line},{1000 * line},,{100 * line}" for line in (2, 3, 4, 5, 6, 8)]
    (tmp_path / "inventory.csv").write_text("\n".join(["line,items,bytes,code,mail", *sizes]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def listed(place: Path, *rows: str) -> None:
    (place / "mailboxes.csv").write_text("\n".join(["source;target;wave", *rows]) + "\n")


def waves(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["wave"] for row in csv.DictReader(file, delimiter=";")]


@pytest.fixture
def ledger(place: Path) -> Iterator[Ledger]:
    (place / "kogge-state").mkdir(mode=0o700)
    ledger = Ledger(f"sqlite:///{place}/kogge-state/ledger.db")
    ledger.migrate()
    yield ledger
    ledger.close()


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run(*arguments, "--json") == code
    text = capsys.readouterr().out
    assert "example" not in text  # lines name the mailboxes, addresses do not
    found: dict[str, Any] = json.loads(text)
    return found


def begin(ledger: Ledger, source: str) -> str:
    """Binds a mailbox, as its first run does."""
    number = next(row.id for row in ledger.mailboxes() if row.source == source)
    (leg,) = ledger.legs(mailbox=number)
    lease = ledger.claim(leg.id, f"binds {number}", 60)
    assert lease is not None
    ledger.bind(lease, Identity("m", number), Identity("m", number), "directory")
    ledger.release(lease, LegState.COPIED)
    return number
