"""Group what a report says of losses, failures and rules into what concerns the person whose mailbox it is.

The words are in reports/templates/everyday_LANG.toml: a title, a sentence, and what the person can do, if
there is something. A loss that no person meets in daily work is a detail of appearance: pages count it and
do not describe it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mappings.losses.severity import Class, class_of
from model.kinds import Kind
from reports.data import Coded, Lost

CHANGES: Mapping[str, Mapping[str, str]] = {
    "private": {"sensitivity": "no-class not-marked privacy-of-occurrence"},
    "sharing-wider": {"share": "narrower-than-parent several-rights share-differs"},
    "sharing": {
        "share": "external group-unknown held-back link-password link-refused not-understood "
        "organisation-link other-rights person-later person-unknown refused unreadable"
    },
    "times": {
        "all-day": "not-at-midnight",
        "end": "before-start clock-change",
        "series": "hour-twice",
        "start": "not-in-series",
    },
    "single-days": {
        "deleted-occurrence": "not-told",
        "modified-occurrence": "not-in-series only-times-known twice",
    },
    "state": {"state": "shown-as-confirmed"},
    "silent-meetings": {"scheduling": "agent-client"},
    "organizer": {"organizer": "stays-behind unknown"},
    "guests": {"attendee": "guests-of-series not-in-shared-meeting not-kept too-many"},
    "guests-visible": {"attendee": "list-was-hidden"},
    "answers": {
        "attendee": "answer-of-occurrence answer-stays proposed-time unknown-answer",
        "own-answer": "differs-in-shared-meeting",
    },
    "own-part": {"shared-meeting": "own-part-not-kept"},
    "occurrence-alone": {"series": "occurrence-alone"},
    "series-end": {"series": "end-added"},
    "repeating-tasks": {"recurrence": "completed current-occurrence-only regenerates rule-not-kept"},
    "reminder": {"reminder": "first-occurrence-only impossible-time no-alarms no-time not-kept"},
    "attachment": {"attachment": "left-out not-kept not-readable refused-by-target too-large"},
    "text-cut": {
        "links": "too-long",
        "location": "shortened",
        "name": "shortened",
        "text": "shortened truncated",
        "title": "shortened",
    },
    "address": {
        "address": "no-address not-in-directory unknown-kind",
        "email": "no-internet-address not-taken unresolved-address",
        "members": "unresolved-address",
    },
    "photo": {"photo": "not-read too-large unknown-format"},
    "list": {"list": "name-and-members-only", "members": "not-linked"},
    "dates-missing": {
        "anniversary": "unreadable",
        "birthday": "unreadable",
        "due": "unreadable",
        "start": "unreadable",
    },
    "fields": {"free-busy": "not-kept", "other": "not-kept", "user-defined": "left-out"},
    "certificate": {"certificate": "left-out"},
    "follow-up": {
        "flags": "change-unreadable keyword-not-kept unknown-value",
        "follow-up": "no-flags",
    },
    "categories": {"categories": "keyword-not-kept not-kept too-many", "keywords": "limit-reached"},
    "task-people": {"assignment": "not-shown", "people": "not-kept"},
    "versions": {"versions": "left-behind not-kept unreadable"},
    "folder-name": {
        "folder-name": "refused-by-target rename-refused",
        "name": "flattened path-shortened taken truncated",
    },
    "folder-left": {"folder-name": "left-empty"},
    "file-name": {"file-name": "characters-replaced reserved taken truncated"},
    "message-rebuilt": {"body": "mime-rebuilt"},
    "one-calendar": {"name": "in-one-container"},
    "availability": {"show-as": "free-or-busy outlook-only unknown-value"},
    "place": {"location": "addresses-of-several coordinates-not-kept impossible-coordinates note-not-kept"},
    "picture-in-text": {"attachment": "not-in-text"},
    "text-plain": {"note": "formatting", "text": "formatting formatting-not-kept"},
    "task-steps": {"steps": "in-text"},
    "task-start": {"start": "after-due from-recurrence moved-to-due"},
    "task-status": {"status": "no-equivalent unknown-value"},
    "importance": {
        "importance": "keyword-not-kept no-equivalent unknown-value",
        "priority": "not-kept",
    },
    "done-flags": {"flags": "follow-up-completed"},
    "marks": {
        "forwarded": "keyword-not-kept",
        "last-verb": "no-equivalent",
        "receipt": "keyword-not-kept",
    },
    "date": {
        "date": "before-1970 in-the-future unknown",
        "modified": "before-1970 in-the-future not-kept unknown",
    },
    "copy": {"copy": "changed-before-check differs-at-source kept-otherwise unstable-at-source"},
}
"""What matters to a person, the most urgent first, and the losses that it stands for: reasons by field."""
DETAILS: Mapping[str, str] = {
    "attendee": "owner-added",
    "percent": "impossible",
    "phone": "unknown-kind",
    "recurrence": "day-apart over",
    "reminder": "already-done past",
    "sensitivity": "shown-as-private",
    "share": "expired",
    "time-zone": "hour-twice zone-of-series",
    "uid": "too-long",
}
"""Losses of a function that no person meets in daily work, in addition to the class "cosmetic"."""
OTHER = "other"
"""The concern of a loss that another version of Kogge recorded, and of a code that no table here names."""

REFUSALS: Mapping[str, str] = {
    "too-large": "too-large",
    "repetition": "date-out-of-range exception-without-origin occurrence-missing recurrence-not-kept "
    "start-missing unknown-recurrence unknown-time-zone",
    "lists": "groups-unsupported",
    "withheld": "blocked-by-source",
    "not-a-file": "not-a-file",
    "name-taken": "name-taken",
    "unreadable": "attachment-damaged body-missing corrupt-at-source hash-mismatch malformed-card "
    "malformed-record unknown-class unknown-format",
    "empty": "empty-message empty-series",
    "twin": "delivered-already duplicate-uid meeting-twice moved-at-source",
}
"""Why an item could not be moved, in the person's terms, and the codes that it stands for."""
STAYS: Mapping[str, str] = {
    "delegates": "delegates",
    "inbox-rules": "inbox-rules",
    "lists": "distribution-lists",
    "notes": "notes",
    "archive": "archive-mailbox",
    "in-trash": "deleted-folder",
    "elsewhere": "appointment-in-mail-folder contact-in-calendar contact-in-mail-folder mail-in-calendar "
    "not-a-contact not-a-note not-a-task not-an-appointment note-in-calendar sticky-note-in-mail-folder "
    "task-in-calendar task-in-mail-folder",
    "of-others": "groups public-folders shared shared-folder",
    "deep": "unreachable",
    "journal": "journal journal-entry journal-in-calendar journal-in-mail-folder",
    "views": "flagged-emails search-folder virtual-folder",
    "holds": "holds",
    "deleted": "recoverable-items",
    "other-kinds": "not-mail",
    "technical": "associated-item hidden no-select sync-issues system-folder",
}
"""What does not move by a rule, in the person's terms, and the codes that it stands for."""

