"""Records of events in which anything may stand anywhere."""

from __future__ import annotations

from event_native import native
from hypothesis import strategies as st
from lxml import etree

from mappings.fields.ews_xml import items

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
    """A record after some changes: the number of an element, what becomes of it, and a text."""
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
