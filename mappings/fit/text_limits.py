"""Fit the texts of an event or a task to what the target keeps, so that what is written comes back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from mappings.fields.look_alikes import COMMA
from mappings.icalendar.component import Component
from mappings.icalendar.values import Text, TextList
from mappings.losses.catalogue import lose
from model.event_habits import EventHabits
from model.protocols import Capabilities, Loss


def without_commas(component: Component, target: Capabilities) -> Iterator[Loss]:
    """Replace the commas in the names of categories by look-alikes if the target splits names there.

    Args:
        component: the event or the task.
        target: its capabilities.
    """
    written = component.first("CATEGORIES")
    if target.category_commas or not isinstance(written, TextList):
        return
    if any("," in name for name in written.parts):
        names = [name.replace(",", COMMA) for name in written.parts]
        component.set("CATEGORIES", TextList(tuple(dict.fromkeys(names))))
        yield lose("categories", "comma-replaced")


def shortened(event: Component, habits: EventHabits) -> list[Loss]:
    """Cut SUMMARY, LOCATION, DESCRIPTION and CATEGORIES, leave out a URL, and return what that loses.

    Args:
        event: the component.
        habits: the target's.
    """
    losses: list[Loss] = []
    for name, field, most, cut in (
        ("SUMMARY", "title", habits.title, _units),
        ("LOCATION", "location", habits.place, _units),
        ("DESCRIPTION", "text", habits.text, _bytes),
    ):
        written = event.said(name)
        kept = written if most is None else cut(written, most)
        if kept != written:
            event.set(name, Text(kept.rstrip()))
            _rename_alarms(event, name, written)
            losses.append(lose(field, "shortened"))
    return [*losses, *_links(event, habits.links), *_categories(event, habits.categories)]


def _rename_alarms(event: Component, name: str, written: str) -> None:
    """Let alarms that show the title show the shorter one."""
    for alarm in event.inner:
        if name == "SUMMARY" and alarm.said("DESCRIPTION") == written:
            alarm.set("DESCRIPTION", Text(event.said("SUMMARY") or "Reminder"))


def _links(event: Component, most: int | None) -> Iterator[Loss]:
    """Leave out a URL that is too long: the beginning of one leads elsewhere."""
    if most is not None and _length(event.said("URL")) > most:
        event.remove("URL")
        yield lose("links", "too-long")


def _categories(event: Component, most: int | None) -> Iterator[Loss]:
    """Keep as many whole names as have room, with a comma between two."""
    written = event.first("CATEGORIES")
    if most is None or not isinstance(written, TextList):
        return
    names = written.parts
    room = accumulate(_length(name) + 1 for name in names)
    kept = [name for name, end in zip(names, room, strict=True) if end <= most + 1]
    if len(kept) < len(names):
        event.remove("CATEGORIES")
        if kept:
            event.add("CATEGORIES", TextList(tuple(kept)))
        yield lose("categories", "too-many")


def _length(written: str) -> int:
    return len(written.encode("utf-16-le")) // 2


def _units(written: str, most: int) -> str:
    return written.encode("utf-16-le")[: 2 * most].decode("utf-16-le", errors="ignore")


def _bytes(written: str, most: int) -> str:
    return written.encode()[:most].decode(errors="ignore")
