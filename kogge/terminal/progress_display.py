"""The progress of a run: a bar on a terminal, and a line where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ledger.db.rows import NEEDS_PERSON, LegRow, LegState
from model.plural import many
from reports.pace import Pace
from reports.plan_gaps import by_mailbox, is_settled, reason_code
from reports.progress import Snapshot, expected, size

COLOURS = {
    LegState.RUNNING: "cyan",
    LegState.WAITING: "yellow",
    LegState.BLOCKED: "red",
    LegState.COPIED: "blue",
    LegState.VERIFIED: "green",
    LegState.DIFFERS: "red",
}
SHOWN = 8
"""How many mailboxes at work are named."""
WINDOW_SECONDS = 60.0
"""The rate is that of the last minute: a person wants to know how it goes now."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Hold what a snapshot says of a run.

    Attributes:
        whole: how many items there are in all; None while some are neither listed nor counted by `kogge
            check`.
        unlisted: workloads of which it is not known yet what they hold.
        rate: items a second, in the last minute.
        left: seconds until all is copied, at that rate; None if it cannot be known.
        finished: mailboxes of which every workload is verified.
    """

    done: int
    listed: int
    whole: int | None
    unlisted: int
    bytes: int
    rate: float
    left: float | None
    finished: int
    mailboxes: int
    at_work: Mapping[str, tuple[LegRow, ...]]
    stuck: Mapping[str, int]

    @property
    def percent(self) -> int | None:
        """Return how much is copied, from 0 to 100; 100 only if everything is."""
        if self.whole is None:
            return None
        return 100 * self.done // self.whole if self.whole else 0


class Display:
    """Draw successive snapshots of a run. The rate is measured between them."""

    def __init__(self, title: str, checked: Mapping[str, int] | None = None) -> None:
        """Prepare; for `checked` see reports.progress.expected."""
        self._title = title
        self._checked = checked or {}
        self._pace = Pace(WINDOW_SECONDS)

    def look(self, snapshot: Snapshot) -> Progress:
        """Return what the snapshot says, with the rate since the earlier ones."""
        rate = self._pace.add(snapshot.at, snapshot.done) or 0.0
        unlisted = [leg for leg in snapshot.legs if _is_unlisted(leg)]
        unknown = any(leg.mailbox not in self._checked for leg in unlisted)
        whole = expected(snapshot.legs, self._checked) if unlisted else snapshot.items
        left = None if unknown or rate <= 0 or whole <= snapshot.done else (whole - snapshot.done) / rate
        boxes = by_mailbox(snapshot.legs)
        running = {
            mailbox: tuple(leg for leg in legs if leg.state is LegState.RUNNING)
            for mailbox, legs in boxes.items()
        }
        return Progress(
            done=snapshot.done,
            listed=snapshot.items,
            whole=None if unknown else whole,
            unlisted=len(unlisted),
            bytes=snapshot.bytes,
            rate=rate,
            left=left,
            finished=sum(all(map(is_settled, legs)) for legs in boxes.values()),
            mailboxes=len(boxes),
            at_work={mailbox: legs for mailbox, legs in running.items() if legs},
            stuck=Counter(
                reason_code(leg) or str(leg.state)
                for leg in snapshot.legs
                if leg.state in NEEDS_PERSON or leg.withheld is not None
            ),
        )

    def draw(self, snapshot: Snapshot) -> RenderableType:
        """Return the bar, the numbers below it, and the mailboxes at work."""
        now = self.look(snapshot)
        percent = now.percent
        bar = ProgressBar(total=100 if percent is not None else None, completed=percent or 0, width=40)
        head = Table.grid(padding=(0, 2))
        head.add_row(Text(self._title), bar, Text("" if percent is None else f"{percent} %"))
        work = [Text(line, style=COLOURS[LegState.RUNNING]) for line in _work_lines(now)]
        stuck = [Text(line, style=COLOURS[LegState.BLOCKED]) for line in _stuck_lines(now)]
        servers = [Text(line, style=COLOURS[LegState.WAITING]) for line in snapshot.unwell]
        return Group(head, Text(", ".join(_numbers(now, percent=False))), *work, *stuck, *servers)

    def line(self, snapshot: Snapshot) -> str:
        """Return one line, for a log."""
        now = self.look(snapshot)
        names = [f"{mailbox} {_kinds(legs)}" for mailbox, legs in _first(now)]
        work = [f"at work: {', '.join(names)}{_others(now)}"] if names else []
        parts = [", ".join(_numbers(now)), *work, *_stuck_lines(now), *snapshot.unwell]
        return f"{self._title}: {'; '.join(parts)}"


def _is_unlisted(leg: LegRow) -> bool:
    """Return True if it is not listed what the workload holds. What runs may be in the middle of it."""
    return leg.items == 0 and leg.state in (LegState.PENDING, LegState.RUNNING, LegState.WAITING)


def _numbers(now: Progress, *, percent: bool = True) -> Iterator[str]:
    if now.whole is None:
        yield f"{now.done:,} items copied of {now.listed:,} listed so far"
        yield f"{many(now.unlisted, 'workload is', 'workloads are')} not listed yet"
    else:
        share = f" ({now.percent} %)" if percent and now.percent is not None else ""
        yield f"{now.done:,} of {now.whole:,} items{share}"
    yield size(now.bytes)
    if now.rate > 0:
        yield f"{now.rate:,.0f}/s" if now.rate >= 1 else f"{60 * now.rate:,.0f} a minute"
    if now.left is not None:
        yield f"about {_time(now.left)} left"
    elif now.whole is not None and now.done >= now.whole and now.at_work:
        yield "all copied; looking for changes and verifying"
    yield f"{now.finished:,} of {many(now.mailboxes, 'mailbox', 'mailboxes')} verified"


def _time(seconds: float) -> str:
    """Write a time for people: seconds, minutes, hours; never zero while something is left."""
    whole = max(1, round(seconds))
    if whole < 90:
        return many(whole, "second", "seconds")
    minutes = round(whole / 60)
    return many(minutes, "minute", "minutes") if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _first(now: Progress) -> list[tuple[str, tuple[LegRow, ...]]]:
    return list(now.at_work.items())[:SHOWN]


def _others(now: Progress) -> str:
    others = len(now.at_work) - SHOWN
    return f" and {others:,} more" if others > 0 else ""


def _kinds(legs: tuple[LegRow, ...]) -> str:
    return ", ".join(str(leg.workload) for leg in legs)


def _work_lines(now: Progress) -> Iterator[str]:
    for mailbox, legs in _first(now):
        parts = [
            f"{leg.workload} {leg.done:,} of {leg.items:,}" if leg.items else f"{leg.workload}: listing"
            for leg in legs
        ]
        yield f"  {mailbox}  {', '.join(parts)}"
    if others := _others(now):
        yield f"  {others.strip()}"


def _stuck_lines(now: Progress) -> Iterator[str]:
    if now.stuck:
        codes = ", ".join(f"{count:,} {code}" for code, count in sorted(now.stuck.items()))
        yield f"{many(sum(now.stuck.values()), 'workload needs', 'workloads need')} a person: {codes}"
