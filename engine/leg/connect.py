"""Open the connections of a walk over a leg, and prove whose accounts they reach.

Every walk opens its own connections, whether it copies, verifies or rolls back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.context.leg_context import LegContext
from engine.control import lease
from engine.control.server_words_file import Words
from engine.control.stop_signal import StopRequested
from engine.identity import account_binding, identity_gate
from engine.opening.one_answer import UNASKED, CountsUnasked
from engine.steps.beginning import ledger_generation
from engine.steps.settling.worker_deaths import Cause
from ledger.db.rows import Lease, LegRow, Phase
from ledger.leg.cutover_steps import is_releasing
from model.errors import MigrationError, Transient
from model.optional_protocols import AsksAhead
from model.protocols import Guard

if TYPE_CHECKING:
    from engine.leg.run import LegSetting


@dataclass(slots=True)
class AttemptState:
    """Remember what the attempts of one walk share.

    Attributes:
        died: why the worker before this one ended in the middle of something that is not settled yet; None if
            it did not.
        proven: True once this walk has passed the identity gate.
        owner: the addresses that the source stated at the gate.
        calm: True if the worker before this one ended regularly.
        ahead: True once both sides were connected to at the same time.
    """

    died: Cause | None
    proven: bool = False
    owner: frozenset[str] = frozenset()
    calm: bool = field(init=False)
    ahead: bool = False

    def __post_init__(self) -> None:
        self.calm = self.died is None


def leg_of(setting: LegSetting, claim: Lease) -> LegRow:
    """Return the current row of the leg that is held."""
    return setting.ledger.leg(claim.leg)


def pass_gate(
    setting: LegSetting, claim: Lease, leg: LegContext, attempt: AttemptState
) -> Callable[[], None]:
    """Prove the identity of both accounts and bind them.

    Until this leg has sent something, the target must be empty: the binding alone does not excuse it.

    Args:
        setting: what the walk needs.
        claim: the lease.
        leg: the open leg.
        attempt: what the attempts share; `proven` and `owner` are set here.

    Returns:
        A function that binds the folder of files, see engine.identity.account_binding.bind.

    Raises:
        StopRequested: `releasing` if users may already work at the target.
        Blocked: if the identity is not proven.
    """
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
    bind_folder = account_binding.bind(
        setting.ledger, claim, leg, proof, first=not begun, apart=setting.rules.apart
    )
    attempt.proven = True
    attempt.owner = leg.owner = leg.owner | proof.source.addresses
    return bind_folder


def _refuse_releasing(setting: LegSetting) -> None:
    """Raise StopRequested if users may already work at the target."""
    if is_releasing(setting.ledger, setting.mailbox.id):
        raise StopRequested("releasing")


@contextmanager
def open_leg(
    setting: LegSetting,
    claim: Lease,
    keeper: lease.LeaseKeeper,
    attempt: AttemptState,
    *,
    ahead: bool = False,
    copies: bool = False,
) -> Iterator[LegContext]:
    """Open new connections to both sides; close them at the end and whenever the lease is lost.

    Args:
        setting: what the walk needs.
        claim: the lease.
        keeper: renews the lease, and closes the connections when it is lost.
        attempt: what the attempts share.
        ahead: True if both sides will be needed at once, so that they connect at the same time.
        copies: True if items are about to be copied.

    Yields:
        The open leg.
    """
    with _open_sides(setting, claim, keeper.guard, keeper.watch, attempt.owner) as leg:
        if ahead and (attempt.proven or not attempt.ahead):  # a second refusal may lock an account
            attempt.ahead = True
            _connect_ahead(leg, copies)
        try:
            yield leg
        except Transient:
            _raise_refusal(leg)
            _record_unasked(leg)
            raise
        _record_unasked(leg)


def _connect_ahead(leg: LegContext, copies: bool) -> None:
    """Connect to both sides at the same time, unless one person's password would be tried at both."""
    people: set[str] = set()
    for side in (leg.target, leg.source):
        if isinstance(side, AsksAhead):
            person = side.logs_in_as()
            if person is None or person not in people:
                side.connect_ahead(copies=copies)
            if person is not None:
                people.add(person)


def _record_unasked(leg: LegContext) -> None:
    """Record how many answers the source gave that were not asked for."""
    unasked = leg.source.unasked() if isinstance(leg.source, CountsUnasked) else {}
    numbers = {row.source_id: row.id for row in leg.ledger.containers()} if unasked else {}
    for container, items in unasked.items():
        place = {"container": numbers[container]} if container in numbers else {}
        leg.ledger.event(UNASKED, {**place, "items": items})


def _raise_refusal(leg: LegContext) -> None:
    """Raise that a login was refused at one side while the other side was waited for."""
    for side in (leg.target, leg.source):
        if isinstance(side, AsksAhead) and (refusal := side.refused_ahead()) is not None:
            raise refusal from None


@contextmanager
def open_to_look(setting: LegSetting, row: LegRow) -> Iterator[LegContext]:
    """Open new connections to both sides without a lease: the ledger and the target refuse every write.

    What servers say of failures is not kept.

    Args:
        setting: what the walk needs.
        row: the leg.

    Yields:
        The open leg.
    """
    held = Lease(row.id, row.mailbox, row.workload, "", row.epoch, False, setting.mailbox.phase)
    setting = replace(setting, words=Words(None))
    with _open_sides(setting, held, _nothing_is_written, _closed_by_nobody, frozenset()) as leg:
        yield leg


def _nothing_is_written() -> None:
    """Allow reading without a lease."""


def _closed_by_nobody(*_close: Callable[[], None]) -> None:
    """Leave the connections to whoever opened them: no lease can be lost."""


@contextmanager
def _open_sides(
    setting: LegSetting, held: Lease, guard: Guard, watch: Callable[..., None], owner: frozenset[str]
) -> Iterator[LegContext]:
    mirror = setting.mailbox.phase is not Phase.LIVE
    started = _start_of(setting, held)
    source = setting.opener.source()
    try:
        target = setting.opener.target(guard, started)
    except MigrationError:
        source.close()
        raise
    watch(source.close, target.close)
    try:
        with setting.ledger.session(held, mirror=mirror, tally=setting.tally) as session:
            yield LegContext(
                mailbox=setting.mailbox,
                kind=held.workload,
                ledger=session,
                source=source,
                target=target,
                guard=guard,
                began=started,
                pace=setting.pace,
                mirror=mirror,
                stop=setting.stop,
                approved=setting.rules.approved,
                in_doubt=setting.in_doubt,
                artefacts=setting.rules.artefacts,
                owner=owner | {setting.pair.source.address, setting.pair.target.address},
                addresses=setting.addresses,
                parties=setting.parties,
                directory=setting.rules.directory,
                deny=setting.rules.deny,
                turn=setting.opener.turn,
                now=setting.now,
                wait=setting.sleep,
                breaker=setting.breaker,
                words=setting.words,
                grantees=setting.grantees,
                allowed=setting.allowed,
            )
    finally:
        source.close()
        target.close()


def _start_of(setting: LegSetting, held: Lease) -> datetime:
    """Return when the leg began its first run.

    Every later run uses the same moment, so that the meaning of an item stays the same
    (mappings.fields.context.Context).
    """
    if held.started is not None:  # a later claim leaves it as it is
        return datetime.fromtimestamp(held.started, UTC)
    return leg_of(setting, held).started or setting.now()
