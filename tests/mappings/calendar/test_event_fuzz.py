"""Whatever a record says, it is mapped or refused with a code; and what is mapped can be read."""

from __future__ import annotations

import io

from event_goldens import FOLDER, cases
from event_native import NOT_AFTER, context, native
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar
from lxml import etree

from mappings.calendar.event import map_event
from mappings.compare.semantic_digest import calendar_digest
from mappings.fields.ews_xml import items
from mappings.losses.catalogue import LOSSES, REJECTIONS
from model.errors import Rejected
from model.protocols import Mapped

NASTY = (
    "", " ", "\n", "0", "-1", "1", "31", "99999999999", "true", "Friday", "Last", "Day", "\ufdd0", "a,b;c:\\",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1601-01-01T00:00:00Z", "4501-01-01",
    "2026-02-30T00:00:00Z",
    "2026-03-29T01:30:00Z", "2026-10-25T01:30:00Z", "PT25H", "-P1D", "PT0S", "UTC", "Tokyo Standard Time",
    "Organizer", "Accept", "RecurringMaster", "Exception", "/o=x/cn=y", "IMCEAEX-_O=X@y", "x@y", "HTML",
    "<html><![endif]-->", "BEGIN:VEVENT\r\nEND:VCALENDAR", "x" * 3000, "ü\u2028" * 80,
)  # fmt: skip
change = st.tuples(
    st.integers(0, 10**6), st.sampled_from(("text", "gone", "twice", "attribute")), st.sampled_from(NASTY)
)


def changed(raw: bytes, changes: list[tuple[int, str, str]]) -> bytes:
    root = items(native(raw))[0].getroottree().getroot()
    for number, what, value in changes:
        elements = [one for one in root.iter() if isinstance(one.tag, str)][1:]
        if not elements:
            break
        one = elements[number % len(elements)]
        parent = one.getparent()
        assert parent is not None
        if what == "gone":
            parent.remove(one)
        elif what == "twice":
            parent.append(etree.fromstring(etree.tostring(one)))
        elif what == "attribute" and one.attrib:
            one.set(sorted(map(str, one.attrib))[0], value)
        else:
            one.text = value
    return etree.tostring(root)


def outcome(raw: bytes) -> Mapped | None:
    """None: refused with a code that is declared."""
    try:
        return map_event(native(raw), context(("jette.brandt@kiel.example",)))
    except Rejected as error:
        if error.code not in REJECTIONS:
            raise
        return None


@given(st.sampled_from(cases()), st.lists(change, min_size=1, max_size=6))
def test_a_record_with_anything_in_it(name: str, changes: list[tuple[int, str, str]]) -> None:
    found = outcome(changed((FOLDER / name / "record.xml").read_bytes(), changes))
    if found is None:
        return
    raw = found.item.body().read()
    assert all((loss.field, loss.reason) in LOSSES for loss in found.losses)
    assert calendar_digest(io.BytesIO(raw), NOT_AFTER) == found.item.digest
    events = Calendar.from_ical(raw).walk("VEVENT")
    assert {str(event["UID"]) for event in events} == {found.item.uid}
    assert not [error for event in events for error in event.errors]
    assert max(map(len, raw.split(b"\r\n"))) <= 75


@given(st.binary(max_size=300))
@example(b"<m:Items/>")
def test_a_record_of_any_bytes(raw: bytes) -> None:
    assert outcome(raw) is None
