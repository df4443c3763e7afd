"""Place folders at the target: create them, under names that the server takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.context.leg_context import LegContext, as_container
from engine.control.server_words_file import failure_words
from engine.steps.positions import era_of
from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, State
from ledger.leg.containers import Placed
from mappings.fields.file_names import partings
from mappings.fields.folder_names import Path, Placement
from mappings.fields.look_alikes import harmless
from model.errors import Blocked, Rejected, Transient
from model.protocols import Container, Loss, key_of
from model.server_words import NOTHING

REPLACED = Loss("name", "characters-replaced")
REFUSED = Loss("folder-name", "refused-by-target")
TAKEN = Loss("name", "taken")
UNNAMED = "Folder -"
"""The beginning of the name of a folder whose own name the target refuses."""
AT_ONCE = 100
"""Folders whose places are recorded in one transaction."""


def place(
    leg: LegContext,
    containers: Sequence[Container],
    rows: Sequence[ContainerRow],
    plan: Mapping[str, Placement],
    existing: dict[str, Container],
) -> None:
    """Create missing folders, also those that vanished from the target.

    If a crash leaves a folder without its place in the ledger, the next pass finds it at the target.

    Args:
        leg: the open leg.
        containers: the source's containers.
        rows: their rows, in the same order.
        plan: where each folder is to go, by source id.
        existing: the target's folders by href; updated.

    Raises:
        Blocked: `folders-refused` if the target takes no name of a folder.
    """
    missing = [
        (container, row)
        for container, row in zip(containers, rows, strict=True)
        if container.omit is None and (row.href is None or (row.href not in existing and leg.mirror))
        # in the live phase the user may remove a folder; see ensure_needed
    ]
    new = _announce(leg, missing, plan, existing)
    placed: list[Placed] = []
    elsewhere: dict[Path, Path] = {}
    try:
        for container, row in missing:
            placed.append(_create(leg, container, row, plan, existing, elsewhere, new))
            if len(placed) == AT_ONCE:
                leg.ledger.set_hrefs(placed)
                placed = []
    finally:
        leg.ledger.set_hrefs(placed)


def _announce(
    leg: LegContext,
    missing: Sequence[tuple[Container, ContainerRow]],
    plan: Mapping[str, Placement],
    existing: Mapping[str, Container],
) -> frozenset[int]:
    """Record, before the folders are made, that those at free places are ours.

    Folders of files are announced one by one, with the name that each gets in the end.
    """
    if leg.context.target.files is not None:
        return frozenset()
    existing_paths = {container.path for container in existing.values()}
    new = [row.id for container, row in missing if plan[container.id].path not in existing_paths]
    made_by_us = leg.ledger.folders.made() if new else frozenset()
    if unsaid := [entry for entry in new if entry not in made_by_us]:
        leg.ledger.folders.making(*unsaid)
    return frozenset(row.id for _, row in missing if row.id in new and row.href is None)


def _create(
    leg: LegContext,
    found: Container,
    row: ContainerRow,
    plan: Mapping[str, Placement],
    existing: dict[str, Container],
    elsewhere: dict[Path, Path],
    announced: Collection[int],
) -> Placed:
    leg.check()
    placement = plan[found.id]

    def others() -> Iterator[Path]:
        yield from (entry.path for entry in plan.values())
        yield from elsewhere.values()

    wanted = replace(found, path=_shifted(placement.path, elsewhere))
    href, path = _ensure(leg, wanted, row, existing, others)
    made_by_us = None
    if leg.context.target.files is None:
        made_by_us = True if href not in existing else False if row.id in announced else None
    existing[href] = replace(wanted, path=path)
    losses = [loss for loss in placement.losses if not _may_come_free(leg, loss)]
    if path != wanted.path:
        elsewhere[placement.path] = path
        spelled = leg.context.target.files is None and not is_unnamed(path)
        losses += [REPLACED] if spelled else []
        losses += (
            [REFUSED] if not spelled and (is_unnamed(path) or not leg.mirror) else []
        )  # see engine.leg.file_cleanup
    if losses:
        leg.ledger.lose(row.id, None, losses)
    return Placed(row.id, href, path, made_by_us)


def _may_come_free(leg: LegContext, loss: Loss) -> bool:
    """Return True for the loss of a name that engine.leg.file_cleanup may still give, and else records."""
    return loss == TAKEN and leg.context.target.files is not None and leg.mirror


def _shifted(path: Path, elsewhere: Mapping[Path, Path]) -> Path:
    for depth in range(len(path), 0, -1):
        if path[:depth] in elsewhere:
            return elsewhere[path[:depth]] + path[depth:]
    return path


def _ensure(
    leg: LegContext,
    wanted: Container,
    row: ContainerRow,
    existing: Collection[str],
    others: Callable[[], Iterable[Path]] = tuple,
) -> tuple[str, Path]:
    """Create one folder; its name keeps nothing else from moving.

    If the server refuses the name, or something else has it, the folder gets look-alikes of the characters
    that servers refuse, or, for files, a part of its key; then a name that every server takes; at last a
    place without the folders above. `others` returns the places of other folders.

    Raises:
        Blocked: `folders-refused` if the server takes none of these names.
    """
    last_words = NOTHING
    for path in _candidate_places(leg, wanted, others):
        if leg.context.target.files is not None and joined(leg, path) not in existing:
            leg.ledger.folders.making(row.id)
        try:
            return leg.target.ensure(replace(wanted, path=path)), path
        except Rejected as error:
            last_words = error.words
            leg.heard([failure_words(None, error)])
    raise Blocked("folders-refused", "the target refuses whatever a folder is called").quoting(last_words)


def _candidate_places(
    leg: LegContext, wanted: Container, others: Callable[[], Iterable[Path]]
) -> Iterator[Path]:
    yield wanted.path
    key = key_of(wanted.id)
    *above, name = wanted.path
    rules = leg.context.target.files
    if rules is not None:
        yield *above, next(partings(name, key, rules))
    else:
        spelled = [(*above, entry) for entry in harmless(name)]
        used_places = {*others(), *leg.ledger.placed().values()} if spelled else set()
        yield from (path for path in spelled if path not in used_places)
        yield from ((*above, f"{path[-1]} - {key.hex()[:8]}") for path in spelled if path in used_places)
    yield *above, f"{UNNAMED} {key.hex()[:8]}"
    yield *(above[:1] if above[:1] == [""] else ()), f"{UNNAMED} {key.hex()[:16]}"


def held_places(
    leg: LegContext, rows: Collection[ContainerRow], existing: Collection[str]
) -> dict[str, Path]:
    """Return the places that are taken at the target, by the source ids of the folders that have them.

    A folder that the source no longer has keeps its place only while it is there and no other folder of ours
    has taken it over.

    Args:
        leg: the open leg.
        rows: the folders, with those that the source no longer has.
        existing: the hrefs of the target's folders.
    """
    places, used_hrefs = leg.ledger.placed(), {row.href for row in rows if not row.gone}
    return {
        row.source_id: places[row.id]
        for row in rows
        if row.id in places and not (row.gone and (row.href in used_hrefs or row.href not in existing))
    }


def put_back(leg: LegContext, rows: Collection[ContainerRow], existing: dict[str, Container]) -> None:
    """Rename folders of mail back that somebody renamed at the target, in staging and frozen.

    Otherwise each would be made anew, and everything in it written once more. Such a folder is known by its
    items. If the server refuses, it stays where it is. Idempotent.

    Args:
        leg: the open leg.
        rows: the folders of the ledger.
        existing: the target's folders by href; updated.
    """
    if not leg.traits.in_mailbox or not leg.mirror:
        return
    places = leg.ledger.placed()
    missing = [row for row in rows if row.href and row.href not in existing and row.id in places]
    used_hrefs = {row.href for row in rows} | leg.ledger.elsewhere().keys() if missing else set()
    for row in sorted(missing, key=lambda row: len(places[row.id])):
        if row.href not in existing:  # otherwise it came back with the folder above it
            leg.check()
            strangers = (href for href in list(existing) if href not in used_hrefs)
            found = next((href for href in strangers if _holds_items_of(leg, row, href)), None)
            if found is not None:
                _put_back_one(leg, row, found, places[row.id], existing)


def _holds_items_of(leg: LegContext, row: ContainerRow, href: str) -> bool:
    """Return True if most of what was written into a folder lies in this one, under the same numbers."""
    sizes = {str(item.href): item.size for item in leg.ledger.rows(row.id, AT_TARGET)}
    era = era_of(next(iter(sizes), ""))
    try:
        if not era or era_of(leg.target.position(href)) != era:
            return False
        same = sum(sizes.get(item.href, -1) == item.size for item in leg.target.listing(href, None))
    except Blocked as error:
        if error.code != "container-missing":
            raise
        return False
    return 2 * same > len(sizes)


def _put_back_one(
    leg: LegContext, row: ContainerRow, found: str, place: Path, existing: dict[str, Container]
) -> None:
    try:
        href = leg.target.rename(found, replace(as_container(row), path=place))
    except Rejected as error:
        leg.heard([failure_words(None, error)])
        return
    depth, below = len(existing[found].path), found + leg.context.target.separator
    for old in [entry for entry in existing if entry == found or entry.startswith(below)]:
        container = existing.pop(old)
        existing[href + old[len(found) :]] = replace(container, path=place + container.path[depth:])
    leg.ledger.event("target-folder-put-back", {"container": row.id})


def is_unnamed(path: Path) -> bool:
    """Return True if a server refused the folder's own name."""
    return path[-1].startswith(UNNAMED)


def ensure_needed(leg: LegContext, row: ContainerRow) -> bool:
    """Create a folder that the user of a live mailbox removed, but only if there are items to add to it.

    Returns:
        True if there is a folder to work on.

    Raises:
        Transient: `folder-elsewhere` if the folder has another place now: the walk begins again with it.
        Blocked: `folders-refused` if the target takes no name.
    """
    if leg.mirror or row.href is None:
        return True
    if not leg.ledger.counts(row.id).get(State.SEEN, 0):
        return False
    place = leg.ledger.placed()[row.id]
    href, path = _ensure(leg, replace(as_container(row), path=place), row, ())
    if path != place:
        leg.ledger.set_href(row.id, href, path)
        raise Transient("folder-elsewhere", "the walk begins again with the folder's new place")
    return True


def joined(leg: LegContext, path: Path) -> str:
    """Return the href of a place.

    For files, each name follows a slash, whether the path begins at a root or not.
    """
    if leg.context.target.files is not None:
        return "".join(f"/{name}" for name in path if name)
    return leg.context.target.separator.join(path)
