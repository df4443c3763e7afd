"""Rename the target's folders as they were renamed at the source, in the order in which that is possible."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.context.leg_context import LegContext
from engine.control.server_words_file import failure_words
from engine.steps.listing.placement import joined
from engine.steps.positions import era_of
from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow
from mappings.fields.folder_names import Path, Placement
from model.errors import Rejected
from model.protocols import Container, Loss, key_of

RENAME_REFUSED = Loss("folder-name", "rename-refused")


def rename_as_source(
    leg: LegContext,
    found: Sequence[Container],
    placed: dict[str, ContainerRow],
    plan: dict[str, Placement],
    existing: dict[str, Container],
) -> None:
    """Rename folders as at the source; an href changes only by a successful rename (R9).

    A folder that kept its name, but was carried along with a renamed one above it, goes back. In the live
    phase, folders are the user's. A rename that the server refuses keeps the old place and is a
    loss of the folder. For files it is a loss only if the end of the pass brings no better chance
    (engine.leg.file_cleanup); until then everything below stays there too.
    """
    hrefs, renamed = {source_id: row.href for source_id, row in placed.items()}, _renamed(found, placed)
    _rename_in_turn(leg, renamed, placed, plan, existing)
    ids = {container.id for container in renamed}
    carried = [
        container
        for container in sorted(found, key=lambda c: len(c.path))
        if container.omit is None
        and container.id in placed
        and container.id not in ids
        and placed[container.id].href != hrefs[container.id]
    ]
    _rename_in_turn(leg, carried, placed, plan, existing)


def _rename_in_turn(
    leg: LegContext,
    pending: list[Container],
    placed: dict[str, ContainerRow],
    plan: Mapping[str, Placement],
    existing: dict[str, Container],
) -> None:
    refused: list[Path] = []
    for container, path in _in_turn(leg, pending, placed, plan, existing):
        row, wanted = placed[container.id], replace(container, path=path)
        here = leg.ledger.placed().get(row.id)
        if not leg.mirror or here is None or here == wanted.path:
            continue
        try:
            if any(wanted.path[: len(above)] == above for above in refused):
                raise Rejected("name-taken", "a folder above is not where it belongs")
            rename(leg, row, wanted, placed, existing)
        except Rejected as error:
            leg.heard([failure_words(None, error)])
            refused.append(wanted.path)
            if leg.context.target.files is None:
                leg.ledger.lose(row.id, None, (RENAME_REFUSED,))


def _renamed(found: Sequence[Container], placed: Mapping[str, ContainerRow]) -> list[Container]:
    """Return the folders that have another name at the source than before, parents first."""
    return [
        container
        for container in sorted(found, key=lambda c: len(c.path))
        if container.omit is None
        and (row := placed.get(container.id)) is not None
        and row.href is not None
        and row.path != container.path
    ]


def _in_turn(
    leg: LegContext,
    pending: list[Container],
    placed: Mapping[str, ContainerRow],
    plan: Mapping[str, Placement],
    existing: Collection[str],
) -> Iterator[tuple[Container, Path]]:
    """Yield which folder is to be renamed next, and to what. What was renamed is looked up after each.

    A folder waits, with all below it, while its new place is that of another one that is still to be renamed.
    If no folder can go, as after an exchange of names, the one that the first of them waits for goes aside.
    """
    if leg.context.target.files is not None or not leg.traits.folders_move:
        yield from ((container, plan[container.id].path) for container in pending)
        return
    while pending:
        later: list[Container] = []
        for number, container in enumerate(pending):
            path = plan[container.id].path
            if _is_below(path, later, plan) or (
                joined(leg, path) in existing and _holder(leg, path, (*later, *pending[number + 1 :]), placed)
            ):
                later.append(container)
            else:
                yield container, path
        if len(later) == len(pending):
            path = plan[later[0].id].path
            holder = _holder(leg, path, later[1:], placed)
            href = None if holder is None else placed[holder.id].href
            if holder is not None:
                yield holder, _aside(leg, placed[holder.id])
            if holder is None or placed[holder.id].href == href:
                yield later.pop(0), path  # it stays where it is, and the server says why
        pending = later


def _is_below(path: Path, waiting: Collection[Container], plan: Mapping[str, Placement]) -> bool:
    """Return True if a folder above waits."""
    return any(path[: len(above)] == above for above in (plan[one.id].path for one in waiting))


def _holder(
    leg: LegContext, path: Path, others: Iterable[Container], placed: Mapping[str, ContainerRow]
) -> Container | None:
    """Return the one of these folders that is at this place now."""
    href = joined(leg, path)
    return next((other for other in others if placed[other.id].href == href), None)


def _aside(leg: LegContext, row: ContainerRow) -> Path:
    """Return a place of its own for a folder whose name another one gets first."""
    *above, name = leg.ledger.placed()[row.id]
    return *above, f"{name} - {key_of(row.source_id).hex()[:8]}"


def rename(
    leg: LegContext,
    row: ContainerRow,
    container: Container,
    placed: dict[str, ContainerRow],
    existing: dict[str, Container],
) -> None:
    """Rename a folder. Its new place is recorded before the rename, see adopt.

    Args:
        leg: the open leg.
        row: the folder.
        container: the folder with its new path.
        placed: the rows of the ledger by source id; updated.
        existing: the target's folders by href; updated.

    Raises:
        Rejected: if the target refuses; the folder is where it was.
    """
    leg.check()
    old, new = str(row.href), joined(leg, container.path)
    if old in existing or new not in existing:  # otherwise an attempt died right after the rename
        new = _rename_at_target(leg, row, container, existing)
    existing[new] = existing.pop(old, container)
    for href in _below(leg, old, existing):
        existing[new + href[len(old) :]] = existing.pop(href)
    _follow_parent(leg, old, new, container.path, placed)
    leg.ledger.set_href(row.id, new, container.path)
    placed[row.source_id] = replace(row, href=new)


def _below(leg: LegContext, href: str, existing: Mapping[str, Container]) -> list[str]:
    """Return the hrefs of everything that moved with a folder, wherever the server had it."""
    separator = leg.context.target.separator
    if not leg.traits.folders_move or not separator:
        return []
    return [entry for entry in existing if entry.startswith(f"{href}{separator}")]


def _rename_at_target(
    leg: LegContext, row: ContainerRow, wanted: Container, existing: Mapping[str, Container]
) -> str:
    old, former_path = str(row.href), leg.ledger.placed()[row.id]
    if not leg.traits.folders_move:
        return leg.target.rename(old, wanted)
    if leg.context.target.files is not None and old not in existing:
        raise Rejected("vanished", "somebody removed the folder: it is made anew")
    leg.ledger.set_href(row.id, old, wanted.path)
    try:
        return leg.target.rename(old, wanted)
    except Rejected:
        leg.ledger.set_href(row.id, old, former_path)
        raise


def catch_up(leg: LegContext) -> None:
    """Find a folder that a worker was renaming when it died, before a walk that copies nothing.

    Works as adopt, and asks for the target's folders only if one may have been on its way.
    """
    if not leg.traits.folders_move or not leg.mirror:
        return
    placed, places = {row.source_id: row for row in leg.ledger.containers()}, leg.ledger.placed()
    recorded = [(row.href, places[row.id]) for row in placed.values() if row.href and row.id in places]
    if any(joined(leg, place) != href for href, place in recorded):
        adopt(leg, placed, {container.id: container for container in leg.target.containers()})


def adopt(leg: LegContext, placed: dict[str, ContainerRow], existing: dict[str, Container]) -> None:
    """Find folders that a worker was renaming when it died: each is at its new place or at its old one.

    Some servers make a special folder anew at once when it is renamed, so that both places are there. Only
    then the target is asked something: which of both has the items. Idempotent.

    Args:
        leg: the open leg.
        placed: the rows of the ledger by source id; updated.
        existing: the target's folders by href.
    """
    if not leg.traits.folders_move or not leg.mirror:
        return
    places, at = leg.ledger.placed(), {joined(leg, one.path): href for href, one in existing.items()}
    for source_id in list(placed):
        row = placed[source_id]
        path = places.get(row.id)
        if row.href is None or path is None or (new_href := joined(leg, path)) == row.href:
            continue
        href = at.get(new_href, new_href)  # hrefs of mail may have a prefix that paths lack
        is_free = href in existing and href not in {place.href for place in placed.values()}
        if row.href in existing and not (is_free and _has_its_items(leg, row, href)):
            if href != row.href:
                leg.ledger.set_href(row.id, row.href, existing[row.href].path)
        elif is_free:
            _follow_parent(leg, row.href, href, path, placed)
            leg.ledger.set_href(row.id, href, path)
            placed[source_id] = replace(row, href=href)


def _has_its_items(leg: LegContext, row: ContainerRow, href: str) -> bool:
    """Return True if the container's items lie in this folder, and not in the one at its href.

    Hrefs of items that have no order say nothing about their folder.
    """
    item = next(leg.ledger.rows(row.id, AT_TARGET), None)
    era = "" if item is None else era_of(str(item.href))
    if not era:
        return False
    return era_of(leg.target.position(href)) == era != era_of(leg.target.position(str(row.href)))


def _follow_parent(
    leg: LegContext, old: str, new: str, new_path: Path, placed: dict[str, ContainerRow]
) -> None:
    """Record that the server moved everything below a renamed folder as well.

    This is recorded before the parent's own place, so that a crash in between leaves no child behind.
    """
    separator, places = leg.context.target.separator, leg.ledger.placed()
    for child in list(placed.values()):
        href, place = child.href or "", places.get(child.id, ())
        if leg.traits.folders_move and separator and href.startswith(f"{old}{separator}"):
            moved = new_path + place[len(place) - href.count(separator) + old.count(separator) :]
            leg.ledger.set_href(child.id, new + href[len(old) :], moved)
            placed[child.source_id] = replace(child, href=new + href[len(old) :])
