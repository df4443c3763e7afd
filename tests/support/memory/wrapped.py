"""Put the wrappers of production around the sides of a test."""

from __future__ import annotations

from dataclasses import replace

from engine.context.leg_context import Opener
from engine.opening.one_answer import one_answer
from engine.pacing.measured_sides import measured_alone


def wrapped(opener: Opener) -> Opener:
    """Return an opener whose sides have those of engine.opening.open_sides, and those of each leg."""
    return measured_alone(
        replace(
            opener,
            source=lambda: one_answer(opener.source()),
            target=lambda guard, moment: one_answer(opener.target(guard, moment)),
        )
    )
