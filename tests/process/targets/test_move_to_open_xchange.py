"""Odd people move to an Open-Xchange by the commands of a user: three through kills, a second pass, their own
changes, and a rollback that leaves what is theirs; five as the documents say, with its HTTP API."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from proving import Place, accounted, asked, until
from servers.dovecot import Dovecot, start_dovecot
from servers.open_xchange.cards import Card
from servers.open_xchange.server import OpenXchangeServer, Rate
from servers.smtp_sink import SmtpSink

from connectors.caldav.settings import DavSettings
from connectors.settings import Secret
from engine.steps.beginning import invitation_policy
from ledger.open_ledgers import opened
from practice.exchange.server import ExchangeServer
from practice.world.work import work
from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.prefect, pytest.mark.timeout(900)]
PIM, ODD = 24, 44
"""So many of each kind a person has; ODD: all that is odd in five people."""
DEFAULTS = ("Kontakte", "Contacts", "Rubrica")
LOCALES = ("de_DE", "fr_FR", "it_IT", "en_US", "de_DE")
KILLS = 3
WRITES = ("PUT", "DELETE", "POST", "MKCOL", "MKCALENDAR")
WORKLOADS = {"calendar": "caldav", "tasks": "caldav", "contacts": "carddav"}
OWN = "own-event-of-2019"
WORDS = ("--execute", "--by", "A. Auditor", "--reason", "the wrong people")


class Office:
    """An Exchange with three people, and the Open-Xchange and the Dovecot that they move to."""

    def __init__(self, place: Place, server: OpenXchangeServer, sink: SmtpSink) -> None:
        self.place, self.server, self.sink = place, server, sink
        self.people = sorted(place.pairs)

    def contents(self) -> Counter[tuple[str, str, str]]:
        """(person, folder, what is stored) of all events, tasks and cards that are the person's own."""
        suite, context = self.server.suite, self.server.context
        found: Counter[tuple[str, str, str]] = Counter()
        for person in self.people:
            user = context.users[person]
            for folder in context.own("calendar", user):
                found.update((person, folder.title, one.text(user, "/")) for one in suite.events.all(folder))
            for folder in context.own("tasks", user):
                found.update((person, folder.title, str(one)) for one in suite.tasks.everything(folder))
            for folder in context.own("contacts", user):
                found.update((person, folder.title, str(one)) for one in suite.cards.everything(folder))
        return found

    def cards(self) -> list[tuple[str, Card]]:
        """(person, card or list) of everybody."""
        suite, context = self.server.suite, self.server.context
        return [
            (person, one)
            for person in self.people
            for folder in context.own("contacts", context.users[person])
            for one in suite.cards.everything(folder)
        ]

    def doubles(self) -> list[tuple[str, str]]:
        """(person, UID) of what a person has twice."""
        suite, context = self.server.suite, self.server.context
        seen: Counter[tuple[str, str]] = Counter()
        for person in self.people:
            user = context.users[person]
            for folder in context.own("calendar", user):
                for one in suite.events.all(folder):
                    seen[person, one.uid] += max(len(one.masters), 1)
        return [one for one, count in seen.items() if count > 1]

    def probed(self) -> None:
        """An invitation probe was here, and heard nothing."""
        assert self.place.run("status").code in (0, 1)
        with opened(f"sqlite:///{self.place.state}/ledger.db") as ledger:
            settings = DavSettings(
                kind="caldav", url=self.server.url, profile="open-xchange", password=Secret(env="NONE")
            )
            invitation_policy.record(ledger, settings, invitation_policy.SILENT, 1200)

    def written(self) -> int:
        return sum(one.method in WRITES for one in self.server.requests)

    def own_event(self, person: str) -> None:
        """Puts one of years ago, which no listing shows, into the person's default calendar."""
        user = self.server.context.users[person]
        folder = next(one for one in self.server.context.own("calendar", user) if one.default)
        lines = (f"UID:{OWN}", "DTSTAMP:20190610T100000Z", "DTSTART:20190610T100000Z",
                 "DTEND:20190610T110000Z", "SUMMARY:Von früher")  # fmt: skip
        whole = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//T//EN", "BEGIN:VEVENT", *lines, "END:VEVENT")
        text = "\r\n".join([*whole, "END:VCALENDAR", ""]).encode()
        url = f"{self.server.url}/caldav/{folder.segment}/{OWN}.ics"
        headers = {"Content-Type": "text/calendar", "Scheduling": "none"}
        login = (person, self.server.user_password)
        httpx.put(url, content=text, auth=login, headers=headers).raise_for_status()

    def kill_a_run(self, dice: random.Random) -> None:
        """When both servers have answered so many more requests."""
        aim = self.requests() + dice.randint(60, 400)
        with self.place.running("migrate", "--wave", "pilot", "--json") as running:
            until(lambda: self.requests() >= aim, running)
            time.sleep(dice.random() * 0.2)

    def requests(self) -> int:
        return asked(self.place.exchange) + len(self.server.requests)


