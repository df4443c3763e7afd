"""Servers that fail in the middle of a run: it ends with the target of a run without trouble, or with every
item accounted for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from proving import Done, Place, Seen, accounted, asked, until
from servers.dovecot import Dovecot
from servers.faulty import plan as faults
from servers.faulty.exchange import FaultyExchange
from servers.faulty.plan import Fault, FaultPlan, Kind

from ledger.db.rows import State
from practice.world.messages import Message
from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect]
Uninterrupted = Callable[[FaultyExchange], Counter[Seen]]


@pytest.fixture
def plan(exchange: FaultyExchange) -> Iterator[FaultPlan]:
    """What goes wrong at the Exchange, from now on and for this test only."""
    exchange.faults = FaultPlan(seed=3)
    yield exchange.faults
    exchange.faults = None


@pytest.fixture
def place(place: Place, uninterrupted: Uninterrupted) -> Place:
    """The run without trouble comes first; few items a batch, so that there is a middle."""
    uninterrupted(place.exchange)
    place.source["batch_items"] = "10"
    return place.configure()


def plain_item(exchange: FaultyExchange) -> Message:
    """An ordinary mail in an inbox."""
    mailbox = exchange.world.mailbox(exchange.world.addresses()[0])
    return next(one for one in mailbox.distinguished("inbox").items if one.recipe == "plain")


@pytest.mark.parametrize("power_cut", [pytest.param(False, marks=pytest.mark.soak), True])
def test_the_target_goes_away_in_the_middle(
    place: Place, dovecot: Dovecot, uninterrupted: Uninterrupted, power_cut: bool
) -> None:
    before = asked(place.exchange)
    with place.running("migrate", "--wave", "pilot", "--json") as running:
        assert until(lambda: asked(place.exchange) >= before + 30, running)
        if power_cut:
            dovecot.kill()
            time.sleep(0.5)
            dovecot.start()
        else:
            dovecot.restart()
        done = running.end()
    assert done.code == 0, done
    accounted(place)
    assert place.seen(dovecot) == uninterrupted(place.exchange)


PASSING = {
    "cut": [("GetItem", 2, faults.cut_mid_body()), ("SyncFolderItems", 3, faults.cut_mid_body())],
    "503": [("GetItem", 1, faults.http_503()), ("FindFolder", 2, faults.http_503())],
    "item-busy": [("GetItem", 3, faults.item_server_busy()), ("GetItem", 5, faults.item_server_busy())],
    "inner-busy": [("GetItem", 2, faults.inner_busy()), ("SyncFolderItems", 2, faults.inner_busy())],
    "sync-state": [("SyncFolderItems", 30, faults.invalid_sync_state())],
}


def test_passing_faults_of_the_source_leave_no_trace(
    place: Place, plan: FaultPlan, dovecot: Dovecot, uninterrupted: Uninterrupted
) -> None:
    scripted = [one for several in PASSING.values() for one in several]
    for operation, nth, fault in scripted:
        plan.script(operation, nth, fault)
    done = place.migrate()
    assert done.code == 0, done
    assert sum(plan.struck.values()) == len(scripted), plan.struck
    accounted(place)
    assert place.seen(dovecot) == uninterrupted(place.exchange)


def test_a_lost_sync_state_of_a_known_folder(
    place: Place, plan: FaultPlan, dovecot: Dovecot, uninterrupted: Uninterrupted
) -> None:
    """Between two runs every folder's state becomes invalid: nothing is copied again."""
    assert place.migrate().code == 0
    plan.rates, plan.budget = {Kind.INVALID_SYNC_STATE: 1.0}, 20
    done = place.migrate()
    assert done.code == 0, done
    assert plan.struck[Kind.INVALID_SYNC_STATE] > 3
    assert "source-cursor-lost" in place.events()
    accounted(place)
    assert place.seen(dovecot) == uninterrupted(place.exchange)


def test_an_expired_token(
    place: Place, plan: FaultPlan, dovecot: Dovecot, uninterrupted: Uninterrupted
) -> None:
    account = next(a for a in place.exchange.world.service_accounts.values() if a.may_impersonate)
    place.source |= {
        "auth": '"oauth2"',
        "token_url": f'"{place.exchange.token_url}"',
        "client_id": f'"{account.address}"',
        "client_secret": '{ file = "source-password" }',
    }
    place.configure()
    plan.script("GetItem", 4, faults.expired_token())
    plan.script("SyncFolderItems", 9, faults.expired_token())
    done = place.migrate()
    assert done.code == 0, done
    assert plan.struck == {Kind.EXPIRED_TOKEN: 2}
    accounted(place)
    assert place.seen(dovecot) == uninterrupted(place.exchange)


