"""Graph sources that talk to a scripted cloud, or to the practice one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graph_script import ACCOUNT, ORIGIN, Cloud, Open
from servers.faulty.graph import FaultyGraph

from connectors.graph.source import GraphSettings, GraphSource
from connectors.settings import Account, Secret
from engine.pacing.call_metrics import Meter, metered
from model.kinds import Kind
from practice.world.world import World

SECRET_ENV = "KOGGE_GRAPH_SECRET"


@pytest.fixture
def source(scripted_source: Open) -> Open:
    return scripted_source


@pytest.fixture
def scripted_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A source of the mails, or of these kinds, of a scripted cloud or of the practice server."""
    monkeypatch.setenv(SECRET_ENV, "practice-migrator")
    opened: list[GraphSource] = []

    def make(cloud: Cloud | FaultyGraph, account: Account = ACCOUNT, **changes: Any) -> GraphSource:
        options: dict[str, Any] = {
            "tenant": "example.org",
            "client_id": "0000-1111",
            "client_secret": Secret(env=SECRET_ENV),
            "graph_url": f"{ORIGIN}/v1.0",
            "authority": "https://login.example.org",
            "patience_seconds": 5,
            "timeout_seconds": 5,
        }
        network = None
        if isinstance(cloud, Cloud):
            network = cloud.network
        else:
            options |= {"tenant": cloud.tenant, "client_id": cloud.client_id}
            options |= {"graph_url": cloud.url, "authority": cloud.authority}
        kinds = changes.pop("kinds", frozenset({Kind.MAIL}))
        listed = changes.pop("listed", ())
        settings = GraphSettings(**{**options, **changes})
        side = GraphSource(settings, account, tmp_path / "spool", kinds, network, listed=listed)
        opened.append(metered(side, Meter()))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def practice() -> Iterator[FaultyGraph]:
    """A nasty mailbox; read only."""
    with FaultyGraph(World(seed=5, people=2, items=150, nasty=True)) as server:
        yield server
