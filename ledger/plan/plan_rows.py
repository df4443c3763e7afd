"""Read the plan as the ledger holds it, to compare it with the operator's files."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.rows import NOT_IN_PLAN, Phase
from ledger.db.schema import leg, mailbox
from ledger.plan.mailboxes import FIELDS, PlannedMailbox
from model.kinds import Kind


@dataclass(frozen=True, slots=True)
class MailboxPlan:
    """Describe a planned mailbox.

    Attributes:
        id: the mailbox's id.
        row: as it was planned.
        begun: True if its accounts are bound, so that nothing in the row may change.
        dropped: True if a later plan had no row for it.
    """

    id: str
    row: PlannedMailbox
    begun: bool
    dropped: bool


def plans(ledger: LedgerHandle) -> list[MailboxPlan]:
    """Return every mailbox of the ledger, by id."""
    columns = (mailbox.c.id, mailbox.c.source, mailbox.c.phase, mailbox.c.withheld)
    query = select(*columns, *(mailbox.c[name] for name in FIELDS)).order_by(mailbox.c.id)
    legs = select(leg.c.mailbox, leg.c.workload, leg.c.source_identity)
    kinds: dict[str, set[Kind]] = {}
    bound = set()
    with reading(ledger.engine) as connection:
        for number, workload, identity in connection.execute(legs):
            kinds.setdefault(number, set()).add(Kind(workload))
            if identity is not None:
                bound.add(number)
        rows = connection.execute(query).all()
    return [
        MailboxPlan(
            row.id,
            PlannedMailbox(
                row.source,
                row.target,
                row.wave,
                Phase(row.phase),
                frozenset(kinds.get(row.id, ())),
                row.source_login,
                row.target_login,
                row.target_folder,
            ),
            row.id in bound,
            row.withheld == NOT_IN_PLAN,
        )
        for row in rows
    ]
