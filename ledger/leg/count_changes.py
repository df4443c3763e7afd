"""Work out what a step leaves in a container, so that it need not be counted again. Pure.

Where a step may leave one of several counts, the answer is None: the container is counted when it matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from ledger.db.rows import State

Counts: TypeAlias = Mapping[State, int]


class Counted(NamedTuple):
    """Hold the exact counts of a container.

    Attributes:
        counts: items by state; states without items are absent.
        begun: True if this worker began everything that is WRITING, and nothing is noted of it since
            (ledger.leg.listing_diff.NEWER, DELETED), so that settling leads to the state that is asked for.
    """

    counts: Counts
    begun: bool = False


def after_listing(before: Counted | None, change: Counts) -> Counted | None:
    """Return what is there after a listing changed the counts. It may have noted something of an item."""
    return None if before is None else _moved(before.counts, change)


def after_begin(before: Counted | None, number: int) -> Counted | None:
    """Return what is there after so many open items became WRITING.

    None unless all of them were SEEN before.
    """
    if before is None or before.counts.get(State.WRITING) or before.counts.get(State.CHANGED):
        return None
    return _moved(before.counts, {State.SEEN: -number, State.WRITING: number}, begun=True)


def after_settling(before: Counted | None, fates: Counts) -> Counted | None:
    """Return what is there after WRITING items got these fates, and no item got another."""
    if before is None or not before.begun:
        return None
    decided = sum(number for state, number in fates.items() if state is not State.WRITTEN)
    if decided and (before.counts.get(State.SEEN) or before.counts.get(State.CHANGED)):
        return None  # of these, too, it may be decided that they do not move
    return _moved(before.counts, {**fates, State.WRITING: -sum(fates.values())}, begun=True)


def after_verifying(before: Counted | None, moved: int) -> Counted | None:
    """Return what is there after so many WRITTEN or VERIFIED items are VERIFIED.

    None unless they are all that was WRITTEN or VERIFIED.
    """
    if before is None:
        return None
    written, verified = before.counts.get(State.WRITTEN, 0), before.counts.get(State.VERIFIED, 0)
    if moved != written + verified:
        return None
    return _moved(before.counts, {State.WRITTEN: -written, State.VERIFIED: written})


def _moved(counts: Counts, change: Counts, *, begun: bool = False) -> Counted | None:
    moved = {state: counts.get(state, 0) + change.get(state, 0) for state in {*counts, *change}}
    if min(moved.values(), default=0) < 0:
        return None
    return Counted({state: number for state, number in moved.items() if number}, begun)
