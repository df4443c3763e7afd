"""A worker that is stopped in the middle of a large literal, past its lease, and continued when another has
done its work."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from proving import Place, Running, Seen, accounted, until
from servers.dovecot import Dovecot
from slow_line import Line

from practice.exchange.server import ExchangeServer
from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect]
Uninterrupted = Callable[[ExchangeServer], Counter[Seen]]
LARGE = 24_000_000
"""Half of it is more than the sockets on the way hold: what is not sent yet is still with the worker."""
LEASE = 10


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeServer]:
    with ExchangeServer(World(seed=37, people=1, items=12, large=(LARGE,))) as running:
        yield running


@pytest.fixture
def line(dovecot: Dovecot) -> Iterator[Line]:
    with Line(dovecot.host, dovecot.port) as opened:
        yield opened


def through(place: Place, line: Line) -> Place:
    """The worker that will be stopped reaches the target by that line."""
    place.tables["run"] = {"lease_seconds": str(LEASE), "write_grace_seconds": "1"}
    place.port = line.port
    return place.configure()


def stop_between_commits(place: Place, running: Running) -> None:
    """Whoever is stopped within one keeps an embedded database from all others."""
    while True:
        running.signal(signal.SIGSTOP)
        time.sleep(0.1)
        try:
            with closing(sqlite3.connect(place.state / "ledger.db", timeout=0.1)) as connection:
                connection.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError:
            running.signal(signal.SIGCONT)
            time.sleep(0.05)


def direct(place: Place, dovecot: Dovecot) -> Place:
    place.port = dovecot.port
    return place.configure()


def test_continued_in_mid_literal(
    place: Place, uninterrupted: Uninterrupted, dovecot: Dovecot, line: Line
) -> None:
    """It holds half of the message; when it wakes up, it sends no more of it."""
    wanted = uninterrupted(place.exchange)
    # One connection: what a second one had sent in full before the stop may land, as in the test below.
    place.tables["target.mail"] = {"connections": "1"}
    through(place, line)
    line.hold_after(LARGE // 2)
    with place.running("migrate", "--wave", "pilot", "--json") as stopped:
        assert until(lambda: line.held is not None, stopped)
        stop_between_commits(place, stopped)
        time.sleep(LEASE + 1)
        assert direct(place, dovecot).migrate().code == 0
        accounted(place)
        line.release()
        stopped.signal(signal.SIGCONT)
        done = stopped.end()
    assert done.code == 0, "by then another has accounted for everything"
    accounted(place)
    time.sleep(1)
    assert place.seen(dovecot) == wanted, "the literal was never completed"
    assert place.events().count("taken-over") == 1


def test_its_last_bytes_arrive_when_all_is_done(
    place: Place, uninterrupted: Uninterrupted, dovecot: Dovecot, line: Line
) -> None:
    """The network held the end of a write that was sent in time: a zombie, which the next run sweeps."""
    wanted = uninterrupted(place.exchange)
    through(place, line)
    line.hold_after(LARGE // 2, buffered=True)
    with place.running("migrate", "--wave", "pilot", "--json") as stopped:
        assert until(lambda: line.held is not None and line.held.received > LARGE, stopped)
        time.sleep(0.5)
        stop_between_commits(place, stopped)
        time.sleep(LEASE + 1)
        assert direct(place, dovecot).migrate().code == 0
        assert place.seen(dovecot) == wanted
        line.release()
        assert until(lambda: place.seen(dovecot) != wanted), "the zombie landed"
        stopped.kill()
    assert place.migrate().code == 0
    accounted(place)
    assert place.seen(dovecot) == wanted
    assert "zombies-removed" in place.events()
