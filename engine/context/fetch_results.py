"""Match the answers of a source with the items that it was asked for.

A server may answer twice, answer about something else, or not answer at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from engine.context.leg_context import LegContext, as_container
from ledger.db.rows import ContainerRow, ItemRow
from model.errors import Transient
from model.protocols import Failed, Native, Ref, key_of

SILENT = "source-silent"
UNASKED = "source-unasked"


@dataclass(slots=True)
class FetchResults:
    """Pair the answers about the items of one container with their rows.

    Attributes:
        leg: the leg.
        container: the container whose items are fetched.
        silent: rows about which the source said nothing.
        unasked: how many answers came beyond the first about each item.
    """

    leg: LegContext
    container: ContainerRow
    silent: list[ItemRow] = field(default_factory=list)
    unasked: int = 0

    def about(
        self, rows: Sequence[ItemRow], *, bodies: bool = True
    ) -> Iterator[tuple[ItemRow, Native | Failed]]:
        """Yield the first answer about each row, in the order in which the answers arrive.

        Args:
            rows: the items to ask for. Nothing is asked if there are none.
            bodies: False to fetch the records without their content.

        Yields:
            Each answered row with its record or its failure. `silent` is complete when the iterator ends.
        """
        awaited = {row.key: row for row in rows}
        refs = [Ref(row.source_id, row.version, size=row.size) for row in rows]
        for result in (
            self.leg.source.fetch(as_container(self.container), refs, bodies=bodies) if refs else ()
        ):
            key = result.key if isinstance(result, Failed) else key_of(result.ref.id)
            row = awaited.pop(key, None)
            if row is None:
                self.unasked += 1
            else:
                yield row, result
        self.silent += awaited.values()

    def record(self) -> None:
        """Record an event if the source sent answers that were not asked for."""
        if self.unasked:
            self.leg.ledger.event(UNASKED, {"container": self.container.id, "items": self.unasked})

    def require(self) -> None:
        """Record as record() does, and refuse silence.

        Raises:
            Transient: `source-silent` if the source said nothing about an item.
        """
        self.record()
        if self.silent:
            raise Transient(SILENT, "the source does not answer about an item")
