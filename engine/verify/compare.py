"""Verify a leg in a pass of its own, with its own connections.

The target is listed again and, by level, read back; the source is listed again and, at the highest level,
read again. Items are paired with rows by the same match() that settles crashes. What is compared, and what a
digest ignores and why, is documented in mappings/mail/digest.py.

    counts  the listings of both sides, flags, dates and folders; no body
    sample  counts, and a share of the target's bodies (chosen by key: the same ones every time)
    target  counts, and every body of the target against the digest taken while the source was read
    both    target, and every body of the source read again

What the last verification found otherwise is read again on its side at every level: a weaker look takes no
finding of a stronger one away.

A pass of `migrate` reads back what is new since the last pass; `verify` reads everything again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from engine.context.leg_context import LegContext
from engine.files import file_versions
from engine.steps.listing import unchanged
from engine.steps.listing.discover import Sides
from engine.steps.listing.unchanged import Unchanged
from engine.steps.settling import accepted_differences
from engine.verify import shares as verify_shares
from engine.verify import source as verify_source
from engine.verify import target as verify_target
from engine.verify.survey import Asked, Survey
from ledger.db.rows import KEPT, ContainerRow, Finding, LegRow, Outcome, Phase, State
from ledger.leg.containers import States
from model.optional_protocols import DoubtsStates
from model.protocols import Container, Source, Target

DIFFERS = "verification-differs"
"""The code of a leg in which several things are otherwise, or one that nobody can accept."""

CHUNK = 500


class Level(StrEnum):
    """Name how thoroughly to verify; see the module."""

    COUNTS = "counts"
    SAMPLE = "sample"
    TARGET = "target"
    BOTH = "both"


@dataclass(slots=True)
class Verdict:
    """Count how many items have which outcome.

    Attributes:
        outcomes: items by outcome.
        codes: of the items that are wrong, those that no pass can mend, by code.
        unsettled: of the unchecked items, those that a worker left unfinished.
        lost: items of a live mailbox that its source lost because it was put back to a backup.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    unsettled: int = 0
    lost: int = 0

    @property
    def clean(self) -> bool:
        """True if everything is where it should be and as it should be."""
        return not self.bad and not self.outcomes[Outcome.UNCHECKED]

    @property
    def bad(self) -> int:
        """How many items are wrong."""
        wrong = (Outcome.MISSING, Outcome.EXTRA, Outcome.DIFFERS, Outcome.ERROR)
        return sum(self.outcomes[outcome] for outcome in wrong)

    @property
    def bad_code(self) -> str:
        """The code of what is wrong: a code that a person can accept, if nothing else is wrong."""
        only = next(iter(self.codes), "")
        return only if len(self.codes) == 1 and self.codes[only] == self.bad else DIFFERS

    @property
    def open_code(self) -> str:
        """The code of a result that is neither wrong nor clean."""
        return "unsettled" if self.unsettled else "changed-since"


@dataclass(slots=True)
class _Book:
    """Record the findings of each container, and count them.

    Attributes:
        leg: the open leg.
        level: how thoroughly is verified.
        survey: what was read of the target.
        approvals: the approvals of differences.
        verdict: the outcomes so far.
    """

    leg: LegContext
    level: Level
    survey: Survey
    approvals: accepted_differences.DifferenceApprovals
    verdict: Verdict = field(default_factory=Verdict)

    def settle(self, container: ContainerRow, findings: list[Finding]) -> None:
        """Record the findings of one container."""
        leg, number = self.leg, container.id
        if self.level is not Level.BOTH:  # of the source, what the last verification found was read again
            findings = [entry for entry in findings if entry.outcome is not Outcome.REBUILT]
        incidents, kept = leg.ledger.incidents.of(number), self.approvals.accepted(KEPT, number)
        findings = accepted_differences.with_codes(findings, incidents, kept)
        findings, accepted = accepted_differences.without_accepted(leg, number, findings, self.approvals)
        self.approvals.before_recording(leg, number, findings)
        read = self.survey.read.get(number, set()) | accepted
        _record(leg, container, findings, read, self.verdict, self.level)


def has_run(leg: LegContext, row: LegRow) -> bool:
    """Return True if a pass has copied, or has looked and found nothing.

    A pass that found nothing leaves no trace but the accounts that it bound.
    """
    return leg.ledger.begun() or (row.level is not None and not leg.ledger.counts())


