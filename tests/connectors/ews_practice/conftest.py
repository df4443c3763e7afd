"""Practice Exchanges in both dialects, and EWS sources that read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ews_truth import SERVICE, Open
from servers.faulty.exchange import FaultyExchange

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from engine.pacing.call_metrics import Meter, metered
from practice.world.mailbox import Mailbox
from practice.world.world import World


@pytest.fixture
def world() -> World:
    return World(seed=7, people=3, items=40, large=())


@pytest.fixture(params=["exchange", "gromox"])
def server(request: pytest.FixtureRequest, world: World) -> Iterator[FaultyExchange]:
    with FaultyExchange(world, dialect=request.param) as running:
        yield running


@pytest.fixture
def flat() -> World:
    """Three folders only: what the faults need, in few requests."""
    return World(seed=7, people=3, items=40, large=(), folder_count=3)


@pytest.fixture(params=["exchange", "gromox"])
def flat_server(request: pytest.FixtureRequest, flat: World) -> Iterator[FaultyExchange]:
    with FaultyExchange(flat, dialect=request.param) as running:
        yield running


@pytest.fixture
def flat_mailbox(flat: World) -> Mailbox:
    return flat.mailbox(flat.addresses()[0])


@pytest.fixture
def exchange(world: World) -> Iterator[FaultyExchange]:
    with FaultyExchange(world) as running:
        yield running


@pytest.fixture
def mailbox(world: World) -> Mailbox:
    return world.mailbox(world.addresses()[0])


@pytest.fixture
def source(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("EWS_PASSWORD", world.service_accounts[SERVICE].password)
    opened: list[EwsSource] = []

    def make(server: FaultyExchange, address: str = "", **changes: Any) -> EwsSource:
        chosen = address or world.addresses()[0]
        options = {
            "url": server.url,
            "username": SERVICE,
            "password": Secret(env="EWS_PASSWORD"),
            "patience_seconds": 20,
            "timeout_seconds": 10,
            **changes,
        }
        account = Account(login=chosen, address=chosen)
        opened.append(metered(EwsSource(EwsSettings(**options), account, tmp_path / "spool"), Meter()))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
