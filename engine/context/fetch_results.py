"""What a source answers about the items it is asked for: a server may answer twice, about something else, or
not at all."""

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
    """One container's. silent: of which the source said nothing. unasked: how many answers there were beyond
    the first about each item."""

    leg: LegContext
    container: ContainerRow
    silent: list[ItemRow] = field(default_factory=list)
    unasked: int = 0

    def about(
        self, rows: Sequence[ItemRow], *, bodies: bool = True
    ) -> Iterator[tuple[ItemRow, Native | Failed]]:
        """The first answer about each row, as they arrive. silent is complete when they end."""
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
        """An event, where there was anything that nobody asked for."""
        if self.unasked:
            self.leg.ledger.event(UNASKED, {"container": self.container.id, "items": self.unasked})

    def require(self) -> None:
        """As record(). Raises Transient where the source said nothing of an item."""
        self.record()
        if self.silent:
            raise Transient(SILENT, "the source does not answer about an item")
