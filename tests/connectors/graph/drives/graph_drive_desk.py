"""A person's practice drive, and a GraphSource that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from servers.faulty.downloads import FaultyDownloads, FaultyDrives
from servers.faulty.graph import FaultyGraph

from connectors.graph.source import GraphSettings, GraphSource
from connectors.settings import Account, Secret
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Ref, key_of
from practice.drive.drive import Drive, Node
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.world.world import World

SECRET_ENV = "KOGGE_GRAPH_SECRET"
PLAIN = Tree(files=0, nasty=False)


@dataclass
class Desk:
    """source() opens another one. login: whose drive it is, or which site."""

    server: FaultyGraph
    service: FaultyDrives
    folder: Path
    login: str

    @property
    def drive(self) -> Drive:
        return self.service.drives.of(self.login)

    @property
    def downloads(self) -> FaultyDownloads:
        return self.service.downloads

    def source(self, login: str = "", **changes: Any) -> GraphSource:
        options: dict[str, Any] = {
            "tenant": self.server.tenant,
            "client_id": self.server.client_id,
            "client_secret": Secret(env=SECRET_ENV),
            "graph_url": self.server.url,
            "authority": self.server.authority,
            "patience_seconds": 5,
            "timeout_seconds": 5,
            "page_items": 20,
        }
        settings = GraphSettings(**{**options, **changes})
        return GraphSource(
            settings, Account(login=login or self.login), self.folder / "spool", frozenset({Kind.FILES})
        )


@contextmanager
def desk(folder: Path, monkeypatch: pytest.MonkeyPatch, tree: Tree = PLAIN) -> Iterator[Desk]:
    monkeypatch.setenv(SECRET_ENV, "practice-migrator")
    world = World(seed=5, people=3, items=0, nasty=False)
    service = FaultyDrives(Drives(world, tree))
    with FaultyGraph(world, services=[service]) as server:
        yield Desk(server, service, folder, world.addresses()[0])


def folders(source: GraphSource) -> dict[tuple[str, ...], Container]:
    """By path without the drive's name."""
    return {container.path[1:]: container for container in source.containers()}


def listed(source: GraphSource, container: Container, cursor: str | None = None) -> tuple[list[Ref], str]:
    pages = list(source.changes(container, cursor))
    return [ref for page in pages for ref in page.refs], pages[-1].cursor


def fetched(source: GraphSource, container: Container) -> dict[bytes, Native | Failed]:
    """Everything in a folder, by key."""
    refs, _ = listed(source, container)
    results = list(source.fetch(container, refs))
    return {one.key if isinstance(one, Failed) else key_of(one.ref.id): one for one in results}


def one(source: GraphSource, drive: Drive, node: Node) -> Native | Failed:
    """One file, out of its folder."""
    assert node.parent is not None
    return fetched(source, folders(source)[node.parent.path])[key_of(f"{drive.id}/{node.id}")]


def read(result: Native | Failed) -> bytes:
    assert isinstance(result, Native), result
    assert result.body is not None
    with result.body() as stream:
        return stream.read()


def code(result: Native | Failed) -> str:
    assert isinstance(result, Failed), result
    return result.error.code
