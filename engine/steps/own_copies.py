"""Name our copies at the target as the ledger knows them, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.context.leg_context import LegContext
from ledger.db.rows import ContainerRow, ItemRow, State
from model.protocols import Failed, Stored

DUPLICATE_UID = "duplicate-uid"
"""The code of an item that was skipped because another of ours has its UID and the same meaning. It may be
owed once that one is gone or has another meaning."""
NOT_OWED = frozenset({DUPLICATE_UID, "own-hours", "hours-not-at-target"})
"""The codes with which a target says that an item is not needed there, or has no place: nobody has to act."""
MOVED = "moved-at-source"
"""The code of a late item whose copy is where the source had the item before."""
STOOD_FOR = (DUPLICATE_UID, "uid-conflict", MOVED)
"""The codes of items that have not arrived because something else has their UID, or is their copy."""
CHANGED = "changed-at-target"
"""The code with which Target.remove and amend say that something else is there than what Kogge wrote."""


def reconsider(leg: LegContext) -> None:
    """Make pending again what was kept away by a UID, or a copy, of ours that is about to go."""
    for code in STOOD_FOR:
        leg.ledger.reconsider(code)


def split(results: Iterator[Stored | Failed]) -> tuple[list[Stored], list[Failed]]:
    """Separate what was done from what failed."""
    done: list[Stored] = []
    failed: list[Failed] = []
    for result in results:
        if isinstance(result, Stored):
            done.append(result)
        else:
            failed.append(result)
    return done, failed


def held_by_others(leg: LegContext, row: ContainerRow, items: Iterable[ItemRow]) -> frozenset[str | None]:
    """Return what other items of the container have at the target under the names of these ones.

    It must stay when these go. Only a right is named by what it is about, and not by the item.
    """
    if not leg.traits.grants:
        return frozenset()
    keys = {item.key for item in items}
    rows = leg.ledger.rows(row.id, (State.WRITTEN, State.VERIFIED, State.CHANGED))
    return frozenset(item.href for item in rows if item.key not in keys)


def stored(item: ItemRow) -> Stored:
    """Return what the ledger says is at the target."""
    return Stored(
        item.key,
        str(item.href),
        item.target_version or "",
        digest=item.digest or b"",
        size=item.size,
        date=item.date,
        mid=item.mid,
    )
