"""Extract the plain text of an HTML body, for DESCRIPTION.

It is what a reader sees, without a browser's exactness.
"""

from __future__ import annotations

import re

from lxml import etree

BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "center",
            "dd",
            "div",
            "dl",
            "dt",
            "fieldset",
            "figure",
        ),
        *(
            "footer",
            "form",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "li",
            "main",
            "nav",
            "ol",
            "p",
        ),
        *("pre", "section", "table", "tr", "ul"),
    }
)
UNSEEN = frozenset({"head", "script", "style", "title", "template", "xml"})
_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_INDENT = re.compile(r"\n[ \t]+")
_TRAIL = re.compile(r"(?<![ \t])[ \t]++\n")  # a run that ends otherwise is read once
_AROUND = 200
"""Characters of white space that may stand around a link's text."""
_MANY = re.compile(r"\n{3,}")


def plain(html: str) -> str:
    """Return the text of a page; "" for a page without text.

    Paragraphs stand apart, lines have no spaces at their ends, list items have a dash, and a link's address
    stands behind its text if it differs.
    """
    if not html.strip():
        return ""
    # Fed with a target the parser builds no tree: libxml2 gives up on trees 2048 deep, and mailers nest.
    reader = _Reader()
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, target=reader)
    parser.feed(html.encode("utf-8", "replace"))
    parser.close()
    joined = "".join(reader.pieces)
    spaced = _INDENT.sub("\n", joined).replace("\xa0", " ")
    return _MANY.sub("\n\n", _TRAIL.sub("\n", spaced)).strip()


class _Reader:
    """Gather what is seen. A space that must stay is a no-break space until the end."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._unseen = self._preformatted = 0
        self._size = 0
        self._links: list[tuple[str, int, int]] = []

    def start(self, tag: str | bytes, attrib: dict[str | bytes, str | bytes]) -> None:
        """Begin an element."""
        name = str(tag).lower()
        self._unseen += name in UNSEEN
        self._preformatted += name == "pre"
        if name == "a":
            self._links.append((str(attrib.get("href", "")).strip(), len(self.pieces), self._size))
        if name in BLOCKS or name == "br":
            self._add("\n")
        if name == "li":
            self._add("- ")

    def end(self, tag: str | bytes) -> None:
        """End an element."""
        name = str(tag).lower()
        if name == "a" and self._links:
            self._link(*self._links.pop())
        if name in ("td", "th"):
            self._add(" ")
        if name in BLOCKS:
            self._add("\n\n" if name == "p" else "\n")
        self._unseen -= name in UNSEEN
        self._preformatted -= name == "pre"

    def _link(self, target: str, begin: int, before: int) -> None:
        # What is much longer than the address is another text; joined for each of many links in links, it
        # would cost the square of the page.
        long = self._size - before > 2 * len(target) + _AROUND
        shown = "" if long else "".join(self.pieces[begin:]).strip()
        if target.lower().startswith(("http://", "https://")) and target != shown:
            self._add(f" <{target}>")

    def data(self, data: str | bytes) -> None:
        """Add text."""
        shown = str(data)
        self._add(shown.replace(" ", "\xa0") if self._preformatted else _SPACE.sub(" ", shown))

    def comment(self, text: str | bytes) -> None:
        """Ignore a comment, which is not seen."""

    def _add(self, piece: str) -> None:
        if self._unseen <= 0:
            self.pieces.append(piece)
            self._size += len(piece)

    def close(self) -> None:
        """Do nothing: all of it is in `pieces`."""
