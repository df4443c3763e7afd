"""Record how far the cutover of each mailbox is: a row for each hook or step that was begun.

A step that is BEGUN and has no outcome was interrupted, unless the process that began it still lives. Every
outcome is an event of the wave's chain as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, delete, or_, select, update

from ledger.db.audit_log import append_event
from ledger.db.engine import asking, now, reading, writing
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.rows import HELD_ELSEWHERE, PARTLY, ROLLED_BACK, ROLLING, SCORE_LOW, LegState, Phase
from ledger.db.schema import event, leg, mailbox, step
from ledger.db.upsert import upsert
from ledger.leg.phases import held_legs, is_rolled_back, lock_legs, move, refuse_held
from ledger.plan.mailboxes import is_spendable, wave_of
from model.errors import Blocked

BEGUN, DONE, FAILED = "begun", "done", "failed"
RELEASE = "release"
"""The step after which the cutover only goes forward."""
BACK = "back"
"""The step after which the cutover only goes back."""
GIVE_BACK_BEGUN, GIVE_BACK_ENDED = "give-back-begun", "given-back"
CUTOVER_NAMED = "cutover-named"
"""The kinds of the events of giving back. In older ledgers "given-back" is recorded when it begins."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """Describe a step.

    Attributes:
        mailbox: the mailbox's id.
        name: of the step or the hook.
        state: BEGUN, DONE or FAILED.
        code: of the outcome; of a step that is BEGUN, who began it.
        attempts: how often it was begun.
        at: when the row was written.
    """

    mailbox: str
    name: str
    state: str
    code: str | None
    attempts: int
    at: datetime


def _never(owner: str) -> bool:
    """Return the answer if nothing is known about who began a step."""
    return not owner


class Steps:
    """Record the steps of a ledger's mailboxes."""

    def __init__(self, ledger: LedgerHandle) -> None:
        self._engine = ledger.engine

    def begin(
        self,
        mailbox_id: str,
        name: str,
        owner: str = "",
        hold: float = 0.0,
        dead: Callable[[str], bool] = _never,
        *,
        back: bool = False,
    ) -> bool:
        """Record that a step begins, durably before the step does anything. A step that is DONE begins anew.

        Args:
            mailbox_id: the mailbox.
            name: of the step.
            owner: who begins it; "" if it cannot be said. A step that the same owner began begins again: its
                outcome was not recorded.
            hold: seconds for which a step that somebody else began counts as running.
            dead: tells whether the process of an owner is known to be dead.
            back: True for a step of taking back.

        Returns:
            False if somebody else began it less than `hold` seconds ago and, as far as is known, still works
            on it.

        Raises:
            Blocked: "taking-back" if taking back was begun, and this is no step of it; "rolled-back" or
                "rolling-back" as move().
        """
        row = next((step_row for step_row in self.all(mailbox_id) if step_row.name == name), None)
        free = [step.c.state != BEGUN, step.c.at < now() - hold]
        if row is not None and row.state == BEGUN and dead(row.code or ""):
            free.append(step.c.code == row.code)
        if owner:
            free.append(step.c.code == owner)
        values = {"state": BEGUN, "code": owner or None, "at": now()}
        with writing(self._engine) as connection:
            lock_legs(connection, mailbox_id)
            if not back:
                _refuse_back(connection, mailbox_id)
                _refuse_rolled_back(connection, mailbox_id)
            added = upsert(connection, step).values(mailbox=mailbox_id, name=name, attempts=1, **values)
            added = added.on_conflict_do_nothing(index_elements=["mailbox", "name"])
            if connection.execute(added.returning(step.c.name)).first() is not None:
                return True
            again = update(step).where(step.c.mailbox == mailbox_id, step.c.name == name, or_(*free))
            again = again.values(attempts=step.c.attempts + 1, **values).returning(step.c.name)
            return connection.execute(again).first() is not None

    def finish(
        self, mailbox_id: str, name: str, state: str, code: str | None = None, owner: str = ""
    ) -> None:
        """Record the outcome of a step that was begun, with an event.

        Args:
            mailbox_id: the mailbox.
            name: of the step.
            state: DONE or FAILED.
            code: of the outcome; None if there is none.
            owner: as it was begun; "" skips the check.

        Raises:
            Blocked: "claimed-elsewhere" if somebody else began it since, or if it was taken back.
        """
        with writing(self._engine) as connection:
            wave = wave_of(connection, mailbox_id)
            if owner:
                _refuse_taken(connection, mailbox_id, name, owner)
            _put(connection, mailbox_id, name, state, code)
            detail = {"step": name, "state": state} | ({"code": code} if code else {})
            append_event(connection, wave, "step", detail, subject=mailbox_id)

    def all(self, mailbox_id: str) -> list[StepRow]:
        """Return a mailbox's steps, in the order in which they last changed."""
        return self.of([mailbox_id]).get(mailbox_id, [])

    def of(self, mailbox_ids: Iterable[str]) -> dict[str, list[StepRow]]:
        """Return the steps of those mailboxes that have any, each in the order in which they last changed."""
        steps: dict[str, list[StepRow]] = {}
        with reading(self._engine) as connection:
            for chunk in chunked(sorted(set(mailbox_ids))):
                query = select(step).where(step.c.mailbox.in_(chunk)).order_by(step.c.at, step.c.name)
                for row in connection.execute(query):
                    at = datetime.fromtimestamp(row.at, UTC)
                    step_row = StepRow(row.mailbox, row.name, row.state, row.code, row.attempts, at)
                    steps.setdefault(row.mailbox, []).append(step_row)
        return steps

    def forget(self, mailbox_id: str, names: Collection[str]) -> None:
        """Delete these steps, which are to be done once more. The chain keeps what was done. Idempotent."""
        with writing(self._engine) as connection:
            connection.execute(
                delete(step).where(step.c.mailbox == mailbox_id, step.c.name.in_(sorted(names)))
            )

    def held_legs(self, mailbox_id: str) -> list[int]:
        """Return the legs that keep the mailbox from changing its phase: a worker holds them, or died."""
        with reading(self._engine) as connection:
            return held_legs(connection, mailbox_id)

    def refuse_running(
        self, mailbox_id: str, holds: Mapping[str, float], dead: Callable[[str], bool] = _never
    ) -> None:
        """Refuse a mailbox while somebody runs one of these hooks.

        Args:
            mailbox_id: the mailbox.
            holds: by step of a hook, the seconds after which it has ended.
            dead: as in begin().

        Raises:
            Blocked: "claimed-elsewhere".
        """
        with reading(self._engine) as connection:
            _refuse_running(connection, mailbox_id, holds, dead)

    def turn_back(
        self, mailbox_id: str, holds: Mapping[str, float], dead: Callable[[str], bool] = _never
    ) -> None:
        """Let the cutover only go back from here. Idempotent.

        Args:
            mailbox_id: the mailbox.
            holds: by step of a hook, the seconds after which it has ended.
            dead: as in begin().

        Raises:
            Blocked: "release-begun", unless the whole mailbox was rolled back; "claimed-elsewhere" while a
                worker holds a leg of the mailbox or, as far as is known, somebody runs one of these hooks.
        """
        with writing(self._engine) as connection:
            refuse_held(connection, mailbox_id)
            if _has(connection, mailbox_id, RELEASE) and not is_rolled_back(connection, mailbox_id):
                raise Blocked("release-begun", "it only goes on")
            _refuse_running(connection, mailbox_id, holds, dead)
            _put(connection, mailbox_id, BACK, BEGUN, None)

    def release(self, mailbox_id: str, needs: Collection[str] = ()) -> None:
        """Let the cutover only go forward from here, and let no pass write to the mailbox until it is live.

        The hook that opens the target is about to run. Idempotent; recorded.

        Args:
            mailbox_id: the mailbox.
            needs: steps that must be DONE.

        Raises:
            Blocked: as move(); "not-verified" unless every leg is verified and was read back, because a
                rollback, a pass or a weaker verification may have come between.
        """
        unverified = select(leg.c.id).where(
            leg.c.mailbox == mailbox_id,
            or_(leg.c.state != LegState.VERIFIED.value, leg.c.code.in_(PARTLY)),
        )
        with writing(self._engine) as connection:
            refuse_held(connection, mailbox_id)
            _refuse_back(connection, mailbox_id)
            _refuse_undone(connection, mailbox_id, needs)
            if connection.execute(unverified.limit(1)).first() is not None:
                raise Blocked("not-verified", "a workload of it is not verified any more")
            _put(connection, mailbox_id, RELEASE, DONE, None)
            wave = wave_of(connection, mailbox_id)
            append_event(connection, wave, "step", {"step": RELEASE, "state": DONE}, subject=mailbox_id)

    def move(self, mailbox_id: str, phase: Phase, name: str, by: str, needs: Collection[str] = ()) -> None:
        """Record the phase and the outcome of its step at once, with an event. Idempotent.

        Args:
            mailbox_id: the mailbox.
            phase: the new phase.
            name: of the step.
            by: who did it, as the event says it.
            needs: steps that must be DONE.

        Raises:
            Blocked: "claimed-elsewhere" while a worker holds a leg of the mailbox (it would go on by the
                rules of the phase before), or if one of the needed steps is not done any more, because
                somebody took it back or does it anew; "taking-back"; "live-phase", from which nothing leads
                back; the code of a workload that a rollback emptied, or is at: nobody goes live there.
        """
        with writing(self._engine) as connection:
            lock_legs(connection, mailbox_id)
            _refuse_back(connection, mailbox_id)
            _refuse_rolled_back(connection, mailbox_id)
            _refuse_undone(connection, mailbox_id, needs)
            move(connection, mailbox_id, phase, by)
            _put(connection, mailbox_id, name, DONE, None)

    def take_back(self, mailbox_id: str, by: str) -> None:
        """Move the mailbox back to staging and delete its steps, with an event.

        A give-back that was begun has ended with it, which is recorded, too.

        A mailbox that was rolled back as a whole comes back from the live phase, too: nothing of ours is
        there any more. Then an approval of its score, if somebody gave one, is spent, for what is copied next
        was seen by nobody. Else it stays, and counts for the numbers that it was given for.

        Raises:
            Blocked: as ledger.leg.phases.move().
        """
        with writing(self._engine) as connection:
            was_rolled_back = is_rolled_back(connection, mailbox_id)
            move(connection, mailbox_id, Phase.STAGING, by)
            connection.execute(delete(step).where(step.c.mailbox == mailbox_id))
            wave = wave_of(connection, mailbox_id)
            if was_rolled_back and is_spendable(connection, mailbox_id, SCORE_LOW):
                append_event(connection, wave, f"approval-spent:{SCORE_LOW}", {}, subject=mailbox_id)
            if _is_given_back(connection, mailbox_id, wave):
                append_event(connection, wave, GIVE_BACK_ENDED, {"by": by}, subject=mailbox_id)


