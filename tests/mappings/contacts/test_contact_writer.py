"""The vCards themselves: escaping and folding, read back by a library that is not ours."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

import pytest
import vobject
from golden_records import context, record
from hypothesis import given
from hypothesis import strategies as st

from mappings.compare.semantic_digest import card_digest, card_meaning
from mappings.fields.ews_xml import printable
from mappings.registry import ITEM_FORMS
from mappings.vcard.lines import VCardLine, escaped, folded, kinds, listed, render, structured, text, uri
from model.kinds import Kind
from model.protocols import Capabilities

NOT_AFTER = datetime(2026, 11, 25, tzinfo=UTC)
ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
TEXT = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc"), include_characters="\n\t", exclude_characters="\ufffe\uffff"
    ),
    max_size=120,
)
WORD = TEXT.map(lambda value: " ".join(value.split()))
NAMES = (
    "GivenName",
    "Surname",
    "MiddleName",
    "CompanyName",
    "Department",
    "JobTitle",
    "Profession",
    "FileAs",
)


@given(st.binary(max_size=400).map(lambda data: data.hex()) | ANY)
def test_folding_never_breaks(value: str) -> None:
    line = f"NOTE:{escaped(value)}".encode()
    physical = folded(line)
    assert physical.endswith(b"\r\n")
    pieces = physical[:-2].split(b"\r\n")
    assert all(len(piece) <= 75 for piece in pieces)
    assert all(piece.decode() for piece in pieces)
    assert all(piece.startswith(b" ") for piece in pieces[1:])
    assert physical[:-2].replace(b"\r\n ", b"") == line


@pytest.mark.parametrize("before", range(60, 80))
@pytest.mark.parametrize("character", ["a", "é", "漢", "🧀"])
def test_a_character_at_the_fold_stays_whole(before: int, character: str) -> None:
    line = ("x" * before + character * 60).encode()
    pieces = folded(line)[:-2].split(b"\r\n")
    assert all(len(piece) <= 75 and piece.decode() for piece in pieces)
    assert len(pieces[0]) > 75 - len(character.encode())


@given(ANY)
def test_a_value_is_one_line_and_comes_back(value: str) -> None:
    written = render("3.0", [text("FN", value), VCardLine("N", ";;;;")]).decode()
    assert vobject.readOne(written).fn.value == printable(value)


@given(st.lists(ANY.filter(printable), min_size=1, max_size=4))
def test_lists_and_components_come_back(values: list[str]) -> None:
    lines = [text("FN", "x"), structured("ORG", values), listed("CATEGORIES", values)]
    card = vobject.readOne(render("3.0", lines).decode())
    assert card.org.value == [printable(value) for value in values]
    assert card.categories.value == [printable(value) for value in values]


@pytest.mark.parametrize(
    ("version", "value", "written"),
    [
        ("3.0", "plain", "plain"),
        ("3.0", "a, b; c: d", '"a, b; c: d"'),
        ("3.0", 'say "x"\n^', "say 'x' ^"),
        ("4.0", 'say "x"\n^', "say ^'x^'^n^^"),
        ("4.0", 'a:"b"', "\"a:^'b^'\""),
        ("3.0", "a\0b", "ab"),
    ],
)
def test_parameters_hold_no_quotes(version: str, value: str, written: str) -> None:
    line = render(version, [text("X-A", "v", (("X-CN", (value,)),))]).split(b"\r\n")[2]
    assert line.decode() == f"X-A;X-CN={written}:v"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("http://a.example/b?c=d;e#f", "http://a.example/b?c=d;e#f"),
        (" www.a.example ", "www.a.example"),
        ('http://a.example/b,c d\\e"f\n', "http://a.example/b%2Cc%20d%5Ce%22f"),
        ("https://müller.example/ö", "https://müller.example/ö"),
        ("a%2Cb", "a%2Cb"),
    ],
)
def test_a_uri_is_not_escaped(value: str, written: str) -> None:
    assert uri("URL", value) == VCardLine("URL", written)


def test_no_types_no_parameter() -> None:
    assert kinds() == ()
    assert (
        render("3.0", [VCardLine("TEL", "1", kinds("WORK", "FAX"))]).split(b"\r\n")[2]
        == b"TEL;TYPE=WORK,FAX:1"
    )


def _contact(values: Mapping[str, str], email: str, phone: str, street: str, note: str) -> str:
    named = "".join(f"<t:{name}>{escape(value)}</t:{name}>" for name, value in values.items())
    return (
        f"<t:Contact><t:Body BodyType='Text'>{escape(note)}</t:Body>{named}"
        f"<t:EmailAddresses><t:Entry Key='EmailAddress1' Name={quoteattr(email)}>{escape(email)}</t:Entry>"
        f"</t:EmailAddresses><t:PhoneNumbers><t:Entry Key='MobilePhone'>{escape(phone)}</t:Entry>"
        f"</t:PhoneNumbers><t:PhysicalAddresses><t:Entry Key='Home'><t:Street>{escape(street)}</t:Street>"
        "</t:Entry></t:PhysicalAddresses></t:Contact>"
    )


ADDRESS = WORD.filter(
    lambda word: not printable(word).strip(" <").startswith("/")
)  # that would be an address of Exchange's own


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, WORD)), ADDRESS, WORD, TEXT, TEXT)
def test_any_contact_says_after_a_round_trip_what_it_said(
    values: dict[str, str], email: str, phone: str, street: str, note: str
) -> None:
    native = record("contact", _contact(values, email, phone, street, note))
    bodies = [
        ITEM_FORMS[Kind.CONTACTS]
        .map(native, context(Capabilities(frozenset({Kind.CONTACTS}), vcard=version)))
        .item.body()
        .read()
        for version in ("3.0", "4.0")
    ]
    assert all(
        len(piece) <= 75 and piece.decode() is not None for body in bodies for piece in body.split(b"\r\n")
    )
    card = vobject.readOne(bodies[0].decode())
    said = {name: printable(values.get(name, "")).strip() for name in NAMES}
    assert card.fn.value.strip()
    assert (card.n.value.given, card.n.value.family) == (said["GivenName"], said["Surname"])
    assert card.n.value.additional == said["MiddleName"]
    for name, value in (
        ("title", said["JobTitle"]), ("role", said["Profession"]), ("email", printable(email).strip()),
        ("tel", printable(phone).strip()), ("note", printable(note).rstrip()),
    ):  # fmt: skip
        assert card.getChildValue(name, "") == value
    meanings = [card_meaning(io.BytesIO(body), NOT_AFTER).fields for body in bodies]
    assert meanings[0] == meanings[1]
    again = vobject.readOne(bodies[0].decode()).serialize().encode()
    assert card_digest(io.BytesIO(again), NOT_AFTER) == card_digest(io.BytesIO(bodies[0]), NOT_AFTER)
