"""Score a migration by a rule that fits into a sentence; docs/score.md publishes it.

The score is the share of items that arrived, and the share of those that arrived without a part of their
content. Both are shares of all items of all workloads except those that a rule skips. An item counts once, in
the gravest class of what it lost (mappings.losses.severity); only lost content lowers a score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ledger.db.rows import ACCEPTABLE, State
from ledger.store import Ledger
from ledger.views.scores import ARRIVED, UNCOUNTED, Counts, absent_of, counts_of, lacking_of
from ledger.views.scores import ScoreCounts as PartCounts
from mappings.losses.severity import Class, class_of, losses_of
from model.kinds import Kind

GOOD_SHARE, FAIR_SHARE = 0.999, 0.99
GOOD_LACKING, FAIR_LACKING = 0.01, 0.05
RANKS = (Class.COSMETIC, Class.FUNCTIONAL, Class.CONTENT)
"""The lightest first."""
ACCEPTED = frozenset(("copy", code) for code in ACCEPTABLE if class_of("copy", code) is Class.CONTENT)
"""The losses of content that a person accepted, item by item, when they became losses."""
LIGHTER = (losses_of(Class.COSMETIC), losses_of(Class.FUNCTIONAL), ACCEPTED)
"""The losses of each rank of ledger.views.scores.counts_of; any other loss of content ranks above them."""
_ACCEPTED_RANK = LIGHTER.index(ACCEPTED)
NOT_COPIED = "not-copied"
"""The code of an item that did not arrive if no reason is recorded."""


class Rating(StrEnum):
    """Rate a score; the best first."""

    PERFECT = "perfect"
    GOOD = "good"
    INVESTIGATE = "investigate"
    POOR = "poor"


LOW = frozenset({Rating.INVESTIGATE, Rating.POOR})
"""Ratings with which a mailbox goes live only after a person has looked."""


@dataclass(frozen=True, slots=True)
class WorkloadScore:
    """Hold one workload of a score.

    Attributes:
        workload: the workload.
        items: items that were to arrive.
        arrived: items that did.
        lost: of the items that arrived, how many lost something, by its gravest class; all three classes are
            present.
    """

    workload: Kind
    items: int
    arrived: int
    lost: Mapping[Class, int]


@dataclass(frozen=True, slots=True)
class Score:
    """Hold the score of a mailbox.

    Attributes:
        items: items that were to arrive.
        arrived: items that did.
        lacking: of these, items without a part of their content.
        parts: the same of each workload that has any.
        accepted: of the items that lack content, those of which a person accepted exactly that.
    """

    items: int
    arrived: int
    lacking: int
    parts: tuple[WorkloadScore, ...] = ()
    accepted: int = 0

    @property
    def unanswered(self) -> Score:
        """The score of what nobody has answered for: what a person accepted item by item is not lacking."""
        return replace(self, lacking=self.lacking - self.accepted, accepted=0)

    @property
    def is_low(self) -> bool:
        """True if a cutover asks a person about it: one decision about an item is enough."""
        return self.unanswered.rating in LOW

    @property
    def share(self) -> float:
        """The share of the items that arrived, from 0 to 1."""
        return self.arrived / self.items if self.items else 1.0

    @property
    def rating(self) -> Rating:
        """The rating of the score."""
        share = self.share
        lacking = self.lacking / self.items if self.items else 0.0
        if self.arrived == self.items and not self.lacking:
            return Rating.PERFECT
        if share >= GOOD_SHARE and lacking <= GOOD_LACKING:
            return Rating.GOOD
        return Rating.INVESTIGATE if share >= FAIR_SHARE and lacking <= FAIR_LACKING else Rating.POOR

    def lost(self, kind: Class) -> int:
        """Return how many items that arrived have this class as their gravest loss."""
        return sum(part.lost[kind] for part in self.parts)


@dataclass(frozen=True, slots=True)
class WaveScore:
    """Hold the score of a wave.

    Attributes:
        rating: the rating of the worst mailbox; None if one has no score, or if there is none.
        distribution: mailboxes by rating; all four ratings are present, the best first.
        worst: of the mailboxes with a score, those with the worst rating, the worst first; none if all are
            perfect.
        unscored: how many have no score.
    """

    rating: Rating | None
    distribution: Mapping[Rating, int]
    worst: list[str]
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """Say why so many items of a workload count as they do.

    Attributes:
        workload: the workload.
        field: what each of them lost; None if they did not arrive.
        code: why.
        items: how many.
    """

    workload: Kind
    field: str | None
    code: str
    items: int

    @property
    def kind(self) -> Class | None:
        """The class of the loss; None if the items did not arrive."""
        return None if self.field is None else class_of(self.field, self.code)

    @property
    def lowers(self) -> bool:
        """True if it lowers a score."""
        return self.kind in (None, Class.CONTENT)


def scores(ledger: Ledger, mailbox_ids: Iterable[str]) -> dict[str, Score]:
    """Return the scores by mailbox, as the ledger is now.

    A mailbox with a workload that is not verified has none.
    """
    counts = counts_of(ledger, mailbox_ids, LIGHTER)
    return {number: score_of(count) for number, count in counts.items() if count.verified}


def score_of(counts: Counts) -> Score:
    """Return the score of a mailbox that was verified."""
    parts = tuple(_part(kind, counts.parts[kind]) for kind in Kind if kind in counts.parts)
    return Score(
        sum(part.items for part in parts),
        sum(part.arrived for part in parts),
        sum(part.lost[Class.CONTENT] for part in parts),
        parts,
        sum(part.lost[_ACCEPTED_RANK] for part in counts.parts.values()),
    )


def _part(kind: Kind, counts: PartCounts) -> WorkloadScore:
    states = counts.states
    items = sum(states.values()) - sum(states[state] for state in UNCOUNTED)
    lost = {loss_class: counts.lost[rank] for rank, loss_class in enumerate(RANKS)}
    lost[Class.CONTENT] += counts.lost[len(LIGHTER)]
    return WorkloadScore(kind, items, sum(states[state] for state in ARRIVED), lost)


def wave_score(by_mailbox: Mapping[str, Score], unscored: int = 0) -> WaveScore:
    """Return the score of these mailboxes together: a wave is no better than its worst mailbox.

    Args:
        by_mailbox: the scores by mailbox.
        unscored: how many more mailboxes there are without a score; they may be worse.
    """
    counted = Counter(entry.rating for entry in by_mailbox.values())
    distribution = {rating: counted[rating] for rating in Rating}
    lowest = next((entry for entry in reversed(Rating) if counted[entry]), None)
    low = [who for who, score in by_mailbox.items() if score.rating is lowest is not Rating.PERFECT]
    worst = sorted(low, key=lambda who: (order(by_mailbox[who]), who))
    return WaveScore(None if unscored else lowest, distribution, worst, unscored)


def order(score: Score) -> tuple[int, float, float]:
    """Return the sort key that puts the worst first."""
    lacking = score.lacking / score.items if score.items else 0.0
    return -list(Rating).index(score.rating), score.share, -lacking


def reasons(ledger: Ledger, mailbox_ids: Collection[str]) -> dict[str, list[Reason]]:
    """Return the reasons for a score, by mailbox.

    What did not arrive, then what was lost, the most items first.

    An item that lost several things counts with each.
    """
    by_mailbox: dict[str, list[Reason]] = {number: [] for number in sorted(set(mailbox_ids))}
    for number, absent in absent_of(ledger, mailbox_ids).items():
        codes: Counter[tuple[Kind, str]] = Counter()
        for entry in absent:
            code = entry.code if entry.state is State.REJECTED and entry.code else NOT_COPIED
            codes[entry.workload, code] += entry.items
        by_mailbox[number] += [Reason(kind, None, code, count) for (kind, code), count in codes.items()]
    for number, lacking in lacking_of(ledger, mailbox_ids).items():
        by_mailbox[number] += [
            Reason(entry.workload, entry.field, entry.reason, entry.items) for entry in lacking
        ]
    return {number: sorted(each, key=_gravest_first) for number, each in by_mailbox.items()}


def _gravest_first(reason: Reason) -> tuple[int, int, Kind, str]:
    rank = len(RANKS) if reason.kind is None else RANKS.index(reason.kind)
    return -rank, -reason.items, reason.workload, reason.code
