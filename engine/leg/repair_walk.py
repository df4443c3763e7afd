"""Correct, in place, dates, flags and folders that differ from those of the source.

What the source says is mapped again, without bodies, and compared with what the target lists. In the live
phase the three-way rule decides: what is still as Kogge last wrote it may be corrected, anything else belongs
to the user.

Only what is wrong is touched, so a repair that died is run again. A date that belongs to a message's copy
needs another copy: it is written, then the old copy is removed, then the ledger is updated. A later repair
finds the new copy by its digest and its date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice

from engine.context.answers import fetched
from engine.context.leg_context import LegContext, as_container
from engine.steps import item_dates
from engine.steps.listing import discover, folder_renames
from engine.steps.own_copies import split, stored
from engine.steps.target_reading import full_listing, paired, read_digests
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.matching import Wanted
from ledger.leg.rollback import Corrected
from mappings.fields.folder_names import plan_names
from model.errors import Rejected
from model.optional_protocols import SupportsItemDates
from model.protocols import Amendment, Container, Failed, Item, Listed, Native

HELD = (State.WRITTEN, State.VERIFIED)


class What(StrEnum):
    """Name what is compared and corrected."""

    DATES = "dates"
    FLAGS = "flags"
    FOLDERS = "folders"


@dataclass(slots=True)
class Repair:
    """Say what to repair, and whether to do it or only to look; count the results.

    Attributes:
        what: dates, flags or folders.
        execute: False to only look.
        counts: "right", "repaired" (when it only looks: what would be repaired), "user" (changed by the user:
            it stays), "refused" (by the target), "unread" (the source gave no answer).
        code: why the repair did not end; None if it did.
    """

    what: What
    execute: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Deviation:
    """An item that may differ from the source.

    Attributes:
        item: its row.
        listed: the copy as the target lists it.
        flags: the right flags.
        date: the right date; None if the source has none.
        own_date: True if the date is the source's own, False if it is clamped because it lies in the future.
    """

    item: ItemRow
    listed: Listed
    flags: frozenset[str]
    date: datetime | None
    own_date: bool = False


def repair(leg: LegContext, order: Repair) -> None:
    """Repair a leg once. Idempotent.

    Args:
        leg: the open leg. To only look, its target and its ledger must refuse writes.
        order: what to repair; its counts are filled in.
    """
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
    """Repair the items of one container, as repair() does.

    Args:
        leg: the open leg.
        order: what to repair; its counts are filled in.
        row: the container.
        only: the keys of the items to repair; None for all.
    """
    listing = {entry.href: entry for entry in full_listing(leg, str(row.href))}
    if order.execute:
        _find_again(leg, row, listing)
    for batch in _batches(leg, row, listing, only):
        leg.await_turn()
        right, deviations = _classify(leg, order, row, batch, listing)
        if order.execute:
            _correct_items(leg, order, row, deviations, listing)
            _drop_clamped(leg, order, row, right)
        else:
            order.counts["repaired"] += len(deviations)


def is_kept(leg: LegContext, what: What) -> bool:
    """Return True if items of this kind have such a property beside their bodies, and the target keeps it."""
    if what is What.FLAGS:
        return leg.form.flagged
    if not leg.form.dated:
        return False
    return not leg.context.target.replaces or isinstance(leg.target, SupportsItemDates)


def _find_again(leg: LegContext, row: ContainerRow, listing: Mapping[str, Listed]) -> None:
    """Record copies that an attempt wrote before it died, after the removal of the old copies (R3)."""
    if leg.context.target.replaces:
        return
    written = leg.ledger.rows(row.id, HELD)
    absent = [item for item in written if leg.is_ours(item) and item.href not in listing]
    expected = [Wanted(item.key, item.digest or b"", item.size or 0, item.since) for item in absent]
    pairs = paired(leg, str(row.href), expected, None).pairs if expected else {}
    flags = {item.key: frozenset((item.flags or "").split()) for item in absent}
    leg.ledger.rollback.corrected(
        row.id,
        [Corrected(key, href, _seconds(listing[href].date), flags[key]) for key, href in pairs.items()],
    )


def _batches(
    leg: LegContext, row: ContainerRow, listing: Mapping[str, Listed], only: Collection[bytes] | None
) -> Iterator[dict[bytes, ItemRow]]:
    """Yield batches of our items that are where they were written.

    Rows are read page by page: an item that was corrected may be read once more, and is right then.
    """
    written = (item for item in leg.ledger.rows(row.id, HELD) if only is None or item.key in only)
    rows = (item for item in written if leg.is_ours(item) and item.href in listing)
    while batch := list(islice(rows, leg.pace.batch)):
        yield {item.key: item for item in batch}


def _classify(
    leg: LegContext,
    order: Repair,
    row: ContainerRow,
    batch: Mapping[bytes, ItemRow],
    listing: Mapping[str, Listed],
) -> tuple[list[Deviation], list[Deviation]]:
    """Return the items that are right, and those that are to be corrected."""
    right: list[Deviation] = []
    deviations: list[Deviation] = []
    bodies = order.what is What.DATES and leg.form.date_inside
    for item, result in fetched(leg, row, list(batch.values()), bodies=bodies):
        deviation = None if isinstance(result, Failed) else _deviation(leg, order.what, item, result, listing)
        if deviation is None:
            order.counts["unread"] += 1
        elif _is_same(order.what, deviation, deviation):
            right.append(deviation)
        elif not leg.mirror and not _is_as_written(order.what, deviation):
            order.counts["user"] += 1
        else:
            deviations.append(deviation)
    order.counts["right"] += len(right)
    return right, deviations


def _deviation(
    leg: LegContext, what: What, item: ItemRow, native: Native, listing: Mapping[str, Listed]
) -> Deviation | None:
    """Return how an item should be; None if the source does not say."""
    listed = listing[str(item.href)]
    now = frozenset(flag for flag in listed.flags if flag.lower() != "\\recent")
    try:
        if what is What.FLAGS and leg.form.flagged:
            return Deviation(item, listed, leg.form.flags(native, leg.context.target)[0], listed.date)
        date, own_date = item_dates.of(leg, item, native)
    except Rejected:
        return None
    return Deviation(item, listed, now, date, own_date) if date is not None else None


def _is_same(what: What, deviation: Deviation, expected: Deviation) -> bool:
    """Return True if the listed flags or date of one item are those that the other lists."""
    if what is What.FLAGS:
        return _fold(deviation.listed.flags) == _fold(expected.flags)
    return _seconds(deviation.listed.date) == _seconds(expected.date)


def _is_as_written(what: What, deviation: Deviation) -> bool:
    """Return True if the flags or the date at the target are still those that Kogge last wrote."""
    if what is What.FLAGS:
        return _fold(deviation.listed.flags) == _fold(frozenset((deviation.item.flags or "").split()))
    return _seconds(deviation.listed.date) == deviation.item.date


def _fold(flags: frozenset[str]) -> frozenset[str]:
    return frozenset(flag.lower() for flag in flags) - {"\\recent"}


def _seconds(date: datetime | None) -> int | None:
    return int(date.timestamp()) if date is not None else None


def _correct_items(
    leg: LegContext,
    order: Repair,
    row: ContainerRow,
    deviations: Sequence[Deviation],
    listing: Mapping[str, Listed],
) -> None:
    target = leg.target
    if not deviations:
        return
    if order.what is What.FLAGS:
        corrected = _amend_flags(leg, row, deviations)
    elif isinstance(target, SupportsItemDates):
        corrected = [
            _corrected(deviation, deviation.listed.href)
            for deviation in deviations
            if deviation.date is not None
            and target.redate(str(row.href), deviation.listed.href, deviation.date)
        ]
    else:
        corrected = _write_again(leg, row, deviations, listing)
    leg.ledger.rollback.corrected(row.id, corrected)
    keys = {deviation.key for deviation in corrected}
    _drop_clamped(leg, order, row, [deviation for deviation in deviations if deviation.item.key in keys])
    order.counts["repaired"] += len(corrected)
    order.counts["refused"] += len(deviations) - len(corrected)


def _drop_clamped(leg: LegContext, order: Repair, row: ContainerRow, right: Sequence[Deviation]) -> None:
    """Remove the loss "in the future" of items that have their own date now."""
    if order.what is What.DATES:
        leg.ledger.losses.drop(
            row.id, {deviation.item.key for deviation in right if deviation.own_date}, item_dates.CLAMPED
        )


def _corrected(deviation: Deviation, href: str) -> Corrected:
    return Corrected(deviation.item.key, href, _seconds(deviation.date), deviation.flags)


def _amend_flags(leg: LegContext, row: ContainerRow, deviations: Sequence[Deviation]) -> list[Corrected]:
    by_key = {deviation.item.key: deviation for deviation in deviations}
    changes = [Amendment(stored(deviation.item), deviation.flags) for deviation in deviations]
    done, failed = split(leg.target.amend(str(row.href), changes))
    _raise_unless_rejected(failed)
    flags = {
        result.key: by_key[result.key].flags if result.flags is None else result.flags for result in done
    }
    return [
        Corrected(result.key, result.href, by_key[result.key].item.date, flags[result.key]) for result in done
    ]


def _write_again(
    leg: LegContext, row: ContainerRow, deviations: Sequence[Deviation], listing: Mapping[str, Listed]
) -> list[Corrected]:
    """Write another copy with the right date, from the bytes of the existing copy; then remove the old copy.

    An earlier attempt may have written the new copy already.
    """
    href = str(row.href)
    new = _copies_of_an_earlier_attempt(leg, href, deviations, listing)
    items = {}
    waiting = {deviation.listed.href: deviation for deviation in deviations if deviation.item.key not in new}
    for name, native in leg.target.read(href, waiting):
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
                size=one.item.size or one.listed.size,
                body=native.body,
                flags=one.flags,
                date=one.date,
            )
    written, failed = split(leg.target.write(href, items.values()))
    _raise_unless_rejected(failed)
    new |= {copy.key: copy.href for copy in written}
    old = [
        replace(stored(deviation.item), href=deviation.listed.href)
        for deviation in deviations
        if deviation.item.key in new
    ]
    removed, failed = split(leg.target.remove(href, old))
    _raise_unless_rejected(failed)
    removed_keys = {result.key for result in removed}
    return [
        _corrected(deviation, new[deviation.item.key])
        for deviation in deviations
        if deviation.item.key in removed_keys
    ]


def _copies_of_an_earlier_attempt(
    leg: LegContext, href: str, deviations: Sequence[Deviation], listing: Mapping[str, Listed]
) -> dict[bytes, str]:
    """Return, by key, the copies with the right date that no row owns.

    An attempt died before the ledger was updated.
    """
    dates = {(deviation.listed.size, _seconds(deviation.date)) for deviation in deviations}
    owned = leg.ledger.claimed(href)
    free = [
        deviation
        for deviation in listing.values()
        if deviation.href not in owned and (deviation.size, _seconds(deviation.date)) in dates
    ]
    digests = read_digests(leg, href, [deviation.href for deviation in free])
    copies: dict[bytes, str] = {}
    for deviation in deviations:
        for copy in free:
            is_same = (
                _seconds(copy.date) == _seconds(deviation.date)
                and digests.get(copy.href) == deviation.item.digest
            )
            if is_same and copy.href not in copies.values():
                copies[deviation.item.key] = copy.href
                break
    return copies


def _raise_unless_rejected(failed: Sequence[Failed]) -> None:
    """Raise every error but a refusal.

    What the target refuses of one item is counted, anything else ends the pass.
    """
    for failure in failed:
        if not isinstance(failure.error, Rejected):
            raise failure.error


def _folders(leg: LegContext, order: Repair) -> None:
    """Find folders whose name or place differs from what the names at the source say now, and rename them."""
    placed = {row.source_id: row for row in leg.ledger.containers()}
    containers = [
        folder for folder in discover.listed(leg, placed) if folder.omit is None and folder.id in placed
    ]
    existing = {container.id: container for container in leg.target.containers()}
    special = {folder.role: folder.path for folder in existing.values() if folder.role is not None}
    plan = plan_names(containers, leg.context.target, *discover.apart(leg, special, {}))
    for container in sorted(containers, key=lambda folder: len(folder.path)):
        row, places = placed[container.id], leg.ledger.placed()
        here, wanted = places.get(row.id), plan[container.id].path
        if row.href is None or here is None:
            continue
        if here == wanted:
            order.counts["right"] += 1
        elif row.href not in existing:
            order.counts["user"] += 1  # the user renamed or removed it
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
        folder_renames.rename(leg, row, replace(as_container(row), path=wanted), placed, existing)
        order.counts["repaired"] += 1
    except Rejected:
        order.counts["refused"] += 1
