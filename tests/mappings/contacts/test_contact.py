"""Contacts and distribution lists: goldens in both versions, refusals, photos, sizes."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime

import pytest
import vobject
from event_goldens import losses
from golden_records import GOLDENS, KARLA, context, golden, names, record

from mappings.compare.semantic_digest import card_digest, card_meaning
from mappings.contacts.communication import PHONES
from mappings.contacts.contact import skip_contact
from mappings.contacts.dates import day_of
from mappings.losses.catalogue import LOSSES, SKIPS
from mappings.registry import map_contact
from mappings.vcard.card import kind_of
from model.errors import Rejected
from model.kinds import Kind
from model.protocols import Capabilities, Loss, Mapped, Native, key_of

NOT_AFTER = datetime(2026, 11, 25, tzinfo=UTC)
VERSIONS = ("3.0", "4.0")
CARDS = frozenset({Kind.CONTACTS})
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8


def mapped(native: Native, version: str = "3.0") -> Mapped:
    return map_contact(native, context(Capabilities(CARDS, vcard=version)))


def contact(inner: str, picture: bytes | None = None) -> Native:
    files = {} if picture is None else {"a": picture}
    return record("contact", f"<t:Contact>{inner}</t:Contact>", "IPM.Contact", files)


def card(inner: str, version: str = "3.0") -> list[str]:
    """The lines of the card, unfolded."""
    return unfolded(mapped(contact(inner), version))


def unfolded(result: Mapped) -> list[str]:
    return result.item.body().read().decode().replace("\r\n ", "").split("\r\n")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", names("contact"))
def test_golden(name: str, version: str) -> None:
    result = mapped(golden("contact", name), version)
    assert result.item.body().read() == (GOLDENS / "contact" / f"{name}.{version[0]}.vcf").read_bytes()
    assert losses(result) == json.loads((GOLDENS / "contact" / f"{name}.json").read_text())[version]


@pytest.mark.parametrize("name", names("contact"))
def test_both_versions_mean_the_same(name: str) -> None:
    one, other = (mapped(golden("contact", name), version).item for version in VERSIONS)
    first, second = (card_meaning(item.body(), NOT_AFTER).fields for item in (one, other))
    # A parameter of 3.0 cannot hold a double quote: a single one stands in the member's name.
    allowed = {"members"} if name == "list" else set()
    assert {field for field in first if first[field] != second[field]} == allowed


@pytest.mark.parametrize("name", names("contact"))
def test_a_server_that_reads_and_writes_it_anew_keeps_its_meaning(name: str) -> None:
    """Radicale stores what vobject makes of a card."""
    item = mapped(golden("contact", name)).item
    again = vobject.readOne(item.body().read().decode()).serialize()
    assert card_digest(io.BytesIO(again.encode()), NOT_AFTER) == item.digest


def test_the_item_carries_key_uid_digest_and_size() -> None:
    item = mapped(contact("<t:GivenName>A</t:GivenName>")).item
    assert (item.kind, item.key, item.flags) == (Kind.CONTACTS, key_of("id-1"), frozenset())
    assert item.uid == f"kogge-{key_of('id-1').hex()}"
    assert f"UID:{item.uid}" in item.body().read().decode()
    assert item.size == len(item.body().read())
    assert item.digest == card_digest(item.body(), NOT_AFTER)


def test_the_same_record_gives_the_same_bytes() -> None:
    one, other = (mapped(golden("contact", "everything")).item for _ in range(2))
    assert one.body().read() == other.body().read()


@pytest.mark.parametrize(
    ("item_class", "code"),
    [
        ("IPM.Contact", None),
        ("ipm.contact.Custom", None),
        ("IPM.DistList", None),
        ("IPM.Activity", "journal-entry"),
        ("IPM.Activity.Call", "journal-entry"),
        ("IPM.ContactX", "not-a-contact"),
        ("IPM.Note", "not-a-contact"),
        ("IPM.AbchPerson", "not-a-contact"),
        ("", "not-a-contact"),
    ],
)
def test_what_is_no_contact_is_skipped(item_class: str, code: str | None) -> None:
    assert skip_contact(record("contact", "<t:Contact/>", item_class)) == code
    assert code is None or code in SKIPS


LIST_WITH_NOTES = (
    '<t:DistributionList><t:Body BodyType="Text">For the north</t:Body><t:Categories><t:String>Red</t:String>'
    "</t:Categories><t:DisplayName>North</t:DisplayName><t:Members><t:Member><t:Mailbox><t:Name>A</t:Name>"
    "<t:EmailAddress>a@b.example</t:EmailAddress></t:Mailbox></t:Member></t:Members></t:DistributionList>"
)


def test_a_list_is_rejected_where_the_target_keeps_none() -> None:
    target = Capabilities(CARDS, groups=False)
    with pytest.raises(Rejected) as caught:
        map_contact(golden("contact", "list"), context(target))
    assert caught.value.code == "groups-unsupported"
    map_contact(golden("contact", "everything"), context(target))


PLAIN_LISTS = Capabilities(CARDS, plain_lists=True)


def test_a_plain_list_names_addresses_and_not_contacts() -> None:
    """A contact's address stands for it; a list within the list has none."""
    made = map_contact(golden("contact", "list"), context(PLAIN_LISTS))
    members = [line for line in unfolded(made) if line.startswith("X-ADDRESSBOOKSERVER-MEMBER")]
    assert len(members) > 3
    assert all(":mailto:" in line for line in members)
    assert {Loss("members", "not-linked"), Loss("members", "unresolved-address")} <= set(made.losses)