def test_mime_rebuilt_on_a_second_reading(place: Place, plan: FaultPlan, dovecot: Dovecot) -> None:
    """Exchange renders every message anew; the readings differ in bytes and say the same."""
    assert place.migrate().code == 0
    before = place.seen(dovecot)
    plan.rates, plan.budget = {Kind.REBUILD_MIME: 1.0}, 1000
    done = place.run("verify", "--wave", "pilot", "--level", "both", "--json")
    assert done.code == 0, done
    findings = done.document()["findings"]
    assert isinstance(findings, dict)
    assert findings.get("~", 0) > 0
    assert set(findings) <= {"=", "~"}
    assert place.seen(dovecot) == before


@pytest.mark.parametrize(
    ("how", "code"),
    [(faults.poison_item, "poison-item"), (faults.mime_conversion_failed, "mime-conversion-failed")],
)
def test_one_item_the_source_cannot_give(
    place: Place,
    plan: FaultPlan,
    dovecot: Dovecot,
    uninterrupted: Uninterrupted,
    how: Callable[[str], Fault],
    code: str,
) -> None:
    """It is rejected, or rebuilt from properties with named losses; all the others arrive."""
    plan.afflict(how(plain_item(place.exchange).id))
    done = place.migrate()
    accounted(place)
    assert done.code == 0, "a rejected item has a fate"
    found, wanted = place.seen(dovecot), uninterrupted(place.exchange)
    assert (wanted - found).total() == 1, "the item itself"
    if rejected := place.codes():
        assert rejected == {code: 1}
        assert found - wanted == Counter()
        failures = place.run("failures", "--json")
        assert failures.code == 1
        assert f'"code": "{code}"' in failures.out
    else:
        assert (found - wanted).total() == 1, "the rebuilt one"
        assert place.query("SELECT count(*) FROM loss WHERE reason = 'mime-rebuilt'") != [(0,)]


EVERYTHING = {
    Kind.HTTP_503: 0.03,
    Kind.SOAP_SERVER_BUSY: 0.03,
    Kind.ITEM_SERVER_BUSY: 0.02,
    Kind.INNER_BUSY: 0.03,
    Kind.CUT_MID_BODY: 0.05,
    Kind.INVALID_SYNC_STATE: 0.1,
    Kind.ERROR_PAGE: 0.02,
    Kind.REBUILD_MIME: 0.2,
    Kind.POISON_ITEM: 0.01,
    Kind.MIME_CONVERSION_FAILED: 0.03,
    Kind.VANISH: 0.02,
}


def everything(world: World, seed: int) -> FaultPlan:
    plan = FaultPlan(seed=seed, rates=EVERYTHING, on_vanish=world.vanish)
    brief = {kind: Fault(kind, seconds=0.2, millis=200) for kind in EVERYTHING}
    plan.shapes = brief
    return plan


def all_at_once(place: Place, dovecot: Dovecot, seed: int) -> None:
    """Runs until it says that all is well, as an operator would; the target is restarted meanwhile."""
    world = place.exchange.world
    place.exchange.faults = everything(world, seed)
    done = cut_while(place, dovecot)
    for _ in range(5):
        if done.code == 0:
            break
        assert done.code in (1, 3), done
        assert all(state != "blocked" for state, _, _ in place.legs().values()), place.legs()
        done = place.migrate()
    assert done.code == 0, done
    accounted(place)
    present = sum(sum(1 for _ in world.mailbox(who).messages()) for who in place.pairs)
    states = place.states()
    assert states[State.VERIFIED] + states[State.SKIPPED] + states[State.REJECTED] == present
    assert place.seen(dovecot).total() == states[State.VERIFIED]


def cut_while(place: Place, dovecot: Dovecot) -> Done:
    """A run during which the target is restarted."""
    before = asked(place.exchange)
    with place.running("migrate", "--wave", "pilot", "--json") as running:
        if until(lambda: asked(place.exchange) >= before + 30, running):
            dovecot.restart()
        return running.end()


def test_everything_at_once(make_place: Callable[[FaultyExchange], Place], dovecot: Dovecot) -> None:
    with FaultyExchange(World(seed=41, people=3, items=60, large=(3_000_000,))) as exchange:
        all_at_once(make_place(exchange), dovecot, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2, 12))
def test_everything_at_once_again(
    make_place: Callable[[FaultyExchange], Place], dovecot: Dovecot, seed: int
) -> None:
    with FaultyExchange(World(seed=41 + seed, people=4, items=90, large=(3_000_000,))) as exchange:
        all_at_once(make_place(exchange), dovecot, seed)
