"""The rule of a score."""

from __future__ import annotations

from collections import Counter

import pytest

from flows.score import Rating, score_of
from ledger.rows import State
from ledger.scores import Counts
from mappings.losses import LOSSES
from mappings.losses_classes import CLASSES, FIELDS, Class, class_of


def of(verified: int, rejected: int = 0, lacking: int = 0) -> Rating:
    states = Counter({State.VERIFIED: verified, State.REJECTED: rejected, State.SKIPPED: 7, State.GONE: 9})
    return score_of(Counts(states, lacking)).rating


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
    ],
)
def test_ratings(verified: int, rejected: int, lacking: int, rating: Rating) -> None:
    assert of(verified, rejected, lacking) is rating


def test_every_loss_has_one_class() -> None:
    assert CLASSES.keys() == LOSSES.keys()
    named = [
        (name, one) for fields in FIELDS.values() for name, text in fields.items() for one in text.split()
    ]
    assert len(named) == len(CLASSES), "one stands in two classes"


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
