"""Make sure that a target invites no one because of a migration, before anything is written there.

What an invitation probe showed of a target is an event of the chain "targets", because it concerns every
wave.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pydantic import BaseModel

from engine.context.leg_context import LegContext
from ledger.store import Ledger
from model.errors import Blocked
from model.kinds import kinds_that
from model.optional_protocols import Schedules

CHAIN = "targets"
SCHEDULED = kinds_that(lambda traits: traits.invites)
"""The kinds whose items may have attendees."""
SILENT = "silent"
BELIEVED = 90 * 86_400.0
"""Seconds for which the result of a probe counts."""


def refuse_unproven(leg: LegContext, is_proven: Callable[[], bool]) -> None:
    """Refuse a target that may mail invitations.

    Args:
        leg: the open leg.
        is_proven: returns True if a probe showed that this target invites no one; called only if that is
            needed.

    Raises:
        Blocked: `silence-unproven`.
    """
    target = leg.target
    if leg.kind not in SCHEDULED or not isinstance(target, Schedules) or target.silence() != "unproven":
        return
    if not is_proven():
        raise Blocked("silence-unproven", "no probe showed that this server invites nobody")


def record(ledger: Ledger, settings: BaseModel, outcome: str, seconds: int) -> None:
    """Record what a probe showed; the newest result counts.

    Args:
        ledger: the ledger.
        settings: the settings of the target.
        outcome: what the probe showed.
        seconds: how long the probe watched.
    """
    ledger.event(CHAIN, kind_of(settings), {"outcome": outcome, "watched": seconds})


def is_proven(ledger: Ledger, settings: BaseModel) -> bool:
    """Return True if the last probe of this target stayed silent and is recent: servers are upgraded."""
    kinds = kinds_of(settings)
    probes = [event for event in ledger.events(CHAIN) if event.kind in kinds]
    if not probes or probes[-1].detail["outcome"] != SILENT:
        return False
    return probes[-1].at > ledger.clock().timestamp() - BELIEVED


def kind_of(settings: BaseModel) -> str:
    """Return the kind of event for a probe of this target.

    It depends on the server and on what is sent to it: another url, profile or user agent needs another
    probe.
    """
    return f"invitation-probe:{_digest(settings)}"


def kinds_of(settings: BaseModel) -> tuple[str, str]:
    """Return kind_of, then the kind that version 0.1.0 gave to the same probe."""
    return kind_of(settings), f"canary:{_digest(settings)}"


def _digest(settings: BaseModel) -> str:
    names = ("url", "profile", "silent_agent", "user_agent", "auth")
    values = [str(getattr(settings, name, "")) for name in names]
    return hashlib.blake2b(chr(10).join(values).encode(), digest_size=8).hexdigest()
