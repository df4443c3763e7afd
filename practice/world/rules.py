"""Hold the inbox rules of every second mailbox: in Graph's words, and in EWS's elements made of them.

They are plain ones, ones that Sieve has no words for, one that is switched off, one that is in error, one
that no interface may change, and one that sends mail out of the organisation.

Source:
    https://learn.microsoft.com/graph/api/resources/messagerule
    types.xsd (RuleType): the order of the elements
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from practice.world.mailbox import Mailbox

Value = bool | str | list[str] | dict[str, int]
Said = dict[str, Value]


@dataclass(frozen=True, slots=True)
class InboxRule:
    """Describe a rule in Graph's words.

    Attributes:
        name: what its owner calls it.
        conditions, exceptions, actions: by Graph's names; a folder by its distinguished name, an address as
            a text.
        enabled, broken, hidden: isEnabled, hasError, isReadOnly.
    """

    name: str
    conditions: Said
    actions: Said
    exceptions: Said = field(default_factory=dict)
    enabled: bool = True
    broken: bool = False
    hidden: bool = False


RULES = (
    InboxRule("Rundschreiben", {"subjectContains": ["Rundschreiben"]}, {"moveToFolder": "deleteditems"}),
    InboxRule(
        "Überfällig",
        {"subjectContains": ["überfällig", "Mahnung"], "importance": "high"},
        {"copyToFolder": "archive", "markAsRead": True, "stopProcessingRules": True},
        {"fromAddresses": ["kasse@example.org"]},
    ),
    InboxRule(
        'Große "Anhänge"',
        {"hasAttachments": True, "withinSizeRange": {"minimumSize": 2000, "maximumSize": 20000}},
        {"moveToFolder": "archive"},
    ),
    InboxRule("Nur an mich", {"sentOnlyToMe": True}, {"assignCategories": ["Wichtig"]}),
    InboxRule("Sprachnachrichten", {"isVoicemail": True}, {"moveToFolder": "archive"}),
    InboxRule("Nach Hause", {"senderContains": ["chef@"]}, {"redirectTo": ["privat@example.net"]}),
    InboxRule("Ausgeschaltet", {"bodyContains": ["Umfrage"]}, {"delete": True}, enabled=False),
    InboxRule("Kaputt", {"subjectContains": ["alt"]}, {"moveToFolder": "drafts"}, broken=True),
    InboxRule("Nur in Outlook", {"subjectContains": ["druck"]}, {"markAsRead": True}, hidden=True),
)
IDS = [f"dCsAAABjzv{letter}=" for letter in "ABCDEFGHI"]
_PEOPLE = frozenset({"fromAddresses", "sentToAddresses", "redirectTo", "forwardTo"})
_FOLDERS = frozenset({"moveToFolder", "copyToFolder"})

PREDICATES: Mapping[str, str] = {
    "bodyContains": "ContainsBodyStrings",
    "senderContains": "ContainsSenderStrings",
    "subjectContains": "ContainsSubjectStrings",
    "fromAddresses": "FromAddresses",
    "hasAttachments": "HasAttachments",
    "importance": "Importance",
    "isVoicemail": "IsVoicemail",
    "sentOnlyToMe": "SentOnlyToMe",
    "withinSizeRange": "WithinSizeRange",
}
"""What EWS calls a condition, in the order of the schema."""
ACTIONS: Mapping[str, str] = {
    "assignCategories": "AssignCategories",
    "copyToFolder": "CopyToFolder",
    "delete": "Delete",
    "markAsRead": "MarkAsRead",
    "moveToFolder": "MoveToFolder",
    "redirectTo": "RedirectToRecipients",
    "stopProcessingRules": "StopProcessingRules",
}


def has_rules(mailbox: Mailbox) -> bool:
    """Return True for every second mailbox."""
    return mailbox.owner.index % 2 == 0


def graph_rules(mailbox: Mailbox) -> Iterator[dict[str, Any]]:
    """Yield the rules as Graph states them; a folder by its id."""
    for place, (id_, rule) in enumerate(zip(IDS, RULES, strict=True) if has_rules(mailbox) else (), start=1):
        row: dict[str, Any] = {
            "id": id_,
            "displayName": rule.name,
            "sequence": place,
            "isEnabled": rule.enabled,
            "hasError": rule.broken,
            "isReadOnly": rule.hidden,
            "conditions": {name: _stated(name, value, mailbox) for name, value in rule.conditions.items()},
            "actions": {name: _stated(name, value, mailbox) for name, value in rule.actions.items()},
        }
        if rule.exceptions:
            exceptions = rule.exceptions.items()
            row["exceptions"] = {name: _stated(name, value, mailbox) for name, value in exceptions}
        yield row


def _stated(name: str, value: Value, mailbox: Mailbox) -> object:
    if name in _FOLDERS:
        return mailbox.distinguished(str(value)).id
    if name in _PEOPLE and isinstance(value, list):
        return [{"emailAddress": {"address": address}} for address in value]
    return value


def ews_rules(mailbox: Mailbox) -> str:
    """Return the element <m:InboxRules>."""
    rules = list(zip(IDS, RULES, strict=True)) if has_rules(mailbox) else []
    elements = [_element(place, *one, mailbox) for place, one in enumerate(rules, start=1)]
    return f"<m:InboxRules>{''.join(elements)}</m:InboxRules>"


def _element(place: int, id_: str, rule: InboxRule, mailbox: Mailbox) -> str:
    parts = [
        f"<t:RuleId>{id_}</t:RuleId><t:DisplayName>{escape(rule.name)}</t:DisplayName>",
        f"<t:Priority>{place}</t:Priority><t:IsEnabled>{_bool(rule.enabled)}</t:IsEnabled>",
        "<t:IsNotSupported>true</t:IsNotSupported>" if rule.hidden else "",
        "<t:IsInError>true</t:IsInError>" if rule.broken else "",
        _all("Conditions", rule.conditions, PREDICATES, mailbox),
        _all("Exceptions", rule.exceptions, PREDICATES, mailbox) if rule.exceptions else "",
        _all("Actions", rule.actions, ACTIONS, mailbox),
    ]
    return f"<t:Rule>{''.join(parts)}</t:Rule>"


def _all(tag: str, said: Said, names: Mapping[str, str], mailbox: Mailbox) -> str:
    own = "".join(
        f"<t:{element}>{_value(name, said[name], mailbox)}</t:{element}>"
        for name, element in names.items()
        if name in said
    )
    return f"<t:{tag}>{own}</t:{tag}>"


def _value(name: str, value: Value, mailbox: Mailbox) -> str:
    if name in _FOLDERS:
        folder = mailbox.distinguished(str(value))
        return f'<t:FolderId Id="{folder.id}" ChangeKey="{folder.change_key}"/>'
    if isinstance(value, bool):
        return _bool(value)
    if isinstance(value, dict):
        sizes = ((f"{key[0].upper()}{key[1:]}", number) for key, number in value.items())
        return "".join(f"<t:{tag}>{number}</t:{tag}>" for tag, number in sizes)
    if isinstance(value, list) and name in _PEOPLE:
        found = (f"<t:EmailAddress>{escape(one)}</t:EmailAddress>" for one in value)
        return "".join(f"<t:Address>{one}</t:Address>" for one in found)
    if isinstance(value, list):
        return "".join(f"<t:String>{escape(one)}</t:String>" for one in value)
    return escape(value.capitalize())


def _bool(value: bool) -> str:
    return "true" if value else "false"
