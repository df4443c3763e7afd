"""Find, in the live phase, what the source moved to another folder since it was copied.

Its copy stays where it is, for it is its user's. Written once more, it would be there twice: a whole folder,
where an IMAP server knows a renamed folder as a new one.

A late item was moved if the source no longer has, in another container, what a copy with the same meaning was
made of. Each such copy stands for one late item. If ids stay with what is moved, the id decides.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from engine.context.answers import is_silence
from engine.context.leg_context import LegContext
from engine.steps.listing import discover
from engine.steps.own_copies import MOVED
from engine.steps.target_reading import unless_missing
from ledger.db.rows import ContainerRow, ItemRow
from ledger.inventory.lines import message_mark
from ledger.leg.item_states import Unwritten
from ledger.leg.rekeying import Likenesses
from model.errors import Rejected
from model.protocols import Body, Failed, Item, Mapped

Copy = tuple[int, ItemRow]
"""A row that has a copy, after the id of its container."""


@dataclass(slots=True)
class Sorted:
    """Hold late items that are to be written, and those that the source moved.

    Attributes:
        mapped: the items to write.
        moved: the keys of the others, each with its code.
        unwritten: what is to be recorded of the others.
    """

    mapped: list[Mapped]
    moved: list[tuple[bytes, str]] = field(default_factory=list)
    unwritten: list[Unwritten] = field(default_factory=list)


def sort_out(
    leg: LegContext, row: ContainerRow, mapped: Sequence[Mapped], idle: Callable[[], None]
) -> Sorted:
    """Separate what the source moved to a container from what is to be written there.

    The source is asked for all that it has in a container only if something there may have been moved.

    Args:
        leg: the open leg.
        row: the container.
        mapped: mapped items.
        idle: waits until nobody asks the target; called before it is read.

    Raises:
        MigrationError: what the source or the target raised.
    """
    result = Sorted(list(mapped))
    if leg.mirror or not mapped:
        return result
    search = _Search(leg, row, [entry.item for entry in mapped], idle)
    found = {item.key: copy for item in search.items if (copy := search.copy_of(item)) is not None}
    result.mapped = [entry for entry in mapped if entry.item.key not in found]
    result.moved = [(key, MOVED) for key in found]
    result.unwritten = [
        Unwritten(item.key, item.message_id, _mark(found[item.key]))
        for item in search.items
        if item.key in found
    ]
    return result


@dataclass(slots=True)
class _Search:
    """Look for the copies of one batch.

    Attributes:
        elsewhere: copies in other containers that are like an item of the batch.
        used: how many earlier late items a copy stands for, by the mark of its digest.
        taken: the copies that stand for an item of this batch.
        rows: the containers of the leg, by id.
    """

    leg: LegContext
    row: ContainerRow
    items: Sequence[Item]
    idle: Callable[[], None]
    elsewhere: Sequence[Copy] = field(init=False)
    used: Counter[bytes | None] = field(init=False)
    taken: set[tuple[int, bytes]] = field(default_factory=set)
    rows: Mapping[int, ContainerRow] = field(default_factory=dict)
    _like: defaultdict[object, list[Copy]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        ledger = self.leg.ledger
        alike = _likenesses(self.leg, self.items)
        self.elsewhere = ledger.held_elsewhere(self.row.id, alike)
        if self.elsewhere:
            self.rows = {row.id: row for row in ledger.containers()}
        marks = {_mark(copy) for copy in self.elsewhere}
        self.used = Counter(ledger.skipped_as(MOVED, marks) if marks else ())
        for copy in self.elsewhere:
            old = copy[1]
            for likeness in (old.digest, ("mid", old.mid), ("size", old.size), ("key", old.key)):
                self._like[likeness].append(copy)

    def copy_of(self, item: Item) -> Copy | None:
        """Return the copy that stands for a late item; None if the item is to be written."""
        if self.leg.traits.by_name:
            return next(iter(self._like["key", item.key]), None)
        for copy in self._equal(item):
            if self._may_stand(copy):
                self.taken.add((copy[0], copy[1].key))
                return copy
        return None

    def _may_stand(self, copy: Copy) -> bool:
        """Return True if the source lacks what a copy was made of, and the copy stands for nothing else."""
        container, old = copy
        if (container, old.key) in self.taken or not self._has_left(copy):
            return False
        if not self.used[_mark(copy)]:
            return True
        self.used[_mark(copy)] -= 1
        self.taken.add((container, old.key))
        return False

    def _has_left(self, copy: Copy) -> bool:
        """Return True if the source no longer has, in its container, what a copy was made of."""
        container, old = copy
        row = self.rows[container]
        if row.omit is not None:
            return False  # it is not listed, so nobody knows what it has
        known = self.leg.at_source
        if container not in known:
            known[container] = frozenset() if row.gone else frozenset(discover.present(self.leg, row))
        return old.key not in known[container]

    def _equal(self, item: Item) -> Iterator[Copy]:
        """Yield the copies that have the meaning of an item, those first for which nothing need be read."""
        yield from self._like[item.digest]
        if _has_made_name(self.leg, item):
            for copy in self._like["size", item.size]:
                if copy[1].digest == _digest_as(self.leg, item, copy[1].key):
                    yield copy
        mid = message_mark(item.message_id) if self.leg.traits.by_message_id else None
        alike = [] if mid is None else self._like["mid", mid]
        others = [copy for copy in alike if copy[1].digest != item.digest and self._has_left(copy)]
        if others:
            self.idle()
            yield from (copy for copy in others if self._is_rendered_anew(item, copy))

    def _is_rendered_anew(self, item: Item, copy: Copy) -> bool:
        """Return True if a copy is another rendering of the same mail."""
        folder, href = str(self.rows[copy[0]].href), str(copy[1].href)
        with unless_missing():  # its user may have removed the folder
            for _, native in self.leg.target.read(folder, [href]):
                if isinstance(native, Failed):
                    if not isinstance(native.error, Rejected) and not is_silence(native):
                        raise native.error
                elif native.body is not None:
                    return _meaning(self.leg, native.body, item) == _meaning(self.leg, item.body, item)
        return False


def _likenesses(leg: LegContext, items: Sequence[Item]) -> Likenesses:
    if leg.traits.by_name:
        moves = leg.source.capabilities.moves
        return Likenesses(keys=frozenset(item.key for item in items if moves))
    marks = (message_mark(item.message_id) for item in items if leg.traits.by_message_id)
    return Likenesses(
        digests=frozenset(item.digest for item in items),
        mids=frozenset(mark for mark in marks if mark is not None),
        sizes=frozenset(item.size for item in items if _has_made_name(leg, item)),
    )


def _has_made_name(leg: LegContext, item: Item) -> bool:
    """Return True if an item's UID or Message-ID is made of its key, because the source gives it none."""
    own = leg.context.uid_of(item.key).rpartition("-")[2]
    return leg.traits.made_uid and own in (item.uid or item.message_id or "")


def _digest_as(leg: LegContext, item: Item, key: bytes) -> bytes | None:
    """Return the digest that an item would have under another key; None if it has no meaning then."""
    own, other = (leg.context.uid_of(one).rpartition("-")[2].encode() for one in (item.key, key))
    with item.body() as stream:
        raw = stream.read().replace(own, other)
    try:
        return leg.form.digest(io.BytesIO(raw), leg.began)
    except Rejected:
        return None


def _meaning(leg: LegContext, body: Body, item: Item) -> bytes:
    with body() as stream:
        return leg.form.meaning(stream, leg.began, item.flags)


def _mark(copy: Copy) -> bytes:
    """Return what is recorded of an item that a copy stands for. It equals no digest of a copy."""
    return blake2b(copy[1].digest or b"", digest_size=32, person=b"moved").digest()
