"""Find, in the live phase, what the source moved to another calendar or task list since it was copied.

Its copy stays where it is, for it is the user's. A second object with its UID would show it twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.context.leg_context import LegContext
from engine.steps import discover
from engine.steps.remove import DUPLICATE_UID
from ledger.db.rows import ContainerRow, State
from model.protocols import Kind, Mapped

KINDS = frozenset({Kind.CALENDAR, Kind.TASKS})
"""The kinds whose items keep their UID when they are moved."""
HELD = (State.WRITTEN, State.VERIFIED)


def find_moved(leg: LegContext, rows: Sequence[ContainerRow]) -> frozenset[bytes]:
    """Return the digests of copies whose items the source no longer has where they were.

    The source is asked for all that it has, if there is a late item at all.

    Args:
        leg: the open leg.
        rows: the containers of the leg.
    """
    if leg.mirror or leg.kind not in KINDS:
        return frozenset()
    if not any(leg.ledger.counts(row.id).get(State.SEEN, 0) for row in rows):
        return frozenset()
    moved: set[bytes] = set()
    for row in leg.ledger.containers():
        if row.omit is not None:
            continue  # it is not listed, so nobody knows what it has
        held = {item.key: item.digest for item in leg.ledger.rows(row.id, HELD) if item.digest}
        here = discover.present(leg, row) if held and not row.gone else set()
        moved |= {digest for key, digest in held.items() if key not in here}
    return frozenset(moved)


def sort_out(leg: LegContext, mapped: Sequence[Mapped]) -> tuple[list[Mapped], list[tuple[bytes, str]]]:
    """Separate moved items from those that are to be written. Ask no server.

    Args:
        leg: the open leg.
        mapped: mapped items.

    Returns:
        The items to write, and the keys of the moved ones with their code.
    """
    moved = {entry.item.key for entry in mapped if entry.item.digest in leg.moved}
    to_write = [entry for entry in mapped if entry.item.key not in moved]
    return to_write, [(key, DUPLICATE_UID) for key in moved]
