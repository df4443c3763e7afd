"""Find which containers there are, where they go, and what changed in them since the last cursor."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from engine.context.leg_context import LegContext, as_container
from engine.control.stop_signal import StopRequested
from engine.steps.listing.folder_renames import adopt, rename_as_source
from engine.steps.listing.placement import AT_ONCE, held_places, place, put_back
from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, Outcome, State
from ledger.leg.containers import Placed
from mappings.fields.folder_names import Path, Placement, plan_names
from model.errors import Blocked, CursorLost, MigrationError
from model.kinds import Kind
from model.optional_protocols import AsksAhead
from model.protocols import Container, Page, Ref, Role, key_of

NOTES = ("Notes",)
"""Where the notes of a mailbox go in a mail account."""
THERE = tuple(state for state in State if state not in (State.LEAVING, State.GONE))
"""The states of an item that the source has as far as the ledger knows."""


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
    plan, in_place = _plan(leg, found, placed, existing, heirs)
    if any(container.id in placed and placed[container.id].path != container.path for container in found):
        rename_as_source(leg, found, placed, plan, existing)
        plan, in_place = _plan(leg, found, placed, existing, heirs, stay=True)
    rows = _inherit(leg, leg.ledger.record_containers(found), in_place, plan, existing)
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

    What lies in them is recognised by engine.steps.listing.rekeying. A folder that Kogge made for the former
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
    if leg.traits.of_sites and leg.mirror and moved and not found:
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
    leg.ledger.record_containers(one for one in leg.source.containers() if one.kind is leg.kind)
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
    # engine.steps.listing.rekeying.
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
) -> tuple[dict[str, Placement], dict[str, ContainerRow]]:
    """Return where the folders go, by source id, and the heirs whose former folder is where theirs belongs.

    A former folder that was carried along with a renamed one above it is not where its heir belongs.

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
    special: dict[Role, tuple[str, ...]] = {
        container.role: container.path for container in existing.values() if container.role is not None
    }
    movers = [container for container in found if container.omit is None]

    def plan_with(heirs: Mapping[str, ContainerRow]) -> dict[str, Placement]:
        former_ids = {old.id for old in heirs.values()}
        fixed = {
            source_id: place
            for source_id, place in held.items()
            if (row := placed[source_id]).id not in former_ids and now.get(source_id, row.path) == row.path
        }
        fixed |= {new: places[old.id] for new, old in heirs.items() if old.id in places}
        return plan_names(movers, leg.context.target, *apart(leg, special, fixed))

    in_place = dict(heirs)
    while True:  # without its heir a folder may get another place, and all below it with it
        plan = plan_with(in_place)
        here = {container.path: plan[container.id].path for container in movers}
        away = [new for new, old in in_place.items() if _is_carried_away(leg, old, places, here)]
        if not away:
            return plan, in_place
        for new in away:
            del in_place[new]


def _is_carried_away(
    leg: LegContext, old: ContainerRow, places: Mapping[int, Path], here: Mapping[Path, Path]
) -> bool:
    """Return True if a former folder is not below the place of the folder that is above its heir.

    Args:
        leg: the open leg.
        old: the former folder.
        places: the places of the ledger's folders, by their ids.
        here: the places of the source's folders, by their paths there.
    """
    if old.id not in places or not leg.context.target.separator:
        return False
    above = places[old.id][:-1]
    return here.get(old.path[:-1], above) != above


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
    if not leg.traits.in_mailbox:
        return special, fixed
    others = leg.ledger.elsewhere()
    if leg.kind is Kind.NOTES and NOTES not in others.values():
        special = {Role.NOTES: NOTES, **special}
    return special, {**{f"\0{href}": path for href, path in others.items()}, **fixed}


def _withdraw_all(leg: LegContext, row: ContainerRow) -> None:
    """Mark as gone the items of a container that the source no longer has."""
    if row.cursor is not None:
        leg.ledger.finish_listing(row.id, row.cursor, set())
