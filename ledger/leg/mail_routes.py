"""Tell for every person whose mail moves whether their cutover has released them to the new server."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, or_, select

from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.rows import Phase
from ledger.db.schema import caller, leg, mailbox, step
from ledger.leg.cutover_steps import BACK, DONE, RELEASE
from model.kinds import Kind


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Describe where a person's mail clients belong. Names are addresses: never log them.

    Attributes:
        mailbox: the mailbox's id.
        source: the names by which it is known at the old server, the login there first.
        target: the same at the new server.
        moved: True from the step `release` on, and in the phase `live`; False again as soon as it is taken
            back.
        others: those of `target` that may be another person's at the old server, as far as the plan tells:
            an address or a login of theirs, or a login that is what stands before the @ of their address.
        returned: True while their cutover is taken back: they may know their new names.
    """

    mailbox: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    moved: bool
    others: frozenset[str] = frozenset()
    returned: bool = False


def mail_routes(ledger: LedgerHandle) -> list[RouteRow]:
    """Return a row for each mailbox with mail, in the order of their ids. Three queries."""
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
        owners = _owners(connection)
    return [
        RouteRow(
            str(row.id),
            _names(row.source_login, row.source),
            _names(row.target_login, row.target),
            bool(row.moved) and not row.back,
            _of_others(owners, row.source, _names(row.target_login, row.target)),
            bool(row.back),
        )
        for row in rows
    ]


def _owners(connection: Connection) -> dict[str, set[str]]:
    """Return the plan's people, by their sources, for each name that may be theirs at the old server.

    Those of waves that have not begun are among them, and so are those without mail in the plan.
    """
    known: list[tuple[str, str]] = []
    for address, source in connection.execute(select(caller.c.address, caller.c.source)):
        known += [(str(address), str(source)), (str(address).partition("@")[0], str(source))]
    for login, source in connection.execute(select(mailbox.c.source_login, mailbox.c.source)):
        known += [(str(login), str(source))] if login else []
    owners: dict[str, set[str]] = {}
    for name, source in known:
        owners.setdefault(name.lower(), set()).add(source)
    return owners


def _of_others(owners: dict[str, set[str]], source: str, names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name in names if owners.get(name.lower(), set()) - {source})


def _names(login: str | None, address: str) -> tuple[str, ...]:
    return (login, address) if login and login != address else (address,)
