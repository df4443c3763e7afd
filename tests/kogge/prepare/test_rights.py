"""What an application in Microsoft 365 may do: too little is a fault, too much needs a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import run
from configurations import graph_source
from practice_fixtures import world_fixture

from connectors.ews.settings import EwsSettings
from connectors.graph.preflight import NEEDED
from engine.config.load import load
from engine.config.sources import Sources
from engine.control.remedies import advice
from engine.planning.load_plan import plan
from engine.preflight import credential_scope, preflight
from ledger.store import Ledger
from model.kinds import KINDS, Kind
from model.optional_protocols import Rights
from practice.dav.radicale import RadicaleServer, start_radicale
from practice.graph.server import GraphServer
from practice.graph.tokens import READS, App
from practice.world.world import World

CALENDARS = ("calendar", "tasks")


@dataclass(frozen=True)
class Office:
    """One mailbox in Microsoft 365 whose calendar and tasks move to a Radicale."""

    server: GraphServer
    folder: Path

    @property
    def app(self) -> App:
        return App(self.server.client_id, self.server.secret)

    def grant(self, app: App) -> None:
        self.server.entra.add(app)


world = world_fixture(seed=5, people=1, items=0, pim=6)


@pytest.fixture(scope="module")
def radicale(world: World) -> Iterator[RadicaleServer]:
    server = start_radicale(list(world.addresses()), provisioned=True)
    yield server
    server.stop()


@pytest.fixture
def office(
    world: World, radicale: RadicaleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Office]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(credential_scope, "_answers", {})
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("KOGGE_TEST_DAV", radicale.user_password)
    (owner,) = world.addresses()
    with GraphServer(world) as server:
        monkeypatch.setenv("KOGGE_TEST_SECRET", server.secret)
        (tmp_path / "mailboxes.csv").write_text(f"source,target,wave\n{owner},{owner},1\n")
        (tmp_path / "directory.csv").write_text(f"source,target\n{owner},{owner}\n")
        targets = "".join(
            f"""
[target.{kind}]
kind = "caldav"
profile = "radicale"
url = "{radicale.url}"
password = {{ env = "KOGGE_TEST_DAV" }}
"""
            for kind in CALENDARS
        )
        (tmp_path / "kogge.toml").write_text(f"""
[approval]
required = 0
{graph_source(server)}[gate]
directory = "directory.csv"
{targets}""")
        yield Office(server, tmp_path)


def test_what_is_scoped_is_neither_missing_nor_too_much(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    (one,) = document["mailboxes"]
    assert (one["faults"], document["permissions"], document["hints"]) == ([], {}, [])


def test_what_nobody_counts_is_unknown_and_not_none(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert (one["items"], one["kinds"]) == (None, {"calendar": None, "tasks": None})
    assert run("check") == 0
    assert "items by workload: unknown calendar, unknown tasks" in capsys.readouterr().out


def test_a_workload_that_may_not_be_read_is_a_fault(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.grant(replace(office.app, roles=frozenset({"Calendars.Read", "User.Read.All"}), scoped={}))
    assert run("check", "--json") == 1
    (one,) = json.loads(capsys.readouterr().out)["mailboxes"]
    assert [(fault["side"], fault["code"]) for fault in one["faults"]] == [("source", "no-tasks-permission")]


@pytest.mark.parametrize("kind", NEEDED)
def test_the_advice_names_a_permission_that_is_enough(kind: Kind) -> None:
    assert any(name in advice(KINDS[kind].permission) for name in NEEDED[kind])


def test_too_much_is_said_once_and_needs_a_person(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    office.grant(replace(office.app, roles=frozenset({*READS, "Mail.Send"}), scoped={}))
    assert run("check") == 1
    shown = capsys.readouterr().out
    told = "source: tenant-wide: Calendars.Read, Contacts.Read, Mail.Read, Mail.Send, MailboxSettings.Read."
    assert shown.count(told) == 1
    assert shown.count("source: may-write: Mail.Send.") == 1
    config = load(office.folder / "kogge.toml")
    config.state_directory.mkdir(mode=0o700, exist_ok=True)
    with closing(Ledger(config.ledger_url())) as ledger:
        ledger.migrate()
        plan(config, ledger)
    assert run("migrate", "--wave", "1") == 1
    assert "tenant-wide: " in capsys.readouterr().err
    by = ("--wave", "1", "--by", "Auditor", "--reason", "no scopes in this tenant")
    assert run("approve", "tenant-wide", *by) == 0
    assert run("migrate", "--wave", "1") == 1
    assert "may-write: " in capsys.readouterr().err
    assert run("approve", "may-write", *by) == 0
    with closing(Ledger(config.ledger_url())) as ledger:
        preflight.refuse_power(config, ledger, "1")


def test_a_source_that_cannot_be_asked_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from model.errors import Blocked, Transient

    answers: list[Any] = [Transient("timeout"), Rights(wide=("Mail.Read",))]

    def asked(*_: object) -> Rights:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(credential_scope, "_answers", {})
    monkeypatch.setattr(credential_scope, "_asked", asked)
    config: Any = SimpleNamespace(path=Path("kogge.toml"))
    ledger: Any = SimpleNamespace(approved=lambda *_: False)
    credential_scope.refuse_excess(config, ledger, "w")
    for _ in range(2):
        with pytest.raises(Blocked, match=r"Mail\.Read") as raised:
            credential_scope.refuse_excess(config, ledger, "w")
        assert raised.value.code == "tenant-wide"


@pytest.mark.parametrize(
    ("url", "product", "hinted"),
    [
        ("https://outlook.office365.com/EWS/Exchange.asmx", None, True),
        ("https://mail.example.org/EWS/Exchange.asmx", "Exchange Online", True),
        ("https://mail.example.org/EWS/Exchange.asmx", "Exchange 2019 or SE", False),
    ],
)
def test_ews_of_exchange_online_is_sent_to_graph(url: str, product: str | None, hinted: bool) -> None:
    source = EwsSettings(url=url, username="service", password={"env": "X"})  # type: ignore[arg-type]
    look: Any = SimpleNamespace(facts={"source": {"product": product}} if product else {})
    config: Any = SimpleNamespace(source=Sources(source, {}), target=SimpleNamespace(of=lambda _: None))
    assert preflight.hints(config, [look]) == ([("source", "ews-ends")] if hinted else [])
    assert "graph" in advice("ews-ends")
