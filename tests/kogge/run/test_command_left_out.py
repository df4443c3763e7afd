"""A mailbox that has begun loses its row: whoever runs or looks is told, until it is rolled back."""

from __future__ import annotations

import itertools
import json
import os
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import run
from servers.dovecot import Dovecot
from town import Town, configure, dovecot
from walking import letter

from ledger.db.rows import NOT_IN_PLAN

pytestmark = [
    pytest.mark.dovecot,
    # Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ITEMS = 2
LATE = letter(99)
_fresh = itertools.count()
__all__ = ["dovecot"]


@pytest.fixture
def town(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Town:
    """Three people of one wave have moved."""
    configure(tmp_path, dovecot, monkeypatch, '[gate]\ndirectory = "people.csv"\n[approval]\nrequired = 0\n')
    monkeypatch.setenv("COLUMNS", "200")
    waves = dict.fromkeys(("anna", "bert", "carl"), "pilot")
    return Town.settled(tmp_path, dovecot, next(_fresh), waves, ITEMS)


def take_out(town: Town, who: str) -> None:
    path = town.folder / "mailboxes.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join(row for row in rows if not row.startswith(f"{town.sources[who]},")) + "\n")


def migrate(api: str, *options: str, command: str = "migrate") -> int:
    with patch.dict(os.environ, {"PREFECT_API_URL": api}):
        return run(command, *options)


def test_a_mailbox_without_a_row_is_named_and_late_mail_is_not_said_to_have_arrived(
    town: Town, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    carl = town.ids["carl"]
    take_out(town, "carl")
    for who in ("anna", "carl"):
        town.deliver(town.sources[who], LATE)
    capsys.readouterr()
    assert migrate(api, "--wave", "pilot") == 1
    shown = capsys.readouterr()
    assert [town.messages(who) for who in town.ids] == [ITEMS + 1, ITEMS, ITEMS]
    assert f"wave pilot: 1 of 3 workloads is not accounted for: 1 not run ({NOT_IN_PLAN})" in shown.err
    assert "3 mailboxes; items by fate" in shown.out
    assert f"{NOT_IN_PLAN}: {carl}. Put its row back in mailboxes.csv" in shown.out
    assert "NOT every item is accounted for" in shown.out
    (town.folder / "mailboxes.csv").rename(town.folder / "elsewhere.csv")  # the ledger alone tells it
    assert run("status") == 1
    shown = capsys.readouterr()
    assert next(line for line in shown.out.splitlines() if carl in line).endswith(f"mail: {NOT_IN_PLAN}")
    assert f"{NOT_IN_PLAN} (1): Put its row back" in shown.out
    assert "every item is accounted for" not in shown.out
    assert run("status", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["mailboxes"], told["codes"]) == (3, {NOT_IN_PLAN: 1})
    assert [line["mailbox"] for line in told["by_mailbox"] if line["needs_person"]] == [carl]


def test_once_its_row_is_back_it_goes_on(town: Town, api: str, capsys: pytest.CaptureFixture[str]) -> None:
    listed = (town.folder / "mailboxes.csv").read_text()
    take_out(town, "carl")
    town.deliver(town.sources["carl"], LATE)
    anna, carl = town.ids["anna"], town.ids["carl"]
    assert migrate(api, "-m", anna, "-m", carl) == 1
    assert f"{NOT_IN_PLAN}: {carl}. " in capsys.readouterr().out
    assert migrate(api, "-m", anna) == 0
    (town.folder / "mailboxes.csv").write_text(listed)
    assert migrate(api, "--wave", "pilot") == 0
    assert town.messages("carl") == ITEMS + 1
    assert "all 3 workloads of 3 mailboxes are verified" in capsys.readouterr().err
    assert run("status") == 0


def test_one_that_is_left_out_and_rolled_back_alarms_nobody(
    town: Town, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    take_out(town, "carl")
    assert migrate(api, "--wave", "pilot") == 1
    assert run("rollback", "-m", town.ids["carl"], "--execute", "--by", "A. B.", "--reason", "stays") == 0
    assert town.messages("carl") == 0
    capsys.readouterr()
    assert migrate(api, "--wave", "pilot") == 0
    shown = capsys.readouterr()
    assert "wave pilot: all 2 workloads of 2 mailboxes are verified" in shown.err
    assert "2 mailboxes; items by fate" in shown.out
    assert "every item is accounted for" in shown.out
    assert run("status") == 0
    assert "1 mailbox is left out: without a row in mailboxes.csv, and rolled back" in capsys.readouterr().out
    assert migrate(api, "--wave", "pilot", command="verify") == 0


def test_a_row_that_leads_elsewhere_is_open_in_each_sentence(
    town: Town, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = town.folder / "mailboxes.csv"
    path.write_text(path.read_text().replace(town.targets["carl"], "else@new.example"))
    assert migrate(api, "--wave", "pilot") == 1
    shown = capsys.readouterr()
    assert "1 not run (plan-changed)" in shown.err
    assert "NOT every item is accounted for" in shown.out
    with closing(town.ledger()) as ledger:
        assert [leg.withheld for leg in ledger.legs(mailbox=town.ids["carl"])] == ["plan-changed"]
    assert run("status") == 1
