"""Describe Open-Xchange App Suite, as measured on 8.19; older versions are known from source and documents.

A PUT and a DELETE notify all attendees. 8.19 honours Scheduling: none and Schedule-Reply: F; some older
versions honour the latter only, others neither. Both are always sent, and an invitation probe has to prove
their effect. 8.19 sends its notifications within seconds; the probe listens for ten minutes.

A collection's real URL is opaque (base64 of "cal://0/NNN"); the path of the MKCALENDAR answers, too. A new
collection with a sibling's display name is 403 with an empty body. The default ones have names in the user's
language ("Contacts", "Kontakte"), and are stored under the name of when the user was made. DAV tells the
default calendar and the default task list, and not the default address book. The three are made one after
the other when the user is, so that they have numbers in a row (31, 32, 33; seven users of seven). The HTTP
API tells it: config/folder/contacts. /carddav/6/ holds the users of the context; it states DAV:write to
everybody, but no DAV:bind.

Every listing of events (PROPFIND, calendar-query, sync-collection) shows one month back to one year ahead;
GET and multiget see all. A PROPFIND of more than 1,000 events is 400; sync-collection pages by 1,000. Tasks
and cards are listed whole. A UID is unique over the user's calendars, and GET <UID>.ics finds its object. A
task is stored as <UID>.ics whatever the PUT said.

SUMMARY and LOCATION are cut at 255 characters, DESCRIPTION at 65,535 (of more than one byte each: not
measured). Read in its source: 1,000 attendees, a URL of 767 characters, CATEGORIES of 1,024 together.

One event stands for all users who are invited. After the organizer's PUT an attendee's is 403; before it,
everybody whose copy was there has the meeting twice, and reads it as an empty VCALENDAR. No organizer writes
a colleague's answer: such an update is 403, without a body.

A PUT overwrites with 201 and without an ETag; one whose SEQUENCE is lower than the stored one is 409, and the
server counts it up at every change. A category is split at its comma, and X-MICROSOFT-CDO-BUSYSTATUS is
dropped. A VTIMEZONE is ignored: a zone that is not in the IANA database becomes the user's own. A date beside
a rule (RDATE) loses its period. A VTODO with DTSTART and RRULE is 400. CardDAV drops distribution lists, and
gives addresses and numbers types by their position.

Of a task little is kept: LOCATION, URL, CONTACT, ATTACH, X- properties and the acknowledgement of an alarm
are dropped, with 201. One with attendees is mailed of, whatever the headers say, and not stored. One of 100 %
is completed, whatever its STATUS says; NEEDS-ACTION with less than that is 400. CONFIDENTIAL becomes PRIVATE.

A part of N is cut at 128 characters, FN at 320, NOTE at 65,535; a card that needs three cuts is answered with
201 and not stored, a note of more bytes is 500. CONFIDENTIAL becomes PRIVATE, FBURL is dropped, and so is a
mail address that is none; an umlaut before its @ is 400 for the whole card. An N without any name is dropped.
A nickname and a category are split at a comma, and an organisation loses a semicolon at its very end. Of two
numbers of a kind (mobile, WORK,VOICE, HOME,VOICE) the first gets PREF, the second X-2ND.

An attachment inside of an event is kept up to some 500 KB; a larger one is stored as 0 bytes, with 201. POST
?action=attachment-add (RFC 8607) kept 2 MB; its answer has the ETag of before.

A user's addresses are provisioned; only an administrator changes them. servlet.maxRate counts 1,500 requests
in 300 s from one address and User-Agent, and answers 429 with Retry-After: 300 to more. All workers share it.
"""

from __future__ import annotations

from typing import Final

from connectors.caldav.product import Profile
from connectors.http.rate_limit import RateLimit
from model.event_habits import EventHabits
from model.kept_fields import CardLimits, TaskLimits
from model.kinds import Kind

QUIET: Final = {"Scheduling": "none", "Schedule-Reply": "F"}
TAKEN: Final = (b"CAL-4090", b"no-uid-conflict", b"unique-scheduling-object-resource")

KEPT_OF_TASKS: Final = frozenset(
    {
        "SUMMARY", "DESCRIPTION", "DTSTART", "DUE", "CLASS", "COMPLETED", "CATEGORIES", "STATUS",
        "PERCENT-COMPLETE", "PRIORITY",
    }
)  # fmt: skip

PROFILE: Final = Profile(
    name="open-xchange",
    self_stated=False,
    silence="unproven",
    gathers=600.0,
    put=QUIET,
    delete=QUIET,
    writers=2,
    numbered=frozenset({Kind.CONTACTS}),
    uid_scope="account",
    uid_conflict={403: TAKEN, 409: TAKEN},
    finds_uid=False,
    gives_to_uid=True,
    named_by_uid=frozenset({Kind.TASKS}),
    listed_partly=frozenset({Kind.CALENDAR}),
    may_drop=frozenset({Kind.CALENDAR, Kind.CONTACTS, Kind.TASKS}),
    hides=frozenset({Kind.CONTACTS, Kind.TASKS}),
    shares_events=frozenset({Kind.CALENDAR}),
    paged=True,
    unique_titles=True,
    adds_with_bind=True,
    sequence_rises=True,
    needs_if_match=True,
    http_api=True,
    groups=False,
    recurring_tasks=False,
    category_commas=False,
    busy_words=False,
    event_habits=EventHabits(
        own_zones=False,
        organizer_attends=True,
        title=255,
        place=255,
        text=65_535,
        links=767,
        categories=1_024,
        attendees=1_000,
    ),
    position_types=True,
    cards=CardLimits(
        128,
        320,
        65_535,
        any_mail=False,
        confidential=False,
        free_busy=False,
        commas=False,
        last_semicolon=False,
        one_picture=True,
    ),
    todos=TaskLimits(KEPT_OF_TASKS, past_alarms=False, confidential=False, open_when_done=False),
    attachment_bytes={Kind.CALENDAR: 1 << 18},
    managed_attachment_bytes=32 << 20,
    max_bytes={Kind.CALENDAR: 60_000_000},
    rate_limit=RateLimit(1500, 300.0),
    rate_limit_remedy="raise com.openexchange.servlet.maxRate, or exempt the workers' address from it",
)
