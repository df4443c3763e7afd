"""Puts right in place what was moved before with other dates, flags or folders than the source has.

What the source says is mapped anew, without bodies, and held against what the target lists. In the live phase
the three-way rule decides: what is still as we last wrote it may be put right, anything else is its user's.
Only what is wrong is touched, so a repair that died is run again. A date that belongs to a message's copy
means another copy: it is written, then the old one removed, then the ledger told; whoever comes next finds
the new one by its digest and date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice

from engine.context.leg_context import LegContext, as_container
from engine.steps import discover
from engine.steps import item_dates as dates
from engine.steps.reconcile import listed_once, paired, read_digests, read_once
from engine.steps.remove import split, stored
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.matching import Wanted
from ledger.leg.rollback import Corrected
from mappings.fields.folder_names import plan_names
from model.errors import Rejected
from model.optional_protocols import SupportsItemDates
from model.protocols import Amendment, Container, Failed, Item, Listed, Native, Ref, key_of

HELD = (State.WRITTEN, State.VERIFIED)


class What(StrEnum):
    """What is compared, and put right."""

    DATES = "dates"
    FLAGS = "flags"
    FOLDERS = "folders"


@dataclass(slots=True)
class Repair:
    """What to repair, and whether to do it or only to look. counts: "right", "repaired" (or, of a look, what
    would be), "user" (theirs: it stays), "refused" (by the target), "unread" (the source gives no answer)."""

    what: What
    execute: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Amiss:
    """An item that may not be as the source has it. there: as the target lists it; flags, date: what is
    right. came: the date is the source's own, not one that is clamped because it lies in the future."""

    item: ItemRow
    there: Listed
    flags: frozenset[str]
    date: datetime | None
    came: bool = False


def repair(leg: LegContext, order: Repair) -> None:
    """One pass over a leg. Idempotent. A look must have been given a target and a ledger that refuse."""
    if order.what is What.FOLDERS:
        _folders(leg, order)
        return
    if not is_kept(leg, order.what):
        return
    for row in discover.moving(leg):
        if not row.gone:
            repair_container(leg, order, row)


def repair_container(
    leg: LegContext, order: Repair, row: ContainerRow, only: Collection[bytes] | None = None
) -> None:
    """The same of one container. only: of these items alone."""
    listing = {one.href: one for one in listed_once(leg, str(row.href))}
    if order.execute:
        _find_again(leg, row, listing)
    for batch in _batches(leg, row, listing, only):
        leg.await_turn()
        right, amiss = _sorted_out(leg, order, row, batch, listing)
        if order.execute:
            _put_right(leg, order, row, amiss, listing)
            _came(leg, order, row, right)
        else:
            order.counts["repaired"] += len(amiss)


def is_kept(leg: LegContext, what: What) -> bool:
    """Whether items of this kind have such a thing beside their bodies, and the target keeps it."""
    if what is What.FLAGS:
        return leg.form.flags is not None
    if leg.form.date is None:
        return False
    return not leg.context.target.replaces or isinstance(leg.target, SupportsItemDates)


def _find_again(leg: LegContext, row: ContainerRow, listing: Mapping[str, Listed]) -> None:
    """R3: an attempt died between the removal of an old copy and the ledger's word about the new one."""
    if leg.context.target.replaces:
        return
    held = leg.ledger.rows(row.id, HELD)
    absent = [item for item in held if leg.is_ours(item) and item.href not in listing]
    wanted = [Wanted(item.key, item.digest or b"", item.size or 0, item.since) for item in absent]
    pairs = paired(leg, str(row.href), wanted, None).pairs if wanted else {}
    flags = {item.key: frozenset((item.flags or "").split()) for item in absent}
    leg.ledger.rollback.corrected(
        row.id,
        [Corrected(key, href, _seconds(listing[href].date), flags[key]) for key, href in pairs.items()],
    )


def _batches(
    leg: LegContext, row: ContainerRow, listing: Mapping[str, Listed], only: Collection[bytes] | None
) -> Iterator[dict[bytes, ItemRow]]:
    """Those of ours that are where they were written. Rows are read page by page: what is put right may show
    once more, and is right then."""
    held = (item for item in leg.ledger.rows(row.id, HELD) if only is None or item.key in only)
    rows = (item for item in held if leg.is_ours(item) and item.href in listing)
    while batch := list(islice(rows, leg.pace.batch)):
        yield {item.key: item for item in batch}


