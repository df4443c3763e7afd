"""Handle differences that no pass can mend: each has a code, and a person may accept them (`kogge approve`).

An accepted difference is a loss of the item from then on. A difference that is not accepted keeps its mailbox
from being verified. An approval covers the items for which it was given, not others of the same code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engine.context.leg_context import LegContext
from ledger.db.incidents import Incident
from ledger.db.rows import (
    ACCEPTABLE,
    KEPT,
    STALE,
    TOUCHED,
    UNSTABLE,
    Finding,
    Outcome,
    State,
)
from mappings.losses.catalogue import lose
from model.protocols import Loss

FIELD = "copy"
AT_SOURCE = (UNSTABLE, STALE)
"""The codes of items that the source gives otherwise than they were copied."""
REWRITES_MOST = 2
"""How often a copy is made again; what differs after that has this code. Some targets change an item at each
write. `kogge retry` counts from 0 again."""


def touched_at_target(leg: LegContext, findings: Iterable[Finding]) -> list[Finding]:
    """Return what was found at the target; in a live mailbox, give the code to what is gone or otherwise.

    Only items that were never read back have such findings. Their user may have deleted or changed them.

    Args:
        leg: the open leg.
        findings: the findings of one container at the target.
    """
    return list(findings) if leg.mirror else [_as_touched(entry) for entry in findings]


def _as_touched(finding: Finding) -> Finding:
    ours = finding.key is not None and finding.code is None
    if not ours or finding.outcome not in (Outcome.MISSING, Outcome.DIFFERS):
        return finding
    return replace(finding, detail=f"{TOUCHED}:{finding.detail}" if finding.detail else TOUCHED)


@dataclass(slots=True)
class DifferenceApprovals:
    """Hold what a person accepted of the differences that no pass mends.

    An approval counts for the items that the last verification named with its code, and for one verification.

    Attributes:
        named: the keys of these items, by code and container.
        given: the codes that a person accepted, of those that name items.
        before: the keys of items that were accepted by an earlier verification, by code and container.
    """

    named: Mapping[str, Mapping[int, Collection[bytes]]]
    given: Collection[str]
    before: Mapping[str, Mapping[int, Collection[bytes]]]

    def accepts(self, code: str, container_id: int, key: bytes) -> bool:
        """Return True if a person accepted this difference of an item.

        Two readings of an item without one form may be equal by chance: then it has the other code.
        """
        codes = AT_SOURCE if code in AT_SOURCE else (code,)
        return any(key in keys for one in codes for keys in self._accepted(one, container_id))

    def accepted(self, code: str, container_id: int) -> set[bytes]:
        """Return the keys of the items of a container whose difference of this code a person accepted."""
        return set().union(*self._accepted(code, container_id))

    def _accepted(self, code: str, container_id: int) -> Iterator[Collection[bytes]]:
        """Yield these keys: of what was named, if a person accepted it, and of what was accepted before."""
        if code in self.given:
            yield self.named[code].get(container_id, ())
        yield self.before.get(code, {}).get(container_id, ())

    def before_recording(self, leg: LegContext, container_id: int, findings: Iterable[Finding]) -> None:
        """Spend an approval if findings are to be recorded that nobody saw: it is not about them.

        Args:
            leg: the open leg.
            container_id: the container.
            findings: what is left of the findings of a verification.
        """
        for code, keys in _keys_by_code(findings).items():
            if not keys <= set(self.named[code].get(container_id, ())) and leg.approved(code):
                leg.spend_now(code)

    def spend(self, leg: LegContext) -> None:
        """Spend the approvals at the end of a verification; after a crash before, the next one uses them."""
        for code in sorted(self.given):
            if leg.approved(code):
                leg.spend_now(code)


def difference_approvals(leg: LegContext) -> DifferenceApprovals:
    """Read what a person accepted, before this verification records anything.

    Args:
        leg: the open leg.
    """
    named: dict[str, dict[int, set[bytes]]] = {code: {} for code in ACCEPTABLE}
    for container in leg.ledger.containers():
        for code, keys in _keys_by_code(leg.ledger.findings(container.id)).items():
            named[code][container.id] = keys
    given = {code for code, places in named.items() if places and leg.approved(code)}
    before = {code: leg.ledger.losses.of([Loss(FIELD, code)]) for code in ACCEPTABLE}
    return DifferenceApprovals(named, given, before)


def _keys_by_code(findings: Iterable[Finding]) -> dict[str, set[bytes]]:
    """Return the keys of the items with a difference that can be accepted, by its code."""
    keys: dict[str, set[bytes]] = {}
    for entry in findings:
        code = entry.code
        if code in ACCEPTABLE and entry.key is not None:
            keys.setdefault(code, set()).add(entry.key)
    return keys


def doubt_changed(leg: LegContext, container_id: int) -> None:
    """Doubt again what was accepted of mail that changed at the source since.

    A person accepted what the source gave then. The next verification reads these items at the source, at
    whatever level, and asks anew about those that still differ. Idempotent.

    Args:
        leg: the open leg.
        container_id: the container, after its changes were listed.
    """
    accepted = leg.ledger.losses.of([Loss(FIELD, STALE)]).get(container_id, set())
    if not accepted:
        return
    rows = [row for row in leg.ledger.rows(container_id, (State.CHANGED,)) if row.key in accepted]
    if not rows:
        return
    doubted = [Finding(Outcome.DIFFERS, row.key, row.href, STALE) for row in rows]
    keys = {row.key for row in rows}
    others = [entry for entry in leg.ledger.findings(container_id) if entry.key not in keys]
    leg.ledger.replace_findings(container_id, [*others, *doubted])
    leg.ledger.losses.drop(container_id, keys, [Loss(FIELD, STALE)])


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
    if finding.outcome is not Outcome.DIFFERS or finding.code is not None:
        return finding
    return replace(finding, detail=f"{KEPT}:{finding.detail}")


def without_accepted(
    leg: LegContext, container_id: int, findings: Iterable[Finding], approvals: DifferenceApprovals
) -> tuple[list[Finding], set[bytes]]:
    """Turn accepted differences into losses.

    Args:
        leg: the open leg.
        container_id: the container.
        findings: the findings of a verification.
        approvals: what a person accepted.

    Returns:
        The findings that are left, and the keys of the items whose difference is accepted and is a loss now.
    """
    remaining: list[Finding] = []
    accepted: set[bytes] = set()
    for entry in findings:
        code = entry.code
        if code is None or entry.key is None or not approvals.accepts(code, container_id, entry.key):
            remaining.append(entry)
            continue
        leg.ledger.lose(container_id, entry.key, (lose(FIELD, code),))
        accepted.add(entry.key)
    return remaining, accepted
