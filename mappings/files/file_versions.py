"""Choose which older versions of a file a target can keep in order, and the date that each gets.

A server that keeps versions tells them apart by their dates, in seconds. It makes a new version only if the
bytes change.
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
"""Nextcloud 32 takes no earlier X-OC-MTime: it answers 500, and writes the file with the present date."""

SECOND = timedelta(seconds=1)
LEFT = lose("versions", "left-behind")
MOVED = lose("versions", "date-changed")
NOT_KEPT = lose("versions", "not-kept")
UNREADABLE = lose("versions", "unreadable")


def versions_of(native: Native, digest: bytes, date: datetime) -> tuple[tuple[Older, ...], tuple[Loss, ...]]:
    """Return the versions that a target gets, oldest first, and what is lost of all there are.

    Args:
        native: the record of the file.
        digest: of the file itself.
        date: of the file itself.

    Raises:
        Rejected: "malformed-record".
    """
    count, came = native.properties.get("Versions"), native.properties.get("Older", ())
    if not isinstance(came, tuple) or not all(isinstance(version, Older) for version in came):
        raise Rejected("malformed-record", "older versions that are none")
    if "Versions" in native.properties and count is None:
        return (), (UNREADABLE,)
    kept: list[Older] = []
    losses = {LEFT} if isinstance(count, int) and count > len(came) else set()
    for version in _distinct(came, digest):
        new_date = _before(version, date)
        if new_date < EARLIEST:
            losses.add(LEFT)
            break
        if version.date is None or new_date != _whole(version.date):
            losses.add(MOVED)
        kept.append(replace(version, date=new_date))
        date = new_date
    if len(list(_distinct(came, digest))) < len(came):
        losses.add(NOT_KEPT)
    return tuple(reversed(kept)), tuple(sorted(losses, key=lambda loss: loss.reason))


def _distinct(came: Sequence[Older], digest: bytes) -> Iterator[Older]:
    """Yield the versions that a target can tell apart, newest first.

    A version that is empty, or that has the bytes of the next newer one, is no version to a target.
    """
    for version in reversed(came):
        if version.size and version.digest != digest:
            digest = version.digest
            yield version


def _before(version: Older, date: datetime) -> datetime:
    """Return the version's own date, if it is before the date of the next newer version."""
    latest = _whole(date) - SECOND
    return latest if version.date is None else min(_whole(version.date), latest)


def _whole(date: datetime) -> datetime:
    return date.astimezone(UTC).replace(microsecond=0)
