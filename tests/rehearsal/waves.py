"""The waves of a rehearsal, run by the command that an operator types, until all mailboxes are sealed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine, text

from rehearsal.crew import Child

KOGGE = str(Path(sys.executable).with_name("kogge"))
AT_ONCE = 2
"""While the last mailboxes of a wave are under way, the next one has begun."""
LINGER = 20.0
"""Seconds that a command may take to see that its wave is done."""
PAUSE = 2.0
RETRY = frozenset({"blocked", "differs"})
"""States of a leg that only `kogge retry` sends back to the queue."""

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
    """names: all of them, in their order. stalled: see rehearsal.size.Size. restarts: how often one
    was started again."""

    names: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    stalled: float
    restarts: int = 0
    running: dict[str, Run] = field(default_factory=dict)
    _ended: dict[str, float] = field(default_factory=dict)

    def turn(self, known: Mapping[str, Progress]) -> bool:
        """Ends what is done or stuck, starts what is next; returns whether all are sealed."""
        for wave, run in list(self.running.items()):
            now = known.get(wave, Progress())
            idle = run.look(now)
            if not run.child.alive() or idle > (LINGER if now.sealed else self.stalled):
                run.child.stop()
                del self.running[wave]
                self._ended[wave] = time.monotonic()
        left = [name for name in self.names if not known.get(name, Progress()).sealed]
        for wave in left[:AT_ONCE]:
            if wave not in self.running and len(self.running) < AT_ONCE and self._rested(wave):
                self._start(wave, known.get(wave, Progress()))
        return not left and not self.running

    def _rested(self, wave: str) -> bool:
        return time.monotonic() - self._ended.get(wave, -PAUSE) >= PAUSE

    def _start(self, wave: str, known: Progress) -> None:
        if wave in self._ended:
            self.restarts += 1
        if RETRY & set(known.legs):
            self._child("retry", wave).start_and_wait(60.0)
        child = self._child("migrate", wave)
        child.start()
        self.running[wave] = Run(child)

    def _child(self, command: str, wave: str) -> Child:
        log = self.directory / "logs" / f"{command}-{wave}.log"
        more = ("--rest", "--json") if command == "migrate" else ()
        words = (KOGGE, command, "--wave", wave, *more)
        return Child(f"{command} {wave}", words, self.environment, self.directory, log)

    def pids(self) -> list[int]:
        return [run.child.pid for run in self.running.values()]

    def popen(self) -> list[subprocess.Popen[bytes] | None]:
        return [run.child.process for run in self.running.values()]

    def stop(self) -> None:
        for run in self.running.values():
            run.child.stop()
        self.running.clear()
