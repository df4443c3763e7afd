"""A mail that Exchange renders otherwise at each reading: what its operator reads, and how it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run
from test_dates_servers import Office, exchange, microsoft365

from engine.assembly import build_leg
from engine.leg.run_options import RunOptions
from ledger.db.rows import LegState
from model.protocols import Kind, key_of

pytestmark = pytest.mark.dovecot
__all__ = ["exchange", "microsoft365"]


@pytest.mark.parametrize("source", ["exchange", "microsoft365"])
def test_it_is_named_and_accepted(request: pytest.FixtureRequest, source: str) -> None:
    office: Office = request.getfixturevalue(source)
    item = office.box.deliver(office.box.distinguished("inbox"), subject="stamped", text="text")
    item.restless = True
    (leg,) = office.ledger.legs(mailbox=office.id, workload=Kind.MAIL)
    result = build_leg(office.config, leg.id, options=RunOptions(level="both")).run()
    assert (result.state, result.code) == (LegState.DIFFERS, "unstable-at-source")
    for level in ("target", "both"):
        result = build_leg(office.config, leg.id, options=RunOptions(level=level, verify_only=True)).run()
        assert result.code == "unstable-at-source"
    office.ledger.approve(office.id, "unstable-at-source", "somebody", "a time stamp")
    result = build_leg(office.config, leg.id, options=RunOptions(level="both", verify_only=True)).run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)


def test_the_commands_name_it(
    exchange: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    item = exchange.box.deliver(exchange.box.distinguished("inbox"), subject="stamped", text="text")
    item.restless = True
    (leg,) = exchange.ledger.legs(mailbox=exchange.id, workload=Kind.MAIL)
    build_leg(exchange.config, leg.id, options=RunOptions(level="both")).run()
    assert run("failures", "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["code"], found["item"]) == ("unstable-at-source", key_of(item.id).hex())
    assert found["folder"]
    assert run("failures") == 1
    assert "unstable-at-source (1): Each reading is another" in capsys.readouterr().out
    order = ("--mailbox", exchange.id, "--by", "somebody", "--reason", "a time stamp")
    assert run("approve", "kept-otherwise", *order) == 0
    assert run("approve", "unstable-at-source", *order) == 0
    assert run("failures") == 1
    assert (
        build_leg(exchange.config, leg.id, options=RunOptions(level="both")).run().state is LegState.VERIFIED
    )
    capsys.readouterr()
    assert run("failures") == 0
    assert "No rejected items" in capsys.readouterr().out
