"""Append and verify the chain of events: decisions only, one chain a wave, each hash covers the one before.

A chain shows that nothing in it was altered, removed from its middle or inserted. Whether its end was cut off
shows only against an anchor outside of the ledger (a printed or signed head).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, insert, select, update

from ledger.db.engine import now
from ledger.db.schema import event, mailbox, meta
from ledger.db.upsert import upsert
from model.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Event:
    """Hold one decision.

    Attributes:
        wave: the wave of its chain.
        seq: counts from 1 in its wave.
        at: seconds since 1970 UTC by the database's clock, to the microsecond.
        kind: what was decided.
        subject: a mailbox id, or another name; None if it is about the wave.
        detail: codes, counts and random ids.
        hash: SHA-256 over the previous hash and the canonical JSON of all other fields but the signature.
        signature: of an approver, over the hash; None for most kinds.
    """

    wave: str
    seq: int
    at: float
    kind: str
    subject: str | None
    detail: Mapping[str, str | int]
    hash: bytes
    signature: bytes | None = None

    @property
    def moment(self) -> datetime:
        """Return when it was recorded."""
        return datetime.fromtimestamp(self.at, UTC)


def genesis(wave: str) -> bytes:
    """Return the hash that stands before the first event of a wave's chain."""
    return hashlib.sha256(b"kogge event chain\x00" + wave.encode()).digest()


def event_hash(
    previous: bytes, wave: str, seq: int, at: float, kind: str, subject: str | None, detail: str
) -> bytes:
    """Return the hash of an event.

    Args:
        previous: the hash of the event before, or genesis().
        wave: the wave of the chain.
        seq: the event's number.
        at: seconds since 1970 UTC; hashed in whole microseconds, which both databases keep exactly.
        kind: what was decided.
        subject: as in Event.
        detail: the stored text, so that a check needs no agreement on how to write JSON numbers.
    """
    fields = [wave, seq, round(at * 1_000_000), kind, subject, detail]
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(previous + body.encode()).digest()


