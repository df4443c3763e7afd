"""The pictures of a report: static SVG, without scripts or the network.

Each has a title and a description, and next to it on the page is a table with the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from markupsafe import Markup

from ledger.views.progress_samples import Beat
from reports.axes import Amounts, Plot, amounts
from reports.data import Fate, WaveReport
from reports.drawing import ACCENT, INK, MUTED, Drawing, width_of
from reports.i18n import Wording

WIDE, NARROW = 720.0, 340.0
"""Pixels: for a desk and for paper, and for a telephone."""
BAR = 14.0
"""Width of what stands for the inventory and for a fate."""
AFTER = 12.0
"""From what stands for a fate to its words."""
LEAST = 3.0
"""Height of what would be too thin to see."""
ROW, BAND = 30.0, 17.0
"""Height of the row of a rating, and of its bar."""
SMALL, GAP = 12.0, 6.0
"""Height of the letters at an axis, and how far they are from it."""
PACE, PACES, BELOW = 50.0, 80.0, 24.0
"""Height of a side's bars, from one side to the next, and of the words of an axis of time."""
WASHED = 0.32
"""How opaque a ribbon is."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Hold one picture drawn for a wide and for a narrow page, and `words`: what is to be seen in it."""

    wide: Markup
    narrow: Markup
    words: str


