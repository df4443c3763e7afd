"""Map the reminder of an event: one VALARM, shown, never mailed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mappings.fields.ews_xml import Element, flag, number
from mappings.icalendar.component import Component
from mappings.icalendar.values import Duration, Moment, Text, Word
from mappings.losses.catalogue import lose
from model.protocols import Loss

DEFAULT_MINUTES, DEFAULT_MARK = 15, 0x5AE980E1
"""PidLidReminderDelta's special value, and the minutes that it stands for (MS-OXORMDR 2.2.1.3)."""

_MOST_MINUTES = 10 * 366 * 1440


def alarm(element: Element, event: Component, ends: datetime, not_after: datetime) -> list[Loss]:
    """Add the VALARM.

    A reminder of an event that ended before not_after is acknowledged up to there (RFC 9074 6.1), so that
    nothing old pops up on the first day. A series that goes on rings from then on.

    Args:
        element: of the record.
        event: gets the VALARM.
        ends: the end of the event, or of a series' first occurrence.
        not_after: when the leg began.
    """
    if not flag(element, "t:ReminderIsSet"):
        return []
    minutes = number(element, "t:ReminderMinutesBeforeStart")
    minutes = DEFAULT_MINUTES if minutes in (None, DEFAULT_MARK) else minutes
    if minutes is None or abs(minutes) > _MOST_MINUTES:
        return [lose("reminder", "impossible-time")]
    part = Component("VALARM")
    part.add("ACTION", Word("DISPLAY"))
    part.add("DESCRIPTION", Text(event.said("SUMMARY") or "Reminder"))
    part.add("TRIGGER", Duration(timedelta(minutes=-minutes), {"RELATED": "START"}))
    if ends <= not_after:
        part.add("ACKNOWLEDGED", Moment(not_after.astimezone(UTC).replace(microsecond=0)))
    event.inner.append(part)
    return []