def append_event(
    connection: Connection,
    wave: str,
    kind: str,
    detail: Mapping[str, str | int],
    *,
    subject: str | None = None,
    signature: bytes | None = None,
) -> Event:
    """Add one event, inside the caller's write transaction. Not idempotent.

    Args:
        connection: in a write transaction. The wave's chain is locked until its end.
        wave: the wave of the chain.
        kind: what was decided.
        detail: codes, counts and random ids; never an address or a name.
        subject: a mailbox id, or another name; None if it is about the wave.
        signature: of an approver, over the event's hash.
    """
    seq, previous, at = lock_chain(connection, wave)
    text = json.dumps(dict(detail), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    digest = event_hash(previous, wave, seq + 1, at, kind, subject, text)
    added = Event(wave, seq + 1, at, kind, subject, dict(detail), digest, signature)
    row = {"b_wave": wave, "b_seq": added.seq, "b_at": at, "b_kind": kind, "b_subject": subject}
    row |= {"b_detail": text, "b_hash": digest, "b_signature": signature}
    moved = {"b_name": _head_name(wave), "b_value": f"{added.seq}:{digest.hex()}"}
    if connection.dialect.name == "postgresql":
        # All events of a wave wait for one another: each way to the server under the lock counts.
        connection.execute(_ADD_AND_MOVE, {**row, **moved})
    else:
        connection.execute(_ADD, row)
        connection.execute(_MOVE, moved)
    return added


_COLUMNS = ("wave", "seq", "at", "kind", "subject", "detail", "hash", "signature")
_ADD = insert(event).values({name: bindparam(f"b_{name}", type_=event.c[name].type) for name in _COLUMNS})
_MOVE = (
    update(meta)
    .where(meta.c.name == bindparam("b_name", type_=meta.c.name.type))
    .values(value=bindparam("b_value", type_=meta.c.value.type))
)
_ADD_AND_MOVE = _ADD.add_cte(_MOVE.cte("moved"))


def read_events(
    connection: Connection, wave: str, *, after: int = 0, until: int | None = None
) -> Iterator[Event]:
    """Yield the events of a wave's chain, in their order.

    Args:
        connection: in any transaction.
        wave: the wave of the chain.
        after: only events with a higher number.
        until: only events up to this number; None means all.
    """
    query = select(event).where(event.c.wave == wave, event.c.seq > after).order_by(event.c.seq)
    for row in connection.execute(query if until is None else query.where(event.c.seq <= until)):
        yield as_event(row)


def as_event(row: Any) -> Event:
    """Return the event of a row of the table."""
    detail = dict(json.loads(row.detail))
    return Event(row.wave, row.seq, row.at, row.kind, row.subject, detail, row.hash, row.signature)


def newest_detail(connection: Connection, subject: str, kind: str) -> Mapping[str, str | int] | None:
    """Return the detail of the newest event of this kind about a subject; None if there is none."""
    newest = newest_event(connection, subject, kind, chain_of(connection, subject))
    return None if newest is None else newest.detail


def chain_of(connection: Connection, subject: str) -> str:
    """Return the wave in whose chain a subject's events are recorded now.

    Args:
        connection: in any transaction.
        subject: "wave:NAME", or the id of a mailbox.

    Returns:
        "" if there is no such mailbox.
    """
    if subject.startswith("wave:"):
        return subject.removeprefix("wave:")
    query = select(mailbox.c.wave).where(mailbox.c.id == subject)
    return connection.execute(query).scalar_one_or_none() or ""


def newest_event(connection: Connection, subject: str, kind: str, chain: str) -> Event | None:
    """Return the newest event of this kind about a subject; None if there is none.

    It is the last one of this chain, or else of another. The order of a chain decides, not the time, because
    a clock may be put back.
    """
    query = select(event).where(event.c.subject == subject, event.c.kind == kind)
    query = query.order_by(case((event.c.wave == chain, 0), else_=1), event.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else as_event(row)


def last_refusal(
    connection: Connection, subject: str, code: str, spent_as: str, workload: str
) -> Mapping[str, str | int] | None:
    """Return the detail of a workload's newest refusal since an approval was spent; None if there is none.

    Args:
        connection: in any transaction.
        subject: the id of a mailbox.
        code: the code with which it was refused, and the kind of the event.
        spent_as: the name by which an approval is spent.
        workload: the workload.
    """
    kinds = (code, f"approval-spent:{spent_as}")
    query = select(event).where(event.c.subject == subject, event.c.kind.in_(kinds))
    here = case((event.c.wave == chain_of(connection, subject), 0), else_=1)
    for row in connection.execute(query.order_by(here, event.c.seq.desc())):
        found = as_event(row)
        if found.kind != code:
            return None
        if found.detail.get("workload") == workload:
            return found.detail
    return None


def verify_chain(
    wave: str,
    rows: Iterable[tuple[int, float, str, str | None, str, bytes]],
    after: tuple[int, bytes] | None = None,
) -> tuple[int, bytes]:
    """Check a chain of events, and return its head.

    Args:
        wave: the wave of the chain.
        rows: (seq, at, kind, subject, detail as stored, hash) of each event, in order.
        after: an earlier head (number and hash); `rows` is what follows it. None if `rows` is the whole
            chain.

    Returns:
        The number and the hash of the last event.

    Raises:
        Corrupt: "event-chain-broken", at the first event that does not follow from the one before.
    """
    seq, previous = after or (0, genesis(wave))
    for number, at, kind, subject, detail, digest in rows:
        expected = event_hash(previous, wave, seq + 1, at, kind, subject, detail)
        if number != seq + 1 or digest != expected:
            raise Corrupt("event-chain-broken", f"event {seq + 1} is not what was recorded")
        seq, previous = number, digest
    return seq, previous


def verify_all(connection: Connection) -> None:
    """Check every wave's chain and its recorded head.

    Raises:
        Corrupt: "event-chain-broken".
    """
    columns = (event.c.seq, event.c.at, event.c.kind, event.c.subject, event.c.detail, event.c.hash)
    waves = set(connection.scalars(select(event.c.wave).distinct()))
    query = select(meta.c.name, meta.c.value).where(meta.c.name.startswith(_head_name("")))
    heads = {row.name: row.value for row in connection.execute(query)}
    if {_head_name(wave) for wave in waves} != heads.keys():
        raise Corrupt("event-chain-broken", "a wave's events are missing as a whole")
    for wave in sorted(waves):
        rows = connection.execute(select(*columns).where(event.c.wave == wave).order_by(event.c.seq))
        seq, digest = verify_chain(wave, rows)
        if heads[_head_name(wave)] != f"{seq}:{digest.hex()}":
            raise Corrupt("event-chain-broken", "the end of a chain is missing")


def heads_of(connection: Connection) -> dict[str, tuple[int, bytes]]:
    """Return the number and the hash of the newest event, by wave."""
    query = select(meta.c.name, meta.c.value).where(meta.c.name.startswith(_head_name("")))
    rows = connection.execute(query)
    return {name.removeprefix(_head_name("")): _parsed(value) for name, value in rows}


def head_of(connection: Connection, wave: str) -> tuple[int, bytes]:
    """Return how many events a wave's chain has, and the newest one's hash, as recorded beside it."""
    head = connection.execute(
        select(meta.c.value).where(meta.c.name == _head_name(wave))
    ).scalar_one_or_none()
    return (0, genesis(wave)) if head is None else _parsed(head)


def _parsed(head: str) -> tuple[int, bytes]:
    seq, digest = head.split(":")
    return int(seq), bytes.fromhex(digest)


def _head_name(wave: str) -> str:
    return f"events:{wave}"


def lock_chain(connection: Connection, wave: str) -> tuple[int, bytes, float]:
    """Lock the chain of a wave until the end of the transaction.

    Args:
        connection: in a write transaction.
        wave: the wave of the chain.

    Returns:
        Its newest number and hash, and the time after the lock was taken.
    """
    asked = {"b_name": _head_name(wave)}
    found = connection.execute(_LOCK_HEAD, asked).one_or_none()
    if found is None:
        first = {"name": _head_name(wave), "value": f"0:{genesis(wave).hex()}"}
        connection.execute(upsert(connection, meta).values(first).on_conflict_do_nothing())
        found = connection.execute(_LOCK_HEAD, asked).one()
    head, at = found
    return *_parsed(head), round(at, 6)


_LOCKED = select(meta.c.value).where(meta.c.name == bindparam("b_name")).with_for_update().subquery()
_LOCK_HEAD = select(_LOCKED.c.value, now())
