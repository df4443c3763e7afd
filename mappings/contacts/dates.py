"""Find the day that a moment of Exchange stands for: birthdays, anniversaries, the dates of tasks."""

from __future__ import annotations

import re
from datetime import date, timedelta

from mappings.contacts.names import address_property
from mappings.contacts.record import ContactRecord, Part
from mappings.fields.ews_xml import moment
from mappings.losses.catalogue import lose
from mappings.vcard.lines import Parameter, VCardLine, text
from model.protocols import Loss

_LOCAL_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)(?:T00:00:00(?:\.0+)?)?(?:[+-]\d\d:\d\d)?", re.ASCII)
_HALF_A_DAY = timedelta(hours=12)
NEVER = 4501
"""The year of Outlook's "no date" (MS-OXOCNTC, MS-OXOTASK)."""

NO_YEAR = 1604
"""Telephones that know a day without its year write this leap year, as Apple does in its vCards."""

DAYS = (
    ("Birthday", "BDAY", 0x80DE, "birthday"),
    ("WeddingAnniversary", "X-ANNIVERSARY", 0x80DF, "anniversary"),
)
"""Element, property of the card, Outlook's own property (MS-OXOCNTC 2.2.1.5), field of a loss."""


def day_of(written: str) -> date | None:
    """Return the day of an xs:dateTime or xs:date; None if it is none, and for Outlook's "no date".

    Exchange keeps the midnight of the person who typed the day as a moment in UTC: 23:00 the day before in
    Berlin's winter, 05:00 in New York; some clients keep 11:59 UTC of the day itself. The nearest midnight is
    right for every zone from UTC-11:59 to UTC+12: so 23:59:59 belongs to the next day. Written with an
    offset, midnight states its day itself.
    """
    local = _LOCAL_MIDNIGHT.fullmatch(written.strip())
    moment_ = moment(local[1] if local else written)
    if moment_ is None:
        return None
    try:
        day = (moment_ + _HALF_A_DAY).date()
    except OverflowError:
        return None
    return day if day.year < NEVER else None


def days(record: ContactRecord) -> Part:
    """Map BDAY and X-ANNIVERSARY, which is ANNIVERSARY in vCard 4.0 (RFC 6350 section 6.2.6).

    Outlook's own copy of the day, always midnight UTC, comes first.
    """
    lines: list[VCardLine] = []
    losses: list[Loss] = []
    for element, name, number, field in DAYS:
        written = address_property(record, number) or record.text(element)
        day = day_of(written)
        if day is not None:
            lines.append(_day_line(name, day))
        elif written and moment(written) is None:
            losses.append(lose(field, "unreadable"))
    return lines, losses


def _day_line(name: str, day: date) -> VCardLine:
    omitted: tuple[Parameter, ...] = (("X-APPLE-OMIT-YEAR", (str(NO_YEAR),)),) if day.year == NO_YEAR else ()
    return text(name, day.isoformat(), omitted)
