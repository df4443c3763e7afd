"""What `kogge discover` says of mailboxes that it could not list: the code, and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run
from lonely import settle

from engine.control.remedies import advice
from engine.planning.mailbox_list import read_mailboxes
from engine.preflight.source_inventory import Inventory

SILENT = "server-unreachable"


def test_a_source_that_is_down_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(tmp_path, monkeypatch)
    assert run("discover", "--csv", "i.csv") == 3
    said = capsys.readouterr()
    assert f"{SILENT} (1): {advice(SILENT)}\n  localhost:1: " in said.out
    assert "none of 1 mailbox could be listed" in said.out
    assert "will move" not in said.out.replace("what will move is not known", "")
    assert "Each item was listed" not in said.out
    assert "plan --inventory" not in said.err
    assert "Next, when the servers answer: run this command again" in said.err
    assert run("discover", "--json") == 3
    (mailbox,) = json.loads(capsys.readouterr().out)
    assert (mailbox["code"], mailbox["advice"]) == (SILENT, advice(SILENT))
    assert mailbox["cause"].startswith("localhost:1: ")


def test_a_file_that_lacks_a_mailbox_leads_to_no_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(tmp_path, monkeypatch)
    (tmp_path / "mailboxes.csv").write_text(
        "source,target,wave\na@old.example,a@new.example,w\nb@old.example,b@new.example,w\n"
    )
    whole, missing = (Inventory(one) for one in read_mailboxes(tmp_path / "mailboxes.csv"))
    whole.items, whole.bytes = 7, 7000
    missing.items, missing.bytes, missing.code = 3, 3000, "login-refused"
    monkeypatch.setattr("engine.preflight.source_inventory.take_all", lambda *_, **__: [whole, missing])
    assert run("discover", "--csv", "i.csv") == 1
    said = capsys.readouterr()
    assert "1 of 2 mailboxes listed, 7 items" in said.out
    assert f"login-refused (1): {advice('login-refused')}" in said.out
    assert "Each item was listed" not in said.out
    assert "plan --inventory" not in said.err
    assert "Next, when that is put right" in said.err
    missing.code = None
    assert run("discover", "--csv", "i.csv") == 0
    said = capsys.readouterr()
    assert "Each item was listed" in said.out
    assert "Next: kogge plan --inventory i.csv" in said.err
