"""Write dates of items as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def date_of(seconds: int | None) -> str:
    """Return an item's date as text, to the minute, in UTC.

    Args:
        seconds: seconds since 1970 UTC; None gives "-".
    """
    if seconds is None:
        return "-"
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M")
