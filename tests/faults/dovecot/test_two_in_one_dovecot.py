"""Two logins that open one account of a real Dovecot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from connector_settings import dovecot_settings
from imapclient import IMAPClient
from memory.doubles import Step
from servers.dovecot import Dovecot, start_dovecot
from services import need_dovecot
from two_logins import NAMES, Two, once

from connectors.imap.target import ImapTarget
from connectors.settings import Account
from engine.leg.leg_result import LegResult
from ledger.db.rows import LegState
from model.protocols import Guard, Target

pytestmark = pytest.mark.dovecot
NAMELESS = ("ID",)
"""It does not say that it is a Dovecot, as behind some proxies: then nobody asks it for X-GUID."""


class OnDovecot(Two):
    server: Dovecot

    def open_target(self, name: str, guard: Guard, step: Step) -> Target:
        del step
        settings = dovecot_settings(self.server, self.path)
        return ImapTarget(settings, Account(login=name, address=f"{name}@new.example"), guard, self.path)

    def owners(self, name: str) -> set[str]:
        found = set()
        with IMAPClient(self.server.host, port=self.server.port, ssl=False) as client:
            client.login(f"{name}*{self.server.master_user}", self.server.master_password)
            for _, _, folder in client.list_folders():
                client.select_folder(folder, readonly=True)
                found |= {who for who in NAMES if client.search(["TEXT", f"of {who}"])}
        return found


@pytest.fixture(params=[NAMELESS, ()], ids=["nameless", "dovecot"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OnDovecot]:
    need_dovecot()
    server = start_dovecot(NAMES, hide=request.param)
    OnDovecot.server = server
    yield OnDovecot(tmp_path, {})
    server.stop()


def share(server: Dovecot) -> None:
    (server.lab / "mail" / "bob").symlink_to(server.lab / "mail" / "anna")


def test_bobs_walk_falls_into_the_listing_of_annas_source(two: OnDovecot) -> None:
    share(two.server)
    results: list[LegResult] = []
    anna = two.run("anna", once("source.changes", lambda: results.append(two.run("bob"))))
    assert sorted([anna.state, results[0].state]) == [LegState.BLOCKED, LegState.VERIFIED]
    blocked = next(one for one in (anna, results[0]) if one.state is LegState.BLOCKED)
    assert blocked.code == "identity-bound-elsewhere"
    assert len(two.owners("anna")) == 1


def test_one_after_the_other(two: OnDovecot) -> None:
    share(two.server)
    assert two.run("anna").state is LegState.VERIFIED
    assert two.run("bob").state is LegState.BLOCKED
    assert two.owners("bob") == {"anna"}


def test_two_accounts_are_both_filled(two: OnDovecot) -> None:
    results: list[LegResult] = []
    anna = two.run("anna", once("source.changes", lambda: results.append(two.run("bob"))))
    assert [one.state for one in (anna, *results)] == [LegState.VERIFIED, LegState.VERIFIED]
    assert [two.owners(name) for name in NAMES] == [{"anna"}, {"bob"}]
