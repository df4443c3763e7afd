"""List what a file or a folder of files may lose, and why a file is rejected."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES: Mapping[tuple[str, str], str] = {
    ("file-name", "characters-replaced"): "Characters that the target refuses in names became look-alikes.",
    (
        "file-name",
        "reserved",
    ): "The target reserves the name (.htaccess, CON); one character differs.",
    (
        "file-name",
        "taken",
    ): "The target takes two names of a folder for one; this one got a part of its key.",
    ("file-name", "truncated"): "The name was longer than the target takes; it was cut before its extension.",
    (
        "file-name",
        "unicode-normalised",
    ): "The name was in decomposed Unicode; the target keeps names composed. It looks the same.",
    ("folder-date", "not-kept"): "The target keeps no date of folders, or refused to set this one.",
    ("modified", "before-1970"): "The date was before 1970-01-02, the earliest that the target takes.",
    ("modified", "in-the-future"): "The date lay in the future; it became that of its reading, until a pass "
    "after that day.",
    ("modified", "not-kept"): "The target keeps no dates of files: it shows when the file arrived.",
    ("modified", "unknown"): "The source knows no date; the target shows when the file arrived.",
    ("share", "expired"): "It was shared until a date that has passed.",
    ("share", "external"): "It is shared with a guest from outside; who that is at the target, nobody knows.",
    (
        "share",
        "group-unknown",
    ): "It is shared with a group that the groups file does not name, or that the target does not have.",
    (
        "share",
        "held-back",
    ): "Something in the folder is for fewer people: it is shared after `kogge approve narrower-rights`.",
    (
        "share",
        "link-password",
    ): "A link had a password, which nobody can read; it was not made anew.",
    ("share", "link-refused"): "The target's rules allow no such link.",
    (
        "share",
        "narrower-than-parent",
    ): "Somebody with whom a folder above is shared had less here, or nothing; at the target they have it.",
    (
        "share",
        "not-understood",
    ): "It is shared with an application, or in a way that this version does not know.",
    (
        "share",
        "organisation-link",
    ): "A link for the whole organisation: the target has none of this kind.",
    (
        "share",
        "other-rights",
    ): "Somebody may upload and not look, or look and not download: the target would give more.",
    (
        "share",
        "person-later",
    ): "It is shared with somebody whose own files were not run yet: a frozen pass after that shares it.",
    (
        "share",
        "person-unknown",
    ): "It is shared with somebody whose account at the target nobody knows.",
    ("share", "refused"): "The target refused to share it so.",
    (
        "share",
        "share-differs",
    ): "It was shared with them at the target before, with other rights or another end; that stays as it is.",
    (
        "share",
        "several-rights",
    ): "Somebody had several rights that end at different times; the target keeps one, which is the widest.",
    ("share", "unreadable"): "The source does not say with whom it is shared, whenever it is asked.",
    (
        "versions",
        "date-changed",
    ): "The target keeps versions by their dates, in seconds: one got a date a second before the next.",
    (
        "versions",
        "left-behind",
    ): "Older versions stay at the source: more than move, before 1970, or given out by it no more.",
    (
        "versions",
        "not-kept",
    ): "The target did not keep an older version: empty, the bytes of the next one, or refused.",
    ("versions", "unreadable"): "The source does not say whether there are older versions.",
}

SKIPS: Mapping[str, str] = {}

REJECTIONS: Mapping[str, str] = {
    "blocked-by-source": "The source withholds the file, as malware or by a rule of the organisation.",
    "hash-mismatch": "What was downloaded is not what the source says the file is, at every attempt.",
    "malformed-record": "The source's record cannot be read.",
    "name-taken": "Something that Kogge did not write has the name at the target.",
    "not-a-file": "A notebook, another package or a shortcut: no bytes that a server of files could hold.",
    "too-large": "The file is larger than the target takes.",
    "unknown-format": "The record comes in a form this version does not know.",
}
