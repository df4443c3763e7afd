"""`kogge rollback` and `kogge repair` as commands, and the flow, from one real Dovecot account to another."""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
import os
import stat
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import run
from prefect.settings import PREFECT_API_URL, temporary_settings
from servers.dovecot import Dovecot
from town import Town as AnyTown
from town import configure, dovecot
from walking import letter

from engine.control.remedies import advice
from ledger.db.rows import Phase

pytestmark = [
    pytest.mark.dovecot,
    # Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WAVES = {"anna": "pilot", "bert": "pilot", "carl": "other"}
ITEMS = 4
_fresh = itertools.count()
__all__ = ["dovecot"]


class Town(AnyTown):
    """Three people of two waves."""

    def code(self, who: str) -> str | None:
        with closing(self.ledger()) as ledger:
            (leg,) = ledger.legs(mailbox=self.ids[who])
            return leg.code


@pytest.fixture
def town(tmp_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Town:
    more = '[gate]\ndirectory = "people.csv"\n[approval]\nrequired = 0\n'
    configure(tmp_path, dovecot, monkeypatch, more)
    return Town.settled(tmp_path, dovecot, next(_fresh), WAVES, ITEMS)


APPROVED = ("--execute", "--by", "A. Auditor", "--reason", "wrong people")


def test_it_looks_first(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rollback", "--wave", "pilot") == 0
    shown = capsys.readouterr()
    assert f"{2 * ITEMS} " in shown.out
    assert "would be removed" in shown.out
    assert "To do it: kogge rollback --wave pilot --execute --by NAME --reason TEXT" in shown.err
    assert town.messages("anna") == ITEMS
    assert town.code("anna") is None


def test_a_look_at_servers_that_are_down_says_what_is_not_known(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    town.lose_server()
    assert run("rollback", "--wave", "pilot") == 3
    shown = capsys.readouterr()
    assert [line.split()[:3] for line in shown.out.splitlines() if line.startswith("mail")] == [
        ["mail", "2", "unknown"]
    ]
    assert f"server-unreachable (2): {advice('server-unreachable')}\n  127.0.0.1:1: " in shown.out
    assert "To do it" not in shown.err
    assert "run this command again" in shown.err
    assert run("repair", "flags", "--wave", "pilot") == 1
    assert "Nothing is to be repaired" not in capsys.readouterr().err


def test_a_wave_goes_and_another_stays(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rollback", "--wave", "pilot", *APPROVED, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [leg["ours"] for leg in told["legs"]] == [ITEMS, ITEMS]
    assert [town.messages(who) for who in town.ids] == [0, 0, ITEMS]
    assert [town.code(who) for who in town.ids] == ["rolled-back", "rolled-back", None]
    with closing(town.ledger()) as ledger:
        kinds = [event.kind for event in ledger.events("pilot")]
        assert kinds.count("rolled-back") == kinds.count("rollback-started") == 2
        assert "approved:rollback" in kinds


def test_what_was_done_is_told_as_done_and_what_moves_them_again(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("rollback", "--wave", "pilot", *APPROVED) == 0
    shown = capsys.readouterr()
    assert "would be" not in shown.out
    assert "kogge retry --wave pilot and kogge migrate --wave pilot" in shown.err
    assert run("retry", "--wave", "pilot") == 0
    assert [town.code(who) for who in ("anna", "bert")] == [None, None]


def test_somebody_live_goes_back_before_anything_moves_again(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    box = town.ids["anna"]
    with closing(town.ledger()) as ledger:
        ledger.set_phase(box, Phase.LIVE, "somebody")
    assert run("rollback", "-m", box, *APPROVED) == 0
    told = capsys.readouterr().err
    assert f"kogge give-back -m {box} --by NAME" in told
    assert f"To move them again, once they are given back: kogge retry -m {box}" in told
    run("status", "-m", box)
    shown = " ".join(capsys.readouterr().out.split())
    assert advice("rolled-back-live") in shown
    assert advice("rolled-back") not in shown
    assert run("give-back", "-m", box, "--by", "A. Auditor") == 0
    capsys.readouterr()
    run("status", "-m", box)
    assert advice("rolled-back") in " ".join(capsys.readouterr().out.split())


def test_one_mailbox_by_its_address_and_a_list_that_nobody_else_reads(town: Town) -> None:
    with town.client(town.targets["anna"]) as client:
        client.append("INBOX", letter(99), [])
        client.select_folder("INBOX")
        client.add_flags([1], [b"\\Seen"])
    assert run("rollback", "-m", town.targets["anna"], "--recall", *APPROVED, "--csv", "told.csv") == 0
    assert town.messages("anna") == 1
    assert town.messages("bert") == ITEMS
    assert stat.S_IMODE(Path("told.csv").stat().st_mode) == 0o600
    with Path("told.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["outcome"] for row in rows) == ["added", *["ours"] * ITEMS]
    assert [row["read"] for row in rows if row["message_id"].startswith("<0@")] == ["yes"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["rollback"],
        ["rollback", "--wave", "pilto"],
        ["rollback", "--wave", "pilot", "--execute"],
        ["rollback", "--wave", "pilot", "--by", "x", "--reason", "y"],
        ["rollback", "--wave", "pilot", "--execute", "--by", "x"],
        ["rollback", "--wave", "pilot", "--execute", "--by", " ", "--reason", "y"],
        ["repair", "sizes", "--wave", "pilot"],
        ["repair", "flags"],
        ["repair", "flags", "--wave", "pilot", "--execute"],
        ["repair", "flags", "--wave", "pilot", "--execute", "--by", "x", "--reason", " "],
    ],
)
def test_half_an_order_is_refused(town: Town, arguments: list[str]) -> None:
    assert run(*arguments) == 2
    assert town.messages("anna") == ITEMS


def test_an_approval_of_before_is_enough_and_lasts_for_one_rollback(
    town: Town, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--by", "A. Auditor", "--reason", "wrong people")
    assert run("approve", "rollback", "-m", town.ids["anna"], *words) == 0
    assert run("rollback", "--wave", "pilot", "--execute") == 1  # only one of two is approved
    assert (town.messages("anna"), town.messages("bert")) == (0, ITEMS)
    capsys.readouterr()
    assert run("rollback", "-m", town.ids["anna"], "--execute") == 0
    shown = capsys.readouterr()
    assert "Nothing of ours is left there: 1 mailbox." in shown.err
    assert shown.out.strip() == "", "no table without a row"
    assert run("retry", "-m", town.ids["anna"]) == 0
    assert run("rollback", "-m", town.ids["anna"], "--execute") == 2


def flow(town: Town, api: str) -> tuple[str, str]:
    """The name and message of the state in which the flow ends for the wave."""
    from flows.rollback import RollbackParameters, rollback

    given = {"KOGGE_CONFIG": str(town.folder / "kogge.toml")}
    with temporary_settings({PREFECT_API_URL: api}), patch.dict(os.environ, given):
        ended = asyncio.run(rollback(RollbackParameters(wave="pilot"), return_state=True))
    return str(ended.name), str(ended.message)


def test_the_flow_takes_back_what_is_approved(town: Town, api: str) -> None:
    name, message = flow(town, api)
    assert (name, "not-approved" in message) == ("Incomplete", True)
    assert town.messages("anna") == ITEMS
    words = ("--by", "A. Auditor", "--reason", "wrong people")
    assert run("approve", "rollback", "--wave", "pilot", *words) == 0
    name, message = flow(town, api)
    assert (name, "@" in message) == ("Completed", False)
    assert [town.messages(who) for who in town.ids] == [0, 0, ITEMS]


def test_repair_puts_right_what_it_showed(town: Town, capsys: pytest.CaptureFixture[str]) -> None:
    with town.client(town.targets["anna"]) as client:
        client.select_folder("INBOX")
        client.add_flags([1], [b"\\Flagged"])
    assert run("repair", "flags", "--wave", "pilot", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(leg["repaired"] for leg in told["legs"]) == 1
    assert run("repair", "flags", "--wave", "pilot") == 0
    again = "To do it: kogge repair flags --wave pilot --execute --by NAME --reason TEXT"
    assert again in capsys.readouterr().err
    words = ("--by", "A. Auditor", "--reason", "flags were lost")
    assert run("repair", "flags", "--wave", "pilot", "--execute", *words) == 0
    assert run("repair", "dates", "--wave", "pilot") == 0
    assert "Nothing is to be repaired." in capsys.readouterr().err
    assert run("log", "pilot", "--json") == 0
    started = [one for one in json.loads(capsys.readouterr().out) if one["kind"] == "repair-started"]
    assert [(one["detail"]["by"], one["detail"]["what"]) for one in started] == [("A. Auditor", "flags")]
    with town.client(town.targets["anna"]) as client:
        client.select_folder("INBOX", readonly=True)
        assert client.search("FLAGGED") == []
