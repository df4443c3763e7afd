"""Cut the texts of an event to what the target keeps (EventHabits), so that what is written comes back."""

from __future__ import annotations

from icalendar import Event

from mappings.losses.catalogue import lose
from model.event_habits import EventHabits
from model.protocols import Loss


def shortened(event: Event, habits: EventHabits) -> list[Loss]:
    """Cut SUMMARY, LOCATION and DESCRIPTION, and return what that loses.

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
        written = str(event.get(name, ""))
        kept = written if most is None else cut(written, most)
        if kept != written:
            del event[name]
            event.add(name, kept.rstrip())
            losses.append(lose(field, "shortened"))
    return losses


def _units(written: str, most: int) -> str:
    return written.encode("utf-16-le")[: 2 * most].decode("utf-16-le", errors="ignore")


def _bytes(written: str, most: int) -> str:
    return written.encode()[:most].decode(errors="ignore")
