"""Whether the key of keys opens what it must, known before anybody seals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run
from lonely import TOML, settle
from sealing import WAVE, Office, office, settled

from evidence.pack_keys import inspect_keys, look_of
from ledger.inventory import keystore

__all__ = ["office", "settled"]


def test_the_key_of_this_ledger_opens_all(office: Office) -> None:
    found = look_of(office.config)
    assert (found.good, found.keys) == (True, 2)
    assert found.line() == "evidence: the key of keys opens the keys of all 2 mailboxes that have one"


def test_a_key_that_was_destroyed_is_no_fault(office: Office) -> None:
    ledger = office.ledger()
    keystore.destroy(ledger.engine, ledger.mailboxes(WAVE)[0].id, "D. P. Officer", "asked for")
    found = inspect_keys(office.config, ledger)
    assert (found.good, found.keys) == (True, 1)
    ledger.close()


def test_another_key_or_none_is_told(office: Office) -> None:
    path = office.place / "evidence.key"
    for text, why in (("A" * 42 + "E=\n", "is not the one that"), ("short\n", "is not 32 bytes")):
        path.write_text(text)
        found = look_of(office.config)
        assert not found.good
        assert why in found.line()
    path.unlink()
    assert "no such file: run this where the migration ran" in look_of(office.config).line()
    assert not path.exists()


def test_a_mailbox_whose_key_is_damaged_is_named(office: Office) -> None:
    ledger = office.ledger()
    bad = ledger.mailboxes(WAVE)[0].id
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE evidence_key SET wrapped = zeroblob(40) WHERE mailbox = '{bad}'")
    found = inspect_keys(office.config, ledger)
    assert (found.good, found.keys, found.shut) == (False, 1, (bad,))
    assert bad in found.line()
    ledger.close()


def test_the_preflight_tells_it(
    office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(office.place, monkeypatch)
    assert (office.place / "kogge.toml").read_text() == TOML
    assert run("check", "--json") == 3, "the servers do not answer"
    told = json.loads(capsys.readouterr().out)["evidence"]
    assert told == {"keys": 2, "shut": [], "why": "", "made_yet": True}
    (office.place / "evidence.key").unlink()
    assert run("check") == 1
    assert "evidence: nothing can be sealed: " in capsys.readouterr().out


def test_a_preflight_before_the_first_pass_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = settle(tmp_path, monkeypatch)
    assert run("check") == 3
    assert "the first pass makes the key of keys" in " ".join(capsys.readouterr().out.split())
    assert not (place / "evidence.key").exists()
    assert not (place / "kogge-state" / "ledger.db").exists()
