"""Graph's JSON, and the element tree of EWS that it is read into: one mapping for both
(mappings.fields.ews_xml).

The body of a record is one JSON object: "item" as Graph gave it, and beside it what other requests told. What
Graph says in other words than EWS is said in EWS's here; what it does not say is missing from the tree.
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
    """The body's JSON, with an object as its "item". Raises Rejected("malformed-record")."""
    if native.body is None:
        raise Rejected("malformed-record", "the record was fetched without its body")
    with native.body() as stream:
        data = stream.read()
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Rejected("malformed-record", "the record's JSON cannot be read") from None
    if not isinstance(found, dict) or not isinstance(found.get("item"), dict):
        raise Rejected("malformed-record", "the record holds no item")
    return found


def started(name: str) -> Element:
    """An element of an item's own, with nothing in it."""
    return etree.Element(_T + name, nsmap=SPACES)


def add(parent: Element, name: str, value: object = None, **attributes: str) -> Element:
    """A child element. Characters that XML cannot carry become MARK, as in what EWS sends."""
    made = etree.SubElement(parent, _T + name, {key: carried(one) for key, one in attributes.items()})
    if value is not None:
        made.text = carried(_written(value))
    return made


def told(parent: Element, name: str, value: object) -> None:
    """A child element, where there is something to say."""
    if value is not None and value != "":
        add(parent, name, value)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def carried(written: str) -> str:
    return _FORBIDDEN.sub(MARK, written)


def strings(parent: Element, name: str, values: Iterable[object]) -> None:
    """A list of texts, as EWS has it; nothing for none."""
    found = [str(one) for one in values if one is not None]
    if found:
        holder = add(parent, name)
        for one in found:
            add(holder, "String", one)


def rows(value: object) -> list[Json]:
    """The objects of an array; [] for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def values(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def inner(value: object) -> Json:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def said(value: object) -> str:
    """A text; "" for none."""
    return value if isinstance(value, str) else ""


def instant(value: object) -> str:
    """A dateTimeTimeZone in UTC, for which every request of ours asks; "" for none. Another zone's name stays
    visible: it makes the text no moment, which the mapping says."""
    wall, zone = said(inner(value).get("dateTime")), said(inner(value).get("timeZone")) or "UTC"
    if not wall:
        return ""
    return f"{wall}Z" if zone.lower() in ("utc", "etc/utc", "tzone://microsoft/utc") else f"{wall} {zone}"


def wall_clock(value: object) -> datetime | None:
    """The wall time of a dateTimeTimeZone, naive."""
    found = moment(said(inner(value).get("dateTime")))
    return None if found is None else found.astimezone(UTC).replace(tzinfo=None)


def common(element: Element, item: Json, subject: str = "subject") -> None:
    """What every kind of item says in the same words."""
    told(element, "Subject", item.get(subject))
    told(element, "Sensitivity", said(item.get("sensitivity")).capitalize())
    told(element, "Importance", said(item.get("importance")).capitalize())
    strings(element, "Categories", values(item.get("categories")))
    told(element, "DateTimeCreated", item.get("createdDateTime"))
    told(element, "LastModifiedTime", item.get("lastModifiedDateTime"))


def body(element: Element, item: Json, plain: str | None, *, typed_plain: bool) -> None:
    """<t:Body>, and <t:TextBody> beside HTML. plain: the server's own rendering as text, where it was asked
    for; typed_plain: the text was never anything else."""
    found = inner(item.get("body"))
    content = said(found.get("content"))
    html = said(found.get("contentType")).lower() == "html"
    if html and typed_plain and plain is not None:
        content, html = plain, False
    add(element, "Body", content, BodyType="HTML" if html else "Text")
    if html and plain:
        add(element, "TextBody", plain, BodyType="Text")


def attachments(element: Element, found: Iterable[Mapping[str, object]]) -> None:
    """What is attached; the contents are beside the record."""
    holder = None
    for one in found:
        holder = add(element, "Attachments") if holder is None else holder
        name = KINDS.get(said(one.get("@odata.type")).lower(), "FileAttachment")
        made = add(holder, name)
        add(made, "AttachmentId", Id=said(one.get("id")))
        for tag, key in (("Name", "name"), ("ContentType", "contentType"), ("Size", "size")):
            told(made, tag, one.get(key))
        told(made, "IsInline", one.get("isInline"))
        told(made, "AttachLongPathName", one.get("sourceUrl"))


def extended(element: Element, item: Json) -> dict[str, str]:
    """Every MAPI property that came with the item, as an ExtendedProperty. Returns the single ones' values by
    "0x36", or by set and number: "{00062002-...} 0x8214"."""
    found: dict[str, str] = {}
    for one in rows(item.get("singleValueExtendedProperties")):
        value = _written(one.get("value") if one.get("value") is not None else "")
        key = _property(element, said(one.get("id")), [value])
        if key:
            found[key] = value
    for one in rows(item.get("multiValueExtendedProperties")):
        _property(element, said(one.get("id")), [_written(each) for each in values(one.get("value"))])
    return found


def _property(element: Element, id_: str, texts: list[str]) -> str:
    """Its key; "" for an id of no known form."""
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
