"""Say how a leg ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.db.rows import LegState, Tally
from model.kinds import Kind

LOGGED_IN = frozenset({LegState.VERIFIED, LegState.COPIED, LegState.DIFFERS})
"""States of a leg that both sides have let in."""


@dataclass(slots=True)
class News:
    """Count what the source has that the ledger does not have, in items: what a look found.

    Attributes:
        new: of which the ledger has no row.
        changed: of another version than the ledger's.
        gone: which the source no longer has.
    """

    new: int = 0
    changed: int = 0
    gone: int = 0

    def add(self, other: News) -> None:
        """Add the counts of another look to this one."""
        self.new += other.new
        self.changed += other.changed
        self.gone += other.gone

    def in_words(self) -> str:
        """Return the counts in words."""
        return f"{self.new:,} new, {self.changed:,} changed, {self.gone:,} gone"


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
        news: what a dry run found that left no trace in the ledger; None for any other run. Then the ledger
            has another state and code of the leg than this result.
    """

    leg: int
    mailbox: str
    workload: Kind
    state: LegState
    code: str | None = None
    tally: Tally = field(default_factory=Tally)
    detail: str | None = None
    news: News | None = None

    @property
    def accepted(self) -> bool:
        """True if both sides accepted the login."""
        return self.state in LOGGED_IN
