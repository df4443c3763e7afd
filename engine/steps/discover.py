"""Find which containers there are, where they go, and what changed in them since the last cursor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from engine.context.leg_context import LegContext, as_container
from engine.control.server_words_file import told
from engine.control.stop_signal import StopRequested
from engine.steps.placement import AT_ONCE, held_places, joined, place, put_back
from engine.steps.reconcile import era_of
from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, Outcome, State
from ledger.leg.containers import Placed
from mappings.fields.folder_names import Path, Placement, plan_names
from model.errors import Blocked, CursorLost, MigrationError, Rejected
from model.optional_protocols import AsksAhead
from model.protocols import Container, Kind, Loss, Page, Ref, Role, key_of

NOTES = ("Notes",)
"""Where the notes of a mailbox go in a mail account."""
RENAME_REFUSED = Loss("folder-name", "rename-refused")
THERE = tuple(state for state in State if state not in (State.LEAVING, State.GONE))
"""The states of an item that the source has as far as the ledger knows."""
MOVING = (Kind.MAIL, Kind.NOTES, Kind.FILES)
"""The kinds whose folder hrefs are paths, so that a renamed folder, and all folders below it, get other
hrefs."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Hold what the source said about one container.

    In the live phase the ledger keeps what the source deletes. Only then are `absent` and `present` filled.

    Attributes:
        cursors: cursors to record once everything that the source said is dealt with, see ends.
        lost: True if the source no longer knew the cursor, and listed everything again.
        absent: keys that the source named as deleted.
        present: keys of everything that the source has; None if it named changes only.
    """

    cursors: Mapping[int, str] = field(default_factory=dict)
    lost: bool = False
    absent: Collection[bytes] = frozenset()
    present: Collection[bytes] | None = None

    def lacks(self, key: bytes) -> bool:
        """Return True if the source said that it no longer has the item with this key."""
        return key in self.absent or (self.present is not None and key not in self.present)


@dataclass(frozen=True, slots=True)
class Sides:
    """Hold the containers of both sides as they were just listed.

    Attributes:
        source: those of the source, see listed().
        target: those of the target, by href.
    """

    source: Sequence[Container]
    target: dict[str, Container]


def sides_of(leg: LegContext) -> Sides:
    """List the containers of both sides, which are asked at the same time where they can be."""
    for side in (leg.source, leg.target):
        if isinstance(side, AsksAhead):
            side.ask_containers()
    found = listed(leg, {row.source_id: row for row in leg.ledger.containers()})
    return Sides(found, {container.id: container for container in leg.target.containers()})


def list_containers(leg: LegContext, sides: Sides) -> list[ContainerRow]:
    """Record the source's containers, rename the target's folders as at the source, create missing ones.

    Idempotent.

    Args:
        leg: the open leg.
        sides: the containers of both sides; what is renamed or created at the target is recorded there.

    Returns:
        The containers whose items move, parents first.

    Raises:
        Blocked: `drive-missing` if the drive whose files moved is gone; `folders-refused` if the target takes
            no name.
    """
    placed = {row.source_id: row for row in leg.ledger.containers()}
    found, existing = sides.source, sides.target
    _refuse_emptied(leg, found, placed)
    _leave_to_heirs(leg, found, placed)
    present = {container.id for container in found}
    if any(not row.gone and source_id not in present for source_id, row in placed.items()):
        present |= {container.id for container in leg.source.containers()}  # a single absence proves nothing
    heirs = _heirs(found, placed, present)
    adopt(leg, placed, existing)
    put_back(leg, placed.values(), existing)
    plan = _plan(leg, found, placed, existing, heirs)
    if any(container.id in placed and placed[container.id].path != container.path for container in found):
        _rename(leg, found, placed, plan, existing)
        plan = _plan(leg, found, placed, existing, heirs, stay=True)
    rows = _inherit(leg, leg.ledger.record_containers(found), heirs, plan, existing)
    place(leg, found, rows, plan, existing)
    for row in leg.ledger.gone_containers(present):
        _withdraw_all(leg, row)
    return moving(leg)


def _heirs(
    found: Sequence[Container], placed: Mapping[str, ContainerRow], present: Collection[str]
) -> dict[str, ContainerRow]:
    """Return, by the ids of new folders, the folder that is gone from the same place at the source.

    A folder that was deleted and made again takes the place of the former one.
    """
    gone_rows = {row.path: row for source_id, row in placed.items() if source_id not in present and row.href}
    used_hrefs = {row.href for source_id, row in placed.items() if source_id in present}
    return {
        container.id: gone_rows[container.path]
        for container in found
        if container.omit is None
        and container.path in gone_rows
        and gone_rows[container.path].href not in used_hrefs
        and (container.id not in placed or placed[container.id].href is None)
    }


def _leave_to_heirs(leg: LegContext, found: Sequence[Container], placed: dict[str, ContainerRow]) -> None:
    """Give another place to a folder that comes back after its heir has got its former place.

    This happens when a person made the folder again and then takes the deleted one out of the recycle bin. A
    folder of which copies are still there keeps its place.
    """
    used_hrefs = {row.href for row in placed.values() if not row.gone}
    for container in found:
        row = placed.get(container.id)
        if row is None or not row.gone or row.href is None or row.href not in used_hrefs:
            continue
        counts = leg.ledger.counts(row.id)
        if not any(counts.get(state) for state in AT_TARGET):
            leg.ledger.folders.unmake(row.id)
            leg.ledger.set_href(row.id, None)
            placed[container.id] = replace(row, href=None)


def _inherit(
    leg: LegContext,
    rows: Sequence[ContainerRow],
    heirs: Mapping[str, ContainerRow],
    plan: Mapping[str, Placement],
    existing: Collection[str],
) -> list[ContainerRow]:
    """Give the target's folders of former containers to their heirs, with everything in them.

    What lies in them is recognised by engine.steps.rekeying. A folder that Kogge made for the former
    container counts as made for its heir.
    """
    made_by_us = leg.ledger.folders.made() if heirs else frozenset()
    inherited = {
        row.id: Placed(row.id, old.href, plan[row.source_id].path, old.id in made_by_us)
        for row in rows
        if (old := heirs.get(row.source_id)) is not None and (old.href in existing or not leg.mirror)
    }
    leg.ledger.set_hrefs(inherited.values())
    return [replace(row, href=inherited[row.id].href) if row.id in inherited else row for row in rows]


def _refuse_emptied(leg: LegContext, found: Sequence[Container], placed: Mapping[str, ContainerRow]) -> None:
    """Refuse a drive that is no longer there.

    A drive without a licence, or a locked site, looks like a drive that never existed; it does not mean that
    the files should go. In the live phase nothing would be removed.

    Raises:
        Blocked: `drive-missing`.
    """
    moved = any(row.href is not None and not row.gone for row in placed.values())
    if leg.kind is Kind.FILES and leg.mirror and moved and not found:
        raise Blocked("drive-missing", "the source no longer has the drive whose files moved")


def listed(leg: LegContext, placed: Mapping[str, ContainerRow]) -> list[Container]:
    """Return the source's containers of this leg.

    A container that moved before goes on moving, even if its owner hides it now: otherwise its copies would
    be left behind.

    Args:
        leg: the open leg.
        placed: the rows of the ledger, by source id.
    """
    found = [container for container in leg.source.containers() if container.kind is leg.kind]
    return [
        replace(container, omit=None)
        if container.omit is not None and container.id in placed and placed[container.id].href is not None
        else container
        for container in found
    ]


def record_only(leg: LegContext) -> list[ContainerRow]:
    """Record the source's containers, and touch nothing at the target: for a dry run.

    Returns:
        The containers whose items would move.
    """
    for container in leg.source.containers():
        if container.kind is leg.kind:
            leg.ledger.record_container(container)
    return [row for row in leg.ledger.containers() if row.omit is None and not row.gone]


def moving(leg: LegContext) -> list[ContainerRow]:
    """Return the containers that have a place at the target."""
    return [row for row in leg.ledger.containers() if row.omit is None and row.href is not None]


def list_changes(leg: LegContext, row: ContainerRow, *, first: bool = False) -> Listing:
    """Record everything that the source says changed since the container's cursor (R1).

    If the cursor is lost, everything is listed again and compared with the ledger: no known item is copied
    again. So it is if the last verification missed an item at the source, or found one, about which the
    source says nothing since: a drive names a moved file in its new folder alone, and if that folder is
    deleted, nowhere; a backup brings mail back that did not change. Idempotent.

    Args:
        leg: the open leg.
        row: the container.
        first: True if no container of the leg was ever listed to its end, so that nothing can have moved
            between two.

    Returns:
        What the source said.
    """
    try:
        listing = _follow(leg, row, row.cursor, first=first)
        return _follow(leg, row, None, first=first) if _is_missed(leg, row) else listing
    except CursorLost:
        leg.ledger.event("source-cursor-lost", {"container": row.id})
        return replace(_follow(leg, row, None, first=first), lost=True)


def _is_missed(leg: LegContext, row: ContainerRow) -> bool:
    """Return True if the last verification saw another item at the source than the ledger has as there."""
    seen: dict[str, set[bytes]] = {"gone": set(), "new": set()}
    for finding in leg.ledger.findings(row.id):
        if finding.outcome is Outcome.UNCHECKED and finding.key is not None and finding.detail in seen:
            seen[finding.detail].add(finding.key)
    if not any(seen.values()):
        return False
    there = {item.key for item in leg.ledger.rows(row.id, THERE)}
    return bool(seen["gone"] & there or seen["new"] - there)


@contextmanager
def ends(leg: LegContext) -> Iterator[Callable[[Mapping[int, str]], None]]:
    """Collect the cursors that list_changes returns, and record many of them in one transaction.

    A container whose cursor a crash lost is only listed again.

    Yields:
        A function that takes cursors by the ids of their containers.
    """
    waiting: dict[int, str] = {}

    def ended(cursors: Mapping[int, str]) -> None:
        waiting.update(cursors)
        if len(waiting) >= AT_ONCE:
            leg.ledger.finish_listings(waiting)
            waiting.clear()

    try:
        yield ended
    except (MigrationError, StopRequested):
        with suppress(MigrationError):  # the first error counts; a container without cursor is listed again
            leg.ledger.finish_listings(waiting)
        raise
    leg.ledger.finish_listings(waiting)


def _follow(leg: LegContext, row: ContainerRow, cursor: str | None, *, first: bool) -> Listing:
    had_items = bool(leg.ledger.counts(row.id))
    moves = leg.source.capabilities.moves and not first
    # In the live phase, removals leave no trace in the ledger, so the cursor waits for
    # engine.steps.rekeying.
    waits = had_items and row.complete and not leg.mirror
    listed_keys: set[bytes] | None = None
    deleted: set[bytes] = set()
    last = cursor
    for page in leg.source.changes(as_container(row), cursor):
        leg.check()
        if page.full and had_items and listed_keys is None:
            listed_keys = set()
        if listed_keys is not None:
            listed_keys.update(key_of(ref.id) for ref in page.refs if not ref.deleted)
        if waits:
            _note_gone(deleted, page)
        if page.refs:  # an empty page has only a cursor, which finish_listing records
            leg.ledger.record_page(row.id, page, keep_cursor=listed_keys is None and not waits, moves=moves)
        last = page.cursor
    if last is None:
        return Listing()
    if not had_items and listed_keys is None:
        return Listing({row.id: last})
    if waits:
        if listed_keys is not None:
            leg.ledger.finish_listing(row.id, row.cursor, listed_keys)
        return Listing({row.id: last}, absent=deleted, present=listed_keys)
    leg.ledger.finish_listing(row.id, last, listed_keys)
    return Listing()


def present(leg: LegContext, row: ContainerRow) -> set[bytes]:
    """Return the keys of everything that the source has in a container now. Record nothing."""
    keys: set[bytes] = set()
    for page in leg.source.changes(as_container(row), None):
        leg.check()
        keys.update(key_of(ref.id) for ref in page.refs if not ref.deleted)
    return keys


def _note_gone(deleted: set[bytes], page: Page) -> None:
    """Note which items a page names as deleted; of an item that is named twice, the last mention counts."""
    for ref in page.refs:
        (deleted.add if ref.deleted else deleted.discard)(key_of(ref.id))


def forget(leg: LegContext, row: ContainerRow, refs: Sequence[str]) -> None:
    """Treat items that vanished between listing and fetching as deleted.

    Args:
        leg: the open leg.
        row: the container.
        refs: the source ids of the items.
    """
    if refs:
        deleted = tuple(Ref(ref, "", deleted=True) for ref in refs)
        leg.ledger.record_page(row.id, Page(deleted, row.cursor or ""), keep_cursor=False)


def _plan(
    leg: LegContext,
    found: Sequence[Container],
    placed: dict[str, ContainerRow],
    existing: dict[str, Container],
    heirs: Mapping[str, ContainerRow],
    *,
    stay: bool = False,
) -> dict[str, Placement]:
    """Return where the folders go, by source id.

    Args:
        leg: the open leg.
        found: the source's containers.
        placed: the rows of the ledger by source id.
        existing: the target's folders by href.
        heirs: see _heirs.
        stay: True to leave each folder where it is, so that no other gets its place; False to plan new places
            for folders that were renamed at the source.
    """
    places, held = leg.ledger.placed(), held_places(leg, placed.values(), existing)
    now = {} if stay else {container.id: container.path for container in found}
    former_ids = {old.id for old in heirs.values()}
    fixed = {
        source_id: place
        for source_id, place in held.items()
        if (row := placed[source_id]).id not in former_ids and now.get(source_id, row.path) == row.path
    }
    fixed |= {new: places[old.id] for new, old in heirs.items() if old.id in places}
    special: dict[Role, tuple[str, ...]] = {
        container.role: container.path for container in existing.values() if container.role is not None
    }
    movers = [container for container in found if container.omit is None]
    return plan_names(movers, leg.context.target, *apart(leg, special, fixed))


def apart(
    leg: LegContext, special: dict[Role, tuple[str, ...]], fixed: dict[str, tuple[str, ...]]
) -> tuple[dict[Role, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Keep mail and notes apart, which may share one account: neither goes where the other is.

    Args:
        leg: the open leg.
        special: the places of folders with a role.
        fixed: the places that folders have already, by source id.

    Returns:
        Both, with the places of the other workload added.
    """
    if leg.kind not in (Kind.MAIL, Kind.NOTES):
        return special, fixed
    others = leg.ledger.elsewhere()
    if leg.kind is Kind.NOTES and NOTES not in others.values():
        special = {Role.NOTES: NOTES, **special}
    return special, {**{f"\0{href}": path for href, path in others.items()}, **fixed}


