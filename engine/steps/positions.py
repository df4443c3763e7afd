"""Compare the positions and hrefs that a target gives to items of one folder.

Source:
    RFC 9051 section 2.3.1.1 (UIDVALIDITY).
"""

from __future__ import annotations

from collections.abc import Iterable


def earliest(positions: Iterable[str | None]) -> str | None:
    """Return the lowest of several positions of one container.

    Returns:
        The position; None (list everything) if one is unknown or if they belong to different incarnations of
            the folder.
    """
    all_positions = list(positions)
    marks = [mark for mark in all_positions if mark is not None]
    if not marks or len(marks) < len(all_positions) or len({era_of(mark) for mark in marks}) > 1:
        return None
    return min(marks, key=lambda mark: number_of(mark) or 0)


def era_of(href: str) -> str:
    """Return the incarnation of a folder (UIDVALIDITY) to which an href or a position belongs.

    "" if it has none.
    """
    return href.rpartition(":")[0] if number_of(href) is not None else ""


def reaches(since: str | None, item: str) -> bool:
    """Return True if an item stands at or above a position, in the same incarnation of its folder.

    Args:
        since: the position; None if it is unknown.
        item: the href of the item.
    """
    if since is None or era_of(since) != era_of(item):
        return False
    number = number_of(item)
    return number is None or number >= (number_of(since) or 0)


def number_of(mark: str) -> int | None:
    """Return the number of an item or a position in its folder; None for an href without an order."""
    _, separator, number = mark.rpartition(":")
    return int(number) if separator and number.isdecimal() and number.isascii() else None
