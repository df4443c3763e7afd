"""Read Graph's JSON into the element tree of EWS: one mapping for both (mappings.fields.ews_xml).

The body of a record is one JSON object: "item" as Graph gave it, and beside it the answers to other requests.
What Graph says in other words than EWS is said in EWS's here; what it does not say is missing from the tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from mappings.fields.ews_xml import MARK, SPACES, Element, moment
from model.errors import Rejected
from model.protocols import Native

Json = dict[str, Any]
PUBLIC_STRINGS = "00020329-0000-0000-c000-000000000046"
NATIVE_BODY, HAS_ATTACHMENTS = 0x1016, 0x0E1B
PLAIN_TEXT = "1"
"""PidTagNativeBody of a text that its owner typed without formatting (MS-OXCMSG 2.2.1.58.2)."""

KINDS = {"#microsoft.graph.itemattachment": "ItemAttachment",
         "#microsoft.graph.referenceattachment": "ReferenceAttachment"}  # fmt: skip
_T = f"{{{SPACES['t']}}}"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGGED = re.compile(r"\w+ 0x([0-9a-f]{1,8})", re.IGNORECASE)
_NAMED = re.compile(r"\w+ \{([0-9a-f-]{36})\} (id|name) (.+)", re.IGNORECASE | re.DOTALL)


def record(native: Native) -> Json:
    """Return the body's JSON, with an object as its "item".

    Raises:
        Rejected: "malformed-record".
    """
    if native.body is None:
        raise Rejected("malformed-record", "the record was fetched without its body")
    with native.body() as stream:
        data = stream.read()
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise Rejected("malformed-record", "the record's JSON cannot be read") from None
    if not isinstance(document, dict) or not isinstance(document.get("item"), dict):
        raise Rejected("malformed-record", "the record holds no item")
    return document


def started(name: str) -> Element:
    """Make an element of an item, with nothing in it."""
    return etree.Element(_T + name, nsmap=SPACES)


def add(parent: Element, name: str, value: object = None, **attributes: str) -> Element:
    """Add a child element. Characters that XML cannot carry become MARK, as in what EWS sends."""
    made = etree.SubElement(
        parent, _T + name, {key: carried(attribute) for key, attribute in attributes.items()}
    )
    if value is not None:
        made.text = carried(_written(value))
    return made


def told(parent: Element, name: str, value: object) -> None:
    """Add a child element, if there is a value."""
    if value is not None and value != "":
        add(parent, name, value)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def carried(text: str) -> str:
    """Replace characters that XML cannot carry by MARK."""
    return _FORBIDDEN.sub(MARK, text)


def strings(parent: Element, name: str, values: Iterable[object]) -> None:
    """Add a list of texts, as EWS has it; nothing for an empty one."""
    texts = [str(string) for string in values if string is not None]
    if texts:
        holder = add(parent, name)
        for string in texts:
            add(holder, "String", string)


def rows(value: object) -> list[Json]:
    """Return the objects of an array; [] for anything else."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def values(value: object) -> list[object]:
    """Return an array; [] for anything else."""
    return value if isinstance(value, list) else []


def inner(value: object) -> Json:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def said(value: object) -> str:
    """Return a text; "" for anything else."""
    return value if isinstance(value, str) else ""


def instant(value: object) -> str:
    """Return a dateTimeTimeZone in UTC, for which every request of ours asks; "" for none.

    The name of another zone stays in the text: the mapping rejects it, because it is no moment.
    """
    wall, zone = said(inner(value).get("dateTime")), said(inner(value).get("timeZone")) or "UTC"
    if not wall:
        return ""
    return f"{wall}Z" if zone.lower() in ("utc", "etc/utc", "tzone://microsoft/utc") else f"{wall} {zone}"


def wall_clock(value: object) -> datetime | None:
    """Return the wall time of a dateTimeTimeZone, naive; None for none."""
    moment_ = moment(said(inner(value).get("dateTime")))
    return None if moment_ is None else moment_.astimezone(UTC).replace(tzinfo=None)


