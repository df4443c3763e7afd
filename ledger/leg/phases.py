"""The phase of a mailbox: it changes only while nobody holds a leg of it.

Whoever holds a leg works by the rules of the phase in which it was claimed (ledger.db.leases): its
transactions pass no more once the mailbox is in another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, update

from ledger.db.audit_log import append_event
from ledger.db.rows import SCORE_LOW, LegState, Phase
from ledger.db.schema import leg, mailbox, step
from ledger.leg.phase_moves import ANSWERED, MOVED, to_answer
from ledger.leg.rollback import ROLLED_BACK
from ledger.plan.mailboxes import seen_of, wave_of
from model.errors import Blocked

HELD_ELSEWHERE = "claimed-elsewhere"

HOOKS_NOT_RUN = "hooks-not-run"
"""The event of a mailbox that a person made live without them."""


@dataclass(frozen=True, slots=True)
class PhaseAcceptance:
    """What a person takes responsibility for together with a phase, as its events say it: that hooks were not
    run, and a score that is low or missing."""

    hooks: Mapping[str, str | int] | None = None
    score: Mapping[str, str | int] | None = None


NOTHING = PhaseAcceptance()
"""There was nothing to answer for."""


def _record(connection: Connection, mailbox_id: str, answers: PhaseAcceptance) -> None:
    """Records them in the chain of the mailbox's wave. A score is approved for the accounts as they are."""
    wave = wave_of(connection, mailbox_id)
    if answers.hooks is not None:
        append_event(connection, wave, HOOKS_NOT_RUN, answers.hooks, subject=mailbox_id)
    if answers.score is not None:
        detail = {**answers.score, "seen": seen_of(connection, mailbox_id)}
        append_event(connection, wave, f"approved:{SCORE_LOW}", detail, subject=mailbox_id)


def lock_legs(connection: Connection, mailbox_id: str) -> None:
    """Locks the mailbox: nobody claims a leg of it, or begins a step, until this is committed."""
    connection.execute(select(leg.c.id).where(leg.c.mailbox == mailbox_id).with_for_update())


def refuse_held(connection: Connection, mailbox_id: str) -> None:
    """Locks the mailbox. Raises Blocked("claimed-elsewhere") while a worker holds a leg of it, or died there:
    what it had in hand is not settled."""
    lock_legs(connection, mailbox_id)
    held = or_(leg.c.owner.is_not(None), leg.c.unproven, leg.c.state == LegState.RUNNING.value)
    at_work = select(leg.c.id).where(leg.c.mailbox == mailbox_id, held).limit(1)
    if connection.execute(at_work).first() is not None:
        raise Blocked(HELD_ELSEWHERE, "a worker holds the mailbox")


def refuse_claimed_since(connection: Connection, mailbox_id: str, epochs: Mapping[int, int]) -> None:
    """Raises Blocked("claimed-elsewhere") where a worker held a leg since its epoch was read. epochs: by the
    number of the leg."""
    found = connection.execute(select(leg.c.id, leg.c.epoch).where(leg.c.mailbox == mailbox_id))
    if any(epochs.get(row.id, row.epoch) != row.epoch for row in found):
        raise Blocked(HELD_ELSEWHERE, "a worker held the mailbox meanwhile")


def refuse_begun(connection: Connection, mailbox_id: str) -> None:
    """Raises Blocked("claimed-elsewhere") where a cutover of the mailbox was begun: its steps would be taken
    for done."""
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
    """Moves a mailbox to a phase; recorded, after what was answered for with it. Idempotent. stated: a person
    says in which phase the mailbox is; that answers for moves that the ledger lost, as far as a pass has
    told of them. Raises as refuse_held(), Blocked("live-phase"): nothing leads back from there, unless all
    of it was rolled back; and Blocked("mailbox-unknown")."""
    refuse_held(connection, mailbox_id)
    query = select(mailbox.c.phase).where(mailbox.c.id == mailbox_id)
    known = connection.execute(query).scalar_one_or_none()
    if known is None:
        raise Blocked("mailbox-unknown", "the ledger has no such mailbox")
    if known == Phase.LIVE.value and phase is not Phase.LIVE and not is_rolled_back(connection, mailbox_id):
        raise Blocked("live-phase", "its user works there")
    _record(connection, mailbox_id, answers)
    connection.execute(update(mailbox).where(mailbox.c.id == mailbox_id).values(phase=phase.value))
    detail: dict[str, str | int] = {"by": by, "phase": phase.value}
    if stated and (told := to_answer(connection, mailbox_id)):
        detail[ANSWERED] = told
    append_event(connection, wave_of(connection, mailbox_id), MOVED, detail, subject=mailbox_id)


def is_rolled_back(connection: Connection, mailbox_id: str) -> bool:
    """Whether a rollback of every leg has ended, and nothing was sent back into the queue since."""
    codes = connection.execute(select(leg.c.state, leg.c.code).where(leg.c.mailbox == mailbox_id)).all()
    return bool(codes) and all(tuple(one) == (LegState.BLOCKED.value, ROLLED_BACK) for one in codes)
