"""Puts events into a practice calendar, and reads what GetItem says of them."""

from __future__ import annotations

from ews_asking import (
    NS,
    Asker,
    get_items,
)
from lxml import etree

from practice.calendar.events import ODDITIES
from practice.world.desk import Desk
from practice.world.messages import Message
from practice.world.world import Mailbox

EVERYTHING = (
    "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape>"
    "<t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>"
)


def put(mailbox: Mailbox, name: str) -> Message:
    return mailbox.put(
        mailbox.distinguished("calendar"), ODDITIES[name](Desk(mailbox.seed, 0, f"event/{name}"))
    )


def fields(*uris: str, kind: str = "Best") -> str:
    each = "".join(f'<t:FieldURI FieldURI="{uri}"/>' for uri in uris)
    return (
        f"<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:BodyType>{kind}</t:BodyType>"
        f"<t:AdditionalProperties>{each}</t:AdditionalProperties></m:ItemShape>"
    )


def one(asker: Asker, item: str, shape: str = EVERYTHING) -> etree._Element:
    found = asker.ask(get_items(item, shape=shape)).find(".//m:Items", NS)
    assert found is not None
    assert len(found) == 1
    return found[0]


def names(element: etree._Element) -> list[str]:
    return [etree.QName(child).localname for child in element]


def text(element: etree._Element, path: str) -> str | None:
    return element.findtext("/".join(f"t:{part}" for part in path.split("/")), namespaces=NS)
