"""Map Windows time zones to IANA zones.

The table is icalendar's, which follows the default territory ("001") of CLDR's windowsZones. Windows compares
the ids without case.

Source: https://unicode.org/reports/tr35/tr35-dates.html (windowsZones).
"""

from __future__ import annotations

from collections.abc import Mapping

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

_RENAMED: Mapping[str, str] = {
    "Argentina Standard Time": "America/Argentina/Buenos_Aires",
    "FLE Standard Time": "Europe/Kyiv",
    "Greenland Standard Time": "America/Nuuk",
    "India Standard Time": "Asia/Kolkata",
    "Myanmar Standard Time": "Asia/Yangon",
    "Nepal Standard Time": "Asia/Kathmandu",
    "US Eastern Standard Time": "America/Indiana/Indianapolis",
}
"""IANA's present spelling, if CLDR keeps an older one."""

_MORE: Mapping[str, str] = {
    "Armenian Standard Time": "Asia/Yerevan",
    "Etc/UTC": "Etc/UTC",
    "GMT": "Etc/UTC",
    "Kamchatka Standard Time": "Asia/Kamchatka",
    "Mexico Standard Time": "America/Mexico_City",
    "Mexico Standard Time 2": "America/Mazatlan",
    "Mid-Atlantic Standard Time": "Etc/GMT+2",
    "tzone://Microsoft/Utc": "Etc/UTC",
}
"""Ids that Windows dropped long ago, or that Exchange writes itself, and that calendars still hold."""

_BY_ID: Mapping[str, str] = {
    id_.lower(): zone for table in (WINDOWS_TO_OLSON, _RENAMED, _MORE) for id_, zone in table.items()
}


def iana(windows: str) -> str | None:
    """Return the IANA zone of a Windows id.

    Args:
        windows: the id, in any case.

    Returns:
        The zone's name; None for an id that Windows never had.
    """
    return _BY_ID.get(windows.strip().lower())


def iana_names() -> frozenset[str]:
    """Return the IANA zones of all Windows ids."""
    return frozenset(_BY_ID.values())
