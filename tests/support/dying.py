"""A worker dies at a step of a run, and another one finishes: for the crash tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from walking import Died, Trial

from ledger.db.rows import LegState, State

Scene = Callable[[Path], Trial]
"""Makes a trial in a new directory, up to the run that is to be interrupted."""

VERBS = ("write", "append", "amend", "move", "remove", "ensure", "rename", "clear", "stamp", "label")
LASTING = {f"target.{verb} done" for verb in VERBS}


class Countdown:
    """Dies at the n-th step, and stays dead; notes the steps of a run that is not interrupted."""

    def __init__(self, die_at: int | None = None) -> None:
        self.steps: list[str] = []
        self._die_at = die_at

    def __call__(self, name: str = "commit") -> None:
        self.steps.append(name)
        if self._die_at is not None and len(self.steps) >= self._die_at:
            raise Died

    def moments(self, every: bool) -> list[int]:
        """At which steps to die: every one, or those right after something lasting was done."""
        before = ["commit", *self.steps]
        numbers = range(1, len(self.steps) + 1)
        return [
            number
            for number in numbers
            if every or self.steps[number - 1] in LASTING or before[number - 1] == "commit"
        ]


def interrupted(trial: Trial, die_at: int) -> bool:
    """Whether the run died (the countdown may be longer than the run)."""
    countdown = Countdown(die_at)
    quiet = trial.commits(countdown)
    try:
        trial.run(countdown)
    except Died:
        return True
    finally:
        quiet()
    return False


def die_everywhere(directory: Path, scene: Scene, *, every: bool) -> int:
    """Returns how often there was a moment to die at."""
    start = scene(directory / "start")
    calm = start.copy(directory / "calm")
    count = Countdown()
    quiet = calm.commits(count)
    assert calm.run(count).state is LegState.VERIFIED
    quiet()
    wanted, states = calm.store.snapshot(), calm.states()
    moments = count.moments(every)
    for number in moments:
        trial = start.copy(directory / str(number))
        assert interrupted(trial, number)
        result = trial.finish()
        where = f"died at step {number} of {len(count.steps)}"
        assert (result.state, result.code) == (LegState.VERIFIED, None), where
        assert trial.store.snapshot() == wanted, where
        assert trial.states()[State.VERIFIED] == states[State.VERIFIED], where
        trial.discard()
    return len(moments)