_CONCERN = {
    (field, reason): concern
    for concern, fields in CHANGES.items()
    for field, reasons in fields.items()
    for reason in reasons.split()
}
_DETAIL = {(field, reason) for field, reasons in DETAILS.items() for reason in reasons.split()}
_REFUSAL = {code: group for group, codes in REFUSALS.items() for code in codes.split()}
_STAY = {code: group for group, codes in STAYS.items() for code in codes.split()}


def concern_of(field: str, reason: str) -> str | None:
    """Return which of CHANGES a loss belongs to, OTHER for an undeclared one, None for a mere detail."""
    known = _CONCERN.get((field, reason))
    if known is not None:
        return known
    detail = (field, reason) in _DETAIL or class_of(field, reason) is Class.COSMETIC
    return None if detail else OTHER


@dataclass(frozen=True, slots=True)
class Concern:
    """Hold what one everyday sentence is about.

    Attributes:
        name: of CHANGES, REFUSALS or STAYS, or OTHER.
        workloads: the kinds of items.
        items: how many items; folders: how many folders.
        at_most: whether an item may be counted more than once, as several losses were added up.
    """

    name: str
    workloads: tuple[Kind, ...]
    items: int
    folders: int = 0
    at_most: bool = False


def changes(losses: Iterable[Lost]) -> list[Concern]:
    """Return the losses that matter to a person, added up by concern, the most urgent first."""
    groups: dict[str, list[Lost]] = {}
    for one in losses:
        concern = concern_of(one.field, one.reason)
        if concern is not None:
            groups.setdefault(concern, []).append(one)
    return [_change(name, groups[name]) for name in (*CHANGES, OTHER) if name in groups]


def _change(name: str, own: Sequence[Lost]) -> Concern:
    items = [one for one in own if not one.folders]
    return Concern(
        name,
        _kinds(own),
        sum(one.items for one in items),
        sum(one.items for one in own if one.folders),
        len(items) > len({one.workload for one in items}),
    )


def details(losses: Iterable[Lost]) -> int:
    """Return how many details of appearance changed."""
    return sum(one.items for one in losses if concern_of(one.field, one.reason) is None)


def refusals(failures: Iterable[Coded]) -> list[Concern]:
    """Return the items that could not be moved, added up by the words for a person."""
    return _coded(failures, _REFUSAL, (*REFUSALS, OTHER))


def stays(left: Iterable[Coded]) -> list[Concern]:
    """Return what does not move by a rule, added up by the words for a person."""
    return _coded(left, _STAY, (*STAYS, OTHER))


def refusal_of(code: str) -> str:
    """Return which of REFUSALS a code belongs to, or OTHER."""
    return _REFUSAL.get(code, OTHER)


def stay_of(code: str) -> str:
    """Return which of STAYS a code belongs to, or OTHER."""
    return _STAY.get(code, OTHER)


def _coded(found: Iterable[Coded], table: Mapping[str, str], order: Sequence[str]) -> list[Concern]:
    groups: dict[str, list[Coded]] = {}
    for one in found:
        groups.setdefault(table.get(one.code, OTHER), []).append(one)
    return [
        Concern(name, _kinds(groups[name]), sum(one.items for one in groups[name]))
        for name in order
        if name in groups
    ]


def _kinds(own: Sequence[Lost] | Sequence[Coded]) -> tuple[Kind, ...]:
    present = {one.workload for one in own}
    return tuple(kind for kind in Kind if kind in present)
