"""Tell for every person whose mail moves whether their cutover has released them to the new server."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import exists, or_, select

from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.rows import Phase
from ledger.db.schema import leg, mailbox, step
from ledger.leg.cutover_steps import BACK, DONE, RELEASE
from model.protocols import Kind


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Describe where a person's mail clients belong. Names are addresses: never log them.

    Attributes:
        mailbox: the mailbox's id.
        source: the names by which it is known at the old server, the login there first.
        target: the same at the new server.
        moved: True from the step `release` on, and in the phase `live`; False again as soon as it is taken
            back.
    """

    mailbox: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    moved: bool


def mail_routes(ledger: LedgerHandle) -> list[RouteRow]:
    """Return a row for each mailbox with mail, in the order of their ids. One query."""
    released = exists().where(step.c.mailbox == mailbox.c.id, step.c.name == RELEASE, step.c.state == DONE)
    back = exists().where(step.c.mailbox == mailbox.c.id, step.c.name == BACK)
    columns = (mailbox.c.source_login, mailbox.c.source, mailbox.c.target_login, mailbox.c.target)
    query = (
        select(
            mailbox.c.id,
            *columns,
            or_(mailbox.c.phase == Phase.LIVE, released).label("moved"),
            back.label("back"),
        )
        .where(exists().where(leg.c.mailbox == mailbox.c.id, leg.c.workload == Kind.MAIL))
        .order_by(mailbox.c.id)
    )
    with reading(ledger.engine) as connection:
        rows = connection.execute(query).all()
    return [
        RouteRow(
            str(row.id),
            _names(row.source_login, row.source),
            _names(row.target_login, row.target),
            bool(row.moved) and not row.back,
        )
        for row in rows
    ]


def _names(login: str | None, address: str) -> tuple[str, ...]:
    return (login, address) if login and login != address else (address,)
