"""Build a leg from a configuration. Whatever runs a leg gets it here: flows, and all commands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from engine.approvals.plan_approval import permission
from engine.approvals.sending_rules import allowed_rules
from engine.config.evidence_key import proven_key
from engine.config.load import Config
from engine.context.leg_context import BatchLimits, Opener
from engine.context.shrink_guard import ShrinkBreaker
from engine.control.server_words_file import Words
from engine.leg.run import Leg, LegSetting, Task, approvals
from engine.leg.run_options import AS_CONFIGURED, RunOptions
from engine.opening.gate_files import addresses, grantees, parties, rights_list, rules
from engine.opening.open_sides import open_ledger, opener, planned_pair
from engine.pacing.measured_sides import measured_alone
from engine.steps.beginning import invitation_policy
from engine.steps.beginning.ledger_generation import Generations
from engine.verify.compare import Level
from model.protocols import Source


@dataclass(frozen=True, slots=True)
class OtherWalk:
    """Say what a walk needs of both sides that neither copies nor verifies (engine.repair, engine.rollback).

    It spends no approval, and closes no inventory.

    Attributes:
        removes: True if the target removes in any phase; False if it never does.
        source: opens the source; None for the configured one. A walk that reads the source writes what it
            finds there to the target, so it needs the approval of the wave's plan. One that only takes back
            has an approval of its own.
    """

    removes: bool
    source: Callable[[], Source] | None = None


def build_leg(
    config: Config,
    leg_id: int,
    options: RunOptions = AS_CONFIGURED,
    *,
    stop: threading.Event | None = None,
    through: Callable[[Opener], Opener] = measured_alone,
    breaker: ShrinkBreaker | None = None,
    other: OtherWalk | None = None,
) -> Leg:
    """Build a leg as configured. Nothing is opened but the ledger.

    Args:
        config: the configuration.
        leg_id: the leg.
        options: what the run is to do with the leg.
        stop: set when the leg is to stop; None if it is never stopped from outside.
        through: wraps the calls to both sides, for metering and admission.
        breaker: the circuit breaker of the run for sources that lost much; None for one of this leg's own.
        other: for another walk than to copy and verify; None for that one.

    Raises:
        Misconfigured: if the configuration cannot be used. This concerns all mailboxes.
        MigrationError: if the ledger, or the key of evidence, cannot be used. This concerns all mailboxes.
    """
    ledger = open_ledger(config)
    row = ledger.leg(leg_id)
    planned = ledger.planned(row.mailbox)
    mailbox, pair = planned.mailbox, planned_pair(planned)
    spends = row.workload if other is None else None
    stop = stop or threading.Event()
    removes = None if other is None else other.removes
    sides = opener(config, ledger, mailbox, row.workload, pair, removes=removes, stop=stop)
    if other is not None and other.source is not None:
        sides = replace(sides, source=other.source)
    setting = LegSetting(
        ledger=ledger,
        mailbox=mailbox,
        pair=pair,
        opener=through(sides),
        rules=rules(config, row.workload, approvals(ledger, mailbox, spends)),
        pace=pace_of(config),
        task=task_of(config, options),
        stop=stop,
        silenced=lambda: invitation_policy.is_proven(ledger, config.target.of(row.workload)),
        generations=Generations(config.state_directory),
        words=Words(config.state_directory),
    )
    if other is None:
        setting = _copying(config, setting, options, breaker or ShrinkBreaker())
    elif other.source is None:
        setting = replace(setting, addresses=addresses(config), authorize=permission(config, ledger, mailbox))
    return Leg(setting, row)


def _copying(config: Config, setting: LegSetting, options: RunOptions, breaker: ShrinkBreaker) -> LegSetting:
    """Return the setting completed for a walk that copies or verifies."""
    ledger, mailbox = setting.ledger, setting.mailbox
    rights_list(config)  # a fault in it concerns all mailboxes, and is met before one of them is claimed
    key = proven_key(config, ledger) if options.writes else b""
    return replace(
        setting,
        addresses=addresses(config),
        parties=parties(config, ledger, setting.rules),
        grantees=grantees(config, ledger, setting.rules),
        allowed=partial(allowed_rules, config, ledger, mailbox.id),
        authorize=permission(config, ledger, mailbox),
        kek=lambda: key,
        breaker=breaker,
    )


def task_of(config: Config, options: RunOptions) -> Task:
    """Return what to do with a leg; what the options leave open is as configured."""
    level = Level(options.level or config.verify.level)
    return Task(level, config.verify.sample_percent, copy=not options.verify_only, dry=options.dry_run)


def pace_of(config: Config) -> BatchLimits:
    """Return the bounds of batches, lease and retries as configured."""
    return BatchLimits(
        lease=float(config.run.lease_seconds),
        margin=config.run.lease_seconds / 6,
        grace=float(config.run.write_grace_seconds),
        patience=config.run.attempts,
    )
