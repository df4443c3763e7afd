"""Name the dialects, by their names in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.sieve.dialects.dialect import Dialect
from connectors.sieve.dialects.nextcloud_mail import NEXTCLOUD_MAIL
from connectors.sieve.dialects.open_xchange import OPEN_XCHANGE
from connectors.sieve.dialects.plain import PLAIN
from connectors.sieve.dialects.roundcube import ROUNDCUBE
from connectors.sieve.settings import DialectName

DIALECTS: Final[Mapping[DialectName, Dialect]] = {
    "plain": PLAIN,
    "roundcube": ROUNDCUBE,
    "open-xchange": OPEN_XCHANGE,
    "nextcloud-mail": NEXTCLOUD_MAIL,
}
