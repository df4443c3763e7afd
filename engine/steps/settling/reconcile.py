"""Decide about writes whose outcome is unknown, and about what an earlier worker left behind.

Everything here rests on one pure function, ledger.leg.matching.match: it pairs rows of the ledger with what
the target lists. It runs after a crash, after a cut connection and after a changed UIDVALIDITY alike.

Source:
    RFC 9051 section 2.3.1.1 (UIDVALIDITY).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.context.leg_context import InDoubtWrite, LegContext
from engine.files import file_names, file_versions
from engine.steps.own_copies import CHANGED, reconsider, split, stored
from engine.steps.positions import earliest, era_of, reaches
from engine.steps.settling import accepted_differences
from engine.steps.settling.worker_deaths import TRIED_AGAIN, Cause, counted
from engine.steps.target_reading import full_listing, paired, read_digests
from ledger.db.incidents import NONE
from ledger.db.rows import KEPT, ContainerRow, Finding, ItemRow, Outcome, State
from ledger.leg.matching import Wanted
from ledger.leg.rollback import DOOMS
from model.errors import Blocked
from model.protocols import Listed, Stored

REPAIRED = (Outcome.MISSING, Outcome.DIFFERS)
REWRITTEN = ("", "date", "source-date", "body")
"""Details of findings that a new copy mends; "" means missing."""
LEFT = ("", "folder", "shares", file_versions.DETAIL)
"""Details of findings that replacing the item in place does not mend."""
HELD = (State.WRITTEN, State.VERIFIED, State.CHANGED)
AT_TARGET = (*HELD, State.LEAVING)


@dataclass(slots=True)
class Unsettled:
    """Hold the rows left WRITING in all containers of the leg that share one href.

    Attributes:
        href: the folder at the target.
        by_container: the rows, by the id of their container.
    """

    href: str
    by_container: dict[int, list[ItemRow]] = field(default_factory=dict)

    def rows(self) -> list[ItemRow]:
        """Return the rows of all containers."""
        return [row for rows in self.by_container.values() for row in rows]


def settle(leg: LegContext, *, died: Cause | None) -> int:
    """Turn every WRITING row into WRITTEN (found at the target) or SEEN (not there).

    Also note where a late write may still land. Idempotent.

    Args:
        leg: the open leg.
        died: why the worker of the attempt died, which may count against the item (R10); None if the attempt
            ended with a fault that the worker survived.

    Returns:
        How many rows were settled.

    Raises:
        Transient: `target-read-empty` if the target says nothing about a copy: settling on half a view would
            write twice.
    """
    settled = len(settle_doomed(leg))
    groups = _unsettled(leg)
    alone = sum(len(group.rows()) for group in groups) == 1
    for unsettled in groups:
        leg.check()
        settled += len(unsettled.rows())
        _settle_one(leg, unsettled, died, alone)
    return settled


def give_killers_another_chance(leg: LegContext) -> int:
    """Make pending again items that were rejected because workers died with them alone in hand.

    Only deaths longer ago than BatchLimits.killers_rest are forgiven.

    Returns:
        How many items.
    """
    return leg.ledger.incidents.give_another_chance(TRIED_AGAIN, leg.pace.killers_rest)


def sweep(leg: LegContext, href: str) -> int:
    """Remove late writes of an earlier attempt (orphans), in staging only.

    An orphan belongs to no row, and has the digest of a row whose own write began at or below its position.
    Records an event.

    Args:
        leg: the open leg.
        href: the folder at the target.

    Returns:
        How many copies were removed.
    """
    suspicion = leg.in_doubt.get(href)  # it stays there: the write may land after this look too
    if suspicion is None or not leg.mirror:
        return 0
    unclaimed = _unclaimed(leg, href, suspicion.since)
    if leg.context.target.files is not None:
        unclaimed = [item for item in unclaimed if item.href in suspicion.names]
    if not unclaimed:
        return 0
    written = _written_since(leg, href, suspicion.digests)
    digests = read_digests(leg, href, (item.href for item in unclaimed))
    orphans = [
        Stored(b"", item, digest=digest)
        for item, digest in digests.items()
        if reaches(written.get(digest), item)
    ]
    if orphans:
        reconsider(leg)  # before the removal, as in withdraw
    removed = [result for result in leg.target.remove(href, orphans) if isinstance(result, Stored)]
    if removed:
        leg.ledger.event("zombies-removed", {"count": len(removed)})
    return len(removed)


def repair(leg: LegContext, row: ContainerRow) -> int:
    """Mark what the last verification found missing or different to be done again, in staging only.

    Also sweep copies of ours that no row owns. What someone else put there is left alone, and so is an item
    that differs again after REWRITES_MOST times: its finding stays. Findings are used up, so that a second
    walk does not repair twice.

    Args:
        leg: the open leg.
        row: the container.

    Returns:
        How many rows are to be done again.
    """
    findings = list(leg.ledger.findings(row.id))
    if any(finding.outcome is Outcome.EXTRA and finding.detail == "duplicate" for finding in findings):
        doubted = {name for item in leg.ledger.rows(row.id) for name in item.doubted}
        _note_in_doubt(leg, str(row.href), None, {}, doubted)
    details = {
        finding.key: detail
        for finding in findings
        if finding.key and (detail := _detail_to_mend(leg, finding)) is not None
    }
    for key, incident in leg.ledger.incidents.of(row.id).items():
        if incident.rewrites >= accepted_differences.REWRITES_MOST:
            details.pop(key, None)
    if not details:
        return 0
    copies = {item.key: item for item in leg.ledger.rows(row.id, HELD) if item.key in details}
    in_place = leg.context.target.replaces
    amended = [key for key in copies if details[key] == "flags" or (in_place and details[key] not in LEFT)]
    again_for = ("",) if in_place else REWRITTEN
    rows = [item for item in copies.values() if details[item.key] in again_for]
    old = [stored(item) for item in rows if details[item.key] != ""]
    removed, failed = split(leg.target.remove(str(row.href), old))
    # A copy that is no longer ours stays (R8b); ours is missing then.
    free = {result.key for result in removed} | {
        failure.key for failure in failed if failure.error.code == CHANGED
    }
    rewritten = [item.key for item in rows if details[item.key] == "" or item.key in free]
    unread = [item.key for item in leg.ledger.rows(row.id, (State.REJECTED,)) if item.key in details]
    if unread:
        reconsider(leg)  # a copy that is lost stands for nothing
    used = {*rewritten, *amended, *unread}
    leg.ledger.rewrite(row.id, [*rewritten, *unread], counted=True)
    leg.ledger.recheck(row.id, amended)
    leg.ledger.replace_findings(row.id, [finding for finding in findings if finding.key not in used])
    return len(used)


def _detail_to_mend(leg: LegContext, finding: Finding) -> str | None:
    """Return the detail of a finding that is to be mended; None if nothing is to be mended."""
    if finding.outcome not in REPAIRED:
        return None
    code = finding.code
    if code is None:
        return finding.detail
    return None if code != KEPT or leg.approved(code) else finding.detail.partition(":")[2]


def settle_doomed(leg: LegContext) -> list[tuple[ContainerRow, ItemRow]]:
    """Settle removals during which a rollback died or was cut off.

    What is still at the target was not removed.

    Returns:
        The rows whose copies were removed, with their containers.

    Raises:
        Transient: see read_digests.
    """
    removed: list[tuple[ContainerRow, ItemRow]] = []
    for row in leg.ledger.containers():
        if not leg.ledger.pending(row.id, 1, states=(State.WRITING,)):
            continue  # an index answers this; usually there are none
        doomed = [item for item in leg.ledger.rows(row.id, (State.WRITING,)) if item.code in DOOMS]
        if not doomed:
            continue
        leg.check()
        still_there = _still_there(leg, str(row.href), doomed)
        moved = {key: href for key, href in still_there.items() if href is not None}
        leg.ledger.rollback.spared(row.id, still_there.keys())
        leg.ledger.rehref(row.id, moved)
        leg.ledger.rollback.undone(row.id, {item.key for item in doomed} - still_there.keys())
        removed += [(row, item) for item in doomed if item.key not in still_there]
    return removed


def _still_there(leg: LegContext, href: str, doomed: Sequence[ItemRow]) -> dict[bytes, str | None]:
    """Return, by key, which items have something at their place, whatever it is.

    For items of a folder that was renumbered since, the value is their new href; else None.
    """
    try:
        era = era_of(leg.target.position(href))
    except Blocked as error:
        if error.code != "container-missing":
            raise
        return {}
    renumbered = [item for item in doomed if era and era_of(str(item.href)) != era]
    expected = [Wanted(item.key, item.digest or b"", item.size or 0, None, None) for item in renumbered]
    moved: dict[bytes, str | None] = {**paired(leg, href, expected, None).pairs} if renumbered else {}
    in_place = [item for item in doomed if item not in renumbered]
    digests = read_digests(leg, href, {str(item.href): None for item in in_place})
    return moved | {item.key: None for item in in_place if item.href in digests}


def _unsettled(leg: LegContext) -> list[Unsettled]:
    by_href: dict[str, Unsettled] = {}
    for container in leg.ledger.containers():
        rows = list(leg.ledger.rows(container.id, (State.WRITING,)))
        if rows and container.href is not None:
            group = by_href.setdefault(container.href, Unsettled(container.href))
            group.by_container[container.id] = rows
    return list(by_href.values())


def _deaths(
    leg: LegContext, container_id: int, rows: Iterable[ItemRow], died: Cause | None, alone: bool
) -> dict[bytes, int]:
    """Return how many deaths count now against these rows; empty if no worker died."""
    if died is None:
        return {}
    incidents = leg.ledger.incidents.of(container_id)
    earlier = {row.key: incidents.get(row.key, NONE).deaths if row.attempts > 1 else 0 for row in rows}
    return {key: counted(count, died, alone=alone) for key, count in earlier.items()}


def _settle_one(leg: LegContext, unsettled: Unsettled, died: Cause | None, alone: bool) -> None:
    rows = unsettled.rows()
    sent = [row for row in rows if row.digest is not None]
    since = earliest(row.since for row in rows)
    pairs = _find_written(leg, unsettled.href, sent, since) if sent else {}
    for container_id, group in unsettled.by_container.items():
        copies = [Stored(row.key, pairs[row.key]) for row in group if row.key in pairs]
        absent = [row for row in group if row.key not in pairs]
        deaths = _deaths(leg, container_id, absent, died, alone)
        leg.ledger.settle(container_id, copies)
        doubted = {row.key: row.doubted | {row.place} for row in absent if _is_aimed(leg, row) and row.place}
        keys = [row.key for row in absent]
        leg.ledger.restore(container_id, keys, refund=died is None, deaths=deaths, doubted=doubted)
    if sent:
        lost = {row.digest: row.since for row in sent if row.digest and row.key not in pairs}
        _note_in_doubt(leg, unsettled.href, since, lost, {row.place for row in sent if row.place is not None})


def _is_aimed(leg: LegContext, row: ItemRow) -> bool:
    """Return True for a file that was sent under a name of its own."""
    return leg.context.target.files is not None and row.digest is not None


def _find_written(
    leg: LegContext, href: str, sent: Sequence[ItemRow], since: str | None
) -> Mapping[bytes, str]:
    """Return which of the writes took effect.

    If an item's place is known before it is written, only that place is looked at. An item that has a copy
    there already (href) is not proven by it: a worker that died before it intended left the digest of that
    copy. In staging such an item is written again, which does no harm.
    """
    unproven = [row for row in sent if row.href is None or not leg.mirror]
    places = {row.key: place for row in unproven if (place := file_names.place(leg, row)) is not None}
    digests = read_digests(leg, href, places.values()) if places else {}
    copies = {row.key: places[row.key] for row in sent if digests.get(places.get(row.key, "")) == row.digest}
    without_place = [row for row in unproven if row.key not in places]
    expected = [Wanted(row.key, row.digest or b"", row.size or 0, row.since, None) for row in without_place]
    return {**copies, **(paired(leg, href, expected, since).pairs if without_place else {})}


def _note_in_doubt(
    leg: LegContext,
    href: str,
    since: str | None,
    digests: dict[bytes, str | None],
    names: Collection[str] = (),
) -> None:
    in_doubt = leg.in_doubt.get(href)
    if in_doubt is None:
        leg.in_doubt[href] = InDoubtWrite(since or "", dict(digests), set(names))
        return
    in_doubt.names.update(names)
    in_doubt.since = earliest([since or None, in_doubt.since or None]) or ""
    for digest, position in digests.items():
        in_doubt.digests[digest] = earliest([position, in_doubt.digests.get(digest, position)])


def _unclaimed(leg: LegContext, href: str, since: str) -> list[Listed]:
    claimed = leg.ledger.claimed(href)
    return [item for item in full_listing(leg, href, since or None) if item.href not in claimed]


def _written_since(leg: LegContext, href: str, lost: dict[bytes, str | None]) -> dict[bytes, str | None]:
    """Return, by digest, the earliest position at which one of our writes of it began.

    This includes writes that were never found at the target and whose items are gone from the source: they
    may still land.
    """
    positions = dict(lost)
    for container in leg.ledger.containers():
        for row in leg.ledger.rows(container.id) if container.href == href else ():
            if row.digest is not None:
                position = positions.get(row.digest, row.since)
                positions[row.digest] = earliest([position, row.since])
    return positions
