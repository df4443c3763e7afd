"""When a wave may run: its window, its first moment, whether it is paused.

A window is open by the clock on the wall: of an hour that a night in October has twice, both; of one that a
night in March has not, nothing. A span that crosses midnight belongs to the day on which it begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from engine.config.load import Config
from engine.config.maintenance_windows import DAY, WindowSettings, WindowSpan
from ledger.plan.wave_control import overridden
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Misconfigured, Transient

CLOSED, PAUSED = "window-closed", "paused"
AHEAD = 9
"""Days after which a window has done all that it does in a week, whatever the clocks did meanwhile."""


@dataclass(frozen=True, slots=True)
class Window:
    """A pure calendar. Instants are aware; those it gives are UTC."""

    spans: tuple[WindowSpan, ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: WindowSettings) -> Window:
        return cls(settings.parsed(), ZoneInfo(settings.timezone))

    def is_open(self, at: datetime) -> bool:
        local = at.astimezone(self.zone)
        today, minute = local.weekday(), local.hour * 60 + local.minute
        return any(
            (today in span.days and span.begins <= minute < span.ends)
            or ((today - 1) % 7 in span.days and minute + DAY < span.ends)
            for span in self.spans
        )

    def changes(self, after: datetime) -> datetime | None:
        """The first moment later than `after` at which it opens or closes; None: it never does."""
        was = self.is_open(after)
        worker_slots = sorted(set(self._worker_slots(after)))
        return next((turn for turn in worker_slots if turn > after and self.is_open(turn) != was), None)

    def opens(self, at: datetime) -> datetime | None:
        """`at` while it is open, else when it opens next."""
        return at if self.is_open(at) else self.changes(at)

    def closes(self, at: datetime) -> datetime | None:
        """While it is open, when it closes; `at` while it is closed. None: it never closes."""
        return self.changes(at) if self.is_open(at) else at

    def _worker_slots(self, after: datetime) -> Iterator[datetime]:
        """Every moment at which it could open or close."""
        midnight = after.astimezone(self.zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        edges = {edge for span in self.spans for edge in (span.begins, span.ends)}
        for day in range(-2, AHEAD):
            for edge in edges:
                wall = midnight + timedelta(days=day, minutes=edge)
                for fold in (0, 1):
                    yield wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)
            begin = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(days=day)
            yield from self._jumps(begin, begin + timedelta(days=1))

    def _jumps(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """The minute in which the zone's clock is put forward or back, if that is between the two."""
        if self._offset(begin) == self._offset(end):
            return
        while end - begin > timedelta(minutes=1):
            middle = (begin + (end - begin) / 2).replace(second=0, microsecond=0)
            if self._offset(middle) == self._offset(begin):
                begin = middle
            else:
                end = middle
        yield end

    def _offset(self, at: datetime) -> timedelta | None:
        return at.astimezone(self.zone).utcoffset()


@dataclass(frozen=True, slots=True)
class Opening:
    """When a wave may run. overridden: when a person last said that it may run outside of its hours; that
    holds until they begin the next time."""

    wave: str
    starts: datetime | None = None
    window: Window | None = None
    margin: timedelta = timedelta()
    paused: bool = False
    overridden: datetime | None = None

    def planned_at(self, now: datetime) -> bool:
        """Whether the plan lets it run, whatever people said since."""
        started = self.starts is None or now >= self.starts
        return started and (self.window is None or self.window.is_open(now))

    def open_at(self, now: datetime) -> bool:
        return not self.paused and (self.planned_at(now) or self._waived(now))

    def begins_at(self, now: datetime) -> bool:
        """Whether another mailbox may begin: not just before it closes."""
        closes = self.closes(now)
        return self.open_at(now) and (closes is None or now < closes - self.margin)

    def closes(self, now: datetime) -> datetime | None:
        """When it closes, `now` if it is closed; None: never, or not before somebody pauses it."""
        if not self.open_at(now):
            return now
        if self.window is None or self._waived(now):
            return None
        return self.window.closes(now)

    def opens(self, now: datetime) -> datetime | None:
        """When the plan lets it run the next time, `now` if it does; None: never."""
        from_then = now if self.starts is None else max(now, self.starts)
        return from_then if self.window is None else self.window.opens(from_then)

    def refusal(self, now: datetime) -> str | None:
        """The code why nothing may begin."""
        if self.paused:
            return PAUSED
        return None if self.begins_at(now) else CLOSED

    def _waived(self, now: datetime) -> bool:
        """What was said while the window was open (because it was about to close) holds over the hours after
        that; what was said while it was closed, for the rest of them. When it was said is told by the
        database's clock, which may be ahead of this one."""
        said = self.overridden
        if said is None:
            return False
        if self.planned_at(said) and self.window is not None:
            closed = self.window.closes(said)
            said = said if closed is None else closed
        until = self.opens(said)
        return until is None or now < until


def gate_of(config: Config, ledger: Ledger, wave: str) -> Opening:
    """Raises Misconfigured when the wave's window is none of the configuration's."""
    row = Waves(ledger).read(wave)
    settings = _settings(config, row)
    starts = None if row.starts is None else datetime.fromtimestamp(row.starts, UTC)
    opening = Opening(
        wave,
        starts,
        None if settings is None else Window.of(settings),
        timedelta(minutes=settings.last_start_minutes) if settings else timedelta(),
        row.paused,
    )
    if starts is None and settings is None:
        return opening
    said = overridden(ledger, wave)
    at = None if said is None else datetime.fromtimestamp(said, UTC)
    return Opening(wave, starts, opening.window, opening.margin, row.paused, at)


def _settings(config: Config, row: WaveRow) -> WindowSettings | None:
    if row.window is None:
        return None
    if row.window not in config.windows:
        raise Misconfigured(f"[windows.{row.window}]", f"is missing, and wave {row.name} is to run in it")
    return config.windows[row.window]


def refuse_closed(config: Config, ledger: Ledger, wave: str, now: datetime) -> None:
    """Raises Transient("window-closed" | "paused"), saying when the wave may run; Misconfigured."""
    opening = gate_of(config, ledger, wave)
    code = opening.refusal(now)
    if code is not None:
        raise Transient(code, told(opening, now))


def told(opening: Opening, now: datetime) -> str:
    """Why a wave may not run, and when it may, for a person."""
    if opening.paused:
        return f"wave {opening.wave} is paused; `kogge resume --wave {opening.wave}` lets it go on"
    closes = opening.closes(now)
    opens = opening.opens(now if closes is None else closes)
    if opens is None:
        return f"wave {opening.wave} has a window that never opens"
    zone = UTC if opening.window is None else opening.window.zone
    return f"wave {opening.wave} may run from {opens.astimezone(zone):%a %Y-%m-%d %H:%M %Z}; or with --now"