def _rename(
    leg: LegContext,
    found: Sequence[Container],
    placed: dict[str, ContainerRow],
    plan: dict[str, Placement],
    existing: dict[str, Container],
) -> None:
    """Rename folders as at the source; an href changes only by a successful rename (R9).

    In the live phase, folders are the user's. A rename that the server refuses keeps the old place and is a
    loss of the folder. For files it is a loss only if the end of the pass brings no better chance
    (engine.leg.file_cleanup); until then everything below stays there too.
    """
    refused: list[Path] = []
    for container, path in _in_turn(leg, _renamed(found, placed), placed, plan, existing):
        row, wanted = placed[container.id], replace(container, path=path)
        here = leg.ledger.placed().get(row.id)
        if not leg.mirror or here is None or here == wanted.path:
            continue
        try:
            if any(wanted.path[: len(above)] == above for above in refused):
                raise Rejected("name-taken", "a folder above is not where it belongs")
            rename(leg, row, wanted, placed, existing)
        except Rejected as error:
            leg.heard([told(None, error)])
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
    If all wait for each other, as after an exchange of names, one goes aside.
    """
    if leg.context.target.files is not None or leg.kind not in MOVING:
        yield from ((container, plan[container.id].path) for container in pending)
        return
    while pending:
        later: list[Container] = []
        for number, container in enumerate(pending):
            path = plan[container.id].path
            others = (*later, *pending[number + 1 :])
            if _waits(path, later, plan) or _is_held(joined(leg, path), others, placed, existing):
                later.append(container)
            else:
                yield container, path
        if len(later) == len(pending):
            first, href = later[0], placed[later[0].id].href
            yield first, _aside(leg, placed[first.id])
            if placed[first.id].href == href:
                yield first, plan[first.id].path
                later.remove(first)
        pending = later


def _waits(path: Path, later: Collection[Container], plan: Mapping[str, Placement]) -> bool:
    """Return True if a folder above waits."""
    return any(path[: len(above)] == above for above in (plan[one.id].path for one in later))


def _is_held(
    href: str,
    others: Collection[Container],
    placed: Mapping[str, ContainerRow],
    existing: Collection[str],
) -> bool:
    """Return True if another folder that is still to be renamed is at this place."""
    return href in existing and any(placed[other.id].href == href for other in others)


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
    """Return the hrefs of everything that moved with a folder of files, wherever the server had it."""
    return [entry for entry in existing if entry.startswith(f"{href}/")] if leg.context.target.files else []


def _rename_at_target(
    leg: LegContext, row: ContainerRow, wanted: Container, existing: Mapping[str, Container]
) -> str:
    old, former_path = str(row.href), leg.ledger.placed()[row.id]
    if leg.kind not in MOVING:
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
    if leg.kind not in MOVING or not leg.mirror:
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
    if leg.kind not in MOVING or not leg.mirror:
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
        if leg.kind in MOVING and separator and href.startswith(f"{old}{separator}"):
            moved = new_path + place[len(place) - href.count(separator) + old.count(separator) :]
            leg.ledger.set_href(child.id, new + href[len(old) :], moved)
            placed[child.source_id] = replace(child, href=new + href[len(old) :])


def _withdraw_all(leg: LegContext, row: ContainerRow) -> None:
    """Mark as gone the items of a container that the source no longer has."""
    if row.cursor is not None:
        leg.ledger.finish_listing(row.id, row.cursor, set())
