"""What needs a person: a clear code, nothing lost, the other mailboxes go on, and the run completes when the
cause is gone."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from proving import Done, Place, Seen, accounted
from servers.dovecot import Dovecot, start_dovecot

from practice.exchange.server import ExchangeServer
from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect]
Uninterrupted = Callable[[ExchangeServer], Counter[Seen]]
MakePlace = Callable[[ExchangeServer], Place]
LARGE = 7_000_000
FEW = 6
"""Refused logins that lock no account: Active Directory's usual threshold is 10."""


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeServer]:
    with ExchangeServer(World(seed=43, people=3, items=25, large=(LARGE,))) as running:
        yield running


@pytest.fixture
def large(place: Place) -> str:
    """The target account of the mailbox with the large message."""
    return place.pairs[place.exchange.world.addresses()[0]]


def only(place: Place, user: str, state: str, code: str) -> None:
    """This leg ended so, and all the others verified."""
    legs = place.legs()
    assert legs.pop(user) == (state, code, None)
    assert {leg[0] for leg in legs.values()} == {"verified"}


def test_a_full_target(place: Place, large: str, dovecot: Dovecot, uninterrupted: Uninterrupted) -> None:
    dovecot.set_quota(large, LARGE)
    done = place.migrate()
    assert done.code == 1
    only(place, large, "blocked", "over-quota")
    shown = place.run("status")
    assert shown.code == 1
    assert "over-quota" in shown.out
    assert place.migrate().code == 1, "a blocked mailbox is left alone"
    dovecot.set_quota(large, None)
    assert place.run("retry", "--wave", "pilot").code == 0
    assert place.migrate().code == 0
    accounted(place)
    assert place.seen(dovecot) == uninterrupted(place.exchange)


def small_files() -> None:
    """Runs in the child. As a full disk: the large message does not fit; the ledger, whose write-ahead log
    grows to 4 MB, does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_500_000, 5_500_000))


def test_a_full_disk(place: Place, large: str, dovecot: Dovecot, uninterrupted: Uninterrupted) -> None:
    place.source["spool_above"] = "500_000"
    place.configure()
    done = place.run("migrate", "--wave", "pilot", "--json", limits=small_files)
    assert done.code == 1, done
    only(place, large, "blocked", "spool-full")
    assert "spool-full" in place.run("status").out
    assert place.run("retry").code == 0
    assert place.migrate().code == 0
    accounted(place)
    assert place.seen(dovecot) == uninterrupted(place.exchange)


def refused(place: Place, code: str) -> Done:
    """A run that stops because every mailbox would be refused."""
    done = place.run("migrate", "--wave", "pilot")
    assert done.code == 1, done
    assert code in done.err
    return done


def test_a_wrong_service_password(make_place: MakePlace, dovecot: Dovecot) -> None:
    """Ten mailboxes do not mean ten refused logins; with the right password all of them move."""
    with ExchangeServer(World(seed=44, people=10, items=3, large=())) as exchange:
        place = make_place(exchange)
        place.secret("source", "wrong")
        refused(place, "login-refused")
        assert 0 < exchange.gatekeeper.refused.total() <= FEW
        assert place.seen(dovecot).total() == 0
        place.configure()
        assert place.run("retry").code == 0
        assert place.migrate().code == 0
        accounted(place)


def test_a_wrong_target_password(make_place: MakePlace, dovecot: Dovecot) -> None:
    with ExchangeServer(World(seed=44, people=10, items=3, large=())) as exchange:
        place = make_place(exchange)
        place.secret("target", "wrong")
        before = dovecot.log().count("auth failed")
        refused(place, "login-refused")
        assert 0 < dovecot.log().count("auth failed") - before <= FEW


def test_mailboxes_that_do_not_exist(place: Place, exchange: ExchangeServer, dovecot: Dovecot) -> None:
    """One at each side; the others move."""
    first, second, third = exchange.world.addresses()
    missing = "nobody.at.all@target.example"
    place.pairs = {
        "no.person@practice.example": place.pairs[first],
        second: missing,
        third: place.pairs[third],
    }
    place.configure()
    assert place.migrate().code == 1
    legs = place.legs()
    assert legs[place.pairs["no.person@practice.example"]][:2] == ("blocked", "mailbox-missing")
    assert legs[missing][0] == "blocked"
    assert legs[missing][1] in ("mailbox-missing", "login-refused")
    assert legs[place.pairs[third]][0] == "verified"


def test_no_right_to_impersonate(place: Place, exchange: ExchangeServer, dovecot: Dovecot) -> None:
    reader = next(a for a in exchange.world.service_accounts.values() if not a.may_impersonate)
    place.source["username"] = f'"{reader.address}"'
    place.configure().secret("source", reader.password)
    assert place.migrate().code == 1
    assert {leg[:2] for leg in place.legs().values()} == {("blocked", "impersonation-refused")}
    assert "impersonation-refused" in place.run("status").out
    assert place.seen(dovecot).total() == 0


def test_a_source_nobody_vouches_for(make_place: MakePlace, dovecot: Dovecot) -> None:
    """A self-made certificate is refused, and trusted once the operator names it."""
    with ExchangeServer(World(seed=45, people=2, items=4, large=()), https=True) as exchange:
        place = make_place(exchange)
        assert place.migrate().code == 1
        assert {leg[:2] for leg in place.legs().values()} == {("blocked", "tls-failed")}
        assert exchange.requests.total() == 0, "no credential travelled"
        place.source["tls"] = f'{{ ca_file = "{exchange.ca_file}" }}'
        assert place.configure().run("retry").code == 0
        assert place.migrate().code == 0
        accounted(place)


@pytest.mark.soak
def test_a_target_nobody_vouches_for(place: Place, exchange: ExchangeServer) -> None:
    server = start_dovecot(place.pairs.values(), tls=True)
    try:
        place.target |= {"port": str(server.tls_port), "security": '"tls"'}
        assert place.configure().migrate().code == 1
        assert {leg[:2] for leg in place.legs().values()} == {("blocked", "tls-failed")}
        place.target["tls"] = f'{{ ca_file = "{server.ca_file}" }}'
        assert place.configure().run("retry").code == 0
        assert place.migrate().code == 0
        accounted(place)
    finally:
        server.stop()
