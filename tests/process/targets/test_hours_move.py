"""Working hours move with their owner's rules by the commands of a user: from the freeze on, to the server of
the calendars, never over what the person set there, and a rollback takes back what is still Kogge's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pigeonhole_fixtures import pigeonhole_fixture
from proving import Place, accounted
from servers.dav.availability import Availability
from servers.dav.dav_proxy import DavProxy
from servers.pigeonhole import Pigeonhole

from practice.dav.radicale import USER_PASSWORD, start_radicale
from practice.exchange.server import ExchangeServer
from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect, pytest.mark.timeout(600)]
CUTOVER = ("cutover", "--wave", "pilot", "--by", "A. Engineer", "--json")
WORDS = ("--execute", "--by", "A. Auditor", "--reason", "the wrong people")
OWN = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VAVAILABILITY\nUID:mine\nEND:VAVAILABILITY\nEND:VCALENDAR"
USERS = tuple(f"person{number}@new.example" for number in range(4))
_fresh = iter(USERS)
pigeonhole = pigeonhole_fixture(USERS, addresses=True)


class Office:
    """An Exchange, a server of rules, a server of calendars, and who moves to them."""

    def __init__(self, place: Place, hours: Availability, logins: list[str]) -> None:
        self.place, self.hours, self.logins = place, hours, logins


@pytest.fixture
def office(tmp_path: Path, environment: dict[str, str], pigeonhole: Pigeonhole) -> Iterator[Office]:
    world = World(seed=7, people=2, items=4, pim=4)
    pairs = {address: next(_fresh) for address in world.addresses()}
    hours, radicale = Availability(), start_radicale(pairs.values())
    with ExchangeServer(world) as exchange, DavProxy(radicale) as proxy:
        proxy.layers = (hours,)
        place = Place(tmp_path / "place", exchange, pigeonhole.host, pigeonhole.port, pairs, environment)
        place.tables = {
            "target.settings": {
                "kind": '"managesieve"',
                "host": f'"{pigeonhole.host}"',
                "port": str(pigeonhole.sieve_port),
                "auth": '"master-user"',
                "username": '"migrator"',
                "password": '{ file = "target-password" }',
                "tls": f'{{ ca_file = "{pigeonhole.ca_file}" }}',
            },
            "target.calendar": {
                "kind": '"caldav"',
                "url": f'"{proxy.url}"',
                "profile": '"radicale"',
                "password": '{ file = "dav-password" }',
            },
        }
        place.configure().secret("dav", USER_PASSWORD)
        yield Office(place, hours, list(pairs.values()))
    radicale.stop()


def test_hours_are_set_from_the_freeze_on_and_taken_back_where_they_are_ours(office: Office) -> None:
    place, held, (first, second) = office.place, office.hours.held, office.logins
    held[second] = OWN
    for _ in range(2):
        done = place.migrate()
        assert done.code == 0, done
        accounted(place)
    assert held == {second: OWN}, "nothing is set while the mailbox is filled"
    requests = place.exchange.requests
    assert requests["GetUserConfiguration"] == requests["GetInboxRules"], "one of each in a pass"

    done = place.run(*CUTOVER)
    assert done.code == 0, done
    accounted(place)
    assert held[second] == OWN, "what a person set stays"
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR" in held[first]
    assert "DTSTART;TZID=Europe/Berlin:20240101T080000" in held[first]
    written = held[first]
    held[first] = written.replace("T170000", "T160000")
    assert place.migrate().code == 0
    assert held[first] == written.replace("T170000", "T160000"), "a live mailbox is left as it is"
    held[first] = written

    undone = place.run("rollback", "--wave", "pilot", *WORDS, "--json")
    assert undone.code == 0, undone
    assert held == {second: OWN}


def test_what_somebody_changed_since_survives_a_rollback(office: Office) -> None:
    place, held, (first, second) = office.place, office.hours.held, office.logins
    assert place.migrate().code == 0
    done = place.run(*CUTOVER)
    assert done.code == 0, done
    assert "BYDAY=MO,TU,WE\n" in held[second], "a part-time week"
    changed = held[first].replace("T170000", "T160000")
    held[first] = changed
    place.run("rollback", "--wave", "pilot", *WORDS, "--json")
    assert held == {first: changed}
