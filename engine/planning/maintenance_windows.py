"""Decide when a wave may run: its maintenance window, its first moment, whether it is paused.

A window is open by the clock on the wall. Of an hour that a night in October has twice, both count; of one
that a night in March does not have, nothing does. A span that crosses midnight belongs to the day on which it
begins.
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
"""Days after which a window has done everything that it does in a week, whatever the clocks did meanwhile."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hold a pure calendar of openings. Instants are aware; those that it returns are UTC.

    Attributes:
        spans: the spans of a week in which it is open.
        zone: the zone of the clock.
    """

    spans: tuple[WindowSpan, ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: WindowSettings) -> Window:
        """Return the window of these settings."""
        return cls(settings.parsed(), ZoneInfo(settings.timezone))

    def is_open(self, at: datetime) -> bool:
        """Return True if the window is open at this moment."""
        local = at.astimezone(self.zone)
        today, minute = local.weekday(), local.hour * 60 + local.minute
        return any(
            (today in span.days and span.begins <= minute < span.ends)
            or ((today - 1) % 7 in span.days and minute + DAY < span.ends)
            for span in self.spans
        )

    def changes(self, after: datetime) -> datetime | None:
        """Return the first moment later than `after` at which it opens or closes; None if it never does."""
        was = self.is_open(after)
        moments = sorted(set(self._moments(after)))
        return next((turn for turn in moments if turn > after and self.is_open(turn) != was), None)

    def opens(self, at: datetime) -> datetime | None:
        """Return `at` if it is open then, else when it opens next; None if it never does."""
        return at if self.is_open(at) else self.changes(at)

    def closes(self, at: datetime) -> datetime | None:
        """Return when it closes, if it is open at `at`; `at` if it is closed then.

        None if it never closes.
        """
        return self.changes(at) if self.is_open(at) else at

    def _moments(self, after: datetime) -> Iterator[datetime]:
        """Yield every moment at which it could open or close."""
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
        """Yield the minute in which the zone's clock is put forward or back, if it lies between the two."""
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
    """Say when a wave may run.

    Attributes:
        wave: the name of the wave.
        starts: its first moment; None if it has none.
        window: its maintenance window; None if it has none.
        margin: how long before the window closes no mailbox begins any more.
        paused: True if a person paused it.
        overridden: when a person last allowed it to run outside its window; that holds until the window next
            opens.
    """

    wave: str
    starts: datetime | None = None
    window: Window | None = None
    margin: timedelta = timedelta()
    paused: bool = False
    overridden: datetime | None = None

    def planned_at(self, now: datetime) -> bool:
        """Return True if the plan lets it run, whatever people said since."""
        started = self.starts is None or now >= self.starts
        return started and (self.window is None or self.window.is_open(now))

    def open_at(self, now: datetime) -> bool:
        """Return True if it may run."""
        return not self.paused and (self.planned_at(now) or self._waived(now))

    def begins_at(self, now: datetime) -> bool:
        """Return True if another mailbox may begin: not just before the window closes."""
        closes = self.closes(now)
        return self.open_at(now) and (closes is None or now < closes - self.margin)

    def closes(self, now: datetime) -> datetime | None:
        """Return when it closes; `now` if it is closed.

        None if it never closes, or only when a person pauses it.
        """
        if not self.open_at(now):
            return now
        if self.window is None or self._waived(now):
            return None
        return self.window.closes(now)

    def opens(self, now: datetime) -> datetime | None:
        """Return when the plan lets it run next; `now` if it does. None if it never does."""
        from_then = now if self.starts is None else max(now, self.starts)
        return from_then if self.window is None else self.window.opens(from_then)

    def refusal(self, now: datetime) -> str | None:
        """Return the code why nothing may begin; None if it may."""
        if self.paused:
            return PAUSED
        return None if self.begins_at(now) else CLOSED

    def _waived(self, now: datetime) -> bool:
        """Return True if a person's permission to run outside the window holds now.

        A permission given while the window was open (because it was about to close) holds over the hours
        after that; one given while it was closed, for the rest of them. Its time is that of the database's
        clock, which may be ahead of this one.
        """
        allowed_at = self.overridden
        if allowed_at is None:
            return False
        if self.planned_at(allowed_at) and self.window is not None:
            closed = self.window.closes(allowed_at)
            allowed_at = allowed_at if closed is None else closed
        until = self.opens(allowed_at)
        return until is None or now < until


def gate_of(config: Config, ledger: Ledger, wave: str) -> Opening:
    """Return when a wave may run.

    Raises:
        Misconfigured: if the configuration does not have the wave's window.
    """
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
    allowed_at = overridden(ledger, wave)
    at = None if allowed_at is None else datetime.fromtimestamp(allowed_at, UTC)
    return Opening(wave, starts, opening.window, opening.margin, row.paused, at)


def _settings(config: Config, row: WaveRow) -> WindowSettings | None:
    if row.window is None:
        return None
    if row.window not in config.windows:
        raise Misconfigured(f"[windows.{row.window}]", f"is missing, and wave {row.name} is to run in it")
    return config.windows[row.window]


def refuse_closed(config: Config, ledger: Ledger, wave: str, now: datetime) -> None:
    """Refuse a wave that may not run now.

    Raises:
        Transient: `window-closed` or `paused`, with when the wave may run.
        Misconfigured: if the configuration does not have the wave's window.
    """
    opening = gate_of(config, ledger, wave)
    code = opening.refusal(now)
    if code is not None:
        raise Transient(code, next_opening_text(opening, now))


def next_opening_text(opening: Opening, now: datetime) -> str:
    """Return, for a person, why a wave may not run, and when it may."""
    if opening.paused:
        name = opening.wave
        ui = f'in Prefect the deployment "resume {name}"'
        command = f"kogge resume --wave {name} --by NAME"
        return f"wave {name} is paused; `{command}` lets it go on, {ui}; then start it again"
    closes = opening.closes(now)
    opens = opening.opens(now if closes is None else closes)
    if opens is None:
        return f"wave {opening.wave} has a window that never opens"
    zone = UTC if opening.window is None else opening.window.zone
    return f"wave {opening.wave} may run from {opens.astimezone(zone):%a %Y-%m-%d %H:%M %Z}; or with --now"