def test_a_plain_list_loses_its_notes_and_a_contact_none() -> None:
    native = record("contact", LIST_WITH_NOTES)
    made = map_contact(native, context(PLAIN_LISTS))
    assert "NOTE" not in unfolded(made)
    assert "CATEGORIES" not in unfolded(made)
    assert [loss for loss in made.losses if loss.field == "list"] == [Loss("list", "name-and-members-only")]
    assert "NOTE:For the north" in unfolded(map_contact(native, context(Capabilities(CARDS))))
    everything = golden("contact", "everything")
    assert map_contact(everything, context(PLAIN_LISTS)).item.digest == mapped(everything).item.digest


@pytest.mark.parametrize(
    ("native", "code"),
    [
        (record("event", "<t:Contact/>"), "unknown-format"),
        (record("contact", "<t:Message/>"), "malformed-record"),
        (record("contact", ""), "malformed-record"),
        (record("contact", "<t:Contact>"), "malformed-record"),
    ],
)
def test_what_cannot_be_read_is_rejected(native: Native, code: str) -> None:
    with pytest.raises(Rejected) as caught:
        mapped(native)
    assert caught.value.code == code


def test_every_phone_of_exchange_has_types_of_its_own() -> None:
    keys = set(PHONES) - {"BusinessPhone2", "HomePhone2"}
    assert len({PHONES[key] for key in keys}) == len(keys)
    entries = "".join(f'<t:Entry Key="{key}">{n}</t:Entry>' for n, key in enumerate(PHONES))
    result = mapped(contact(f"<t:PhoneNumbers>{entries}</t:PhoneNumbers>"))
    numbers = [line.rpartition(":")[2] for line in unfolded(result) if line.startswith("TEL")]
    assert sorted(map(int, numbers)) == list(range(len(PHONES)))
    assert result.losses == ()


@pytest.mark.parametrize(
    ("inner", "shown"),
    [
        ("<t:DisplayName>D</t:DisplayName><t:FileAs>F</t:FileAs>", "D"),
        ("<t:GivenName>G</t:GivenName><t:Surname>S</t:Surname><t:FileAs>F</t:FileAs>", "G S"),
        ("<t:FileAs>F</t:FileAs><t:CompanyName>C</t:CompanyName>", "F"),
        ("<t:CompanyName>C</t:CompanyName><t:Nickname>N</t:Nickname>", "C"),
        ("<t:Nickname>N</t:Nickname>", "N"),
        ('<t:PhoneNumbers><t:Entry Key="MobilePhone"> 5 </t:Entry></t:PhoneNumbers>', "5"),
        ("<t:DisplayName> </t:DisplayName><t:GivenName/>", "(no name)"),
        ("<t:FileAs>\n \n</t:FileAs>", "(no name)"),
    ],
)
def test_the_full_name_is_never_empty(inner: str, shown: str) -> None:
    assert f"FN:{shown}" in card(inner)


