"""Answer what belongs to a mailbox and is no item: rules, settings, and the groups that its owner is in."""

from __future__ import annotations

import uuid
from typing import Any

from practice.contacts.groups import PUBLIC_LISTS, public_members
from practice.exchange.wire import Reply
from practice.graph.context import Context, Route
from practice.graph.errors import no_such_object
from practice.graph.query import paged
from practice.graph.users import find_user
from practice.graph.wire import Json, rest_id
from practice.harness.dice import digest
from practice.world.hours import ZONE, graph_hours
from practice.world.people import DOMAIN, Person
from practice.world.replies import graph_reply
from practice.world.rules import graph_rules

_SETTINGS = frozenset({"MailboxSettings.Read"})
_PERSON = frozenset({"User.Read.All"})
_GROUPS = frozenset({"GroupMember.Read.All", "Directory.Read.All"})
_TEAM = "team"
_PAGE = 100


def _rules(context: Context) -> Reply:
    """Answer with the rules that every second mailbox has."""
    rows = [_with_rest_ids(row) for row in graph_rules(context.box)]
    return context.say(paged(context.ask, rows, context.query, _PAGE))


def _reply(context: Context) -> Reply:
    """Answer with the automatic reply of a user."""
    return context.say(graph_reply(_person(context)))


def _mailbox_settings(context: Context) -> Reply:
    """Answer with all settings of a user."""
    person = _person(context)
    return context.say(
        {
            "automaticRepliesSetting": graph_reply(person),
            "timeZone": ZONE,
            "language": {"locale": "de-DE", "displayName": "Deutsch (Deutschland)"},
            "workingHours": graph_hours(person),
            "dateFormat": "dd.MM.yyyy",
            "timeFormat": "HH:mm",
            "userPurpose": "user",
        }
    )


def _with_rest_ids(rule: dict[str, Any]) -> Json:
    actions = {
        name: rest_id(value) if name.endswith("ToFolder") else value
        for name, value in rule["actions"].items()
    }
    return rule | {"actions": actions}


def _groups(context: Context) -> Reply:
    """Answer with the lists of a user, and for every second user a Microsoft 365 group.

    An app that may not read groups sees that they exist, and nothing of them.
    """
    person = _person(context)
    people = context.world.people
    names = [name for name in PUBLIC_LISTS if person in (public_members(people, f"{name}@{DOMAIN}") or ())]
    names += [_TEAM] if person.index % 2 == 0 else []
    rows = [_group(context, name) for name in names]
    if not context.app.may(_GROUPS, None):
        rows = [_hidden(row) for row in rows]
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


def _hidden(group: Json) -> Json:
    """Return what is shown of a group that may not be read. A list is never null."""
    shown: Json = {name: [] if isinstance(value, list) else None for name, value in group.items()}
    return shown | {name: group[name] for name in ("@odata.type", "id")}


def _person(context: Context) -> Person:
    try:
        return find_user(context.world.people, context.names["user"])
    except KeyError:
        raise no_such_object(context.names["user"]) from None


_USER = "users/{user}"
ROUTES = (
    Route(f"{_USER}/mailFolders/inbox/messageRules", "ListRules", _SETTINGS, _rules),
    Route(f"{_USER}/mailboxSettings/automaticRepliesSetting", "GetMailboxSettings", _SETTINGS, _reply),
    Route(f"{_USER}/mailboxSettings", "GetMailboxSettings", _SETTINGS, _mailbox_settings),
    Route(f"{_USER}/memberOf", "ListGroups", _PERSON, _groups, directory=True),
    Route(f"{_USER}/memberOf/microsoft.graph.group", "ListGroups", _PERSON, _groups, directory=True),
)
