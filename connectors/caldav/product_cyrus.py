"""Describe Cyrus IMAP, as measured with 3.10.

A PUT sends real iTIP. It ignores Scheduling: none and Schedule-Reply: F on PUT, and honours
Scheduling-Enabled: F as well as SCHEDULE-AGENT=CLIENT, which would alter the data and is not needed. RFC
6638's own Schedule-Reply: F keeps a DELETE silent; it gets both headers. A UID is unique in the account. Its
calendar-user-address-set is a property that people may set. libical, which reads its objects, takes an
escaped comma in a category's name for the end of the name. It names itself in the answer to OPTIONS unless
its administrator (serverinfo) or a proxy hides that.
"""

from __future__ import annotations

from typing import Final

from connectors.caldav.product import ProductSign, Profile

PROFILE: Final = Profile(
    name="cyrus",
    silence="measured",
    tell=ProductSign(server="Cyrus-HTTP/"),
    put={"Scheduling-Enabled": "F"},
    delete={"Scheduling-Enabled": "F", "Schedule-Reply": "F"},
    calendar="Default",
    contacts="Default",
    uid_scope="account",
    category_commas=False,
    uid_conflict={403: (b"no-uid-conflict", b"unique-scheduling-object"), 409: (b"no-uid-conflict",)},
)
