"""Read the XML of EWS records: elements by name, typed values, MAPI properties.

Names are written with their prefix: "t:" for Exchange's types, "m:" for its messages. A path may go through
several elements ("t:Recurrence/t:NoEndRecurrence"). What is missing gives the neutral value, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from lxml import etree

from model.errors import Rejected
from model.protocols import Native

Element = etree._Element


class ItemElement(etree.ElementBase):
    """Stand for an item of a record, which is asked for some sixty of its children: it looks at them once."""

    def _init(self) -> None:
        self._found: dict[str, Element] = {}
        self._count = -1

    def named(self, name: str) -> Element | None:
        """Return the first child of this name; None if there is none."""
        if len(self) != self._count:  # a copy may be changed before it is mapped
            self._found, self._count = {}, len(self)
            for each in self.iterchildren("*"):
                self._found.setdefault(str(each.tag), each)
        return self._found.get(name)


Key = int | tuple[str, int | str]
"""A MAPI property: its tag (0x3A4E), or its set (a distinguished name or a GUID) and its id or name."""

SPACES = {
    "t": "http://schemas.microsoft.com/exchange/services/2006/types",
    "m": "http://schemas.microsoft.com/exchange/services/2006/messages",
}
MARK = "\ufdd0"
"""A noncharacter that XML can carry, in place of a character that it cannot: `printable` drops it."""

_ITEMS = f"{{{SPACES['m']}}}Items"
_CLASSES = etree.ElementNamespaceClassLookup()
_CLASSES.get_namespace(SPACES["t"])["CalendarItem"] = ItemElement
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))?)?\s*(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_STEP = re.compile(r"([tm]):([A-Za-z]+)")
_NUMBER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_REFERENCE = re.compile(rb"&#(x[0-9A-Fa-f]{1,8}|[0-9]{1,10});")
_RAW = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_RAW_OCTETS = bytes({*range(32)} - {9, 10, 13})
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_LINE = re.compile("\r\n?|\x85|\u2028|\u2029")


def items(native: Native) -> list[Element]:
    """Return the elements below <m:Items>, the item's own first.

    Characters that XML forbids become MARK; servers send them in spite of that.

    Raises:
        Rejected: "malformed-record" if there is no item, or if the XML cannot be read.
    """
    if native.body is None:
        raise Rejected("malformed-record", "the record was fetched without its body")
    with native.body() as stream:
        data = _carriable(stream.read())
    root = _parsed(data)
    if root is None:
        raise Rejected("malformed-record", "the record's XML cannot be read")
    elements = [child for child in root if isinstance(child.tag, str)]
    if root.tag != _ITEMS or not elements:
        raise Rejected("malformed-record", "the record holds no item")
    return elements


def inner_xml(data: bytes) -> Element | None:
    """Return the root of a document that an element holds as text; None if it cannot be read."""
    return _parsed(_carriable(data))


def _parsed(data: bytes) -> Element | None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    parser.set_element_class_lookup(_CLASSES)
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _carriable(data: bytes) -> bytes:
    if len(data.translate(None, _RAW_OCTETS)) < len(data):  # twenty times as fast as to look for them
        data = _RAW.sub(MARK.encode(), data)
    return _REFERENCE.sub(_reference, data)


def _reference(match: re.Match[bytes]) -> bytes:
    digits = match[1].decode()
    code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
    fits = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return match[0] if fits else MARK.encode()


def kind(element: Element) -> str:
    """Return the element's name without its namespace: "CalendarItem"."""
    return etree.QName(element).localname


def child(element: Element, path: str) -> Element | None:
    """Return the first element at this path; None if there is none."""
    steps = _steps(path)
    if not steps:
        return element.find(path, SPACES)
    if isinstance(element, ItemElement):
        first = element.named(steps[0])
        if first is None or len(steps) == 1:
            return first
    elif len(steps) == 1:
        return next(element.iterchildren(steps[0]), None)
    return next(_at(element, steps), None)


def children(element: Element, path: str) -> list[Element]:
    """Return all elements at this path."""
    steps = _steps(path)
    if not steps:
        return element.findall(path, SPACES)
    if isinstance(element, ItemElement) and element.named(steps[0]) is None:
        return []
    return list(_at(element, steps))


