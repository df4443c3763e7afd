"""Tell which containers need no look: the servers say that nothing changed since a look found them right.

A server that states a container's state (model.protocols.Container.state) changes it with everything that
happens in the container. If the state is the one in which a verification found every item of the container
right, a new listing would say the same again. A source without states that names changes alone is asked for
them, and where it names none, the container is as it was.

This holds in staging alone. Everything is listed again LOOK_AGAIN after the last listing, so that a server
whose states are wrong hides a change no longer than that; and a mailbox that is frozen is always listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.context.leg_context import LegContext
from engine.steps import item_dates
from engine.steps.listing.discover import THERE, Sides
from ledger.db.incidents import SOURCE_FAILS
from ledger.db.rows import ContainerRow, Phase, State
from ledger.leg.containers import NO_STATES, States
from mappings.losses.catalogue import lose
from model.errors import CursorLost
from model.protocols import Container

LOOK_AGAIN = 6 * 86400.0
"""Seconds after which everything in a container is listed again, whatever its states."""
NOT_GIVEN = lose("attachment", "not-readable")
"""Of an item with this loss the source is asked in every pass whether it gives the attachment now."""
UNSETTLED = (State.SEEN, State.WRITING, State.CHANGED, State.LEAVING, State.WRITTEN)
"""States of items that a pass, or its verification, still has to look at."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Name the containers that one side has as a verification found them right, by their ids in the ledger.

    Attributes:
        source: those that the source has so.
        target: those that the target has so.
        all: True if both sides have all containers so, and the pass has nothing else to do.
    """

    source: frozenset[int] = frozenset()
    target: frozenset[int] = frozenset()
    all: bool = False


NOTHING = Unchanged()


def since_verified(leg: LegContext, sides: Sides, *, ask: bool = False) -> Unchanged:
    """Compare the states of both sides with those in which everything was right.

    Nothing is recorded.

    Args:
        leg: the open leg.
        sides: the containers of both sides, as they were just listed.
        ask: True to ask a source without states for changes, if it alone decides whether the pass has
            anything to do; else nothing is asked of a server.
    """
    if leg.mailbox.phase is not Phase.STAGING or leg.in_doubt:
        return NOTHING
    rows = leg.ledger.containers()
    now = leg.now().timestamp()
    settled = [row for row in rows if _is_settled(leg, row, now)]
    sources = {container.id: container.state for container in sides.source}
    source = {row.id for row in settled if _has_state(sources.get(row.source_id), row.source_state)}
    target = {
        row.id
        for row in settled
        if row.href in sides.target and _has_state(sides.target[row.href].state, row.target_state)
    }
    target -= _sharing(rows, target)
    may_be_all = bool(rows) and _lists_the_same(rows, sides) and not _owes_anything(leg)
    if ask and may_be_all and all(_is_same(row, target, target) for row in rows):
        source |= _silent(leg, sides, [row for row in rows if row.id in target - source and not row.gone])
    is_all = may_be_all and all(_is_same(row, source, target) for row in rows)
    return Unchanged(frozenset(source), frozenset(target), is_all)


def states_to_keep(
    row: ContainerRow, states: tuple[str | None, str | None], now: float, *, clean: bool, looked: bool
) -> States:
    """Return what the ledger is to remember of a container after a verification.

    Args:
        row: the container.
        states: of the source and of the target, listed before the verification looked at its items.
        now: seconds since 1970 UTC.
        clean: True if everything in it is right, and nothing is open.
        looked: True if the verification listed its items on both sides.
    """
    if not clean or states == (None, None):
        return NO_STATES
    return States(*states, now if looked or row.looked is None else row.looked)


def is_clean(leg: LegContext, container_id: int) -> bool:
    """Return True if the ledger has nothing open in a container, and the last verification found nothing."""
    counts = leg.ledger.counts(container_id)
    return not any(counts.get(state) for state in UNSETTLED) and not leg.ledger.findings(container_id)


def _is_settled(leg: LegContext, row: ContainerRow, now: float) -> bool:
    return row.looked is not None and 0 <= now - row.looked < LOOK_AGAIN and is_clean(leg, row.id)


def _silent(leg: LegContext, sides: Sides, rows: Sequence[ContainerRow]) -> set[int]:
    """Return the containers in which the source names no change, up to the first in which it names one."""
    if not leg.source.capabilities.incremental:
        return set()
    listed = {container.id: container for container in sides.source}
    found: set[int] = set()
    for row in rows:
        leg.check()
        container = listed.get(row.source_id)
        if container is None or container.state is not None or not _is_silent(leg, row, container):
            return found
        found.add(row.id)
    return found


def _is_silent(leg: LegContext, row: ContainerRow, container: Container) -> bool:
    """Return True if the source has nothing to say of a container since it was listed to its end."""
    if row.cursor is None or not row.complete:
        return False
    if container.total == 0 and not any(leg.ledger.counts(row.id).get(state) for state in THERE):
        return True
    try:
        return not any(page.full or page.refs for page in leg.source.changes(container, row.cursor))
    except CursorLost:
        return False


def _has_state(now: str | None, before: str | None) -> bool:
    return now is not None and now == before


def _sharing(rows: Sequence[ContainerRow], unchanged: set[int]) -> set[int]:
    """Return the containers that share a folder of the target with one that needs a look."""
    by_href: dict[str | None, set[int]] = defaultdict(set)
    for row in rows:
        by_href[row.href].add(row.id)
    return {number for group in by_href.values() if not group <= unchanged for number in group}


def _is_same(row: ContainerRow, source: set[int], target: set[int]) -> bool:
    if row.href is None:
        return row.omit is not None or row.gone
    return row.id in target and (row.gone or row.id in source)


def _lists_the_same(rows: Sequence[ContainerRow], sides: Sides) -> bool:
    """Return True if the source has the folders that the ledger has, under the same names."""
    listed = {container.id: _shape(container) for container in sides.source}
    return listed == {row.source_id: _shape(row) for row in rows if not row.gone}


def _shape(folder: Container | ContainerRow) -> tuple[object, ...]:
    return folder.path, folder.role, folder.omit


def _owes_anything(leg: LegContext) -> bool:
    """Return True if a pass has something to do that no state tells of."""
    return (
        leg.ledger.inventory.is_due()
        or bool(leg.ledger.incidents.killers())
        or _failed_at_source(leg)
        or bool(leg.ledger.losses.of([*item_dates.CLAMPED, NOT_GIVEN]))
    )


def _failed_at_source(leg: LegContext) -> bool:
    """Return True if the source failed at an item, which every pass asks for again."""
    if not leg.ledger.counts().get(State.REJECTED):
        return False
    rows = (item for row in leg.ledger.containers() for item in leg.ledger.rows(row.id, (State.REJECTED,)))
    return any(item.code == SOURCE_FAILS for item in rows)
