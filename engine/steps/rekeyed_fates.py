"""What has no copy of ours, and is listed under another id since: in the live phase it keeps its fate.

Late mail that the target was delivered itself, and an object whose UID another one of the mailbox has, were
not written. Looked up anew under their new ids they would be written wherever the user removed what is there,
and what a user deleted would come back.

Of such mail the Message-ID and the size at the source are known, of an object its digest. A Message-ID that
other mails of the folder have, as those of a scanner may, says nothing: a mail that is there twice is a
nuisance, a lost one is lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.context.leg_context import Work
from engine.steps.discover import Listing
from engine.steps.late_mail import DELIVERED
from engine.steps.remove import DUPLICATE_UID
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.rekeying import Refated
from model.protocols import Kind

CARRIED = frozenset({DELIVERED, DUPLICATE_UID})
"""The codes that such an item keeps when its source no longer lists it."""


@dataclass(slots=True)
class Fates:
    """Of ids that the source has no more, each with its container. common: the Message-IDs of others."""

    by_mid: defaultdict[int, list[tuple[int, ItemRow]]] = field(default_factory=lambda: defaultdict(list))
    by_digest: defaultdict[bytes, list[tuple[int, ItemRow]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    sizes: set[int | None] = field(default_factory=set)
    common: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.by_mid or self.by_digest)

    def may_have(self, item: ItemRow) -> bool:
        """Whether a new id is worth reading because of these: an object's size says nothing."""
        if self.by_digest:
            return True
        return bool(self) and (item.size is None or None in self.sizes or item.size in self.sizes)

    def take(self, item: ItemRow, mid: int | None, digest: bytes) -> Refated | None:
        """The fate that a new id gets, once."""
        found = self.by_digest.get(digest, [])
        if not found and mid is not None and mid not in self.common:
            found = self.by_mid.get(mid, [])
        for one in found:
            container, old = one
            if found is self.by_digest.get(digest) or _may_be_one(item.size, old.size):
                found.remove(one)
                return Refated(container, old.key, item.key)
        return None


def fates_of(work: Work, row: ContainerRow, listing: Listing, containers: Iterable[ContainerRow]) -> Fates:
    """containers: whose copies may be this one's by now. Empty where the source is mirrored: there, what is
    at the target is as it was written."""
    fates = Fates()
    if work.mirror:
        return fates
    for one in containers:
        for item in work.ledger.rows(one.id, (State.GONE,)):
            if item.code not in CARRIED:
                continue
            if work.kind is Kind.MAIL and item.mid is not None:
                fates.by_mid[item.mid].append((one.id, item))
                fates.sizes.add(item.size)
            elif work.kind is not Kind.MAIL and item.digest is not None:
                fates.by_digest[item.digest].append((one.id, item))
    if fates.by_mid:
        others = work.ledger.rows(row.id, [state for state in State if state is not State.GONE])
        fates.common = {one.mid for one in others if one.mid is not None and not listing.lacks(one.key)}
    return fates


def _may_be_one(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one == other
