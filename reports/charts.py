"""The pictures of a report: static SVG, drawn by Vega-Lite (vl-convert), without scripts or the network.

Colours are the page's custom properties, so that one picture serves light, dark and print. Each has a title
and a description, and next to it on the page is a table with the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal

import vl_convert
from lxml import etree
from markupsafe import Markup

from engine.approvals.score import Rating
from ledger.views.progress_samples import Beat
from reports.data import Fate, WaveReport
from reports.i18n import Wording

WIDE, NARROW = 720, 340
"""Pixels: for a desk and for paper, and for a telephone."""
SVG = "{http://www.w3.org/2000/svg}"
INK, MUTED, RULE = "var(--ink)", "var(--muted)", "var(--rule)"
ACCENT = "var(--accent)"
BAR = 14
CURVE = 24
"""Points of a ribbon's edge."""
DAYS = 2 * 86_400_000
"""From so many milliseconds on the axis of time shows days."""
LEAST = 3.0
"""Height of what would be too thin to see."""
NOISE = frozenset({"role", "aria-roledescription", "aria-hidden", "class", "width", "height"})
"""What only Vega's own scripts read; and a size, which the page decides."""
TIMES: Mapping[str, Literal["en-GB", "de-DE", "fr-FR"]] = {"en": "en-GB", "de": "de-DE", "fr": "fr-FR"}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Picture:
    """Hold one picture drawn for a wide and for a narrow page, and `words`: what is to be seen in it."""

    wide: Markup
    narrow: Markup
    words: str


def _config(size: int) -> Row:
    axis = {
        "labelColor": MUTED,
        "labelFontSize": size,
        "titleColor": MUTED,
        "titleFontSize": size,
        "titleFontWeight": "normal",
        "gridColor": RULE,
        "domainColor": RULE,
        "tickColor": RULE,
        "labelPadding": 6,
    }
    return {"aria": False, "font": "inherit", "view": {"stroke": None}, "axis": axis}


