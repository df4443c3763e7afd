"""Show scores for people: a table, JSON, rows for a spreadsheet, and what each reason means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from engine.approvals.score import (
    LOW,
    NOT_COPIED,
    Rating,
    Reason,
    Score,
    WaveScore,
    order,
    reasons,
    scores,
    wave_score,
)
from engine.control.remedies import advice
from kogge.terminal.options import screen
from kogge.terminal.tables import BAD, CARE, GOOD, QUIET, table
from ledger.db.rows import MailboxRow
from ledger.store import Ledger
from ledger.views.scores import partly_verified
from mappings.losses.severity import Class
from reports.loss_texts import meaning

NOT_VERIFIED, PARTLY_VERIFIED = "not verified", "not verified fully"
SHOWN = 40
COLOURS = {Rating.PERFECT: GOOD, Rating.GOOD: GOOD, Rating.INVESTIGATE: CARE, Rating.POOR: BAD}
COUNTS = ("items", "arrived", "content", "functional", "cosmetic")
LEGEND = "content, functional, cosmetic: items that arrived, by the gravest of what they lost."
CSV = ("mailbox", "wave", "score", "workload", *COUNTS, "reasons")


@dataclass(frozen=True, slots=True)
class Scored:
    """Hold the score of a mailbox.

    Attributes:
        row: the mailbox.
        score: None if not everything is verified and read back.
        why: the reasons for the score; none without a score.
        partly: True if it is verified, but not everything was read back.
    """

    row: MailboxRow
    score: Score | None
    why: Sequence[Reason]
    partly: bool = False

    @property
    def missing(self) -> str:
        """Return what stands in place of a score."""
        return PARTLY_VERIFIED if self.partly else NOT_VERIFIED

    @property
    def is_open(self) -> bool:
        """Return True if a person has to look at it."""
        return self.score is None or self.score.is_low

    @property
    def lowering(self) -> list[Reason]:
        """Return the reasons that lower the score."""
        return [one for one in self.why if one.lowers]


@dataclass(frozen=True, slots=True)
class WaveScores:
    """Hold the score of a wave, or of those of its mailboxes that were asked for.

    Attributes:
        wave: its name.
        score: of these mailboxes together.
    """

    wave: str
    score: WaveScore

    @property
    def counts(self) -> str:
        """Return how many mailboxes have each rating, as text."""
        return ", ".join(f"{count:,} {rating}" for rating, count in self.score.distribution.items())

    @property
    def rating(self) -> str:
        """Return the rating as text, or else how many mailboxes are not verified."""
        return str(self.score.rating or f"{self.score.unscored:,} {NOT_VERIFIED}")

    def document(self) -> dict[str, object]:
        """Return it as plain data, for --json."""
        return {
            "wave": self.wave,
            "rating": self.score.rating and str(self.score.rating),
            "distribution": {str(rating): count for rating, count in self.score.distribution.items()},
            "not_verified": self.score.unscored,
            "worst": self.score.worst,
        }


def counts_of(found: Score) -> dict[str, int]:
    """Return the numbers of a score, in the form that every table of scores has."""
    lost = {str(kind): found.lost(kind) for kind in Class}
    return {"items": found.items, "arrived": found.arrived, **lost}


def gather(ledger: Ledger, rows: Sequence[MailboxRow]) -> tuple[list[Scored], list[WaveScores]]:
    """Return the scores of these mailboxes, the worst first, and the scores of their waves."""
    found = scores(ledger, [row.id for row in rows])
    why = reasons(ledger, found)
    partly = partly_verified(ledger, (row.id for row in rows))
    every = [Scored(row, found.get(row.id), why.get(row.id, ()), row.id in partly) for row in rows]
    return sorted(every, key=_worst_first), waves_of(rows, found)


def _worst_first(one: Scored) -> tuple[bool, tuple[int, float, float] | tuple[()], str]:
    return one.score is None, () if one.score is None else order(one.score), one.row.id


def waves_of(rows: Sequence[MailboxRow], found: Mapping[str, Score]) -> list[WaveScores]:
    """Return the scores of waves, by name, from these mailboxes alone.

    Args:
        rows: the mailboxes.
        found: the scores, by mailbox id; a mailbox without a score has none here.
    """
    waves: dict[str, list[str]] = {}
    for row in rows:
        waves.setdefault(row.wave, []).append(row.id)
    whole = []
    for wave, ids in sorted(waves.items()):
        scored = {number: found[number] for number in ids if number in found}
        whole.append(WaveScores(wave, wave_score(scored, len(ids) - len(scored))))
    return whole


def document_of(one: Scored) -> dict[str, object]:
    """Return the score of a mailbox as plain data, for --json."""
    head: dict[str, object] = {"mailbox": one.row.id, "wave": one.row.wave, "rating": None}
    if one.score is None:
        return {**head, "why": one.missing}
    return {
        **head,
        "rating": str(one.score.rating),
        **counts_of(one.score),
        "workloads": [
            {
                "workload": str(part.workload),
                "items": part.items,
                "arrived": part.arrived,
                **{str(kind): part.lost[kind] for kind in Class},
            }
            for part in one.score.parts
        ],
        "reasons": [_reason(each) for each in one.why],
    }


def _reason(one: Reason) -> dict[str, object]:
    return {
        "workload": str(one.workload),
        "field": one.field,
        "code": one.code,
        "class": None if one.kind is None else str(one.kind),
        "items": one.items,
        "meaning": explained(one),
    }


def explained(one: Reason) -> str:
    """Return what a reason means, as a sentence for people."""
    if one.field is not None:
        return meaning(one.workload, one.field, one.code)
    return "Not copied yet: run the wave again." if one.code == NOT_COPIED else advice(one.code)


def lines_of(one: Scored) -> Iterator[dict[str, object]]:
    """Yield the score of a mailbox for --csv, a row for each workload."""
    head = {"mailbox": one.row.id, "wave": one.row.wave}
    if one.score is None:
        yield {**head, "score": one.missing}
        return
    if not one.score.parts:
        yield {**head, "score": str(one.score.rating), "items": 0, "arrived": 0}
    for part in one.score.parts:
        counts = {str(kind): part.lost[kind] for kind in Class}
        own = [each for each in one.why if each.workload is part.workload]
        yield {
            **head,
            "score": str(one.score.rating),
            "workload": str(part.workload),
            "items": part.items,
            "arrived": part.arrived,
            **counts,
            "reasons": "; ".join(f"{each.items} {_name(each)}" for each in own),
        }


def _listed(why: Sequence[Reason]) -> str:
    return "; ".join(f"{one.items:,} {_name(one)}" for one in why)


def _name(one: Reason) -> str:
    return one.code if one.field is None else f"{one.field} {one.code}"


def show(every: Sequence[Scored], waves: Sequence[WaveScores]) -> None:
    """Print the table of scores, the rating of each wave, and why low scores are low."""
    many = len(waves) > 1
    out = screen()
    columns = ["mailbox", *(["wave"] if many else []), "score", *COUNTS]
    out.print(table(columns, [_cells(one, many) for one in every[:SHOWN]]))
    if len(every) > SHOWN:
        out.print(Text(f"and {len(every) - SHOWN:,} more (--json, --csv FILE)", style=QUIET))
    out.print(LEGEND, soft_wrap=True)
    out.print()
    for one in waves:
        out.print(wave_line(one), soft_wrap=True)
    for line in _explained([one for one in every if one.score is not None and one.score.rating in LOW]):
        out.print(line, soft_wrap=True)


def wave_line(one: WaveScores) -> Text:
    """Return the rating of a wave, and how many mailboxes have each rating."""
    rating = one.score.rating
    line = Text(f"wave {one.wave}: ")
    line.append(one.rating, style=QUIET if rating is None else COLOURS[rating])
    return line.append(f" ({one.counts})")


def _cells(one: Scored, with_wave: bool) -> list[str | Text]:
    head: list[str | Text] = [one.row.id, *([one.row.wave] if with_wave else [])]
    if one.score is None:
        return [*head, Text(one.missing, style=QUIET), *["-"] * len(COUNTS)]
    rating = one.score.rating
    return [
        *head,
        Text(str(rating), style=COLOURS[rating]),
        *(f"{count:,}" for count in counts_of(one.score).values()),
    ]


def _explained(low: Sequence[Scored]) -> Iterator[str]:
    """Yield why each of these is low, and then what each reason means."""
    if not low:
        return
    yield ""
    for one in low[:SHOWN]:
        kinds = dict.fromkeys(each.workload for each in one.lowering)
        parts = [f"{kind}: {_listed([a for a in one.lowering if a.workload is kind])}" for kind in kinds]
        rating = "" if one.score is None else one.score.rating
        yield f"{one.row.id} is {rating}. {'. '.join(parts)}"
    yield ""
    counts: Counter[Reason] = Counter()
    for one in low:
        for each in one.lowering:
            counts[Reason(each.workload, each.field, each.code, 0)] += each.items
    for each, count in sorted(counts.items(), key=lambda pair: (pair[0].field is not None, -pair[1])):
        yield f"{each.workload}: {_name(each)} ({count:,}): {explained(each)}"