def _sorted_out(
    leg: LegContext,
    order: Repair,
    row: ContainerRow,
    batch: Mapping[bytes, ItemRow],
    listing: Mapping[str, Listed],
) -> tuple[list[Amiss], list[Amiss]]:
    """What is right, and what is to be put right."""
    right: list[Amiss] = []
    amiss: list[Amiss] = []
    refs = [Ref(item.source_id, item.version, size=item.size) for item in batch.values()]
    left = dict(batch)
    bodies = order.what is What.DATES and leg.form.date_inside
    for result in leg.source.fetch(as_container(row), refs, bodies=bodies):
        key = result.key if isinstance(result, Failed) else key_of(result.ref.id)
        item = left.pop(key, None)
        if item is None:
            continue  # a source may answer twice, or answer what nobody asked
        found = None if isinstance(result, Failed) else _amiss(leg, order.what, item, result, listing)
        if found is None:
            order.counts["unread"] += 1
        elif _is(order.what, found, found):
            right.append(found)
        elif not leg.mirror and not _is_as_written(order.what, found):
            order.counts["user"] += 1
        else:
            amiss.append(found)
    order.counts["right"] += len(right)
    order.counts["unread"] += len(left)
    return right, amiss


def _amiss(
    leg: LegContext, what: What, item: ItemRow, native: Native, listing: Mapping[str, Listed]
) -> Amiss | None:
    """None for what the source does not say."""
    there = listing[str(item.href)]
    now = frozenset(flag for flag in there.flags if flag.lower() != "\\recent")
    try:
        if what is What.FLAGS and leg.form.flags is not None:
            return Amiss(item, there, leg.form.flags(native, leg.context.target)[0], there.date)
        date, came = dates.of(leg, item, native)
    except Rejected:
        return None
    return Amiss(item, there, now, date, came) if date is not None else None


def _is(what: What, one: Amiss, wanted: Amiss) -> bool:
    if what is What.FLAGS:
        return _folded(one.there.flags) == _folded(wanted.flags)
    return _seconds(one.there.date) == _seconds(wanted.date)


def _is_as_written(what: What, one: Amiss) -> bool:
    if what is What.FLAGS:
        return _folded(one.there.flags) == _folded(frozenset((one.item.flags or "").split()))
    return _seconds(one.there.date) == one.item.date


def _folded(flags: frozenset[str]) -> frozenset[str]:
    return frozenset(flag.lower() for flag in flags) - {"\\recent"}


def _seconds(date: datetime | None) -> int | None:
    return int(date.timestamp()) if date is not None else None


def _put_right(
    leg: LegContext, order: Repair, row: ContainerRow, amiss: Sequence[Amiss], listing: Mapping[str, Listed]
) -> None:
    target = leg.target
    if not amiss:
        return
    if order.what is What.FLAGS:
        done = _amended(leg, row, amiss)
    elif isinstance(target, SupportsItemDates):
        done = [
            _corrected(one, one.there.href)
            for one in amiss
            if one.date is not None and target.redate(str(row.href), one.there.href, one.date)
        ]
    else:
        done = _written_anew(leg, row, amiss, listing)
    leg.ledger.rollback.corrected(row.id, done)
    keys = {one.key for one in done}
    _came(leg, order, row, [one for one in amiss if one.item.key in keys])
    order.counts["repaired"] += len(done)
    order.counts["refused"] += len(amiss) - len(done)


def _came(leg: LegContext, order: Repair, row: ContainerRow, right: Sequence[Amiss]) -> None:
    """What was copied with the clamped date has its own by now."""
    if order.what is What.DATES:
        leg.ledger.losses.drop(row.id, {one.item.key for one in right if one.came}, dates.CLAMPED)


def _corrected(one: Amiss, href: str) -> Corrected:
    return Corrected(one.item.key, href, _seconds(one.date), one.flags)


