"""What a mailbox's score is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import and_, case, func, select, tuple_

from ledger.database import reading
from ledger.loading import chunked
from ledger.rows import LegState, State
from ledger.schema import container, item, leg, loss
from ledger.store import Ledger

ARRIVED = (State.VERIFIED, State.WRITTEN)


@dataclass(slots=True)
class Counts:
    """Of all workloads of one mailbox. lacking: items that arrived and lost something that counts.
    verified: every workload, by its newest pass or look."""

    states: Counter[State] = field(default_factory=Counter)
    lacking: int = 0
    verified: bool = False


def counts_of(
    ledger: Ledger, mailbox_ids: Iterable[str], spared: Collection[tuple[str, str]]
) -> dict[str, Counts]:
    """By mailbox. spared: losses (field, reason) that do not count; an item counts once, whatever it lost."""
    states = select(leg.c.mailbox, item.c.state, func.count()).select_from(item.join(container).join(leg))
    states = states.group_by(leg.c.mailbox, item.c.state)
    same = and_(item.c.container == loss.c.container, item.c.key == loss.c.key)
    lost = select(leg.c.mailbox, loss.c.container, loss.c.key)
    lost = lost.select_from(
        loss.join(item, same).join(container, container.c.id == loss.c.container).join(leg)
    )
    lost = lost.where(
        item.c.state.in_([one.value for one in ARRIVED]),
        tuple_(loss.c.field, loss.c.reason).not_in(sorted(spared)),
    ).distinct()
    unverified = func.sum(case((leg.c.state == LegState.VERIFIED.value, 0), else_=1))
    looked = select(leg.c.mailbox).group_by(leg.c.mailbox).having(unverified == 0)
    wanted = sorted(set(mailbox_ids))
    found = {number: Counts() for number in wanted}
    with reading(ledger.engine) as connection:
        for chunk in chunked(wanted):
            theirs = leg.c.mailbox.in_(chunk)
            for number, state, count in connection.execute(states.where(theirs)):
                found[number].states[State(state)] = count
            for number, *_ in connection.execute(lost.where(theirs)):
                found[number].lacking += 1
            for (number,) in connection.execute(looked.where(theirs)):
                found[number].verified = True
    return found
