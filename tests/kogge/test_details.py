"""What is known beside the code of a leg that did not get further: the commands show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from commands import run
from lonely import settle

from ledger.db.rows import LegState, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

Ended = Callable[[LegState, str, str], str]


@pytest.fixture
def ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ended:
    """A mailbox that ended so; its id."""
    (settle(tmp_path, monkeypatch) / "kogge.toml").rename(tmp_path / "other.toml")
    (tmp_path / "kogge-state").mkdir(mode=0o700)

    def end(state: LegState, code: str, detail: str) -> str:
        with closing(Ledger(f"sqlite:///{Path.cwd()}/kogge-state/ledger.db")) as book:
            book.migrate()
            who = PlannedMailbox("a@old.example", "a@new.example", "w", Phase.STAGING, frozenset({Kind.MAIL}))
            book.add_mailboxes([who])
            (leg,) = book.legs("w")
            lease = book.claim(leg.id, "worker", 60)
            assert lease is not None
            assert book.release(lease, state, code, detail)
            return leg.mailbox

    return end


@pytest.mark.parametrize("command", ["status", "failures"])
def test_the_screen_names_the_mailbox_that_is_waited_for(
    ended: Ended, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    box = ended(LegState.WAITING, "account-in-doubt", "m-0badcafe")
    run(command, "-c", "other.toml")
    shown = capsys.readouterr().out
    assert box in shown
    assert "account-in-doubt (m-0badcafe)" in shown
    assert "The mailbox in brackets" in shown


def test_json_has_it(ended: Ended, capsys: pytest.CaptureFixture[str]) -> None:
    ended(LegState.BLOCKED, "no-permission", "NOPERM")
    run("status", "-c", "other.toml", "--json")
    (leg,) = json.loads(capsys.readouterr().out)["list"]
    assert (leg["code"], leg["detail"]) == ("no-permission", "NOPERM")


def test_another_run_begins_without_it(ended: Ended, capsys: pytest.CaptureFixture[str]) -> None:
    ended(LegState.BLOCKED, "no-permission", "NOPERM")
    assert run("retry", "-c", "other.toml", "--wave", "w") == 0
    capsys.readouterr()
    run("status", "-c", "other.toml", "--json")
    (leg,) = json.loads(capsys.readouterr().out)["list"]
    assert (leg["code"], leg["detail"]) == (None, None)