def text(element: Element, path: str) -> str:
    """Return the element's text as it stands; "" if there is no such element."""
    found = child(element, path)
    return "" if found is None else found.text or ""


@lru_cache(maxsize=512)
def _steps(path: str) -> tuple[str, ...]:
    """Return the names that a path goes through; none for a path of other steps.

    To look for names takes a fifth of the time of a path, and an event is asked sixty of them.
    """
    found = [_STEP.fullmatch(step) for step in path.split("/")]
    names = [f"{{{SPACES[step[1]]}}}{step[2]}" for step in found if step is not None]
    return tuple(names) if len(names) == len(found) else ()


def _at(element: Element, steps: tuple[str, ...]) -> Iterator[Element]:
    """Yield the elements at a path, in the order of the document."""
    for found in element.iterchildren(steps[0]):
        if len(steps) == 1:
            yield found
        else:
            yield from _at(found, steps[1:])


def flag(element: Element, path: str) -> bool:
    """Return True if the element says "true" or "1"."""
    return text(element, path).strip().lower() in {"true", "1"}


def number(element: Element, path: str) -> int | None:
    """Return a whole number; None if it is missing or no number."""
    digits = text(element, path).strip()
    return int(digits) if _NUMBER.fullmatch(digits) else None


def decimal(element: Element, path: str) -> float | None:
    """Return a finite number with or without a fraction; None if it is missing or no number."""
    digits = text(element, path).strip()
    plain = re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,30})?([eE][+-]?\d{1,2})?", digits, re.ASCII)
    return float(digits) if plain else None


def moment(written: str) -> datetime | None:
    """Return an xs:dateTime or xs:date as an aware datetime in UTC, to the microsecond.

    One dialect sends nine digits of a second. A value without a zone is UTC.

    Returns:
        None if the text is no such value, or if the date is outside of what a datetime holds.
    """
    match = _TIME.fullmatch(written.strip())
    if match is None:
        return None
    *numbers, fraction, zone = match.groups()
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        year, month, day, hour, minute, second = (int(part or "0") for part in numbers)
        local = datetime(year, month, day, hour, minute, second, micro, tzinfo=_offset(zone))
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _offset(written: str | None) -> timezone:
    if written is None or written == "Z":
        return UTC
    sign = -1 if written[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(written[1:3]), minutes=int(written[4:6])))


def extended(element: Element, key: Key) -> str | None:
    """Return the first value of a MAPI property that came with the item; None if it did not come."""
    values = extended_values(element, key)
    return values[0] if values else None


def extended_values(element: Element, key: Key) -> list[str]:
    """Return all values of a MAPI property; [] if it did not come."""
    for element_ in children(element, "t:ExtendedProperty"):
        uri = child(element_, "t:ExtendedFieldURI")
        if uri is not None and _is(uri, key):
            return [value.text or "" for value in element_.iter(f"{{{SPACES['t']}}}Value")]
    return []


def _is(uri: Element, key: Key) -> bool:
    if isinstance(key, int):
        return _integer(uri.get("PropertyTag")) == key
    owner, name = key
    sets = (uri.get("DistinguishedPropertySetId"), uri.get("PropertySetId"))
    if owner.lower() not in {(set_ or "").lower() for set_ in sets}:
        return False
    return (
        _integer(uri.get("PropertyId")) == name if isinstance(name, int) else uri.get("PropertyName") == name
    )


def _integer(written: str | None) -> int | None:
    """Read a number: servers write 0x0E06 also as 0xe06 and in decimal."""
    try:
        return int(written or "", 0)
    except ValueError:
        return None


def printable(written: str) -> str:
    """Remove what iCalendar, vCard and XML cannot carry, and make every line end a LF.

    These are control characters, noncharacters and surrogates. `altered` tells whether it removes any: a loss
    to name.
    """
    if written.isprintable():  # the ordinary case; all that the patterns find is not
        return written
    return _UNPRINTABLE.sub("", _LINE.sub("\n", written))


def altered(written: str) -> bool:
    """Return True if `printable` removes characters."""
    return not written.isprintable() and _UNPRINTABLE.search(written) is not None
