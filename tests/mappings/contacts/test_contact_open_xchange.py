"""Every odd contact comes back from an Open-Xchange with its meaning, though it adds types by position."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import pytest
from golden_records import context, golden, names
from test_contact import NOT_AFTER, contact, unfolded

from mappings.compare.semantic_digest import card_meaning
from mappings.contacts.contact import map_contact
from model.protocols import Capabilities, Kind, Mapped, Native
from practice.open_xchange.server import USER_PASSWORD, OpenXchangeServer

ANNA = "anna@ox.test"
TARGET = Capabilities(frozenset({Kind.CONTACTS}), position_types=True)
LOST = {"privacy", "links"}
"""CONFIDENTIAL becomes PRIVATE, and FBURL is lost."""


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
    assert differing(made, found) <= LOST


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
