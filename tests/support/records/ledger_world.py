"""A ledger with one mailbox at work, and ways to look at all of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from ledger.db.rows import ItemRow, Lease, Phase, State
from ledger.db.schema import metadata
from ledger.leg.leg_session import LegLedger
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind
from model.protocols import Container, Item, Loss, Mapped, Page, Ref, Role, Stored, key_of

KEK = bytes(range(32))
INBOX = Container(Kind.MAIL, "folder-inbox", ("Posteingang",), Role.INBOX, 3)


def planned(source: str = "anna@old.example", wave: str = "w1", **changes: Any) -> PlannedMailbox:
    given = {"target": f"{source}.new", "phase": Phase.STAGING, "workloads": frozenset({Kind.MAIL})}
    return PlannedMailbox(source=source, wave=wave, **(given | changes))


def claimed(ledger: Ledger, source: str = "anna@old.example", wave: str = "w1") -> Lease:
    """Plans a mailbox and claims its mail leg."""
    (mailbox,) = ledger.add_mailboxes([planned(source, wave)])
    (leg,) = ledger.legs(mailbox=str(mailbox))
    lease = ledger.claim(leg.id, "worker-1", 60)
    assert lease is not None
    return lease


def ref(name: str, version: str = "v1", *, deleted: bool = False, size: int | None = 100) -> Ref:
    return Ref(name, version, deleted, size)


def page(*refs: Ref, cursor: str = "cursor") -> Page:
    return Page(refs, cursor)


def mapped(key: bytes, *, losses: tuple[Loss, ...] = (), labels: tuple[tuple[str, str], ...] = ()) -> Mapped:
    item = Item(
        Kind.MAIL,
        key,
        hashlib.sha256(key).digest(),
        120,
        lambda: (_ for _ in ()).throw(AssertionError),
        frozenset({"\\Seen", "$Label1"}),
        datetime(2020, 2, 3, 4, 5, 6, 700000, UTC),
        message_id=f"<{key.hex()}@old.example>",
    )
    return Mapped(item, losses, labels)


def begin(session: LegLedger, container: int, keys: Iterable[bytes], since: str) -> None:
    """As a pass does: what was listed is in a closed inventory before anything is begun."""
    session.close_inventory(KEK)
    session.begin(container, keys, since)


def write(session: LegLedger, container: int, names: Iterable[str], first: int = 1) -> None:
    """Lists items and takes them to WRITTEN with hrefs 7:first, 7:first+1, …"""
    named = list(names)
    keys = [key_of(name) for name in named]
    session.record_page(container, page(*(ref(name) for name in named)))
    begin(session, container, keys, f"7:{first}")
    session.intend(container, [mapped(key) for key in keys])
    session.settle(container, [Stored(key, f"7:{first + n}", "") for n, key in enumerate(keys)])


def force(session: LegLedger, container: int, name: str, state: State) -> None:
    """Takes a listed, SEEN item to a state by the steps that lead there."""
    key = key_of(name)
    if state in (State.SKIPPED, State.REJECTED):
        fate = [(key, "some-code")]
        skipped = state is State.SKIPPED
        session.settle(container, [], rejected=() if skipped else fate, skipped=fate if skipped else ())
    if state is State.GONE:
        session.settle(container, [], gone=[key])
    if state in (State.WRITING, State.WRITTEN, State.VERIFIED, State.CHANGED, State.LEAVING):
        begin(session, container, [key], "7:1")
        session.intend(container, [mapped(key)])
    if state in (State.WRITTEN, State.VERIFIED, State.CHANGED, State.LEAVING):
        session.settle(container, [Stored(key, "7:1")])
    if state is State.VERIFIED:
        session.verified(container, [key])
    if state is State.CHANGED:
        session.recheck(container, [key])
    if state is State.LEAVING:
        session.record_page(container, page(ref(name, deleted=True)))
    assert item(session, container, name).state is state


def item(session: LegLedger, container: int, name: str) -> ItemRow:
    return next(row for row in session.rows(container) if row.key == key_of(name))


def states(session: LegLedger, container: int) -> dict[str, State]:
    return {row.source_id: row.state for row in session.rows(container)}


def dump(ledger: Ledger) -> dict[str, list[Any]]:
    """Every row of every table."""
    with ledger.engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in metadata.sorted_tables
        }


def ews_id(number: int) -> str:
    """152 characters of Base64, as Exchange gives them."""
    seed = hashlib.shake_128(str(number).encode()).digest(114)
    return base64.b64encode(seed).decode()
