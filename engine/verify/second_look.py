"""Read again, before the verification does, what a source may give otherwise under the version that it had.

A server may keep the version of a series while one of its days changes, and tell of the days nothing that
changed. In the final pass of a mailbox the verification alone would find that, when nobody works in the old
mailbox any more, and a person would have to begin the pass again. And where the source no longer knows the
cursor, nothing tells which of the days changed since.

An attachment that a source did not give, because it was half away, is a loss of the item's copy until the
source gives it.

An item that names folders means something else once these have other names at the target, or are there at
last, and its source tells nothing of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from itertools import islice
from typing import Protocol, runtime_checkable

from engine.context.answers import fetched
from engine.context.leg_context import LegContext, as_container
from engine.steps.listing.discover import Listing
from engine.steps.listing.unchanged import NOT_GIVEN
from engine.verify.source import CHUNK, HELD, is_right, mapped_again
from ledger.db.rows import ContainerRow, Phase
from model.protocols import Container, Failed, Page, Ref, key_of


@runtime_checkable
class TellsSeries(Protocol):
    """Name the series of a source, whose versions may stay when one of their days changes."""

    def series(self, container: Container) -> Iterator[str]:
        """Yield the source ids of a calendar's series. Idempotent; it may raise what `Source.changes` may."""


def not_given(leg: LegContext) -> Mapping[int, Set[bytes]]:
    """Return the keys of items of whose attachments one was not given, by container; none in live."""
    return leg.ledger.losses.of([NOT_GIVEN]) if leg.mirror else {}


def look(leg: LegContext, row: ContainerRow, listing: Listing, lacking: Set[bytes]) -> None:
    """Note as changed what a source gives otherwise than it was copied.

    Looked at are items of whose attachments one was not given, every item of a kind that names folders or is
    about them, and, if the mailbox is frozen or the source had lost the cursor, every series of a calendar of
    a source whose versions may not tell of its days. Does nothing in a live mailbox. Idempotent.

    Args:
        leg: the open leg.
        row: the container.
        listing: what its source said last.
        lacking: the keys of its items in not_given.
    """
    if not leg.mirror:
        return
    keys = lacking | (_series(leg, row) if leg.mailbox.phase is Phase.FROZEN or listing.lost else set())
    every = leg.traits.names_folders or leg.traits.grants
    rows = leg.ledger.rows(row.id, HELD) if keys or every else iter(())
    held = (item for item in rows if every or item.key in keys)
    while chunk := list(islice(held, CHUNK)):
        leg.check()
        changed = []
        for item, result in fetched(leg, row, chunk):
            if isinstance(result, Failed):
                continue
            mapped = mapped_again(leg, result)
            if mapped is None or (NOT_GIVEN in mapped.losses and item.key not in lacking):
                continue
            if not is_right(leg, row, item, mapped):
                changed.append(Ref(item.source_id, result.ref.version))
        _note(leg, row, changed)


def _series(leg: LegContext, row: ContainerRow) -> set[bytes]:
    source = leg.source
    if not leg.traits.occurs or not isinstance(source, TellsSeries):
        return set()
    return {key_of(id_) for id_ in source.series(as_container(row))}


def _note(leg: LegContext, row: ContainerRow, changed: list[Ref]) -> None:
    """Record that items changed: by a version that none of them has, and then by their own."""
    for refs in ([Ref(ref.id, f"again/{ref.version}") for ref in changed], changed):
        if refs:
            leg.ledger.record_page(row.id, Page(tuple(refs), row.cursor or ""), keep_cursor=False)
