"""Whole address books, task lists and notes of the practice Exchange, through the EWS source, against what
their owners typed."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
import vobject
from golden_records import NOT_AFTER
from icalendar import Calendar

from connectors.ews.source import EwsSettings, EwsSource
from connectors.settings import Account, Secret
from mappings.calendar.task import skip_task
from mappings.compare.semantic_digest import calendar_digest, card_digest
from mappings.contacts.contact import skip_contact
from mappings.fields.context import Context
from mappings.fields.ews_xml import printable
from mappings.notes.note import map_note, skip_note
from mappings.registry import map_contact, map_task
from model.kinds import Kind
from model.protocols import Capabilities, Failed, Mapped, Native
from practice.contacts.cards import Contact
from practice.exchange.server import ExchangeServer
from practice.tasks.chores import Chore
from practice.tasks.stickies import Sticky
from practice.world.messages import Message
from practice.world.records import Record
from practice.world.world import World

PEOPLE = 2
MAPPINGS: dict[Kind, tuple[Callable[[Native], str | None], Callable[[Native, Context], Mapped]]] = {
    Kind.CONTACTS: (skip_contact, map_contact),
    Kind.TASKS: (skip_task, map_task),
    Kind.NOTES: (skip_note, map_note),
}
Moved = list[tuple[Record, Mapped]]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Moved]:
    """Every item of every person: what its owner typed, and what became of it."""
    world = World(seed=11, people=PEOPLE, items=2, large=(), folder_count=3, pim=60)
    found: dict[Kind, Moved] = {kind: [] for kind in MAPPINGS}
    with pytest.MonkeyPatch.context() as patch, ExchangeServer(world) as server:
        for address in world.addresses()[:PEOPLE]:
            mailbox = world.mailbox(address)
            login, account = next(iter(world.service_accounts.items()))
            patch.setenv("EWS_PASSWORD", account.password)
            settings = EwsSettings(url=server.url, username=login, password=Secret(env="EWS_PASSWORD"))
            source = EwsSource(
                settings, Account(login=address, address=address), tmp_path_factory.mktemp("spool")
            )
            items = {item.id: item for item in mailbox.messages()}
            for kind in MAPPINGS:
                found[kind] += _moved(source, kind, items, address)
            source.close()
    return found


def _moved(
    source: EwsSource, kind: Kind, items: dict[str, Message], owner: str
) -> Iterator[tuple[Record, Mapped]]:
    skip, mapping = MAPPINGS[kind]
    context = Context(Capabilities(frozenset({kind})), NOT_AFTER, NOT_AFTER, frozenset({owner}))
    for box in source.containers():
        if box.kind is kind and box.omit is None:
            refs = [ref for page in source.changes(box, None) for ref in page.refs]
            for native in source.fetch(box, refs):
                assert not isinstance(native, Failed)
                record = items[native.ref.id].record
                assert record is not None
                if skip(native) is None:
                    yield record, mapping(native, context)


def _body(result: Mapped) -> bytes:
    return result.item.body().read()


def _squeezed(written: str) -> str:
    return "".join(printable(written).split())


def test_every_contact_says_what_its_owner_typed(moved: dict[Kind, Moved]) -> None:
    contacts = [(record, result) for record, result in moved[Kind.CONTACTS] if isinstance(record, Contact)]
    assert len(contacts) > 50
    for record, result in contacts:
        card = vobject.readOne(_body(result).decode())
        assert _squeezed(card.n.value.family) == _squeezed(record.surname or "")
        assert _squeezed(card.n.value.given) == _squeezed(record.given or "")
        assert card.fn.value.strip()
        numbers = sorted(_squeezed(number) for _, number in record.phones if number.strip())
        assert sorted(_squeezed(line.value) for line in card.contents.get("tel", ())) == numbers
        addresses = [one.address for one in record.emails if one and one.routing in (None, "SMTP")]
        written = [line.value for line in card.contents.get("email", ())]
        known = {printable(one).strip() for one in addresses if not one.upper().startswith("IMCEAEX-")}
        assert set(written) == known - {""}


def test_every_picture_arrives(moved: dict[Kind, Moved]) -> None:
    seen = 0
    for record, result in moved[Kind.CONTACTS]:
        pictures = [one.content for one in record.common.attachments if one.contact_photo]
        if pictures and not any(loss.field == "photo" for loss in result.losses):
            card = vobject.readOne(_body(result).decode())
            assert base64.b64encode(card.photo.value) == base64.b64encode(pictures[0])
            seen += 1
    assert seen > 3


def test_members_that_are_contacts_are_found_by_their_uid(moved: dict[Kind, Moved]) -> None:
    known = {result.item.uid for _, result in moved[Kind.CONTACTS]}
    linked: list[str] = []
    for _, result in moved[Kind.CONTACTS]:
        card = vobject.readOne(_body(result).decode())
        members = [line.value for line in card.contents.get("x-addressbookserver-member", ())]
        linked += [one.removeprefix("urn:uuid:") for one in members if one.startswith("urn:uuid:")]
    assert len(linked) > 5
    assert set(linked) <= known


@pytest.mark.parametrize("kind", [Kind.CONTACTS, Kind.TASKS])
def test_radicale_keeps_what_every_item_means(moved: dict[Kind, Moved], kind: Kind) -> None:
    digest = card_digest if kind is Kind.CONTACTS else calendar_digest
    for _, result in moved[kind]:
        again = vobject.readOne(_body(result).decode()).serialize().encode()
        assert digest(io.BytesIO(again), NOT_AFTER) == result.item.digest


def test_every_task_is_what_its_owner_planned(moved: dict[Kind, Moved]) -> None:
    tasks = [(record, result) for record, result in moved[Kind.TASKS] if isinstance(record, Chore)]
    assert len(tasks) > 50
    for record, result in tasks:
        (todo,) = Calendar.from_ical(_body(result)).walk("VTODO")
        assert _squeezed(str(todo.get("SUMMARY", ""))) == _squeezed(record.common.subject)
        assert (str(todo["STATUS"]) == "COMPLETED") == (record.status == "Completed")
        assert ("DUE" in todo) == (record.due is not None and record.due.year < 4501)
        assert len(todo.walk("VALARM")) <= 1
        assert not {"ORGANIZER", "ATTENDEE"} & set(todo)


def test_every_note_is_read_as_it_was_written(moved: dict[Kind, Moved]) -> None:
    notes = [(record, result) for record, result in moved[Kind.NOTES] if isinstance(record, Sticky)]
    assert len(notes) > 50
    for record, result in notes:
        message = message_from_bytes(_body(result), policy=policy.default)
        assert isinstance(message, EmailMessage)
        if not record.common.html:
            assert _squeezed(message.get_content()) == _squeezed(record.common.body)
