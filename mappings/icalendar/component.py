"""Build the components of a calendar object, and write each property as one content line (RFC 5545).

Here is what the mappings write, and no more; what a server sends is read elsewhere. icalendar's components
write the same bytes, but they look for the class, the parameters and the zone of each value, which took most
of an event's time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from mappings.icalendar.values import CalendarAddress, Property, Text, Uri
from model.icalendar_writer import folded

_FIRST: Mapping[str, tuple[str, ...]] = {
    "VEVENT": (
        "SUMMARY",
        "DTSTART",
        "DTEND",
        "DURATION",
        "DTSTAMP",
        "UID",
        "RECURRENCE-ID",
        "SEQUENCE",
        "RRULE",
        "RDATE",
        "EXDATE",
    ),
}
"""The order of properties; all others come after these, by name."""

_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
_CARETS = {"^": "^^", "\n": "^n", "\r": "^n", "\r\n": "^n", '"': "^'"}
_CARETED = re.compile(r'\^|\r\n|\r|\n|"')
_QUOTED = re.compile("[,;:\N{RIGHT SINGLE QUOTATION MARK}]")


class Component:
    """Hold the properties of an event, a task or an alarm, and the components inside of it.

    Attributes:
        name: "VEVENT", "VTODO" or "VALARM".
        properties: by name, in the order in which they were added.
        inner: its alarms.
    """

    __slots__ = ("inner", "name", "properties")

    def __init__(self, name: str) -> None:
        self.name = name
        self.properties: dict[str, list[Property]] = {}
        self.inner: list[Component] = []

    def add(self, name: str, value: Property) -> None:
        """Add a property to those of its name."""
        found = self.properties.get(name)
        if found is None:
            self.properties[name] = [value]
        else:
            found.append(value)

    def set(self, name: str, value: Property) -> None:
        """Put a property in the place of all those of its name."""
        self.properties[name] = [value]

    def remove(self, name: str) -> None:
        """Take out all properties of this name."""
        self.properties.pop(name, None)

    def first(self, name: str) -> Property | None:
        """Return the first property of this name; None if there is none."""
        found = self.properties.get(name)
        return found[0] if found else None

    def said(self, name: str) -> str:
        """Return the text or the URI of the first property of this name; "" if there is none."""
        value = self.first(name)
        return value.said if isinstance(value, Text | Uri) else ""

    def addresses(self, name: str) -> list[CalendarAddress]:
        """Return the people of this name: ATTENDEE or ORGANIZER."""
        return [each for each in self.properties.get(name, ()) if isinstance(each, CalendarAddress)]

    def written(self) -> bytes:
        """Return the lines, folded, with CRLFs.

        Raises:
            ValueError: a value or a parameter has a line end that nothing escaped.
        """
        return b"".join(map(folded, self._lines()))

    def _lines(self) -> Iterator[bytes]:
        yield f"BEGIN:{self.name}".encode()
        for name in _ordered(self.name, tuple(self.properties)):
            for value in self.properties[name]:
                yield _line(name, value)
        for component in self.inner:
            yield from component._lines()
        yield f"END:{self.name}".encode()


@lru_cache(maxsize=1024)
def _ordered(component: str, names: tuple[str, ...]) -> tuple[str, ...]:
    first = _FIRST.get(component, ())
    return (*(name for name in first if name in names), *sorted(set(names).difference(first)))


def _line(name: str, value: Property) -> bytes:
    stated, content = value.parameters, value.content()
    if stated:
        name += "".join([_parameter(each, stated[each]) for each in sorted(stated)])
    if isinstance(content, str):
        line = f"{name}:{content.removeprefix(_MARK)}".encode()
    else:
        line = b"%b:%b" % (name.encode(), content)
    if b"\n" in line:
        raise ValueError("a line end that nothing escaped")
    return line


def _parameter(name: str, value: str) -> str:
    """Return a parameter with its value in quotes where icalendar writes quotes, and escaped (RFC 6868)."""
    if value.replace("-", "").isalnum():
        return f";{name}={value}"
    quoted = name == "CN" and (" " in value or "'" in value)
    value = _CARETED.sub(lambda match: _CARETS[match[0]], value)
    return f';{name}="{value}"' if quoted or _QUOTED.search(value) else f";{name}={value}"
