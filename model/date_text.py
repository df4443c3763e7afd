"""Dates of items as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def date_of(seconds: int | None) -> str:
    """An item's date (seconds since 1970 UTC), to the minute."""
    if seconds is None:
        return "-"
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M")
