"""What a report of a wave says, as facts: what its pages are made of, and what reports.export writes.

Counts, codes and random ids alone, and the names of those who decided. reports.read fills it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.approvals.score import Score, WaveScore, wave_score
from ledger.db.rows import NEEDS_PERSON, LegState, Outcome, Phase
from ledger.views.progress_samples import Beat
from ledger.views.rates import Measured
from mappings.losses.severity import Class, class_of
from model.kinds import Kind


class Fate(StrEnum):
    """Name what became of an item that the source ever listed; each has exactly one.

    migrated    at the target, as it was           transformed  at the target, with losses that are named
    skipped     does not move, by a rule           failed       could not be moved: a person decides
    withdrawn   its owner deleted or moved it       taken-back   removed again by an approved rollback
    open        still to come
    """

    MIGRATED = "migrated"
    TRANSFORMED = "transformed"
    SKIPPED = "skipped"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    TAKEN_BACK = "taken-back"
    OPEN = "open"


ARRIVED = (Fate.MIGRATED, Fate.TRANSFORMED)
AWAITED = (*ARRIVED, Fate.FAILED, Fate.TAKEN_BACK, Fate.OPEN)
"""Of the items that were to arrive."""


class Status(StrEnum):
    """Name where a mailbox is; the first one that fits."""

    MOVED = "moved"
    PERSON = "person"
    TAKEN_BACK = "taken-back"
    GOING = "going"
    PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Coded:
    """Count the items of a workload that have one code."""

    workload: Kind
    code: str
    items: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Count what arrived without a detail: items of a workload, or folders."""

    workload: Kind
    field: str
    reason: str
    items: int
    folders: bool = False

    @property
    def kind(self) -> Class:
        """Return the class of the loss."""
        return class_of(self.field, self.reason)


@dataclass(frozen=True, slots=True)
class WorkloadReport:
    """Report on a workload of a mailbox.

    Attributes:
        level: how it was proven whose accounts these are; None if it is not proven yet.
        unread: items at the target that no verification has read back.
        findings: what the newest verification found.
    """

    workload: Kind
    state: LegState
    code: str | None
    level: str | None
    fates: Mapping[Fate, int]
    unread: int = 0
    bytes: int = 0
    findings: Mapping[Outcome, int] = field(default_factory=dict)

    @property
    def taken_back(self) -> bool:
        """Return True if a rollback removed what was copied."""
        return self.code == "rolled-back"