def test_an_address_without_a_domain_stays_as_it_was_typed() -> None:
    entry = '<t:EmailAddresses><t:Entry Key="EmailAddress1">erika</t:Entry></t:EmailAddresses>'
    result = mapped(contact(entry))
    assert "EMAIL;TYPE=INTERNET,PREF:erika" in unfolded(result)
    assert result.losses == ()


def test_an_internal_address_is_resolved_whatever_its_case() -> None:
    entry = f'<t:Entry Key="EmailAddress1" RoutingType="EX">{KARLA.upper()}</t:Entry>'
    assert "EMAIL;TYPE=INTERNET,PREF:karla.kolumna@land.example" in card(
        f"<t:EmailAddresses>{entry}</t:EmailAddresses>"
    )


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("skype:live:karla", "skype:live:karla"),
        ("karla@jabber.example", "im:karla@jabber.example"),
        ("Büro: Tür 3, links", "im:B%C3%BCro:%20T%C3%BCr%203%2C%20links"),
    ],
)
def test_a_messenger_is_a_uri(written: str, uri: str) -> None:
    entry = f'<t:ImAddresses><t:Entry Key="ImAddress1">{written}</t:Entry></t:ImAddresses>'
    assert f"IMPP:{uri}" in card(entry)


PHOTO = (
    "<t:GivenName>A</t:GivenName><t:Attachments><t:FileAttachment><t:AttachmentId Id='a'/>"
    "<t:IsContactPhoto>true</t:IsContactPhoto></t:FileAttachment></t:Attachments>"
)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_photo_arrives_byte_for_byte(version: str) -> None:
    result = mapped(contact(PHOTO, JPEG), version)
    (line,) = [line for line in unfolded(result) if line.startswith("PHOTO")]
    assert base64.b64decode(line.replace(",", ":").rpartition(":")[2]) == JPEG
    assert result.losses == ()


def test_a_photo_too_large_for_the_target_goes_alone() -> None:
    native = contact(PHOTO, JPEG)
    for target in (
        Capabilities(CARDS, max_bytes=1000),
        Capabilities(CARDS, attachment_bytes=len(JPEG) - 1),
    ):
        result = map_contact(native, context(target))
        assert losses(result) == ["photo/too-large"]
        assert "FN:A" in unfolded(result)
        assert not any(line.startswith("PHOTO") for line in unfolded(result))
    kept = map_contact(native, context(Capabilities(CARDS, max_bytes=10_000, attachment_bytes=len(JPEG))))
    assert kept.losses == ()


def test_a_card_too_large_for_the_target_is_rejected() -> None:
    native = contact(f"<t:Body BodyType='Text'>{'x' * 5000}</t:Body>")
    with pytest.raises(Rejected) as caught:
        map_contact(native, context(Capabilities(CARDS, max_bytes=4000)))
    assert caught.value.code == "too-large"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (JPEG, "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"), (b"GIF89a..", "GIF"), (b"BM....", "BMP"),
        (b"RIFF\1\2\3\4WEBPVP8 ", "WEBP"), (b"RIFF\1\2\3\4WAVE", None), (b"", None), (b"<svg/>", None),
    ],
)  # fmt: skip
def test_what_a_picture_is_its_first_bytes_say(data: bytes, kind: str | None) -> None:
    assert kind_of(data) == kind


