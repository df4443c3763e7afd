"""Decide about writes whose outcome is unknown, and about what an earlier worker left behind.

Everything here rests on one pure function, ledger.leg.matching.match: it pairs rows of the ledger with what
the target lists. It runs after a crash, after a cut connection and after a changed UIDVALIDITY alike.

Source:
    RFC 9051 section 2.3.1.1 (UIDVALIDITY).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from engine.context.leg_context import InDoubtWrite, LegContext
from engine.files import file_names, file_versions
from engine.steps.following.remove import CHANGED, reconsider, split, stored
from engine.steps.settling import accepted_differences
from engine.steps.settling.worker_deaths import TRIED_AGAIN, Cause, counted
from ledger.db.incidents import NONE
from ledger.db.rows import KEPT, ContainerRow, Finding, ItemRow, Outcome, State
from ledger.leg.matching import Matching, TargetItem, Wanted, match, narrow
from ledger.leg.rollback import DOOMS
from model.errors import Blocked, Rejected, Transient
from model.optional_protocols import LooksUp, SupportsDigests
from model.protocols import Failed, Listed, Native, Stored

T = TypeVar("T")

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
    used = {*rewritten, *amended}
    leg.ledger.rewrite(row.id, rewritten, counted=True)
    leg.ledger.recheck(row.id, amended)
    leg.ledger.replace_findings(row.id, [finding for finding in findings if finding.key not in used])
    return len(rewritten) + len(amended)


def _detail_to_mend(leg: LegContext, finding: Finding) -> str | None:
    """Return the detail of a finding that is to be mended; None if nothing is to be mended."""
    if finding.outcome not in REPAIRED:
        return None
    code = accepted_differences.code_of(finding)
    if code is None:
        return finding.detail
    return None if code != KEPT or leg.approved(code) else finding.detail.partition(":")[2]


def listed_once(leg: LegContext, href: str, since: str | None = None) -> Iterator[Listed]:
    """List as Target.listing, but each item once, even if a server names it twice.

    Where a target lists a part only, every item that this leg may have written is asked for by its name.
    Items of others that the target does not list stay unknown.

    Args:
        leg: the open leg.
        href: the folder at the target.
        since: the position at which the listing begins; None for all.
    """
    hrefs: set[str] = set()
    for item in leg.target.listing(href, since):
        if item.href not in hrefs:
            hrefs.add(item.href)
            yield item
    if leg.context.target.lists_partly and isinstance(leg.target, LooksUp):
        unlisted = dict.fromkeys(name for name in _own_names(leg, href) if name not in hrefs)
        for item in leg.target.look_up(href, list(unlisted)):
            if item.href in unlisted:
                del unlisted[item.href]
                yield item


def _own_names(leg: LegContext, href: str) -> Iterator[str]:
    """Yield where the items of this leg in a folder are, or would be."""
    for container in leg.ledger.containers():
        for row in leg.ledger.rows(container.id) if container.href == href else ():
            name = row.href if row.href is not None else file_names.place(leg, row)
            if name is not None and "/" not in name:
                yield name


def read_once(leg: LegContext, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
    """Read as Target.read, but leave out answers that were not asked for, and second answers.

    Args:
        leg: the open leg.
        href: the folder at the target.
        hrefs: the items to read.
    """
    return _each_once(leg.target.read, href, hrefs)


def digests_once(leg: LegContext, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
    """Yield the digest of each item at the target, once.

    A target that hashes what it stores is believed; otherwise the item is read. An item without a body is
    left out.

    Args:
        leg: the open leg.
        href: the folder at the target.
        hrefs: the items.
    """
    if isinstance(leg.target, SupportsDigests):
        yield from _each_once(leg.target.digests, href, hrefs)
        return
    for item, result in read_once(leg, href, hrefs):
        if isinstance(result, Failed):
            yield item, result
        elif result.body is not None:
            yield item, leg.digest(result.body)


def _each_once(
    ask: Callable[[str, list[str]], Iterator[tuple[str, T]]], href: str, hrefs: Iterable[str]
) -> Iterator[tuple[str, T]]:
    awaited = dict.fromkeys(hrefs)
    for item, result in ask(href, list(awaited)) if awaited else ():
        if item in awaited:
            del awaited[item]
            yield item, result


def read_digests(leg: LegContext, href: str, hrefs: Iterable[str]) -> dict[str, bytes]:
    """Return the digests of items at the target; vanished items are left out.

    Args:
        leg: the open leg.
        href: the folder at the target.
        hrefs: the items.

    Raises:
        Transient: `target-read-empty` if the target says nothing about an item. The outcome is unknown then:
            settling on half a view would write twice.
        MigrationError: what the target raised about an item.
    """
    silent = dict.fromkeys(hrefs)
    digests: dict[str, bytes] = {}
    for item, result in digests_once(leg, href, list(silent)):
        del silent[item]
        if not isinstance(result, Failed):
            digests[item] = result
        elif not isinstance(result.error, Rejected) or result.error.code != "vanished":
            raise result.error
    if silent:
        raise Transient("target-read-empty")
    return digests


@contextmanager
def unless_missing() -> Iterator[None]:
    """Go on if a folder is not there: in a live mailbox its user may just have removed it."""
    try:
        yield
    except Blocked as error:
        if error.code != "container-missing":
            raise


def sized_like(leg: LegContext, href: str, sizes: Collection[int]) -> Iterator[tuple[Listed, bytes]]:
    """Yield the items of a folder that have one of these sizes, with their digests.

    No other item is read: the folder may be a user's own, and large.

    Args:
        leg: the open leg.
        href: the folder at the target.
        sizes: in bytes.
    """
    if sizes:
        leg.check()
        items = {item.href: item for item in listed_once(leg, href) if item.size in sizes}
        for found, digest in read_digests(leg, href, items).items():
            yield items[found], digest


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


def paired(leg: LegContext, href: str, rows: Sequence[Wanted], since: str | None) -> Matching:
    """Pair expected items with the target's items that no row owns (R3).

    Args:
        leg: the open leg.
        href: the folder at the target.
        rows: the expected items.
        since: the position at which the listing begins; None for all.

    Raises:
        Transient: see read_digests.
    """
    try:
        listing = [_target_item(item) for item in listed_once(leg, href, since)]
    except Blocked as error:
        if error.code != "container-missing":
            raise
        listing = []  # someone removed the folder with everything in it
    claimed = set() if since is None and not rows else leg.ledger.claimed(href)
    free = [item for item in listing if item.href not in claimed]
    digests = read_digests(leg, href, narrow(rows, free, set()))
    return match(rows, free, digests)


def _target_item(item: Listed) -> TargetItem:
    return TargetItem(item.href, item.size, item.message_id)


def _unclaimed(leg: LegContext, href: str, since: str) -> list[Listed]:
    claimed = leg.ledger.claimed(href)
    return [item for item in listed_once(leg, href, since or None) if item.href not in claimed]


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
