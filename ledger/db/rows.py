"""Define the ledger's states and rows, as the flows see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from model.kinds import Kind
from model.protocols import Role

UNSTABLE = "unstable-at-source"
"""The source renders an item in two ways within one verification, and neither is what was copied."""
KEPT = "kept-otherwise"
"""The target holds the item otherwise than it was written, although it was written anew several times."""
STALE = "differs-at-source"
"""A mail that the source renders otherwise than when it was copied. Its body is never written again (R5)."""
ORGANIZER_FIRST = "organizer-first"
"""The code of an attendee's copy that waits until the organizer's is at the target."""
TOUCHED = "changed-before-check"
"""In a live mailbox an item is gone, or is otherwise, before it was read back: no pass mends that."""
TARGET_RESTORED = "target-restored"
"""The target was put back to a backup: it lost copies, and gives their numbers to other mail."""
SOURCE_RESTORED = "source-restored"
"""The code of a live, verified leg whose source was put back to a backup, and lacks some of the items."""
RENUMBERED = "target-renumbered"
"""The detail, and the code, of an extra copy in a frozen folder that the target renumbered since the last
look in staging: it can no longer be told whether the copy was delivered."""
MEETING_TWICE = "meeting-twice"
"""The detail, and the code, of a meeting that its owner has twice: no pass mends it, and none accepts it."""
ACCEPTABLE = (UNSTABLE, KEPT, STALE, TOUCHED)
"""The codes of differences that no pass can mend, and that a person may accept."""
ROLLING = "rolling-back"
"""The code of a leg whose rollback was begun and has not ended. It stays until the rollback ends, or until a
person sets the leg back: the next pass would fill again what is half emptied."""
ROLLED_BACK = "rolled-back"
"""The code of a leg of which nothing of ours is left, except for what somebody changed."""
NOT_IN_PLAN = "not-in-plan"
"""The code of a mailbox of the ledger that no row of the list names any more."""
HELD_ELSEWHERE = "claimed-elsewhere"
"""The code where another worker holds what is asked for."""
SCORE_LOW = "score-low"
"""The code that a person approves for a mailbox whose cutover scored badly."""
RULES_SEND_OUT = "rules-send-out"
"""The code that a person approves for rules that send mail out of the own domains."""
PARTLY = ("verified-by-counts", "verified-by-sample")
"""The codes of a verified leg of which not everything was read back."""


class State(IntEnum):
    """Name an item's state. Everything below WRITTEN is open: a pass still owes it something.

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
    """Name a mailbox's phase.

    staging: the target is ours. frozen: the final delta. live: the user works there, and we only add.
    """

    STAGING = "staging"
    FROZEN = "frozen"
    LIVE = "live"


