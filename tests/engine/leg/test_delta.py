"""A person goes on using calendar, contacts and tasks: the next pass changes exactly that, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.config.template import write_new
from engine.leg.leg_result import LegResult
from engine.opening.open_sides import open_ledger
from engine.planning.load_plan import plan
from kogge.prepare.practice_servers import Stage, staged
from ledger.db.rows import LegState, Phase
from ledger.store import Ledger
from model.kinds import Kind
from practice.calendar.appointments import Event
from practice.contacts.cards import Contact
from practice.contacts.photos import jpeg
from practice.exchange.server import ExchangeServer
from practice.mail.letters import Attachment
from practice.tasks.chores import Chore
from practice.world import diary
from practice.world.mailbox import Mailbox
from practice.world.messages import Message
from practice.world.records import Record
from practice.world.world import World

DAV_KINDS = (Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS)
D = "{DAV:}"
LISTING = '<propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>'


@dataclass
class Person:
    """One practice person, their target account, and the ledger between."""

    stage: Stage
    mailbox: Mailbox
    config: Config
    ledger: Ledger
    id: str

    def run(self, kind: Kind) -> LegResult:
        (leg,) = self.ledger.legs(mailbox=self.id, workload=kind)
        return build_leg(self.config, leg.id).run()

    def etags(self) -> dict[str, str]:
        """Path -> ETag of every object the person has at the target."""
        found: dict[str, str] = {}
        with httpx.Client(auth=(self.mailbox.address, self.stage.dav_password)) as client:
            home = f"/{self.mailbox.address}/"
            for path, is_collection, _ in self._list(client, home):
                if is_collection and path != home:
                    members = self._list(client, path)
                    found.update({name: etag for name, holds, etag in members if not holds})
        return found

    def text(self, path: str) -> str:
        auth = (self.mailbox.address, self.stage.dav_password)
        return httpx.get(self.stage.dav + path, auth=auth).text

    def _list(self, client: httpx.Client, path: str) -> list[tuple[str, bool, str]]:
        reply = client.request("PROPFIND", self.stage.dav + path, headers={"Depth": "1"}, content=LISTING)
        rows = []
        for response in ET.fromstring(reply.content).iter(f"{D}response"):
            name = httpx.URL(str(response.findtext(f"{D}href"))).path
            holds = response.find(f".//{D}collection") is not None
            rows.append((name, holds, response.findtext(f".//{D}getetag") or ""))
        return rows

    def items(self, role: str, record: type[Record]) -> list[Message]:
        folder = self.mailbox.distinguished(role)
        return [item for item in folder.items if isinstance(item.record, record)]

    def changed(self, before: dict[str, str]) -> tuple[set[str], set[str], set[str]]:
        """What is new, what has another ETag, what is gone."""
        now = self.etags()
        altered = {path for path in before.keys() & now.keys() if before[path] != now[path]}
        return now.keys() - before.keys(), altered, before.keys() - now.keys()


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    exchange = ExchangeServer(World(seed=11, people=1, items=3, pim=14, nasty=False))
    with staged(exchange, 1) as stage:
        write_new(tmp_path, stage.files(required=0))
        config = load(tmp_path / "kogge.toml")
        ledger = open_ledger(config)
        (mailbox_id,) = plan(config, ledger).ids
        box = exchange.world.mailbox(stage.addresses[0])
        yield Person(stage, box, config, ledger, mailbox_id)


def copied(person: Person) -> dict[str, str]:
    for kind in DAV_KINDS:
        assert person.run(kind).state is LegState.VERIFIED
    return person.etags()


def with_photo(card: Contact) -> Contact:
    """Another one than it had."""
    photo = Attachment("ContactPicture.jpg", "image/jpeg", jpeg("seven", 40), contact_photo=True)
    return replace(card, common=replace(card.common, attachments=(photo,)))


def holding(person: Person, paths: set[str], text: str) -> set[str]:
    return {path for path in paths if text in person.text(path)}


def test_each_change_touches_its_own_object_only(person: Person) -> None:
    before = copied(person)
    box = person.mailbox
    events = person.items("calendar", Event)
    single, moved = [one for one in events if diary.event_of(one).recurrence is None][:2]
    series = next(one for one in events if diary.event_of(one).recurrence is not None)
    diary.rewrite(box, single, body="Another text than before.")
    days = diary.event_of(series).days()
    next(days)
    diary.delete_occurrence(box, series, next(days))
    diary.shift(box, moved, timedelta(hours=1))
    card = person.items("contacts", Contact)[0]
    assert isinstance(card.record, Contact)
    box.replace(card, with_photo(card.record))
    chore = person.items("tasks", Chore)[0]
    assert isinstance(chore.record, Chore)
    box.replace(chore, replace(chore.record, status="Completed", percent=100))
    results = [person.run(kind) for kind in DAV_KINDS]
    assert [one.state for one in results] == [LegState.VERIFIED] * 3
    new, altered, gone = person.changed(before)
    assert (new, gone) == (set(), set())
    assert len(altered) == 5
    assert len(holding(person, altered, "Another text than before.")) == 1
    assert len(holding(person, altered, "STATUS:COMPLETED")) == 1


def test_what_is_new_comes_and_what_is_deleted_goes(person: Person) -> None:
    before = copied(person)
    box = person.mailbox
    events = person.items("calendar", Event)
    box.delete(events[0], hard=True)
    box.put(box.distinguished("calendar"), replace(diary.event_of(events[1]), uid="new-one@practice.example"))
    assert person.run(Kind.CALENDAR).state is LegState.VERIFIED
    new, altered, gone = person.changed(before)
    assert (len(new), len(altered), len(gone)) == (1, 0, 1)


def test_in_the_live_phase_only_what_is_new_is_added(person: Person) -> None:
    before = copied(person)
    person.ledger.set_phase(person.id, Phase.LIVE, "a test")
    box = person.mailbox
    events = person.items("calendar", Event)
    diary.rewrite(box, events[0], body="Too late for the target.")
    box.delete(events[1], hard=True)
    box.put(box.distinguished("calendar"), replace(diary.event_of(events[2]), uid="late@practice.example"))
    cards = person.items("contacts", Contact)
    photographed, kept = (card.record for card in cards[:2])
    assert isinstance(photographed, Contact)
    assert isinstance(kept, Contact)
    box.replace(cards[0], with_photo(photographed))
    box.delete(cards[2], hard=True)
    box.put(box.distinguished("contacts"), kept)
    chores = person.items("tasks", Chore)
    done, todo = (chore.record for chore in chores[:2])
    assert isinstance(done, Chore)
    assert isinstance(todo, Chore)
    box.replace(chores[0], replace(done, status="Completed", percent=100))
    box.delete(chores[2], hard=True)
    box.put(box.distinguished("tasks"), todo)
    results = [person.run(kind) for kind in DAV_KINDS]
    assert [one.state for one in results] == [LegState.VERIFIED] * 3
    assert [(one.tally.new, one.tally.replaced, one.tally.withdrawn) for one in results] == [(1, 0, 0)] * 3
    new, altered, gone = person.changed(before)
    assert (len(new), altered, gone) == (3, set(), set())
