"""Decide what of a mailbox is still as Kogge wrote it: folder by folder, by place and by meaning.

Flags do not count. What is in doubt is not ours to remove.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from engine.context.leg_context import LegContext
from engine.steps.target_reading import each_digest, full_listing, read_digests
from ledger.db.rows import ContainerRow, ItemRow
from ledger.leg.matching import TargetItem, Wanted, match, narrow
from model.errors import Blocked
from model.optional_protocols import SupportsDigests
from model.protocols import Failed, Listed

CHUNK = 200


class RollbackFate(StrEnum):
    """Name what becomes of one item at the target.

    Attributes:
        OURS: as Kogge wrote it: removed.
        CHANGED: changed by someone since: stays.
        GONE: not where Kogge wrote it any more: deleted or moved by someone.
        SHARED: another person's copy of the meeting rests on it: stays.
        FOUND: was there before Kogge, and stood for ours: stays.
        UNREADABLE: cannot be identified: stays.
        REFUSED: the server keeps it.
        ADDED: unknown to the ledger: the user's, stays.
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
    """Hold the verdict on one item.

    Attributes:
        fate: what becomes of it.
        folder: the folder at the target.
        href: where it is at the target.
        row: the row of its container.
        item: its row; None for ADDED.
        version: its ETag; "" if it is unknown.
        listed: the item as the target lists it; None if it is not listed.
    """

    fate: RollbackFate
    folder: str
    href: str
    row: ContainerRow
    item: ItemRow | None = None
    version: str = ""
    listed: Listed | None = None

    @property
    def key(self) -> bytes:
        """The key of the item; b"" for ADDED."""
        return self.item.key if self.item is not None else b""

    @property
    def digest(self) -> bytes:
        """The digest of what Kogge wrote; b"" if it is unknown."""
        return (self.item.digest or b"") if self.item is not None else b""

    @property
    def name(self) -> tuple[int, bytes]:
        """Container and key, which identify the item in the ledger."""
        return self.row.id, self.key


def judge(
    leg: LegContext, href: str, rows: Sequence[ContainerRow], rested: Collection[bytes]
) -> Iterator[Judged]:
    """Yield a verdict on every item that the ledger has in one folder, and on whatever else lies there.

    Writes nothing.

    Args:
        leg: the open leg.
        href: the folder at the target.
        rows: the containers that share it.
        rested: keys of items on which another person's copy rests.

    Raises:
        MigrationError: what the target raises.
    """
    listing = listing_of(leg, href)
    owned = leg.ledger.claimed(href)
    here: list[Judged] = []
    absent: list[Judged] = []
    for row in rows:
        for item in leg.ledger.rows(row.id):
            if item.href is None:
                continue
            verdict = Judged(RollbackFate.GONE, href, item.href, row, item, listed=listing.get(item.href))
            if not leg.is_ours(item):
                yield replace(verdict, fate=RollbackFate.FOUND)
            elif item.key in rested:
                yield replace(verdict, fate=RollbackFate.SHARED)
            else:
                (absent if verdict.listed is None else here).append(verdict)
    paired = {} if is_placed(leg) else _pair(leg, href, absent, listing.values(), owned)
    for entry in absent:
        listed_entry = paired.get(entry.name)
        if listed_entry is None:
            yield entry
        else:
            here.append(replace(entry, href=listed_entry.href, listed=listed_entry))
    yield from _read(leg, href, here)
    used_hrefs = owned | {listed_entry.href for listed_entry in paired.values()}
    for listed in listing.values():
        if listed.href not in used_hrefs:
            yield Judged(RollbackFate.ADDED, href, listed.href, rows[0], listed=listed)


