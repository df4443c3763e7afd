"""Handle differences that no pass can mend: each has a code, and a person may accept them (`kogge approve`).

An accepted difference is a loss of the item from then on. A difference that is not accepted keeps its mailbox
from being verified.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from engine.context.leg_context import LegContext
from ledger.db.incidents import Incident
from ledger.db.rows import ACCEPTABLE, KEPT, TOUCHED, Finding, Outcome
from mappings.losses.catalogue import lose
from model.protocols import Loss

FIELD = "copy"
LOSS = Loss(FIELD, KEPT)
"""The loss of an item whose difference was accepted."""
RENUMBERED = "target-renumbered"
"""The detail, and the code, of an extra copy in a frozen folder that the target renumbered since the last
look in staging: it can no longer be told whether the copy was delivered."""
MEETING_TWICE = "meeting-twice"
"""The detail, and the code, of a meeting that its owner has twice: no pass mends it, and none accepts it."""
REWRITES_MOST = 2
"""How often a copy is made again; what differs after that has this code. Some targets change an item at each
write. `kogge retry` counts from 0 again."""


def code_of(finding: Finding) -> str | None:
    """Return the code of a finding that no pass mends; None for any other finding."""
    if finding.outcome is Outcome.EXTRA and finding.detail == RENUMBERED:
        return RENUMBERED
    code = finding.detail.partition(":")[0]
    if finding.outcome is Outcome.MISSING:
        return code if code == TOUCHED else None
    return code if finding.outcome is Outcome.DIFFERS and code in (*ACCEPTABLE, MEETING_TWICE) else None


def touched_at_target(leg: LegContext, findings: Iterable[Finding]) -> list[Finding]:
    """Return what was found at the target; in a live mailbox, give the code to what is gone or otherwise.

    Only items that were never read back have such findings. Their user may have deleted or changed them.

    Args:
        leg: the open leg.
        findings: the findings of one container at the target.
    """
    return list(findings) if leg.mirror else [_as_touched(entry) for entry in findings]


def _as_touched(finding: Finding) -> Finding:
    ours = finding.key is not None and code_of(finding) is None
    if not ours or finding.outcome not in (Outcome.MISSING, Outcome.DIFFERS):
        return finding
    return replace(finding, detail=f"{TOUCHED}:{finding.detail}" if finding.detail else TOUCHED)


@dataclass(slots=True)
class TouchedApproval:
    """Hold what a person accepted of what is gone or otherwise in a live mailbox.

    An approval counts for the items that the last verification named, and for one verification.

    Attributes:
        named: the keys of these items, by container.
        given: True if a person accepted them.
        before: the keys of items that were accepted by a verification that did not end.
    """

    named: dict[int, set[bytes]]
    given: bool
    before: Mapping[int, Collection[bytes]]

    def accepts(self, container_id: int, key: bytes) -> bool:
        """Return True if a person accepted this difference of an item."""
        is_named = self.given and key in self.named.get(container_id, ())
        return is_named or key in self.before.get(container_id, ())

    def before_recording(self, leg: LegContext, container_id: int, findings: Iterable[Finding]) -> None:
        """Spend the approval if findings are to be recorded that nobody saw: it is not about them.

        Args:
            leg: the open leg.
            container_id: the container.
            findings: what is left of the findings of a verification.
        """
        touched = {entry.key for entry in findings if code_of(entry) == TOUCHED}
        if not touched <= self.named.get(container_id, set()) and leg.approved(TOUCHED):
            leg.spend_now(TOUCHED)

    def spend(self, leg: LegContext) -> None:
        """Spend the approval at the end of the verification; after a crash before, the next one uses it."""
        if self.given and leg.approved(TOUCHED):
            leg.spend_now(TOUCHED)


def touched_approval(leg: LegContext) -> TouchedApproval:
    """Read what a person accepted, before this verification records anything.

    Args:
        leg: the open leg.
    """
    named: dict[int, set[bytes]] = {}
    for container in [] if leg.mirror else leg.ledger.containers():
        keys = {entry.key for entry in leg.ledger.findings(container.id) if code_of(entry) == TOUCHED}
        named[container.id] = {key for key in keys if key is not None}
    before = leg.ledger.losses.of([Loss(FIELD, TOUCHED)]) if any(named.values()) else {}
    return TouchedApproval(named, any(named.values()) and leg.approved(TOUCHED), before)


def accepted_keys(leg: LegContext, container_id: int) -> set[bytes]:
    """Return the keys of the items whose difference a person accepted since the last verification.

    Args:
        leg: the open leg.
        container_id: the container whose findings are read.
    """
    findings = leg.ledger.findings(container_id)
    kept = {entry.key for entry in findings if entry.key is not None and code_of(entry) == KEPT}
    return kept if kept and leg.approved(KEPT) else set()


def with_codes(
    findings: Iterable[Finding], incidents: Mapping[bytes, Incident], before: Collection[bytes]
) -> list[Finding]:
    """Return the findings, and give the code to those that were mended in vain.

    Args:
        findings: the findings of a verification.
        incidents: the incidents of the container, by key.
        before: the keys of items whose difference was accepted earlier.
    """
    vain = {key for key, one in incidents.items() if one.rewrites >= REWRITES_MOST} | set(before)
    return [_with_code(entry) if entry.key in vain else entry for entry in findings]


def _with_code(finding: Finding) -> Finding:
    if finding.outcome is not Outcome.DIFFERS or code_of(finding) is not None:
        return finding
    return replace(finding, detail=f"{KEPT}:{finding.detail}")


def without_accepted(
    leg: LegContext, container_id: int, findings: Iterable[Finding], touched: TouchedApproval
) -> tuple[list[Finding], set[bytes]]:
    """Turn accepted differences into losses.

    Args:
        leg: the open leg.
        container_id: the container.
        findings: the findings of a verification.
        touched: what a person accepted of what is gone or otherwise in a live mailbox.

    Returns:
        The findings that are left, and the keys of the items whose difference is accepted and is a loss now.
    """
    remaining: list[Finding] = []
    accepted: set[bytes] = set()
    for entry in findings:
        code = code_of(entry)
        if code is None or entry.key is None or not _is_accepted(leg, container_id, code, entry.key, touched):
            remaining.append(entry)
            continue
        leg.ledger.lose(container_id, entry.key, (lose(FIELD, code),))
        accepted.add(entry.key)
    return remaining, accepted


def _is_accepted(leg: LegContext, container_id: int, code: str, key: bytes, touched: TouchedApproval) -> bool:
    return touched.accepts(container_id, key) if code == TOUCHED else leg.approved(code)
