"""Read a rule from an object of messageRules in Microsoft Graph.

Source:
    https://learn.microsoft.com/graph/api/resources/messagerule, messagerulepredicates, messageruleactions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mappings.exchange.graph_json import Json, inner, said, values
from mappings.rules.rule import (
    NO,
    YES,
    Act,
    Action,
    Condition,
    Predicate,
    Rule,
    ordered_actions,
    ordered_conditions,
)
from model.errors import Rejected

Read = Callable[[object], tuple[str, ...]]


def _strings(value: object) -> tuple[str, ...]:
    return tuple(said(one) for one in values(value))


def _addresses(value: object) -> tuple[str, ...]:
    return tuple(said(inner(inner(one).get("emailAddress")).get("address")) for one in values(value))


def _flag(value: object) -> tuple[str, ...]:
    return (YES if value is True else NO,)


def _word(value: object) -> tuple[str, ...]:
    return (said(value).lower(),)


def _sizes(value: object) -> tuple[str, ...]:
    ends = (inner(value).get(name) for name in ("minimumSize", "maximumSize"))
    return tuple("" if one is None else str(one) for one in ends)


def _nothing(_: object) -> tuple[str, ...]:
    return ()


def _folder(value: object) -> tuple[str, ...]:
    return (said(value),)


PREDICATES: Mapping[str, tuple[Predicate, Read]] = {
    "bodyContains": (Predicate.BODY_HAS, _strings),
    "bodyOrSubjectContains": (Predicate.SUBJECT_OR_BODY_HAS, _strings),
    "categories": (Predicate.CATEGORIES, _nothing),
    "fromAddresses": (Predicate.FROM, _addresses),
    "hasAttachments": (Predicate.ATTACHMENTS, _flag),
    "headerContains": (Predicate.HEADER_HAS, _strings),
    "importance": (Predicate.IMPORTANCE, _word),
    "isApprovalRequest": (Predicate.APPROVAL_REQUEST, _nothing),
    "isAutomaticForward": (Predicate.AUTOMATIC_FORWARD, _nothing),
    "isAutomaticReply": (Predicate.AUTOMATIC_REPLY, _flag),
    "isEncrypted": (Predicate.ENCRYPTED, _flag),
    "isMeetingRequest": (Predicate.MEETING_REQUEST, _flag),
    "isMeetingResponse": (Predicate.MEETING_RESPONSE, _flag),
    "isNonDeliveryReport": (Predicate.NDR, _flag),
    "isPermissionControlled": (Predicate.PERMISSION_CONTROLLED, _nothing),
    "isReadReceipt": (Predicate.READ_RECEIPT, _flag),
    "isSigned": (Predicate.SIGNED, _flag),
    "isVoicemail": (Predicate.VOICEMAIL, _nothing),
    "messageActionFlag": (Predicate.FLAGGED, _nothing),
    "notSentToMe": (Predicate.NOT_TO_ME, _flag),
    "recipientContains": (Predicate.RECIPIENT_HAS, _strings),
    "senderContains": (Predicate.SENDER_HAS, _strings),
    "sensitivity": (Predicate.SENSITIVITY, _word),
    "sentCcMe": (Predicate.CC_ME, _flag),
    "sentOnlyToMe": (Predicate.ONLY_TO_ME, _flag),
    "sentToAddresses": (Predicate.SENT_TO, _addresses),
    "sentToMe": (Predicate.TO_ME, _flag),
    "sentToOrCcMe": (Predicate.TO_OR_CC_ME, _flag),
    "subjectContains": (Predicate.SUBJECT_HAS, _strings),
    "withinSizeRange": (Predicate.SIZE, _sizes),
}
"""The properties of messageRulePredicates."""

ACTIONS: Mapping[str, tuple[Act, Read]] = {
    "assignCategories": (Act.CATEGORIES, _strings),
    "copyToFolder": (Act.COPY, _folder),
    "delete": (Act.DELETE, _flag),
    "forwardAsAttachmentTo": (Act.FORWARD_ATTACHED, _addresses),
    "forwardTo": (Act.FORWARD, _addresses),
    "markAsRead": (Act.MARK_READ, _flag),
    "markImportance": (Act.IMPORTANCE, _nothing),
    "moveToFolder": (Act.MOVE, _folder),
    "permanentDelete": (Act.PERMANENT_DELETE, _flag),
    "redirectTo": (Act.REDIRECT, _addresses),
    "stopProcessingRules": (Act.STOP, _flag),
}
"""The properties of messageRuleActions."""


def graph_rule(item: Json) -> Rule:
    """Return the rule of an object of messageRules.

    A read-only rule is one that the interface cannot change, since it does not know all of it.

    Raises:
        Rejected: "malformed-record" if the rule has no place among the others.
    """
    place = item.get("sequence")
    if not isinstance(place, int) or isinstance(place, bool):
        raise Rejected("malformed-record", "the rule has no sequence")
    return Rule(
        name=said(item.get("displayName")),
        place=place,
        enabled=item.get("isEnabled") is True,
        conditions=_conditions(item.get("conditions")),
        exceptions=_conditions(item.get("exceptions")),
        actions=_actions(item.get("actions")),
        is_broken=item.get("hasError") is True,
        not_supported=item.get("isReadOnly") is True,
    )


def _conditions(value: object) -> tuple[Condition, ...]:
    found = []
    for name, asked in _set(value):
        predicate, read = PREDICATES.get(name, (Predicate.UNKNOWN, _nothing))
        found.append(Condition(predicate, read(asked)))
    return ordered_conditions(found)


def _actions(value: object) -> tuple[Action, ...]:
    found = []
    for name, asked in _set(value):
        act, read = ACTIONS.get(name, (Act.UNKNOWN, _nothing))
        done = read(asked)
        is_empty = read in (_strings, _addresses) and not done
        if done != (NO,) and not is_empty:
            found.append(Action(act, () if done == (YES,) else done))
    return ordered_actions(found)


def _set(value: object) -> list[tuple[str, object]]:
    """Return what is set in an object; a property that is null is not, and annotations are none."""
    return [(name, one) for name, one in inner(value).items() if one is not None and "@" not in name]
