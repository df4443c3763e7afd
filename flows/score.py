"""How good a cutover is, by a rule that fits into a sentence: the share of items that arrived, and the share
of those that arrived without a part of their content.

Both are shares of all items of all workloads but those that a rule skips. An item counts once, whatever it
lost; which losses are of content stands in mappings.losses_classes. The others lower no score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.rows import State
from ledger.scores import ARRIVED, Counts, counts_of
from ledger.store import Ledger
from mappings.losses_classes import SPARED

GOOD_SHARE, FAIR_SHARE = 0.999, 0.99
GOOD_LACKING, FAIR_LACKING = 0.01, 0.05


class Rating(StrEnum):
    """The best first."""

    PERFECT = "perfect"
    GOOD = "good"
    INVESTIGATE = "investigate"
    POOR = "poor"


LOW = frozenset({Rating.INVESTIGATE, Rating.POOR})
"""What goes live only after a person has looked."""


@dataclass(frozen=True, slots=True)
class Score:
    """items: those that were to arrive; arrived: those that did; lacking: those of them without a part of
    their content."""

    items: int
    arrived: int
    lacking: int

    @property
    def share(self) -> float:
        """Of the items that were to arrive, how many did: 0 to 1."""
        return self.arrived / self.items if self.items else 1.0

    @property
    def rating(self) -> Rating:
        share = self.share
        lacking = self.lacking / self.items if self.items else 0.0
        if self.arrived == self.items and not self.lacking:
            return Rating.PERFECT
        if share >= GOOD_SHARE and lacking <= GOOD_LACKING:
            return Rating.GOOD
        return Rating.INVESTIGATE if share >= FAIR_SHARE and lacking <= FAIR_LACKING else Rating.POOR


@dataclass(frozen=True, slots=True)
class WaveScore:
    """rating: of the worst mailbox; None where none is scored. distribution: mailboxes in each rating, all
    four of them, the best first. worst: the mailboxes of that rating, the worst first; none where all are
    perfect."""

    rating: Rating | None
    distribution: Mapping[Rating, int]
    worst: list[str]


def scores(ledger: Ledger, mailbox_ids: Iterable[str]) -> dict[str, Score]:
    """By mailbox, as the ledger is now. Those of which a workload is not verified have none."""
    counts = counts_of(ledger, mailbox_ids, SPARED)
    return {number: score_of(one) for number, one in counts.items() if one.verified}


def wave_score(found: Mapping[str, Score]) -> WaveScore:
    """Of these mailboxes together: a wave is no better than its worst one."""
    counted = Counter(one.rating for one in found.values())
    distribution = {rating: counted[rating] for rating in Rating}
    rating = next((one for one in reversed(Rating) if counted[one]), None)
    if rating in (None, Rating.PERFECT):
        return WaveScore(rating, distribution, [])
    worst = [who for who, one in found.items() if one.rating is rating]
    return WaveScore(rating, distribution, sorted(worst, key=lambda who: (_order(found[who]), who)))


def _order(score: Score) -> tuple[float, float]:
    """The worst first."""
    return score.share, -score.lacking / score.items


def score_of(counts: Counts) -> Score:
    """Of a mailbox that was verified."""
    states = counts.states
    items = sum(states.values()) - states[State.GONE] - states[State.SKIPPED]
    return Score(items, sum(states[state] for state in ARRIVED), counts.lacking)
