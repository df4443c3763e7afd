"""Removes from the target what the source deleted: after every create of the pass (R7), and never
suspiciously much (R8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from engine.context.leg_context import LegContext
from engine.context.shrink_guard import CODE, is_halved, is_mostly_gone, is_shrunk
from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.inventory.lines import NOT_OURS
from model.errors import Blocked, MigrationError
from model.protocols import Failed, Loss, Stored

DUPLICATE_UID = "duplicate-uid"
"""The code of what was skipped because another of ours has its UID and means the same: it may be owed once
that one is gone, or means something else."""
UID_TAKEN = (DUPLICATE_UID, "uid-conflict")
"""The codes of what has not arrived because something else has its UID."""
LEFT_EMPTY = Loss("folder-name", "left-empty")
CHANGED = "changed-at-target"
"""What Target.remove and amend say where something else is by now than what we wrote."""


def withdraw(leg: LegContext, rows: Sequence[ContainerRow]) -> int:
    """R7: removes from the target what the source deleted, after every create of the pass has settled
    and refuse_shrunk has agreed. What was found there, and not written by us, stays. What cannot be
    removed keeps nothing else from going: the first such error is raised at the end. Returns how many were
    removed."""
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
    """Names the folders that the source has no more, that nothing of ours is in by now, and that stay: of
    files, engine.leg.file_cleanup removes them. Asks the target for its folders where there may be one."""
    if not leg.mirror or leg.context.target.files is not None:
        return
    taken = {row.href for row in rows if not row.gone}
    left = [
        row
        for row in rows
        if row.gone and row.role is None and row.href not in taken and not _holds(leg, row)
    ]
    there = {container.id for container in leg.target.containers()} if left else set()
    for row in left:
        if row.href in there:
            leg.ledger.lose(row.id, None, (LEFT_EMPTY,))


def _holds(leg: LegContext, row: ContainerRow) -> bool:
    counts = leg.ledger.counts(row.id)
    return any(counts.get(state) for state in AT_TARGET)


def reconsider(leg: LegContext) -> None:
    """Something of ours is about to go: what its UID kept away may arrive after all."""
    for code in UID_TAKEN:
        leg.ledger.reconsider(code)


def refuse_shrunk(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """R8: raises Blocked("source-shrunk") before anything is removed, when this pass would remove
    suspiciously much of one container, or of all of them together: a source that lost its many small
    folders loses no large one, and most people have few contacts. So it does when other mailboxes of the run
    lose as much (engine.context.shrink_guard.ShrinkBreaker). Moves within the mailbox do not count."""
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
    gone = is_mostly_gone(total, all_moved)
    leg.breaker.note(leg.mailbox.id, gone=gone and not leg.approved(CODE))
    strange = any(is_shrunk(*part) for part in parts) or is_halved(total, all_moved)
    if (strange or (gone and leg.breaker.pulled)) and not leg.allowed_once(
        CODE, sum(map(len, leaving.values()))
    ):
        raise Blocked("source-shrunk", "suspiciously many items are gone from the source")


def _leaving(leg: LegContext, row: ContainerRow) -> Iterator[list[ItemRow]]:
    """In batches, each item once, whatever becomes of it."""
    if row.href is None or not leg.ledger.pending(row.id, 1, states=(State.LEAVING,)):
        return  # an index tells that there are none, as there mostly are; all items are gone through below
    rows = leg.ledger.rows(row.id, (State.LEAVING,))
    while batch := list(islice(rows, leg.pace.batch)):
        yield batch


def _withdraw(
    leg: LegContext, row: ContainerRow, leaving: Sequence[ItemRow]
) -> tuple[list[Stored], list[Failed]]:
    ours = [item for item in leaving if leg.is_ours(item)]
    if ours:
        # Before they go: after that, nobody would remember that their UIDs are free.
        reconsider(leg)
    theirs = [item.key for item in leaving if not leg.is_ours(item)]
    leg.ledger.withdrawn(row.id, theirs, removed=False, code=NOT_OURS)
    removed, failed = split(leg.target.remove(str(row.href), [stored(item) for item in ours]))
    leg.ledger.withdrawn(row.id, [result.key for result in removed])
    return removed, disown(leg, row, failed)


def disown(leg: LegContext, row: ContainerRow, failed: Sequence[Failed]) -> list[Failed]:
    """R8b: what the target did not remove, for it is not what we wrote, stays, and is nobody's item any more:
    verification names it. Returns what else failed."""
    others = [failure.key for failure in failed if failure.error.code == CHANGED]
    if others:
        leg.ledger.withdrawn(row.id, others, removed=False, code=CHANGED, traces=True)
        leg.ledger.event("left-at-target", {"items": len(others)})
    return [failure for failure in failed if failure.error.code != CHANGED]


def _still_here(leg: LegContext, digests: set[bytes | None]) -> Counter[bytes | None]:
    """How often the mailbox holds these at other places: a user tidied up. What was moved with its UID may
    arrive only when the old copy is gone."""
    return Counter(
        item.digest
        for container in leg.ledger.containers()
        for item in leg.ledger.rows(container.id, (State.WRITTEN, State.VERIFIED, State.SKIPPED))
        if item.digest in digests and (item.state is not State.SKIPPED or item.code == DUPLICATE_UID)
    )


def _take(here: Counter[bytes | None], digests: Iterable[bytes | None]) -> int:
    """How many of these have a counterpart; each counterpart counts for one."""
    count = 0
    for digest in digests:
        if here[digest] > 0:
            here[digest] -= 1
            count += 1
    return count


def split(results: Iterator[Stored | Failed]) -> tuple[list[Stored], list[Failed]]:
    """What was done, and what was not."""
    done: list[Stored] = []
    failed: list[Failed] = []
    for result in results:
        if isinstance(result, Stored):
            done.append(result)
        else:
            failed.append(result)
    return done, failed


def stored(item: ItemRow) -> Stored:
    """What the ledger says is at the target."""
    return Stored(
        item.key,
        str(item.href),
        item.target_version or "",
        digest=item.digest or b"",
        size=item.size,
        date=item.date,
        mid=item.mid,
    )
