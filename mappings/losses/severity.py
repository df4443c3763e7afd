"""Define how much each declared loss matters: one table, for the score of a cutover and for people.

    content     something that somebody wrote or was sent is missing, or says something else
    functional  all of it is there, and something about it works otherwise: a flag, a reminder, a right
    cosmetic    only how it looks or is spelt, or what meant nothing

A kind's table (mappings/losses/mail.py, ...) says what is lost. A loss of several kinds is of one class.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Class(StrEnum):
    """Name a class of losses; see the module."""

    CONTENT = "content"
    FUNCTIONAL = "functional"
    COSMETIC = "cosmetic"


FIELDS: Mapping[Class, Mapping[str, str]] = {
    Class.CONTENT: {
        "address": "no-address not-in-directory unknown-kind",
        "anniversary": "unreadable",
        "assignment": "not-shown",
        "attachment": "left-out not-kept not-readable refused-by-target too-large",
        "attendee": "not-in-shared-meeting not-kept proposed-time too-many unknown-answer",
        "birthday": "unreadable",
        "body": "mime-rebuilt",
        "copy": "changed-before-check differs-at-source kept-otherwise",
        "deleted-occurrence": "not-told",
        "due": "unreadable",
        "email": "no-internet-address not-taken unresolved-address",
        "end": "clock-change",
        "links": "too-long",
        "list": "name-and-members-only",
        "location": "addresses-of-several coordinates-not-kept note-not-kept shortened",
        "members": "unresolved-address",
        "modified-occurrence": "only-times-known twice",
        "name": "shortened",
        "other": "not-kept",
        "people": "not-kept",
        "photo": "not-read too-large unknown-format",
        "recurrence": "current-occurrence-only regenerates",
        "series": "hour-twice",
        "start": "moved-to-due unreadable",
        "text": "shortened truncated",
        "title": "shortened",
        "user-defined": "left-out",
    },
    Class.FUNCTIONAL: {
        "all-day": "not-at-midnight",
        "attachment": "not-in-text",
        "attendee": "answer-of-occurrence answer-stays guests-of-series list-was-hidden owner-added",
        "categories": "keyword-not-kept not-kept too-many",
        "certificate": "left-out",
        "copy": "unstable-at-source",
        "date": "before-1970 in-the-future unknown",
        "end": "before-start",
        "file-name": "characters-replaced reserved taken truncated",
        "flags": "change-unreadable follow-up-completed keyword-not-kept unknown-value",
        "folder-name": "left-empty refused-by-target rename-refused",
        "follow-up": "no-flags",
        "free-busy": "not-kept",
        "forwarded": "keyword-not-kept",
        "importance": "keyword-not-kept no-equivalent unknown-value",
        "keywords": "limit-reached",
        "last-verb": "no-equivalent",
        "location": "impossible-coordinates",
        "members": "not-linked",
        "modified": "before-1970 in-the-future not-kept unknown",
        "modified-occurrence": "not-in-series",
        "name": "flattened in-one-container path-shortened taken truncated",
        "note": "formatting",
        "organizer": "stays-behind unknown",
        "own-answer": "differs-in-shared-meeting",
        "percent": "impossible",
        "phone": "unknown-kind",
        "priority": "not-kept",
        "receipt": "keyword-not-kept",
        "recurrence": "completed day-apart over rule-not-kept",
        "reminder": "already-done first-occurrence-only impossible-time no-alarms no-time not-kept past",
        "scheduling": "agent-client",
        "sensitivity": "no-class not-marked privacy-of-occurrence shown-as-private",
        "series": "end-added occurrence-alone",
        "share": "expired external group-unknown held-back link-password link-refused narrower-than-parent "
        "not-understood organisation-link other-rights person-later person-unknown refused several-rights "
        "share-differs unreadable",
        "shared-meeting": "own-part-not-kept",
        "show-as": "free-or-busy outlook-only unknown-value",
        "start": "after-due from-recurrence not-in-series",
        "state": "shown-as-confirmed",
        "status": "no-equivalent unknown-value",
        "steps": "in-text",
        "text": "formatting formatting-not-kept",
        "time-zone": "hour-twice zone-of-series",
        "uid": "too-long",
        "versions": "left-behind not-kept unreadable",
    },
    Class.COSMETIC: {
        "attendee": "empty twice",
        "body": "bare-lf nul-bytes surplus-cr",
        "categories": "colour-not-kept comma-replaced empty-name",
        "colour": "label-not-kept not-kept",
        "deleted-occurrence": "not-in-series",
        "email": "display-name",
        "file-name": "unicode-normalised",
        "folder-date": "not-kept",
        "keywords": "renamed",
        "name": "characters-replaced none-given reserved separator-replaced trimmed unicode-normalised",
        "organisation": "semicolon-replaced",
        "percent": "rounded",
        "reminder": "over",
        "text": "control-characters",
        "versions": "date-changed",
    },
}
CLASSES: Mapping[tuple[str, str], Class] = {
    (field, reason): kind
    for kind, fields in FIELDS.items()
    for field, reasons in fields.items()
    for reason in reasons.split()
}


def class_of(field: str, reason: str) -> Class:
    """Return the class of a loss.

    A loss that another version recorded, and that is not declared, is content.
    """
    return CLASSES.get((field, reason), Class.CONTENT)


def losses_of(kind: Class) -> frozenset[tuple[str, str]]:
    """Return the declared losses (field, reason) of a class."""
    return frozenset(pair for pair, class_ in CLASSES.items() if class_ is kind)
