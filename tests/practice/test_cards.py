"""Contacts and distribution lists: what is written is what exchangelib reads, and every oddity is there."""

from __future__ import annotations

import datetime
from collections import Counter

import pytest
from exchangelib.items import Contact as Read
from exchangelib.items import DistributionList as ReadList
from records_written import ORDER, SEED, mailbox_of, parsed, properties, tags, written

from practice.contacts.cards import FILINGS, Contact
from practice.contacts.cards_made import NAMESAKES, ODDITIES, sample_cards
from practice.contacts.groups import DistributionList, expand, public_members, sample_groups
from practice.exchange.soap import T
from practice.world.desk import Desk
from practice.world.people import Directory
from practice.world.records import Record

PHONE_KEYS = (
    "AssistantPhone",
    "BusinessFax",
    "BusinessPhone",
    "BusinessPhone2",
    "Callback",
    "CarPhone",
    "CompanyMainPhone",
    "HomeFax",
    "HomePhone",
    "HomePhone2",
    "Isdn",
    "MobilePhone",
    "OtherFax",
    "OtherTelephone",
    "Pager",
    "PrimaryPhone",
    "RadioPhone",
    "Telex",
    "TtyTddPhone",
)
NEIGHBOURS = range(5)


def odd(name: str, index: int = 1) -> Contact:
    return ODDITIES[name](Desk(SEED, index, f"card/{name}"))


def keys(records: list[Record]) -> list[str]:
    return [record.key for record in records if isinstance(record, Contact | DistributionList)]


def groups(index: int = 0) -> list[Record]:
    return sample_groups(SEED, index, sample_cards(SEED, index, 20))


def a_group(name: str) -> tuple[DistributionList, list[Record]]:
    """A list of that name in any of the five mailboxes, and the contacts beside it."""
    for index in NEIGHBOURS:
        cards = sample_cards(SEED, index, 20)
        made = sample_groups(SEED, index, cards)
        for group in made:
            if isinstance(group, DistributionList) and group.name == name:
                return group, [*cards, *(one for one in made if one is not group)]
    raise KeyError(name)


@pytest.mark.parametrize("name", ODDITIES)
def test_every_oddity_is_written_in_the_order_of_the_schema(name: str) -> None:
    element = written(mailbox_of(odd(name)))[0]
    found = [ORDER["Contact"].index(tag) for tag in tags(element)]
    assert found == sorted(set(found))


@pytest.mark.parametrize("name", ODDITIES)
def test_every_oddity_is_read_as_it_was_meant(name: str) -> None:
    """None is an element that is not there; exchangelib reads an empty one as nothing, or as no text."""
    contact = odd(name)
    read = parsed(Read, contact)
    assert (read.given_name or "") == (contact.given or "")
    assert (read.surname or "") == (contact.surname or "")
    assert (read.display_name or "") == contact.display_name
    assert (read.file_as or "") == (contact.filed_as or "")
    assert (read.company_name or "") == (contact.company or "")
    shown = [each.address or each.name for each in contact.emails if each]
    assert [each.email for each in read.email_addresses or ()] == shown
    assert read.has_picture == contact.has_picture
    assert (read.birthday is None) == (contact.birthday is None)


def test_neighbours_have_every_oddity_between_them() -> None:
    found = {key for index in NEIGHBOURS for key in keys(sample_cards(SEED, index, 60))}
    assert {f"card/{name}" for name in ODDITIES} <= found


@pytest.mark.parametrize("count", [0, 3, 45])
def test_as_many_as_asked_for_and_the_same_again(count: int) -> None:
    first, again = sample_cards(SEED, 2, count), sample_cards(SEED, 2, count)
    assert len(first) == count
    assert first == again
    assert len(set(keys(first))) == count


def test_mailboxes_and_seeds_differ() -> None:
    made = {str(sample_cards(seed, index, 40)) for seed in (1, 2) for index in NEIGHBOURS}
    assert len(made) == 10


def test_two_hundred_of_one_name() -> None:
    cards = sample_cards(SEED, 2, 300)
    same = [card for card in cards if card.common.subject == "Thomas Müller"]
    assert len(same) == NAMESAKES
    assert len({card.emails for card in same if isinstance(card, Contact)}) == NAMESAKES * 3 // 4 + 1


