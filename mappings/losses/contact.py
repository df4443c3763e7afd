"""List what a contact or a distribution list may lose, why one is skipped, and why one is rejected."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES: Mapping[tuple[str, str], str] = {
    (
        "address",
        "unknown-kind",
    ): "A postal address was of a kind this version does not know; it was left out.",
    ("anniversary", "unreadable"): "The anniversary was no date.",
    ("attachment", "left-out"): "A file was attached; this kind of item has no place for files.",
    ("birthday", "unreadable"): "The birthday was no date.",
    (
        "categories",
        "colour-not-kept",
    ): "Categories keep their names; their colours are settings of the mailbox.",
    (
        "certificate",
        "left-out",
    ): "A certificate for encrypted mail was left out: Exchange keeps it in a form of its "
    "own. Clients learn it from the next signed mail.",
    (
        "categories",
        "comma-replaced",
    ): "The target would split a category at its comma; a character that looks like one stands for it.",
    ("email", "display-name"): "An e-mail address had a display name of its own, other than the contact's.",
    ("email", "no-internet-address"): "An address was no Internet address (a fax, X.400); it was left out.",
    (
        "email",
        "not-taken",
    ): "The target takes no such mail address: an umlaut before the @, or none at all. It "
    "stands in a property that no client shows.",
    ("email", "unresolved-address"): "An address was an internal Exchange address (X.500, IMCEAEX) that the "
    "directory export does not list; it was left out.",
    ("free-busy", "not-kept"): "Where the contact's free and busy times are was left out.",
    ("follow-up", "no-flags"): "The contact was flagged for follow-up; a vCard has no flags.",
    (
        "list",
        "name-and-members-only",
    ): "The target keeps the name and the members of a list alone; its notes, "
    "categories and other details were left out.",
    ("members", "not-linked"): "A member was a contact of the mailbox; the list has the address that it had, "
    "and does not follow when the contact changes.",
    (
        "members",
        "unresolved-address",
    ): "A member of the list had no Internet address, or an internal Exchange "
    "address that the directory export does not list; the member was left out.",
    ("name", "none-given"): "The contact had neither name nor company, address or number; it is shown as "
    "'(no name)'.",
    ("name", "shortened"): "A name was longer than the target takes; its beginning is kept.",
    ("note", "formatting"): "The notes were formatted; their plain text is kept.",
    (
        "organisation",
        "semicolon-replaced",
    ): "The target would take a semicolon from the end of an organisation; a character that looks like one "
    "stands for it.",
    ("phone", "unknown-kind"): "A number was of a kind this version does not know; it is kept without one.",
    ("photo", "not-read"): "The picture could not be read at the source.",
    ("photo", "too-large"): "The picture is larger than the target takes; the rest of the contact is kept.",
    ("photo", "unknown-format"): "The picture was in a format no address book shows; it was left out.",
    ("reminder", "no-alarms"): "The contact had a reminder; a vCard has none.",
    (
        "sensitivity",
        "no-class",
    ): "The contact was marked as private or confidential; vCard 4.0 has no such mark, "
    "and only the X-CLASS property says it.",
    (
        "sensitivity",
        "shown-as-private",
    ): "A sensitivity that the target does not know (personal, or a new one) is shown as private.",
    ("text", "control-characters"): "Control characters, which no open format can carry, were left out.",
    ("text", "shortened"): "The notes were longer than the target takes; their beginning is kept.",
    ("text", "truncated"): "The server gave only the beginning of the text.",
    ("user-defined", "left-out"): "A field that a user had defined was left out.",
}

SKIPS: Mapping[str, str] = {
    "journal-entry": "A journal entry: no open format holds one.",
    "not-a-contact": "An item of another class that lies among the contacts.",
}

REJECTIONS: Mapping[str, str] = {
    "groups-unsupported": "A distribution list, and the target keeps none among its contacts.",
    "malformed-card": "The item at the target cannot be read as a vCard.",
    "malformed-record": "The source's record cannot be read.",
    "too-large": "The item is larger than the target takes.",
    "unknown-format": "The record comes in a form this version does not know.",
}
