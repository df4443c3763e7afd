"""The waves of a rehearsal, run by the command that an operator types, until all mailboxes are sealed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, text

from rehearsal.crew import Child

KOGGE = str(Path(sys.executable).with_name("kogge"))
AT_ONCE = 2
"""While the last mailboxes of a wave are under way, the next one has begun."""

WAVES = text(
    "SELECT m.wave, l.state, count(*), sum(l.done) FROM leg l JOIN mailbox m ON m.id = l.mailbox"
    " GROUP BY m.wave, l.state"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one wave, by the ledger: legs by state, and items that have a fate."""

    legs: Mapping[str, int] = field(default_factory=dict)
    done: int = 0

    @property
    def sealed(self) -> bool:
        return bool(self.legs) and set(self.legs) == {"verified"}


def progress(engine: Engine) -> dict[str, Progress]:
    legs: dict[str, dict[str, int]] = {}
    done: dict[str, int] = {}
    with engine.connect() as connection:
        for wave, state, count, items in connection.execute(WAVES):
            legs.setdefault(wave, {})[state] = count
            done[wave] = done.get(wave, 0) + int(items or 0)
    return {wave: Progress(states, done[wave]) for wave, states in legs.items()}


@dataclass(slots=True)
class Run:
    """A wave's command at work. since: when it last got further."""

    child: Child
    seen: Progress = field(default_factory=Progress)
    since: float = field(default_factory=time.monotonic)

    def look(self, now: Progress) -> float:
        """For how many seconds nothing has happened."""
        if (now.legs, now.done) != (self.seen.legs, self.seen.done):
            self.seen, self.since = now, time.monotonic()
        return time.monotonic() - self.since


@dataclass(slots=True)
class Waves:
    """Begins each wave's command once, as an operator who then goes home; what ends early stays as it is.

    names: all of them, in their order. patience: see rehearsal.size.Size. begun: commands that were begun, by
    wave; unfinished: waves whose command ended, or stood still, before all was done. The place keeps both: a
    command that went down with the rehearsal itself is begun again, and one that ended by itself is not.
    options: of the command.
    """

    names: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    patience: float
    begun: Counter[str]
    unfinished: list[str]
    options: Sequence[str] = ("--rest",)
    running: dict[str, Run] = field(default_factory=dict)
    _ahead: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ahead = [name for name in self.names if name not in self.unfinished]

    def turn(self, known: Mapping[str, Progress]) -> bool:
        """Begins what is next; returns whether all commands have ended."""
        for wave, run in list(self.running.items()):
            if run.child.alive() and run.look(known.get(wave, Progress())) <= self.patience:
                continue
            run.child.stop()
            del self.running[wave]
            if run.child.code != 0:
                self.unfinished.append(wave)
        while self._ahead and len(self.running) < AT_ONCE:
            self._begin(self._ahead.pop(0))
        return not self.running

    def _begin(self, wave: str) -> None:
        log = self.directory / "logs" / f"migrate-{wave}.log"
        words = (KOGGE, "migrate", "--wave", wave, *self.options, "--json")
        child = Child(f"migrate {wave}", words, self.environment, self.directory, log)
        child.start()
        self.begun[wave] += 1
        self.running[wave] = Run(child)

    def pids(self) -> list[int]:
        return [run.child.pid for run in self.running.values()]

    def popen(self) -> list[subprocess.Popen[bytes] | None]:
        return [run.child.process for run in self.running.values()]

    def stop(self) -> None:
        for run in self.running.values():
            run.child.stop()
        self.running.clear()
