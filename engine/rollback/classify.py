"""What of a mailbox is still as we wrote it: folder by folder, by what lies there and what it means.

Flags do not count. Whatever is in doubt is not ours to remove.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from engine.context.leg_context import LegContext
from engine.steps.reconcile import digests_once, listed_once, read_digests, read_once
from ledger.db.rows import ContainerRow, ItemRow
from ledger.leg.matching import TargetItem, Wanted, match, narrow
from model.errors import Blocked
from model.optional_protocols import SupportsDigests
from model.protocols import Failed, Listed

CHUNK = 200


class RollbackFate(StrEnum):
    """What becomes of one item at the target.

    OURS        as we wrote it: removed
    CHANGED     somebody changed it since: stays
    GONE        not where we wrote it any more: somebody deleted or moved it
    SHARED      somebody else's copy of the meeting rests on it: stays
    FOUND       was there before us, and stood for ours: stays
    UNREADABLE  nobody knows what it is: stays
    REFUSED     the server keeps it
    ADDED       nothing that we know of: its user's, stays
    """

    OURS = "ours"
    CHANGED = "changed"
    GONE = "gone"
    SHARED = "shared"
    FOUND = "found"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Judged:
    """folder, href: where it is at the target; version: its ETag, where that was told. listed: as the target
    lists it. row, item: the ledger's; no item of what was ADDED."""

    fate: RollbackFate
    folder: str
    href: str
    row: ContainerRow
    item: ItemRow | None = None
    version: str = ""
    listed: Listed | None = None

    @property
    def key(self) -> bytes:
        return self.item.key if self.item is not None else b""

    @property
    def digest(self) -> bytes:
        """Of what we wrote; b"" where that is not known."""
        return (self.item.digest or b"") if self.item is not None else b""

    @property
    def name(self) -> tuple[int, bytes]:
        """Of an item, what it is known by in the ledger."""
        return self.row.id, self.key


def judge(
    leg: LegContext, href: str, rows: Sequence[ContainerRow], rested: Collection[bytes]
) -> Iterator[Judged]:
    """Every item that the ledger has at the target in one folder, and whatever else lies there. rows: the
    containers that share it. rested: keys of what somebody else's copy rests on. Writes nothing."""
    listing = listing_of(leg, href)
    owned = leg.ledger.claimed(href)
    here: list[Judged] = []
    absent: list[Judged] = []
    for row in rows:
        for item in leg.ledger.rows(row.id):
            if item.href is None:
                continue
            one = Judged(RollbackFate.GONE, href, item.href, row, item, listed=listing.get(item.href))
            if not leg.is_ours(item):
                yield replace(one, fate=RollbackFate.FOUND)
            elif item.key in rested:
                yield replace(one, fate=RollbackFate.SHARED)
            else:
                (absent if one.listed is None else here).append(one)
    paired = {} if is_placed(leg) else _paired(leg, href, absent, listing.values(), owned)
    for entry in absent:
        found = paired.get(entry.name)
        if found is None:
            yield entry
        else:
            here.append(replace(entry, href=found.href, listed=found))
    yield from _read(leg, href, here)
    taken = owned | {found.href for found in paired.values()}
    for listed in listing.values():
        if listed.href not in taken:
            yield Judged(RollbackFate.ADDED, href, listed.href, rows[0], listed=listed)


def search(leg: LegContext, lost: Iterable[Judged], done: Collection[tuple[str, str]]) -> Iterator[Judged]:
    """Of what is GONE from where it was written: what lies in any other folder of the account. done: (folder,
    href) of what was found to be somebody's row already."""
    left = {entry.name: entry for entry in lost}
    for container in list(leg.target.containers()):
        if not left or container.omit is not None:
            continue
        leg.check()
        listing = listing_of(leg, container.id)
        owned = leg.ledger.claimed(container.id) | {name for folder, name in done if folder == container.id}
        free = [entry for entry in listing.values() if entry.href not in owned]
        if is_placed(leg):
            names = {entry.href: entry for entry in free}
            paired: Mapping[tuple[int, bytes], Listed] = {
                name: names[one.href] for name, one in left.items() if one.href in names
            }
        else:
            paired = _paired(leg, container.id, list(left.values()), free, owned)
        moved = [
            replace(left[name], folder=container.id, href=found.href, listed=found)
            for name, found in paired.items()
        ]
        for entry in _read(leg, container.id, moved):
            if entry.fate is RollbackFate.OURS:
                del left[entry.name]
                yield entry
    yield from left.values()


def is_placed(leg: LegContext) -> bool:
    """Whether an item is known by its place: under any other it is somebody's."""
    return leg.context.target.replaces


def listing_of(leg: LegContext, href: str) -> dict[str, Listed]:
    """What is in a folder, by href; nothing when there is no such folder."""
    try:
        return {item.href: item for item in listed_once(leg, href)}
    except Blocked as error:
        if error.code != "container-missing":
            raise
        return {}  # somebody removed the folder, and with it whatever we wrote


def _paired(
    leg: LegContext, href: str, absent: Sequence[Judged], listing: Iterable[Listed], owned: Collection[str]
) -> Mapping[tuple[int, bytes], Listed]:
    """R3: the same items under other ids: the server renumbered, or somebody moved them there and back."""
    names = {b"%d:%s" % entry.name: entry for entry in absent if entry.digest}
    wanted = [Wanted(name, one.digest, size_of(one) or 0, _since(one, href)) for name, one in names.items()]
    known = {item.href: item for item in listing if item.href not in owned}
    free = [TargetItem(item.href, item.size, item.message_id) for item in known.values()]
    digests = read_digests(leg, href, narrow(wanted, free, set())) if wanted else {}
    return {names[name].name: known[found] for name, found in match(wanted, free, digests).pairs.items()}


def _since(one: Judged, href: str) -> str | None:
    """In the folder that it was written to, what was there before us is somebody's."""
    return one.item.since if one.item is not None and one.folder == href else None


def _read(leg: LegContext, href: str, here: Iterable[Judged]) -> Iterator[Judged]:
    """Those that are there, by what they mean."""
    waiting = iter(here)
    while window := list(islice(waiting, CHUNK)):
        leg.await_turn()
        means = _means(leg, href, dict.fromkeys(entry.href for entry in window))
        for entry in window:
            digest, version = means.get(entry.href, (None, ""))
            yield replace(entry, fate=_fate(entry, digest), version=version)


VANISHED = b""
"""In place of a digest."""


def _fate(one: Judged, digest: bytes | None) -> RollbackFate:
    if digest == VANISHED:
        return RollbackFate.GONE
    if digest is None or not one.digest:
        return RollbackFate.UNREADABLE
    return RollbackFate.OURS if digest == one.digest else RollbackFate.CHANGED


def size_of(one: Judged) -> int | None:
    if one.item is not None:
        return one.item.size
    return one.listed.size if one.listed is not None else None


def _means(leg: LegContext, href: str, names: Iterable[str]) -> dict[str, tuple[bytes | None, str]]:
    """The digest and ETag of each; None of what cannot be read. What nobody answers for is left out."""
    if isinstance(leg.target, SupportsDigests):
        told = digests_once(leg, href, names)
        return {name: (_failed(one) if isinstance(one, Failed) else one, "") for name, one in told}
    found: dict[str, tuple[bytes | None, str]] = {}
    for name, native in read_once(leg, href, names):
        if isinstance(native, Failed):
            found[name] = _failed(native), ""
        elif native.body is not None:
            found[name] = leg.digest(native.body), native.ref.version
    return found


def _failed(failed: Failed) -> bytes | None:
    return VANISHED if failed.error.code == "vanished" else None
