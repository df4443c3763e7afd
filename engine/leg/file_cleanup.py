"""Finish the files of a leg: give names that became free, and remove folders that became empty.

This runs when all files have arrived and all removals are done. Two files may swap their names, a file may
take the name of a deleted file, a folder the name of a file. Nothing is removed before everything has arrived
(R7). So while the one still exists, the other has a part of its key in its name; here it gets its own name.
This happens in staging only: in the live phase, names and folders are the user's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.context.leg_context import LegContext, as_container
from engine.files import file_names
from engine.identity.provisioning_items import is_artefact
from engine.steps.copying import copy
from engine.steps.listing import discover, folder_renames, placement
from engine.steps.own_copies import split
from ledger.db.rows import ContainerRow, ItemRow, State
from mappings.fields.file_names import file_name, identity, partings, unparted
from mappings.fields.folder_names import Path, plan_names
from model.errors import Rejected
from model.file_names import FileNames
from model.optional_protocols import RemovesContainers, SupportsLeftovers
from model.protocols import Container, Stored, key_of

HELD = (State.WRITTEN, State.VERIFIED)
NAME_TAKEN = "name-taken"


def tidy(leg: LegContext, rows: Sequence[ContainerRow]) -> list[ContainerRow]:
    """Finish the files of a leg. Idempotent.

    Args:
        leg: the open leg. Nothing is done for other workloads or in the live phase.
        rows: the containers of the leg.

    Returns:
        The containers as they are afterwards.
    """
    rules = leg.context.target.files
    if rules is None or not leg.mirror:
        return list(rows)
    existing = {container.id: container for container in leg.target.containers()}
    _discard(leg)
    _clear(leg, rows, existing)
    # What lies inside folders that swap names is in its place one round later. A folder that is gone may only
    # then be empty, and may have the name of another one.
    for _ in range(2 + max((len(row.path) for row in rows), default=0)):
        if not _name_folders(leg, rules, existing):
            break
        _clear(leg, leg.ledger.containers(), existing)
    rows = discover.moving(leg)
    # These were blocked by another item, which is placed now.
    reconsidered = leg.ledger.reconsider(NAME_TAKEN)
    for row in rows:
        if not row.gone and (_free_names(leg, row, rules) or reconsidered):
            copy.copy_pending(leg, row)
    return rows


def _discard(leg: LegContext) -> None:
    """Remove half-written files that workers left beside their place because they died or were refused.

    Only files that belong to an item of ours are removed. Everything that can be in its place is there by
    now.
    """
    target = leg.target
    leftovers: dict[str, list[Stored]] = {}
    for href, name, beginning in sorted(target.leftovers()) if isinstance(target, SupportsLeftovers) else ():
        key = leg.ledger.folders.owner(beginning)
        if key is not None:
            leftovers.setdefault(href, []).append(Stored(key, name))
    for href, stored_files in leftovers.items():
        leg.check()
        removed, _ = split(target.remove(href, stored_files))
        if removed:
            leg.ledger.event("leftovers-removed", {"count": len(removed)})


def _clear(leg: LegContext, rows: Sequence[ContainerRow], existing: dict[str, Container]) -> None:
    """Remove empty folders that the source no longer has and that Kogge made, the deepest first (R7).

    What a new account contained stays. If a person allowed Kogge to begin in an account that was not empty,
    all folders stay.
    """
    target = leg.target
    if not isinstance(target, RemovesContainers) or leg.approved("target-not-empty"):
        return
    used_hrefs = {row.href for row in rows if not row.gone}
    removed_rows = [row for row in rows if row.gone and row.href and row.href not in used_hrefs]
    made_by_us = leg.ledger.folders.made() if removed_rows else frozenset()
    for row in sorted(removed_rows, key=lambda row: -str(row.href).count("/")):
        leg.check()
        href = str(row.href)
        is_foreign = href in existing and row.id not in made_by_us
        if is_foreign or is_artefact(href, "", leg.artefacts):
            continue
        if href not in existing or target.clear(href):
            existing.pop(href, None)
            leg.ledger.folders.unmake(row.id)
            leg.ledger.set_href(row.id, None)


def _name_folders(leg: LegContext, rules: FileNames, existing: dict[str, Container]) -> bool:
    """Rename folders that could not get their place or name while something else had it.

    Returns:
        True if a folder was renamed.
    """
    rows = [row for row in discover.moving(leg) if not row.gone]
    places = leg.ledger.placed()
    at = {row.path: places[row.id] for row in reversed(rows)}
    astray = {row.source_id: row for row in rows if _is_astray(row, at, places[row.id], rules)}
    if not astray:
        return False
    placed = {row.source_id: row for row in leg.ledger.containers()}
    held = placement.held_places(leg, placed.values(), existing)
    fixed = {source_id: place for source_id, place in held.items() if source_id not in astray}
    places_wanted = _wanted_places(leg, rows, astray, fixed)
    holders = {placement.joined(leg, places[astray[source_id].id]): source_id for source_id in places_wanted}
    for path in places_wanted.values():
        holder = holders.get(placement.joined(leg, path))
        if holder is not None:
            _park(leg, placed[holder], rules, placed, existing)
    renamed = False
    for source_id, path in sorted(places_wanted.items(), key=lambda pair: (len(pair[1]), pair[1])):
        row = placed[source_id]
        above = placement.joined(leg, path[:-1])
        if above and above not in existing:
            continue  # it was renamed in this round, with all below it; a target would make it anew
        try:
            folder_renames.rename(leg, row, replace(as_container(row), path=path), placed, existing)
            renamed = True
        except Rejected:
            leg.ledger.lose(row.id, None, (placement.REFUSED,))
    return renamed


def _wanted_places(
    leg: LegContext,
    rows: Sequence[ContainerRow],
    astray: Mapping[str, ContainerRow],
    fixed: dict[str, Path],
) -> dict[str, Path]:
    """Return where misplaced folders belong, by source id.

    A folder that must share its name stays in its place. `fixed` holds the places of all other folders.
    """
    places = leg.ledger.placed()
    plan = plan_names([as_container(row) for row in rows], leg.context.target, {}, fixed)
    places_wanted: dict[str, Path] = {}
    for source_id, row in astray.items():
        if any(loss.reason == "taken" for loss in plan[source_id].losses):
            leg.ledger.lose(row.id, None, plan[source_id].losses)
        elif plan[source_id].path != places[row.id]:
            places_wanted[source_id] = plan[source_id].path
    return places_wanted


def _is_astray(row: ContainerRow, at: Mapping[Path, Path], place: Path, rules: FileNames) -> bool:
    """Return True if a folder is not where its name says.

    A folder counts as placed if a server that refuses its name made it go elsewhere.

    Args:
        row: the folder.
        at: the places of all folders, by their paths at the source.
        place: where the folder is.
        rules: the target's rules for names.
    """
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
    """Rename a folder aside, because another folder needs its name and it will get another name itself."""
    path = leg.ledger.placed()[row.id]
    aside = (*path[:-1], next(partings(path[-1], key_of(row.source_id), rules)))
    if path != aside and placement.joined(leg, aside) not in existing:
        folder_renames.rename(leg, row, replace(as_container(row), path=aside), placed, existing)


def _free_names(leg: LegContext, row: ContainerRow, rules: FileNames) -> bool:
    """Mark as changed the files whose own name is free by now.

    Writing them again renames them and sends no content.

    Returns:
        True if there are such files.
    """
    parted = [(item, name) for item in leg.ledger.rows(row.id, HELD) if (name := _own_name(item, rules))]
    names = file_names.names(leg, row) if parted else None
    if names is None:
        return False
    free: dict[str, bytes] = {}
    for item, name in parted:
        name_identity = identity(name, rules)
        if name_identity not in names.taken:
            free.setdefault(name_identity, item.key)
    leg.ledger.recheck(row.id, free.values())
    return bool(free)


def _own_name(item: ItemRow, rules: FileNames) -> str | None:
    """Return the file's own name, without the part of its key; None if it has its own name already."""
    return unparted(str(item.href), item.key, rules)
