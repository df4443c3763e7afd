"""MAPI properties in Graph: singleValueExtendedProperties and multiValueExtendedProperties, by their ids."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from lxml import etree

from practice.exchange.shape import parse_extended
from practice.exchange.soap import TYPES_NS, T, boolean
from practice.graph.errors import bad_request
from practice.graph.query import Options, Query
from practice.graph.wire import Json
from practice.graph_items.mapi import Key, value_of
from practice.world.messages import Message

SINGLE, MULTI = "singleValueExtendedProperties", "multiValueExtendedProperties"
_TERM = re.compile(r"\s*id\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_TAGGED = re.compile(r"(\w+)\s+0x([0-9a-f]{1,8})", re.IGNORECASE)
_NAMED = re.compile(r"(\w+)\s+\{([0-9a-f-]{36})\}\s+(Id|Name)\s+(.+)", re.IGNORECASE | re.DOTALL)
_KINDS = frozenset(
    [
        "applicationtime",
        "binary",
        "boolean",
        "clsid",
        "currency",
        "double",
        "float",
        "integer",
        "long",
        "object",
        "short",
        "string",
        "systemtime",
        "guid",
    ]
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hold one property that is asked for.

    Attributes:
        id: as the answer names it.
    """

    id: str
    key: Key
    many: bool


def wanted(options: Options) -> list[Wanted]:
    """Return what the $filter of an $expand names.

    Raises:
        GraphError: there is another filter, or none.
    """
    text = options.get("$filter", "")
    if not text or set(options) - {"$filter"}:
        raise bad_request(
            "A $filter by id is required to expand extended properties.", "ErrorInvalidProperty"
        )
    found = []
    for term in re.split(r"\s+or\s+(?=id\s)", text, flags=re.IGNORECASE):
        match = _TERM.fullmatch(term)
        if match is None:
            raise bad_request("Invalid filter clause", "ErrorInvalidUrlQueryFilter")
        found.append(_read(match[1].replace("''", "'")))
    return found


def _read(given: str) -> Wanted:
    tagged, named = _TAGGED.fullmatch(given), _NAMED.fullmatch(given)
    match = tagged or named
    kind = match[1].lower() if match else ""
    plain = kind.removesuffix("array")
    if plain not in _KINDS:
        raise bad_request(
            "PropertyId values may only be in one of the known formats.", "ErrorInvalidProperty"
        )
    many = kind.endswith("array")
    if tagged:
        tag = int(tagged[2], 16)
        if tag >= 0x8000:
            raise bad_request("The property tag is out of range.", "ErrorInvalidProperty")
        return Wanted(f"{tagged[1]} 0x{tag:x}", (tag, None, None), many)
    if named is None:
        raise bad_request("The property is invalid.", "ErrorInvalidProperty")
    name = str(int(named[4], 0)) if named[3].lower() == "id" else named[4]
    shown = f"0x{int(name):x}" if named[3].lower() == "id" else name
    return Wanted(
        f"{named[1]} {{{named[2].lower()}}} {named[3].title()} {shown}", (None, named[2].lower(), name), many
    )


def expanded(item: Message, query: Query) -> Json:
    """Return the properties asked for that the item has; nothing at all when it has none, as Graph does."""
    found: Json = {}
    for name, options in query.expand.items():
        if name.lower() not in (SINGLE.lower(), MULTI.lower()):
            continue
        many = name.lower() == MULTI.lower()
        rows = [row for one in wanted(options) for row in _rows(item, one, many)]
        if rows:
            found[MULTI if many else SINGLE] = rows
    return found


def _rows(item: Message, one: Wanted, many: bool) -> Iterator[Json]:
    values = _values(item, one.key)
    if values and many and one.many:
        yield {"id": one.id, "value": values}
    elif values and not many and not one.many:
        yield {"id": one.id, "value": values[0]}


def _values(item: Message, key: Key) -> list[str]:
    for xml in item.record.common.properties if item.record else ():
        named, values = _parsed(xml)
        if named == key:
            return list(values)
    value = value_of(item, key)
    if isinstance(value, tuple):
        return [_text(one) for one in value]
    return [] if value is None else [_text(value)]


def text_of(item: Message, key: Key) -> str | None:
    """Return the value of one property as it would be written; None if the item does not have it."""
    return next(iter(_values(item, key)), None)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return boolean(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0")
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


@lru_cache(maxsize=4096)
def _parsed(xml: str) -> tuple[Key, tuple[str, ...]]:
    """Return what a ready-made ExtendedProperty element is, and its values."""
    root = etree.fromstring(f'<r xmlns:t="{TYPES_NS}">{xml}</r>')
    uri = root.find(f".//{T}ExtendedFieldURI")
    if uri is None:
        raise ValueError("an ExtendedProperty without an ExtendedFieldURI")
    field = parse_extended(uri)
    values = tuple(one.text or "" for one in root.iter(f"{T}Value"))
    return (field.tag, field.property_set, field.name), values


def of_folder(query: Query, getter: Callable[[int], object]) -> Json:
    """Return the properties asked for that a folder has, which are few."""
    rows: list[Json] = []
    for name, options in query.expand.items():
        if name.lower() == SINGLE.lower():
            for one in wanted(options):
                value = getter(one.key[0] or 0)
                rows += [] if value is None else [{"id": one.id, "value": _text(value)}]
    return {SINGLE: rows} if rows else {}
