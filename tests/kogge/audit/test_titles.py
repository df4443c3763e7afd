"""How an item is named to the person who looks for it at the source."""

from __future__ import annotations

import io

import pytest

from kogge.shown.item_lookup import _subject
from mappings.fields.ews_xml import SPACES
from model.kinds import Kind
from model.protocols import Native, Ref

NAMES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())


@pytest.mark.parametrize(
    ("kind", "form", "record", "said"),
    [
        (
            Kind.CALENDAR,
            "ews-event",
            "<t:CalendarItem><t:Subject>Jour fixe</t:Subject><t:Start>2026-01-12T10:30:00+01:00</t:Start>"
            "</t:CalendarItem>",
            "Jour fixe, 2026-01-12 09:30 UTC",
        ),
        (
            Kind.CALENDAR,
            "ews-event",
            "<t:CalendarItem><t:Start>2026-01-12T09:30:00Z</t:Start></t:CalendarItem>",
            "2026-01-12 09:30 UTC",
        ),
        (
            Kind.CALENDAR,
            "ews-event",
            "<t:CalendarItem><t:Subject>Jour fixe</t:Subject><t:Start>soon</t:Start></t:CalendarItem>",
            "Jour fixe",
        ),
        (Kind.TASKS, "ews-task", "<t:Task><t:Subject>Taxes</t:Subject></t:Task>", "Taxes"),
    ],
    ids=["event", "no title", "no date", "task"],
)
def test_an_event_is_named_with_its_begin(kind: Kind, form: str, record: str, said: str) -> None:
    text = f"<m:Items {NAMES}>{record}</m:Items>".encode()
    assert _subject(kind, Native(Ref("a", "1"), form, {}, lambda: io.BytesIO(text))) == said
