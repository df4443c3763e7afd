"""What an item costs in the ledger's file."""

from __future__ import annotations

import hashlib
import io
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench_board import Board

from ledger.db.rows import Phase
from ledger.leg.leg_session import LegLedger
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container, Item, Loss, Mapped, Page, Ref, Stored
from practice.world.ids import IdMaker

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
ITEMS, BATCH, SYNC = 100_000, 200, 512
LOSSES = (Loss("body", "bare-lf"),)
FLAGS = (
    frozenset[str](),
    frozenset({"\\Seen"}),
    frozenset({"\\Seen", "\\Answered"}),
    frozenset({"\\Flagged"}),
)
START = datetime(2015, 1, 1, tzinfo=UTC)


def test_an_item_in_the_ledger(board: Board, tmp_path: Path) -> None:
    """Listed, copied and verified in the batches of a real run; every tenth item lost something."""
    file = tmp_path / "ledger.db"
    ledger = Ledger(f"sqlite:///{file}")
    ledger.migrate()
    planned = PlannedMailbox("a@old.example", "a@new.example", "bench", Phase.STAGING, frozenset({Kind.MAIL}))
    ledger.add_mailboxes([planned])
    (leg,) = ledger.legs()
    lease = ledger.claim(leg.id, "bench", 3600)
    assert lease is not None
    with ledger.session(lease, mirror=True) as session:
        place = session.record_container(Container(Kind.MAIL, "AAMkADk=", ("Posteingang",)))
        session.set_href(place.id, "INBOX", ("INBOX",))
        _list(session, place.id)
        _copy(session, place.id)
        counts = session.counts()
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    assert {state.name: count for state, count in counts.items()} == {"VERIFIED": ITEMS}
    board.put("ledger-bytes-per-item", file.stat().st_size / ITEMS)


def _list(session: LegLedger, container: int) -> None:
    ids = IdMaker(uuid.UUID(int=7))
    for first in range(0, ITEMS, SYNC):
        numbers = range(first, min(first + SYNC, ITEMS))
        refs = tuple(Ref(ids.item(3, n), ids.change_key(n), size=8192 + n) for n in numbers)
        session.record_page(container, Page(refs, f"state {first}"))


def _copy(session: LegLedger, container: int) -> None:
    session.close_inventory(bytes(32))
    uid = 1
    while rows := session.pending(container, BATCH):
        session.begin(container, [row.key for row in rows], f"1700000000:{uid}")
        session.intend(container, [_mapped(row.key, uid + n) for n, row in enumerate(rows)])
        session.settle(container, [Stored(row.key, f"1700000000:{uid + n}") for n, row in enumerate(rows)])
        session.verified(container, [row.key for row in rows])
        uid += len(rows)


def _mapped(key: bytes, number: int) -> Mapped:
    item = Item(
        kind=Kind.MAIL,
        key=key,
        digest=hashlib.sha256(key).digest(),
        size=8192 + number,
        body=io.BytesIO,
        flags=FLAGS[number % len(FLAGS)],
        date=START + timedelta(minutes=number),
        message_id=f"<{number}@old.example>",
    )
    return Mapped(item, LOSSES if number % 10 == 0 else ())
