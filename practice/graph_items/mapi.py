"""MAPI properties that an item has by what its record says, and Graph's own words leave out (MS-OXPROPS)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from practice.calendar.appointments import Event
from practice.contacts.cards import Contact
from practice.exchange.properties import MAPI
from practice.exchange.records import plain_text
from practice.graph_items.zones import definition
from practice.world.messages import Message
from practice.world.record_elements import ADDRESS, COMMON

APPOINTMENT = "00062002-0000-0000-c000-000000000046"
Key = tuple[int | None, str | None, str | None]
_MEETING, _RECEIVED, _CANCELLED = 1, 2, 4
_PLAIN, _HTML = 1, 3
_SENSITIVITY = ("Normal", "Personal", "Private", "Confidential")
PHONES: Mapping[str, int] = {
    "AssistantPhone": 0x3A2E,
    "BusinessFax": 0x3A24,
    "BusinessPhone": 0x3A08,
    "BusinessPhone2": 0x3A1B,
    "Callback": 0x3A02,
    "CarPhone": 0x3A1E,
    "CompanyMainPhone": 0x3A57,
    "HomeFax": 0x3A25,
    "HomePhone": 0x3A09,
    "HomePhone2": 0x3A2F,
    "Isdn": 0x3A2D,
    "MobilePhone": 0x3A1C,
    "OtherFax": 0x3A23,
    "OtherTelephone": 0x3A1F,
    "Pager": 0x3A21,
    "PrimaryPhone": 0x3A1A,
    "RadioPhone": 0x3A1D,
    "Telex": 0x3A2C,
    "TtyTddPhone": 0x3A4B,
}
_EMAIL_PARTS = ("name", "routing", "address")  # PidLidEmail1DisplayName, AddressType, EmailAddress
_MAILING = {None: 0, "Home": 1, "Business": 2, "Other": 3}
NO_DAY = datetime(4501, 1, 1, tzinfo=UTC)
"""What Outlook keeps in place of no day."""


def value_of(item: Message, key: Key) -> object:
    """Return the value of a property: a tuple for one of many values, None if the item does not have it."""
    tag, owner, name = key
    if tag is not None:
        getter = MAPI.get(tag)
        return getter(item) if getter else _tagged(item, tag)
    if isinstance(item.record, Event):
        return _of_event(item.record, owner, name)
    return _of_contact(item.record, owner, name) if isinstance(item.record, Contact) else None


def _tagged(item: Message, tag: int) -> object:
    if item.record is None:
        return None
    common = item.record.common
    if tag == 0x0036:
        return _SENSITIVITY.index(common.sensitivity)
    if tag == 0x1016:
        return _HTML if common.html else _PLAIN
    if tag == 0x0E1B:
        return bool(common.attachments)
    if tag == 0x1000:
        return plain_text(common.body) if common.html else common.body or None
    one = item.record
    return _contact_tag(one, tag) if isinstance(one, Contact) else None


def _contact_tag(one: Contact, tag: int) -> object:
    found = [number for key, number in one.phones if PHONES[key] == tag]
    if found:
        return found[0]
    return {
        0x3A05: one.suffix,
        0x3A41: None if one.anniversary == NO_DAY else one.anniversary,
        0x3A42: None if one.birthday == NO_DAY else one.birthday,
        0x3A45: one.title,
        0x3A51: one.homepage,
        0x3A58: one.children or None,
    }.get(tag)


def _of_event(event: Event, owner: str | None, name: str | None) -> object:
    if owner != APPOINTMENT:
        return None
    getter = _APPOINTMENTS.get(int(name)) if name and name.isdigit() else None
    return getter(event) if getter else None


def _state(event: Event) -> int:
    received = event.meeting and event.answer != "Organizer"
    return _MEETING * event.meeting | _RECEIVED * received | _CANCELLED * event.cancelled


def _replied(event: Event) -> datetime | None:
    answered = event.meeting and event.answer not in ("Organizer", "NoResponseReceived")
    return event.base.modified if answered else None


_APPOINTMENTS: Mapping[int, Callable[[Event], object]] = {
    0x8201: lambda event: event.sequence,
    0x8217: _state,
    0x8220: _replied,
    0x8234: lambda event: event.zone.name,
    0x825E: lambda event: None if event.old_zone else definition(event.zone),
    0x825F: lambda event: None if event.old_zone else definition(event.end_zone or event.zone),
    0x8260: lambda event: definition(event.zone) if event.recurrence and not event.old_zone else None,
}


def _of_contact(one: Contact, owner: str | None, name: str | None) -> object:
    number = int(name or "") if (name or "").isdigit() else 0
    if owner == COMMON:
        return {0x8534: one.mileage, 0x8539: one.companies or None}.get(number)
    if owner != ADDRESS:
        return None
    if number in (0x8015, 0x8022):
        return one.has_picture if number == 0x8015 else _MAILING[one.mailing]
    at, part = divmod(number - 0x8080, 0x10)
    if 0 <= at < len(one.emails) and part in (0, 2, 3):
        email = one.emails[at]
        return (getattr(email, _EMAIL_PARTS[part - (part > 1)]) or None) if email else None
    return None
