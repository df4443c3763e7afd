"""Hold the copies at the target whose ids the source no longer has, until a new id gets each of them.

A folder may have thousands of equal mails. So every question is answered by a queue of its own, and what was
taken is dropped once it comes to the front: all questions together take as many steps as there are copies.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Hashable
from dataclasses import dataclass, field

from engine.steps.listing.rekeyed_fates import Fates
from ledger.db.rows import ItemRow


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy at the target whose id the source no longer has.

    Attributes:
        container: the id of the container of its row.
        item: its row.
    """

    container: int
    item: ItemRow


Numbered = tuple[int, Copy]
"""A copy after its number: in the order in which copies were added."""


@dataclass(slots=True)
class Copies:
    """Hold the copies for which no new id was found yet.

    Attributes:
        taken: container and key of the copies that a new id has got.
        count: how many copies are left.
        sizes: how many copies there were of each size.
        fates: fates of items without a copy.
    """

    taken: set[tuple[int, bytes]] = field(default_factory=set)
    count: int = 0
    sizes: Counter[int | None] = field(default_factory=Counter)
    fates: Fates = field(default_factory=Fates)
    _added: int = 0
    _queues: defaultdict[Hashable, deque[Numbered]] = field(default_factory=lambda: defaultdict(deque))

    def add(self, copy: Copy, names: Collection[str] = ()) -> None:
        """Add a copy.

        Args:
            copy: the copy.
            names: of a file, the names that it may have at the source.
        """
        item, number = copy.item, self._added
        keys: list[Hashable] = [
            ("digest", item.digest),
            ("date", item.digest, item.date),
            ("size", item.size),
        ]
        keys += [("name", item.digest, name) for name in names]
        if item.mid is not None:
            keys.append(("mid", item.mid))
        for key in keys:
            self._queues[key].append((number, copy))
        self.sizes[item.size] += 1
        self.count += 1
        self._added += 1

    def take(self, copy: Copy) -> Copy:
        """Mark a copy as taken by a new id, and return it."""
        self.taken.add((copy.container, copy.item.key))
        self.count -= 1
        return copy

    def equal(self, digest: bytes) -> Copy | None:
        """Return the first copy that is left with this digest."""
        return _copy(self._first(("digest", digest)))

    def dated(self, digest: bytes, date: int | None) -> Copy | None:
        """Return the first copy that is left with this digest and date; a copy without a date has any.

        Args:
            digest: the digest.
            date: in whole seconds; None means any.
        """
        if date is None:
            return self.equal(digest)
        found = (self._first(("date", digest, date)), self._first(("date", digest, None)))
        return _copy(min((one for one in found if one is not None), key=lambda one: one[0], default=None))

    def called(self, digest: bytes, name: str) -> Copy | None:
        """Return the first copy that is left of a file with this digest and name."""
        return _copy(self._first(("name", digest, name)))

    def named(self, mid: int | None) -> list[Copy]:
        """Return the copies that are left with this Message-ID."""
        return [] if mid is None else self._left(("mid", mid))

    def sized(self, size: int) -> list[Copy]:
        """Return the copies that are left with this size."""
        return self._left(("size", size))

    def _first(self, key: Hashable) -> Numbered | None:
        queue = self._queues.get(key)
        while queue and self._is_taken(queue[0][1]):
            queue.popleft()
        return queue[0] if queue else None

    def _left(self, key: Hashable) -> list[Copy]:
        if self._first(key) is None:
            return []
        return [copy for _, copy in self._queues[key] if not self._is_taken(copy)]

    def _is_taken(self, copy: Copy) -> bool:
        return (copy.container, copy.item.key) in self.taken


def _copy(numbered: Numbered | None) -> Copy | None:
    return None if numbered is None else numbered[1]