class Charts:
    """Draw the pictures of one page; the ids of their elements are unique on it."""

    def __init__(self, text: Wording) -> None:
        self._text = text
        self._drawn_before = 0

    def _both(self, draw: Callable[[float], Drawing], title: str, description: str) -> Picture:
        """Return the picture in both widths."""
        self._drawn_before += 2
        wide, narrow = (
            draw(width).markup(f"chart-{self._drawn_before - before}", title, description)
            for width, before in ((WIDE, 1), (NARROW, 0))
        )
        return Picture(wide, narrow, description)

    # What became of the items

    def flow(self, fates: Mapping[Fate, int]) -> Picture | None:
        """Draw the way from the inventory to every fate that has an item; None if nothing was listed."""
        known = {fate: fates.get(fate, 0) for fate in Fate if fates.get(fate, 0)}
        if not known:
            return None
        text, total = self._text, sum(known.values())
        parts = [
            text("chart.part", label=text.name("fate", fate), count=number) for fate, number in known.items()
        ]
        description = text("chart.flow-desc", n=total, parts=text("format.parts").join(parts))
        return self._both(lambda width: self._flow(known, width), text("chart.flow"), description)

    def _flow(self, known: Mapping[Fate, int], width: float) -> Drawing:
        wide = width == WIDE
        place = _Places(known, 190.0 if wide else 260.0, 30.0 if wide else 50.0)
        labels = {fate: self._label(fate, items, place.total, wide) for fate, items in known.items()}
        column = max(width_of(bold, bold=True) for bold, _ in labels.values()) + GAP if wide else 0.0
        words = column + max(width_of(plain) for _, plain in labels.values())
        left, right = 90.0 if wide else 0.0, width - words - AFTER - BAR
        drawing = Drawing(width, place.height)
        for fate in known:
            start, end = place.from_[fate], place.to[fate]
            drawing.ribbon((left + BAR, *start), (right, *end), _colour(fate), WASHED)
        drawing.rectangle(left, place.whole[0], left + BAR, place.whole[1], INK)
        for fate, (bold, plain) in labels.items():
            top, bottom = place.to[fate]
            x, middle, up = right + BAR + AFTER, (top + bottom) / 2, 0.0 if wide else 9.0
            drawing.rectangle(right, top, right + BAR, bottom, _colour(fate))
            number, anchor = (x + column - GAP, "end") if wide else (x, "start")
            drawing.text(number, middle - up, bold, bold=True, anchor=anchor)
            drawing.text(x + column, middle + up, plain)
        self._head(drawing, place, left)
        return drawing

    def _label(self, fate: Fate, items: int, total: int, wide: bool) -> tuple[str, str]:
        """Return the words at a fate: first the bold ones, then the others."""
        text = self._text
        name, number, share = text.name("fate", fate), text.number(items), text.share(items, total)
        return (number, f"{name} ({share})") if wide else (f"{number} ({share})", name)

    def _head(self, drawing: Drawing, place: _Places, left: float) -> None:
        """Write the words for the whole."""
        inventory = self._text("chart.inventory", n=place.total)
        if drawing.width == WIDE:
            number, _, noun = inventory.partition(" ")
            middle = sum(place.whole) / 2
            drawing.text(left - 10, middle - 9, number, bold=True, anchor="end")
            drawing.text(left - 10, middle + 9, noun, anchor="end")
        else:
            drawing.text(left, 10, inventory, bold=True)

    # How good, how far, how fast

    def scores(self, report: WaveReport) -> Picture | None:
        """Draw how many mailboxes have each rating; None if there is no mailbox."""
        text = self._text
        if not report.boxes:
            return None
        counts = {str(rating): number for rating, number in report.score.distribution.items()}
        counts["none"] = sum(box.score is None for box in report.boxes)
        parts = [
            text("chart.part", label=text.name("rating", rating), count=number)
            for rating, number in counts.items()
        ]
        description = text("chart.scores-desc", parts=text("format.parts").join(parts))
        return self._both(lambda width: self._scores(counts, width), text("chart.scores"), description)

    def _scores(self, counts: Mapping[str, int], width: float) -> Drawing:
        text = self._text
        names = [text.name("rating", rating) for rating in counts]
        shown = [text.number(number) for number in counts.values()]
        left = max(map(width_of, names)) + GAP
        room = width - left - 8 - max(width_of(number, bold=True) for number in shown)
        drawing = Drawing(width, ROW * len(counts))
        for at, (rating, number) in enumerate(counts.items()):
            middle = ROW * (at + 0.5)
            end = left + room * number / (max(counts.values()) or 1)
            drawing.text(left - GAP, middle, names[at], anchor="end")
            drawing.rectangle(left, middle - BAND / 2, end, middle + BAND / 2, f"var(--score-{rating})")
            drawing.text(end + 8, middle, shown[at], bold=True)
        return drawing

    def progress(self, beats: Sequence[Beat]) -> Picture | None:
        """Draw how many items were known and done over time; None for fewer than two points in time."""
        if len(beats) < 2:
            return None
        text, last = self._text, beats[-1]
        ends = {"first": text.moment(beats[0].at), "last": text.moment(_end(last))}
        description = text("chart.progress-desc", **ends, done=last.done, items=last.items)
        high = amounts(max(max(beat.items, beat.done) for beat in beats), whole=True)

        def draw(width: float) -> Drawing:
            drawing, plot = self._plot(beats, high, width, 200)
            known, done = (
                [
                    (plot.x(self._local(_end(beat))), plot.y(number))
                    for beat, number in zip(beats, row, strict=True)
                ]
                for row in ([beat.items for beat in beats], [beat.done for beat in beats])
            )
            foot = [(done[-1][0], plot.bottom), (done[0][0], plot.bottom)]
            drawing.area([*done, *foot], ACCENT, 0.2)
            drawing.curve(done, ACCENT, 2)
            drawing.curve(known, MUTED, 1.5, dashes="4 3")
            return drawing

        return self._both(draw, text("chart.progress"), description)

    def throughput(self, beats: Sequence[Beat]) -> Picture | None:
        """Draw how many items were copied in a second over time; None if nothing was copied."""
        rates = speeds(beats)
        if not any(rates):
            return None
        text = self._text
        copied, worked = beats[-1].copied - beats[0].copied, sum(beat.worked for beat in beats[1:])
        numbers = {"most": text.number(max(rates), 1), "mean": text.number(max(0, copied) / worked, 1)}

        def draw(width: float) -> Drawing:
            drawing, plot = self._plot(beats, amounts(max(rates)), width, 130)
            for beat, rate in zip(beats[1:], rates, strict=True):
                self._bar(drawing, plot, beat, rate, ACCENT)
            return drawing

        return self._both(draw, text("chart.throughput"), text("chart.throughput-desc", **numbers))

    def pace(self, beats: Sequence[Beat]) -> Picture | None:
        """Draw a row of bars for each side, in per cent of full speed; None if neither was ever slower."""
        text = self._text
        sides = {
            "source": [(beat, min(1.0, beat.source)) for beat in beats if beat.source is not None],
            "target": [(beat, min(1.0, beat.target)) for beat in beats if beat.target is not None],
        }
        least = min((pace for row in sides.values() for _, pace in row), default=1.0)
        if least == 1.0:
            return None
        rows = {side: row for side, row in sides.items() if row}

        def draw(width: float) -> Drawing:
            drawing = Drawing(width, PACES * len(rows) + BELOW)
            for at, (side, row) in enumerate(rows.items()):
                labels = [text.percent(share) for share in (0.0, 0.5, 1.0)]
                top = PACES * (at + 1) - PACE
                plot = self._frame(drawing, (beats[0].at, _end(beats[-1])), labels, 1.0, (top, top + PACE))
                drawing.text(plot.left, top - 14, text.name("side", side), size=SMALL)
                for beat, share in row:
                    self._bar(drawing, plot, beat, share, ACCENT if share == 1.0 else "var(--care)")
            self._clock(drawing, plot)
            return drawing

        return self._both(draw, text("chart.pace"), text("chart.pace-desc", least=text.percent(least)))

    # The axes

    def _plot(
        self, beats: Sequence[Beat], high: Amounts, width: float, height: float
    ) -> tuple[Drawing, Plot]:
        """Return a drawing that has an axis of amounts and one of time, and where values lie in it."""
        drawing = Drawing(width, height + BELOW + SMALL)
        labels = [self._text.number(tick, high.digits) for tick in high.ticks]
        ends = (_end(beats[0]), _end(beats[-1]))
        plot = self._frame(drawing, ends, labels, high.ticks[-1], (SMALL, height + SMALL))
        self._clock(drawing, plot)
        return drawing, plot

    def _frame(
        self, drawing: Drawing, ends: tuple[int, int], labels: Sequence[str], most: float,
        between: tuple[float, float],
    ) -> Plot:  # fmt: skip
        """Draw evenly spaced lines from 0, the lowest, to `most`, with a label each."""
        left = max(width_of(label, SMALL) for label in labels) + GAP
        plot = Plot(left, drawing.width, *between, self._local(ends[0]), self._local(ends[1]), most)
        for at, label in enumerate(labels):
            y = plot.y(most * at / (len(labels) - 1))
            drawing.line((left, y), (drawing.width, y))
            drawing.text(left - GAP, y, label, size=SMALL, fill=MUTED, anchor="end")
        return plot

    def _clock(self, drawing: Drawing, plot: Plot) -> None:
        """Draw the axis of time."""
        for moment in plot.moments(6 if drawing.width == WIDE else 3):
            when, x = datetime.fromtimestamp(moment, UTC), plot.x(moment)
            label = self._text.short_day(when) if plot.names_day(moment) else f"{when:%H:%M}"
            room = width_of(label, SMALL) / 2
            anchor = "end" if x + room > plot.right else "middle"
            drawing.line((x, plot.bottom), (x, plot.bottom + 5))
            drawing.text(x, plot.bottom + 15, label, size=SMALL, fill=MUTED, anchor=anchor)

    def _bar(self, drawing: Drawing, plot: Plot, beat: Beat, amount: float, fill: str) -> None:
        """Draw a bar for a stretch of time. The thinnest and the lowest can still be seen."""
        left, right = plot.x(self._local(beat.at)), plot.x(self._local(_end(beat)))
        top = min(plot.y(amount), plot.bottom - 2)
        drawing.rectangle(left, top, max(right, left + 1), plot.bottom, fill)

    def _local(self, seconds: int) -> int:
        """Return seconds by the clock of the page's time zone, as if it was the clock of UTC."""
        offset = self._text.local(seconds).utcoffset() or timedelta()
        return seconds + int(offset.total_seconds())


