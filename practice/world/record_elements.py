"""Write the pieces of which the elements and extended properties of records are made."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from practice.exchange.soap import boolean, escape, stamp
from practice.world.records import Element

ADDRESS = "00062004-0000-0000-c000-000000000046"
TASK = "00062003-0000-0000-c000-000000000046"
COMMON = "00062008-0000-0000-c000-000000000046"
NOTE = "0006200e-0000-0000-c000-000000000046"
LOG = "0006200a-0000-0000-c000-000000000046"

Value = str | int | float | bool | datetime | bytes
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "Boolean"),
    (str, "String"),
    (int, "Integer"),
    (float, "Double"),
    (datetime, "SystemTime"),
    (bytes, "Binary"),
)


def leaf(tag: str, text: str) -> str:
    """Return an element with a text."""
    return f"<t:{tag}>{escape(text)}</t:{tag}>"


def present(rows: Iterable[tuple[str, str]]) -> list[Element]:
    """Return the elements of (uri, whole element); an empty one is left out."""
    return [Element(uri, xml) for uri, xml in rows if xml]


def filled(tag: str, text: str | None) -> str:
    """Return an element with a text; "" for None."""
    return "" if text is None else leaf(tag, text)


def strings(tag: str, values: Sequence[str]) -> str:
    """Return an element with texts; "" for none."""
    inner = "".join(leaf("String", value) for value in values)
    return f"<t:{tag}>{inner}</t:{tag}>" if inner else ""


def dated(moment: datetime) -> str:
    """Return a dateTime: Z for UTC, and the offset for any other zone.

    Exchange gives it so to those who ask for a zone in the request's header.
    """
    if moment.tzinfo is UTC:
        return stamp(moment)
    return moment.isoformat(timespec="seconds")


def tagged(tag: int, value: Value | tuple[bytes, ...], kind: str | None = None) -> str:
    """Return a property with a number below 0x8000.

    Args:
        tag: the number.
        value: its value.
        kind: if the value's type does not decide it ("Short").
    """
    return _extended(f'PropertyTag="0x{tag:x}"', value, kind)


def named(property_set: str, number: int, value: Value, kind: str | None = None) -> str:
    """Return a property of one of Outlook's sets."""
    return _extended(f'PropertySetId="{property_set}" PropertyId="{number}"', value, kind)


def public(name: str, value: Value) -> str:
    """Return a field that a user made."""
    return _extended(f'DistinguishedPropertySetId="PublicStrings" PropertyName="{escape(name)}"', value, None)


def _extended(attributes: str, value: Value | tuple[bytes, ...], kind: str | None) -> str:
    if isinstance(value, tuple):
        inner = f"<t:Values>{''.join(leaf('Value', _text(each)) for each in value)}</t:Values>"
        type_ = "BinaryArray"
    else:
        inner = leaf("Value", _text(value))
        type_ = kind or next(name for python, name in _TYPES if isinstance(value, python))
    uri = f'<t:ExtendedFieldURI {attributes} PropertyType="{type_}"/>'
    return f"<t:ExtendedProperty>{uri}{inner}</t:ExtendedProperty>"


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return boolean(value)
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