class Charts:
    """Draw the pictures of one page; the ids of their elements are unique on it."""

    def __init__(self, text: Wording) -> None:
        self._text = text
        self._drawn_before = 0

    def _drawn(self, spec: Row, title: str, description: str) -> Markup:
        form = self._text.words["format"]
        numbers = {"decimal": form["decimal"], "thousands": form["group"], "grouping": [3]}
        drawn = vl_convert.vegalite_to_svg(
            {"background": None, **spec},
            allowed_base_urls=[],
            format_locale={**numbers, "currency": ["", ""]},
            time_format_locale=TIMES[self._text.language],
        )
        return self._told(etree.fromstring(drawn.encode()), title, description)

    def _told(self, root: etree._Element, title: str, description: str) -> Markup:
        """Return the SVG with a name and a description, as wide as there is room."""
        self._drawn_before += 1
        name = f"chart-{self._drawn_before}"
        for element in root.iter():
            for attribute in NOISE.intersection(map(str, element.attrib)):
                del element.attrib[attribute]
        root.set("role", "img")
        root.set("aria-labelledby", f"{name}-title {name}-desc")
        for at, (tag, words) in enumerate((("title", title), ("desc", description))):
            element = etree.Element(f"{SVG}{tag}", {"id": f"{name}-{tag}"})
            element.text = words
            root.insert(at, element)
        return Markup(etree.tostring(root, encoding="unicode"))  # noqa: S704  (its text was escaped by lxml)

    def _both(self, spec: Any, title: str, description: str) -> Picture:
        """Return the picture in both widths; `spec` makes the specification for a width."""
        wide, narrow = (self._drawn(spec(width), title, description) for width in (WIDE, NARROW))
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

    def _flow(self, known: Mapping[Fate, int], width: int) -> Row:
        wide = width == WIDE
        place = _Places(known, 190.0 if wide else 260.0, 30.0 if wide else 50.0)
        left, right = (90.0, 430.0) if wide else (6.0, 118.0)
        layers = [
            _area(_ribbon(place.from_[fate], place.to[fate], left + BAR, right), _colour(fate))
            for fate in known
        ]
        layers += [_box(left, left + BAR, *place.whole, INK)]
        layers += [_box(right, right + BAR, *place.to[fate], _colour(fate)) for fate in known]
        for fate, number in known.items():
            layers += self._label(fate, number, place, right + BAR + 12, wide)
        layers += self._head(sum(known.values()), place, left, wide)
        free = {"axis": None, "type": "quantitative"}
        encoding = {
            "x": {**free, "field": "x", "scale": {"domain": [0, width], "nice": False, "zero": False}},
            "y": {**free, "field": "y", "scale": {"domain": [place.height, 0], "nice": False, "zero": False}},
        }
        size = {"width": width, "height": place.height, "padding": 0, "config": _config(13)}
        return {**size, "encoding": encoding, "layer": layers}

    def _label(self, fate: Fate, items: int, place: _Places, x: float, wide: bool) -> list[Row]:
        top, bottom = place.to[fate]
        middle, text = (top + bottom) / 2, self._text
        share = text.share(items, place.total)
        name = text.name("fate", fate)
        if wide:
            return [
                _words(x + 48, middle, text.number(items), bold=True, align="right"),
                _words(x + 58, middle, f"{name} ({share})"),
            ]
        return [
            _words(x, middle - 9, f"{text.number(items)} ({share})", bold=True),
            _words(x, middle + 9, name),
        ]

    def _head(self, total: int, place: _Places, left: float, wide: bool) -> list[Row]:
        """Return the words for the whole."""
        inventory = self._text("chart.inventory", n=total)
        if wide:
            first, *rest = inventory.split(" ")
            middle = sum(place.whole) / 2
            return [
                _words(left - 10, middle - 9, first, bold=True, align="right"),
                _words(left - 10, middle + 9, " ".join(rest), align="right"),
            ]
        return [_words(left, 10, inventory, bold=True)]

    # How good, how far, how fast

    def scores(self, report: WaveReport) -> Picture | None:
        """Draw how many mailboxes have each rating; None if there is no mailbox."""
        text = self._text
        counts = {str(rating): number for rating, number in report.score.distribution.items()}
        counts["none"] = sum(box.score is None for box in report.boxes)
        if not report.boxes:
            return None
        rows = [
            {"rating": text.name("rating", name), "n": number, "name": name, "shown": text.number(number)}
            for name, number in counts.items()
        ]
        parts = [text("chart.part", label=row["rating"], count=row["n"]) for row in rows]
        description = text("chart.scores-desc", parts=text("format.parts").join(parts))
        return self._both(lambda width: _bars(rows, width), text("chart.scores"), description)

    def progress(self, beats: Sequence[Beat]) -> Picture | None:
        """Draw how many items were known and done over time; None for fewer than two points in time."""
        if len(beats) < 2:
            return None
        text, last = self._text, beats[-1]
        ends = {"first": text.moment(beats[0].at), "last": text.moment(last.at + last.seconds)}
        description = text("chart.progress-desc", **ends, done=last.done, items=last.items)
        rows = [{"t": self._local(_end(beat)), "items": beat.items, "done": beat.done} for beat in beats]

        def spec(width: int) -> Row:
            known = {"mark": {"type": "line", "stroke": MUTED, "strokeWidth": 1.5, "strokeDash": [4, 3]}}
            done = {"mark": {"type": "area", "fill": ACCENT, "fillOpacity": 0.2, "line": {"stroke": ACCENT}}}
            layers = [
                {**known, "encoding": {"y": _axis("items", None)}},
                {**done, "encoding": {"y": _axis("done", None)}},
            ]
            return _over_time(rows, width, 200, {"layer": layers})

        return self._both(spec, text("chart.progress"), description)

    def throughput(self, beats: Sequence[Beat]) -> Picture | None:
        """Draw how many items were copied in a second over time; None if nothing was copied."""
        rates = speeds(beats)
        if not any(rates):
            return None
        text = self._text
        copied, worked = beats[-1].copied - beats[0].copied, sum(beat.worked for beat in beats[1:])
        numbers = {"most": text.number(max(rates), 1), "mean": text.number(max(0, copied) / worked, 1)}
        rows = [
            {"t": self._local(beat.at), "end": self._local(_end(beat)), "n": rate}
            for beat, rate in zip(beats[1:], rates, strict=True)
        ]

        def spec(width: int) -> Row:
            mark = {"type": "rect", "fill": ACCENT}
            y = {"y": _axis("n", None), "y2": {"datum": 0}, "x2": {"field": "end"}}
            return _over_time(rows, width, 130, {"mark": mark, "encoding": y})

        return self._both(spec, text("chart.throughput"), text("chart.throughput-desc", **numbers))

    def pace(self, beats: Sequence[Beat]) -> Picture | None:
        """Draw a row of bars for each side, in per cent of full speed; None if neither was ever slower."""
        text = self._text
        told = [
            (beat, side, min(1.0, pace))
            for beat in beats
            for side, pace in (("source", beat.source), ("target", beat.target))
            if pace is not None
        ]
        least = min((pace for _, _, pace in told), default=1.0)
        if least == 1.0:
            return None
        rows = [
            {
                "t": self._local(beat.at),
                "end": self._local(_end(beat)),
                "side": text.name("side", side),
                "pace": 100 * pace,
                "full": pace == 1.0,
            }
            for beat, side, pace in told
        ]

        def spec(width: int) -> Row:
            words = {"title": None, "labelOrient": "top", "labelAnchor": "start", "labelColor": INK}
            order = [text.name("side", side) for side in ("source", "target")]
            row = {"field": "side", "type": "nominal", "sort": order, "header": words, "spacing": 12}
            percent = {"values": [0, 50, 100], "labelExpr": "datum.value + ' %'"}
            y = _axis("pace", None) | {"scale": {"domain": [0, 100]}}
            y["axis"] = {**y["axis"], **percent}
            fill = {"condition": {"test": "datum.full", "value": ACCENT}, "value": "var(--care)"}
            more = {"y": y, "y2": {"datum": 0}, "x2": {"field": "end"}, "row": row, "fill": fill}
            return _over_time(rows, width, 50, {"mark": {"type": "rect"}, "encoding": more})

        return self._both(spec, text("chart.pace"), text("chart.pace-desc", least=text.percent(least)))

    def _local(self, seconds: int) -> int:
        """Return milliseconds by the clock of the page's time zone, for an axis that is drawn in UTC."""
        offset = self._text.local(seconds).utcoffset() or timedelta()
        return (seconds + int(offset.total_seconds())) * 1000


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


