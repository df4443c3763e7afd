"""Blame no item for a source that fails for a while.

A source whose store is half away may fail at one item, or at all, and answer a small look in between. What
was not asked for again after the source recovered is no item's fault. So an item at which the source failed
is asked for once more when everything else of the pass is done. It stays rejected if the source fails at it
again, and gives another item right after that. Each later pass asks for it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from engine.context.answers import SILENT, fetched
from engine.context.leg_context import LegContext
from engine.steps.copying import copy
from ledger.db.incidents import SOURCE_FAILS
from ledger.db.rows import ContainerRow, ItemRow, State
from model.errors import Transient
from model.protocols import Failed, Native

HELD = (State.WRITTEN, State.VERIFIED)
OTHERS, SEEN_MOST = 5, 50
"""The most other items that are asked for to see how the source is: the smallest of so many a container."""
ROUNDS = 3
"""How often items are asked for while the source fails at others, too, and then gives one."""


def reopen(leg: LegContext) -> int:
    """Make pending again every item at which the source failed; return how many. Idempotent."""
    if not leg.ledger.counts().get(State.REJECTED):
        return 0
    return leg.ledger.reconsider(SOURCE_FAILS, held=State.CHANGED in leg.owed)


def ask_again(leg: LegContext, containers: Sequence[ContainerRow]) -> None:
    """Copy once more the items at which the source failed in this pass.

    Args:
        leg: the open leg.
        containers: the containers of the leg, whose other items are copied.

    Raises:
        Transient: `server-error` if the source does not give any other item either; those items are pending.
    """
    for _ in range(ROUNDS):
        if not reopen(leg):
            return
        for row in containers:
            if row.href is not None:
                copy.copy_pending(leg, row)
        if not any(True for _ in _failed(leg, containers)) or _gives_another(leg, containers):
            return


def _failed(leg: LegContext, containers: Iterable[ContainerRow]) -> Iterator[ItemRow]:
    for row in containers:
        yield from (item for item in leg.ledger.rows(row.id, (State.REJECTED,)) if item.code == SOURCE_FAILS)


def _gives_another(leg: LegContext, containers: Iterable[ContainerRow]) -> bool:
    """Return True if the source answers about an item that it gave before, the first that it is asked for.

    It is, too, if there is none to ask for.

    Raises:
        Transient: `server-error` if it answers about none; the items at which it failed are pending.
    """
    others = [(row, item) for row in containers for item in islice(leg.ledger.rows(row.id, HELD), SEEN_MOST)]
    others.sort(key=lambda other: other[1].size or 0)
    for asked, (row, item) in enumerate(others[:OTHERS]):
        leg.check()
        if any(not _is_fault(result) for _, result in fetched(leg, row, [item])):
            return asked == 0
    if others:
        reopen(leg)
        raise Transient("server-error", "the source fails at every item that it is asked for")
    return True


def _is_fault(result: Native | Failed) -> bool:
    return isinstance(result, Failed) and result.error.code in (SOURCE_FAILS, SILENT)
