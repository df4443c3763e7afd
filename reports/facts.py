"""Facts of a wave that the terminal, Prefect's UI and the reports all show, counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from engine.approvals.score import Score
from ledger.db.rows import Finding, Outcome
from ledger.views.reports import LegSummary
from reports.loss_texts import Lost

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.MISSING: "verification-missing",
    Outcome.EXTRA: "verification-extra",
    Outcome.DIFFERS: "verification-differs",
    Outcome.ERROR: "verification-error",
}
"""The codes of what a verification found to be wrong."""
LINKS: Mapping[str, str] = {
    "moved": "lead to a file or folder that moved",
    "not-migrated": "the file is there, but no mailbox of this ledger moved it (or not yet)",
    "gone": "there is nothing at this address any more",
    "other-tenant": "somebody else's Microsoft 365, or a private OneDrive",
    "unreadable": "Microsoft 365 does not tell this application what it leads to",
    "unresolved": "nobody could be asked where it leads",
}
"""What is said of links, by where they lead."""


def finding_code(found: Finding) -> str | None:
    """Return the code of what a verification found; None if nothing is wrong with it."""
    return found.code or OUTCOMES.get(found.outcome)


def lost_of(summaries: Iterable[LegSummary]) -> Counter[Lost]:
    """Return how many items lost what."""
    counts: Counter[Lost] = Counter()
    for leg in summaries:
        counts.update({(leg.workload, *pair): count for pair, count in leg.losses.items()})
    return counts


def loss_documents(lost: Counter[Lost]) -> list[dict[str, object]]:
    """Return the losses for --json, the most frequent first."""
    return [
        {"workload": str(kind), "field": name, "reason": reason, "count": count}
        for (kind, name, reason), count in lost.most_common()
    ]


def score_document(score: Score) -> dict[str, object]:
    """Return a mailbox's score for --json."""
    counts = {"items": score.items, "arrived": score.arrived, "lacking": score.lacking}
    return {"rating": str(score.rating), **counts}
