"""How good a migration is, by a rule that fits into a sentence: the share of items that arrived, and the
share of those that arrived without a part of their content. docs/score.md publishes it.

Both are shares of all items of all workloads but those that a rule skips. An item counts once, in the gravest
class of what it lost (mappings.losses.severity); only lost content lowers a score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.db.rows import State
from ledger.store import Ledger
from ledger.views.scores import ARRIVED, UNCOUNTED, Counts, absent_of, counts_of, lacking_of
from ledger.views.scores import ScoreCounts as PartCounts
from mappings.losses.severity import Class, class_of, losses_of
from model.protocols import Kind

GOOD_SHARE, FAIR_SHARE = 0.999, 0.99
GOOD_LACKING, FAIR_LACKING = 0.01, 0.05
RANKS = (Class.COSMETIC, Class.FUNCTIONAL, Class.CONTENT)
"""The lightest first."""
NOT_COPIED = "not-copied"
"""Why an item did not arrive for which nobody has recorded why."""


class Rating(StrEnum):
    """The best first."""

    PERFECT = "perfect"
    GOOD = "good"
    INVESTIGATE = "investigate"
    POOR = "poor"


LOW = frozenset({Rating.INVESTIGATE, Rating.POOR})
"""What goes live only after a person has looked."""


@dataclass(frozen=True, slots=True)
class WorkloadScore:
    """One workload of a score. lost: of the items that arrived, those that lost something, by the gravest
    class of it, all three of them."""

    workload: Kind
    items: int
    arrived: int
    lost: Mapping[Class, int]


@dataclass(frozen=True, slots=True)
class Score:
    """items: those that were to arrive; arrived: those that did; lacking: those of them without a part of
    their content. parts: the same of each workload that has any."""

    items: int
    arrived: int
    lacking: int
    parts: tuple[WorkloadScore, ...] = ()

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

    def lost(self, kind: Class) -> int:
        """Of the items that arrived, those whose gravest loss is of this class."""
        return sum(part.lost[kind] for part in self.parts)


@dataclass(frozen=True, slots=True)
class WaveScore:
    """rating: of the worst mailbox; None where one has no score, or there is none. distribution: mailboxes in
    each rating, all four of them, the best first. worst: of those that have a score, the mailboxes of the
    worst rating, the worst first; none where all are perfect. unscored: how many have none."""

    rating: Rating | None
    distribution: Mapping[Rating, int]
    worst: list[str]
    unscored: int = 0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why so many items of a workload count as they do. field: of what each of them lost; None: they did not
    arrive, and code says why."""

    workload: Kind
    field: str | None
    code: str
    items: int

    @property
    def kind(self) -> Class | None:
        """None of what did not arrive."""
        return None if self.field is None else class_of(self.field, self.code)

    @property
    def lowers(self) -> bool:
        """Whether it lowers a score."""
        return self.kind in (None, Class.CONTENT)


def scores(ledger: Ledger, mailbox_ids: Iterable[str]) -> dict[str, Score]:
    """By mailbox, as the ledger is now. Those of which a workload is not verified have none."""
    counts = counts_of(ledger, mailbox_ids, [losses_of(kind) for kind in RANKS[:-1]])
    return {number: score_of(one) for number, one in counts.items() if one.verified}


def score_of(counts: Counts) -> Score:
    """Of a mailbox that was verified."""
    parts = tuple(_part(kind, counts.parts[kind]) for kind in Kind if kind in counts.parts)
    return Score(
        sum(part.items for part in parts),
        sum(part.arrived for part in parts),
        sum(part.lost[Class.CONTENT] for part in parts),
        parts,
    )


def _part(kind: Kind, counts: PartCounts) -> WorkloadScore:
    states = counts.states
    items = sum(states.values()) - sum(states[state] for state in UNCOUNTED)
    lost = {one: counts.lost[rank] for rank, one in enumerate(RANKS)}
    return WorkloadScore(kind, items, sum(states[state] for state in ARRIVED), lost)


def wave_score(found: Mapping[str, Score], unscored: int = 0) -> WaveScore:
    """Of these mailboxes together: a wave is no better than its worst one. unscored: how many more there are,
    of which nobody knows whether they are worse."""
    counted = Counter(entry.rating for entry in found.values())
    distribution = {rating: counted[rating] for rating in Rating}
    lowest = next((entry for entry in reversed(Rating) if counted[entry]), None)
    low = [who for who, one in found.items() if one.rating is lowest is not Rating.PERFECT]
    worst = sorted(low, key=lambda who: (order(found[who]), who))
    return WaveScore(None if unscored else lowest, distribution, worst, unscored)


def order(score: Score) -> tuple[int, float, float]:
    """Sorts the worst first."""
    lacking = score.lacking / score.items if score.items else 0.0
    return -list(Rating).index(score.rating), score.share, -lacking


def reasons(ledger: Ledger, mailbox_ids: Collection[str]) -> dict[str, list[Reason]]:
    """Why a score is what it is, by mailbox: what did not arrive, then what was lost, the most items first.
    An item that lost several things counts with each."""
    found: dict[str, list[Reason]] = {number: [] for number in sorted(set(mailbox_ids))}
    for number, absent in absent_of(ledger, mailbox_ids).items():
        codes: Counter[tuple[Kind, str]] = Counter()
        for entry in absent:
            code = entry.code if entry.state is State.REJECTED and entry.code else NOT_COPIED
            codes[entry.workload, code] += entry.items
        found[number] += [Reason(kind, None, code, count) for (kind, code), count in codes.items()]
    for number, lacking in lacking_of(ledger, mailbox_ids).items():
        found[number] += [Reason(entry.workload, entry.field, entry.reason, entry.items) for entry in lacking]
    return {number: sorted(each, key=_gravest_first) for number, each in found.items()}


def _gravest_first(one: Reason) -> tuple[int, int, Kind, str]:
    rank = len(RANKS) if one.kind is None else RANKS.index(one.kind)
    return -rank, -one.items, one.workload, one.code


def rule_table() -> str:
    """The rule as Markdown: a generated part of docs/score.md."""
    going, waiting = "goes on", "waits for a person"
    rows = (
        ("Score", "Arrived, of all items", "Lack content, of all items", "At the cutover"),
        ("---",) * 4,
        (f"`{Rating.PERFECT}`", "all", "none", going),
        (f"`{Rating.GOOD}`", f"{GOOD_SHARE:.1%} or more", f"at most {GOOD_LACKING:.0%}", going),
        (f"`{Rating.INVESTIGATE}`", f"{FAIR_SHARE:.0%} or more", f"at most {FAIR_LACKING:.0%}", waiting),
        (f"`{Rating.POOR}`", "less", "more", waiting),
    )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
