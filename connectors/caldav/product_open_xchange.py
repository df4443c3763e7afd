"""Describe Open-Xchange App Suite, from its source and documentation; no live server was measured.

A PUT notifies all attendees. Newer versions honour Scheduling: none and Schedule-Reply: F, some only the
latter, older ones neither: both are always sent, and an invitation probe has to prove their effect.

A collection's real URL is opaque (base64 of "cal://0/NNN"). A UID is unique over the user's calendars
(CAL-4090). A PUT without If-Match onto an object is 409, which therefore does not mean that the UID is taken.
A REPORT without a time range sees about a year in both directions, so a UID is looked up by reading. A VTODO
with an RRULE is 400. CardDAV leaves distribution lists out. It treats known clients' User-Agents differently.
A user's addresses are provisioned; only an administrator changes them. servlet.maxRate (1500 in 300 s from
one address) is shared by all workers, hence two connections per mailbox.
"""

from __future__ import annotations

from typing import Final

from connectors.caldav.product import Profile

QUIET: Final = {"Scheduling": "none", "Schedule-Reply": "F"}

PROFILE: Final = Profile(
    name="open-xchange",
    self_stated=False,
    silence="unproven",
    put=QUIET,
    delete=QUIET,
    writers=2,
    uid_scope="account",
    uid_conflict={403: (b"CAL-4090", b"no-uid-conflict"), 409: (b"CAL-4090", b"no-uid-conflict")},
    finds_uid=False,
    needs_if_match=True,
    groups=False,
    recurring_tasks=False,
)
