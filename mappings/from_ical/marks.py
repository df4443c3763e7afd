"""Tidy the small marks of an event or a task: what has few values has one of them, or none with a loss."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mappings.icalendar.component import Component
from mappings.icalendar.values import Text, TextList, Word
from mappings.losses.catalogue import lose
from model.protocols import Loss

CLASSES = frozenset({"PUBLIC", "PRIVATE", "CONFIDENTIAL"})
STATES: Mapping[str, frozenset[str]] = {
    "VEVENT": frozenset({"TENTATIVE", "CONFIRMED", "CANCELLED"}),
    "VTODO": frozenset({"NEEDS-ACTION", "COMPLETED", "IN-PROCESS", "CANCELLED"}),
}
_UNKNOWN = {"VEVENT": ("state", "unknown-value"), "VTODO": ("status", "unknown-value")}
SHOWN = frozenset({"OPAQUE", "TRANSPARENT"})

_MOST = 2**31 - 1
_WHOLE = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_DEGREES = re.compile(r"[+-]?\d{1,3}(?:\.\d{1,30})?", re.ASCII)


def tidy_marks(component: Component) -> list[Loss]:
    """Change the marks of a component in place, and return what that loses."""
    return [
        *_words(component),
        *_numbers(component),
        *_place(component),
        *_categories(component),
        *_guests(component),
    ]


def _words(component: Component) -> Iterator[Loss]:
    """Tidy CLASS, STATUS and TRANSP. RFC 5545 3.8.1.3 has an unknown CLASS treated as PRIVATE."""
    for name, known, instead, loss in (
        ("CLASS", CLASSES, "PRIVATE", ("sensitivity", "shown-as-private")),
        ("STATUS", STATES[component.name], "", _UNKNOWN[component.name]),
        ("TRANSP", SHOWN, "", ("show-as", "unknown-value")),
    ):
        written = component.said(name)
        word = written.strip().upper()
        if word != written and word in known:
            component.set(name, Text(word))
        elif word not in known and component.first(name) is not None:
            component.remove(name)
            if word:
                yield lose(*loss)
            if word and instead:
                component.set(name, Text(instead))


def _numbers(component: Component) -> Iterator[Loss]:
    sequence = _number(component, "SEQUENCE")
    component.remove("SEQUENCE")  # bookkeeping of servers: nobody misses what is no number
    if sequence is not None:
        component.add("SEQUENCE", Word(str(min(max(sequence, 0), _MOST))))
    for name, most, loss in (
        ("PRIORITY", 9, ("other", "not-kept")),
        ("PERCENT-COMPLETE", 100, ("percent", "impossible")),
    ):
        if component.first(name) is None:
            continue
        number = _number(component, name)
        if number is not None and 0 <= number <= most:
            component.set(name, Word(str(number)))
        else:
            component.remove(name)
            yield lose(*loss)


def _number(component: Component, name: str) -> int | None:
    stated = component.first(name)
    digits = stated.said.strip() if isinstance(stated, Word) else ""
    return int(digits) if _WHOLE.fullmatch(digits) else None


def _place(component: Component) -> Iterator[Loss]:
    stated = component.first("GEO")
    if not isinstance(stated, Word):
        return
    parts = [part.strip() for part in stated.said.split(";")]
    degrees = [float(part) for part in parts if _DEGREES.fullmatch(part)]
    if len(parts) != 2 or len(degrees) != 2 or abs(degrees[0]) > 90 or abs(degrees[1]) > 180:
        component.remove("GEO")
        yield lose("location", "impossible-coordinates")


def _categories(component: Component) -> Iterator[Loss]:
    """Put all names into one property, each once."""
    stated = component.properties.get("CATEGORIES", ())
    names = [name.strip() for each in stated if isinstance(each, TextList) for name in each.parts]
    if not stated:
        return
    if not all(names):
        yield lose("categories", "empty-name")
    component.remove("CATEGORIES")
    if any(names):
        component.add("CATEGORIES", TextList(tuple(dict.fromkeys(name for name in names if name))))


def _guests(component: Component) -> Iterator[Loss]:
    """Keep each attendee once: RFC 5545 3.8.4.1 has an address once."""
    guests = component.addresses("ATTENDEE")
    component.remove("ATTENDEE")
    seen = set[str]()
    for guest in guests:
        if guest.said.lower() in seen:
            yield lose("attendee", "twice")
            continue
        seen.add(guest.said.lower())
        component.add("ATTENDEE", guest)
