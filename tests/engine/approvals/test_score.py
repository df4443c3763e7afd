"""The rule of a score, of a mailbox and of a wave."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from engine.approvals.score import RANKS, Rating, Score, score_of, wave_score
from ledger.db.rows import State
from ledger.views.scores import Counts, ScoreCounts
from mappings.losses.catalogue import LOSSES
from mappings.losses.severity import Class, class_of, losses_of
from model.kinds import Kind


def of(verified: int, rejected: int = 0, lacking: int = 0) -> Rating:
    states = Counter({State.VERIFIED: verified, State.REJECTED: rejected, State.SKIPPED: 7, State.GONE: 9})
    part = ScoreCounts(states, Counter({RANKS.index(Class.CONTENT): lacking}))
    return score_of(Counts(defaultdict(ScoreCounts, {Kind.MAIL: part}), True)).rating


@pytest.mark.parametrize(
    ("verified", "rejected", "lacking", "rating"),
    [
        (1000, 0, 0, Rating.PERFECT),
        (0, 0, 0, Rating.PERFECT),
        (1000, 0, 1, Rating.GOOD),
        (1000, 0, 10, Rating.GOOD),
        (999, 1, 0, Rating.GOOD),
        (998, 2, 0, Rating.INVESTIGATE),
        (1000, 0, 11, Rating.INVESTIGATE),
        (1000, 0, 50, Rating.INVESTIGATE),
        (990, 10, 0, Rating.INVESTIGATE),
        (989, 11, 0, Rating.POOR),
        (1000, 0, 51, Rating.POOR),
        (0, 1, 0, Rating.POOR),
        (10_000_000, 1, 0, Rating.GOOD),
    ],
)
def test_ratings(verified: int, rejected: int, lacking: int, rating: Rating) -> None:
    assert of(verified, rejected, lacking) is rating


def test_parts_add_up_and_only_lost_content_counts() -> None:
    calendar = ScoreCounts(Counter({State.VERIFIED: 3, State.REJECTED: 1}), Counter({0: 1, 1: 1, 2: 1}))
    mail = ScoreCounts(Counter({State.VERIFIED: 5, State.WRITTEN: 1, State.SKIPPED: 2}), Counter({1: 4}))
    score = score_of(Counts(defaultdict(ScoreCounts, {Kind.CALENDAR: calendar, Kind.MAIL: mail}), True))
    assert (score.items, score.arrived, score.lacking) == (10, 9, 1)
    assert [(part.workload, part.items, part.arrived) for part in score.parts] == [
        (Kind.MAIL, 6, 6),
        (Kind.CALENDAR, 4, 3),
    ]
    assert {kind: score.lost(kind) for kind in Class} == {
        Class.CONTENT: 1,
        Class.FUNCTIONAL: 5,
        Class.COSMETIC: 1,
    }


def test_a_wave_is_no_better_than_its_worst_mailbox() -> None:
    found = {
        "m-1": Score(100, 100, 0),
        "m-2": Score(1000, 1000, 3),
        "m-3": Score(100, 99, 0),
        "m-4": Score(1000, 1000, 30),
        "m-5": Score(1000, 1000, 40),
    }
    wave = wave_score(found)
    assert wave.rating is Rating.INVESTIGATE
    assert list(wave.distribution.items()) == [
        (Rating.PERFECT, 1),
        (Rating.GOOD, 1),
        (Rating.INVESTIGATE, 3),
        (Rating.POOR, 0),
    ]
    assert wave.worst == ["m-3", "m-5", "m-4"], "the worst first"


def test_a_perfect_wave_has_no_worst_mailbox_and_an_unscored_one_no_rating() -> None:
    assert wave_score({"m-1": Score(1, 1, 0)}).worst == []
    assert wave_score({"m-1": Score(1, 1, 0)}).rating is Rating.PERFECT
    empty = wave_score({})
    assert (empty.rating, sum(empty.distribution.values()), empty.worst) == (None, 0, [])


def test_a_wave_with_a_mailbox_without_a_score_has_no_rating() -> None:
    found = {"m-1": Score(100, 100, 0), "m-2": Score(100, 99, 0)}
    wave = wave_score(found, 1)
    assert (wave.rating, wave.unscored, wave.worst) == (None, 1, ["m-2"])
    assert [wave.distribution[one] for one in Rating] == [1, 0, 1, 0]
    assert wave_score({"m-1": Score(1, 1, 0)}, 1).rating is None, "nobody knows whether it is worse"


def test_every_loss_has_one_class() -> None:
    assert sum(len(losses_of(kind)) for kind in Class) == len(LOSSES), "one stands in two classes"


@pytest.mark.parametrize(
    ("field", "reason", "kind"),
    [
        ("attachment", "not-readable", Class.CONTENT),
        ("attachment", "not-in-text", Class.FUNCTIONAL),
        ("flags", "keyword-not-kept", Class.FUNCTIONAL),
        ("body", "bare-lf", Class.COSMETIC),
        ("body", "of-another-version", Class.CONTENT),
    ],
)
def test_classes(field: str, reason: str, kind: Class) -> None:
    assert class_of(field, reason) is kind
