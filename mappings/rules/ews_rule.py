"""Read a rule from the element <t:Rule> that EWS answers to GetInboxRules.

Source:
    https://learn.microsoft.com/exchange/client-developer/web-service-reference/getinboxrules-operation,
    types.xsd (RuleType, RulePredicatesType, RuleActionsType)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mappings.fields.ews_xml import Element, child, flag, kind, number, text
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

Read = Callable[[Element], tuple[str, ...]]


def _strings(element: Element) -> tuple[str, ...]:
    return tuple(one.text or "" for one in element.iterchildren("*"))


def _addresses(element: Element) -> tuple[str, ...]:
    return tuple(text(one, "t:EmailAddress") for one in element.iterchildren("*"))


def _flag(element: Element) -> tuple[str, ...]:
    return (YES if (element.text or "").strip().lower() in {"true", "1"} else NO,)


def _word(element: Element) -> tuple[str, ...]:
    return ((element.text or "").strip().lower(),)


def _sizes(element: Element) -> tuple[str, ...]:
    return text(element, "t:MinimumSize").strip(), text(element, "t:MaximumSize").strip()


def _dates(element: Element) -> tuple[str, ...]:
    return text(element, "t:StartDateTime").strip(), text(element, "t:EndDateTime").strip()


def _nothing(_: Element) -> tuple[str, ...]:
    return ()


def _folder(element: Element) -> tuple[str, ...]:
    """Return the id of a folder, or its distinguished name; "" for a folder of another mailbox."""
    by_name = child(element, "t:DistinguishedFolderId")
    if by_name is not None:
        return ("" if child(by_name, "t:Mailbox") is not None else by_name.get("Id", "").lower(),)
    by_id = child(element, "t:FolderId")
    return ("" if by_id is None else by_id.get("Id", ""),)


PREDICATES: Mapping[str, tuple[Predicate, Read]] = {
    "Categories": (Predicate.CATEGORIES, _nothing),
    "ContainsBodyStrings": (Predicate.BODY_HAS, _strings),
    "ContainsHeaderStrings": (Predicate.HEADER_HAS, _strings),
    "ContainsRecipientStrings": (Predicate.RECIPIENT_HAS, _strings),
    "ContainsSenderStrings": (Predicate.SENDER_HAS, _strings),
    "ContainsSubjectOrBodyStrings": (Predicate.SUBJECT_OR_BODY_HAS, _strings),
    "ContainsSubjectStrings": (Predicate.SUBJECT_HAS, _strings),
    "FlaggedForAction": (Predicate.FLAGGED, _nothing),
    "FromAddresses": (Predicate.FROM, _addresses),
    "FromConnectedAccounts": (Predicate.CONNECTED_ACCOUNTS, _nothing),
    "HasAttachments": (Predicate.ATTACHMENTS, _flag),
    "Importance": (Predicate.IMPORTANCE, _word),
    "IsApprovalRequest": (Predicate.APPROVAL_REQUEST, _nothing),
    "IsAutomaticForward": (Predicate.AUTOMATIC_FORWARD, _nothing),
    "IsAutomaticReply": (Predicate.AUTOMATIC_REPLY, _flag),
    "IsEncrypted": (Predicate.ENCRYPTED, _flag),
    "IsMeetingRequest": (Predicate.MEETING_REQUEST, _flag),
    "IsMeetingResponse": (Predicate.MEETING_RESPONSE, _flag),
    "IsNDR": (Predicate.NDR, _flag),
    "IsPermissionControlled": (Predicate.PERMISSION_CONTROLLED, _nothing),
    "IsReadReceipt": (Predicate.READ_RECEIPT, _flag),
    "IsSigned": (Predicate.SIGNED, _flag),
    "IsVoicemail": (Predicate.VOICEMAIL, _nothing),
    "ItemClasses": (Predicate.ITEM_CLASSES, _nothing),
    "MessageClassifications": (Predicate.CLASSIFICATIONS, _nothing),
    "NotSentToMe": (Predicate.NOT_TO_ME, _flag),
    "SentCcMe": (Predicate.CC_ME, _flag),
    "SentOnlyToMe": (Predicate.ONLY_TO_ME, _flag),
    "SentToAddresses": (Predicate.SENT_TO, _addresses),
    "SentToMe": (Predicate.TO_ME, _flag),
    "SentToOrCcMe": (Predicate.TO_OR_CC_ME, _flag),
    "Sensitivity": (Predicate.SENSITIVITY, _word),
    "WithinDateRange": (Predicate.DATES, _dates),
    "WithinSizeRange": (Predicate.SIZE, _sizes),
}
"""The elements of RulePredicatesType."""

ACTIONS: Mapping[str, tuple[Act, Read]] = {
    "AssignCategories": (Act.CATEGORIES, _strings),
    "CopyToFolder": (Act.COPY, _folder),
    "Delete": (Act.DELETE, _flag),
    "ForwardAsAttachmentToRecipients": (Act.FORWARD_ATTACHED, _addresses),
    "ForwardToRecipients": (Act.FORWARD, _addresses),
    "MarkImportance": (Act.IMPORTANCE, _nothing),
    "MarkAsRead": (Act.MARK_READ, _flag),
    "MoveToFolder": (Act.MOVE, _folder),
    "PermanentDelete": (Act.PERMANENT_DELETE, _flag),
    "RedirectToRecipients": (Act.REDIRECT, _addresses),
    "SendSMSAlertToRecipients": (Act.TEXT_MESSAGE, _nothing),
    "ServerReplyWithMessage": (Act.REPLY, _nothing),
    "StopProcessingRules": (Act.STOP, _flag),
}
"""The elements of RuleActionsType."""


def ews_rule(element: Element) -> Rule:
    """Return the rule of an element <t:Rule>.

    Raises:
        Rejected: "malformed-record" if the rule has no place among the others.
    """
    place = number(element, "t:Priority")
    if place is None:
        raise Rejected("malformed-record", "the rule has no priority")
    return Rule(
        name=text(element, "t:DisplayName"),
        place=place,
        enabled=flag(element, "t:IsEnabled"),
        conditions=_conditions(child(element, "t:Conditions")),
        exceptions=_conditions(child(element, "t:Exceptions")),
        actions=_actions(child(element, "t:Actions")),
        is_broken=flag(element, "t:IsInError"),
        not_supported=flag(element, "t:IsNotSupported"),
    )


def _conditions(holder: Element | None) -> tuple[Condition, ...]:
    found = []
    for element in [] if holder is None else holder.iterchildren("*"):
        predicate, read = PREDICATES.get(kind(element), (Predicate.UNKNOWN, _nothing))
        found.append(Condition(predicate, read(element)))
    return ordered_conditions(found)


def _actions(holder: Element | None) -> tuple[Action, ...]:
    found = []
    for element in [] if holder is None else holder.iterchildren("*"):
        act, read = ACTIONS.get(kind(element), (Act.UNKNOWN, _nothing))
        values = read(element)
        is_empty = read in (_strings, _addresses) and not values
        if values != (NO,) and not is_empty:
            found.append(Action(act, () if values == (YES,) else values))
    return ordered_actions(found)
