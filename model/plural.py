"""Write numbers in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def many(count: int, one: str, more: str) -> str:
    """Return a number with its noun, and perhaps with its verb.

    Args:
        count: the number; it is written with commas between thousands.
        one: the words after the number 1.
        more: the words after every other number.
    """
    return f"{count:,} {one if count == 1 else more}"


def first_of(names: Sequence[object], most: int) -> str:
    """Return the first names, with commas between them, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