def _amended(leg: LegContext, row: ContainerRow, amiss: Sequence[Amiss]) -> list[Corrected]:
    wanted = {one.item.key: one for one in amiss}
    changes = [Amendment(stored(one.item), one.flags) for one in amiss]
    done, failed = split(leg.target.amend(str(row.href), changes))
    _raise_what_passes(failed)
    flags = {one.key: wanted[one.key].flags if one.flags is None else one.flags for one in done}
    return [Corrected(one.key, one.href, wanted[one.key].item.date, flags[one.key]) for one in done]


def _written_anew(
    leg: LegContext, row: ContainerRow, amiss: Sequence[Amiss], listing: Mapping[str, Listed]
) -> list[Corrected]:
    """Another copy with the right date, from the bytes of the one that is there; an earlier attempt may have
    made it already. The old one goes when the new one is there."""
    href = str(row.href)
    new = _made_before(leg, href, amiss, listing)
    items = {}
    waiting = {one.there.href: one for one in amiss if one.item.key not in new}
    for name, native in read_once(leg, href, list(waiting)):
        one = waiting[name]
        if (
            isinstance(native, Native)
            and native.body is not None
            and leg.digest(native.body) == one.item.digest
        ):
            items[one.item.key] = Item(
                kind=leg.kind,
                key=one.item.key,
                digest=one.item.digest,
                size=one.item.size or one.there.size,
                body=native.body,
                flags=one.flags,
                date=one.date,
            )
    written, failed = split(leg.target.write(href, items.values()))
    _raise_what_passes(failed)
    new |= {one.key: one.href for one in written}
    old = [replace(stored(one.item), href=one.there.href) for one in amiss if one.item.key in new]
    removed, failed = split(leg.target.remove(href, old))
    _raise_what_passes(failed)
    gone = {one.key for one in removed}
    return [_corrected(one, new[one.item.key]) for one in amiss if one.item.key in gone]


def _made_before(
    leg: LegContext, href: str, amiss: Sequence[Amiss], listing: Mapping[str, Listed]
) -> dict[bytes, str]:
    """The copies with the right date that no row owns, by key: an attempt died before the ledger was told."""
    dates = {(one.there.size, _seconds(one.date)) for one in amiss}
    owned = leg.ledger.claimed(href)
    free = [
        one for one in listing.values() if one.href not in owned and (one.size, _seconds(one.date)) in dates
    ]
    digests = read_digests(leg, href, [one.href for one in free])
    found: dict[bytes, str] = {}
    for one in amiss:
        for copy in free:
            same = _seconds(copy.date) == _seconds(one.date) and digests.get(copy.href) == one.item.digest
            if same and copy.href not in found.values():
                found[one.item.key] = copy.href
                break
    return found


def _raise_what_passes(failed: Sequence[Failed]) -> None:
    """What the target refuses of one item is counted; anything else ends the pass."""
    for one in failed:
        if not isinstance(one.error, Rejected):
            raise one.error


def _folders(leg: LegContext, order: Repair) -> None:
    """Folders that are called otherwise, or lie elsewhere, than the names of the source say now."""
    placed = {row.source_id: row for row in leg.ledger.containers()}
    found = [one for one in discover.listed(leg, placed) if one.omit is None and one.id in placed]
    existing = {container.id: container for container in leg.target.containers()}
    special = {one.role: one.path for one in existing.values() if one.role is not None}
    plan = plan_names(found, leg.context.target, *discover.apart(leg, special, {}))
    for container in sorted(found, key=lambda one: len(one.path)):
        row, places = placed[container.id], leg.ledger.placed()
        here, wanted = places.get(row.id), plan[container.id].path
        if row.href is None or here is None:
            continue
        if here == wanted:
            order.counts["right"] += 1
        elif row.href not in existing:
            order.counts["user"] += 1  # its user renamed or removed it
        elif not order.execute:
            order.counts["repaired"] += 1
        else:
            _rename(leg, order, row, wanted, placed, existing)


def _rename(
    leg: LegContext,
    order: Repair,
    row: ContainerRow,
    wanted: tuple[str, ...],
    placed: dict[str, ContainerRow],
    existing: dict[str, Container],
) -> None:
    try:
        discover.rename(leg, row, replace(as_container(row), path=wanted), placed, existing)
        order.counts["repaired"] += 1
    except Rejected:
        order.counts["refused"] += 1
