"""Describe Nextcloud, as measured with 32.0.1.

A PUT by the organizer mails every attendee and writes into local attendees' calendars unless it carries
x-nc-scheduling: false; on DELETE only Schedule-Reply: F is honoured. SCHEDULE-AGENT=NONE is ignored. Nothing
is known of versions before 32, so they do not count as silent.

The same UID under another name is 400. A UID in the trash bin makes a PUT 500 until it is purged.

A user may create ten calendars an hour (then 429) and thirty in all (then 403); address books: ten. Four
writers reach about 59 objects a second, one 31. A parallel PUT of a new object can be 500 and succeeds when
repeated.

vCard 4.0 is kept but served as 3.0; a card above 5 MB and an event above 10 MB are 403.

From 32 on a first login creates an example event and an example contact. The event's title is translated, so
other languages need to be named in the configuration.

A principal has no id of its own. The folder of its files has one, which a new account does not inherit.
People set their address in their own profile, unless allow_user_to_change_email is false (32).
"""

from __future__ import annotations

from typing import Final

from connectors.caldav.product import ProductSign, Profile

PROFILE: Final = Profile(
    name="nextcloud",
    silence="measured",
    tell=ProductSign(
        features=frozenset({"nc-calendar-trashbin", "nc-calendar-webcal-cache", "nextcloud-checksum-update"}),
        oldest=32,
        status="/status.php",
        service="/remote.php/",
        editable="/ocs/v2.php/cloud/user/fields?format=json",
    ),
    put={"x-nc-scheduling": "false"},
    delete={"Schedule-Reply": "F"},
    calendar="personal",
    contacts="contacts",
    files="/remote.php/dav/files/{user}/",
    artefacts=("Example event", "Leon Green"),
    hidden=("z-server-generated--", "z-app-generated--", "contact_birthdays", "app-generated--"),
    uid_conflict={400: ()},
    trash="trashbin/objects/",
    trash_refusals=frozenset({500}),
    collections_full=frozenset({403}),
    collections_every=360.0,
    shares=True,
    reminds=True,
    max_bytes={"calendar": 10_000_000, "tasks": 10_000_000, "contacts": 5_000_000},
)
