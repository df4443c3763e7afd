"""Say how a leg ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.db.rows import LegState, Tally
from model.protocols import Kind

LOGGED_IN = frozenset({LegState.VERIFIED, LegState.COPIED, LegState.DIFFERS})
"""States of a leg that both sides have let in."""


@dataclass(frozen=True, slots=True)
class LegResult:
    """Say how a leg ended.

    Attributes:
        leg: the id of the leg.
        mailbox: the id of the mailbox.
        workload: the kind of the leg.
        state: the state of the leg.
        code: why it ended so; None if every item is accounted for.
        tally: what was done at the target.
        detail: our own words about what ended it, see model.errors.MigrationError.
    """

    leg: int
    mailbox: str
    workload: Kind
    state: LegState
    code: str | None = None
    tally: Tally = field(default_factory=Tally)
    detail: str | None = None

    @property
    def accepted(self) -> bool:
        """True if both sides accepted the login."""
        return self.state in LOGGED_IN
