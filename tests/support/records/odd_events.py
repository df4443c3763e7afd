"""Every odd event of the practice Exchange, as the source reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from model.protocols import Native, Role
from practice.calendar.appointments import Event, instances
from practice.calendar.events import ODDITIES
from practice.exchange.server import ExchangeServer
from practice.world.desk import Desk
from practice.world.world import World

OddEvents = dict[str, tuple[Event, Native]]
OWNER = World(seed=7, people=5, items=0, large=()).addresses()[0]


@contextmanager
def odd_events(dialect: Literal["exchange", "gromox"], spool: Path) -> Iterator[OddEvents]:
    """By name: what the server has, and the record. The bodies are read while the context is open."""
    world = World(seed=7, people=5, items=0, large=())
    mailbox = world.mailbox(OWNER)
    events = {name: make(Desk(7, 0, f"event/{name}")) for name, make in ODDITIES.items()}
    items = {mailbox.put(mailbox.distinguished("calendar"), event).id: name for name, event in events.items()}
    with pytest.MonkeyPatch.context() as patch, ExchangeServer(world, dialect=dialect) as server:
        source = _opened(server, world, patch, spool)
        box = next(one for one in source.containers() if one.role is Role.CALENDAR)
        refs = [ref for page in source.changes(box, None) for ref in page.refs]
        natives = [one for one in source.fetch(box, refs) if isinstance(one, Native)]
        named = {items[one.ref.id]: one for one in natives}
        assert named.keys() == ODDITIES.keys()
        yield {name: (events[name], one) for name, one in named.items()}
        source.close()


def _opened(server: ExchangeServer, world: World, patch: pytest.MonkeyPatch, spool: Path) -> EwsSource:
    user = next(iter(world.service_accounts))
    patch.setenv("EWS_PASSWORD", world.service_accounts[user].password)
    settings = EwsSettings(url=server.url, username=user, password=Secret(env="EWS_PASSWORD"))
    return EwsSource(settings, Account(login=OWNER, address=OWNER), spool)


def begins(event: Event, first: datetime, last: datetime) -> list[datetime]:
    """When an event takes place, by the server's own word."""
    return sorted(each.begins for each in instances(event, first, last))
