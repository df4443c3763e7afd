"""List what a mail or a folder may lose, why one is skipped, and why one is rejected."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES: Mapping[tuple[str, str], str] = {
    ("body", "bare-lf"): "Lines ended in LF alone; the target stores CRLF, as RFC 5322 wants.",
    ("body", "surplus-cr"): "CRs without a line feed, before a line end or at the message's end, which the "
    "target drops.",
    ("body", "nul-bytes"): "NUL bytes, which IMAP cannot carry, became the byte 0x80.",
    ("body", "mime-rebuilt"): "The source could not give the message as it was received; "
    "it was rebuilt from its properties.",
    (
        "categories",
        "colour-not-kept",
    ): "A message shows one colour: that of its first category with one. The others keep their names.",
    ("categories", "empty-name"): "A category without a name was left out.",
    ("categories", "keyword-not-kept"): "The target keeps no keywords, so the categories are gone.",
    (
        "flags",
        "change-unreadable",
    ): "The source named a change of flags that it then could not tell; what was copied before stays.",
    ("date", "before-1970"): "The date was before 1970, or its first second; the folder view "
    "shows 1970-01-01. "
    "The Date header is unchanged.",
    ("date", "in-the-future"): "The date lay in the future; the folder view shows when it was read, "
    "until a pass after that day. The Date header is unchanged.",
    ("date", "unknown"): "The source knows no date; the folder view shows the time of the migration.",
    ("flags", "follow-up-completed"): "A follow-up flag was marked as completed; IMAP knows only flagged "
    "or not, and it is not flagged.",
    ("flags", "keyword-not-kept"): "The target keeps no keywords, so the flag is gone.",
    ("flags", "unknown-value"): "The follow-up flag had a value this version does not know.",
    ("forwarded", "keyword-not-kept"): "The target keeps no keywords, so the mark that the message was "
    "forwarded is gone.",
    (
        "folder-name",
        "left-empty",
    ): "The source deleted the folder; at the target it is empty by now, and stays.",
    (
        "folder-name",
        "refused-by-target",
    ): "The target refused the folder's name, or something else has it; the folder goes by another one.",
    (
        "folder-name",
        "rename-refused",
    ): "The folder was renamed at the source; the target refused, so it keeps its earlier name.",
    ("importance", "keyword-not-kept"): "The target keeps no keywords, so the high importance shows only "
    "where a client reads the message's own header.",
    ("importance", "no-equivalent"): "Low importance has no keyword; it shows only where a client reads the "
    "message's own header.",
    ("importance", "unknown-value"): "The importance had a value this version does not know.",
    (
        "keywords",
        "limit-reached",
    ): "The target takes no more different keywords in this folder; those it does not "
    "have there already are gone from the message.",
    ("keywords", "renamed"): "A keyword held characters the target refuses and was renamed; "
    "its old name is kept in the label map.",
    ("last-verb", "no-equivalent"): "The last action on the message (a vote, a meeting reply) has no flag.",
    ("name", "characters-replaced"): "The folder's name held characters the target refuses; look-alikes "
    "stand in their place.",
    ("name", "flattened"): "The target has no sub-folders; the levels were joined into one name.",
    (
        "name",
        "in-one-container",
    ): "The target has one calendar for each person; what lay in another stands in it, and no longer apart.",
    ("name", "path-shortened"): "The folder lay deeper than the target allows and moved up.",
    ("name", "reserved"): "The target reserves the name, or how it ends; one character stands for another or "
    "was added.",
    ("name", "separator-replaced"): "The folder's name held the target's hierarchy separator; a look-alike "
    "stands in its place.",
    ("name", "taken"): "Another folder had the name already; a number was added.",
    ("name", "trimmed"): "Spaces around the folder's name, or an empty name, were removed.",
    ("name", "truncated"): "The folder's name was longer than the target allows; it was cut, "
    "and a hash added.",
    ("name", "unicode-normalised"): "The folder's name was brought to Unicode's composed form (NFC).",
    ("receipt", "keyword-not-kept"): "The target keeps no keywords: a client may ask again whether to send "
    "the read receipt.",
}

SKIPS: Mapping[str, str] = {
    "appointment-in-mail-folder": "An appointment that lies in a mail folder: the workload for calendars "
    "moves calendars only.",
    "associated-item": "A hidden setting of a client or of the server, stored beside the messages.",
    "contact-in-mail-folder": "A contact or distribution list that lies in a mail folder.",
    "journal-in-mail-folder": "A journal entry that lies in a mail folder.",
    "sticky-note-in-mail-folder": "A sticky note that lies in a mail folder.",
    "task-in-mail-folder": "A task that lies in a mail folder.",
}

REJECTIONS: Mapping[str, str] = {
    "body-missing": "The message's text was not read.",
    "empty-message": "The message has no bytes at all; IMAP servers refuse it.",
    "too-large": "The message is larger than the target takes.",
    "unknown-class": "The item's class is none this version knows as mail.",
    "unknown-format": "The record comes in a form this version does not know.",
}