def search(leg: LegContext, lost: Iterable[Judged], done: Collection[tuple[str, str]]) -> Iterator[Judged]:
    """Search all folders of the account for items that are GONE from where they were written.

    Args:
        leg: the open leg.
        lost: the items.
        done: folder and href of items that are known to belong to another row.

    Yields:
        Each item: OURS where it was found, else as it was given.
    """
    missing = {entry.name: entry for entry in lost}
    for container in list(leg.target.containers()):
        if not missing or container.omit is not None:
            continue
        leg.check()
        listing = listing_of(leg, container.id)
        owned = leg.ledger.claimed(container.id) | {name for folder, name in done if folder == container.id}
        free = [entry for entry in listing.values() if entry.href not in owned]
        if is_placed(leg):
            names = {entry.href: entry for entry in free}
            paired: Mapping[tuple[int, bytes], Listed] = {
                name: names[judged.href] for name, judged in missing.items() if judged.href in names
            }
        else:
            paired = _pair(leg, container.id, list(missing.values()), free, owned)
        moved = [
            replace(missing[name], folder=container.id, href=entry_found.href, listed=entry_found)
            for name, entry_found in paired.items()
        ]
        for entry in _read(leg, container.id, moved):
            if entry.fate is RollbackFate.OURS:
                del missing[entry.name]
                yield entry
    yield from missing.values()


def is_placed(leg: LegContext) -> bool:
    """Return True if an item is known by its place: under any other place it belongs to someone else."""
    return leg.context.target.replaces


def listing_of(leg: LegContext, href: str) -> dict[str, Listed]:
    """Return what is in a folder, by href; nothing if the folder does not exist."""
    try:
        return {item.href: item for item in full_listing(leg, href)}
    except Blocked as error:
        if error.code != "container-missing":
            raise
        return {}  # someone removed the folder with everything in it


def _pair(
    leg: LegContext, href: str, absent: Sequence[Judged], listing: Iterable[Listed], owned: Collection[str]
) -> Mapping[tuple[int, bytes], Listed]:
    """Return the same items under other ids (R3).

    The server renumbered, or someone moved them there and back.
    """
    names = {b"%d:%s" % entry.name: entry for entry in absent if entry.digest}
    expected = [
        Wanted(name, judged.digest, size_of(judged) or 0, _since(judged, href))
        for name, judged in names.items()
    ]
    by_href = {item.href: item for item in listing if item.href not in owned}
    free = [TargetItem(item.href, item.size, item.message_id) for item in by_href.values()]
    digests = read_digests(leg, href, narrow(expected, free, set())) if expected else {}
    return {
        names[name].name: by_href[href_found]
        for name, href_found in match(expected, free, digests).pairs.items()
    }


def _since(judged: Judged, href: str) -> str | None:
    """Return the position from which an item may be ours.

    In its own folder, everything before belongs to someone else.
    """
    return judged.item.since if judged.item is not None and judged.folder == href else None


def _read(leg: LegContext, href: str, here: Iterable[Judged]) -> Iterator[Judged]:
    """Yield the items that are there, judged by their meaning."""
    waiting = iter(here)
    while window := list(islice(waiting, CHUNK)):
        leg.await_turn()
        means = _meanings(leg, href, dict.fromkeys(entry.href for entry in window))
        for entry in window:
            digest, version = means.get(entry.href, (None, ""))
            yield replace(entry, fate=_fate(entry, digest), version=version)


VANISHED = b""
"""Stands for a digest."""


def _fate(judged: Judged, digest: bytes | None) -> RollbackFate:
    if digest == VANISHED:
        return RollbackFate.GONE
    if digest is None or not judged.digest:
        return RollbackFate.UNREADABLE
    return RollbackFate.OURS if digest == judged.digest else RollbackFate.CHANGED


def size_of(judged: Judged) -> int | None:
    """Return the size of an item in bytes; None if it is unknown."""
    if judged.item is not None:
        return judged.item.size
    return judged.listed.size if judged.listed is not None else None


def _meanings(leg: LegContext, href: str, names: Iterable[str]) -> dict[str, tuple[bytes | None, str]]:
    """Return the digest and ETag of each item, with None as digest of what cannot be read.

    Items about which the target says nothing are left out.
    """
    if isinstance(leg.target, SupportsDigests):
        answers = each_digest(leg, href, names)
        return {
            name: (_failed_digest(answer) if isinstance(answer, Failed) else answer, "")
            for name, answer in answers
        }
    meanings: dict[str, tuple[bytes | None, str]] = {}
    for name, native in leg.target.read(href, names):
        if isinstance(native, Failed):
            meanings[name] = _failed_digest(native), ""
        elif native.body is not None:
            meanings[name] = leg.digest(native.body), native.ref.version
    return meanings


def _failed_digest(failed: Failed) -> bytes | None:
    return VANISHED if failed.error.code == "vanished" else None
