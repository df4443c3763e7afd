"""Answer with whom a calendar is shared: all roles, and the traps in which a reader may fall.

Every third mailbox has a delegate, a group, a person outside, somebody without a right and somebody whose
right no role says. A calendar that its owner may only read is another person's: its list is empty.

Source:
    https://learn.microsoft.com/graph/api/calendar-list-calendarpermissions
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.query import paged
from practice.graph.wire import Json
from practice.graph_items.calendar import NEEDS, calendar_of
from practice.world.folders import Folder
from practice.world.people import DOMAIN

ROLES = {"Editor": "write", "Reviewer": "read"}
_ALLOWED = ["none", "freeBusyRead", "limitedRead", "read", "write"]
_DELEGATE = ["delegateWithoutPrivateEventAccess", "delegateWithPrivateEventAccess"]
MORE = (
    ("Abteilung", f"abteilung@{DOMAIN}", "limitedRead"),
    ("Team", f"team@{DOMAIN}", "write"),
    ("Ohne Recht", f"ohne@{DOMAIN}", "none"),
    ("Nur Zeiten", f"zeiten@{DOMAIN}", "freeBusyRead"),
    ("Eigenes", f"eigenes@{DOMAIN}", "custom"),
    ("Vertretung", f"vertretung@{DOMAIN}", "delegateWithoutPrivateEventAccess"),
    ("Partner", "partner@elsewhere.example", "read"),
)
"""Who has rights to the default calendar of every third mailbox: name, address, role."""


def _permissions(context: Context) -> Reply:
    folder = calendar_of(context)
    rows = [] if folder.readonly else list(_rows(context, folder))
    return context.say(paged(context.ask, rows, context.query))


def _rows(context: Context, folder: Folder) -> Iterator[Json]:
    yield _row("Default", {"name": "My Organization"}, "freeBusyRead")
    odd = folder.role == "calendar" and context.box.owner.index % 3 == 0
    for place, grant in enumerate(folder.grants):
        role = _DELEGATE[1] if odd and place == 0 else ROLES[grant.level]
        yield _row(grant.address, {"name": grant.name, "address": grant.address}, role)
    for name, address, role in MORE if odd else ():
        yield _row(address, {"name": name, "address": address}, role)


def _row(key: str, named: Json, role: str) -> Json:
    inside = "address" not in named or str(named["address"]).endswith(f"@{DOMAIN}")
    return {
        "id": base64.b64encode(key.encode()).decode(),
        "isRemovable": "address" in named,
        "isInsideOrganization": inside,
        "role": role,
        "allowedRoles": [*_ALLOWED, *_DELEGATE] if inside and "address" in named else _ALLOWED,
        "emailAddress": named,
    }


ROUTES = tuple(
    Route(f"users/{{user}}/{calendar}/calendarPermissions", "ListCalendarPermissions", NEEDS, _permissions)
    for calendar in ("calendar", "calendars/{calendar}")
)
