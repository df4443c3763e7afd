"""What arrives while the old and the new mailbox are both in use has its own date at a real IMAP server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from imapclient import IMAPClient
from servers.dovecot import Dovecot
from services import need_dovecot
from town import Town, configure, dovecot
from walking import letter

from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.config.template import write_new
from engine.leg.run_options import RunOptions
from engine.opening.open_sides import open_ledger
from engine.planning.load_plan import plan
from kogge.prepare.practice_servers import Stage, staged
from ledger.db.rows import LegState, Phase
from ledger.store import Ledger
from model.kinds import Kind
from practice.drive.drives import Drives
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.graph_items.drives import GraphDrives
from practice.tasks.stickies import note
from practice.world.mailbox import Mailbox
from practice.world.world import World

__all__ = ["dovecot"]
WEEKS = timedelta(days=30)
MORE = """
[gate]
directory = "people.csv"
[approval]
required = 0
"""
PHASES = (Phase.STAGING, Phase.LIVE)
pytestmark = pytest.mark.dovecot
_fresh = itertools.count(1)


def begin_earlier(ledger: Ledger) -> None:
    """The legs began their first runs weeks before they did."""
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE leg SET started = started - {WEEKS.total_seconds()}")


def now(**ago: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**ago)


def verified(config: Config, ledger: Ledger, mailbox: str, kind: Kind) -> None:
    (leg,) = ledger.legs(mailbox=mailbox, workload=kind)
    result = build_leg(config, leg.id, options=RunOptions(level="both")).run()
    assert (result.state, result.code) == (LegState.VERIFIED, None)
    assert [loss for _, _, loss in ledger.losses(leg.id) if loss.reason == "in-the-future"] == []


def moments(client: IMAPClient, folder: str) -> list[datetime]:
    """The dates of a folder's messages, the newest last."""
    client.normalise_times = False
    client.select_folder(folder, readonly=True)
    found = client.fetch(client.search(), ["INTERNALDATE"])
    return sorted(one[b"INTERNALDATE"].astimezone(UTC) for one in found.values())


@pytest.mark.parametrize("phase", PHASES)
def test_mail_from_imap(
    dovecot: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: Phase
) -> None:
    configure(tmp_path, dovecot, monkeypatch, MORE)
    town = Town.settled(tmp_path, dovecot, next(_fresh), {"anna": "pilot"}, 2)
    config = load(tmp_path / "kogge.toml")
    with closing(town.ledger()) as ledger:
        begin_earlier(ledger)
        ledger.set_phase(town.ids["anna"], phase, "somebody")
        for number in (51, 52):
            town.deliver(town.sources["anna"], letter(number))
            verified(config, ledger, town.ids["anna"], Kind.MAIL)
    with town.client(town.sources["anna"]) as old, town.client(town.targets["anna"]) as new:
        assert moments(new, "INBOX") == moments(old, "INBOX")


class Office:
    """One person of the practice Exchange, or of the practice Microsoft 365, and the ledger between."""

    def __init__(self, stage: Stage, world: World, config: Config) -> None:
        self.stage, self.world, self.config, self.ledger = stage, world, config, open_ledger(config)
        (self.id,) = plan(config, self.ledger).ids
        (row,) = self.ledger.mailboxes()
        self.box: Mailbox = world.mailbox(row.source)

    def coexist(self, kind: Kind, phase: Phase) -> None:
        verified(self.config, self.ledger, self.id, kind)
        begin_earlier(self.ledger)
        self.ledger.set_phase(self.id, phase, "somebody")

    def dates(self, folder: str) -> list[datetime]:
        stage = self.stage
        with IMAPClient(stage.imap_host, port=stage.imap_port, ssl=False) as client:
            client.login(f"{self.box.address}*{stage.master}", stage.master_password)
            return moments(client, folder)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Office]:
    need_dovecot()
    server = ExchangeServer(World(seed=11, people=1, items=3, pim=3, nasty=False))
    with staged(server, 1) as stage:
        write_new(tmp_path, stage.files(required=0))
        yield Office(stage, server.world, load(tmp_path / "kogge.toml"))


@pytest.fixture
def microsoft365(tmp_path: Path) -> Iterator[Office]:
    need_dovecot()
    world = World(seed=11, people=2, items=3, nasty=False)
    server = GraphServer(world, services=[GraphDrives(Drives(world))], https=True)
    with staged(ExchangeServer(world), 1, server) as stage:
        write_new(tmp_path, stage.files(required=0))
        yield Office(stage, world, load(tmp_path / "microsoft365.toml"))


@pytest.mark.parametrize("source", ["exchange", "microsoft365"])
@pytest.mark.parametrize("phase", PHASES)
def test_mail_from_exchange(request: pytest.FixtureRequest, source: str, phase: Phase) -> None:
    office: Office = request.getfixturevalue(source)
    office.coexist(Kind.MAIL, phase)
    arrived = []
    for received in (now(days=7), now()):
        office.box.deliver(office.box.distinguished("inbox"), received=received)
        verified(office.config, office.ledger, office.id, Kind.MAIL)
        arrived.append(received)
        assert office.dates("INBOX")[-len(arrived) :] == arrived


def test_notes_from_exchange(exchange: Office) -> None:
    exchange.coexist(Kind.NOTES, Phase.STAGING)
    written = []
    for modified in (now(days=7), now()):
        sticky = note(f"late {modified}", "Schlüssel mitbringen")
        dated = replace(sticky.common, created=modified, modified=modified)
        exchange.box.put(exchange.box.distinguished("notes"), replace(sticky, common=dated))
        verified(exchange.config, exchange.ledger, exchange.id, Kind.NOTES)
        written.append(modified)
        assert exchange.dates("Notes")[-len(written) :] == written
