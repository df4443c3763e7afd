"""Convert IMAP's date-time, as INTERNALDATE gives it and APPEND takes it.

Source:
    RFC 9051, section 9 (date-time).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from connectors.imap.wire.connection import Token

_DATE = re.compile(rb" ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MONTH = {name: number for number, name in enumerate(_MONTHS, 1)}


@lru_cache(maxsize=256)
def _zone(sign: bytes, hours: int, minutes: int) -> timezone:
    offset = timedelta(hours=hours, minutes=minutes)
    if not offset:
        return UTC
    return timezone(-offset if sign == b"-" else offset)


def date_of(token: Token) -> datetime | None:
    """Return an INTERNALDATE as an aware datetime; None when it is malformed."""
    match = _DATE.fullmatch(token) if isinstance(token, bytes) else None
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    try:
        zone = _zone(sign, int(hours), int(minutes))
        return datetime(
            int(year), _MONTH[month.title()], int(day), int(hour), int(minute), int(second), tzinfo=zone
        )
    except (ValueError, KeyError):
        return None


def date_text(moment: datetime) -> bytes:
    """Return an aware datetime as a quoted date-time of fixed width with an English month.

    Source:
        RFC 9051, section 9 (date-time).
    """
    offset = moment.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
    month = _MONTHS[moment.month - 1].decode()
    return f'"{moment.day:02d}-{month}-{moment.year:04d} {moment:%H:%M:%S} {zone}"'.encode()