def compare(leg: LegContext, level: Level, sample_percent: float, *, again: bool = True) -> Verdict:
    """Compare both sides with the ledger, and replace the findings of every container.

    Nothing is written to either side.

    Args:
        leg: the open leg; its connections must have been opened for this verification.
        level: how thoroughly to verify.
        sample_percent: the share of bodies to read at the level `sample`.
        again: True to read back also what an earlier pass read back.

    Returns:
        The outcomes.

    Raises:
        MigrationError: what either side raises; findings of containers compared before stay recorded.
    """
    share = {Level.COUNTS: 0.0, Level.SAMPLE: sample_percent / 100}.get(level, 1.0)
    target_folders = _target_folders(leg)
    source_state = verify_source.containers(leg)
    sides = Sides(source_state.listed, target_folders)
    same = unchanged.NOTHING if again or level is Level.BOTH else unchanged.since_verified(leg, sides)
    counted = {href: folder.total for href, folder in target_folders.items()}
    approvals = accepted_differences.difference_approvals(leg)
    doubtful = {row.id: _doubtful(leg.ledger.findings(row.id)) for row in leg.ledger.containers()}
    asked = Asked(share, again, doubtful)
    survey = verify_target.survey(leg, asked, unchanged=same.target, counted=counted)
    found = {key: accepted_differences.touched_at_target(leg, one) for key, one in survey.findings.items()}
    book = _Book(leg, level, survey, approvals)
    doubted: list[tuple[ContainerRow, list[Finding], Mapping[bytes, bytes]]] = []
    for container in leg.ledger.containers():
        leg.check()
        if container.id in same.source and container.id in same.target:
            _count(leg, container, set(), book.verdict, level)
            continue
        findings = list(verify_shares.compare(leg, container, source=level is Level.BOTH))
        findings += file_versions.compare(leg, container, again=again)
        findings += found.pop(container.id, []) + source_state.findings.get(container.id, [])
        bodies: Mapping[bytes, bytes] = {}
        if container.omit is None and container.source_id in source_state.totals:
            if container.id not in same.source:
                findings += verify_source.relist(leg, container, source_state.totals[container.source_id])
            if level is Level.BOTH:
                reading = verify_source.reread(leg, container)
            else:
                reading = verify_source.reread_found(leg, container)
            findings, bodies = findings + reading.findings, reading.doubted
            book.verdict.lost += reading.lost
        if bodies:
            doubted.append((container, findings, bodies))
        else:
            book.settle(container, findings)
    if doubted:
        leg.wait(verify_source.APART)
    for container, findings, bodies in doubted:
        book.settle(container, verify_source.again(leg, container, findings, bodies))
    approvals.spend(leg)
    _keep_states(leg, sides, same, survey.receiving)
    return book.verdict


def _doubtful(findings: Iterable[Finding]) -> set[bytes]:
    """Return the keys of the items that the last verification found otherwise, or could not read."""
    otherwise = (Outcome.DIFFERS, Outcome.ERROR)
    return {entry.key for entry in findings if entry.key is not None and entry.outcome in otherwise}


def as_before(leg: LegContext, level: Level) -> Verdict:
    """Return the verdict of the last verification, for a leg in which nothing changed since.

    Args:
        leg: the open leg.
        level: how thoroughly to verify.
    """
    verdict = Verdict()
    for container in leg.ledger.containers():
        _count(leg, container, set(), verdict, level)
    return verdict


def _target_folders(leg: LegContext) -> dict[str, Container]:
    """List the target's containers with their states; nothing of a target that has none."""
    if not leg.context.target.states:
        return {}
    return {container.id: container for container in leg.target.containers()}


def _keep_states(leg: LegContext, sides: Sides, same: Unchanged, receiving: Collection[str]) -> None:
    """Record the states of the containers in which everything is right, in staging.

    A folder into which somebody moved an item is listed each time, to know where the item is.
    """
    if leg.mailbox.phase is not Phase.STAGING:
        return
    sources = _states(sides.source, leg.source)
    targets = _states(sides.target.values(), leg.target)
    states: dict[int, States] = {}
    for row in leg.ledger.containers():
        now = sources.get(row.source_id), targets.get(str(row.href))
        looked = row.id not in same.source and row.id not in same.target
        clean = (
            row.href is not None
            and row.href not in receiving
            and not leg.in_doubt
            and unchanged.is_clean(leg, row.id)
        )
        kept = unchanged.states_to_keep(row, now, leg.now().timestamp(), clean=clean, looked=looked)
        if kept != (row.source_state, row.target_state, row.looked):
            states[row.id] = kept
    leg.ledger.keep_states(states)


def _states(containers: Iterable[Container], side: Source | Target) -> dict[str, str | None]:
    """Return the states of containers by id: None where the side has found that it says nothing."""
    doubted = side.stateless() if isinstance(side, DoubtsStates) else ()
    return {one.id: None if one.id in doubted else one.state for one in containers}


def _record(
    leg: LegContext,
    container: ContainerRow,
    findings: list[Finding],
    read: set[bytes],
    verdict: Verdict,
    level: Level,
) -> None:
    adverse = {
        finding.key
        for finding in findings
        if finding.outcome is not Outcome.REBUILT and finding.key is not None
    }
    good = read - adverse
    leg.ledger.replace_findings(container.id, findings)
    for chunk in _chunks(iter(adverse)):
        leg.ledger.doubted(container.id, chunk)
    for chunk in _chunks(iter(good)):
        leg.ledger.verified(container.id, chunk)
    verdict.outcomes.update(finding.outcome for finding in findings)
    verdict.codes.update(code for finding in findings if (code := finding.code) is not None)
    _count(leg, container, adverse, verdict, level)


def _count(
    leg: LegContext, container: ContainerRow, adverse: set[bytes], verdict: Verdict, level: Level
) -> None:
    """Count the items of a container that no finding names."""
    counts = leg.ledger.counts(container.id)
    unread = counts.get(State.WRITTEN, 0)
    if adverse and unread:  # findings of rebuilt or unwritten items stand for no other item
        unread = sum(row.key not in adverse for row in leg.ledger.rows(container.id, (State.WRITTEN,)))
    still_open = sum(count for state, count in counts.items() if state < State.WRITTEN)
    verdict.outcomes[Outcome.MATCH] += counts.get(State.VERIFIED, 0)
    if level in (Level.TARGET, Level.BOTH):
        still_open += unread  # at the target, without a finding, but not read back: no match
    else:
        verdict.outcomes[Outcome.MATCH] += unread
    verdict.outcomes[Outcome.UNCHECKED] += still_open
    verdict.unsettled += counts.get(State.WRITING, 0)


def _chunks(keys: Iterator[bytes]) -> Iterator[list[bytes]]:
    while chunk := list(islice(keys, CHUNK)):
        yield chunk
