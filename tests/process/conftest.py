"""Servers that outlive the processes under test: a Prefect, a Dovecot, an Exchange a module."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from proving import Place, Seen, accounted
from ready_prefect import LOGIN
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from servers.faulty.exchange import FaultyExchange

from flows.deploy import prefect_server
from flows.deploy.server_login import CLIENT_AUTH_STRING
from practice.world.world import World

HERE = Path(__file__).parent
USERS = tuple(f"user{number:03}@target.example" for number in range(300))
_fresh = iter(USERS)
_prefect: list[Path] = []
"""The state directory of the Prefect server that runs."""
MakePlace = Callable[[FaultyExchange], Place]


dovecot = dovecot_fixture(USERS, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Ends the Prefect server after the last test of this folder: an idle one takes 2 % of a processor."""
    try:
        yield
    finally:
        if nextitem is None or HERE not in nextitem.path.parents:
            _end_prefect()


def _end_prefect() -> None:
    while _prefect:
        prefect_server.down(_prefect.pop())


@pytest.fixture(scope="session")
def no_prefect_stays() -> Iterator[None]:
    yield
    _end_prefect()


@pytest.fixture(scope="module")
def environment(prefect_state: Callable[[], Path], no_prefect_stays: None) -> dict[str, str]:
    """Of every command: this Prefect server, and nothing of the machine's own Prefect."""
    if not _prefect:
        _prefect.append(prefect_state())
    (state,) = _prefect
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {
        **inherited,
        "PREFECT_API_URL": prefect_server.up(state, port=0).api,
        CLIENT_AUTH_STRING: LOGIN,
        "PREFECT_HOME": str(state / "client"),
        "COLUMNS": "120",
        "PYTHONFAULTHANDLER": "1",
    }


@pytest.fixture(scope="module")
def make_place(
    dovecot: Dovecot, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> MakePlace:
    """A place for the mailboxes of an Exchange, with target accounts nobody used before."""

    def make(exchange: FaultyExchange) -> Place:
        pairs = {address: next(_fresh) for address in exchange.world.addresses()}
        directory = tmp_path_factory.mktemp("place")
        return Place(directory, exchange, dovecot.host, dovecot.port, pairs, dict(environment)).configure()

    return make


@pytest.fixture(scope="module")
def uninterrupted(make_place: MakePlace, dovecot: Dovecot) -> Callable[[FaultyExchange], Counter[Seen]]:
    """What a run without any trouble leaves at the target; one run an Exchange."""
    known: dict[str, Counter[Seen]] = {}

    def run(exchange: FaultyExchange) -> Counter[Seen]:
        if exchange.url not in known:
            place = make_place(exchange)
            done = place.migrate()
            assert done.code == 0, done
            accounted(place)
            known[exchange.url] = place.seen(dovecot)
        return known[exchange.url]

    return run


@pytest.fixture(scope="module")
def exchange() -> Iterator[FaultyExchange]:
    """Three mailboxes with every oddity and one large message."""
    with FaultyExchange(World(seed=31, people=3, items=60, large=(3_000_000,))) as running:
        yield running


@pytest.fixture
def place(make_place: MakePlace, exchange: FaultyExchange) -> Place:
    return make_place(exchange)
