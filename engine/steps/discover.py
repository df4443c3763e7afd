"""Which containers there are, where they go, and what changed in them since the last look."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from engine.context.leg_context import LegContext, as_container
from engine.control.server_words_file import told
from engine.control.stop_signal import StopRequested
from engine.steps.placement import AT_ONCE, joined, place
from ledger.db.rows import ContainerRow
from ledger.leg.containers import Placed
from mappings.fields.folder_names import Path, Placement, plan_names
from model.errors import Blocked, CursorLost, MigrationError, Rejected
from model.protocols import Container, Kind, Loss, Page, Ref, Role, key_of

NOTES = ("Notes",)
"""Where the notes of a mailbox go in an account of mail."""
RENAME_REFUSED = Loss("folder-name", "rename-refused")
MOVING = (Kind.MAIL, Kind.NOTES, Kind.FILES)
"""Whose folders' hrefs are their paths, so that a renamed one, and all below it, has another."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the source said of one container. cursors: to be recorded once what it said is dealt with, see
    ends. lost: it knew the cursor no more, and named everything anew.

    In the live phase alone, where the ledger keeps what the source deletes: absent are keys that it named as
    deleted, present (None: it named changes only) those of everything that it has."""

    cursors: Mapping[int, str] = field(default_factory=dict)
    lost: bool = False
    absent: Collection[bytes] = frozenset()
    present: Collection[bytes] | None = None

    def lacks(self, key: bytes) -> bool:
        """Whether the source said that it has an item of this key no more."""
        return key in self.absent or (self.present is not None and key not in self.present)


def list_containers(leg: LegContext) -> list[ContainerRow]:
    """Records the source's containers, renames the target's where the source's were renamed, creates
    what is missing. Returns those whose items move, parents first. Idempotent. Raises Blocked."""
    placed = {row.source_id: row for row in leg.ledger.containers()}
    found = listed(leg, placed)
    _refuse_emptied(leg, found, placed)
    present = {container.id for container in found}
    if any(not row.gone and source_id not in present for source_id, row in placed.items()):
        present |= {container.id for container in leg.source.containers()}  # missing once proves nothing
    heirs = _heirs(found, placed, present)
    existing = {container.id: container for container in leg.target.containers()}
    adopt(leg, placed, existing)
    plan = _plan(leg, found, placed, existing, heirs)
    elsewhere = _rename(leg, found, placed, plan, existing)
    rows = _inherited(leg, leg.ledger.record_containers(found), heirs, plan, existing)
    place(leg, found, rows, plan, existing, elsewhere)
    for row in leg.ledger.gone_containers(present):
        _withdraw_all(leg, row)
    return moving(leg)


def _heirs(
    found: Sequence[Container], placed: Mapping[str, ContainerRow], present: Collection[str]
) -> dict[str, ContainerRow]:
    """By the ids of folders that are new: the one that is gone from the same place at the source. A folder
    that was deleted and made anew takes the place of the one before it."""
    gone = {row.path: row for source_id, row in placed.items() if source_id not in present and row.href}
    held = {row.href for source_id, row in placed.items() if source_id in present}
    return {
        container.id: gone[container.path]
        for container in found
        if container.omit is None
        and container.path in gone
        and gone[container.path].href not in held
        and (container.id not in placed or placed[container.id].href is None)
    }


def _inherited(
    leg: LegContext,
    rows: Sequence[ContainerRow],
    heirs: Mapping[str, ContainerRow],
    plan: Mapping[str, Placement],
    existing: Collection[str],
) -> list[ContainerRow]:
    """What the target still has of the folders before them is theirs from here on, and so is what lies in it
    (engine.steps.rekeying). Whoever made that folder made it for them."""
    made = leg.ledger.folders.made() if heirs else frozenset()
    taken = {
        row.id: Placed(row.id, old.href, plan[row.source_id].path, old.id in made)
        for row in rows
        if (old := heirs.get(row.source_id)) is not None and (old.href in existing or not leg.mirror)
    }
    leg.ledger.set_hrefs(taken.values())
    return [replace(row, href=taken[row.id].href) if row.id in taken else row for row in rows]


def _refuse_emptied(leg: LegContext, found: Sequence[Container], placed: Mapping[str, ContainerRow]) -> None:
    """A drive that is not there any more (no licence, a locked site) looks like one that never was, and is
    nobody's wish to have the files gone. In the live phase nothing would go. Raises Blocked."""
    moved = any(row.href is not None and not row.gone for row in placed.values())
    if leg.kind is Kind.FILES and leg.mirror and moved and not found:
        raise Blocked("drive-missing", "the source no longer has the drive whose files moved")


def listed(leg: LegContext, placed: Mapping[str, ContainerRow]) -> list[Container]:
    """The source's containers of this leg. One that moved before goes on moving, also when its owner hides
    it: what is at the target must not be left behind."""
    found = [container for container in leg.source.containers() if container.kind is leg.kind]
    return [
        replace(container, omit=None)
        if container.omit is not None and container.id in placed and placed[container.id].href is not None
        else container
        for container in found
    ]


