"""List what a task may lose, why one is skipped, and why one is rejected."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES: Mapping[tuple[str, str], str] = {
    (
        "assignment",
        "not-shown",
    ): "The task was assigned to somebody. Who did so and to whom stands in X-KOGGE- "
    "properties, which no client shows; nobody is asked or told anew.",
    (
        "attachment",
        "not-in-text",
    ): "A picture inside the text stands among the attachments; the text shows a gap.",
    ("attachment", "not-kept"): "The target keeps no attachments with tasks.",
    ("attachment", "not-readable"): "The source did not give an attachment's content.",
    ("attachment", "too-large"): "An attachment is larger than the target takes inside of an item.",
    (
        "categories",
        "colour-not-kept",
    ): "Categories keep their names; their colours are settings of the mailbox.",
    (
        "categories",
        "comma-replaced",
    ): "The target would split a category at its comma; a character that looks like one stands for it.",
    ("categories", "empty-name"): "A category without a name was left out.",
    ("due", "unreadable"): "The day the task is due was no date.",
    ("other", "not-kept"): "What few clients show is gone: work, mileage, billing, companies, who assigned "
    "the task, and Exchange's own word for its state.",
    ("people", "not-kept"): "The people that the task is about are gone.",
    ("percent", "impossible"): "The percentage was less than none or more than all, and was left out.",
    (
        "percent",
        "rounded",
    ): "The percentage had a fraction, which iCalendar cannot keep, and which was cut off; or "
    "it was 100 of a task that is not completed, and the target would complete it: it is 99.",
    (
        "recurrence",
        "completed",
    ): "The task is completed and was to come back; the rule stands in a property that no client shows.",
    (
        "recurrence",
        "current-occurrence-only",
    ): "The target takes no recurring tasks: the current one is there, and "
    "its rule in a property that no client shows.",
    (
        "recurrence",
        "day-apart",
    ): "The current occurrence lies on a day that the rule does not have. It stays there; "
    "a client may count it as one more.",
    ("recurrence", "rule-not-kept"): "The target keeps no property for the rule of a recurring task.",
    ("recurrence", "over"): "The rule ended before the current occurrence; the task comes back no more.",
    (
        "recurrence",
        "regenerates",
    ): "The task was to come back some time after it is completed, which iCalendar "
    "cannot say; the current one is there, and the rule in a property that no client shows.",
    (
        "reminder",
        "first-occurrence-only",
    ): "The reminder is for the current occurrence; later ones have none.",
    (
        "reminder",
        "already-done",
    ): "The task is completed; a reminder that was still to come was left out.",
    ("reminder", "over"): "The reminder was over; the target does not keep that it is.",
    ("reminder", "no-time"): "A reminder was set without a time; it was left out.",
    (
        "sensitivity",
        "shown-as-private",
    ): "A sensitivity that the target does not know (personal, or a new one) is shown as private.",
    ("start", "after-due"): "The start lay after the day the task is due; it was left out.",
    ("start", "from-recurrence"): "The recurring task had no day; it has the first of its rule.",
    (
        "start",
        "moved-to-due",
    ): "The series counts the days its tasks are due; the start before them was left out.",
    ("start", "unreadable"): "The start was no date.",
    (
        "status",
        "no-equivalent",
    ): "Waiting for someone else shows as in progress, deferred as not started. Where the "
    "target wants it so, what is not begun, and partly done, shows as in progress.",
    (
        "status",
        "unknown-value",
    ): "The state was one this version does not know; the task counts as not started.",
    ("steps", "in-text"): "The steps of the task stand in its text as a list to tick.",
    ("text", "control-characters"): "Control characters, which no open format can carry, were left out.",
    ("text", "truncated"): "The server gave only the beginning of the text.",
    ("user-defined", "left-out"): "A field that a user had defined was left out.",
}

SKIPS: Mapping[str, str] = {
    "journal-entry": "A journal entry: no open format holds one.",
    "not-a-task": "An item of another class that lies among the tasks.",
}

REJECTIONS: Mapping[str, str] = {
    "malformed-record": "The source's record cannot be read.",
    "too-large": "The item is larger than the target takes.",
    "unknown-format": "The record comes in a form this version does not know.",
    "unknown-recurrence": "The series repeats in a way this version does not know.",
}
