"""Draw a picture as static SVG: shapes and words, in pixels from its top left corner.

Colours are the page's custom properties, so that one picture serves light, dark and print.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree
from markupsafe import Markup

SVG = "http://www.w3.org/2000/svg"
INK, MUTED, RULE, ACCENT = "var(--ink)", "var(--muted)", "var(--rule)", "var(--accent)"
SIZE = 13.0
"""Height of the letters."""
LETTER, HEAVY = 0.58, 0.67
"""Width of a letter and of a bold one, as a part of its height, in the widest of the typefaces."""
DROP = 0.35
"""From the middle of a line of text to the foot of its letters, as a part of its height."""
Point = tuple[float, float]
Edge = tuple[float, float, float]
"""Of a ribbon: where it is from the left, its upper and its lower end."""


class Drawing:
    """Collect the shapes of one picture. What is drawn later lies on top."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self._root = etree.fromstring(f'<svg xmlns="{SVG}"/>')
        self._root.set("viewBox", f"0 0 {_short(width)} {_short(height)}")

    def rectangle(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        """Draw a filled rectangle; its edges lie on whole pixels of the screen, without seams."""
        left, right = round(left, 2), round(right, 2)
        place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        self._shape("rect", place, fill=fill, shape_rendering="crispEdges")

    def line(self, start: Point, end: Point) -> None:
        """Draw a thin line, as axes have them."""
        place = dict(zip(("x1", "y1", "x2", "y2"), (*start, *end), strict=True))
        self._shape("line", place, stroke=RULE)

    def curve(self, points: Sequence[Point], stroke: str, width: float, dashes: str = "none") -> None:
        """Draw straight lines from point to point."""
        self._shape(
            "path", {}, d=_path(points), fill="none", stroke=stroke, stroke_width=_short(width),
            stroke_dasharray=dashes, stroke_linejoin="round",
        )  # fmt: skip

    def area(self, points: Sequence[Point], fill: str, opacity: float) -> None:
        """Fill what lies between the points."""
        self._shape("path", {}, d=f"{_path(points)}Z", fill=fill, fill_opacity=str(opacity))

    def ribbon(self, start: Edge, end: Edge, fill: str, opacity: float) -> None:
        """Fill a ribbon that runs from one upright edge to another, level at both."""
        (left, upper, lower), (right, high, low) = start, end
        there, back = _bend((left, upper), (right, high)), _bend((right, low), (left, lower))
        path = f"M{_at((left, upper))}{there}L{_at((right, low))}{back}Z"
        self._shape("path", {}, d=path, fill=fill, fill_opacity=str(opacity))

    def text(
        self, x: float, y: float, words: str, *, size: float = SIZE, fill: str = INK, anchor: str = "start",
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Write a line of words.

        Args:
            x: where it starts, or its middle or its end, as `anchor` says.
            y: the middle of its height.
            words: the text.
            size: height of the letters.
            fill: their colour.
            anchor: "start", "middle" or "end".
            bold: True for a heavy typeface.
        """
        weight = {"font_weight": "700"} if bold else {}
        place = {"x": x, "y": y + DROP * size, "font-size": size}
        self._shape("text", place, fill=fill, text_anchor=anchor, **weight).text = words

    def markup(self, name: str, title: str, description: str) -> Markup:
        """Return the SVG. Screen readers read its title and its description.

        Args:
            name: the beginning of its elements' ids, unique on the page.
            title: what it is.
            description: what is to be seen.
        """
        self._root.set("role", "img")
        self._root.set("aria-labelledby", f"{name}-title {name}-desc")
        for at, (tag, words) in enumerate((("title", title), ("desc", description))):
            element = etree.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{tag}"})
            element.text = words
            self._root.insert(at, element)
        return Markup(etree.tostring(self._root, encoding="unicode"))  # noqa: S704  (lxml escaped its text)

    def _shape(self, tag: str, place: dict[str, float], **style: str) -> etree._Element:
        numbers = {name: _short(value) for name, value in place.items()}
        named = {name.replace("_", "-"): value for name, value in style.items()}
        return etree.SubElement(self._root, f"{{{SVG}}}{tag}", numbers | named)


def width_of(words: str, size: float = SIZE, *, bold: bool = False) -> float:
    """Return about how wide a line of words is."""
    return (HEAVY if bold else LETTER) * size * len(words)


def _short(value: float) -> str:
    return f"{round(value, 2):g}"


def _at(point: Point) -> str:
    return ",".join(map(_short, point))


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(map(_at, points))


def _bend(start: Point, end: Point) -> str:
    """Return a curve between two points that is level at both ends."""
    third = (end[0] - start[0]) / 3
    return f"C{_at((start[0] + third, start[1]))} {_at((end[0] - third, end[1]))} {_at(end)}"
