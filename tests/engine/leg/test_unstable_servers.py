"""A mail that Exchange renders otherwise: at each reading, as a draft, or once its marks changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run
from test_dates_servers import Office, exchange, microsoft365

from engine.assembly import build_leg
from engine.leg.run_options import RunOptions
from ledger.db.rows import LegState, Outcome
from model.kinds import Kind
from model.protocols import key_of
from practice.mail.mime_habits import MimeHabits
from practice.world.mailbox import Mailbox
from practice.world.messages import DRAFT, UNMARKED, Message

pytestmark = pytest.mark.dovecot
__all__ = ["exchange", "microsoft365"]
ASKED = replace(UNMARKED, read_receipt=True)
CHANGES: dict[str, Callable[[Mailbox, Message], None]] = {
    "category": lambda box, item: box.categorize(item, "Gr\u00fcn", "Neu"),
    "high": lambda box, item: box.mark(item, replace(item.marks, importance="High")),
    "low": lambda box, item: box.mark(item, replace(item.marks, importance="Low")),
    "follow-up": lambda box, item: box.flag(item),
    "receipt": lambda box, item: box.mark_read(item),
}


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
    shown = capsys.readouterr().out
    assert "unstable-at-source (1): Each reading is another" in shown
    assert "keeps no subject or name. kogge failures --subjects --by NAME reads" in " ".join(shown.split())
    assert run("failures", "--subjects", "--by", "Night shift") == 1
    shown = capsys.readouterr().out
    assert "stamped" in shown
    assert "--subjects" not in shown
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


def verdict(office: Office, *, verify_only: bool = False) -> tuple[LegState, str | None]:
    (leg,) = office.ledger.legs(mailbox=office.id, workload=Kind.MAIL)
    options = RunOptions(level="both", verify_only=verify_only)
    result = build_leg(office.config, leg.id, options=options).run()
    return result.state, result.code


@pytest.mark.parametrize("source", ["exchange", "microsoft365"])
def test_what_is_carried_as_a_flag_makes_no_other_mail(request: pytest.FixtureRequest, source: str) -> None:
    """Between two passes; a mail's body is never written again, so no later pass could mend it."""
    office: Office = request.getfixturevalue(source)
    office.world.mime = MimeHabits(marks=True)
    inbox = office.box.distinguished("inbox")
    items = {
        name: office.box.deliver(inbox, subject=name, text="text", marks=ASKED if name == "receipt" else None)
        for name in CHANGES
    }
    assert verdict(office) == (LegState.VERIFIED, None)
    for name, change in CHANGES.items():
        change(office.box, items[name])
    assert verdict(office) == (LegState.VERIFIED, None)
    assert verdict(office, verify_only=True) == (LegState.VERIFIED, None)


@pytest.mark.parametrize("source", ["exchange", "microsoft365"])
def test_a_draft_has_no_date_that_counts(request: pytest.FixtureRequest, source: str) -> None:
    office: Office = request.getfixturevalue(source)
    office.world.mime = MimeHabits(drafts=True)
    for number in range(2):
        office.box.deliver(office.box.distinguished("drafts"), subject=f"draft {number}", marks=DRAFT)
    assert verdict(office) == (LegState.VERIFIED, None)
    assert verdict(office, verify_only=True) == (LegState.VERIFIED, None)
    (leg,) = office.ledger.legs(mailbox=office.id, workload=Kind.MAIL)
    outcomes = [finding.outcome for _, finding in office.ledger.findings(leg.id)]
    assert outcomes.count(Outcome.REBUILT) >= 2
