"""Contacts, lists, tasks, notes and the journal by way of the practice Exchange: listed, read, changed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest
from ews_asking import (
    NS,
    Asker,
    asking,
    changes,
    codes,
    distinguished,
    get_items,
    state_of,
    sync_items,
)
from exchangelib import BASIC, IMPERSONATION, Account, Configuration, Credentials
from exchangelib.items import Contact as ReadContact
from exchangelib.items import DistributionList as ReadList
from exchangelib.items import Message as ReadMessage
from exchangelib.items import Task as ReadTask
from exchangelib.protocol import CachingProtocol
from lxml import etree
from practice_fixtures import exchange_fixture, world_fixture

from practice.contacts import photos
from practice.contacts.cards import Contact
from practice.contacts.cards_made import ODDITIES as CARDS
from practice.contacts.cards_made import sample_cards
from practice.contacts.groups import DistributionList, sample_groups
from practice.exchange.server import ExchangeServer
from practice.mail.letters import Attachment
from practice.tasks.chores import Chore
from practice.tasks.journal import sample_journal
from practice.tasks.notes import ODDITIES as STICKIES
from practice.tasks.notes import sample_stickies
from practice.tasks.tasks import ODDITIES as CHORES
from practice.tasks.tasks import sample_chores
from practice.world.desk import Desk
from practice.world.messages import Message
from practice.world.records import Record
from practice.world.world import Mailbox, World

INDEX = 1
ALL = "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape>{more}</m:ItemShape>"
MORE = "<t:AdditionalProperties>{fields}</t:AdditionalProperties>"
ADDRESS = "00062004-0000-0000-c000-000000000046"
NOTE = "0006200E-0000-0000-C000-000000000046"


def photo(key: str) -> Attachment:
    return Attachment("ContactPicture.jpg", "image/jpeg", photos.jpeg(key), contact_photo=True)


world = world_fixture(seed=7, people=5, items=0, nasty=False)


@pytest.fixture(scope="module")
def mailbox(world: World) -> Mailbox:
    """Everything of mailbox 1, and two contacts more."""
    mailbox = world.mailbox(world.addresses()[INDEX])
    cards: list[Record] = [CARDS[name](Desk(7, INDEX, name)) for name in ("user_fields", "photo_large")]
    cards += sample_cards(7, INDEX, 40)
    put(mailbox, "contacts", [*cards, *sample_groups(7, INDEX, cards)])
    put(mailbox, "tasks", sample_chores(7, INDEX, 30))
    put(mailbox, "notes", sample_stickies(7, INDEX, 12))
    put(mailbox, "journal", sample_journal(7, INDEX, 5))
    return mailbox


server = exchange_fixture()


@pytest.fixture
def account(server: ExchangeServer, mailbox: Mailbox) -> Iterator[Account]:
    known = next(iter(server.world.service_accounts.values()))
    credentials = Credentials(known.address, known.password)
    config = Configuration(service_endpoint=server.url, credentials=credentials, auth_type=BASIC)
    yield Account(mailbox.address, config=config, access_type=IMPERSONATION, autodiscover=False)
    CachingProtocol.clear_cache()


def put(mailbox: Mailbox, role: str, records: list[Record]) -> None:
    for record in records:
        mailbox.put(mailbox.distinguished(role), record)


def stored(mailbox: Mailbox, role: str) -> dict[str, Message]:
    return {item.id: item for item in mailbox.distinguished(role).items}


def named(mailbox: Mailbox, key: str) -> Message:
    """The item whose record has this key."""
    return next(item for item in mailbox.messages() if getattr(item.record, "key", None) == key)


def only(asker: Asker, item: Message, *fields: str, shape: str = ALL) -> etree._Element:
    """The item's element."""
    more = MORE.format(fields="".join(fields)) if fields else ""
    found = asker.ask(get_items(item.id, shape=shape.format(more=more))).find(".//m:Items", NS)
    assert found is not None
    assert len(found) == 1
    return found[0]


def field(uri: str, index: str) -> str:
    return f'<t:IndexedFieldURI FieldURI="{uri}" FieldIndex="{index}"/>'