class LegState(StrEnum):
    """Name the state of a leg. A leg is a mailbox's workload: the unit of claim and retry.

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


URGENCY = (
    LegState.BLOCKED,
    LegState.DIFFERS,
    LegState.WAITING,
    LegState.RUNNING,
    LegState.COPIED,
    LegState.PENDING,
    LegState.VERIFIED,
)
"""A mailbox is in the first of these states that one of its workloads has."""
NEEDS_PERSON = frozenset({LegState.BLOCKED, LegState.DIFFERS})
"""The states that only a person ends."""


class Outcome(StrEnum):
    """Name a finding's outcome. UNCHECKED and ERROR never count as success.

    DELIVERED: somebody else put it there after the mailbox was last found to hold only our items; see
    engine.verify.target.
    """

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
    """Describe a mailbox.

    Attributes:
        id: random; safe to show.
        wave: the wave that it belongs to.
        phase: the phase that it is in.
        source: the login or address in the mapping CSV. Only for people with a right to it, never for logs or
            Prefect.
        target: as `source`.
        source_identity: what the gate bound; None if nothing is bound yet.
        target_identity: as `source_identity`.
    """

    id: str
    wave: str
    phase: Phase
    source: str
    target: str
    source_identity: str | None
    target_identity: str | None


@dataclass(frozen=True, slots=True)
class LegRow:
    """Describe a leg.

    `items`, `done` and `bytes` are running totals for display; the item rows are the truth.

    Attributes:
        id: the leg's number.
        mailbox: the mailbox's id.
        workload: the kind of its items.
        state: its state.
        code: why it is in this state; None if the state says all.
        owner: the worker that holds it; None if nobody does.
        lease_until: when the lease ends, by the database's clock; None if nobody holds the leg.
        epoch: rises with each claim.
        items: how many items it has.
        done: how many of them are settled.
        bytes: the size of what is at the target.
        started: when it was first claimed.
        finished: when it was last released.
        withheld: the code why its mailbox must not run, as in ledger.db.schema; None if it may.
        level: how its accounts were proven when the gate bound them; None before.
        detail: what is known beside the code; see model.errors.MigrationError.
    """

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
        """Return True if its newest pass or look found everything right, and read everything back."""
        return self.state is LegState.VERIFIED and self.code not in PARTLY


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """Describe a container.

    Attributes:
        id: its number in the ledger.
        kind: the kind of its items.
        source_id: the source's id.
        path: the names from the root down, as at the source.
        role: what it is for; None if the source gives it no role.
        href: the container at the target; None as long as it is not placed.
        cursor: continues the listing at the source; None before the first page.
        complete: True if its first enumeration reached the end.
        total: the source's own count of items; None if it does not say.
        omit: as in model.protocols.Container.
        gone: True if the source no longer lists it.
        modified: in seconds since 1970 UTC; None if it is not known.
        surveyed: the target's position when the container was last verified in staging: a foreign item at or
            above it came later. "" means that every foreign item came later, because the folder was empty, or
            because its items have no order and no foreign item was there. None means that it is not known.
        source_state: the source's state of it (model.protocols.Container.state) before the newest
            verification that found everything right; None if there is none, or if it states none.
        target_state: the same of the target.
        looked: when everything in it was last listed on both sides, in seconds since 1970 UTC; None if it has
            no states.
    """

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
    source_state: str | None = None
    target_state: str | None = None
    looked: float | None = None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """Describe an item. href, digest, flags and date are what was last written (or intended, while WRITING).

    Attributes:
        key: model.protocols.key_of its source id.
        source_id: the source's id.
        version: a hash of the source's version (ledger.db.encoding.version_hash).
        state: its state.
        size: bytes; None if they are not known.
        attempts: how often copying it was begun since it was last sent back.
        code: why it is skipped or rejected; None otherwise.
        href: the item at the target; None if it was never written.
        since: the target's position before the attempt.
        digest: of its meaning (mappings.registry).
        flags: sorted and separated by spaces; None if there are none.
        date: in seconds since 1970 UTC; None if it has none.
        target_version: the target's own mark of what it took (an ETag).
        place: the name under which an item was, or is to be, written, if the name does not follow from its
            key. Of a note that has another id since, "note-" and the key by which it was written.
        mid: of a mail, the first 8 bytes of the SHA-256 of its Message-ID, as a signed number; None if it has
            none, or if none is known.
        doubted: of a file, the names under which a write of it may still land: it was sent there, the answer
            was lost, and it was not found.
    """

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
    doubted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one verdict of a verification.

    Attributes:
        outcome: the verdict.
        key: of the item; None for what the ledger does not know.
        href: the target's; None if nothing is there.
        detail: a fixed word ("flags", "date", "folder", "body", "duplicate").
    """

    outcome: Outcome
    key: bytes | None
    href: str | None = None
    detail: str = ""

    @property
    def code(self) -> str | None:
        """The code of a finding that no pass mends; None for any other finding."""
        if self.outcome is Outcome.EXTRA and self.detail == RENUMBERED:
            return RENUMBERED
        code = self.detail.partition(":")[0]
        if self.outcome is Outcome.MISSING:
            return code if code in (TOUCHED, TARGET_RESTORED) else None
        return code if self.outcome is Outcome.DIFFERS and code in (*ACCEPTABLE, MEETING_TWICE) else None


@dataclass(frozen=True, slots=True)
class Lease:
    """Hold the right to work on a leg, until it is lost.

    Attributes:
        leg: the leg's number.
        mailbox: the mailbox's id.
        workload: the kind of its items.
        owner: the worker that holds it.
        epoch: the leg's epoch since this claim.
        took_over: True if the previous owner did not release the leg.
        phase: of the mailbox when the leg was claimed; the lease is lost when the phase changes.
        unproven: True if a previous owner may still be at work, because its end is not proven.
        before: the previous owner that did not release the leg; None if it was released.
        started: when the leg's first run began, in seconds since 1970 UTC; None if that was not read.
    """

    leg: int
    mailbox: str
    workload: Kind
    owner: str
    epoch: int
    took_over: bool
    phase: Phase
    unproven: bool = False
    before: str | None = None
    started: float | None = None


@dataclass(frozen=True, slots=True)
class PageCount:
    """Count what recording a page did."""

    new: int = 0
    changed: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Tally:
    """Count what was done at a target, in items.

    Attributes:
        new: written for the first time.
        replaced: written anew in place of what was there.
        amended: got other flags.
        withdrawn: removed.
        shared: shares of items and containers that were made.
    """

    new: int = 0
    replaced: int = 0
    amended: int = 0
    withdrawn: int = 0
    shared: int = 0

    def add(self, other: Tally) -> None:
        """Add the counts of another tally to this one."""
        self.new += other.new
        self.replaced += other.replaced
        self.amended += other.amended
        self.withdrawn += other.withdrawn
        self.shared += other.shared
