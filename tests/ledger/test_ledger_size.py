"""110 million items: what a row costs on disk, and that statements use their indexes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ledger_world import INBOX, KEK, claimed, ews_id, mapped, page, ref
from sqlalchemy import event

from ledger.db.rows import ContainerRow
from ledger.leg.leg_session import LegLedger
from ledger.store import Ledger
from model.protocols import Ref, Stored

ITEMS = 20_000
BYTES_PER_ITEM = 370
"""Of these, evidence takes 45: 26 of what the page named, 10 of the Message-ID, and what pages leave free."""


def test_an_item_takes_at_most_370_bytes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    ledger.migrate()
    with ledger.session(claimed(ledger), mirror=True) as session:
        inbox = session.record_container(INBOX)
        _copy(session, inbox.id)
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    assert path.stat().st_size / ITEMS <= BYTES_PER_ITEM


def _copy(session: LegLedger, container: int) -> None:
    for first in range(0, ITEMS, 500):
        refs = [
            Ref(ews_id(n), hashlib.sha256(str(n).encode()).hexdigest()[:40], size=8192)
            for n in range(first, first + 500)
        ]
        session.record_page(container, page(*refs))
    session.close_inventory(KEK)
    uid = 1_000_000
    while rows := session.pending(container, 500):
        session.begin(container, [row.key for row in rows], f"1700000000:{uid}")
        session.intend(container, [mapped(row.key) for row in rows])
        session.settle(container, [Stored(row.key, f"1700000000:{uid + n}") for n, row in enumerate(rows)])
        uid += len(rows)
    keys = [row.key for row in session.rows(container)]
    for first in range(0, ITEMS, 500):
        session.verified(container, keys[first : first + 500])


def test_statements_of_the_copy_never_scan(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.migrate()
    plans: list[str] = []

    def explain(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and isinstance(parameters, tuple):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[attr-defined]
            plans.extend(f"{row[3]} <- {statement}" for row in rows)

    with ledger.session(claimed(ledger), mirror=True) as session:
        container: ContainerRow = session.record_container(INBOX)
        event.listen(ledger.engine, "before_cursor_execute", explain)
        session.record_page(container.id, page(ref("a"), ref("b")))
        session.close_inventory(KEK)
        (row, _) = session.pending(container.id, 10)
        session.begin(container.id, [row.key], "7:1")
        session.intend(container.id, [mapped(row.key)])
        session.settle(container.id, [Stored(row.key, "7:1")])
        session.verified(container.id, [row.key])
        session.finish_listing(container.id, "end", {row.key})
        list(session.rows(container.id))
        session.counts(container.id)
        event.remove(ledger.engine, "before_cursor_execute", explain)
    scans = [plan for plan in plans if plan.startswith("SCAN") and "SCAN CONSTANT ROW" not in plan]
    assert scans == []
    (pending,) = [
        plan for plan in plans if "item.state IN" in plan and "ORDER BY item.id" in plan and "SEARCH" in plan
    ]
    assert "item_open" in pending
    ledger.close()
