"""What to do about writes whose outcome nobody knows, and about what an earlier worker left behind.

Everything here rests on one pure function, ledger.leg.matching.match: it pairs ledger rows with what the
target lists. It runs after a crash, after a cut connection and after a changed UIDVALIDITY alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from engine.context.leg_context import InDoubtWrite, LegContext
from engine.files import file_names, file_versions
from engine.steps import accepted_differences
from engine.steps.remove import CHANGED, reconsider, split, stored
from engine.steps.worker_deaths import TRIED_AGAIN, Cause, counted
from ledger.db.incidents import NONE
from ledger.db.rows import KEPT, ContainerRow, Finding, ItemRow, Outcome, State
from ledger.leg.matching import Matching, TargetItem, Wanted, match, narrow
from ledger.leg.rollback import DOOMS
from model.errors import Blocked, Rejected, Transient
from model.optional_protocols import SupportsDigests
from model.protocols import Failed, Listed, Native, Stored

T = TypeVar("T")

REPAIRED = (Outcome.MISSING, Outcome.DIFFERS)
REWRITTEN = ("", "date", "source-date", "body")
"""Details of findings that a new copy mends; "" is what is missing."""
LEFT = ("", "folder", "shares", file_versions.DETAIL)
"""Those that replacing the item where it is does not mend."""
"""How often a copy is made anew because verification found it missing or different, before it is left to a
person: some targets change an item at each write."""
HELD = (State.WRITTEN, State.VERIFIED, State.CHANGED)
AT_TARGET = (*HELD, State.LEAVING)


@dataclass(slots=True)
class Unsettled:
    """Rows left WRITING in all containers of the leg that share one href."""

    href: str
    by_container: dict[int, list[ItemRow]] = field(default_factory=dict)

    def rows(self) -> list[ItemRow]:
        return [row for rows in self.by_container.values() for row in rows]


def settle(leg: LegContext, *, died: Cause | None) -> int:
    """Turns every WRITING row into WRITTEN (found at the target) or SEEN (not there), and notes where a
    late write may still land. died: the attempt ended with its worker, for this cause, which may count
    against the item (R10); None: with a fault that the worker survived. Returns how many rows were settled.
    Idempotent."""
    settled = len(settle_doomed(leg))
    groups = _unsettled(leg)
    alone = sum(len(group.rows()) for group in groups) == 1
    for unsettled in groups:
        leg.check()
        settled += len(unsettled.rows())
        _settle_one(leg, unsettled, died, alone)
    return settled


def give_killers_another_chance(leg: LegContext) -> int:
    """Items that were rejected because workers died with them alone in hand are to be copied after all, once
    that is long enough ago (Pace.killers_rest). Returns how many."""
    return leg.ledger.incidents.give_another_chance(TRIED_AGAIN, leg.pace.killers_rest)


def sweep(leg: LegContext, href: str) -> int:
    """Removes what an earlier attempt's write left behind after we had looked (a zombie): owned by no
    row, and with the digest of a row whose own write began at or below it. Staging only. Records an
    event and returns how many."""
    suspicion = leg.in_doubt.get(href)  # kept: it may land after this look as well
    if suspicion is None or not leg.mirror:
        return 0
    found = _unclaimed(leg, href, suspicion.since)
    if leg.context.target.files is not None:
        found = [item for item in found if item.href in suspicion.names]
    if not found:
        return 0
    ours = _written_since(leg, href, suspicion.digests)
    digests = read_digests(leg, href, (item.href for item in found))
    orphans = [
        Stored(b"", item, digest=digest)
        for item, digest in digests.items()
        if reaches(ours.get(digest), item)
    ]
    if orphans:
        reconsider(leg)  # before they go, as in withdraw
    removed = [done for done in leg.target.remove(href, orphans) if isinstance(done, Stored)]
    if removed:
        leg.ledger.event("zombies-removed", {"count": len(removed)})
    return len(removed)


def revalidate(leg: LegContext, row: ContainerRow) -> int:
    """Pairs rows and target anew when the server changed the folder's identity (UIDVALIDITY), which
    voids every href in it. What is not there any more is to be written again; in the live phase the user
    removed it, and it stays so. Returns how many rows were affected."""
    if row.href is None or next(leg.ledger.rows(row.id, AT_TARGET), None) is None:
        return 0
    try:
        era = era_of(leg.target.position(row.href))
    except Blocked as error:
        if error.code == "container-missing" and (row.gone or not leg.mirror):
            return 0  # the user removed it, or the source has it no more either
        raise
    if not era:
        return 0  # hrefs have no order there, whatever their names look like
    rows = [item for item in leg.ledger.rows(row.id, AT_TARGET) if era_of(str(item.href)) != era]
    if not rows:
        return 0
    wanted = [Wanted(item.key, item.digest or b"", item.size or 0, None, None) for item in rows]
    found = paired(leg, row.href, wanted, None)
    absent = [item for item in rows if item.key not in found.pairs and leg.mirror]
    leaving = [item.key for item in absent if item.state is State.LEAVING]
    leg.ledger.withdrawn(row.id, leaving, removed=False)
    leg.ledger.rewrite(row.id, [item.key for item in absent if item.state is not State.LEAVING])
    leg.ledger.rehref(row.id, found.pairs)  # last: it is what tells the next run that this is done
    leg.ledger.event("target-folder-renumbered", {"items": len(rows), "absent": len(absent)})
    return len(rows)


def repair(leg: LegContext, row: ContainerRow) -> int:
    """In staging the target is ours: what the last verification found missing or different is written
    or amended again, and copies of ours that no row owns are swept. What somebody else put there is left
    alone, and so is what differs again after REWRITES_MOST times: its finding stays. Findings are used up, so
    that a second walk does not repair a second time. Returns how many rows are to be done again."""
    findings = list(leg.ledger.findings(row.id))
    if any(found.outcome is Outcome.EXTRA and found.detail == "duplicate" for found in findings):
        _suspect(leg, str(row.href), None, {})
    details = {
        found.key: detail for found in findings if found.key and (detail := _mended(leg, found)) is not None
    }
    for key, incident in leg.ledger.incidents.of(row.id).items():
        if incident.rewrites >= accepted_differences.REWRITES_MOST:
            details.pop(key, None)
    if not details:
        return 0
    held = {item.key: item for item in leg.ledger.rows(row.id, HELD) if item.key in details}
    in_place = leg.context.target.replaces
    amended = [key for key in held if details[key] == "flags" or (in_place and details[key] not in LEFT)]
    again_for = ("",) if in_place else REWRITTEN
    rows = [item for item in held.values() if details[item.key] in again_for]
    old = [stored(item) for item in rows if details[item.key] != ""]
    removed, failed = split(leg.target.remove(str(row.href), old))
    # What is not ours any more stays (R8b), and ours is missing.
    free = {result.key for result in removed} | {
        failure.key for failure in failed if failure.error.code == CHANGED
    }
    again = [item.key for item in rows if details[item.key] == "" or item.key in free]
    done = {*again, *amended}
    leg.ledger.rewrite(row.id, again, counted=True)
    leg.ledger.recheck(row.id, amended)
    leg.ledger.replace_findings(row.id, [found for found in findings if found.key not in done])
    return len(again) + len(amended)


def _mended(leg: LegContext, found: Finding) -> str | None:
    """What is to be mended of an item; None where nothing is."""
    if found.outcome not in REPAIRED:
        return None
    code = accepted_differences.code_of(found)
    if code is None:
        return found.detail
    return None if code != KEPT or leg.approved(code) else found.detail.partition(":")[2]


def listed_once(leg: LegContext, href: str, since: str | None = None) -> Iterator[Listed]:
    """As Target.listing, and each item once, though a server should name it twice."""
    named: set[str] = set()
    for item in leg.target.listing(href, since):
        if item.href not in named:
            named.add(item.href)
            yield item


def read_once(leg: LegContext, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, Native | Failed]]:
    """As Target.read: what nobody asked for is left out, and what is answered a second time."""
    return _once(leg.target.read, href, hrefs)


def digests_once(leg: LegContext, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
    """What each item at the target means, once: where the target hashes what it stores itself, by its word.
    One without a body is left out."""
    if isinstance(leg.target, SupportsDigests):
        yield from _once(leg.target.digests, href, hrefs)
        return
    for item, result in read_once(leg, href, hrefs):
        if isinstance(result, Failed):
            yield item, result
        elif result.body is not None:
            yield item, leg.digest(result.body)


def _once(
    ask: Callable[[str, list[str]], Iterator[tuple[str, T]]], href: str, hrefs: Iterable[str]
) -> Iterator[tuple[str, T]]:
    awaited = dict.fromkeys(hrefs)
    for item, result in ask(href, list(awaited)) if awaited else ():
        if item in awaited:
            del awaited[item]
            yield item, result


def read_digests(leg: LegContext, href: str, hrefs: Iterable[str]) -> dict[str, bytes]:
    """Reads items of the target and digests them. One that cannot be read, or of which nothing is said, makes
    the outcome unknown, so it raises: settling on half a view would write twice."""
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


def earliest(positions: Iterable[str | None]) -> str | None:
    """The lowest of several positions of one container; None (list everything) when they stem from
    different incarnations of the folder or one is unknown."""
    known = list(positions)
    marks = [mark for mark in known if mark is not None]
    if not marks or len(marks) < len(known) or len({era_of(mark) for mark in marks}) > 1:
        return None
    return min(marks, key=lambda mark: number_of(mark) or 0)


def era_of(href: str) -> str:
    """The incarnation of a folder (UIDVALIDITY) that an item's href or a position belongs to; "" where hrefs
    have none."""
    return href.rpartition(":")[0] if number_of(href) is not None else ""


def settle_doomed(leg: LegContext) -> list[tuple[ContainerRow, ItemRow]]:
    """A rollback died, or was cut off, around a removal: what is still at the target was not removed. Returns
    what was."""
    gone: list[tuple[ContainerRow, ItemRow]] = []
    for row in leg.ledger.containers():
        if not leg.ledger.pending(row.id, 1, states=(State.WRITING,)):
            continue  # an index tells that there are none, as there mostly are
        doomed = [item for item in leg.ledger.rows(row.id, (State.WRITING,)) if item.code in DOOMS]
        if not doomed:
            continue
        leg.check()
        there = _still_there(leg, str(row.href), doomed)
        moved = {key: href for key, href in there.items() if href is not None}
        leg.ledger.rollback.spared(row.id, there.keys())
        leg.ledger.rehref(row.id, moved)
        leg.ledger.rollback.undone(row.id, {item.key for item in doomed} - there.keys())
        gone += [(row, item) for item in doomed if item.key not in there]
    return gone


def _still_there(leg: LegContext, href: str, doomed: Sequence[ItemRow]) -> dict[bytes, str | None]:
    """Which have something at their place, whatever it is; and, of a folder that was renumbered meanwhile,
    where they are now."""
    try:
        era = era_of(leg.target.position(href))
    except Blocked as error:
        if error.code != "container-missing":
            raise
        return {}
    other = [item for item in doomed if era and era_of(str(item.href)) != era]
    wanted = [Wanted(item.key, item.digest or b"", item.size or 0, None, None) for item in other]
    found: dict[bytes, str | None] = {**paired(leg, href, wanted, None).pairs} if other else {}
    here = [item for item in doomed if item not in other]
    there = read_digests(leg, href, {str(item.href): None for item in here})
    return found | {item.key: None for item in here if item.href in there}


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
    """How many deaths now count against these rows; empty where this was none."""
    if died is None:
        return {}
    known = leg.ledger.incidents.of(container_id)
    before = {row.key: known.get(row.key, NONE).deaths if row.attempts > 1 else 0 for row in rows}
    return {key: counted(count, died, alone=alone) for key, count in before.items()}


def _settle_one(leg: LegContext, unsettled: Unsettled, died: Cause | None, alone: bool) -> None:
    rows = unsettled.rows()
    sent = [row for row in rows if row.digest is not None]
    since = earliest(row.since for row in rows)
    pairs = _found_again(leg, unsettled.href, sent, since) if sent else {}
    for container_id, group in unsettled.by_container.items():
        found = [Stored(row.key, pairs[row.key]) for row in group if row.key in pairs]
        absent = [row for row in group if row.key not in pairs]
        deaths = _deaths(leg, container_id, absent, died, alone)
        leg.ledger.settle(container_id, found)
        leg.ledger.restore(container_id, [row.key for row in absent], refund=died is None, deaths=deaths)
    if sent:
        lost = {row.digest: row.since for row in sent if row.digest and row.key not in pairs}
        _suspect(leg, unsettled.href, since, lost, {row.place for row in sent if row.place is not None})


def _found_again(
    leg: LegContext, href: str, sent: Sequence[ItemRow], since: str | None
) -> Mapping[bytes, str]:
    """Which of the writes took effect. Where an item's place is known before it is written, that place alone
    is looked at. What has a copy there already (href) proves nothing by being there: a worker that died
    before it intended left the digest of that copy. In staging it is written again, which harms nothing."""
    known = [row for row in sent if row.href is None or not leg.mirror]
    places = {row.key: place for row in known if (place := file_names.place(leg, row)) is not None}
    digests = read_digests(leg, href, places.values()) if places else {}
    found = {row.key: places[row.key] for row in sent if digests.get(places.get(row.key, "")) == row.digest}
    others = [row for row in known if row.key not in places]
    wanted = [Wanted(row.key, row.digest or b"", row.size or 0, row.since, None) for row in others]
    return {**found, **(paired(leg, href, wanted, since).pairs if others else {})}


def _suspect(
    leg: LegContext,
    href: str,
    since: str | None,
    digests: dict[bytes, str | None],
    names: Collection[str] = (),
) -> None:
    known = leg.in_doubt.get(href)
    if known is None:
        leg.in_doubt[href] = InDoubtWrite(since or "", dict(digests), set(names))
        return
    known.names.update(names)
    known.since = earliest([since or None, known.since or None]) or ""
    for digest, position in digests.items():
        known.digests[digest] = earliest([position, known.digests.get(digest, position)])


def paired(leg: LegContext, href: str, wanted: Sequence[Wanted], since: str | None) -> Matching:
    """R3: which of these is which item of the target that no row owns."""
    try:
        listing = [_found(item) for item in listed_once(leg, href, since)]
    except Blocked as error:
        if error.code != "container-missing":
            raise
        listing = []  # somebody removed the folder, and with it whatever we wrote
    claimed = set() if since is None and not wanted else leg.ledger.claimed(href)
    free = [item for item in listing if item.href not in claimed]
    digests = read_digests(leg, href, narrow(wanted, free, set()))
    return match(wanted, free, digests)


def _found(item: Listed) -> TargetItem:
    return TargetItem(item.href, item.size, item.message_id)


def _unclaimed(leg: LegContext, href: str, since: str) -> list[Listed]:
    claimed = leg.ledger.claimed(href)
    return [item for item in listed_once(leg, href, since or None) if item.href not in claimed]


def _written_since(leg: LegContext, href: str, lost: dict[bytes, str | None]) -> dict[bytes, str | None]:
    """digest -> the earliest position at which one of our writes of it began. Also of what was never
    found at the target and is gone from the source by now: it may land all the same."""
    ours = dict(lost)
    for container in leg.ledger.containers():
        for row in leg.ledger.rows(container.id) if container.href == href else ():
            if row.digest is not None:
                known = ours.get(row.digest, row.since)
                ours[row.digest] = earliest([known, row.since])
    return ours


def reaches(since: str | None, item: str) -> bool:
    """Whether an item stands at or above a position, in the same incarnation of its folder."""
    if since is None or era_of(since) != era_of(item):
        return False
    number = number_of(item)
    return number is None or number >= (number_of(since) or 0)


def number_of(mark: str) -> int | None:
    """The number of an item or a position in its folder; None for an href that has no place in an order."""
    _, separator, number = mark.rpartition(":")
    return int(number) if separator and number.isdecimal() and number.isascii() else None
