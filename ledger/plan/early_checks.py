"""Keep what a check found of mailboxes that no wave has yet, until their waves are planned.

Otherwise each mailbox of a large list would be opened twice before anybody can approve its wave.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.schema import checked, early_check, leg, mailbox
from ledger.plan.approvals import Check
from ledger.plan.mailboxes import FIELDS, PlannedMailbox, mark_replanned

COMPARED = tuple(field for field in FIELDS if field != "wave")
"""What has to be as it was when the mailbox was looked at, beside its workloads."""


def keep_early(
    ledger: LedgerHandle, found: Iterable[tuple[PlannedMailbox, Check]], *, all_listed: bool
) -> None:
    """Keep the newest result of mailboxes that are not planned. Idempotent.

    Args:
        ledger: an open ledger.
        found: rows of the list, each with its result; the mailbox of the result is not read. One that did not
            get through leaves an earlier result as it is.
        all_listed: True if they are all of the list that are not planned: what is kept of others goes.
    """
    found = list(found)
    with writing(ledger.engine) as connection:
        if all_listed:
            gone = {*connection.scalars(select(early_check.c.source))} - {one.source for one, _ in found}
            for some in chunked(sorted(gone)):
                connection.execute(delete(early_check).where(early_check.c.source.in_(some)))
        for planned, check in found:
            if check.passing:
                continue
            connection.execute(delete(early_check).where(early_check.c.source == planned.source))
            result = {"level": check.level, "code": check.code, "items": check.items, "bytes": check.bytes}
            values = [getattr(planned, name) for name in COMPARED]
            row = _row_text(values, (kind.value for kind in planned.workloads))
            connection.execute(insert(early_check).values(source=planned.source, row=row, at=now(), **result))


def take_over(ledger: LedgerHandle, waves: Collection[str]) -> int:
    """Give the mailboxes of these waves the results that were kept of them, where nothing of a row changed.

    Their time stays. A mailbox that was checked since it was planned keeps that result. Idempotent.

    Returns:
        How many mailboxes it were.
    """
    with reading(ledger.engine) as connection:
        if connection.execute(select(early_check.c.source).limit(1)).first() is None:
            return 0
    with writing(ledger.engine) as connection:
        taken = [found for some in chunked(sorted(waves)) for found in _matching(connection, some)]
        for found in taken:
            result = {name: getattr(found, name) for name in ("at", "level", "code", "items", "bytes")}
            connection.execute(insert(checked).values(mailbox=found.id, **result))
            connection.execute(delete(early_check).where(early_check.c.source == found.source))
        mark_replanned(connection, {found.wave for found in taken})
    return len(taken)


def _matching(connection: Connection, waves: Collection[str]) -> list[Row[Any]]:
    """Return mailboxes that were not checked since they were planned, each with what was kept of it."""
    tables = early_check.join(mailbox, mailbox.c.source == early_check.c.source).outerjoin(
        checked, checked.c.mailbox == mailbox.c.id
    )
    columns = (mailbox.c.id, mailbox.c.wave, *(mailbox.c[name] for name in COMPARED), *early_check.c)
    query = select(*columns).select_from(tables)
    rows = connection.execute(query.where(mailbox.c.wave.in_(waves), checked.c.mailbox.is_(None))).all()
    kinds: dict[str, list[str]] = {}
    for some in chunked([row.id for row in rows]):
        legs = select(leg.c.mailbox, leg.c.workload).where(leg.c.mailbox.in_(some))
        for number, kind in connection.execute(legs):
            kinds.setdefault(number, []).append(kind)
    return [
        row
        for row in rows
        if row.row == _row_text([getattr(row, name) for name in COMPARED], kinds.get(row.id, []))
    ]


def _row_text(values: Collection[str | None], workloads: Iterable[str]) -> str:
    """Return what is compared of a row of the list."""
    return json.dumps([*values, sorted(workloads)], ensure_ascii=False)
