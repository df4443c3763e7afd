"""The same practice mailboxes read over EWS and over Graph, paired item by item."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from connector_settings import graph_settings

from connectors.ews.source import EwsSettings, EwsSource
from connectors.graph.source import GraphSource
from connectors.settings import Account, Secret
from engine.pacing.call_metrics import Meter, metered
from mappings.fields.context import Context
from model.kinds import Kind
from model.protocols import Capabilities, Container, Failed, Mapped, Native, Source
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.graph.wire import rest_id
from practice.world.world import World

KINDS = frozenset({Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS})
NOT_AFTER = datetime(2026, 11, 25, tzinfo=UTC)
_FOLD = re.compile(rb"\r?\n[ \t]")


@dataclass(frozen=True)
class Pair:
    """One item. ews, graph: how each gave it, under one id; None: that one does not have it."""

    kind: Kind
    owner: str
    ews: Native | None
    graph: Native | None


@dataclass(frozen=True)
class Sources:
    """Both over one world, which both servers serve."""

    world: World
    exchange: ExchangeServer
    online: GraphServer
    spool: Path

    def ews(self, address: str) -> EwsSource:
        account = next(iter(self.world.service_accounts))
        settings = EwsSettings(url=self.exchange.url, username=account, password=Secret(env="EWS_PASSWORD"))
        return metered(EwsSource(settings, Account(login=address, address=address), self.spool), Meter())

    def graph(self, address: str, kinds: frozenset[Kind] = KINDS) -> GraphSource:
        server = self.online
        settings = graph_settings(server, Secret(env="GRAPH_SECRET"))
        return metered(
            GraphSource(settings, Account(login=address, address=address), self.spool, kinds), Meter()
        )

    def pairs(self, address: str) -> Iterator[Pair]:
        """Every item of these kinds that either of them has."""
        old, new = _read(self.ews(address)), _read(self.graph(address))
        for folder in self.world.mailbox(address).folders():
            for item in folder.items:
                ids = (rest_id(item.immutable_id), rest_id(item.id))  # To Do knows no immutable ones
                kind, ews = old.pop(item.id, (None, None))
                found = [new.pop(id_) for id_ in ids if id_ in new]
                graph = replace(found[0][1], ref=ews.ref) if found and ews else None
                if kind is not None:
                    yield Pair(kind, address, ews, graph)
        assert not old
        yield from (Pair(kind, address, None, one) for kind, one in new.values())

    def context(self, pair: Pair) -> Context:
        people = (self.world.people.at(n) for n in range(self.world.people.count))
        known = {one.legacy_dn.lower(): one.address for one in people}
        target = Capabilities(frozenset({pair.kind}))
        return Context(target, NOT_AFTER, NOT_AFTER, frozenset({pair.owner.lower()}), known)


@contextmanager
def sources(world: World, spool: Path) -> Iterator[Sources]:
    with (
        pytest.MonkeyPatch.context() as patch,
        ExchangeServer(world) as exchange,
        GraphServer(world) as online,
    ):
        patch.setenv("EWS_PASSWORD", next(iter(world.service_accounts.values())).password)
        patch.setenv("GRAPH_SECRET", online.secret)
        yield Sources(world, exchange, online, spool)


def _read(source: Source) -> dict[str, tuple[Kind, Native]]:
    found: dict[str, tuple[Kind, Native]] = {}
    for container in source.containers():
        if container.kind in KINDS and container.omit is None:
            found |= {one.ref.id: (container.kind, one) for one in fetched(source, container)}
    source.close()
    return found


def fetched(source: Source, container: Container) -> list[Native]:
    refs = [ref for page in source.changes(container, None) for ref in page.refs if not ref.deleted]
    results = list(source.fetch(container, refs))
    assert not [one.error for one in results if isinstance(one, Failed)]
    return [one for one in results if isinstance(one, Native)]


def differences(one: Mapped, other: Mapped) -> set[str]:
    """Names of the properties whose lines differ, and of the losses that only one has."""
    mine, others = _lines(one), _lines(other)
    names = {re.split("[:;]", line, maxsplit=1)[0] for line in mine ^ others}
    return names | {f"{loss.field}/{loss.reason}" for loss in set(one.losses) ^ set(other.losses)}


def _lines(mapped: Mapped) -> set[str]:
    """Unfolded."""
    return set(_FOLD.sub(b"", mapped.item.body().read()).decode().splitlines())


def same(one: Mapped, other: Mapped) -> bool:
    bodies = one.item.body().read() == other.item.body().read()
    return bodies and one.losses == other.losses and one.item.digest == other.item.digest
