"""Nobody is invited because of a migration: what must be known of a target before anything is written there.

What a canary showed of a target is an event of the chain "targets", for it concerns every wave.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from pydantic import BaseModel

from engine.context.leg_context import LegContext
from ledger.store import Ledger
from model.errors import Blocked
from model.optional_protocols import Schedules
from model.protocols import Kind

CHAIN = "targets"
SCHEDULED = frozenset({Kind.CALENDAR, Kind.TASKS})
"""Whose items may have attendees."""
SILENT = "silent"
BELIEVED = 90 * 86_400.0
"""Seconds for which a canary's word counts."""


def refuse_unproven(leg: LegContext, is_proven: Callable[[], bool]) -> None:
    """Raises Blocked("silence-unproven") unless this target is known to mail nobody."""
    target = leg.target
    if leg.kind not in SCHEDULED or not isinstance(target, Schedules) or target.silence() != "unproven":
        return
    if not is_proven():
        raise Blocked("silence-unproven", "no canary showed that this server invites nobody")


def record(ledger: Ledger, settings: BaseModel, outcome: str, seconds: int) -> None:
    """What the canary showed; the newest word counts."""
    ledger.event(CHAIN, kind_of(settings), {"outcome": outcome, "watched": seconds})


def is_proven(ledger: Ledger, settings: BaseModel) -> bool:
    """Whether the last canary at this target stayed silent, not too long ago: servers are upgraded."""
    kind = kind_of(settings)
    said = [event for event in ledger.events(CHAIN) if event.kind == kind]
    if not said or said[-1].detail["outcome"] != SILENT:
        return False
    return said[-1].at > ledger.clock().timestamp() - BELIEVED


def kind_of(settings: BaseModel) -> str:
    """The event of a canary at this target. Bound to the server and to what is sent to it: another url,
    profile or user agent needs another canary."""
    names = ("url", "profile", "silent_agent", "user_agent", "auth")
    told = [str(getattr(settings, name, "")) for name in names]
    return f"canary:{hashlib.blake2b(chr(10).join(told).encode(), digest_size=8).hexdigest()}"
