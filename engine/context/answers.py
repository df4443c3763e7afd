"""Pair the answers of a source with the items that it was asked for, and tell what stands for silence.

Each item gets one answer: the wrapper of an opened side sees to that (engine.opening.one_answer).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.context.leg_context import LegContext, as_container
from ledger.db.rows import ContainerRow, ItemRow
from model.protocols import Failed, Native, Ref, key_of

SILENT, UNREAD = "source-silent", "target-read-empty"
"""The codes of the answers that stand for silence, of a source and of a target."""


def fetched(
    leg: LegContext, container: ContainerRow, rows: Sequence[ItemRow], *, bodies: bool = True
) -> Iterator[tuple[ItemRow, Native | Failed]]:
    """Yield each row with its record or its failure, in the order in which the answers arrive.

    Args:
        leg: the open leg.
        container: the container of the items.
        rows: the items to ask for.
        bodies: False to fetch the records without their content.
    """
    by_key = {row.key: row for row in rows}
    for result in leg.source.fetch(as_container(container), refs_of(rows), bodies=bodies):
        yield by_key[key_in(result)], result


def refs_of(rows: Sequence[ItemRow]) -> list[Ref]:
    """Return what to ask for, to fetch these items."""
    return [Ref(row.source_id, row.version, size=row.size) for row in rows]


def key_in(answer: Native | Failed) -> bytes:
    """Return the key of the item that an answer is about."""
    return answer.key if isinstance(answer, Failed) else key_of(answer.ref.id)


def is_silence(answer: object) -> bool:
    """Return True if an answer stands for one that the server did not give."""
    return isinstance(answer, Failed) and answer.error.code in (SILENT, UNREAD)
