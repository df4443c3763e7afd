"""Any server that keeps to RFC 4791, 6352 and 6638.

Nothing is known of whom it mails: it gets every header that keeps some product quiet, and a canary must
show that one of them does. Servers ignore what they do not know (RFC 9110, 5.1).
"""

from __future__ import annotations

from typing import Final

from connectors.caldav.product import Profile

QUIET: Final = {
    "Schedule-Reply": "F",
    "Scheduling": "none",
    "Scheduling-Enabled": "F",
    "x-nc-scheduling": "false",
}

PROFILE: Final = Profile(
    name="generic",
    silence="unproven",
    put=QUIET,
    delete=QUIET,
    uid_conflict={400: (), 403: (), 409: ()},
)
