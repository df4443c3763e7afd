"""A source of files: a person's drive in the practice Microsoft 365."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from benches import PASSWORD_ENV, Names
from connector_settings import graph_settings

from connectors.graph.source import GraphSource
from connectors.settings import Account, Secret
from engine.pacing.call_metrics import Meter, metered
from model.kinds import Kind
from model.protocols import Source
from practice.drive.drive import Drive, Node
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.graph.server import GraphServer
from practice.graph_items.drives import GraphDrives
from practice.world.world import World


@dataclass
class GraphFilesBench:
    """The drive's root is the folder ("Work",); what is delivered are files."""

    server: GraphServer
    drive: Drive
    spool: Path
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def open(self) -> Source:
        settings = graph_settings(self.server, Secret(env=PASSWORD_ENV), page_items=4)
        account = Account(login=self.server.world.addresses()[0])
        return metered(GraphSource(settings, account, self.spool, frozenset({Kind.FILES})), Meter())

    def create(self, path: Names) -> None:
        self.drive.folder(self.drive.at(*path[1:-1]), path[-1])

    def deliver(self, path: Names, raw: bytes) -> object:
        return self.drive.write(self.drive.at(*path[1:]), f"{next(self._numbers)}.eml", raw)

    def read(self, token: object) -> None:
        assert isinstance(token, Node)
        self.drive.touch(token, token.modified + timedelta(hours=1))

    def delete(self, token: object) -> None:
        assert isinstance(token, Node)
        self.drive.delete(token)

    def recreate(self, path: Names) -> bool:
        return False


@contextmanager
def online_drive() -> Iterator[tuple[GraphServer, Drive]]:
    """A practice Microsoft 365 with one empty drive."""
    world = World(seed=3, people=1, items=0, nasty=False)
    service = GraphDrives(Drives(world, Tree(files=0, nasty=False)))
    drive = service.drives.of(world.addresses()[0])
    drive.name = "Work"
    with GraphServer(world, services=[service]) as server:
        yield server, drive
