"""Judge the JSON of Microsoft Graph's answers: names, types, enumerations, and what may be null."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping

from judges.csdl import ANYTHING, Csdl, Place


def _matches(pattern: str) -> Callable[[object], bool]:
    whole = re.compile(pattern)
    return lambda value: isinstance(value, str) and whole.fullmatch(value) is not None


def _within(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_base64(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        return False
    return True


PRIMITIVES: Mapping[str, Callable[[object], bool]] = {
    "Edm.String": lambda value: isinstance(value, str),
    "Edm.Boolean": lambda value: isinstance(value, bool),
    "Edm.Byte": _within(0, 255),
    "Edm.Int16": _within(-(2**15), 2**15 - 1),
    "Edm.Int32": _within(-(2**31), 2**31 - 1),
    "Edm.Int64": _within(-(2**63), 2**63 - 1),
    "Edm.Single": _is_number,
    "Edm.Double": _is_number,
    "Edm.Decimal": _is_number,
    "Edm.Binary": _is_base64,
    "Edm.Stream": _is_base64,
    "Edm.DateTimeOffset": _matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)"),
    "Edm.Date": _matches(r"\d{4}-\d\d-\d\d"),
    "Edm.TimeOfDay": _matches(r"\d\d:\d\d(:\d\d(\.\d{1,12})?)?"),
    "Edm.Duration": _matches(r"-?P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?"),
    "Edm.Guid": _matches(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
}


def wrong_collection(csdl: Csdl, answer: object, type_: str) -> Iterator[str]:
    """What is not valid in a page of a collection."""
    rows = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(rows, list):
        yield "a collection without a list 'value'"
        return
    for name in answer.keys() - {"value"}:
        if not name.startswith("@"):
            yield f"a collection has no {name!r}"
    for row in rows:
        if isinstance(row, dict) and "@removed" in row:
            removed = {name: value for name, value in row.items() if name != "@removed"}
            yield from wrong_object(csdl, removed, type_)
        else:
            yield from _wrong_value(csdl, row, Place(type_), type_)


def wrong_object(csdl: Csdl, value: object, type_: str) -> Iterator[str]:
    """What is not valid in one object of this type, or of one derived from it."""
    if not isinstance(value, dict):
        yield f"{type_}: no object"
        return
    given = value.get("@odata.type")
    if given is not None:
        derived = csdl.full(str(given).removeprefix("#"))
        if not csdl.knows(derived) or not csdl.is_a(derived, type_):
            yield f"{type_}: @odata.type {given} is none of it"
            return
        type_ = derived
    properties = csdl.properties(type_)
    for name, inner in value.items():
        plain = name.partition("@")[0]
        if plain and plain not in properties:
            yield f"{type_} has no {plain!r}"
        elif plain == name:
            yield from _wrong_value(csdl, inner, properties[name], f"{type_}.{name}")


def _wrong_value(csdl: Csdl, value: object, place: Place, where: str) -> Iterator[str]:
    if place.many:
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for one in value:
            yield from _wrong_value(csdl, one, Place(place.type), where)
        return
    if value is None:
        if not place.nullable:
            yield f"{where}: null, which it must not be"
        return
    members = csdl.members(place.type)
    if members is not None:
        if not isinstance(value, str) or not members.issuperset(one.strip() for one in value.split(",")):
            yield f"{where}: {value!r} is not in {place.type}"
    elif csdl.knows(place.type):
        yield from wrong_object(csdl, value, place.type)
    elif place.type != ANYTHING and not PRIMITIVES[place.type](value):
        yield f"{where}: {value!r:.80} is no {place.type}"
