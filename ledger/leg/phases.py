"""Change the phase of a mailbox, which changes only while nobody holds a leg of it.

A worker that holds a leg works by the rules of the phase in which the leg was claimed (ledger.db.leases): its
transactions are refused once the mailbox is in another phase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, update

from ledger.db.audit_log import append_event
from ledger.db.rows import HELD_ELSEWHERE, ROLLED_BACK, SCORE_LOW, LegState, Phase
from ledger.db.schema import leg, mailbox, step
from ledger.leg.phase_moves import ANSWERED, MOVED, to_answer
from ledger.plan.mailboxes import seen_of, wave_of
from model.errors import Blocked

HOOKS_NOT_RUN = "hooks-not-run"
"""The event of a mailbox that a person made live without its hooks."""


@dataclass(frozen=True, slots=True)
class PhaseAcceptance:
    """State what a person takes responsibility for together with a phase, as its events say it.

    Attributes:
        hooks: that hooks were not run; None if they were.
        score: a score that is low or missing; None if it is good.
        reason: why the mailbox goes live without having been frozen; None if it was frozen.
    """

    hooks: Mapping[str, str | int] | None = None
    score: Mapping[str, str | int] | None = None
    reason: str | None = None


NOTHING = PhaseAcceptance()
"""There was nothing to take responsibility for."""


def _record(connection: Connection, mailbox_id: str, answers: PhaseAcceptance) -> None:
    """Record the acceptance in the chain of the mailbox's wave.

    A score is approved for the accounts as they are now.
    """
    wave = wave_of(connection, mailbox_id)
    if answers.hooks is not None:
        append_event(connection, wave, HOOKS_NOT_RUN, answers.hooks, subject=mailbox_id)
    if answers.score is not None:
        detail = {**answers.score, "seen": seen_of(connection, mailbox_id)}
        append_event(connection, wave, f"approved:{SCORE_LOW}", detail, subject=mailbox_id)


def lock_legs(connection: Connection, mailbox_id: str) -> None:
    """Lock the mailbox: until the commit, no leg of it is claimed and no step of it begins."""
    connection.execute(select(leg.c.id).where(leg.c.mailbox == mailbox_id).with_for_update())


def refuse_held(connection: Connection, mailbox_id: str) -> None:
    """Lock the mailbox, and refuse it while a worker holds a leg of it, or died there.

    What a dead worker had in hand is not settled.

    Raises:
        Blocked: "claimed-elsewhere".
    """
    lock_legs(connection, mailbox_id)
    if held_legs(connection, mailbox_id):
        raise Blocked(HELD_ELSEWHERE, "a worker holds the mailbox")


def held_legs(connection: Connection, mailbox_id: str) -> list[int]:
    """Return the legs of a mailbox that a worker holds, or that a worker left without releasing them."""
    held = or_(leg.c.owner.is_not(None), leg.c.unproven, leg.c.state == LegState.RUNNING.value)
    query = select(leg.c.id).where(leg.c.mailbox == mailbox_id, held).order_by(leg.c.id)
    return list(connection.scalars(query))


def refuse_claimed_since(connection: Connection, mailbox_id: str, epochs: Mapping[int, int]) -> None:
    """Refuse a mailbox if a worker held a leg of it since the epochs were read.

    Args:
        connection: in any transaction.
        mailbox_id: the mailbox.
        epochs: by the number of the leg.

    Raises:
        Blocked: "claimed-elsewhere".
    """
    legs = connection.execute(select(leg.c.id, leg.c.epoch).where(leg.c.mailbox == mailbox_id))
    if any(epochs.get(row.id, row.epoch) != row.epoch for row in legs):
        raise Blocked(HELD_ELSEWHERE, "a worker held the mailbox meanwhile")


def refuse_begun(connection: Connection, mailbox_id: str) -> None:
    """Refuse a mailbox whose cutover was begun, because its steps would count as done.

    Raises:
        Blocked: "claimed-elsewhere".
    """
    if connection.execute(select(step.c.name).where(step.c.mailbox == mailbox_id).limit(1)).first():
        raise Blocked(HELD_ELSEWHERE, "a cutover of it was begun")


def move(
    connection: Connection,
    mailbox_id: str,
    phase: Phase,
    by: str,
    answers: PhaseAcceptance = NOTHING,
    *,
    stated: bool = False,
) -> None:
    """Move a mailbox to a phase, and record it after what a person takes responsibility for. Idempotent.

    Args:
        connection: in a write transaction.
        mailbox_id: the mailbox.
        phase: the new phase.
        by: who did it, as the event says it.
        answers: what a person takes responsibility for.
        stated: True if a person says in which phase the mailbox is. That answers for moves that the ledger
            lost, as far as a pass has found them.

    Raises:
        Blocked: "claimed-elsewhere" as refuse_held(); "live-phase" if it is live and not rolled back as a
            whole, because nothing leads back from there; "mailbox-unknown".
    """
    refuse_held(connection, mailbox_id)
    query = select(mailbox.c.phase).where(mailbox.c.id == mailbox_id)
    current = connection.execute(query).scalar_one_or_none()
    if current is None:
        raise Blocked("mailbox-unknown", "the ledger has no such mailbox")
    if current == Phase.LIVE.value and phase is not Phase.LIVE and not is_rolled_back(connection, mailbox_id):
        raise Blocked("live-phase", "its user works there")
    _record(connection, mailbox_id, answers)
    connection.execute(update(mailbox).where(mailbox.c.id == mailbox_id).values(phase=phase.value))
    detail: dict[str, str | int] = {"by": by, "phase": phase.value}
    if answers.reason is not None:
        detail["reason"] = answers.reason
    if stated and (moves_lost := to_answer(connection, mailbox_id)):
        detail[ANSWERED] = moves_lost
    append_event(connection, wave_of(connection, mailbox_id), MOVED, detail, subject=mailbox_id)


def is_rolled_back(connection: Connection, mailbox_id: str) -> bool:
    """Return True if a rollback of every leg has ended, and nothing was sent back into the queue since."""
    codes = connection.execute(select(leg.c.state, leg.c.code).where(leg.c.mailbox == mailbox_id)).all()
    return bool(codes) and all(tuple(pair) == (LegState.BLOCKED.value, ROLLED_BACK) for pair in codes)
