"""The ledger's states and rows, as the flows see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from model.protocols import Kind, Role

UNSTABLE = "unstable-at-source"
"""The source gives an item in two ways within one verification, and neither is what was copied."""
KEPT = "kept-otherwise"
"""The target has it otherwise than it was written, though it was written anew several times."""
STALE = "differs-at-source"
"""Mail that the source renders otherwise than when it was copied; its body is never written again (R5)."""
ACCEPTABLE = (UNSTABLE, KEPT, STALE)
"""The codes of differences that no pass can mend, and that a person may accept."""
SCORE_LOW = "score-low"
"""The code that a person approves for a mailbox whose cutover scored badly."""
PARTLY = ("verified-by-counts", "verified-by-sample")
"""Codes of a verified leg of which not everything was read back."""


class State(IntEnum):
    """An item's state. Everything below WRITTEN is open: a pass still owes it something.

    SEEN      listed at the source, not copied
    WRITING   committed BEFORE the network write; its outcome is unknown until settled
    CHANGED   written, and the source has a newer version that is not applied yet
    LEAVING   written, deleted at the source, not yet withdrawn from the target
    WRITTEN   at the target, href known
    VERIFIED  read back and compared
    SKIPPED   will not move, by rule; code says why
    REJECTED  could not move, needs a person; code says why
    GONE      deleted at the source and not (any more) at the target
    """

    SEEN = 0
    WRITING = 1
    CHANGED = 2
    LEAVING = 3
    WRITTEN = 4
    VERIFIED = 5
    SKIPPED = 6
    REJECTED = 7
    GONE = 8


class Phase(StrEnum):
    """staging: the target is ours. frozen: final delta. live: the user works there; we only add."""

    STAGING = "staging"
    FROZEN = "frozen"
    LIVE = "live"


class LegState(StrEnum):
    """A leg is a mailbox's workload: the unit of claim and retry.

    pending  never run, or to be run again      running  claimed by a worker
    waiting  a passing fault; run it again      blocked  needs a person; code says why
    copied   every item settled, not verified   verified every item accounted for
    differs  verification found differences
    """

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    BLOCKED = "blocked"
    COPIED = "copied"
    VERIFIED = "verified"
    DIFFERS = "differs"


class Outcome(StrEnum):
    """A finding's outcome. UNCHECKED and ERROR never count as success. DELIVERED: somebody else put it there
    after the mailbox was last found to hold nothing but ours; see engine.verify.target."""

    MATCH = "="
    REBUILT = "~"
    MISSING = "+"
    EXTRA = "-"
    DIFFERS = "*"
    ERROR = "!"
    UNCHECKED = "?"
    DELIVERED = ">"


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """source and target are the logins or addresses of the mapping CSV: for people with a right to
    them only, never for logs or Prefect. id is random. *_identity are bound by the gate, or None."""

    id: str
    wave: str
    phase: Phase
    source: str
    target: str
    source_identity: str | None
    target_identity: str | None


@dataclass(frozen=True, slots=True)
class LegRow:
    """items, done and bytes are running totals for display; the item rows are the truth. withheld: the
    code why its mailbox must not run, as in ledger.db.schema. level: how its accounts were proven when the
    gate bound them; None before. detail: what is known beside the code; see model.errors.MigrationError."""

    id: int
    mailbox: str
    workload: Kind
    state: LegState
    code: str | None
    owner: str | None
    lease_until: datetime | None
    epoch: int
    items: int
    done: int
    bytes: int
    started: datetime | None
    finished: datetime | None
    withheld: str | None = None
    level: str | None = None
    detail: str | None = None

    @property
    def fully_verified(self) -> bool:
        """Whether its newest pass or look found everything right, and read everything back."""
        return self.state is LegState.VERIFIED and self.code not in PARTLY


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """complete: its first enumeration reached the end. total: the source's own count. omit: as in
    model.protocols.Container. gone: the source no longer lists it. modified: in seconds since 1970 UTC.
    surveyed: the target's position when it was last verified in staging: what is strange and at or above it
    came later. "": all that is strange did, for the folder was empty, or its items have no order and nothing
    strange was there. None: nobody knows."""

    id: int
    kind: Kind
    source_id: str
    path: tuple[str, ...]
    role: Role | None
    href: str | None
    cursor: str | None
    complete: bool
    total: int | None
    omit: str | None
    gone: bool
    modified: int | None = None
    surveyed: str | None = None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """href, digest, flags and date are what was last written (or intended, while WRITING); since is
    the target's position before the attempt. flags is sorted and space-separated; date is in
    seconds since 1970 UTC. target_version: the target's own mark of what it took (an ETag). place:
    the name an item was, or is, to be written under, where that does not follow from its key; of a note that
    has another id since, "note-" and the key by which it was written. mid: of a mail,
    8 bytes of its Message-ID's digest, as a signed number; None: it has none, or none is known."""

    key: bytes
    source_id: str
    version: str
    state: State
    size: int | None
    attempts: int
    code: str | None
    href: str | None
    since: str | None
    digest: bytes | None
    flags: str | None
    date: int | None
    target_version: str | None = None
    place: str | None = None
    mid: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict of a verification. detail is a fixed word ("flags", "date", "folder", "body", "duplicate").
    key is None for what the ledger does not know; href is the target's."""

    outcome: Outcome
    key: bytes | None
    href: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a leg, until lost. took_over: the previous owner did not release it; before: who
    that was. phase: of the mailbox when it was claimed; it is lost with the phase. unproven: a previous owner
    may still be at work, as nobody knows that it ended."""

    leg: int
    mailbox: str
    workload: Kind
    owner: str
    epoch: int
    took_over: bool
    phase: Phase
    unproven: bool = False
    before: str | None = None


@dataclass(frozen=True, slots=True)
class PageCount:
    """What recording a page did."""

    new: int = 0
    changed: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Tally:
    """What was done at a target, in items. new: written for the first time; replaced: written anew in place
    of what was there; amended: their flags; withdrawn: removed. shared: shares of items and containers that
    were made."""

    new: int = 0
    replaced: int = 0
    amended: int = 0
    withdrawn: int = 0
    shared: int = 0

    def add(self, other: Tally) -> None:
        self.new += other.new
        self.replaced += other.replaced
        self.amended += other.amended
        self.withdrawn += other.withdrawn
        self.shared += other.shared
