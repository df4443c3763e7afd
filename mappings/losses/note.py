"""List what a note may lose, why one is skipped, and why one is rejected."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES: Mapping[tuple[str, str], str] = {
    ("attachment", "left-out"): "A file was attached; this kind of item has no place for files.",
    (
        "categories",
        "colour-not-kept",
    ): "Categories keep their names; their colours are settings of the mailbox.",
    ("categories", "empty-name"): "A category without a name was left out.",
    ("categories", "keyword-not-kept"): "The target keeps no keywords, so the categories are gone.",
    ("colour", "not-kept"): "The note was not yellow; a message has no colour.",
    ("date", "before-1970"): "The date was before 1970, or its first second; the folder view "
    "shows 1970-01-01. "
    "The Date header is unchanged.",
    ("date", "in-the-future"): "The date lay in the future; the folder view shows when it was read, "
    "until a pass after that day. The Date header is unchanged.",
    ("date", "unknown"): "The source knows no date; the folder view shows the time of the migration.",
    (
        "sensitivity",
        "shown-as-private",
    ): "A sensitivity that the target does not know (personal, or a new one) is shown as private.",
    ("text", "control-characters"): "Control characters, which no open format can carry, were left out.",
    ("text", "formatting"): "The note was formatted; its plain text is kept.",
    ("text", "truncated"): "The server gave only the beginning of the text.",
}

SKIPS: Mapping[str, str] = {
    "journal-entry": "A journal entry: no open format holds one.",
    "not-a-note": "An item of another class that lies among the notes.",
}

REJECTIONS: Mapping[str, str] = {
    "malformed-record": "The source's record cannot be read.",
    "too-large": "The item is larger than the target takes.",
    "unknown-format": "The record comes in a form this version does not know.",
}
