"""Hold an inbox rule as Exchange means it: one word for each predicate and each action.

All conditions must hold, and none of the exceptions may. The strings of one condition are alternatives. Rules
act in the order of their places, on mail that arrives in the inbox.

Source:
    https://learn.microsoft.com/exchange/client-developer/exchange-web-services/inbox-management-and-ews-in-exchange
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

YES, NO = "true", "false"
"""The values of a predicate or an action that has no other."""


class Predicate(StrEnum):
    """Name what a condition or an exception asks of a mail, in the order in which a rule is said."""

    FROM = "from addresses"
    SENDER_HAS = "words in the sender's address"
    TO_ME = "sent to me"
    CC_ME = "sent to me as a copy"
    TO_OR_CC_ME = "sent to me directly or as a copy"
    ONLY_TO_ME = "sent only to me"
    NOT_TO_ME = "not sent to me"
    SENT_TO = "sent to addresses"
    RECIPIENT_HAS = "words in a recipient's address"
    SUBJECT_HAS = "words in the subject"
    SUBJECT_OR_BODY_HAS = "words in the subject or the text"
    BODY_HAS = "words in the text"
    HEADER_HAS = "words in the header"
    IMPORTANCE = "importance"
    SENSITIVITY = "sensitivity"
    ATTACHMENTS = "has attachments"
    SIZE = "size"
    DATES = "dates"
    AUTOMATIC_REPLY = "automatic reply"
    MEETING_REQUEST = "meeting request"
    MEETING_RESPONSE = "meeting response"
    NDR = "non-delivery report"
    READ_RECEIPT = "read receipt"
    SIGNED = "signed"
    ENCRYPTED = "encrypted"
    CATEGORIES = "categories"
    FLAGGED = "flagged for action"
    CONNECTED_ACCOUNTS = "received by a connected account"
    APPROVAL_REQUEST = "approval request"
    AUTOMATIC_FORWARD = "automatic forward"
    PERMISSION_CONTROLLED = "protected by rights"
    VOICEMAIL = "voice mail"
    ITEM_CLASSES = "item classes"
    CLASSIFICATIONS = "message classifications"
    UNKNOWN = "unknown to this version"


class Act(StrEnum):
    """Name what a rule does with a mail, in the order in which Sieve is to do it."""

    MARK_READ = "mark as read"
    CATEGORIES = "assign categories"
    IMPORTANCE = "set the importance"
    COPY = "copy to a folder"
    REDIRECT = "redirect"
    FORWARD = "forward"
    FORWARD_ATTACHED = "forward as an attachment"
    REPLY = "reply with a text"
    TEXT_MESSAGE = "send a text message to a phone"
    UNKNOWN = "unknown to this version"
    MOVE = "move to a folder"
    DELETE = "delete"
    PERMANENT_DELETE = "delete permanently"
    STOP = "stop processing more rules"


@dataclass(frozen=True, slots=True)
class Condition:
    """Ask one thing of a mail.

    Attributes:
        predicate: what is asked.
        values: strings or addresses that are alternatives, as the source wrote them; one lower-case word
            (an importance, a sensitivity, YES or NO); or the two ends of a range, "" for an open one: of
            sizes in KB, of moments as the source wrote them. Of other predicates nothing is read.
    """

    predicate: Predicate
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """Do one thing with a mail.

    Attributes:
        act: what is done. Nothing stands for an action that the source says is not done.
        values: addresses or categories; the id of a folder, or its distinguished name in lower case.
    """

    act: Act
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Describe one rule.

    Attributes:
        name: what its owner calls it.
        place: its place; the lowest acts first.
        enabled: True if it acts.
        conditions: what must all hold; none for every mail. In the order of Predicate.
        exceptions: what must not hold, none of it. In the order of Predicate.
        actions: what is done, in the order of Act.
        is_broken: True if Exchange says that the rule is in error, for example since its folder is gone.
        not_supported: True if the interface shows only a part of the rule, or may do so.
    """

    name: str
    place: int
    enabled: bool
    conditions: tuple[Condition, ...] = ()
    exceptions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    is_broken: bool = False
    not_supported: bool = False

    @property
    def may_stop(self) -> bool:
        """True if it keeps later rules from a mail, or may do so: what is deleted for good meets none."""
        stops = any(one.act in (Act.STOP, Act.PERMANENT_DELETE, Act.UNKNOWN) for one in self.actions)
        return self.enabled and not self.is_broken and (stops or self.not_supported)


_PREDICATES = list(Predicate)
_ACTS = list(Act)


def ordered_conditions(found: list[Condition]) -> tuple[Condition, ...]:
    """Return conditions in the order of Predicate."""
    return tuple(sorted(found, key=lambda one: _PREDICATES.index(one.predicate)))


def ordered_actions(found: list[Action]) -> tuple[Action, ...]:
    """Return actions in the order of Act."""
    return tuple(sorted(found, key=lambda one: _ACTS.index(one.act)))
