"""List the known products by the name that a configuration gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from connectors.caldav import (
    product_cyrus,
    product_generic,
    product_nextcloud,
    product_open_xchange,
    product_radicale,
)
from connectors.caldav.product import Profile

ProfileName = Literal["generic", "nextcloud", "open-xchange", "cyrus", "radicale"]

PROFILES: Final[Mapping[str, Profile]] = {
    "generic": product_generic.PROFILE,
    "nextcloud": product_nextcloud.PROFILE,
    "open-xchange": product_open_xchange.PROFILE,
    "cyrus": product_cyrus.PROFILE,
    "radicale": product_radicale.PROFILE,
}
