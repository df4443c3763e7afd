"""What belongs to a mailbox and is no item: settings, categories, rules, groups, who may see a calendar, and
the owner's picture.
"""

from __future__ import annotations

import base64
import io
import uuid

from practice.contacts.groups import PUBLIC_LISTS, public_members
from practice.contacts.photos import portrait
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.errors import GraphError, no_such_object
from practice.graph.query import paged
from practice.graph.users import find_user
from practice.graph.wire import Json, rest_id, streamed
from practice.graph_items.calendar import calendar_of
from practice.graph_items.zones import written
from practice.harness.dice import digest
from practice.world.categories import CATEGORIES, category_id
from practice.world.folders import Grant
from practice.world.mailbox import NOW
from practice.world.people import DOMAIN, Person

_SETTINGS = frozenset({"MailboxSettings.Read"})
_PERSON = frozenset({"User.Read.All"})
_GROUPS = frozenset({"GroupMember.Read.All", "Directory.Read.All"})
_CALENDARS = frozenset({"Calendars.Read"})
_LOCALES = {"de": "de-DE", "fr": "fr-FR", "en": "en-GB"}
_ZONES = {"de": "W. Europe Standard Time", "fr": "Romance Standard Time", "en": "GMT Standard Time"}
_ROLES = {"Reviewer": "read", "Editor": "write", "Author": "write", "FreeBusyTimeOnly": "freeBusyRead"}
_TEAM = "team"
_PRESETS = range(25)
_PAGE = 100
_SIDES = (48, 64, 96, 120, 240, 360, 432, 504, 648)


def _settings(context: Context) -> Reply:
    owner = context.box.owner
    away = owner.index % 5 == 4
    text = "Ich bin nicht im Büro." if away else ""
    return context.say(
        {
            "@odata.context": f"{context.ask.base}/$metadata#users/mailboxSettings",
            "archiveFolder": rest_id(context.box.distinguished("archive").id),
            "automaticRepliesSetting": {
                "status": "alwaysEnabled" if away else "disabled",
                "externalAudience": "all" if away else "none",
                "scheduledStartDateTime": written(NOW.replace(tzinfo=None), "UTC"),
                "scheduledEndDateTime": written(NOW.replace(tzinfo=None), "UTC"),
                "internalReplyMessage": text,
                "externalReplyMessage": text,
            },
            "timeZone": _ZONES[owner.locale],
            "language": {"locale": _LOCALES[owner.locale], "displayName": _LOCALES[owner.locale]},
            "userPurpose": "user",
        }
    )


def _categories(context: Context) -> Reply:
    rows: list[Json] = [
        {
            "id": category_id(context.box, name).lower(),
            "displayName": name,
            "color": f"preset{colour}" if colour in _PRESETS else "none",
        }
        for name, colour in CATEGORIES
    ]
    return context.say(paged(context.ask, rows, context.query, _PAGE))


def _rules(context: Context) -> Reply:
    """The rule that every second mailbox has."""
    rows: list[Json] = []
    if context.box.owner.index % 2 == 0:
        target = rest_id(context.box.distinguished("deleteditems").id)
        rows.append(
            {
                "id": "dCsAAABjzvA=",
                "displayName": "Rundschreiben",
                "sequence": 1,
                "isEnabled": True,
                "hasError": False,
                "isReadOnly": False,
                "conditions": {"subjectContains": ["Rundschreiben"]},
                "actions": {"moveToFolder": target},
            }
        )
    return context.say(paged(context.ask, rows, context.query, _PAGE))


def _groups(context: Context) -> Reply:
    """The lists the user is on, and of every second user a Microsoft 365 group. An app that may not read
    groups is told that they are there, and nothing of them."""
    person = _person(context)
    people = context.world.people
    names = [name for name in PUBLIC_LISTS if person in (public_members(people, f"{name}@{DOMAIN}") or ())]
    names += [_TEAM] if person.index % 2 == 0 else []
    rows = [_group(context, name) for name in names]
    if not context.app.may(_GROUPS, None):
        rows = [row | dict.fromkeys(row.keys() - {"@odata.type", "id"}) for row in rows]
    return context.say(paged(context.ask, rows, context.query, _PAGE))


def _group(context: Context, name: str) -> Json:
    return {
        "@odata.type": "#microsoft.graph.group",
        "id": str(uuid.UUID(bytes=digest(context.world.seed, "group", name), version=4)),
        "displayName": name.title(),
        "groupTypes": ["Unified"] if name == _TEAM else [],
        "mail": f"{name}@{DOMAIN}",
        "mailEnabled": True,
        "securityEnabled": False,
    }


def _person(context: Context) -> Person:
    try:
        return find_user(context.world.people, context.names["user"])
    except KeyError:
        raise no_such_object(context.names["user"]) from None


def _photo(context: Context) -> Reply:
    """In one of the sizes there are; every fifth person has none."""
    size = context.names.get("size", "240x240").lower().partition("x")[0]
    picture = None
    if size.isdigit() and int(size) in _SIDES:
        picture = portrait(context.world.seed, _person(context).index, int(size))
    if picture is None:
        raise GraphError(404, "ImageNotFound", "Exception of type 'ImageNotFoundException' was thrown.")
    return streamed(io.BytesIO(picture), "image/jpeg")


def _permissions(context: Context) -> Reply:
    folder = calendar_of(context)
    rows = [_permission("My Organization", "", "freeBusyRead" if folder.grants else "none", removable=False)]
    rows += [_granted(grant) for grant in folder.grants]
    return context.say(paged(context.ask, rows, context.query, _PAGE))


def _granted(grant: Grant) -> Json:
    return _permission(grant.name, grant.address, _ROLES.get(grant.level, "custom"), removable=True)


def _permission(name: str, address: str, role: str, *, removable: bool) -> Json:
    who: Json = {"name": name}
    return {
        "id": base64.b64encode((address or "Default").encode()).decode(),
        "isRemovable": removable,
        "isInsideOrganization": True,
        "role": role,
        "allowedRoles": ["none", "freeBusyRead", "limitedRead", "read", "write"],
        "emailAddress": who | {"address": address} if address else who,
    }


_USER = "users/{user}"
ROUTES = (
    Route(f"{_USER}/mailboxSettings", "GetSettings", _SETTINGS, _settings),
    Route(f"{_USER}/outlook/masterCategories", "ListCategories", _SETTINGS, _categories),
    Route(f"{_USER}/mailFolders/inbox/messageRules", "ListRules", _SETTINGS, _rules),
    Route(f"{_USER}/memberOf", "ListGroups", _PERSON, _groups, directory=True),
    Route(f"{_USER}/memberOf/microsoft.graph.group", "ListGroups", _PERSON, _groups, directory=True),
    Route(f"{_USER}/photo/$value", "ReadPhoto", _PERSON, _photo, directory=True),
    Route(f"{_USER}/photos/{{size}}/$value", "ReadPhoto", _PERSON, _photo, directory=True),
    Route(f"{_USER}/calendar/calendarPermissions", "ListPermissions", _CALENDARS, _permissions),
    Route(f"{_USER}/calendars/{{calendar}}/calendarPermissions", "ListPermissions", _CALENDARS, _permissions),
)
