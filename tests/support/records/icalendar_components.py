r"""What icalendar's own classes write for a component of ours: the thorough way to write it.

One thing is mended in it: it takes a backslash and an N in a text for a line end (icalendar 7.3.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from typing import Any
from unittest import mock

import icalendar

from mappings.icalendar.component import Component
from mappings.icalendar.values import (
    Binary,
    CalendarAddress,
    Duration,
    Moment,
    Moments,
    Property,
    Rule,
    Text,
    TextList,
    Uri,
    Word,
)

CLASSES: dict[str, type[icalendar.Component]] = {
    "VEVENT": icalendar.Event,
    "VTODO": icalendar.Todo,
    "VALARM": icalendar.Alarm,
}
LISTS = frozenset({"EXDATE", "RDATE", "CATEGORIES"})


BACKSLASH = "\ue000"
"""Stands for a backslash while icalendar escapes a text."""


@contextmanager
def mended() -> Iterator[None]:
    """icalendar leaves a backslash and an N as they are."""
    escape = icalendar.prop.text._escape_char

    def escaped(text: str) -> str:
        return escape(text.replace("\\", BACKSLASH)).replace(BACKSLASH, "\\\\")

    with mock.patch("icalendar.prop.text._escape_char", escaped):
        yield


def by_icalendar(component: Component) -> bytes:
    """The lines of a component."""
    with mended():
        return bytes(_built(component).to_ical())


@contextmanager
def written_by_icalendar() -> Iterator[None]:
    """Whatever is mapped meanwhile is written by icalendar."""
    with mock.patch.object(Component, "written", by_icalendar):
        yield


def _built(component: Component) -> icalendar.Component:
    made = CLASSES[component.name]()
    for name, values in component.properties.items():
        for value in values:
            model = _model(value, name)
            listed = name in LISTS and not isinstance(model, list)
            made.add(name, [model] if listed else model, parameters=dict(value.parameters))
    for inner in component.inner:
        made.add_component(_built(inner))
    return made


@singledispatch
def _model(value: Property, name: str) -> Any:
    raise NotImplementedError(f"{name}: {type(value)}")


@_model.register
def _(value: Text, name: str) -> Any:
    return icalendar.vText(value.said)


@_model.register
def _(value: TextList, name: str) -> Any:
    return list(value.parts)


@_model.register
def _(value: Word, name: str) -> Any:
    if name == "GEO":
        latitude, longitude = value.said.split(";")
        return float(latitude), float(longitude)
    return int(value.said) if value.said.isdecimal() else value.said


@_model.register
def _(value: Uri, name: str) -> Any:
    return icalendar.vUri(value.said)


@_model.register
def _(value: CalendarAddress, name: str) -> Any:
    return icalendar.vCalAddress(value.said)


@_model.register
def _(value: Moment, name: str) -> Any:
    return value.at


@_model.register
def _(value: Moments, name: str) -> Any:
    return list(value.several)


@_model.register
def _(value: Duration, name: str) -> Any:
    return value.length


@_model.register
def _(value: Rule, name: str) -> Any:
    return icalendar.vRecur.from_ical(value.said)


@_model.register
def _(value: Binary, name: str) -> Any:
    return icalendar.vBinary(value.data)