def record_only(leg: LegContext) -> list[ContainerRow]:
    """As list_containers, but touches nothing at the target: for a dry run."""
    for container in leg.source.containers():
        if container.kind is leg.kind:
            leg.ledger.record_container(container)
    return [row for row in leg.ledger.containers() if row.omit is None and not row.gone]


def moving(leg: LegContext) -> list[ContainerRow]:
    """The containers that have a place at the target."""
    return [row for row in leg.ledger.containers() if row.omit is None and row.href is not None]


def list_changes(leg: LegContext, row: ContainerRow, *, first: bool = False) -> Listing:
    """Records everything the source says changed since the container's cursor (R1). A lost cursor
    means enumerating anew and reconciling by the ledger: nothing known is copied again. first: no container
    of the leg was ever listed to its end, so that nothing can have moved between two."""
    try:
        return _follow(leg, row, row.cursor, first=first)
    except CursorLost:
        leg.ledger.event("source-cursor-lost", {"container": row.id})
        return replace(_follow(leg, row, None, first=first), lost=True)


@contextmanager
def ends(leg: LegContext) -> Iterator[Callable[[Mapping[int, str]], None]]:
    """Takes the cursors that list_changes returns and records many in one transaction: a container whose
    cursor a crash lost is only listed again."""
    waiting: dict[int, str] = {}

    def ended(cursors: Mapping[int, str]) -> None:
        waiting.update(cursors)
        if len(waiting) >= AT_ONCE:
            leg.ledger.finish_listings(waiting)
            waiting.clear()

    try:
        yield ended
    except (MigrationError, StopRequested):
        with suppress(MigrationError):  # the first error says why; without its cursor it is listed again
            leg.ledger.finish_listings(waiting)
        raise
    leg.ledger.finish_listings(waiting)


def _follow(leg: LegContext, row: ContainerRow, cursor: str | None, *, first: bool) -> Listing:
    had_items = bool(leg.ledger.counts(row.id))
    moves = leg.source.capabilities.moves and not first
    # In the live phase what is gone leaves no trace in the ledger, so that the cursor waits for
    # engine.steps.rekeying.
    waits = had_items and row.complete and not leg.mirror
    seen: set[bytes] | None = None
    gone: set[bytes] = set()
    last = cursor
    for page in leg.source.changes(as_container(row), cursor):
        leg.check()
        if page.full and had_items and seen is None:
            seen = set()
        if seen is not None:
            seen.update(key_of(ref.id) for ref in page.refs if not ref.deleted)
        if waits:
            _note_gone(gone, page)
        if page.refs:  # else its cursor alone: finish_listing keeps it
            leg.ledger.record_page(row.id, page, keep_cursor=seen is None and not waits, moves=moves)
        last = page.cursor
    if last is None:
        return Listing()
    if not had_items and seen is None:
        return Listing({row.id: last})
    if waits:
        if seen is not None:
            leg.ledger.finish_listing(row.id, row.cursor, seen)
        return Listing({row.id: last}, absent=gone, present=seen)
    leg.ledger.finish_listing(row.id, last, seen)
    return Listing()


def present(leg: LegContext, row: ContainerRow) -> set[bytes]:
    """The keys of everything that the source has in a container now. Records nothing."""
    found: set[bytes] = set()
    for page in leg.source.changes(as_container(row), None):
        leg.check()
        found.update(key_of(ref.id) for ref in page.refs if not ref.deleted)
    return found


def _note_gone(gone: set[bytes], page: Page) -> None:
    """Of an item named twice the last mention counts."""
    for ref in page.refs:
        (gone.add if ref.deleted else gone.discard)(key_of(ref.id))


def forget(leg: LegContext, row: ContainerRow, refs: Sequence[str]) -> None:
    """Items that were listed and vanished before they were fetched: the same as a deletion."""
    if refs:
        deleted = tuple(Ref(ref, "", deleted=True) for ref in refs)
        leg.ledger.record_page(row.id, Page(deleted, row.cursor or ""), keep_cursor=False)


def _plan(
    leg: LegContext,
    found: Sequence[Container],
    placed: dict[str, ContainerRow],
    existing: dict[str, Container],
    heirs: Mapping[str, ContainerRow],
) -> dict[str, Placement]:
    places = leg.ledger.placed()
    now = {container.id: container.path for container in found}
    left = {old.id for old in heirs.values()}
    fixed = {
        row.source_id: places[row.id]
        for row in placed.values()
        if row.id in places and row.id not in left and now.get(row.source_id, row.path) == row.path
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
    """Mail and notes may share one account: neither goes where the other is."""
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
) -> dict[Path, Path]:
    """R9: an href changes only by a successful rename. In the live phase folders are the user's. A rename
    that the server refuses keeps the old place and is a loss of the folder's; of files, only if the end of
    the pass brings no better chance (engine.leg.file_cleanup), and until then what is below stays there as
    well. Returns the planned place and the real one of what did not get there."""
    refused: dict[Path, Path] = {}
    for container in sorted(found, key=lambda c: len(c.path)):
        row = placed.get(container.id)
        if row is None or row.href is None or row.path == container.path or container.omit is not None:
            continue
        wanted = replace(container, path=plan[container.id].path)
        here = leg.ledger.placed().get(row.id)
        if not leg.mirror or here is None or here == wanted.path:
            continue
        try:
            if any(wanted.path[: len(path)] == path for path in refused):
                raise Rejected("name-taken", "a folder above is not where it belongs")
            rename(leg, row, wanted, placed, existing)
        except Rejected as error:
            leg.heard([told(None, error)])
            refused[wanted.path] = here
            if leg.context.target.files is None:
                leg.ledger.lose(row.id, None, (RENAME_REFUSED,))
    return refused