@dataclass(frozen=True, slots=True)
class MailboxReport:
    """Report on a mailbox.

    Attributes:
        withheld: the code why it must not run.
        score: of a verified mailbox.
        omitted: items in folders that do not move, by the source's own count, and what is outside all
            folders, such as an online archive.
        asked: True if the source was asked what is outside all folders.
        accepted: True if a person lets it go live with this score.
        missed: items that did not arrive, for which a person took responsibility.
        given_back: True if its cutover was begun and then taken back, so that its owner works at the source
            again.
    """

    id: str
    phase: Phase
    withheld: str | None
    parts: tuple[WorkloadReport, ...]
    score: Score | None = None
    failures: tuple[Coded, ...] = ()
    skips: tuple[Coded, ...] = ()
    omitted: tuple[Coded, ...] = ()
    asked: bool = False
    losses: tuple[Lost, ...] = ()
    accepted: bool = False
    missed: int = 0
    given_back: bool = False

    @property
    def verified(self) -> bool:
        """Return True if it has workloads, and all of them are verified."""
        return bool(self.parts) and all(part.state is LegState.VERIFIED for part in self.parts)

    @property
    def status(self) -> Status:
        """Return where the mailbox is."""
        states = {part.state for part in self.parts if not part.taken_back}
        if self.verified:
            return Status.MOVED
        if self.withheld is not None or states & NEEDS_PERSON:
            return Status.PERSON
        if any(part.taken_back for part in self.parts):
            return Status.TAKEN_BACK
        return Status.PLANNED if states <= {LegState.PENDING} and not self.fates.total() else Status.GOING

    @property
    def fates(self) -> Counter[Fate]:
        """Count its items by fate."""
        return added(part.fates for part in self.parts)

    @property
    def codes(self) -> list[str]:
        """Return why it is where it is: codes of the mailbox, then of its workloads, each once."""
        own = [self.withheld, *(part.code for part in self.parts if part.state is not LegState.VERIFIED)]
        return list(dict.fromkeys(code for code in own if code))

    @property
    def complete(self) -> bool:
        """Return True if everything that was to move has moved, and was checked."""
        return self.status is Status.MOVED and awaited(self.fates) == arrived(self.fates)

    @property
    def low(self) -> bool:
        """Return True if a person has to look at its score before it goes live."""
        staying = self.phase is not Phase.LIVE and not self.accepted
        return staying and self.score is not None and self.score.is_low

    @property
    def only_copied(self) -> bool:
        """Return True if its person was given back, so that the copy at the new system is not in use."""
        return self.given_back and self.phase is Phase.STAGING

    @property
    def waiting(self) -> bool:
        """Return True if all that can move has moved, and its cutover is still to come."""
        return self.status is Status.MOVED and self.phase is Phase.STAGING

    @property
    def failing(self) -> bool:
        """Return True if items of it failed and no person took responsibility for them yet."""
        return self.fates[Fate.FAILED] > self.missed

    @property
    def attention(self) -> bool:
        """Return True if a person has to look at it."""
        return self.status is Status.PERSON or self.low or self.failing


@dataclass(frozen=True, slots=True)
class Decision:
    """Hold what one person decided, however often they decided it for the same reason.

    An address in a reason is hidden.

    Attributes:
        about: the code or phase that it was about, or "".
        times: how often it was recorded.
        mailboxes: how many mailboxes it named one by one.
    """

    kind: str
    about: str
    by: str
    reason: str
    times: int
    mailboxes: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Chain:
    """Hold the wave's recorded decisions.

    Attributes:
        head: the hash of the newest record; None if the chain was altered.
        recorded: how many records of each kind the program wrote by itself.
    """

    events: int
    head: str | None
    decisions: tuple[Decision, ...] = ()
    recorded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InvitationProbe:
    """Hold the result of a meeting between two accounts that belong to no person.

    It shows whether the calendar server sends mail to people.
    """

    outcome: str
    at: float


@dataclass(frozen=True, slots=True)
class SealReport:
    """Report on the newest seal of the wave.

    Attributes:
        root: in hexadecimal.
        statement: its hash, in hexadecimal.
        corrected: how many seals came before it.
        complete: True if nothing was missing.
        changed: True if the wave went on since.
    """

    number: int
    at: float
    root: str
    statement: str
    corrected: int
    complete: bool = True
    changed: bool = False

    @property
    def holds(self) -> bool:
        """Return True if its pack says what became of the whole wave."""
        return self.complete and not self.changed


@dataclass(frozen=True, slots=True)
class Organisation:
    """Describe whose migration it is; `logo` is a picture as a data: URI, or ""."""

    name: str = ""
    logo: str = ""


