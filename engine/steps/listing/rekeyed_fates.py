"""Keep, in the live phase, the fates of items without a copy of ours that the source lists under other ids.

Late mail that the target received by itself, and an object whose UID another object of the mailbox has, were
not written. Looked up under their new ids, they would be written if the user removed them from the target:
what a user deleted would come back.

Of such mail, the Message-ID, the size at the source and the digest of its meaning are known; of an object,
its digest. A Message-ID alone proves nothing, because a scanner may give every mail the same one. If several
mails of a folder have it, none of them gets a fate: a duplicate is acceptable, a loss is not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from engine.context.leg_context import LegContext
from engine.steps.listing.discover import Listing
from engine.steps.listing.late_mail import DELIVERED
from engine.steps.own_copies import DUPLICATE_UID
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.rekeying import Refated
from model.protocols import Body

CARRIED = frozenset({DELIVERED, DUPLICATE_UID})
"""The codes that such an item keeps when its source no longer lists it."""


@dataclass(slots=True)
class Fates:
    """Hold the fates of ids that the source no longer has, each with the id of its container.

    Attributes:
        by_mid: fates of mails, by the mark of their Message-ID.
        by_digest: fates of objects, by their digest.
        sizes: the sizes of the mails at the source; None if one is unknown.
        common: Message-IDs that other mails of the container have too.
    """

    by_mid: defaultdict[int, list[tuple[int, ItemRow]]] = field(default_factory=lambda: defaultdict(list))
    by_digest: defaultdict[bytes, list[tuple[int, ItemRow]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    sizes: set[int | None] = field(default_factory=set)
    common: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.by_mid or self.by_digest)

    def may_have(self, item: ItemRow) -> bool:
        """Return True if a new id is worth reading because of these fates.

        The size of an object says nothing.
        """
        if self.by_digest:
            return True
        return bool(self) and (item.size is None or None in self.sizes or item.size in self.sizes)

    def take(
        self, item: ItemRow, mid: int | None, digest: bytes, meant: Callable[[], bytes]
    ) -> Refated | None:
        """Return the fate that a new id gets; each fate is given once.

        Args:
            item: the row of the new id.
            mid: the mark of its Message-ID; None if it has none.
            digest: its digest.
            meant: returns its meaning(); called only for mail that may be one of these.

        Returns:
            The fate, or None.
        """
        if fates := self.by_digest.get(digest, []):
            return _take_fate(fates, fates[0], item)
        if mid is None or mid in self.common:
            return None
        among = self.by_mid.get(mid, [])
        alike = (candidate for candidate in among if _may_be_one(item.size, candidate[1].size))
        means: bytes | None = None
        for candidate in alike:
            means = meant() if means is None else means
            if candidate[1].digest == means:
                return _take_fate(among, candidate, item)
        return None


def fates_of(
    leg: LegContext, row: ContainerRow, listing: Listing, containers: Iterable[ContainerRow]
) -> Fates:
    """Return the fates that new ids of a container may get.

    Args:
        leg: the open leg.
        row: the container.
        listing: what the source said about it.
        containers: the containers whose copies may belong to this one now.

    Returns:
        The fates; none if the source is mirrored, because what is at the target is then as it was written.
    """
    fates = Fates()
    if leg.mirror:
        return fates
    for container in containers:
        for item in leg.ledger.rows(container.id, (State.GONE,)):
            if item.code not in CARRIED:
                continue
            if leg.traits.by_message_id and item.mid is not None and item.digest is not None:
                fates.by_mid[item.mid].append((container.id, item))
                fates.sizes.add(item.size)
            elif not leg.traits.by_message_id and item.digest is not None:
                fates.by_digest[item.digest].append((container.id, item))
    if fates.by_mid:
        other_rows = leg.ledger.rows(row.id, [state for state in State if state is not State.GONE])
        fates.common = {
            other.mid for other in other_rows if other.mid is not None and not listing.lacks(other.key)
        }
    return fates


def meaning(leg: LegContext, body: Body) -> bytes:
    """Return the digest by which a delivered mail is recognised, however the source renders it.

    It is no digest of a copy, and equals none.
    """
    with body() as stream:
        return blake2b(leg.form.tolerant(stream, leg.began), digest_size=32, person=b"delivered").digest()


def _take_fate(among: list[tuple[int, ItemRow]], fate: tuple[int, ItemRow], item: ItemRow) -> Refated:
    among.remove(fate)
    return Refated(fate[0], fate[1].key, item.key)


def _may_be_one(first: int | None, second: int | None) -> bool:
    return first is None or second is None or first == second
