"""Read which properties a request asks for: shapes, field URIs, MAPI extended properties."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lxml import etree

from practice.exchange.soap import M, T, boolean, escape, schema_fault, stamp

Base = Literal["IdOnly", "Default", "AllProperties"]
_BASES: dict[str, Base] = {"IdOnly": "IdOnly", "Default": "Default", "AllProperties": "AllProperties"}
_PREFIXES = frozenset(
    [
        "folder",
        "item",
        "message",
        "meeting",
        "meetingRequest",
        "meetingResponse",
        "calendar",
        "task",
        "contacts",
        "distributionlist",
        "postitem",
        "conversation",
        "persona",
        "person",
    ]
)
_NAMED_SETS = {
    "PublicStrings": "00020329-0000-0000-c000-000000000046",
    "Common": "00062008-0000-0000-c000-000000000046",
    "InternetHeaders": "00020386-0000-0000-c000-000000000046",
    "Appointment": "00062002-0000-0000-c000-000000000046",
    "Task": "00062003-0000-0000-c000-000000000046",
    "Address": "00062004-0000-0000-c000-000000000046",
    "Meeting": "6ed8da90-450b-101b-98da-00aa003f1305",
}


@dataclass(frozen=True, slots=True)
class ExtendedField:
    """Name a MAPI property.

    Attributes:
        tag: its number below 0x8000; None for a named property.
        attributes: the URI's own, in the reply's order.
    """

    tag: int | None
    property_set: str | None
    name: str | None
    type: str
    attributes: tuple[tuple[str, str], ...]

    def write(self, value: object) -> str:
        """Return the ExtendedProperty element; "" for a property that the object does not have."""
        if value is None:
            return ""
        content = self._content(value)
        return f"<t:ExtendedProperty><t:ExtendedFieldURI {self.uri()}/>{content}</t:ExtendedProperty>"

    def uri(self) -> str:
        """Return the attributes of its ExtendedFieldURI."""
        return " ".join(f'{name}="{escape(text)}"' for name, text in self.attributes)

    def _content(self, value: object) -> str:
        if isinstance(value, tuple):
            return f"<t:Values>{''.join(f'<t:Value>{text_of(v)}</t:Value>' for v in value)}</t:Values>"
        return f"<t:Value>{text_of(value)}</t:Value>"


@dataclass(frozen=True, slots=True)
class Shape:
    """Say what to return of each folder or item.

    Attributes:
        uris: those asked for beyond the base; indexed ones have the form
            "contacts:EmailAddress/EmailAddress1".
    """

    base: Base
    uris: frozenset[str]
    extended: tuple[ExtendedField, ...]
    mime: bool
    body_type: str


def text_of(value: object) -> str:
    """Return a property's value as XML text."""
    if isinstance(value, bool):
        return boolean(value)
    if isinstance(value, datetime):
        return stamp(value)
    return escape(str(value))


def parse_shape(element: etree._Element | None) -> Shape:
    """Return the shape of a request.

    Raises:
        SoapFault: the schema forbids it.
    """
    if element is None:
        raise schema_fault("A shape is required.")
    base = (element.findtext(f"{T}BaseShape") or "").strip()
    if base not in _BASES:
        raise schema_fault(f"The value '{base}' is invalid for BaseShape.")
    additional = element.find(f"{T}AdditionalProperties")
    uris, extended = _fields([] if additional is None else list(additional))
    included = (element.findtext(f"{T}IncludeMimeContent") or "").strip().lower() in ("true", "1")
    return Shape(
        base=_BASES[base],
        uris=frozenset(uris),
        extended=tuple(extended),
        mime=included or "item:MimeContent" in uris,
        body_type=(element.findtext(f"{T}BodyType") or "Best").strip(),
    )


def _fields(elements: list[etree._Element]) -> tuple[set[str], list[ExtendedField]]:
    uris: set[str] = set()
    extended: list[ExtendedField] = []
    for element in elements:
        if element.tag == f"{T}ExtendedFieldURI":
            extended.append(parse_extended(element))
        else:
            uris.add(parse_uri(element))
    return uris, extended


def parse_uri(element: etree._Element) -> str:
    """Return the URI of a field, with its index."""
    uri = element.get("FieldURI", "")
    if element.tag not in (f"{T}FieldURI", f"{T}IndexedFieldURI") or uri.partition(":")[0] not in _PREFIXES:
        raise schema_fault(f"The 'FieldURI' attribute is invalid - The value '{uri}' is invalid.")
    index = element.get("FieldIndex")
    return f"{uri}/{index}" if index else uri


def parse_extended(element: etree._Element) -> ExtendedField:
    """Return the MAPI property of an ExtendedFieldURI."""
    kind = element.get("PropertyType", "")
    attributes: list[tuple[str, str]] = []
    tag = _tag(element.get("PropertyTag"))
    if tag is not None:
        attributes.append(("PropertyTag", f"0x{tag:x}"))
    named = element.get("DistinguishedPropertySetId")
    property_set = _NAMED_SETS.get(named, named) if named else element.get("PropertySetId")
    name = element.get("PropertyName") or element.get("PropertyId")
    keys = ("DistinguishedPropertySetId", "PropertySetId", "PropertyName", "PropertyId")
    attributes += [(key, str(element.get(key))) for key in keys if element.get(key)]
    if not kind or (tag is None and not (property_set and name)):
        raise schema_fault("The ExtendedFieldURI element is incomplete.")
    attributes.append(("PropertyType", kind))
    return ExtendedField(tag, property_set.lower() if property_set else None, name, kind, tuple(attributes))


def _tag(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        raise schema_fault(f"The 'PropertyTag' attribute is invalid - The value '{text}'.") from None


def ids(element: etree._Element | None, tag: str) -> Iterator[tuple[str, str | None]]:
    """Yield (Id, ChangeKey) of each child with this tag."""
    for child in [] if element is None else element:
        if child.tag == f"{T}{tag}":
            yield child.get("Id", ""), child.get("ChangeKey")


def number(element: etree._Element, name: str, default: int | None = None) -> int:
    """Return a non-negative number in a child of the message namespace."""
    text = (element.findtext(f"{M}{name}") or "").strip()
    if not text and default is not None:
        return default
    return whole(text, name)


def whole(text: str | None, name: str) -> int:
    """Return a non-negative number.

    Raises:
        SoapFault: it is none.
    """
    if text is None or not text.isascii() or not text.isdigit():
        raise schema_fault(f"The '{name}' value '{text}' is not a number.")
    return int(text)