def rename(
    leg: LegContext,
    row: ContainerRow,
    wanted: Container,
    placed: dict[str, ContainerRow],
    existing: dict[str, Container],
) -> None:
    """Raises Rejected; then the folder is where it was. Where it goes stands in the ledger before it goes:
    see adopt."""
    leg.check()
    old, new = str(row.href), joined(leg, wanted.path)
    if old in existing or new not in existing:  # else an attempt died right after it
        new = _renamed(leg, row, wanted, existing)
    existing[new] = existing.pop(old, wanted)
    for href in _below(leg, old, existing):
        existing[new + href[len(old) :]] = existing.pop(href)
    _follow_parent(leg, old, new, wanted.path, placed)
    leg.ledger.set_href(row.id, new, wanted.path)
    placed[row.source_id] = replace(row, href=new)


def _below(leg: LegContext, href: str, existing: Mapping[str, Container]) -> list[str]:
    """What went with a folder of files, wherever the server had it."""
    return [entry for entry in existing if entry.startswith(f"{href}/")] if leg.context.target.files else []


def _renamed(leg: LegContext, row: ContainerRow, wanted: Container, existing: Mapping[str, Container]) -> str:
    old, before = str(row.href), leg.ledger.placed()[row.id]
    if leg.kind not in MOVING:
        return leg.target.rename(old, wanted)
    if leg.context.target.files is not None and old not in existing:
        raise Rejected("vanished", "somebody removed the folder: it is made anew")
    leg.ledger.set_href(row.id, old, wanted.path)
    try:
        return leg.target.rename(old, wanted)
    except Rejected:
        leg.ledger.set_href(row.id, old, before)
        raise


def catch_up(leg: LegContext) -> None:
    """Before anybody looks at a target without a pass: as adopt. Asks for the target's folders only where
    one may be on its way."""
    if leg.kind not in MOVING or not leg.mirror:
        return
    placed, places = {row.source_id: row for row in leg.ledger.containers()}, leg.ledger.placed()
    known = [(row.href, places[row.id]) for row in placed.values() if row.href and row.id in places]
    if any(joined(leg, place) != href for href, place in known):
        adopt(leg, placed, {container.id: container for container in leg.target.containers()})


def adopt(leg: LegContext, placed: dict[str, ContainerRow], existing: dict[str, Container]) -> None:
    """A worker died around the renaming of a folder: it went where the ledger says that it was to go, or did
    not. Asks nothing of the target."""
    if leg.kind not in MOVING or not leg.mirror:
        return
    places, at = leg.ledger.placed(), {joined(leg, one.path): href for href, one in existing.items()}
    for source_id in list(placed):
        row = placed[source_id]
        path = places.get(row.id)
        if row.href is None or path is None or (wanted := joined(leg, path)) == row.href:
            continue
        href = at.get(wanted, wanted)  # mail's may have a prefix that no path has
        if row.href in existing:
            if href != row.href:
                leg.ledger.set_href(row.id, row.href, existing[row.href].path)
        elif href in existing and href not in {place.href for place in placed.values()}:
            _follow_parent(leg, row.href, href, path, placed)
            leg.ledger.set_href(row.id, href, path)
            placed[source_id] = replace(row, href=href)


def _follow_parent(leg: LegContext, old: str, new: str, after: Path, placed: dict[str, ContainerRow]) -> None:
    """The server renamed everything below as well. Before the parent's own place is recorded, so that a crash
    in between leaves nobody behind."""
    separator, places = leg.context.target.separator, leg.ledger.placed()
    for child in list(placed.values()):
        href, place = child.href or "", places.get(child.id, ())
        if leg.kind in MOVING and separator and href.startswith(f"{old}{separator}"):
            moved = after + place[len(place) - href.count(separator) + old.count(separator) :]
            leg.ledger.set_href(child.id, new + href[len(old) :], moved)
            placed[child.source_id] = replace(child, href=new + href[len(old) :])


def _withdraw_all(leg: LegContext, row: ContainerRow) -> None:
    """A container the source no longer has: its items are gone with it."""
    if row.cursor is not None:
        leg.ledger.finish_listing(row.id, row.cursor, set())