def _ribbon(start: tuple[float, float], end: tuple[float, float], left: float, right: float) -> list[Row]:
    rows = []
    for step in range(CURVE + 1):
        part = step / CURVE
        eased = part * part * (3 - 2 * part)
        top, bottom = (a + (b - a) * eased for a, b in zip(start, end, strict=True))
        rows.append({"x": left + (right - left) * part, "y": top, "y2": bottom})
    return rows


def _area(rows: list[Row], colour: str) -> Row:
    mark = {"type": "area", "fill": colour, "fillOpacity": 0.32}
    return {"data": {"values": rows}, "mark": mark, "encoding": {"y2": {"field": "y2"}}}


def _box(left: float, right: float, top: float, bottom: float, colour: str) -> Row:
    row = {"x": left, "x2": right, "y": top, "y2": bottom}
    ends = {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    return {"data": {"values": [row]}, "mark": {"type": "rect", "fill": colour}, "encoding": ends}


def _words(x: float, y: float, words: str, *, bold: bool = False, align: str = "left") -> Row:
    mark = {"type": "text", "align": align, "baseline": "middle", "fontSize": 13.5, "fill": INK}
    mark |= {"fontWeight": 700 if bold else 400}
    row = {"x": x, "y": y, "words": words}
    return {"data": {"values": [row]}, "mark": mark, "encoding": {"text": {"field": "words"}}}


def _bars(rows: list[Row], width: int) -> Row:
    order = [row["rating"] for row in rows]
    axis = {"title": None, "domain": False, "ticks": False, "labelColor": INK, "labelLimit": 200}
    y = {"field": "rating", "type": "nominal", "sort": order, "axis": axis}
    most = max(row["n"] for row in rows) or 1
    scale = {"domain": [0, most]}
    x = {"field": "n", "type": "quantitative", "axis": None, "scale": scale}
    colours = {"domain": [*map(str, Rating), "none"]}
    colours["range"] = [f"var(--score-{name})" for name in colours["domain"]]
    fill = {"field": "name", "type": "nominal", "scale": colours, "legend": None}
    bar = {"mark": {"type": "bar", "height": {"band": 0.62}}, "encoding": {"fill": fill}}
    words = {"type": "text", "align": "left", "dx": 8, "fontSize": 13.5, "fontWeight": 700, "fill": INK}
    shown = {"mark": words, "encoding": {"text": {"field": "shown"}}}
    size = {"width": width - 190, "height": 30 * len(rows), "config": _config(13)}
    return {**size, "data": {"values": rows}, "encoding": {"x": x, "y": y}, "layer": [bar, shown]}


def _axis(field: str, title: str | None) -> Row:
    axis = {"title": title, "tickCount": 4, "domain": False, "ticks": False, "format": ",~r"}
    return {"field": field, "type": "quantitative", "axis": axis}


def _over_time(rows: list[Row], width: int, height: int, more: Row) -> Row:
    span: int = rows[-1]["t"] - rows[0]["t"]
    form = "%H:%M" if span < DAYS else "%-d %b"
    least = 60_000 if span < DAYS else 86_400_000
    most = max(1, min(6 if width == WIDE else 3, span // least))
    ticks = {"tickCount": most, "labelFlush": True, "format": form}
    axis = {"title": None, "grid": False, **ticks}
    x = {"field": "t", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}
    encoding = {"x": x, **more.get("encoding", {})}
    size = {"width": width - 80, "height": height, "config": _config(12)}
    return {**size, "data": {"values": rows}, **more, "encoding": encoding}
