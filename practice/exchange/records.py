"""Write the content of a record: the elements its shape asks for, its bodies, its own properties."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import lru_cache

from lxml import etree

from practice.exchange.shape import ExtendedField, Shape, parse_extended
from practice.exchange.soap import TYPES_NS, Dialect, T, escape
from practice.mail.letters import Attachment
from practice.world.messages import Message
from practice.world.records import Element

_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"(?i)<br\s*/?>|</p>|</div>|</tr>")
_UNSEEN = re.compile(r"(?is)<(style|script|head|title)\b.*?</\1>|<!--.*?-->")
_URI = re.compile(r"<t:ExtendedFieldURI [^>]*/>")
_ENTRY = re.compile(r'<t:Entry Key="([^"]*)"(?:/>|.*?</t:Entry>)', re.DOTALL)

# What Exchange's Default shape has of each kind, in addition to the properties of every item
_DEFAULT = frozenset(
    [
        "calendar:Start",
        "calendar:End",
        "calendar:IsAllDayEvent",
        "calendar:LegacyFreeBusyStatus",
        "calendar:Location",
        "calendar:CalendarItemType",
        "calendar:Organizer",
        "contacts:FileAs",
        "contacts:DisplayName",
        "contacts:CompleteName",
        "contacts:CompanyName",
        "contacts:EmailAddresses",
        "contacts:PhoneNumbers",
        "contacts:ImAddresses",
        "contacts:PhysicalAddresses",
        "contacts:JobTitle",
        "task:DueDate",
        "task:StartDate",
        "task:PercentComplete",
        "task:Status",
    ]
)
# Exchange leaves these out of listings without a word
_UNLISTED = frozenset(
    [
        "calendar:RequiredAttendees",
        "calendar:OptionalAttendees",
        "calendar:Resources",
        "calendar:Recurrence",
        "calendar:FirstOccurrence",
        "calendar:LastOccurrence",
        "calendar:ModifiedOccurrences",
        "calendar:DeletedOccurrences",
        "calendar:EnhancedLocation",
        "task:Recurrence",
        "distributionlist:Members",
    ]
)
# Always there with gromox, whatever was asked for
_GROMOX_ALWAYS = frozenset(
    [
        "calendar:IsRecurring",
        "calendar:CalendarItemType",
        "calendar:Recurrence",
        "calendar:DeletedOccurrences",
    ]
)


class RecordWriter:
    """Write what is a record's own, by one shape."""

    def __init__(self, shape: Shape, dialect: Dialect, *, listing: bool) -> None:
        self._dialect = dialect
        self._all = shape.base == "AllProperties"
        self._wanted = shape.uris | (_DEFAULT if shape.base == "Default" else frozenset())
        self._indexed = _indexed(shape.uris)
        self._unlisted = _UNLISTED if listing else frozenset()
        if dialect.name == "gromox":
            self._wanted |= _GROMOX_ALWAYS
            self._unlisted -= _GROMOX_ALWAYS

    def elements(self, item: Message) -> str:
        """Return the elements in the record's order, which is the schema's."""
        if item.record is None or not (self._all or self._wanted or self._indexed):
            return ""
        return "".join(map(self._written, item.record.elements(item, self._dialect)))

    def _written(self, element: Element) -> str:
        if element.uri in self._unlisted:
            return ""
        if self._all or element.uri in self._wanted:
            return element.xml
        keys = self._indexed.get(singular(element.uri))
        return _only(element.xml, keys) if keys else ""

    def extended(self, item: Message, field: ExtendedField) -> str:
        """Return the item's ExtendedProperty of this name, under the name asked for; "" when it has none."""
        for each in item.record.common.properties if item.record else ():
            if _named(each) == (field.tag, field.property_set, field.name):
                return _URI.sub(lambda _: f"<t:ExtendedFieldURI {field.uri()}/>", each)
        return ""


def singular(uri: str) -> str:
    """Return the singular of an indexed property: requests name it so, elements stand in the plural."""
    return uri.removesuffix("es") if uri.endswith("Addresses") else uri.removesuffix("s")


def _indexed(uris: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return the keys asked for of each indexed property.

    "contacts:PhysicalAddress:City/Home" wants Home.
    """
    found: dict[str, set[str]] = {}
    for uri in uris:
        name, slash, key = uri.partition("/")
        if slash:
            found.setdefault(":".join(name.split(":")[:2]), set()).add(key)
    return {name: frozenset(keys) for name, keys in found.items()}


def _only(xml: str, keys: frozenset[str]) -> str:
    """Return the element without the entries that were not asked for; "" when none is left."""
    left = _ENTRY.sub(lambda match: match[0] if match[1] in keys else "", xml)
    return left if "<t:Entry" in left else ""


@lru_cache(maxsize=4096)
def _named(xml: str) -> tuple[int | None, str | None, str | None]:
    root = etree.fromstring(f'<r xmlns:t="{TYPES_NS}">{xml}</r>')
    uri = root.find(f".//{T}ExtendedFieldURI")
    if uri is None:
        raise ValueError("an ExtendedProperty without an ExtendedFieldURI")
    field = parse_extended(uri)
    return field.tag, field.property_set, field.name


def plain_text(markup: str) -> str:
    """Return what a client would show of an HTML body, without its looks."""
    text = _TAG.sub("", _BREAK.sub("\r\n", _UNSEEN.sub("", markup)))
    return html.unescape(text).strip()


def body_writer(kind: str) -> Callable[[Message, Dialect], str]:
    """Return what writes bodies of a shape's BodyType. Mail is answered as text, whatever was asked for."""

    def write(item: Message, _: Dialect) -> str:
        markup = item.record is not None and item.record.common.html
        text = item.text
        if markup and kind == "Text":
            text, markup = plain_text(text), False
        elif not markup and kind == "HTML" and item.record is not None and text:
            text, markup = f"<html><body><pre>{html.escape(text)}</pre></body></html>", True
        return f'<t:Body BodyType="{_BODY_TYPES[markup]}" IsTruncated="false">{escape(text)}</t:Body>'

    return write


_BODY_TYPES = {False: "Text", True: "HTML"}


def text_body(item: Message, _: Dialect) -> str:
    """Return the TextBody of an item."""
    markup = item.record is not None and item.record.common.html
    text = plain_text(item.text) if markup else item.text
    return f'<t:TextBody BodyType="Text" IsTruncated="false">{escape(text)}</t:TextBody>'


def photo_mark(attachment: Attachment) -> str:
    """Exchange says of every contact's attachment whether it is the picture; of others it says nothing."""
    return "<t:IsContactPhoto>true</t:IsContactPhoto>" if attachment.contact_photo else ""
