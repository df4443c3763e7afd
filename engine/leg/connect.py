"""What a walk over a leg works with: connections to both sides, and the proof whose they are.

Every walk opens its own, whether it copies, verifies or takes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from engine.context.leg_context import LegContext
from engine.control import lease
from engine.control.stop_signal import StopRequested
from engine.identity import account_binding, identity_gate
from engine.steps import ledger_generation
from engine.steps.worker_deaths import Cause
from ledger.db.rows import Lease, LegRow, Phase
from ledger.leg.cutover_steps import is_releasing
from model.errors import MigrationError

if TYPE_CHECKING:
    from engine.leg.run import LegSetting


@dataclass(slots=True)
class AttemptState:
    """died: why the worker before us ended in the middle of something that is not settled yet; None: it did
    not. proven: the gate was passed in this walk; owner: the addresses that the source then stated. calm: the
    worker before us lived to its end."""

    died: Cause | None
    proven: bool = False
    owner: frozenset[str] = frozenset()
    calm: bool = field(init=False)

    def __post_init__(self) -> None:
        self.calm = self.died is None


def leg_of(setting: LegSetting, held: Lease) -> LegRow:
    return setting.ledger.leg(held.leg)


def pass_gate(setting: LegSetting, held: Lease, leg: LegContext, attempt: AttemptState) -> Callable[[], None]:
    """Until this leg has sent something, the target must be empty: binding alone does not excuse that. For
    what is returned see binding.bind."""
    if setting.task.copy:
        _refuse_releasing(setting)
    begun = leg.ledger.begun()
    elsewhere = not begun and setting.task.copy and ledger_generation.is_begun_elsewhere(leg)
    pair = replace(setting.pair, bound=attempt.proven or begun, begun=elsewhere)
    proof = identity_gate.prove_identity(
        pair, leg.source, leg.target, setting.rules, frozenset(leg.ledger.elsewhere())
    )
    if setting.task.copy:
        setting.authorize(proof.level)
    bind_folder = account_binding.bind(setting.ledger, held, leg, proof, first=not begun)
    attempt.proven = True
    attempt.owner = leg.owner = leg.owner | proof.source.addresses
    return bind_folder


def _refuse_releasing(setting: LegSetting) -> None:
    """Raises Stopping where somebody may work at the target already."""
    if is_releasing(setting.ledger, setting.mailbox.id):
        raise StopRequested("releasing")


@contextmanager
def open_leg(
    setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper, attempt: AttemptState
) -> Iterator[LegContext]:
    """New connections to both sides, closed at the end and whenever the lease is lost."""
    mirror = setting.mailbox.phase is not Phase.LIVE
    started = _started(setting, held)
    source = setting.opener.source()
    try:
        target = setting.opener.target(keeper.guard, started)
    except MigrationError:
        source.close()
        raise
    keeper.watch(source.close, target.close)
    try:
        with setting.ledger.session(held, mirror=mirror, tally=setting.tally) as session:
            yield LegContext(
                mailbox=setting.mailbox,
                kind=held.workload,
                ledger=session,
                source=source,
                target=target,
                guard=keeper.guard,
                began=started,
                pace=setting.pace,
                mirror=mirror,
                stop=setting.stop,
                approved=setting.rules.approved,
                in_doubt=setting.in_doubt,
                artefacts=setting.rules.artefacts,
                owner=attempt.owner | {setting.pair.source.address, setting.pair.target.address},
                addresses=setting.addresses,
                parties=setting.parties,
                turn=setting.opener.turn,
                now=setting.now,
                breaker=setting.breaker,
                words=setting.words,
            )
    finally:
        source.close()
        target.close()


def _started(setting: LegSetting, held: Lease) -> datetime:
    """When the leg began its first run: the same moment for every later run, so that what an item means
    stays the same (mappings.fields.context.Context)."""
    return leg_of(setting, held).started or setting.now()