@contextmanager
def running_dovecot(names: Iterable[str]) -> Iterator[Dovecot]:
    server = start_dovecot(names)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def opened_office(
    directory: Path, environment: dict[str, str], people: int, pim: int, **more: str
) -> Iterator[Office]:
    """more: further lines of the tables of the target."""
    world = World(seed=7, people=people, items=12, pim=pim)
    names = {address: world.mailbox(address).owner.name for address in world.addresses()}
    with (
        running_dovecot(names) as dovecot,
        SmtpSink() as sink,
        ExchangeServer(world) as exchange,
        OpenXchangeServer(names, sink=sink, rate=Rate(10**9)) as server,
    ):
        pairs = {name: name for name in names}
        place = Place(directory / "place", exchange, dovecot.host, dovecot.port, pairs, environment)
        place.tables = {
            f"target.{workload}": {
                "kind": f'"{kind}"',
                "url": f'"{server.url}"',
                "profile": '"open-xchange"',
                "rate_limit": "0",
                "password": '{ file = "suite-password" }',
                **{name: text.format(url=server.url, place=place.directory) for name, text in more.items()},
            }
            for workload, kind in WORKLOADS.items()
        }
        place.configure()
        place.secret("suite", server.user_password)
        office = Office(place, server, sink)
        office.probed()
        yield office
        assert sink.mails == []


@pytest.fixture
def office(tmp_path: Path, environment: dict[str, str]) -> Iterator[Office]:
    with opened_office(tmp_path, environment, 3, PIM) as office:
        yield office


@pytest.fixture
def office_with_api(tmp_path: Path, environment: dict[str, str]) -> Iterator[Office]:
    """Each person has a language, and a password that a command tells."""
    command = '{{ command = "{place}/app-password {{login}}" }}'
    with opened_office(tmp_path, environment, 5, ODD, api='"{url}/ajax"', password=command) as office:
        script = office.place.directory / "app-password"
        script.write_text('#!/bin/sh\ntest -n "$1" && exec cat "${0%/*}/suite-password"\n')
        script.chmod(0o700)
        for person, locale in zip(office.people, LOCALES, strict=True):
            office.server.context.speaks(office.server.context.users[person], locale)
        office.place.tables["run"] = {"write_grace_seconds": "1"}
        office.place.configure()
        office.place.secret("suite", office.server.user_password)
        yield office


def test_five_odd_people_by_the_api_without_an_approval(office_with_api: Office) -> None:
    office, place = office_with_api, office_with_api.place
    checked = place.run("check", "--wave", "pilot")
    assert checked.code == 0, checked
    for _ in range(2):
        done = place.migrate()
        assert done.code == 0, done
        accounted(place)
    ends = {(str(state), code) for state, code in place.query("SELECT state, code FROM leg")}
    assert ends <= {("verified", None), ("verified", "organizer-first")}
    assert "groups-unsupported" not in place.codes()
    assert office.doubles() == []
    assert not [title for _, title, _ in office.contents() if title.startswith(DEFAULTS) and "(2)" in title]
    kinds = {one.members is not None for _, one in office.cards()}
    assert kinds == {True, False}, "lists arrive beside cards"
    undone = place.run("rollback", "--wave", "pilot", *WORDS, "--json")
    assert undone.code == 0, undone
    assert office.contents() == Counter(), "nothing is left, and nothing was changed by somebody"


def test_three_odd_people(office: Office) -> None:
    place, dice = office.place, random.Random(11)
    for _ in range(KILLS):
        office.kill_a_run(dice)
    done = place.migrate()
    assert done.code == 0, done
    accounted(place)
    assert office.doubles() == []

    assert place.migrate().code == 0, "invitations arrive after their organizer's copy"
    there, written = office.contents(), office.written()
    again = place.migrate()
    assert again.code == 0, again
    assert office.written() == written, "another pass has nothing to do"
    looked = place.run("verify", "--wave", "pilot", "--level", "both", "--json")
    assert looked.code == 0, looked
    assert office.contents() == there

    with place.exchange.world.lock:
        work(place.exchange.world.mailbox(office.people[0]))
    changed = place.migrate()
    assert changed.code == 0, changed
    accounted(place)
    assert office.doubles() == []
    assert office.contents() != there

    for person in office.people:
        office.own_event(person)
    undone = place.run("rollback", "--wave", "pilot", *WORDS, "--json")
    assert undone.code == 0, undone
    assert [person for person, _, text in sorted(office.contents()) if OWN in text] == office.people
    assert office.contents().total() == len(office.people), "what Kogge wrote is gone"
    removed = [one.path for one in office.server.requests if one.method == "DELETE"]
    assert [path for path in removed if not path.endswith((".ics", ".vcf"))] == [], "no collection goes"
