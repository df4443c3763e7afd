"""What is left to do for files when all have arrived, and what is gone has gone: names that have become free,
and folders that nothing is in any more.

Two files may swap their names, a file may take that of one that was deleted, a folder that of a file: nothing
is removed before everything has arrived (R7), so while the one is still there the other has a part of its key
in its name, and it is here that it gets its own. Staging alone: in the live phase names and folders are the
user's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.context.leg_context import LegContext, as_container
from engine.files import file_names
from engine.identity.provisioning_items import is_artefact
from engine.steps import copy as transfer
from engine.steps import discover, placement
from engine.steps.remove import split
from ledger.db.rows import ContainerRow, ItemRow, State
from mappings.fields.file_names import file_name, identity, partings, unparted
from mappings.fields.folder_names import Path, plan_names
from model.errors import Rejected
from model.file_names import FileNames
from model.optional_protocols import RemovesContainers, SupportsLeftovers
from model.protocols import Container, Stored, key_of

HELD = (State.WRITTEN, State.VERIFIED)
NAME_TAKEN = "name-taken"
ROUNDS = 3
"""Of renaming folders: what is inside of those that swap is where it belongs one round later."""


def tidy(leg: LegContext, rows: Sequence[ContainerRow]) -> list[ContainerRow]:
    """Returns the containers as they are then. Idempotent."""
    rules = leg.context.target.files
    if rules is None or not leg.mirror:
        return list(rows)
    existing = {container.id: container for container in leg.target.containers()}
    _discard(leg)
    _clear(leg, rows, existing)
    for _ in range(ROUNDS):
        if not _name_folders(leg, rules, existing):
            break
    rows = discover.moving(leg)
    again = leg.ledger.reconsider(NAME_TAKEN)  # something came between: by now one sees what it is
    for row in rows:
        if not row.gone and (_free_names(leg, row, rules) or again):
            transfer.copy_pending(leg, row)
    return rows


def _discard(leg: LegContext) -> None:
    """What workers that died, or were refused, left half written beside its place, where it is an item's of
    ours: by now everything that can be is in its place."""
    target = leg.target
    found: dict[str, list[Stored]] = {}
    for href, name, beginning in sorted(target.leftovers()) if isinstance(target, SupportsLeftovers) else ():
        key = leg.ledger.folders.owner(beginning)
        if key is not None:
            found.setdefault(href, []).append(Stored(key, name))
    for href, ours in found.items():
        leg.check()
        removed, _ = split(target.remove(href, ours))
        if removed:
            leg.ledger.event("leftovers-removed", {"count": len(removed)})


def _clear(leg: LegContext, rows: Sequence[ContainerRow], existing: dict[str, Container]) -> None:
    """R7: folders the source has no more, the deepest first, when nothing is in them and we made them. What a
    new account holds stays, and where a person let us begin in an account that was not empty, all do."""
    target = leg.target
    if not isinstance(target, RemovesContainers) or leg.approved("target-not-empty"):
        return
    wanted = {row.href for row in rows if not row.gone}
    gone = [row for row in rows if row.gone and row.href and row.href not in wanted]
    made = leg.ledger.folders.made() if gone else frozenset()
    for row in sorted(gone, key=lambda one: -str(one.href).count("/")):
        leg.check()
        href = str(row.href)
        strange = href in existing and row.id not in made
        if strange or is_artefact(href, "", leg.artefacts):
            continue
        if href not in existing or target.clear(href):
            existing.pop(href, None)
            leg.ledger.folders.unmake(row.id)
            leg.ledger.set_href(row.id, None)


def _name_folders(leg: LegContext, rules: FileNames, existing: dict[str, Container]) -> bool:
    """Renames what could not go where it belongs, or not be renamed, while something else had the name.
    Whether anything was renamed."""
    rows = [row for row in discover.moving(leg) if not row.gone]
    places = leg.ledger.placed()
    at = {row.path: places[row.id] for row in reversed(rows)}
    astray = {row.source_id: row for row in rows if _is_astray(row, at, places[row.id], rules)}
    if not astray:
        return False
    placed = {row.source_id: row for row in leg.ledger.containers()}
    wanted = _wanted(leg, rows, astray, placed)
    holders = {placement.joined(leg, places[astray[source_id].id]): source_id for source_id in wanted}
    for path in wanted.values():
        holder = holders.get(placement.joined(leg, path))
        if holder is not None:
            _park(leg, placed[holder], rules, placed, existing)
    done = False
    for source_id, path in sorted(wanted.items(), key=lambda pair: (len(pair[1]), pair[1])):
        row = placed[source_id]
        try:
            discover.rename(leg, row, replace(as_container(row), path=path), placed, existing)
            done = True
        except Rejected:
            leg.ledger.lose(row.id, None, (placement.REFUSED,))
    return done


def _wanted(
    leg: LegContext,
    rows: Sequence[ContainerRow],
    astray: Mapping[str, ContainerRow],
    placed: Mapping[str, ContainerRow],
) -> dict[str, Path]:
    """Where those that are astray belong, by source id; what has to share its name stays where it is."""
    places = leg.ledger.placed()
    fixed = {
        source_id: places[row.id]
        for source_id, row in placed.items()
        if row.id in places and source_id not in astray
    }
    plan = plan_names([as_container(row) for row in rows], leg.context.target, {}, fixed)
    wanted: dict[str, Path] = {}
    for source_id, row in astray.items():
        if any(loss.reason == "taken" for loss in plan[source_id].losses):
            leg.ledger.lose(row.id, None, plan[source_id].losses)
        elif plan[source_id].path != places[row.id]:
            wanted[source_id] = plan[source_id].path
    return wanted


def _is_astray(row: ContainerRow, at: Mapping[Path, Path], place: Path, rules: FileNames) -> bool:
    """Neither where its name says, nor where a server that refuses its name made it go. at: where the folders
    are, by their paths at the source."""
    if row.role is not None or placement.is_unnamed(place):
        return False
    above = at.get(row.path[:-1], place[:-1])
    return place != (*above, file_name(row.path[-1], rules)[0])


def _park(
    leg: LegContext,
    row: ContainerRow,
    rules: FileNames,
    placed: dict[str, ContainerRow],
    existing: dict[str, Container],
) -> None:
    """Out of another's way, which is about to be out of its."""
    path = leg.ledger.placed()[row.id]
    aside = (*path[:-1], next(partings(path[-1], key_of(row.source_id), rules)))
    if path != aside and placement.joined(leg, aside) not in existing:
        discover.rename(leg, row, replace(as_container(row), path=aside), placed, existing)


def _free_names(leg: LegContext, row: ContainerRow, rules: FileNames) -> bool:
    """Marks as changed the files whose own name is free by now; writing them again renames them, and sends
    nothing. Whether there are any."""
    found = [(item, name) for item in leg.ledger.rows(row.id, HELD) if (name := _own(item, rules))]
    names = file_names.names(leg, row) if found else None
    if names is None:
        return False
    free: dict[str, bytes] = {}
    for item, name in found:
        same = identity(name, rules)
        if same not in names.taken:
            free.setdefault(same, item.key)
    leg.ledger.recheck(row.id, free.values())
    return bool(free)


def _own(item: ItemRow, rules: FileNames) -> str | None:
    return unparted(str(item.href), item.key, rules)
