"""Describe Radicale 3: it does not schedule at all, so it cannot mail anybody.

A UID is unique in its collection: 409 with CALDAV:no-uid-conflict. An object larger than its limit is 412.
"""

from __future__ import annotations

from typing import Final

from connectors.caldav.product import Profile

PROFILE: Final = Profile(
    name="radicale",
    self_stated=False,
    silence="never-sends",
    calendar="calendar",
    contacts="contacts",
    uid_conflict={409: (b"no-uid-conflict",)},
)
