"""List and read what is at the target, and pair it with what is expected there (R3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from engine.context.answers import UNREAD
from engine.context.leg_context import LegContext
from engine.files import file_names
from ledger.leg.matching import Matching, TargetItem, Wanted, match, narrow
from model.errors import Blocked, Rejected, Transient
from model.optional_protocols import LooksUp, SupportsDigests
from model.protocols import Failed, Listed, key_of


def full_listing(leg: LegContext, href: str, since: str | None = None) -> Iterator[Listed]:
    """List as Target.listing, and ask for what a listing leaves out.

    Where a target lists a part only, every item that this leg may have written is asked for by its name.
    Items of others that the target does not list stay unknown.

    Args:
        leg: the open leg.
        href: the folder at the target.
        since: the position at which the listing begins; None for all.
    """
    target = leg.target
    if not leg.context.target.lists_partly or not isinstance(target, LooksUp):
        yield from target.listing(href, since)
        return
    hrefs: set[str] = set()
    for item in target.listing(href, since):
        hrefs.add(item.href)
        yield item
    yield from target.look_up(href, [name for name in _own_names(leg, href) if name not in hrefs])


def _own_names(leg: LegContext, href: str) -> Iterator[str]:
    """Yield where the items of this leg in a folder are, or would be."""
    for container in leg.ledger.containers():
        for row in leg.ledger.rows(container.id) if container.href == href else ():
            name = row.href if row.href is not None else file_names.place(leg, row)
            if name is not None and "/" not in name:
                yield name


def each_digest(leg: LegContext, href: str, hrefs: Iterable[str]) -> Iterator[tuple[str, bytes | Failed]]:
    """Yield the digest of each item at the target, in any order.

    A target that hashes what it stores is believed; otherwise the item is read. An item without a body is
    Failed.

    Args:
        leg: the open leg.
        href: the folder at the target.
        hrefs: the items.
    """
    if isinstance(leg.target, SupportsDigests):
        yield from leg.target.digests(href, hrefs)
        return
    for item, result in leg.target.read(href, hrefs):
        if isinstance(result, Failed):
            yield item, result
        elif result.body is None:
            yield item, Failed(key_of(item), Transient(UNREAD))
        else:
            yield item, leg.digest(result.body)


def read_digests(leg: LegContext, href: str, hrefs: Iterable[str]) -> dict[str, bytes]:
    """Return the digests of items at the target; vanished items are left out.

    Args:
        leg: the open leg.
        href: the folder at the target.
        hrefs: the items.

    Raises:
        Transient: `target-read-empty` if the target says nothing about an item. The outcome is unknown then:
            settling on half a view would write twice.
        MigrationError: what the target raised about an item.
    """
    found: dict[str, bytes] = {}
    for item, result in each_digest(leg, href, hrefs):
        if not isinstance(result, Failed):
            found[item] = result
        elif not isinstance(result.error, Rejected) or result.error.code != "vanished":
            raise result.error
    return found


@contextmanager
def unless_missing() -> Iterator[None]:
    """Go on if a folder is not there: in a live mailbox its user may just have removed it."""
    try:
        yield
    except Blocked as error:
        if error.code != "container-missing":
            raise


def sized_like(leg: LegContext, href: str, sizes: Collection[int]) -> Iterator[tuple[Listed, bytes]]:
    """Yield the items of a folder that have one of these sizes, with their digests.

    No other item is read: the folder may be a user's own, and large.

    Args:
        leg: the open leg.
        href: the folder at the target.
        sizes: in bytes.
    """
    if sizes:
        leg.check()
        items = {item.href: item for item in full_listing(leg, href) if item.size in sizes}
        for found, digest in read_digests(leg, href, items).items():
            yield items[found], digest


def paired(leg: LegContext, href: str, rows: Sequence[Wanted], since: str | None) -> Matching:
    """Pair expected items with the target's items that no row owns (R3).

    Args:
        leg: the open leg.
        href: the folder at the target.
        rows: the expected items.
        since: the position at which the listing begins; None for all.

    Raises:
        Transient: see read_digests.
    """
    try:
        listing = [_target_item(item) for item in full_listing(leg, href, since)]
    except Blocked as error:
        if error.code != "container-missing":
            raise
        listing = []  # someone removed the folder with everything in it
    claimed = set() if since is None and not rows else leg.ledger.claimed(href)
    free = [item for item in listing if item.href not in claimed]
    digests = read_digests(leg, href, narrow(rows, free, set()))
    return match(rows, free, digests)


def _target_item(item: Listed) -> TargetItem:
    return TargetItem(item.href, item.size, item.message_id)
