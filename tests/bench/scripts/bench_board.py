"""What was measured, as one table and as build/bench.json."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Goal:
    """limit bounds the ratio where there is a reference, else our own figure; least: from below."""

    title: str
    unit: str
    limit: float
    least: bool


GOALS = {
    "imap-vs-bare": Goal("IMAP copy / bare loop", "messages/s", 0.65, least=True),
    "imap-vs-mbsync": Goal("IMAP copy / mbsync", "messages/s", 2.0, least=True),
    "imap-verified-vs-mbsync": Goal("IMAP copy and verification / mbsync", "messages/s", 1.0, least=True),
    "imap-30ms-vs-bare": Goal("IMAP copy, 30 ms away / pipelined loop", "messages/s", 0.9, least=True),
    "imap-30ms-vs-simple": Goal("IMAP copy, 30 ms away / bare loop", "messages/s", 1.0, least=True),
    "imap-30ms-vs-mbsync": Goal("IMAP copy, 30 ms away / mbsync", "messages/s", 2.0, least=True),
    "imap-idle-vs-mbsync": Goal("IMAP pass with nothing new / mbsync", "passes/s", 1.0, least=True),
    "idle-mailbox-cpu-ms": Goal("CPU of a small mailbox, nothing new", "ms", 30.0, least=False),
    "ews-cpu-ms-per-message": Goal("EWS copy, CPU of the client", "ms/message", 1.0, least=False),
    "memory-100k-folder-mb": Goal("peak memory, 100,000 messages", "MB", 250.0, least=False),
    "memory-150mb-message-mb": Goal("peak memory, one message of 150 MB", "MB", 250.0, least=False),
    "caldav-vs-bare": Goal("CalDAV copy / bare loop of PUTs", "events/s", 0.9, least=True),
    "carddav-vs-bare": Goal("CardDAV copy / bare loop of PUTs", "cards/s", 0.9, least=True),
    "caldav-vs-vdirsyncer": Goal("CalDAV copy / vdirsyncer", "events/s", 1.0, least=True),
    "event-cpu-ms": Goal("CPU to map an event and digest its meaning", "ms/event", 0.8, least=False),
    "files-small-vs-rclone": Goal("1,000 files of 10 KB / rclone", "files/s", 1.0, least=True),
    "files-small-vs-bare-bulk": Goal("1,000 files of 10 KB / bare bulk uploads", "files/s", 0.85, least=True),
    "files-large-vs-bare": Goal("10 files of 100 MB / bare PUTs", "MB/s", 0.9, least=True),
    "memory-files-mb": Goal("peak memory, a file of 10 GB", "MB", 250.0, least=False),
    "memory-10gb-file-mb": Goal("memory added by a file of 10 GB", "MB", 150.0, least=False),
    "status-start-s": Goal("`kogge status`, one mailbox", "seconds", 0.5, least=False),
    "migrate-start-cpu-s": Goal("`kogge migrate`, nothing new", "CPU seconds", 1.5, least=False),
    "scale-2-workers": Goal("two workers / twice one worker", "mailboxes/s", 0.85, least=True),
    "ledger-bytes-per-item": Goal("ledger on disk", "bytes/item", 350.0, least=False),
    "evidence-write-per-s": Goal("evidence, written", "items/s", 15_000.0, least=True),
    "evidence-verify-per-s": Goal("evidence, verified", "items/s", 100_000.0, least=True),
    "memory-evidence-mb": Goal("peak memory, 1,000,000 items verified", "MB", 300.0, least=False),
}


@dataclass(frozen=True, slots=True)
class Figure:
    ours: float
    reference: float | None = None
    ratio: float | None = None

    def meets(self, goal: Goal) -> bool:
        value = self.ours if self.ratio is None else self.ratio
        return value >= goal.limit if goal.least else value <= goal.limit


@dataclass
class Board:
    """figures by the names of GOALS; notes say where time went. machine: see loop_seconds."""

    figures: dict[str, Figure] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)
    machine: float = field(default_factory=lambda: loop_seconds())

    def put(self, name: str, ours: float, reference: float | None = None, ratio: float | None = None) -> None:
        assert name in GOALS, "an unknown figure"
        self.figures[name] = Figure(ours, reference, ratio)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        found: dict[str, object] = {
            name: {
                "ours": round(one.ours, 3),
                "reference": None if one.reference is None else round(one.reference, 3),
                "ratio": None if one.ratio is None else round(one.ratio, 3),
                "unit": GOALS[name].unit,
            }
            for name, one in self.figures.items()
        }
        found["machine"] = {"loop-cpu-s": round(self.machine, 3)}
        path.write_text(json.dumps(found, indent=2) + "\n")

    def show(self) -> None:
        console = Console(width=120)
        table = Table("measure", "ours", "reference", "unit", "ratio", "goal", "")
        for name, one in self.figures.items():
            goal = GOALS[name]
            table.add_row(
                goal.title,
                _number(one.ours),
                _number(one.reference),
                goal.unit,
                "" if one.ratio is None else f"{one.ratio:.2f}",
                f"{'≥' if goal.least else '≤'} {goal.limit:g}",
                "met" if one.meets(goal) else "NOT MET",
            )
        console.print()
        console.print(table)
        for title, text in self.notes:
            console.print(f"{title}: {text}")
        console.print(
            f"this machine: {self.machine:.2f} CPU seconds for the loop of bench_board.loop_seconds"
        )


def loop_seconds() -> float:
    """How slow this machine is: the least CPU seconds of three for a fixed piece of work in one thread.

    Figures in seconds of two machines can be compared after dividing them by this.
    """
    taken = []
    for _ in range(3):
        began = time.process_time()
        record = {str(number): [number, number * 0.5, "text" * 4] for number in range(2_000)}
        for _ in range(200):
            hashlib.sha256(json.dumps(record).encode()).digest()
            record = dict(sorted(record.items(), key=lambda pair: pair[1]))
        taken.append(time.process_time() - began)
    return min(taken)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2f}"
