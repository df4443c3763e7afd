"""Read a record into the element tree: EWS's XML as it is, Graph's JSON read into the same.

One mapping reads them all. What a system stated and the tree has no place for stands in <t:Lost>, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mappings.exchange import graph_contact, graph_event, graph_task
from mappings.fields import ews_xml
from mappings.fields.ews_xml import Element, children, moment, printable, text
from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.kinds import KINDS, Kind
from model.protocols import Loss, Native

READERS: Mapping[Kind, Mapping[str, Callable[[Native], list[Element]]]] = {
    Kind.CALENDAR: {"ews-event": ews_xml.items, "graph-event": graph_event.items},
    Kind.CONTACTS: {"ews-contact": ews_xml.items, "graph-contact": graph_contact.items},
    Kind.TASKS: {"ews-task": ews_xml.items, "graph-task": graph_task.items},
    Kind.NOTES: {"ews-note": ews_xml.items},
}
"""By kind of item and the format of its record."""

TITLES = ("t:Subject", "t:DisplayName", "t:FileAs")


def items(kind: Kind, native: Native) -> list[Element]:
    """Return the elements of a record, the item's own first.

    Raises:
        Rejected: "unknown-format", "malformed-record", and what the reader of its format raises.
    """
    reader = READERS[kind].get(native.format)
    if reader is None:
        raise Rejected("unknown-format", "no mapping for this kind of record")
    return reader(native)


def left_out(element: Element) -> list[Loss]:
    """Return what the reader could not put into the tree."""
    return [lose(lost.get("field", ""), lost.get("reason", "")) for lost in children(element, "t:Lost")]


def title(kind: Kind, native: Native) -> str:
    """Return the title of an event, a contact, a task or a note; "" if it has none.

    An event's begin follows its title, which many share.

    Raises:
        Rejected: as `items`.
    """
    own = items(kind, native)[0]
    named = (" ".join(printable(text(own, name)).split()) for name in TITLES)
    begins = moment(text(own, "t:Start")) if KINDS[kind].occurs else None
    when = "" if begins is None else f"{begins:%Y-%m-%d %H:%M} UTC"
    return ", ".join(filter(None, (next(filter(None, named), ""), when)))
