"""What an approval of a wave is about: the plan's rows, what the gate found of them, and who signed.

The chain of a wave's events is checked before an approval in it counts, and from where it was checked last:
a worker asks for every leg.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select

from ledger.db.audit_log import Event, append_event, genesis, head_of, read_events, verify_chain
from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked, in_wave
from ledger.db.schema import checked, event, leg, mailbox, signed_plan
from ledger.db.upsert import upsert
from ledger.plan.mailboxes import mark_replanned, plan_mark
from model.errors import Corrupt

KIND = "plan-approved:"
"""Of an event; the stage follows."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a preflight found of a mailbox. level: of the proof. code: why it is not ready, or None."""

    mailbox: str
    level: str | None
    code: str | None
    items: int
    bytes: int
    passing: bool = False
    """It could not be looked at, and may be another time: what was found before stays."""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A mailbox as it is planned. at: when it was checked last; None: never, as it is planned now."""

    mailbox: str
    wave: str
    source: str
    target: str
    source_login: str | None
    target_login: str | None
    target_folder: str | None
    withheld: str | None
    at: float | None
    level: str | None
    code: str | None
    items: int
    bytes: int
    workloads: tuple[str, ...]

    def approved_part(self) -> list[object]:
        """What approvers sign: nothing that a run changes, no count that grows."""
        accounts = [self.source, self.target, self.source_login, self.target_login, self.target_folder]
        found = None if self.at is None else [self.level, self.code]
        return [self.mailbox, *accounts, list(self.workloads), found]


_COLUMNS = (
    mailbox.c.id,
    mailbox.c.wave,
    mailbox.c.source,
    mailbox.c.target,
    mailbox.c.source_login,
    mailbox.c.target_login,
    mailbox.c.target_folder,
    mailbox.c.withheld,
    checked.c.at,
    checked.c.level,
    checked.c.code,
    func.coalesce(checked.c["items"], 0),
    func.coalesce(checked.c.bytes, 0),
)


def keep_checks(ledger: LedgerHandle, checks: Iterable[Check]) -> None:
    """The newest word on each mailbox; idempotent."""
    checks = list(checks)
    with writing(ledger.engine) as connection:
        for one in checks:
            found = {"level": one.level, "code": one.code, "items": one.items, "bytes": one.bytes}
            statement = upsert(connection, checked).values(mailbox=one.mailbox, at=now(), **found)
            if one.passing:
                connection.execute(statement.on_conflict_do_nothing())
            else:
                found_at = {"at": now(), **found}
                connection.execute(statement.on_conflict_do_update(index_elements=["mailbox"], set_=found_at))
        waves = set()
        for chunk in chunked(sorted({one.mailbox for one in checks})):
            waves |= set(connection.scalars(select(mailbox.c.wave).where(mailbox.c.id.in_(chunk))))
        mark_replanned(connection, waves)


def plan_rows(ledger: LedgerHandle, wave: str | None = None, mailbox_id: str | None = None) -> list[PlanRow]:
    """By mailbox."""
    chosen = in_wave(wave, mailbox_id)
    tables = mailbox.outerjoin(checked, checked.c.mailbox == mailbox.c.id)
    rows = select(*_COLUMNS).select_from(tables).where(chosen).order_by(mailbox.c.id)
    legs = select(leg.c.mailbox, leg.c.workload).select_from(leg.join(mailbox)).where(chosen)
    with reading(ledger.engine) as connection:
        workloads: dict[str, list[str]] = {}
        for number, workload in connection.execute(legs):
            workloads.setdefault(number, []).append(workload)
        found = []
        for row in connection.execute(rows):
            values: list[Any] = [*row, tuple(sorted(workloads.get(row.id, ())))]
            found.append(PlanRow(*values))
        return found


def stamp(ledger: LedgerHandle, wave: str) -> str | None:
    """Another one when a plan is another one; much cheaper than to read it. No time is compared: a clock that
    was put back would hide a change."""
    with reading(ledger.engine) as connection:
        return plan_mark(connection, wave)


def record(
    ledger: LedgerHandle,
    wave: str,
    stage: str,
    detail: Mapping[str, str | int],
    signature: bytes,
    text: str | None = None,
) -> Event:
    """Records an approval in the wave's chain. text: the document that was signed, by its hash."""
    with writing(ledger.engine) as connection:
        if text is not None:
            kept = {"hash": str(detail["plan"]), "wave": wave, "at": now(), "text": text}
            again = {"at": kept["at"]}
            statement = upsert(connection, signed_plan).values(kept)
            connection.execute(statement.on_conflict_do_update(index_elements=["hash"], set_=again))
        subject = f"wave:{wave}"
        return append_event(connection, wave, KIND + stage, detail, subject=subject, signature=signature)


def last_signed(ledger: LedgerHandle, wave: str) -> str | None:
    """The document of the newest approval of this wave whose document was kept; None where there is none."""
    with reading(ledger.engine) as connection:
        kept = select(signed_plan.c.text).where(signed_plan.c.wave == wave)
        return connection.execute(kept.order_by(signed_plan.c.at.desc()).limit(1)).scalar_one_or_none()


Head = tuple[int, bytes]
"""Of a chain: how many events it has, and the hash of the newest."""


def events_since(ledger: LedgerHandle, wave: str, known: Head | None = None) -> tuple[Head, list[Event]]:
    """The chain's head, and what was added to it since another one, checked. Raises
    Corrupt("event-chain-broken")."""
    after = known or (0, genesis(wave))
    with reading(ledger.engine) as connection:
        head = head_of(connection, wave)
        if head == after:
            return head, []
        columns = (event.c.seq, event.c.at, event.c.kind, event.c.subject, event.c.detail, event.c.hash)
        new = and_(event.c.wave == wave, event.c.seq > after[0], event.c.seq <= head[0])
        rows = connection.execute(select(*columns).where(new).order_by(event.c.seq))
        if verify_chain(wave, rows, after) != head:
            raise Corrupt("event-chain-broken", "the end of a chain is missing")
        return head, list(read_events(connection, wave, after=after[0], until=head[0]))