def is_releasing(ledger: LedgerHandle, mailbox_id: str) -> bool:
    """Return True if somebody may work at the target already, although the mailbox is not live yet."""
    with asking(ledger.engine) as connection:
        return connection.execute(_RELEASING, {"of": mailbox_id}).first() is not None


_RELEASING = (
    select(step.c.name)
    .join(mailbox, mailbox.c.id == step.c.mailbox)
    .where(step.c.mailbox == bindparam("of"), step.c.name == RELEASE, mailbox.c.phase != Phase.LIVE.value)
)


def _has(connection: Connection, mailbox_id: str, name: str) -> bool:
    query = select(step.c.name).where(step.c.mailbox == mailbox_id, step.c.name == name)
    return connection.execute(query).first() is not None


def _is_given_back(connection: Connection, mailbox_id: str, wave: str) -> bool:
    """Return True if somebody began to give this mailbox back, and that has not ended."""
    kinds = GIVE_BACK_BEGUN, GIVE_BACK_ENDED, CUTOVER_NAMED
    query = select(event.c.kind).where(event.c.subject == mailbox_id, event.c.wave == wave)
    query = query.where(event.c.kind.in_(kinds)).order_by(event.c.seq.desc())
    return connection.execute(query.limit(1)).scalar() == GIVE_BACK_BEGUN