@pytest.mark.parametrize("data", [b"", b"<svg/>"])
def test_a_picture_nobody_can_show_is_a_loss(data: bytes) -> None:
    assert losses(mapped(contact(PHOTO, data))) == ["photo/unknown-format"]


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("1980-02-29T00:00:00Z", "1980-02-29"),  # Outlook in London's winter
        ("1980-02-28T23:00:00Z", "1980-02-29"),  # Berlin, winter
        ("2010-06-30T22:00:00Z", "2010-07-01"),  # Berlin, summer
        ("1980-03-01T05:00:00Z", "1980-03-01"),  # New York
        ("1980-02-29T11:59:00Z", "1980-02-29"),  # Outlook on the web, exchangelib
        ("1980-02-28T15:00:00Z", "1980-02-29"),  # Tokyo
        ("1980-03-01T00:00:00+01:00", "1980-03-01"),  # asked for in a zone
        ("1980-03-01T00:00:00+14:00", "1980-03-01"),
        ("1980-03-01", "1980-03-01"),
        ("1980-03-01+13:00", "1980-03-01"),
        ("1969-12-31T23:59:59Z", "1970-01-01"),  # a second before the midnight that it stands for
        ("1979-12-31T23:00:00.000000000Z", "1980-01-01"),  # nine digits
        ("4501-01-01T00:00:00Z", None),
        ("4500-12-31T23:00:00Z", None),
        ("9999-12-31T23:00:00Z", None),
        ("0001-01-01T00:00:00Z", "0001-01-01"),
        ("", None),
        ("1981-02-29T00:00:00Z", None),
    ],
)
def test_a_moment_stands_for_the_day_that_was_typed(written: str, day: str | None) -> None:
    found = day_of(written)
    assert (found.isoformat() if found else None) == day


def property_of(tag: int, value: str) -> str:
    uri = f'<t:ExtendedFieldURI PropertyTag="0x{tag:x}" PropertyType="String"/>'
    return f"<t:ExtendedProperty>{uri}<t:Value>{value}</t:Value></t:ExtendedProperty>"


@pytest.mark.parametrize(
    ("inner", "lost"),
    [
        (property_of(0x3A70, "AAAA"), ["certificate/left-out"]),
        (property_of(0x1090, "2"), ["follow-up/no-flags"]),
        (property_of(0x1090, "1"), []),
        (property_of(0x3A4D, "0"), []),
    ],
)
def test_what_no_card_holds_is_a_loss(inner: str, lost: list[str]) -> None:
    assert losses(mapped(contact(f"<t:GivenName>A</t:GivenName>{inner}"))) == lost


def test_a_birthday_before_anybody_thought_of_it() -> None:
    assert "BDAY:0001-01-01" in card("<t:Birthday>0001-01-01T00:00:00Z</t:Birthday>")
    assert "BDAY:00010101" in card("<t:Birthday>0001-01-01T00:00:00Z</t:Birthday>", "4.0")
    assert not any(line.startswith("BDAY") for line in card("<t:Birthday>4501-01-01T00:00:00Z</t:Birthday>"))


@pytest.mark.parametrize("sensitivity", ["Private", "Personal", "Confidential", "TopSecret"])
def test_what_is_private_stays_private(sensitivity: str) -> None:
    inner = f"<t:GivenName>A</t:GivenName><t:Sensitivity>{sensitivity}</t:Sensitivity>"
    wanted = "CONFIDENTIAL" if sensitivity == "Confidential" else "PRIVATE"
    assert f"CLASS:{wanted}" in card(inner)
    assert f"X-CLASS:{wanted}" in card(inner, "4.0")


def test_a_member_that_is_a_contact_has_that_contact_s_uid() -> None:
    members = golden("contact", "list")
    uid = mapped(golden("contact", "everything")).item.uid
    assert f"X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:{uid}" in unfolded(mapped(members))
    assert f"MEMBER:urn:uuid:{uid}" in unfolded(mapped(members, "4.0"))


def test_every_loss_of_a_contact_is_declared() -> None:
    for name in names("contact"):
        for version in VERSIONS:
            found = mapped(golden("contact", name), version).losses
            assert {(loss.field, loss.reason) for loss in found} <= set(LOSSES)
