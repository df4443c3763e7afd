"""What the processes of a rehearsal cost: CPU and memory by role, read from /proc.

A process has the role of the one that was started for it, also when that one dies first. What it used
counts as long as it runs, and then within its parent of the same role, which was told when it waited for it;
of one that had no such parent, what was seen last.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PARTED = frozenset({"worker", "postgres"})

Key = tuple[int, str]
"""Process id and start time: ids are used again."""


@dataclass(frozen=True, slots=True)
class Process:
    """ticks: of the process; waited: of the children it has waited for."""

    key: Key
    parent: int
    ticks: int
    waited: int
    memory: int


@dataclass(slots=True)
class Meter:
    """roots: role -> the processes started for it. past: ticks of processes that are gone; peak: bytes."""

    past: Counter[str] = field(default_factory=Counter)
    peak: dict[str, int] = field(default_factory=dict)
    largest: dict[str, int] = field(default_factory=dict)
    _seen: dict[Key, tuple[str, Process]] = field(default_factory=dict)

    def sample(self, roots: Mapping[str, Iterable[int]]) -> None:
        """To be called often, and right before a process is killed."""
        alive = {one.key[0]: one for one in processes()}
        roles = {pid: role for role, pids in roots.items() for pid in pids}
        now: dict[Key, tuple[str, Process]] = {}
        for one in alive.values():
            role = self._role(one, alive, roles)
            if role is not None:
                # what has parts is told of children that count for themselves
                used = one.ticks + (0 if role in PARTED else one.waited)
                now[one.key] = (role, replace(one, ticks=used))
        held = {(role, one.key[0]) for role, one in now.values()}
        for key, (role, one) in self._seen.items():
            if key not in now and (role, one.parent) not in held:
                self.past[role] += one.ticks
        self._seen = now
        self._note_memory()

    def _role(self, one: Process, alive: Mapping[int, Process], roles: Mapping[int, str]) -> str | None:
        known = self._seen.get(one.key)
        if known is not None:
            return known[0]
        upward: Process | None = one
        while upward is not None:
            if upward.key[0] in roles:
                return _part(roles[upward.key[0]], one.key[0], is_root=upward is one)
            upward = alive.get(upward.parent)
        return None

    def _note_memory(self) -> None:
        for role, one in self._seen.values():
            self.largest[role] = max(self.largest.get(role, 0), one.memory)
        for role, size in self.memory().items():
            self.peak[role] = max(self.peak.get(role, 0), size)

    def memory(self) -> dict[str, int]:
        """As it was last seen, by role."""
        sums: Counter[str] = Counter()
        for role, one in self._seen.values():
            sums[role] += one.memory
        return dict(sums)

    def seconds(self) -> dict[str, float]:
        """CPU by role, so far."""
        total = Counter(self.past)
        for role, one in self._seen.values():
            total[role] += one.ticks
        return {role: ticks / TICKS for role, ticks in sorted(total.items())}

    def keep(self) -> dict[str, dict[str, int]]:
        """All that another meter needs to go on, once these processes are gone."""
        ticks = {role: round(seconds * TICKS) for role, seconds in self.seconds().items()}
        return {"ticks": ticks, "peak": self.peak, "largest": self.largest}

    @classmethod
    def kept(cls, state: Mapping[str, Mapping[str, int]]) -> Meter:
        return cls(
            Counter(dict(state.get("ticks", {}))), dict(state.get("peak", {})), dict(state.get("largest", {}))
        )


def _part(role: str, pid: int, *, is_root: bool) -> str:
    """A worker's children run the flows; PostgreSQL says whom a process serves."""
    if role == "worker" and not is_root:
        return "batch"
    if role == "postgres":
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").split()
        except OSError:
            return role
        if words[:2] == [b"postgres:", b"kogge"] and len(words) > 2:
            return f"postgres-{words[2].decode()}"
    return role


def processes() -> Iterable[Process]:
    for name in os.listdir("/proc"):  # noqa: PTH208 (as often as once a second)
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_text()
            except OSError:
                continue
            fields = stat.rpartition(")")[2].split()
            own, system, theirs, their_system = map(int, fields[11:15])
            key, memory = (int(name), fields[19]), int(fields[21]) * PAGE
            yield Process(key, int(fields[1]), own + system, theirs + their_system, memory)
