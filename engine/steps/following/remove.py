"""Remove from the target what the source deleted.

After every create of the pass (R7), never suspiciously much (R8).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from engine.context.leg_context import LegContext
from engine.context.shrink_guard import CODE, is_halved, is_mostly_gone, is_shrunk
from engine.steps.own_copies import CHANGED, DUPLICATE_UID, held_by_others, reconsider, split, stored
from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.inventory.lines import NOT_OURS
from ledger.leg.meetings import STAYS_FOR_GUESTS
from model.errors import Blocked, MigrationError
from model.protocols import Failed, Loss, Stored

LEFT_EMPTY = Loss("folder-name", "left-empty")


def withdraw(leg: LegContext, rows: Sequence[ContainerRow]) -> int:
    """Remove what the source deleted (R7).

    Every create of the pass must have settled, and refuse_shrunk must have agreed. Copies that Kogge found
    there, and did not write, stay, and so does what a guest who has moved sees of a meeting. A copy that
    cannot be removed keeps nothing else from going. Idempotent.

    Args:
        leg: the open leg.
        rows: the containers.

    Returns:
        How many copies were removed.

    Raises:
        MigrationError: the first error of a removal, at the end.
    """
    count = 0
    errors: list[MigrationError] = []
    for row in rows if leg.mirror else ():
        for leaving in _leaving(leg, row):
            leg.check()
            removed, failed = _withdraw(leg, row, leaving)
            count += len(removed)
            errors += [failure.error for failure in failed]
    if errors:
        raise errors[0]
    return count


def name_left(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """Record as a loss the empty folders that the source no longer has and that stay at the target.

    Folders of files are removed instead (engine.leg.file_cleanup). The target is asked for its folders only
    if there may be one.
    """
    if not leg.mirror or leg.context.target.files is not None:
        return
    used_hrefs = {row.href for row in rows if not row.gone}
    removed_rows = [
        row
        for row in rows
        if row.gone and row.role is None and row.href not in used_hrefs and not _holds(leg, row)
    ]
    target_hrefs = {container.id for container in leg.target.containers()} if removed_rows else set()
    for row in removed_rows:
        if row.href in target_hrefs:
            leg.ledger.lose(row.id, None, (LEFT_EMPTY,))


def _holds(leg: LegContext, row: ContainerRow) -> bool:
    counts = leg.ledger.counts(row.id)
    return any(counts.get(state) for state in AT_TARGET)


def refuse_shrunk(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """Refuse to remove suspiciously much (R8), before anything is removed.

    The bounds are those of one container and of all containers together: a source that lost its many small
    folders loses no large one, and most people have few contacts. A smaller loss is refused too if other
    mailboxes of the run lose as much (engine.context.shrink_guard.ShrinkBreaker). Moves within the mailbox do
    not count.

    Args:
        leg: the open leg.
        rows: the containers.

    Raises:
        Blocked: `source-shrunk` until a person approves.
    """
    if not leg.mirror:
        return
    total = leg.ledger.counts()
    shrunk = [row for row in rows if is_shrunk(leg.ledger.counts(row.id))]
    if not shrunk and not is_shrunk(total) and not is_mostly_gone(total):
        leg.breaker.note(leg.mailbox.id, gone=False)
        return
    leaving = {row.id: [item.digest for item in leg.ledger.rows(row.id, (State.LEAVING,))] for row in rows}
    here = _still_here(leg, {digest for digests in leaving.values() for digest in digests})
    moved = {number: _take(here, digests) for number, digests in leaving.items()}
    all_moved = sum(moved.values())
    parts = [(leg.ledger.counts(row.id), moved[row.id]) for row in shrunk] + [(total, all_moved)]
    mostly_gone = is_mostly_gone(total, all_moved)
    leg.breaker.note(leg.mailbox.id, gone=mostly_gone and not leg.approved(CODE))
    is_suspicious = any(is_shrunk(*part) for part in parts) or is_halved(total, all_moved)
    if (is_suspicious or (mostly_gone and leg.breaker.pulled)) and not leg.allowed_once(
        CODE, sum(map(len, leaving.values()))
    ):
        raise Blocked("source-shrunk", "suspiciously many items are gone from the source")


def _leaving(leg: LegContext, row: ContainerRow) -> Iterator[list[ItemRow]]:
    """Yield the items that leave, in batches, each once, whatever becomes of it."""
    if row.href is None or not leg.ledger.pending(row.id, 1, states=(State.LEAVING,)):
        return  # an index answers this; below, all items are read
    rows = leg.ledger.rows(row.id, (State.LEAVING,))
    while batch := list(islice(rows, leg.pace.batch)):
        yield batch


def _withdraw(
    leg: LegContext, row: ContainerRow, leaving: Sequence[ItemRow]
) -> tuple[list[Stored], list[Failed]]:
    our_items = _without_guests(leg, row, [item for item in leaving if leg.is_ours(item)])
    if our_items:
        # Before the removal: afterwards nothing would say that their UIDs are free.
        reconsider(leg)
    not_ours = [item.key for item in leaving if not leg.is_ours(item)]
    leg.ledger.withdrawn(row.id, not_ours, removed=False, code=NOT_OURS)
    kept = held_by_others(leg, row, our_items)
    leg.ledger.withdrawn(row.id, [item.key for item in our_items if item.href in kept], removed=False)
    going = [stored(item) for item in our_items if item.href not in kept]
    removed, failed = split(leg.target.remove(str(row.href), going))
    leg.ledger.withdrawn(row.id, [result.key for result in removed])
    return removed, disown(leg, row, failed)


def _without_guests(leg: LegContext, row: ContainerRow, items: Sequence[ItemRow]) -> list[ItemRow]:
    """Give up an organizer's own items that guests see who are frozen or live; return the others.

    Where one event is everybody's, its removal would take it from their calendars.
    """
    if not items or not leg.context.target.shares_events:
        return list(items)
    staying = leg.ledger.meetings.seen_by_moved(row.id, [item.key for item in items])
    if staying:
        leg.ledger.withdrawn(row.id, staying, removed=False, code=STAYS_FOR_GUESTS)
        leg.ledger.event(STAYS_FOR_GUESTS, {"items": len(staying)})
    return [item for item in items if item.key not in staying]


def disown(leg: LegContext, row: ContainerRow, failed: Sequence[Failed]) -> list[Failed]:
    """Give up copies that the target did not remove because they are not what Kogge wrote (R8b).

    They stay, and no row owns them any more: verification names them.

    Returns:
        The failures for other reasons.
    """
    changed_keys = [failure.key for failure in failed if failure.error.code == CHANGED]
    if changed_keys:
        leg.ledger.withdrawn(row.id, changed_keys, removed=False, code=CHANGED, traces=True)
        leg.ledger.event("left-at-target", {"items": len(changed_keys)})
    return [failure for failure in failed if failure.error.code != CHANGED]


def _still_here(leg: LegContext, digests: set[bytes | None]) -> Counter[bytes | None]:
    """Count how often the mailbox holds these digests at other places: a user tidied up.

    An item that was moved with its UID may arrive only when the old copy is gone.
    """
    return Counter(
        item.digest
        for container in leg.ledger.containers()
        for item in leg.ledger.rows(container.id, (State.WRITTEN, State.VERIFIED, State.SKIPPED))
        if item.digest in digests and (item.state is not State.SKIPPED or item.code == DUPLICATE_UID)
    )


def _take(here: Counter[bytes | None], digests: Iterable[bytes | None]) -> int:
    """Return how many of these have a counterpart; each counterpart counts once."""
    count = 0
    for digest in digests:
        if here[digest] > 0:
            here[digest] -= 1
            count += 1
    return count
