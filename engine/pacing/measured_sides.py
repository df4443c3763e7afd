"""Put the wrappers around both sides of a leg. Every leg gets them here, whoever runs it.

A leg that takes its turn among others shares the meters of its servers (engine.pacing.admission). Any other
leg has meters of its own, which nobody reads: it goes through the same wrappers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from engine.pacing.call_metrics import Meter, metered

if TYPE_CHECKING:
    from engine.context.leg_context import Opener

T = TypeVar("T")


def measured(opener: Opener, source: Meter | None, target: Meter) -> Opener:
    """Return an opener whose sides have the same calls, measured.

    Args:
        opener: opens both sides.
        source: measures the calls to the source; None if the leg asks none.
        target: measures the calls to the target.
    """
    return replace(
        opener,
        source=opener.source if source is None else lambda: _open(opener.source, source),
        target=lambda guard, moment: _open(lambda: opener.target(guard, moment), target),
    )


def measured_alone(opener: Opener) -> Opener:
    """Return an opener whose sides have the same calls, with meters of their own."""
    return measured(opener, Meter(), Meter())


def _open(opens: Callable[[], T], meter: Meter) -> T:
    """Open a side; measure the call.

    A side asks nothing before its first call. If opening counted as an answer, a server that answers nothing
    would seem to be well.
    """
    return metered(meter.timed(opens, calls=0), meter)
