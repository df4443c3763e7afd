"""Records as EWS gives them, as small as can be: what people edit in a mailbox held in memory.

Bytes are those of a Native's body (mappings.registry): an event or a contact that differs in any of these
arguments means something else.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from functools import partial
from xml.sax.saxutils import escape

from memory.mailbox import Marks
from model.protocols import Body

APPOINTMENT = Marks(item_class="IPM.Appointment")
CARD = Marks(item_class="IPM.Contact")
TASK = Marks(item_class="IPM.Task")
LIST = Marks(item_class="IPM.DistList")

_ITEMS = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<m:Items xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">{}</m:Items>'
)
_EVENT = (
    "<t:CalendarItem><t:ItemClass>IPM.Appointment</t:ItemClass><t:Subject>{title}</t:Subject>"
    "<t:UID>{uid}</t:UID>{start}<t:CalendarItemType>{kind}</t:CalendarItemType>{people}{rule}{files}</t:CalendarItem>"
)
_START = "<t:Start>2026-03-{day:02}T09:00:00Z</t:Start><t:End>2026-03-{day:02}T10:00:00Z</t:End>"
_ORGANIZER = (
    "<t:Organizer><t:Mailbox><t:EmailAddress>chair@old.example</t:EmailAddress></t:Mailbox></t:Organizer>"
)
_ATTENDEE = "<t:Attendee><t:Mailbox><t:EmailAddress>{}</t:EmailAddress></t:Mailbox></t:Attendee>"
_DAILY = (
    "<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence><t:NumberedRecurrence>"
    "<t:StartDate>2026-03-{day:02}Z</t:StartDate><t:NumberOfOccurrences>{times}</t:NumberOfOccurrences>"
    "</t:NumberedRecurrence></t:Recurrence>"
)
_FILE = (
    '<t:FileAttachment><t:AttachmentId Id="{name}/{size}"/><t:Name>{name}</t:Name>'
    "<t:ContentType>application/pdf</t:ContentType></t:FileAttachment>"
)
_FILE_ID = re.compile(rb'<t:AttachmentId Id="([^"]+)"/>')
_CONTACT = (
    "<t:Contact><t:ItemClass>IPM.Contact</t:ItemClass><t:FileAs>{name}</t:FileAs>"
    "<t:DisplayName>{name}</t:DisplayName><t:Surname>{name}</t:Surname>"
    '<t:PhoneNumbers><t:Entry Key="MobilePhone">{phone}</t:Entry></t:PhoneNumbers></t:Contact>'
)


_TASK = (
    "<t:Task><t:ItemClass>IPM.Task</t:ItemClass><t:Subject>{title}</t:Subject>"
    "<t:DueDate>2027-03-{day:02}T00:00:00Z</t:DueDate></t:Task>"
)
_GROUP = (
    "<t:DistributionList><t:ItemClass>IPM.DistList</t:ItemClass><t:DisplayName>{name}</t:DisplayName>"
    "<t:Members>{members}</t:Members></t:DistributionList>"
)
_MEMBER = (
    "<t:Member><t:Mailbox><t:Name>x</t:Name><t:MailboxType>Contact</t:MailboxType>"
    '<t:ItemId Id="{}"/></t:Mailbox><t:Status>Normal</t:Status></t:Member>'
)

_OUTSIDER = (
    "<t:Member><t:Mailbox><t:Name>{0}, of elsewhere</t:Name><t:EmailAddress>{0}</t:EmailAddress>"
    "<t:RoutingType>SMTP</t:RoutingType><t:MailboxType>OneOff</t:MailboxType></t:Mailbox></t:Member>"
)

_TODO = (
    "<t:Task><t:ItemClass>IPM.Task</t:ItemClass><t:Subject>{title}</t:Subject>"
    "<t:DueDate>2037-12-03T00:00:00Z</t:DueDate><t:StartDate>2037-12-01T00:00:00Z</t:StartDate>"
    "{recurrence}</t:Task>"
)
TUESDAYS = (
    "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday</t:DaysOfWeek></t:WeeklyRecurrence>"
)
ALL_DAYS = "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"


def event(
    uid: str,
    title: str,
    day: int = 1,
    people: Sequence[str] = (),
    times: int = 1,
    files: Mapping[str, int] | None = None,
) -> bytes:
    """An hour of a day (1 to 28) of March 2026; with more than one of times it comes again the next days.
    files: the bytes of each attachment, by its name."""
    attendees = "".join(_ATTENDEE.format(escape(one)) for one in people)
    made = _EVENT.format(
        title=escape(title),
        uid=escape(uid),
        start=_START.format(day=day),
        kind="Single" if times == 1 else "RecurringMaster",
        people=f"{_ORGANIZER}<t:RequiredAttendees>{attendees}</t:RequiredAttendees>" if people else "",
        rule="" if times == 1 else _DAILY.format(day=day, times=times),
        files="" if files is None else _files(files),
    )
    return _ITEMS.format(made).encode()


def _files(files: Mapping[str, int]) -> str:
    made = "".join(_FILE.format(name=escape(name), size=size) for name, size in files.items())
    return f"<t:Attachments>{made}</t:Attachments>"


def attachments(raw: bytes) -> Mapping[str, Body]:
    """The contents of a record's attachments, by their ids; those of one name and one size are the same."""
    ids = [found.decode() for found in _FILE_ID.findall(raw)]
    return {id_: partial(io.BytesIO, _content(id_)) for id_ in ids}


def _content(id_: str) -> bytes:
    size = int(id_.rpartition("/")[2])
    return (hashlib.sha256(id_.encode()).digest() * (size // 32 + 1))[:size]


def broken(uid: str) -> bytes:
    """An event without a start: no mapping takes it."""
    made = _EVENT.format(title="", uid=escape(uid), start="", kind="Single", people="", rule="", files="")
    return _ITEMS.format(made).encode()


def contact(name: str, phone: str = "+49 431 1") -> bytes:
    """Its UID comes from its id at the source."""
    return _ITEMS.format(_CONTACT.format(name=escape(name), phone=escape(phone))).encode()


def task(title: str, day: int = 1) -> bytes:
    """Due on a day (1 to 28) of March 2027. Its UID comes from its id at the source."""
    return _ITEMS.format(_TASK.format(title=escape(title), day=day)).encode()


def group(name: str, members: Sequence[str]) -> bytes:
    """A distribution list. members: ids of contacts at the source."""
    made = "".join(_MEMBER.format(escape(one)) for one in members)
    return _ITEMS.format(_GROUP.format(name=escape(name), members=made)).encode()


def team(name: str, addresses: Sequence[str], notes: str = "") -> bytes:
    """A distribution list of people who are no contacts."""
    members = "".join(_OUTSIDER.format(escape(one)) for one in addresses)
    made = _GROUP.format(name=escape(name), members=members)
    body = f'<t:Body BodyType="Text">{escape(notes)}</t:Body>' if notes else ""
    return _ITEMS.format(made.replace("<t:DisplayName>", f"{body}<t:DisplayName>")).encode()


def todo(title: str, rule: str = "") -> bytes:
    """A task of a Tuesday in December 2037. rule: the pattern of its recurrence, as EWS has it.

    Of a series that began, the meaning depends on when the leg began, which the tests move."""
    ending = "<t:NoEndRecurrence><t:StartDate>2037-12-01Z</t:StartDate></t:NoEndRecurrence>"
    comes_back = f"<t:Recurrence>{rule}{ending}</t:Recurrence>" if rule else ""
    return _ITEMS.format(_TODO.format(title=escape(title), recurrence=comes_back)).encode()
