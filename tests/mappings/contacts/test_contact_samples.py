"""Contacts and tasks as real servers gave them."""

from __future__ import annotations

import io

import vobject
from golden_records import context
from lxml import etree
from samples import BASE, marks

from mappings.registry import map_contact, map_task
from model.protocols import Native, Ref

M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
T = "{http://schemas.microsoft.com/exchange/services/2006/types}"

pytestmark = marks("ews-samples")


def natives(folder: str, pattern: str, tag: str) -> list[Native]:
    """The items of a GetItem response, one record each."""
    (path,) = (BASE / folder).glob(pattern)
    found = etree.fromstring(path.read_bytes()).iter(f"{T}{tag}")
    return [_native(item, "ews-contact" if tag == "Contact" else "ews-task") for item in found]


def _native(item: etree._Element, format_: str) -> Native:
    around = etree.Element(f"{M}Items")
    around.append(item)
    raw = etree.tostring(around)
    identity = item.find(f"{T}ItemId")
    assert identity is not None
    return Native(Ref(identity.get("Id", ""), "v1"), format_, {"Attachments": {}}, lambda: io.BytesIO(raw))


def test_microsoft_s_own_contact() -> None:
    (native,) = natives(
        "ews-samples", "GetItemResponse--response--getitem-operation-contact--2.xml", "Contact"
    )
    result = map_contact(native, context())
    card = vobject.readOne(result.item.body().read().decode())
    assert (card.fn.value, card.n.value.family, card.org.value) == (
        "Tanja Plate",
        "Plate",
        ["Northwind Traders"],
    )
    assert [line.value for line in card.contents["email"]] == ["tplate@example.com"] * 2
    assert (card.adr.value.country, card.tel.value) == ("USA", "5625550199")
    assert result.losses == ()


def test_microsoft_s_own_task() -> None:
    (native,) = natives("ews-samples", "GetItemResponse--response--getitem-operation-task--2.xml", "Task")
    result = map_task(native, context())
    assert b"SUMMARY:Buy new shoes\r\n" in result.item.body().read()
    assert result.losses == ()


def test_contacts_of_another_server() -> None:
    found = natives("ews-recordings", "018-GetItem-response-200.xml", "Contact")
    results = [map_contact(native, context()) for native in found]
    assert len(results) == 12
    cards = [vobject.readOne(result.item.body().read().decode()) for result in results]
    assert all(card.fn.value and card.fn.value != "(no name)" for card in cards)
    assert all("email" in card.contents for card in cards)
    assert {loss for result in results for loss in result.losses} == set()


def test_a_task_of_another_server() -> None:
    (native,) = natives("ews-recordings", "021-GetItem-response-200.xml", "Task")
    body = map_task(native, context()).item.body().read()
    assert b"DUE;VALUE=DATE:20240909\r\n" in body
    assert b"DTSTAMP:20261124T225615Z\r\n" in body
