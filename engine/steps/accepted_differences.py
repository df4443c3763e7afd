"""Differences that no pass can mend. Each has a code, and a person may accept them (`kogge approve`).

What is accepted is a loss of the item from then on; what is not keeps its mailbox from being verified.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from engine.context.leg_context import LegContext
from ledger.db.incidents import Incident
from ledger.db.rows import ACCEPTABLE, KEPT, Finding, Outcome
from mappings.losses.catalogue import lose
from model.protocols import Loss

FIELD = "copy"
LOSS = Loss(FIELD, KEPT)
"""Of an item whose difference was accepted."""
RENUMBERED = "target-renumbered"
"""The detail, and the code, of what is strange in a frozen folder that the target renumbered since the last
look in staging: whether it was delivered cannot be told any more."""
REWRITES_MOST = 2
"""How often a copy is made anew; what differs after that has this code. `kogge retry` counts from 0 again."""


def code_of(found: Finding) -> str | None:
    """The code of a finding that no pass mends; None for any other."""
    if found.outcome is Outcome.EXTRA and found.detail == RENUMBERED:
        return RENUMBERED
    code = found.detail.partition(":")[0]
    return code if found.outcome is Outcome.DIFFERS and code in ACCEPTABLE else None


def kept(leg: LegContext, container_id: int) -> set[bytes]:
    """Of which items a person accepted, since the last verification, that the target keeps them otherwise."""
    if not leg.approved(KEPT):
        return set()
    found = leg.ledger.findings(container_id)
    return {entry.key for entry in found if entry.key is not None and code_of(entry) == KEPT}


def named(
    found: Iterable[Finding], incidents: Mapping[bytes, Incident], before: Collection[bytes]
) -> list[Finding]:
    """The findings, those with the code that were mended in vain. incidents: of the container; before: whose
    difference was accepted earlier."""
    vain = {key for key, one in incidents.items() if one.rewrites >= REWRITES_MOST} | set(before)
    return [_named(entry) if entry.key in vain else entry for entry in found]


def _named(found: Finding) -> Finding:
    if found.outcome is not Outcome.DIFFERS or code_of(found) is not None:
        return found
    return replace(found, detail=f"{KEPT}:{found.detail}")


def without_accepted(
    leg: LegContext, container_id: int, found: Iterable[Finding]
) -> tuple[list[Finding], set[bytes]]:
    """What is left of the findings, and the items of which a difference is accepted, now a loss of theirs."""
    left: list[Finding] = []
    accepted: set[bytes] = set()
    for entry in found:
        code = code_of(entry)
        if code is None or entry.key is None or not leg.approved(code):
            left.append(entry)
            continue
        leg.ledger.lose(container_id, entry.key, (lose(FIELD, code),))
        accepted.add(entry.key)
    return left, accepted
