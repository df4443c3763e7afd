"""Describe any server that follows RFC 4791, 6352 and 6638.

It is unknown whom the server mails: it gets every header that keeps some product silent, and an invitation
probe must show that one of them works. Servers ignore headers that they do not know (RFC 9110, section 5.1).
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
    gathers=1200.0,
    put=QUIET,
    delete=QUIET,
    uid_conflict={400: (), 403: (), 409: ()},
)
