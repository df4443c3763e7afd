"""What a file was before: which of it a target can keep in order, and the date that each gets.

A server that keeps versions knows them by their dates, in seconds, and makes one of bytes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mappings.losses.catalogue import lose
from model.errors import Rejected
from model.file_versions import Older
from model.protocols import Loss, Native

EARLIEST = datetime(1970, 1, 2, 0, 0, 1, tzinfo=UTC)
"""Nextcloud 32 takes no earlier X-OC-MTime: it answers 500, and writes the file with the date of now."""

SECOND = timedelta(seconds=1)
LEFT = lose("versions", "left-behind")
MOVED = lose("versions", "date-changed")
NOT_KEPT = lose("versions", "not-kept")
UNREADABLE = lose("versions", "unreadable")


def versions_of(native: Native, digest: bytes, date: datetime) -> tuple[tuple[Older, ...], tuple[Loss, ...]]:
    """Those that a target is given, oldest first, and what is lost of all there are. digest and date: of the
    file itself. Raises Rejected("malformed-record")."""
    count, came = native.properties.get("Versions"), native.properties.get("Older", ())
    if not isinstance(came, tuple) or not all(isinstance(one, Older) for one in came):
        raise Rejected("malformed-record", "older versions that are none")
    if "Versions" in native.properties and count is None:
        return (), (UNREADABLE,)
    kept: list[Older] = []
    losses = {LEFT} if isinstance(count, int) and count > len(came) else set()
    for one in _distinct(came, digest):
        given = _before(one, date)
        if given < EARLIEST:
            losses.add(LEFT)
            break
        if one.date is None or given != _whole(one.date):
            losses.add(MOVED)
        kept.append(replace(one, date=given))
        date = given
    if len(list(_distinct(came, digest))) < len(came):
        losses.add(NOT_KEPT)
    return tuple(reversed(kept)), tuple(sorted(losses, key=lambda loss: loss.reason))


def _distinct(came: Sequence[Older], digest: bytes) -> Iterator[Older]:
    """Newest first: what is empty, or has the bytes of what came after it, is no version to a target."""
    for one in reversed(came):
        if one.size and one.digest != digest:
            digest = one.digest
            yield one


def _before(one: Older, date: datetime) -> datetime:
    """Its own date, where that is before the one of what came after it."""
    latest = _whole(date) - SECOND
    return latest if one.date is None else min(_whole(one.date), latest)


def _whole(date: datetime) -> datetime:
    return date.astimezone(UTC).replace(microsecond=0)