@dataclass(frozen=True, slots=True)
class WaveReport:
    """Report on a wave.

    Attributes:
        at: when the ledger was read. All times are in seconds since 1970 UTC.
        beats: the course of the wave; empty if none is recorded.
    """

    wave: str
    at: float
    boxes: tuple[MailboxReport, ...]
    chain: Chain
    beats: tuple[Beat, ...] = ()
    rates: Mapping[Kind, Measured] = field(default_factory=dict)
    invitation_probe: InvitationProbe | None = None
    seal: SealReport | None = None
    contact: str = ""
    organisation: Organisation = Organisation()

    @property
    def fates(self) -> Counter[Fate]:
        """Count the items by fate."""
        return added(box.fates for box in self.boxes)

    @property
    def statuses(self) -> Counter[Status]:
        """Count the mailboxes by status."""
        return Counter(box.status for box in self.boxes)

    @property
    def changing(self) -> bool:
        """Return True if the cutover of any mailbox ever began."""
        return any(box.given_back or box.phase is not Phase.STAGING for box in self.boxes)

    @property
    def complete(self) -> int:
        """Count the mailboxes that have moved completely."""
        return sum(box.complete for box in self.boxes)

    @property
    def attention(self) -> list[MailboxReport]:
        """Return the mailboxes that a person has to look at: first those not verified, then the worst."""
        found = [box for box in self.boxes if box.attention]
        return sorted(found, key=lambda box: (box.verified, -box.fates[Fate.FAILED], box.id))

    @property
    def score(self) -> WaveScore:
        """Return the score of the wave."""
        found = {box.id: box.score for box in self.boxes if box.score is not None}
        return wave_score(found, len(self.boxes) - len(found))

    @property
    def unread(self) -> int:
        """Count the items at the target that no verification has read back."""
        return sum(part.unread for box in self.boxes for part in box.parts)

    @property
    def bytes(self) -> int:
        """Count the bytes."""
        return sum(part.bytes for box in self.boxes for part in box.parts)

    @property
    def findings(self) -> Counter[Outcome]:
        """Count what the newest verifications found."""
        return added(part.findings for box in self.boxes for part in box.parts)

    @property
    def levels(self) -> Counter[str | None]:
        """Count the mailboxes by the weakest proof of any of their workloads."""
        order = (None, "asserted", "address", "directory")
        return Counter(
            min((part.level for part in box.parts), key=order.index, default=None) for box in self.boxes
        )

    def by_workload(self) -> dict[Kind, Counter[Fate]]:
        """Count the items by workload and fate."""
        parts = [part for box in self.boxes for part in box.parts]
        return {
            kind: added(part.fates for part in parts if part.workload is kind)
            for kind in Kind
            if any(part.workload is kind for part in parts)
        }


def added(counts: Iterable[Mapping[Any, int]]) -> Counter[Any]:
    """Add up counts."""
    found: Counter[Any] = Counter()
    for one in counts:
        found.update(one)
    return found


def awaited(fates: Mapping[Fate, int]) -> int:
    """Count the items that were to arrive."""
    return sum(fates.get(fate, 0) for fate in AWAITED)


def arrived(fates: Mapping[Fate, int]) -> int:
    """Count the items that arrived."""
    return sum(fates.get(fate, 0) for fate in ARRIVED)


@dataclass(frozen=True, slots=True)
class Total:
    """Add up the same thing of several mailboxes."""

    one: Coded | Lost
    mailboxes: int

    @property
    def items(self) -> int:
        """Return the number of items."""
        return self.one.items


def totals(each: Iterable[Sequence[Coded] | Sequence[Lost]]) -> list[Total]:
    """Add up by workload, the most items first; each element of `each` is of one mailbox."""
    items: Counter[tuple[Any, ...]] = Counter()
    boxes: Counter[tuple[Any, ...]] = Counter()
    kinds: dict[tuple[Any, ...], Coded | Lost] = {}
    for own in each:
        for one in own:
            key = _key(one)
            items[key] += one.items
            boxes[key] += 1
            kinds[key] = one
    order = list(Kind)
    ranked = sorted(kinds, key=lambda key: (order.index(kinds[key].workload), -items[key], key))
    return [Total(_of(kinds[key], items[key]), boxes[key]) for key in ranked]


def _key(one: Coded | Lost) -> tuple[Any, ...]:
    if isinstance(one, Lost):
        return str(one.workload), one.field, one.reason, one.folders
    return str(one.workload), one.code


def _of(one: Coded | Lost, items: int) -> Coded | Lost:
    if isinstance(one, Lost):
        return Lost(one.workload, one.field, one.reason, items, one.folders)
    return Coded(one.workload, one.code, items)