def attached(asker: Asker, item: Message, number: int = 0) -> etree._Element:
    ids = [each.get("Id") for each in only(asker, item).iterfind(".//t:AttachmentId", NS)]
    root = asker.ask(
        f'<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id="{ids[number]}"/></m:AttachmentIds>'
        "</m:GetAttachment>"
    )
    found = root.find(".//m:Attachments", NS)
    assert found is not None
    return found[0]


# Contacts


def test_every_contact_is_what_was_put(account: Account, mailbox: Mailbox) -> None:
    put_in = stored(mailbox, "contacts")
    found = {each.id: each for each in account.contacts.all()}
    assert set(found) == set(put_in)
    for item_id, item in put_in.items():
        read, record = found[item_id], item.record
        assert isinstance(read, ReadList if isinstance(record, DistributionList) else ReadContact)
        assert (read.body or "") == item.text
        assert tuple(read.categories or ()) == item.categories
        assert read.sensitivity == item.sensitivity
        if isinstance(record, Contact):
            assert (read.display_name or "") == record.display_name
            assert [each.phone_number for each in read.phone_numbers or ()] == [
                number for _, number in record.phones
            ]
            assert read.has_picture == record.has_picture


def test_a_sync_of_the_address_book_goes_on_where_it_ended(asker: Asker, mailbox: Mailbox) -> None:
    folder = distinguished("contacts")
    first = asker.ask(sync_items(folder))
    assert {item_id for _, item_id in changes(first)} == set(stored(mailbox, "contacts"))
    kinds = {etree.QName(each).localname for each in first.iterfind(".//t:Create/*", NS)}
    assert kinds == {"Contact", "DistributionList"}
    item = mailbox.put(mailbox.distinguished("contacts"), Contact("late", given="Spät"))
    key = item.change_key
    created = asker.ask(sync_items(folder, state_of(first)))
    assert changes(created) == [("Create", item.id)]
    mailbox.replace(item, Contact("late", given="Später"))
    assert item.change_key != key
    updated = asker.ask(sync_items(folder, state_of(created)))
    assert changes(updated) == [("Update", item.id)]
    assert only(asker, item).findtext("t:GivenName", namespaces=NS) == "Später"
    gone = item.id
    mailbox.delete(item, hard=True)
    assert changes(asker.ask(sync_items(folder, state_of(updated)))) == [("Delete", gone)]


def test_entries_are_given_by_their_keys(asker: Asker, mailbox: Mailbox) -> None:
    """Only by an index can a client without AllProperties ask for them: so does exchangelib."""
    wanted = (
        field("contacts:EmailAddress", "EmailAddress3"),
        field("contacts:PhoneNumber", "MobilePhone"),
        field("contacts:PhysicalAddress:City", "Home"),
        field("contacts:ImAddress", "ImAddress2"),
    )
    shape = ALL.replace("AllProperties", "IdOnly")
    element = only(asker, named(mailbox, "card/everything"), *wanted, shape=shape)
    entries = {each.get("Key"): "".join(each.itertext()) for each in element.iterfind(".//t:Entry", NS)}
    assert set(entries) == {"EmailAddress3", "MobilePhone", "Home", "ImAddress2"}
    assert entries["EmailAddress3"] == "w.l@verein.example"
    assert "Laboe" in entries["Home"]


def test_extended_properties_come_when_asked_for(asker: Asker, mailbox: Mailbox) -> None:
    wanted = (
        '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="Kundennummer"'
        ' PropertyType="String"/>',
        f'<t:ExtendedFieldURI PropertySetId="{ADDRESS.upper()}" PropertyId="32847" PropertyType="String"/>',
        '<t:ExtendedFieldURI PropertyTag="14928" PropertyType="String"/>',
    )
    item = named(mailbox, "user_fields")
    values = [each.text for each in only(asker, item, *wanted).iterfind("t:ExtendedProperty/t:Value", NS)]
    assert values == ["00042", "Eigenes Feld 1: a;b,c"]
    assert only(asker, item).find("t:ExtendedProperty", NS) is None