def _refuse_running(
    connection: Connection, mailbox_id: str, holds: Mapping[str, float], dead: Callable[[str], bool]
) -> None:
    begun = select(step.c.name, step.c.code, (now() - step.c.at).label("age"))
    begun = begun.where(step.c.mailbox == mailbox_id, step.c.state == BEGUN, step.c.name.in_(holds))
    for row in connection.execute(begun).all():
        if row.age <= holds[row.name] and not dead(row.code or ""):
            raise Blocked(HELD_ELSEWHERE, "somebody runs a hook of it")


def _refuse_taken(connection: Connection, mailbox_id: str, name: str, owner: str) -> None:
    lock_legs(connection, mailbox_id)
    query = select(step.c.name).where(step.c.mailbox == mailbox_id, step.c.name == name)
    query = query.where(step.c.state == BEGUN, step.c.code == owner)
    if connection.execute(query).first() is None:
        raise Blocked(HELD_ELSEWHERE, "somebody else began it meanwhile")


def _refuse_undone(connection: Connection, mailbox_id: str, needs: Collection[str]) -> None:
    query = select(step.c.name).where(step.c.mailbox == mailbox_id, step.c.name.in_(sorted(needs)))
    done = connection.execute(query.where(step.c.state == DONE)).scalars().all()
    if len(done) < len(set(needs)):
        raise Blocked(HELD_ELSEWHERE, "somebody took it back, or does it anew")


def _refuse_back(connection: Connection, mailbox_id: str) -> None:
    if _has(connection, mailbox_id, BACK):
        raise Blocked("taking-back", "somebody takes it back")


def _refuse_rolled_back(connection: Connection, mailbox_id: str) -> None:
    """Refuse to go on with a mailbox of which a rollback took something back, also while a hook ran."""
    query = select(leg.c.code).where(leg.c.mailbox == mailbox_id, leg.c.code.in_((ROLLED_BACK, ROLLING)))
    code = connection.execute(query.limit(1)).scalar()
    if code is not None:
        raise Blocked(code, "a rollback took it back meanwhile")


def _put(connection: Connection, mailbox_id: str, name: str, state: str, code: str | None) -> None:
    values = {"state": state, "code": code, "at": now()}
    put = upsert(connection, step).values(mailbox=mailbox_id, name=name, attempts=1, **values)
    connection.execute(put.on_conflict_do_update(index_elements=["mailbox", "name"], set_=values))
