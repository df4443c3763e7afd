"""List what an event may lose, why one is skipped, and why one is rejected."""

from __future__ import annotations

from collections.abc import Mapping

LOSSES: Mapping[tuple[str, str], str] = {
    ("address", "no-address"): "Somebody's address was none that mail can be sent to; the name is kept.",
    (
        "address",
        "not-in-directory",
    ): "Somebody was named by an internal Exchange address (X.500, IMCEAEX) that "
    "the directory export does not list; the name is kept, the address is not.",
    ("all-day", "not-at-midnight"): "A whole-day event did not begin or end at midnight of its time zone; it "
    "stands on the nearest day.",
    ("attachment", "not-in-text"): "A picture inside the text stands among the attachments; the text shows a "
    "gap.",
    ("attachment", "not-readable"): "The source did not give an attachment's content.",
    ("attachment", "refused-by-target"): "The target took the event, but not this attachment.",
    ("attachment", "too-large"): "An attachment is larger than the target takes inside of an event.",
    ("attendee", "empty"): "An attendee had neither name nor address.",
    (
        "attendee",
        "answer-of-occurrence",
    ): "Somebody answered otherwise for a changed occurrence than for its series. The target takes such "
    "answers from themselves alone: they stand as for the series, or open where the occurrence was moved.",
    (
        "attendee",
        "guests-of-series",
    ): "A changed occurrence of a meeting named no guests; at the target those of its series are invited.",
    (
        "attendee",
        "answer-stays",
    ): "Colleagues answered the organizer again after the meeting was copied; the target lets nobody but "
    "themselves change their answers, so those from before stay.",
    (
        "attendee",
        "list-was-hidden",
    ): "The organizer hid the list of those invited from them; at the target everybody invited may see it.",
    (
        "attendee",
        "not-in-shared-meeting",
    ): "This person's copy named somebody whom the organizer's, the one event at the target, does not.",
    ("attendee", "owner-added"): "The owner was invited through a distribution list and now stands among the "
    "attendees, as calendars show one's own answer only there.",
    (
        "attendee",
        "proposed-time",
    ): "Somebody proposed another time; the proposal is gone, the answer is kept.",
    ("attendee", "too-many"): "More people were invited than the target takes; the first ones are kept.",
    ("attendee", "twice"): "Somebody stood on the list of attendees twice; the first entry counts.",
    ("attendee", "unknown-answer"): "Somebody's answer was none this version knows; it counts as none given.",
    (
        "categories",
        "colour-not-kept",
    ): "A category's colour belongs to the mailbox in Exchange, not to the event; "
    "the category is kept, its colour is not.",
    (
        "colour",
        "label-not-kept",
    ): "A coloured label as Outlook 2003 had it is gone; newer ones do not show it.",
    (
        "deleted-occurrence",
        "not-in-series",
    ): "A deleted occurrence was on no day of the series; there is nothing to leave out.",
    (
        "deleted-occurrence",
        "not-told",
    ): "The source did not list the deleted days of a long series; those more than two years from its last "
    "change take place again.",
    ("end", "before-start"): "The event ended before it began; it now takes no time.",
    (
        "end",
        "clock-change",
    ): "Some occurrence lasts over a change of the clocks: in Exchange its end keeps the "
    "time on the clock, in iCalendar the event keeps its length.",
    (
        "location",
        "addresses-of-several",
    ): "The event takes place at several places; their names are kept, their addresses are not.",
    ("location", "impossible-coordinates"): "The place's coordinates are on no map and are left out.",
    ("location", "note-not-kept"): "A note on the place has no property in iCalendar.",
    (
        "modified-occurrence",
        "not-in-series",
    ): "A modified occurrence was on no day of the series; it is kept under the day it names.",
    (
        "modified-occurrence",
        "only-times-known",
    ): "The source did not give a modified occurrence; its times are right, everything else is the series'.",
    ("modified-occurrence", "twice"): "An occurrence was modified twice; the first is kept.",
    ("reminder", "impossible-time"): "The reminder was years away from the event and is left out.",
    (
        "own-answer",
        "differs-in-shared-meeting",
    ): "The organizer's copy, the one event at the target, has another answer of this person "
    "than their own copy.",
    (
        "organizer",
        "stays-behind",
    ): "A colleague called the meeting, and their own copy does not move: this copy stands by itself, and no "
    "change of theirs reaches it.",
    ("organizer", "unknown"): "The meeting does not say who called it.",
    (
        "scheduling",
        "agent-client",
    ): "So that the server mails nobody, the event says that clients do the inviting "
    "(SCHEDULE-AGENT=CLIENT): later changes at the target invite nobody either, unless the client does.",
    (
        "sensitivity",
        "privacy-of-occurrence",
    ): "A changed occurrence was otherwise private than its series. The target has one privacy for both: the "
    "series' if guests are invited, else the stricter one.",
    (
        "sensitivity",
        "shown-as-private",
    ): "The event was marked personal, or in a way this version does not know; it is private now.",
    (
        "series",
        "occurrence-alone",
    ): "The event is one occurrence of a series that is not in this calendar; it stands by itself.",
    ("series", "hour-twice"): "The series begins in the second of two equal hours, when clocks go back; its "
    "first occurrence is an hour earlier.",
    (
        "shared-meeting",
        "own-part-not-kept",
    ): "The target has one event for all who are invited, and it was there: what this person's own copy had "
    "otherwise (reminder, availability, category, privacy, importance, attachments, text) is not in it.",
    (
        "show-as",
        "outlook-only",
    ): "Out of office shows as busy and working elsewhere as free, except where a client "
    "reads Outlook's own property.",
    (
        "show-as",
        "unknown-value",
    ): "The availability had a value this version does not know; it shows as busy.",
    (
        "start",
        "not-in-series",
    ): "The series began on a day its own rule does not have; it now begins on the first one that it has.",
    ("text", "control-characters"): "The text held control characters, which iCalendar and XML cannot carry.",
    ("text", "truncated"): "The source gave only the beginning of the text.",
    (
        "time-zone",
        "hour-twice",
    ): "The event begins or ends in the second of two equal hours, when clocks go back; "
    "its times are kept in UTC.",
    (
        "time-zone",
        "zone-of-series",
    ): "The target knows no such time zone. The series stands in UTC, each occurrence at its moment; "
    "where its rule cannot be said so, every date is listed.",
    ("attachment", "not-kept"): "The target keeps no attachments with events.",
    (
        "attendee",
        "not-kept",
    ): "The target knows its own people alone, and would mail them; nobody but the owner "
    "stands in the event, whose identifier is lost too: updates of the meeting do not find it.",
    (
        "categories",
        "comma-replaced",
    ): "The target would split a category at its comma; a character that looks like one stands for it.",
    (
        "categories",
        "too-many",
    ): "The names of the categories were longer than the target takes; the first ones are kept.",
    ("categories", "not-kept"): "The target has no categories.",
    ("colour", "not-kept"): "The event's own colour is gone.",
    ("links", "too-long"): "A link was longer than the target takes.",
    ("location", "coordinates-not-kept"): "The target keeps a place's name alone.",
    ("location", "shortened"): "The place was longer than the target takes; its beginning is kept.",
    (
        "other",
        "not-kept",
    ): "A property that few clients show (no proposals of other times, comments) is gone.",
    ("priority", "not-kept"): "The target has no importance.",
    ("reminder", "not-kept"): "The target reminds before a start only, in whole minutes.",
    ("reminder", "past"): "The event was over; the target would not know that its reminder is.",
    (
        "sensitivity",
        "not-marked",
    ): "The target marks nothing as private: only its owner sees a person's calendar.",
    (
        "series",
        "end-added",
    ): "The series went on without end, which the target shows for ten years only, from "
    "its beginning; it now ends ten years after the migration.",
    ("show-as", "free-or-busy"): "The target knows free and busy alone.",
    ("state", "shown-as-confirmed"): "The event was tentative or cancelled; the target would not show it so.",
    ("text", "formatting-not-kept"): "The target shows plain text; the formatting is gone.",
    ("text", "shortened"): "The text was longer than the target takes; its beginning is kept.",
    ("title", "shortened"): "The subject was longer than the target takes; its beginning is kept.",
    ("uid", "too-long"): "The event's identifier was longer than servers take; it has a new one.",
}