def test_twins_differ_in_nothing_but_their_days() -> None:
    cards = [card for card in sample_cards(SEED, 4, 80) if isinstance(card, Contact)]
    ordinary = [card for card in cards if card.key.split("/")[1].isdigit()]
    twins = Counter((card.given, card.surname, card.emails, card.phones) for card in ordinary)
    assert max(twins.values()) == 2
    assert sum(count == 2 for count in twins.values()) >= len(ordinary) // 2 - 1
    assert len({card.common.created for card in ordinary}) == len(ordinary)


def test_everything_a_contact_has() -> None:
    contact = odd("everything")
    read = parsed(Read, contact)
    empty = [field.name for field in contact_fields(read) if getattr(read, field.name) is None]
    assert empty == ["email_alias"]
    assert [each.label for each in read.phone_numbers] == list(PHONE_KEYS)
    assert [each.label for each in read.physical_addresses] == ["Business", "Home", "Other"]
    assert read.physical_addresses[0].zipcode == "24103"
    assert read.complete_name.suffix == "M.Sc."
    assert read.complete_name.yomi_last_name == read.phonetic_last_name == "リューダース"
    assert read.birthday == datetime.date(1971, 12, 24)
    assert read.children == ["Silke", "Björn", "Änne; Maren"]
    assert read.file_as == "Lüders, Wiebke Käthe\r\nLüders Werft GmbH & Co. KG"


def contact_fields(read: Read) -> list[object]:
    """The contact's own, of those that Exchange gives for an item of a store."""
    directory = {"notes", "photo", "user_smime_certificate", "ms_exchange_certificate", "directory_id"}
    absent = directory | {"manager_mailbox", "direct_reports"}
    own = [field for field in read.FIELDS if getattr(field, "field_uri", "").startswith("contacts:")]
    return [field for field in own if field.name not in absent]


@pytest.mark.parametrize("mapping", FILINGS)
def test_filed_as_the_mapping_says(mapping: str) -> None:
    expected = {
        "LastCommaFirst": "Carstens, Birgit Änne",
        "FirstSpaceLast": "Birgit Änne Carstens",
        "Company": "Carstens Tiefbau",
        "LastCommaFirstCompany": "Carstens, Birgit Änne\r\nCarstens Tiefbau",
        "CompanyLastFirst": "Carstens Tiefbau\r\nCarstensBirgit Änne",
        "LastFirst": "CarstensBirgit Änne",
        "LastFirstCompany": "CarstensBirgit Änne\r\nCarstens Tiefbau",
        "CompanyLastCommaFirst": "Carstens Tiefbau\r\nCarstens, Birgit Änne",
        "LastFirstSuffix": "CarstensBirgit Änne jun.",
        "LastSpaceFirstCompany": "Carstens Birgit Änne\r\nCarstens Tiefbau",
        "CompanyLastSpaceFirst": "Carstens Tiefbau\r\nCarstens Birgit Änne",
        "LastSpaceFirst": "Carstens Birgit Änne",
        "DisplayName": "Birgit Änne Carstens jun.",
        "FirstName": "Birgit",
        "LastFirstMiddleSuffix": "Carstens Birgit Änne jun.",
        "LastName": "Carstens",
        "Empty": "",
    }
    assert odd(f"filed_{mapping}").filed_as == expected[mapping]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("leap_day", "2000-02-29T11:59:00Z"),
        ("no_year", "1604-02-29T00:00:00Z"),
        ("first_day_of_filetime", "1601-01-01T00:00:00Z"),
        ("born_in_berlin", "1980-06-30T22:00:00Z"),
        ("born_in_seattle", "1975-02-28T08:00:00Z"),
        ("born_in_kiritimati", "2000-12-31T10:00:00Z"),
        ("born_with_offset", "1985-05-05T00:00:00+02:00"),
        ("no_day", "4501-01-01T00:00:00Z"),
    ],
)
def test_birthdays_are_moments(name: str, text: str) -> None:
    assert written(mailbox_of(odd(name)))[0].findtext(f"{T}Birthday") == text


def test_the_day_that_was_meant_is_kept_beside_the_moment() -> None:
    assert properties(odd("born_in_seattle"))["0x80de"] == "1975-02-28T00:00:00Z"


def test_an_address_of_the_global_list_is_a_legacy_dn() -> None:
    entry = written(mailbox_of(odd("colleague")))[0].find(f"{T}EmailAddresses/{T}Entry")
    assert entry is not None
    assert entry.get("RoutingType") == "EX"
    assert Directory(SEED, 5).find_legacy(entry.text or "").index == 0


