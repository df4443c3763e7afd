"""The products that are known, by the name a configuration gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from connectors import (
    profile_cyrus,
    profile_generic,
    profile_nextcloud,
    profile_open_xchange,
    profile_radicale,
)
from connectors.dav_profile import Profile

ProfileName = Literal["generic", "nextcloud", "open-xchange", "cyrus", "radicale"]

PROFILES: Final[Mapping[str, Profile]] = {
    "generic": profile_generic.PROFILE,
    "nextcloud": profile_nextcloud.PROFILE,
    "open-xchange": profile_open_xchange.PROFILE,
    "cyrus": profile_cyrus.PROFILE,
    "radicale": profile_radicale.PROFILE,
}