SKIPS: Mapping[str, str] = {
    "contact-in-calendar": "A contact or distribution list that lies in a calendar.",
    "journal-in-calendar": "A journal entry that lies in a calendar.",
    "mail-in-calendar": "A message or a meeting request that lies in a calendar.",
    "not-an-appointment": "An item in a calendar whose class is none this version knows.",
    "note-in-calendar": "A sticky note that lies in a calendar.",
    "task-in-calendar": "A task that lies in a calendar.",
}

REJECTIONS: Mapping[str, str] = {
    "date-out-of-range": "A date lies outside of what calendars can hold.",
    "empty-series": "Every occurrence of the series was deleted; calendar servers refuse such a series.",
    "exception-without-origin": "A modified occurrence does not say which occurrence of its series it was.",
    "malformed-record": "The source's record cannot be read.",
    "occurrence-missing": "The source does not say what became of the series' single days.",
    "recurrence-not-kept": "The target cannot repeat an event so: another rule, or a time zone other than "
    "the one it is set to.",
    "start-missing": "The item has no start.",
    "too-large": "The item is larger than the target takes.",
    "unknown-format": "The record comes in a form this version does not know.",
    "unknown-recurrence": "The series repeats in a way this version does not know.",
    "unknown-time-zone": "The time zone is none that Windows or IANA knows, and the record does not "
    "describe it, or the target cannot keep a series by it.",
}