def common(element: Element, item: Json, subject: str = "subject") -> None:
    """Add what every kind of item says in the same words."""
    told(element, "Subject", item.get(subject))
    told(element, "Sensitivity", said(item.get("sensitivity")).capitalize())
    told(element, "Importance", said(item.get("importance")).capitalize())
    strings(element, "Categories", values(item.get("categories")))
    told(element, "DateTimeCreated", item.get("createdDateTime"))
    told(element, "LastModifiedTime", item.get("lastModifiedDateTime"))


def body(element: Element, item: Json, plain: str | None, *, typed_plain: bool) -> None:
    """Add <t:Body>, and <t:TextBody> beside HTML.

    Args:
        element: the item's.
        item: as Graph gave it.
        plain: the server's own rendering as text; None if it was not asked for.
        typed_plain: True if the text never was anything else.
    """
    content_of = inner(item.get("body"))
    content = said(content_of.get("content"))
    html = said(content_of.get("contentType")).lower() == "html"
    if html and typed_plain and plain is not None:
        content, html = plain, False
    add(element, "Body", content, BodyType="HTML" if html else "Text")
    if html and plain:
        add(element, "TextBody", plain, BodyType="Text")


def attachments(element: Element, items: Iterable[Mapping[str, object]]) -> None:
    """Add what is attached; the contents are beside the record."""
    holder = None
    for attachment in items:
        holder = add(element, "Attachments") if holder is None else holder
        name = KINDS.get(said(attachment.get("@odata.type")).lower(), "FileAttachment")
        made = add(holder, name)
        add(made, "AttachmentId", Id=said(attachment.get("id")))
        for tag, key in (("Name", "name"), ("ContentType", "contentType"), ("Size", "size")):
            told(made, tag, attachment.get(key))
        told(made, "IsInline", attachment.get("isInline"))
        told(made, "AttachLongPathName", attachment.get("sourceUrl"))


def extended(element: Element, item: Json) -> dict[str, str]:
    """Add every MAPI property that came with the item, as an ExtendedProperty.

    Returns:
        The single ones' values by "0x36", or by set and number: "{00062002-...} 0x8214".
    """
    single: dict[str, str] = {}
    for property_ in rows(item.get("singleValueExtendedProperties")):
        value = _written(property_.get("value") if property_.get("value") is not None else "")
        key = _property(element, said(property_.get("id")), [value])
        if key:
            single[key] = value
    for property_ in rows(item.get("multiValueExtendedProperties")):
        _property(
            element,
            said(property_.get("id")),
            [_written(item_value) for item_value in values(property_.get("value"))],
        )
    return single


def _property(element: Element, id_: str, texts: list[str]) -> str:
    """Add a property and return its key; "" for an id of no known form."""
    tagged, named = _TAGGED.fullmatch(id_), _NAMED.fullmatch(id_)
    if tagged:
        number = int(tagged[1], 16)
        attributes, key = {"PropertyTag": f"0x{number:04x}"}, f"0x{number:x}"
    elif named and named[2].lower() == "id" and (id_number := _number(named[3])) is not None:
        attributes = {"PropertySetId": named[1].lower(), "PropertyId": str(id_number)}
        key = f"{{{named[1].lower()}}} 0x{id_number:x}"
    elif named and named[2].lower() == "name":
        public = named[1].lower() == PUBLIC_STRINGS
        owner = {"DistinguishedPropertySetId": "PublicStrings"} if public else {"PropertySetId": named[1]}
        attributes, key = {**owner, "PropertyName": named[3]}, f"{{{named[1].lower()}}} {named[3]}"
    else:
        return ""
    holder = add(element, "ExtendedProperty")
    add(holder, "ExtendedFieldURI", **attributes)
    where = holder if len(texts) == 1 else add(holder, "Values")
    for text in texts:
        add(where, "Value", text)
    return key


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