def test_a_photo_is_an_attachment_that_says_so(asker: Asker, mailbox: Mailbox) -> None:
    item = named(mailbox, "photo_large")
    listed = only(asker, item).find("t:Attachments/t:FileAttachment", NS)
    assert listed is not None
    assert listed.findtext("t:IsContactPhoto", namespaces=NS) == "true"
    assert only(asker, item).findtext("t:HasPicture", namespaces=NS) == "true"
    content = attached(asker, item).findtext("t:Content", "", NS)
    assert base64.b64decode(content) == item.attachments[0].content
    assert len(item.attachments[0].content) > 300_000


def test_a_replaced_photo_is_another_version(asker: Asker, mailbox: Mailbox) -> None:
    record = Contact("changing", given="Ute")
    pictured = replace(record, common=replace(record.common, attachments=(photo("one"),)))
    item = mailbox.put(mailbox.distinguished("contacts"), pictured)
    before, key = attached(asker, item).findtext("t:Content", "", NS), item.change_key
    other = replace(pictured, common=replace(pictured.common, attachments=(photo("two"),)))
    mailbox.replace(item, other)
    after = attached(asker, item).findtext("t:Content", "", NS)
    assert (before == after, item.change_key == key) == (False, False)
    mailbox.delete(item, hard=True)


def test_a_hidden_photo_leaves_no_mark_on_the_item(asker: Asker, mailbox: Mailbox) -> None:
    """HasAttachments is false, and still there is one: Outlook hides the picture it attaches."""
    item = mailbox.put(mailbox.distinguished("contacts"), CARDS["photo_png"](Desk(7, INDEX, "hidden")))
    element = only(asker, item)
    assert element.findtext("t:HasAttachments", namespaces=NS) == "false"
    assert element.findtext("t:HasPicture", namespaces=NS) == "true"
    png = base64.b64decode(attached(asker, item).findtext("t:Content", "", NS))
    assert png.startswith(b"\x89PNG")
    mailbox.delete(item, hard=True)


def test_attached_items_are_of_their_kind(asker: Asker, mailbox: Mailbox) -> None:
    item = mailbox.put(mailbox.distinguished("contacts"), CARDS["attached_items"](Desk(7, INDEX, "a")))
    card, mail = attached(asker, item, 0), attached(asker, item, 1)
    assert card.find("t:Contact", NS) is not None
    assert mail.find("t:Message", NS) is not None
    mailbox.delete(item, hard=True)


def test_mime_of_a_contact_is_a_poor_vcard(asker: Asker, mailbox: Mailbox) -> None:
    fields = '<t:FieldURI FieldURI="item:MimeContent"/>'
    element = only(asker, named(mailbox, "card/everything"), fields)
    body = base64.b64decode(element.findtext("t:MimeContent", "", NS))
    assert b"BEGIN:VCARD" in body
    assert b"BDAY" not in body


# Lists


def test_members_lead_to_the_contacts(account: Account, mailbox: Mailbox) -> None:
    lists = [each for each in account.contacts.all() if isinstance(each, ReadList)]
    ids = {
        member.mailbox.item_id.id for each in lists for member in each.members or () if member.mailbox.item_id
    }
    assert ids
    assert ids <= set(stored(mailbox, "contacts"))


def test_expanding_a_personal_list(asker: Asker, mailbox: Mailbox) -> None:
    item = named(mailbox, "group/contacts")
    assert isinstance(item.record, DistributionList)
    root = asker.ask(f'<m:ExpandDL><m:Mailbox><t:ItemId Id="{item.id}"/></m:Mailbox></m:ExpandDL>')
    names = [each.text for each in root.iterfind(".//m:DLExpansion/t:Mailbox/t:Name", NS)]
    assert names == [member.name for member in item.record.members if member.name]


def test_expanding_a_list_of_the_organisation(account: Account, asker: Asker, world: World) -> None:
    found = account.protocol.expand_dl("bauamt@practice.example")
    assert [each.email_address for each in found] == list(world.addresses())[:3]
    missing = "<m:Mailbox><t:EmailAddress>keine@practice.example</t:EmailAddress></m:Mailbox>"
    assert codes(asker.ask(f"<m:ExpandDL>{missing}</m:ExpandDL>")) == ["ErrorNameResolutionNoResults"]


# Tasks, notes, journal


