"""A practice Microsoft 365 and a practice Nextcloud, between which files move and are shared."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from connector_settings import graph_settings
from memory.wrapped import wrapped
from walking import PACE

from connectors.files.target import FilesSettings, FilesTarget
from connectors.graph.source import GraphSource
from connectors.settings import Account, Secret
from engine.context.leg_context import Opener
from engine.context.principals import Parties
from engine.identity.identity_gate import GateRules, Pair
from engine.leg.leg_result import LegResult
from engine.leg.run import Leg, LegSetting, Task, approvals
from engine.planning.deny_list import DenyList
from engine.planning.mailbox_list import Directory
from engine.verify.compare import Level
from ledger.db.rows import LegState, Outcome, Phase
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Guard, Identity, key_of
from practice.drive.drive import Drive, Node
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.graph.server import GraphServer
from practice.graph_items.drives import GraphDrives
from practice.nextcloud.files import USER_PASSWORD, NextcloudFiles
from practice.nextcloud.shares import NextcloudShares
from practice.world.world import World

SECRET, PASSWORD = "KOGGE_GRAPH_SECRET", "KOGGE_FILES_PASSWORD"
ANNA, BERND, CARLA = "anna@example.org", "bernd", "carla"
LATER = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=90)
Shared = list[tuple[str, int, str, int, str]]


@dataclass
class Office:
    """Four people of a practice Microsoft 365: the files of the first move; the others are in the plan, but
    for the last."""

    graph: GraphServer
    drive: Drive
    cloud: NextcloudFiles
    shares: NextcloudShares
    folder: Path
    url: str = ""
    kind: str = "nextcloud"
    versions: int = 0
    deny: DenyList = field(default_factory=DenyList)
    ledger: Ledger = field(init=False)
    id: str = field(init=False)

    def __post_init__(self) -> None:
        self.people = self.graph.world.addresses()
        self.ledger = Ledger(f"sqlite:///{self.folder}/ledger.db")
        self.ledger.migrate()
        files = frozenset({Kind.FILES})
        one, two, three, *_ = self.people
        added = self.ledger.add_mailboxes(
            [
                PlannedMailbox(one, ANNA, "w", Phase.FROZEN, files, target_login="anna"),
                PlannedMailbox(two, "bernd@new.example", "w", Phase.STAGING, files, target_login=BERND),
                PlannedMailbox(three, "carla@new.example", "w", Phase.STAGING, files, target_login=CARLA),
            ]
        )
        self.id = str(added[0])
        self.prove(str(added[1]))
        self.prove(str(added[2]))
        self.directory = Directory(
            {one: frozenset({1}), two: frozenset({2})},
            {ANNA: frozenset({1}), "anna": frozenset({1}), "bernd@new.example": frozenset({2})},
        )
        self.plain = self.drive.write(self.drive.root, "Plan.txt", b"plan")
        self.box = self.drive.folder(self.drive.root, "Amt")
        self.inner = self.drive.write(self.box, "Vermerk.txt", b"note")

    def prove(self, mailbox: str, user: str = "") -> None:
        """As the gate does when that mailbox is run. user: as the target calls them."""
        (leg,) = self.ledger.legs(mailbox=mailbox)
        lease = self.ledger.claim(leg.id, f"binds {mailbox}", 60)
        assert lease is not None
        account = Identity("nextcloud", mailbox, user=user)
        self.ledger.bind(lease, Identity("graph", mailbox), account, "directory")
        self.ledger.release(lease, LegState.VERIFIED)

    def run(
        self, task: Task | None = None, stop: threading.Event | None = None, groups: Mapping[str, str] = {}
    ) -> LegResult:
        mailbox = self.ledger.mailbox(self.id)
        live = mailbox.phase is Phase.LIVE
        rules = GateRules(directory=self.directory)
        setting = LegSetting(
            ledger=self.ledger,
            mailbox=mailbox,
            pair=Pair(
                Account(login=self.people[0], address=self.people[0]), Account(login="anna", address=ANNA)
            ),
            opener=wrapped(Opener(self.source, lambda guard, _moment: self.target(guard, live=live))),
            rules=replace(rules, approved=approvals(self.ledger, mailbox)),
            pace=PACE,
            task=task or Task(Level.TARGET),
            stop=stop or threading.Event(),
            kek=lambda: bytes(32),
            sleep=lambda seconds: None,
            parties=Parties(
                lambda sources: self.ledger.targets(sources, Kind.FILES),
                self.directory,
                self.deny,
                groups,
            ),
        )
        (leg,) = self.ledger.legs(mailbox=self.id)
        return Leg(setting, leg).run()

    def source(self) -> GraphSource:
        settings = graph_settings(self.graph, Secret(env=SECRET))
        return GraphSource(settings, Account(login=self.people[0]), self.folder, frozenset({Kind.FILES}))

    def user_of(self, login: str) -> str:
        """As the server answers who logs in so."""
        target = self.target(lambda: None, live=False, login=login)
        try:
            return target.identity().user
        finally:
            target.close()

    def target(self, guard: Guard, *, live: bool, login: str = "anna") -> FilesTarget:
        given = {
            "kind": self.kind,
            "url": self.url or self.cloud.url,
            "password": {"env": PASSWORD},
            "patience_seconds": 10,
            "versions": self.versions,
        }
        settings = FilesSettings.model_validate(given)
        return FilesTarget(settings, Account(login=login), guard, self.folder, live=live)

    def verified(self, groups: Mapping[str, str] = {}) -> Shared:
        """What is shared at the target after a run that is content."""
        result = self.run(groups=groups)
        assert (result.state, result.code) == (LegState.VERIFIED, None), result
        return self.shares.stated()

    def losses(self, field: str = "share") -> list[str]:
        (leg,) = self.ledger.legs(mailbox=self.id)
        found = [loss for _, _, loss in self.ledger.losses(leg.id) if loss.field == field]
        return sorted(loss.reason for loss in found)

    def findings(self) -> list[tuple[Outcome, bytes | None, str]]:
        (leg,) = self.ledger.legs(mailbox=self.id)
        return [(found.outcome, found.key, found.detail) for _, found in self.ledger.findings(leg.id)]

    def key(self, node: Node) -> bytes:
        return key_of(f"{self.drive.id}/{node.id}")


@contextmanager
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv(SECRET, "practice-migrator")
    monkeypatch.setenv(PASSWORD, USER_PASSWORD)
    world = World(seed=5, people=4, items=0, nasty=False)
    service = GraphDrives(Drives(world, Tree(files=0, nasty=False)))
    drive = service.drives.of(world.addresses()[0])
    with NextcloudFiles(["anna", BERND, CARLA]) as cloud, GraphServer(world, services=[service]) as graph:
        made = Office(graph, drive, cloud, NextcloudShares(cloud, groups=["team"]), folder)
        yield made
        made.ledger.close()