def test_user_defined_and_web_pages_are_extended_properties() -> None:
    assert properties(odd("user_fields"))['Feld "mit" <Zeichen> & ä'] == "Wert\r\nzweite Zeile"
    assert properties(odd("user_fields"))["Stammkunde"] == "true"
    assert properties(odd("pages"))["0x3a50"] == "https://frauke.example/~privat"
    assert properties(odd("facts"))["0x3a4d"] == "1"


def test_a_vcard_of_exchange_escapes() -> None:
    kind, body = odd("separators").mime()
    assert kind == "text/directory"
    assert b"N:M\xc3\xbcller\\; geb. Schulz\\\\;Anna\\, Maria;\\\\n;" in body


@pytest.mark.parametrize("index", NEIGHBOURS)
def test_nothing_odd_when_none_is_wanted(index: int) -> None:
    cards = sample_cards(SEED, index, 20, odd=False)
    assert keys(cards) == [f"card/{n}" for n in range(20)]
    assert all(isinstance(card, Contact) and card.given and card.surname and card.emails for card in cards)
    assert keys(sample_groups(SEED, index, cards, odd=False)) == ["group/contacts"]


# Lists


def test_neighbours_have_every_kind_of_list() -> None:
    found = {key for index in NEIGHBOURS for key in keys(groups(index))}
    kinds = {key.split("/")[1] for key in found}
    assert kinds == {
        "one_offs",
        "contacts",
        "mixed",
        "nested",
        "circle",
        "empty",
        "stale",
        "nameless",
        "large",
    }
    assert groups() == groups()


@pytest.mark.parametrize("index", NEIGHBOURS)
def test_every_list_is_in_the_order_of_the_schema(index: int) -> None:
    for element in written(mailbox_of(*groups(index))):
        found = [ORDER["DistributionList"].index(tag) for tag in tags(element)]
        assert found == sorted(set(found))


def test_members_of_every_kind_are_read() -> None:
    group, _ = a_group("Notfall")
    read = parsed(ReadList, group)
    kinds = [member.mailbox.mailbox_type for member in read.members]
    assert kinds == ["Mailbox", "Mailbox", "Mailbox", "OneOff", "Contact", "Contact"]
    assert read.members[1].mailbox.routing_type == "EX"


def test_a_contact_is_a_member_by_its_id_of_the_moment() -> None:
    group, beside = a_group("Notfall")
    mailbox = mailbox_of(*beside, group)
    meant = [member.key for member in group.members if member.key]
    of_contact = {item.record.key: item for item in mailbox.messages() if isinstance(item.record, Contact)}
    moved = mailbox.move(of_contact[meant[0]], mailbox.distinguished("deleteditems"))
    element = next(each for each in written(mailbox) if each.findtext(f"{T}DisplayName") == "Notfall")
    found = [each.get("Id") for each in element.iterfind(f"{T}Members/{T}Member/{T}Mailbox/{T}ItemId")]
    assert found == [moved.id, of_contact[meant[1]].id]


def test_a_member_whose_contact_is_gone_has_no_id() -> None:
    group, _ = a_group("Alte Liste")
    first, second = parsed(ReadList, group).members[:2]
    assert (first.mailbox.email_address, first.mailbox.item_id, first.status) == (
        "gerd@firma.example",
        None,
        "Demoted",
    )
    assert (second.mailbox.mailbox_type, second.status) == ("Unknown", "Unrecognized")


def test_a_nested_list_is_expanded_one_level() -> None:
    group, beside = a_group("Verein")
    mailbox = mailbox_of(*beside, group)
    item = next(item for item in mailbox.messages() if item.record is group)
    inner = next(
        item
        for item in mailbox.messages()
        if isinstance(item.record, DistributionList) and item.record.name == "Vorstand"
    )
    first, *others = expand(item)
    assert f'<t:ItemId Id="{inner.id}"' in first
    assert "<t:EmailAddress>" not in first
    assert ["PublicDL" in each for each in others] == [True, True]


def test_public_lists_have_members() -> None:
    people = Directory(SEED, 5)
    bauamt = public_members(people, "Bauamt@practice.example")
    assert bauamt == (people.at(0), people.at(1), people.at(2))
    assert public_members(people, "leer@practice.example") == ()
    assert public_members(people, people.at(0).address) is None
