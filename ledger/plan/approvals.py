"""Read and record what an approval of a wave is about: the plan's rows, the gate's results, the signers.

The chain of a wave's events is checked before an approval in it counts. It is checked from where it was
checked last, because a worker asks for every leg.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, literal, select

from ledger.db.audit_log import Event, append_event, genesis, head_of, read_events, verify_chain
from ledger.db.engine import now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked, in_wave
from ledger.db.schema import checked, event, leg, mailbox, signed_plan
from ledger.db.upsert import upsert
from ledger.plan.mailboxes import mark_replanned, plan_mark
from model.errors import Corrupt

KIND = "plan-approved:"
"""The beginning of the kind of an event; the stage follows."""


@dataclass(frozen=True, slots=True)
class Check:
    """Hold the result of a preflight of a mailbox.

    Attributes:
        mailbox: the mailbox's id.
        level: of the proof; None if nothing was proven.
        code: why it is not ready; None if it is.
        items: at the source.
        bytes: at the source.
        passing: True if the mailbox could not be checked this time because of a passing fault: the result
            before stays.
    """

    mailbox: str
    level: str | None
    code: str | None
    items: int
    bytes: int
    passing: bool = False


@dataclass(frozen=True, slots=True)
class PlanRow:
    """Describe a mailbox as it is planned.

    Attributes:
        mailbox: the mailbox's id.
        wave: its wave.
        source: as in the mapping CSV.
        target: as in the mapping CSV.
        source_login: None if it is the address.
        target_login: None if it is the address.
        target_folder: where its files go; None for the configured root.
        withheld: the code why it must not run; None if it may.
        at: when it was last checked; None if it was never checked as it is planned now.
        level: of the proof; None if nothing was proven.
        code: why it is not ready; None if it is.
        items: at the source, by the last check.
        bytes: at the source, by the last check.
        workloads: in alphabetical order.
    """

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
        """Return what approvers sign: nothing that a run changes, and no count that grows."""
        accounts = [self.source, self.target, self.source_login, self.target_login, self.target_folder]
        result = None if self.at is None else [self.level, self.code]
        return [self.mailbox, *accounts, list(self.workloads), result]


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
    """Keep the newest result for each mailbox. Idempotent."""
    checks = list(checks)
    with writing(ledger.engine) as connection:
        for check in checks:
            result = {"level": check.level, "code": check.code, "items": check.items, "bytes": check.bytes}
            statement = upsert(connection, checked).values(mailbox=check.mailbox, at=now(), **result)
            if check.passing:
                connection.execute(statement.on_conflict_do_nothing())
            else:
                result_at = {"at": now(), **result}
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["mailbox"], set_=result_at)
                )
        waves = set()
        for chunk in chunked(sorted({check.mailbox for check in checks})):
            waves |= set(connection.scalars(select(mailbox.c.wave).where(mailbox.c.id.in_(chunk))))
        mark_replanned(connection, waves)


def plan_rows(ledger: LedgerHandle, wave: str | None = None, mailbox_id: str | None = None) -> list[PlanRow]:
    """Return the planned mailboxes, by id.

    Args:
        ledger: an open ledger.
        wave: only this wave; None means all.
        mailbox_id: only this mailbox; None means all.
    """
    chosen = in_wave(wave, mailbox_id)
    tables = mailbox.outerjoin(checked, checked.c.mailbox == mailbox.c.id)
    rows = select(*_COLUMNS).select_from(tables).where(chosen).order_by(mailbox.c.id)
    legs = select(leg.c.mailbox, leg.c.workload).select_from(leg.join(mailbox)).where(chosen)
    with reading(ledger.engine) as connection:
        workloads: dict[str, list[str]] = {}
        for number, workload in connection.execute(legs):
            workloads.setdefault(number, []).append(workload)
        planned = []
        for row in connection.execute(rows):
            values: list[Any] = [*row, tuple(sorted(workloads.get(row.id, ())))]
            planned.append(PlanRow(*values))
        return planned


def stamp(ledger: LedgerHandle, wave: str) -> str | None:
    """Return a mark that changes whenever the wave's plan changes; None if the wave has no plan.

    It is much cheaper than to read the plan. It compares no time: a clock that was put back would hide a
    change.
    """
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
    """Record an approval in the wave's chain. Not idempotent: each call adds an event.

    Args:
        ledger: an open ledger.
        wave: the wave.
        stage: of the approval.
        detail: of the event; `plan` is the hash of the document.
        signature: of the approver.
        text: the document that was signed; None if it is not to be kept.
    """
    with writing(ledger.engine) as connection:
        if text is not None:
            kept = {"hash": str(detail["plan"]), "wave": wave, "at": now(), "text": text}
            again = {"at": kept["at"]}
            statement = upsert(connection, signed_plan).values(kept)
            connection.execute(statement.on_conflict_do_update(index_elements=["hash"], set_=again))
        subject = f"wave:{wave}"
        return append_event(connection, wave, KIND + stage, detail, subject=subject, signature=signature)


def last_signed(ledger: LedgerHandle, wave: str) -> str | None:
    """Return the document of the wave's newest approval whose document was kept; None if there is none."""
    with reading(ledger.engine) as connection:
        kept = select(signed_plan.c.text).where(signed_plan.c.wave == wave)
        return connection.execute(kept.order_by(signed_plan.c.at.desc()).limit(1)).scalar_one_or_none()


def signed_text(ledger: LedgerHandle, hash_: str) -> str | None:
    """Return the signed document that has this hash; None if it was not kept."""
    with reading(ledger.engine) as connection:
        kept = select(signed_plan.c.text).where(signed_plan.c.hash == hash_)
        return connection.execute(kept).scalar_one_or_none()


def waves_ever_approved(ledger: LedgerHandle) -> frozenset[str]:
    """Return the planned waves of which an approval was ever recorded, whether it counts or not."""
    subjects = select(literal("wave:") + mailbox.c.wave).distinct()
    query = select(event.c.wave).distinct().where(event.c.subject.in_(subjects))
    with reading(ledger.engine) as connection:
        return frozenset(connection.scalars(query.where(event.c.kind.startswith(KIND, autoescape=True))))


Head = tuple[int, bytes]
"""Of a chain: how many events it has, and the hash of the newest."""


def events_since(ledger: LedgerHandle, wave: str, earlier: Head | None = None) -> tuple[Head, list[Event]]:
    """Return the chain's head, and the events that were added since an earlier head, checked.

    Args:
        ledger: an open ledger.
        wave: the wave.
        earlier: the earlier head; None means the beginning.

    Raises:
        Corrupt: "event-chain-broken".
    """
    after = earlier or (0, genesis(wave))
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
