"""Every odd contact comes back from an Open-Xchange with its meaning, though it adds types by position."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from xml.sax.saxutils import escape

import httpx
import pytest
from golden_records import context, golden, names
from servers.open_xchange.server import USER_PASSWORD, OpenXchangeServer
from test_contact import NOT_AFTER, contact, unfolded

from connectors.caldav.product_open_xchange import PROFILE
from mappings.compare.semantic_digest import card_meaning
from mappings.registry import map_contact
from model.kinds import Kind
from model.protocols import Capabilities, Mapped, Native

ANNA = "anna@ox.test"
TARGET = Capabilities(
    frozenset({Kind.CONTACTS}), position_types=True, cards=PROFILE.cards, max_bytes=4_194_304
)


@pytest.fixture(scope="module")
def suite() -> Iterator[OpenXchangeServer]:
    with OpenXchangeServer({ANNA: "Anna Adler"}) as server:
        yield server


def returned(suite: OpenXchangeServer, mapped: Mapped, name: str) -> bytes | None:
    with httpx.Client(base_url=suite.url, auth=(ANNA, USER_PASSWORD)) as client:
        path = f"/carddav/32/{name}.vcf"
        raw = mapped.item.body().read()
        client.put(path, content=raw, headers={"Content-Type": "text/vcard"}).raise_for_status()
        answer = client.get(path)
        return answer.content if answer.status_code == 200 else None


def differing(mapped: Mapped, found: bytes) -> set[str]:
    own = card_meaning(mapped.item.body(), NOT_AFTER).fields
    other = card_meaning(io.BytesIO(found), NOT_AFTER).fields
    return {field for field in own if own[field] != other[field]}


def mapped(native: Native) -> Mapped:
    return map_contact(native, context(TARGET))


@pytest.mark.parametrize("name", [name for name in names("contact") if not name.startswith("list")])
def test_a_contact_comes_back(suite: OpenXchangeServer, name: str) -> None:
    made = mapped(golden("contact", name))
    found = returned(suite, made, name)
    assert found is not None
    assert differing(made, found) == set()


def test_types_by_position(suite: OpenXchangeServer) -> None:
    mails = "".join(f'<t:Entry Key="EmailAddress{n}">m{n}@example.org</t:Entry>' for n in (1, 2, 3))
    keys = ("MobilePhone", "BusinessMobile", "BusinessPhone")
    phones = "".join(f'<t:Entry Key="{key}">{n}</t:Entry>' for n, key in enumerate(keys))
    places = "".join(f'<t:Entry Key="{key}"><t:City>{key}</t:City></t:Entry>' for key in ("Business", "Home"))
    made = mapped(
        contact(
            f"<t:EmailAddresses>{mails}</t:EmailAddresses><t:PhysicalAddresses>{places}</t:PhysicalAddresses>"
            f"<t:PhoneNumbers>{phones}</t:PhoneNumbers>"
        )
    )
    lines = unfolded(made)
    assert [line for line in lines if line.startswith("EMAIL")] == [
        "EMAIL;TYPE=INTERNET,WORK:m1@example.org",
        "EMAIL;TYPE=INTERNET,HOME:m2@example.org",
        "EMAIL;TYPE=INTERNET,OTHER:m3@example.org",
    ]
    assert [line for line in lines if "CELL" in line] == [
        "TEL;TYPE=WORK,CELL,PREF:1",
        "TEL;TYPE=CELL,X-2ND:0",
    ]
    found = returned(suite, made, "positions")
    assert found is not None
    assert differing(made, found) == set()


def reasons(made: Mapped) -> list[str]:
    return [f"{loss.field}/{loss.reason}" for loss in made.losses]


def mails(*addresses: str) -> str:
    entries = (
        f'<t:Entry Key="EmailAddress{n}">{escape(one)}</t:Entry>' for n, one in enumerate(addresses, 1)
    )
    return f"<t:EmailAddresses>{''.join(entries)}</t:EmailAddresses>"


@pytest.mark.parametrize(
    ("inner", "loss"),
    [
        pytest.param(f"<t:Surname>{'N' * 129}</t:Surname>", "name/shortened", id="last-name"),
        pytest.param(f"<t:GivenName>{'ö' * 200}</t:GivenName>", "name/shortened", id="first-name"),
        pytest.param(f"<t:DisplayName>{'D' * 400}</t:DisplayName>", "name/shortened", id="display-name"),
        pytest.param(f'<t:Body BodyType="Text">{"n" * 66_000}</t:Body>', "text/shortened", id="note"),
        pytest.param(f'<t:Body BodyType="Text">{"ü" * 66_000}</t:Body>', "text/shortened", id="note-umlauts"),
        pytest.param(
            f"<t:DisplayName>{'D' * 400}</t:DisplayName><t:GivenName>{'G' * 129}</t:GivenName>"
            f"<t:Surname>{'S' * 129}</t:Surname>" + f'<t:Body BodyType="Text">{"ü" * 66_000}</t:Body>',
            "name/shortened text/shortened",
            id="all",
        ),
        pytest.param(
            "<t:Sensitivity>Confidential</t:Sensitivity>", "sensitivity/shown-as-private", id="class"
        ),
        pytest.param(mails("a@x.example", "jörg@x.example"), "email/not-taken", id="umlaut"),
        pytest.param(mails("Anna Adler", "a@x.example", "b@x.example"), "email/not-taken", id="no-address"),
        pytest.param(mails('"a b"@x.example', "a@bücher.example"), "", id="odd-addresses-that-are-kept"),
        pytest.param(mails(*(f"m{n}@x.example" for n in range(5))), "", id="five-addresses"),
    ],
)
def test_a_card_that_was_not_stored_or_changed_is_kept_as_it_was_made(
    suite: OpenXchangeServer, inner: str, loss: str, request: pytest.FixtureRequest
) -> None:
    made = mapped(contact(f"<t:CompanyName>Firma</t:CompanyName>{inner}"))
    assert reasons(made) == loss.split()
    found = returned(suite, made, request.node.callspec.id)
    assert found is not None
    assert differing(made, found) == set()


def numbers(**by_key: str) -> str:
    entries = "".join(f'<t:Entry Key="{key}">{number}</t:Entry>' for key, number in by_key.items())
    return f"<t:PhoneNumbers>{entries}</t:PhoneNumbers>"


def categories(*names: str) -> str:
    return f"<t:Categories>{''.join(f'<t:String>{escape(one)}</t:String>' for one in names)}</t:Categories>"


TWO = numbers(BusinessPhone="1", BusinessPhone2="2", HomePhone="3", HomePhone2="4", BusinessFax="5")


@pytest.mark.parametrize(
    ("inner", "loss"),
    [
        pytest.param(mails("info@verein.example"), "", id="only-mail"),
        pytest.param(numbers(MobilePhone="1"), "", id="only-a-number"),
        pytest.param("<t:CompanyName>Verein</t:CompanyName>", "", id="only-a-company"),
        pytest.param("", "name/none-given", id="nothing"),
        pytest.param(TWO, "", id="two-numbers-of-a-kind"),
        pytest.param(numbers(PrimaryPhone="1", BusinessPhone="2"), "", id="one-number-of-a-kind"),
        pytest.param("<t:Nickname>Anni, Mari;x\\y,</t:Nickname>", "", id="nickname"),
        pytest.param(
            "<t:Surname>A</t:Surname>" + categories("A, B; C", "D"),
            "categories/colour-not-kept categories/comma-replaced",
            id="categories",
        ),
        pytest.param("<t:CompanyName>AB;</t:CompanyName>", "organisation/semicolon-replaced", id="company;"),
        pytest.param(
            "<t:CompanyName>A;B;;;</t:CompanyName>", "organisation/semicolon-replaced", id="company;;;"
        ),
        pytest.param(
            "<t:CompanyName>A;</t:CompanyName><t:Department>B;</t:Department>",
            "organisation/semicolon-replaced",
            id="department;",
        ),
        pytest.param(
            "<t:CompanyName>A;</t:CompanyName><t:Department>B</t:Department>", "", id="company;-department"
        ),
    ],
)
def test_a_card_that_is_no_person_s_or_has_odd_marks(
    suite: OpenXchangeServer, inner: str, loss: str, request: pytest.FixtureRequest
) -> None:
    made = mapped(contact(inner))
    assert reasons(made) == loss.split()
    found = returned(suite, made, request.node.callspec.id.replace(";", "-semicolon"))
    assert found is not None
    assert differing(made, found) == set()


def test_an_address_that_is_not_taken_is_not_gone(suite: OpenXchangeServer) -> None:
    made = mapped(contact(mails("jörg@x.example", "b@x.example")))
    found = returned(suite, made, "not-gone")
    assert found is not None
    assert "X-KOGGE-EMAIL:jörg@x.example" in found.decode()
    assert [line for line in unfolded(made) if line.startswith("EMAIL")] == [
        "EMAIL;TYPE=INTERNET,WORK:b@x.example"
    ]


def test_another_target_gets_all_of_it() -> None:
    inner = f"<t:Surname>{'N' * 129}</t:Surname><t:Sensitivity>Confidential</t:Sensitivity>"
    made = map_contact(contact(inner + mails("jörg@x.example")), context(Capabilities(TARGET.kinds)))
    assert reasons(made) == []
    odd = contact("<t:CompanyName>A;</t:CompanyName><t:Nickname>A,B</t:Nickname>" + categories("A, B"))
    assert {"ORG:A\\;", "NICKNAME:A\\,B", "CATEGORIES:A\\, B"} <= set(
        unfolded(map_contact(odd, context(Capabilities(TARGET.kinds))))
    )
    assert {"CLASS:CONFIDENTIAL", f"N:{'N' * 129};;;;"} <= set(unfolded(made))


@pytest.mark.parametrize(("size", "loss"), [(3_000_000, ""), (5_000_000, "photo/too-large")])
def test_a_picture_that_is_too_large_costs_no_card(suite: OpenXchangeServer, size: int, loss: str) -> None:
    picture = base64.b64encode(b"\xff\xd8\xff" + bytes(size)).decode()
    made = mapped(contact(f"<t:Surname>Adler</t:Surname><t:Photo>{picture}</t:Photo>"))
    assert reasons(made) == loss.split()
    found = returned(suite, made, f"picture-{size}")
    assert found is not None
    assert differing(made, found) == set()
