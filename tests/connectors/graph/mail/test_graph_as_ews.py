"""One mailbox, read over EWS and over Graph: the same folders, the same mails, byte for byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from graph_script import Open

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from mappings.mail.mail import map_mail, skip_reason
from model.kinds import Kind
from model.protocols import Capabilities, Container, Failed, Native, Source
from practice.exchange.server import ExchangeServer
from practice.graph.server import GraphServer
from practice.world.world import World

NOT_AFTER = datetime(2030, 1, 1, tzinfo=UTC)
TARGET = Capabilities(kinds=frozenset({Kind.MAIL}))


@pytest.fixture(scope="module")
def world() -> World:
    return World(seed=11, people=1, items=400, nasty=True)


@pytest.fixture
def both(
    world: World, source: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Source, Source]]:
    address = world.addresses()[0]
    with ExchangeServer(world) as exchange, GraphServer(world, strict_mime=False) as online:
        name, service = next(iter(world.service_accounts.items()))
        monkeypatch.setenv("EWS_PASSWORD", service.password)
        settings = EwsSettings(url=exchange.url, username=name, password=Secret(env="EWS_PASSWORD"))
        ews = EwsSource(settings, Account(login=address, address=address), tmp_path / "ews")
        yield ews, source(online, Account(login=address, address=address))
        ews.close()


def mail_folders(source: Source) -> list[Container]:
    return [one for one in source.containers() if one.kind is Kind.MAIL]


def natives(source: Source, folders: list[Container]) -> Iterator[tuple[Container, Native | Failed]]:
    for folder in folders:
        if folder.omit is None:
            for page in source.changes(folder, None):
                for result in source.fetch(folder, page.refs):
                    yield folder, result


def shape(folder: Container) -> tuple[object, ...]:
    return folder.path, folder.role, folder.omit, folder.total, folder.size


def test_the_folders_are_the_same(both: tuple[Source, Source]) -> None:
    ews, graph = (set(map(shape, mail_folders(one))) for one in both)
    assert len(graph) > 25
    assert graph - ews == set()
    assert {one[2] for one in ews - graph} == {"journal"}, "Graph does not tell of a journal"


def meaning(native: Native) -> tuple[object, ...]:
    """What a mapping makes of it: the item, but for its key, and what was lost."""
    if (skipped := skip_reason(native)) is not None:
        return (skipped,)
    mapped = map_mail(native, TARGET, NOT_AFTER)
    item = mapped.item
    return item.digest, item.size, tuple(sorted(item.flags)), item.date, mapped.losses, mapped.labels


def read(source: Source) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for folder, result in natives(source, mail_folders(source)):
        if isinstance(result, Failed):
            found[(folder.path, result.error.code)] += 1
        else:
            facts = tuple(sorted((name, str(value)) for name, value in result.properties.items()))
            found[(folder.path, facts, meaning(result))] += 1
    return found


def test_every_mail_is_the_same_with_all_its_properties(both: tuple[Source, Source]) -> None:
    ews, graph = (read(one) for one in both)
    assert sum(ews.values()) > 350
    assert graph - ews == Counter()
    assert ews - graph == Counter()


def test_both_say_who_the_mailbox_belongs_to(both: tuple[Source, Source], world: World) -> None:
    ews, graph = (one.identity() for one in both)
    assert ews.addresses == graph.addresses
    assert ews.id != graph.id


def test_a_mail_costs_two_requests_and_a_ninth_of_a_round_trip(source: Open) -> None:
    """By the practice server's count, which is Graph's: each part of a batch is a request."""
    world = World(seed=5, people=1, items=300, nasty=False)
    address = world.addresses()[0]
    with GraphServer(world) as server:
        graph = source(server, Account(login=address, address=address))
        mails = sum(1 for _ in natives(graph, mail_folders(graph)))
        asked = Counter(server.requests)
    assert mails == 300
    assert (asked["ReadItem"], asked["ReadMime"]) == (mails, mails)
    assert asked["Batch"] <= 40 + 10  # folders are listed in batches, too
    assert server.gauge.refused == 0
