"""Numbers in sentences."""

from __future__ import annotations


def many(count: int, one: str, more: str) -> str:
    """A number, and what there is of it, perhaps with its verb: one, or more."""
    return f"{count:,} {one if count == 1 else more}"
