"""`kill -9`, SIGTERM and SIGINT of the whole `kogge migrate` process at seeded moments: the next run
ends with the target of one that was never interrupted."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from prefect_api import PrefectApi
from proving import Place, Running, Seen, accounted, asked, until
from servers.dovecot import Dovecot

from flows.deploy.killed_runs import KILLED
from flows.process.run_note import FOLDER
from ledger.db.rows import State
from practice.exchange.server import ExchangeServer

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect]
MakePlace = Callable[[ExchangeServer], Place]
Uninterrupted = Callable[[ExchangeServer], Counter[Seen]]


@pytest.fixture
def reference(uninterrupted: Uninterrupted, exchange: ExchangeServer) -> Counter[Seen]:
    return uninterrupted(exchange)


def interrupted(place: Place, requests: int, delay: float, act: Callable[[Running], None]) -> bool:
    """Runs `kogge migrate`; acts when the Exchange has answered so many of its requests, and a moment later.
    False when the run ended before."""
    before = asked(place.exchange)
    with place.running("migrate", "--wave", "pilot", "--json") as running:
        if not until(lambda: asked(place.exchange) >= before + requests, running):
            return False
        time.sleep(delay)
        if running.ended():
            return False
        act(running)
    return True


def killed(place: Place, dice: random.Random, times: int) -> int:
    """Kills so many runs, if they last; returns how many were."""
    return sum(
        interrupted(place, dice.randint(0, 45), dice.random() * 0.3, Running.kill) for _ in range(times)
    )


def prove_same(place: Place, dovecot: Dovecot, reference: Counter[Seen]) -> None:
    done = place.migrate()
    assert done.code == 0, done
    accounted(place)
    found = place.seen(dovecot)
    assert found - reference == Counter(), "too much"
    assert reference - found == Counter(), "too little"


def test_killed_again_and_again(place: Place, dovecot: Dovecot, reference: Counter[Seen]) -> None:
    assert killed(place, random.Random(5), 3) == 3
    prove_same(place, dovecot, reference)


def test_prefect_shows_a_killed_run_as_crashed_once_somebody_looks(
    place: Place, environment: dict[str, str]
) -> None:
    """No worker lives, and nobody migrates again."""
    api = PrefectApi(environment["PREFECT_API_URL"])
    assert interrupted(place, 20, 0.0, Running.kill)
    (note,) = (place.state / FOLDER).iterdir()
    assert api.ask("GET", f"/flow_runs/{note.name}")["state_type"] == "RUNNING"
    place.run("status")
    state = api.ask("GET", f"/flow_runs/{note.name}")["state"]
    assert (state["name"], state["message"]) == ("Crashed", KILLED)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(6))
def test_killed_thirty_times(place: Place, dovecot: Dovecot, reference: Counter[Seen], seed: int) -> None:
    """Five kills before each completed run."""
    assert killed(place, random.Random(seed), 5)
    prove_same(place, dovecot, reference)


ENDS = [
    (signal.SIGTERM, 3),
    (signal.SIGINT, 20),
    pytest.param(signal.SIGTERM, 35, marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("number", "requests"), ENDS)
def test_asked_to_stop(
    make_place: MakePlace, exchange: ExchangeServer, number: signal.Signals, requests: int
) -> None:
    """It settles what it has in hand, releases every lease and says 130; the next run completes."""
    place = make_place(exchange)
    before = asked(exchange)
    with place.running("migrate", "--wave", "pilot", "--json") as running:
        assert until(lambda: asked(exchange) >= before + requests, running)
        running.signal(number)
        done = running.end()
    assert done.code == 130, done
    assert {owner for _, _, owner in place.legs().values()} == {None}
    assert place.states()[State.WRITING] == 0
    assert place.migrate().code == 0
    accounted(place)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_at_any_moment(
    place: Place, dovecot: Dovecot, reference: Counter[Seen], number: signal.Signals
) -> None:
    """From the first instruction on; before Python listens, the signal itself ends it."""
    dice = random.Random(number)
    for _ in range(15):
        with place.running("migrate", "--wave", "pilot", "--json", start=True) as running:
            time.sleep(dice.random() * 5)
            running.signal(number)
            done = running.end()
        assert done.code in (0, 130, -number), done
        if place.is_planned():  # else it was stopped while it made the ledger
            assert {owner for _, _, owner in place.legs().values()} <= {None}
    prove_same(place, dovecot, reference)
