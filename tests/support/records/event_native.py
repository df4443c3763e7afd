"""Records of events for tests: as the source gives them, and what a mapping is told beside."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from mappings.fields.context import Context
from mappings.fields.ews_xml import Element, child, items
from model.kinds import Kind
from model.protocols import Body, Capabilities, Native, Ref

NOT_AFTER = datetime(2026, 11, 25, 12, tzinfo=UTC)
HEAD = (
    '<m:Items xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
)
BERLIN = '<t:StartTimeZone Id="W. Europe Standard Time"/>'
START, END = "2026-06-02T07:00:00Z", "2026-06-02T08:00:00Z"


def event_xml(inner: str = "", start: str = START, end: str = END) -> str:
    times = f"<t:Start>{start}</t:Start><t:End>{end}</t:End>"
    return f"<t:CalendarItem><t:UID>u@kogge.example</t:UID>{times}{inner}</t:CalendarItem>"


def native(
    xml: str | bytes, attachments: Mapping[str, bytes] | None = None, item_class: str = "IPM.Appointment"
) -> Native:
    """xml: a whole <m:Items>, or what stands inside of it."""
    raw = xml if isinstance(xml, bytes) else (xml if "<m:Items" in xml else f"{HEAD}{xml}</m:Items>").encode()
    bodies = {id_: body_of(data) for id_, data in (attachments or {}).items()}
    properties = {"ItemClass": item_class, "Attachments": bodies}
    return Native(Ref("id-1", "v1"), "ews-event", properties, body_of(raw))


def body_of(data: bytes) -> Body:
    return lambda: io.BytesIO(data)


def context(
    owner: Iterable[str] = (),
    addresses: Mapping[str, str] | None = None,
    target: Capabilities | None = None,
    not_after: datetime = NOT_AFTER,
) -> Context:
    known = target or Capabilities(frozenset({Kind.CALENDAR}))
    return Context(known, not_after, not_after, frozenset(owner), addresses or {})


def element(inner: str) -> Element:
    """A <t:CalendarItem> with this inside."""
    return items(native(f"<t:CalendarItem>{inner}</t:CalendarItem>"))[0]


def inside(inner: str, path: str) -> Element:
    found = child(element(inner), path)
    assert found is not None
    return found