def test_every_task_is_what_was_put(account: Account, mailbox: Mailbox) -> None:
    put_in = stored(mailbox, "tasks")
    found = {each.id: each for each in account.tasks.all()}
    assert set(found) == set(put_in)
    for item_id, item in put_in.items():
        read, chore = found[item_id], item.record
        assert isinstance(read, ReadTask)
        assert isinstance(chore, Chore)
        assert (read.subject or "") == chore.common.subject
        assert read.status == chore.status
        assert (read.recurrence is None) == (chore.repeat is None)
        assert read.reminder_is_set == (chore.common.reminder is not None)
        assert read.reminder_due_by == chore.common.due
        assert read.importance == chore.common.importance


def test_a_task_completed_is_an_update(asker: Asker, mailbox: Mailbox) -> None:
    folder = distinguished("tasks")
    state = state_of(asker.ask(sync_items(folder)))
    item = next(
        item for item in mailbox.distinguished("tasks").items
        if isinstance(item.record, Chore) and item.record.status == "NotStarted"
    )  # fmt: skip
    assert isinstance(item.record, Chore)
    mailbox.replace(item, replace(item.record, status="Completed", percent=100))
    assert changes(asker.ask(sync_items(folder, state))) == [("Update", item.id)]
    element = only(asker, item)
    assert element.findtext("t:IsComplete", namespaces=NS) == "true"
    assert element.findtext("t:StatusDescription", namespaces=NS) == "Completed"


def test_tasks_that_recur_are_found(account: Account, mailbox: Mailbox) -> None:
    """A listing never has the recurrence itself."""
    found = {each.id for each in account.tasks.all().only("is_recurring") if each.is_recurring}
    chores = stored(mailbox, "tasks").items()
    expected = {id_ for id_, item in chores if isinstance(item.record, Chore) and item.record.repeat}
    assert found == expected
    assert expected


def test_notes_are_messages_with_a_colour(asker: Asker, mailbox: Mailbox) -> None:
    wanted = f'<t:ExtendedFieldURI PropertySetId="{NOTE}" PropertyId="35584" PropertyType="Integer"/>'
    colours = set()
    for item in mailbox.distinguished("notes").items:
        element = only(asker, item, wanted)
        assert etree.QName(element).localname == "Message"
        assert element.findtext("t:ItemClass", namespaces=NS) == "IPM.StickyNote"
        assert element.findtext("t:Body", "", NS) == item.text
        colours.add(element.findtext("t:ExtendedProperty/t:Value", namespaces=NS))
    assert len(colours - {None}) >= 3


def test_the_journal_is_of_messages_too(account: Account, mailbox: Mailbox) -> None:
    folder = next(each for each in account.root.walk() if each.id == mailbox.distinguished("journal").id)
    found = list(folder.all().only("item_class", "subject"))
    assert [each.item_class for each in found] == ["IPM.Activity"] * 5
    assert {type(each) for each in found} == {ReadMessage}


# The world


def test_five_mailboxes_of_a_world_hold_every_oddity() -> None:
    world = World(seed=7, people=5, items=0, pim=40)
    records = [item.record for address in world.addresses() for item in world.mailbox(address).messages()]
    found = {getattr(record, "key", None) for record in records}
    assert {f"card/{name}" for name in CARDS} <= found
    assert {f"chore/{name}" for name in CHORES} <= found
    assert {f"sticky/{name}" for name in STICKIES} <= found


# The other dialect


def test_gromox_gives_them_too(world: World, mailbox: Mailbox) -> None:
    with ExchangeServer(world, dialect="gromox") as running, asking(running, mailbox.address) as asker:
        contact = only(asker, named(mailbox, "card/everything"))
        assert contact.findtext("t:Birthday", namespaces=NS) == "1971-12-24T11:59:00Z"
        assert contact.findtext("t:EmailAddresses/t:Entry", namespaces=NS) == "frauke.hansen@firma.example"
        mime = only(asker, named(mailbox, "card/everything"), '<t:FieldURI FieldURI="item:MimeContent"/>')
        body = base64.b64decode(mime.findtext("t:MimeContent", "", NS))
        assert body.partition(b":")[0] == b"MIME-Version"
        task = only(asker, next(iter(mailbox.distinguished("tasks").items)))
        assert task.find("t:Owner", NS) is None
        modified = task.findtext("t:LastModifiedTime", "", NS)
        assert len(modified) == len("2024-01-01T00:00:00.000000000Z")
