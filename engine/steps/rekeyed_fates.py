"""What has no copy of ours, and is listed under another id since: in the live phase it keeps its fate.

Late mail that the target was delivered itself, and an object whose UID another one of the mailbox has, were
not written. Looked up anew under their new ids they would be written wherever the user removed what is there,
and what a user deleted would come back.

Of such mail the Message-ID, the size at the source and what it meant are known, of an object its digest. A
Message-ID alone says nothing, for a scanner may give every mail the same one; and where several mails of a
folder have it, none of them gets a fate: a mail that is there twice is a nuisance, a lost one is lost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from engine.context.leg_context import LegContext
from engine.steps.discover import Listing
from engine.steps.late_mail import DELIVERED
from engine.steps.remove import DUPLICATE_UID
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.rekeying import Refated
from model.protocols import Body, Kind

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

    def take(
        self, item: ItemRow, mid: int | None, digest: bytes, meant: Callable[[], bytes]
    ) -> Refated | None:
        """The fate that a new id gets, once. meant: see meaning; asked of mail that may be one of these."""
        if found := self.by_digest.get(digest, []):
            return _given(found, found[0], item)
        if mid is None or mid in self.common:
            return None
        among = self.by_mid.get(mid, [])
        alike = [candidate for candidate in among if _may_be_one(item.size, candidate[1].size)]
        means = meant() if alike else b""
        return next(
            (_given(among, candidate, item) for candidate in alike if candidate[1].digest == means), None
        )


def fates_of(
    leg: LegContext, row: ContainerRow, listing: Listing, containers: Iterable[ContainerRow]
) -> Fates:
    """containers: whose copies may be this one's by now. Empty where the source is mirrored: there, what is
    at the target is as it was written."""
    fates = Fates()
    if leg.mirror:
        return fates
    for container in containers:
        for item in leg.ledger.rows(container.id, (State.GONE,)):
            if item.code not in CARRIED:
                continue
            if leg.kind is Kind.MAIL and item.mid is not None and item.digest is not None:
                fates.by_mid[item.mid].append((container.id, item))
                fates.sizes.add(item.size)
            elif leg.kind is not Kind.MAIL and item.digest is not None:
                fates.by_digest[item.digest].append((container.id, item))
    if fates.by_mid:
        others = leg.ledger.rows(row.id, [state for state in State if state is not State.GONE])
        fates.common = {
            other.mid for other in others if other.mid is not None and not listing.lacks(other.key)
        }
    return fates


def meaning(leg: LegContext, body: Body) -> bytes:
    """By which mail that was delivered is known again, however the source renders it. It is no digest of a
    copy, and equals none."""
    with body() as stream:
        return blake2b(leg.form.tolerant(stream, leg.began), digest_size=32, person=b"delivered").digest()


def _given(among: list[tuple[int, ItemRow]], one: tuple[int, ItemRow], item: ItemRow) -> Refated:
    among.remove(one)
    return Refated(one[0], one[1].key, item.key)


def _may_be_one(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one == other