def speeds(beats: Sequence[Beat]) -> list[float]:
    """Return the items copied in a second of work, for each beat but the first.

    Of the first beat it is not known since when it counts.
    """
    return [max(0.0, (own.copied - before.copied) / own.worked) for before, own in pairwise(beats)]


def _end(beat: Beat) -> int:
    return beat.at + beat.seconds


def _colour(fate: Fate) -> str:
    return f"var(--fate-{fate})"


class _Places:
    """Compute where the ribbons begin and end, and how high the picture is.

    Attributes:
        from_: where each ribbon begins at the inventory (top, bottom).
        to: where it ends at its fate (top, bottom).
        height: of the whole.
    """

    def __init__(self, known: Mapping[Fate, int], high: float, slot: float) -> None:
        self.total = sum(known.values())
        self.from_: dict[Fate, tuple[float, float]] = {}
        self.to: dict[Fate, tuple[float, float]] = {}
        heights = {fate: max(LEAST, high * items / self.total) for fate, items in known.items()}
        slots = {fate: max(slot, height + 10) for fate, height in heights.items()}
        self.height = max(sum(slots.values()), high) + 2 * 26.0
        at = (self.height - sum(slots.values())) / 2
        for fate in known:
            begins = at + (slots[fate] - heights[fate]) / 2
            self.to[fate] = (begins, begins + heights[fate])
            at += slots[fate]
        at = begins = (self.height - high) / 2
        for fate, items in known.items():
            self.from_[fate] = (at, at + high * items / self.total)
            at += high * items / self.total
        self.whole = (begins, begins + high)
