"""Read content lines (RFC 5545 section 3.1, RFC 6350 section 3.3) of a server, and the blocks they build.

It is a reader of our own, on purpose: what writes the objects (mappings.icalendar.component, icalendar)
is not what checks them, so that no fault of one is on both sides of a comparison. It raises only Malformed,
and takes time and memory in proportion to its input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO, NamedTuple

MOST_BYTES = 64 << 20
"""The largest object that is read: attachments stand inside."""

MOST_LINES = 1_000_000
"""Of one object, when they are unfolded. Each takes half a kilobyte of memory, however short it is."""

MOST_PARAMETERS = 1 << 20
"""Characters of all parameters of one line."""

DEEPEST = 8
"""VCALENDAR, VTIMEZONE, STANDARD are three."""

ZONE_LETTERS = 4000
"""The longest text of a time zone that is remembered."""

_ZONE_BEGINS, _ZONE_ENDS = "\nBEGIN:VTIMEZONE\n", "\nEND:VTIMEZONE\n"

_LINE_END = re.compile(rb"\r\n|\r|\n")
_FOLD = re.compile(rb"(?:\r\n|\r|\n)[ \t]")
_PARAMETER = re.compile(r';([^=;:",]+)(?:=((?:"[^"]*"|[^";:])*))?')
_PARAMETER_VALUE = re.compile(r'"[^"]*"|[^,"]+')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CARET = {"^n": "\n", "^N": "\n", "^^": "^", "^'": '"'}
_CARETED = re.compile(r"\^[nN^']")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

_USUAL = frozenset(
    {
        *(
            "BEGIN",
            "END",
            "UID",
            "DTSTART",
            "DTEND",
            "DTSTAMP",
            "CREATED",
            "LAST-MODIFIED",
            "SEQUENCE",
            "RRULE",
        ),
        *(
            "SUMMARY",
            "DESCRIPTION",
            "LOCATION",
            "CATEGORIES",
            "CLASS",
            "STATUS",
            "TRANSP",
            "PRIORITY",
            "ACTION",
        ),
        *("X-MICROSOFT-CDO-BUSYSTATUS", "FN", "N", "NOTE", "ORG", "TITLE"),
    }
)
"""What most lines without parameters begin with, as it is compared."""

NO_PARAMETERS: Mapping[str, tuple[str, ...]] = {}


class Malformed(Exception):
    """State that these bytes are no such object."""


class ContentLine(NamedTuple):
    """Hold one property.

    The name and the names of parameters are upper case; the values are as they stand, parameter values
    without their quotes. A parameter without "=" (vCard 2.1) is a TYPE.
    """

    name: str
    parameters: Mapping[str, tuple[str, ...]]
    value: str
    group: str = ""

    def parameter(self, name: str) -> str:
        """Return the first value of a parameter; "" without it."""
        values = self.parameters.get(name)
        return values[0] if values else ""

    def text(self) -> str:
        """Return the value as a text."""
        return unescaped(self.value)


@dataclass(slots=True)
class Block:
    """Hold what stands between BEGIN and END. lines: by name, in their order."""

    name: str
    lines: dict[str, list[ContentLine]] = field(default_factory=dict, repr=False)
    blocks: list[Block] = field(default_factory=list, repr=False)

    @property
    def depth(self) -> int:
        """Return how many blocks are within one another, this one included."""
        return 1 + max((block.depth for block in self.blocks), default=0)

    def all(self, name: str) -> list[ContentLine]:
        """Return the properties of this name."""
        return self.lines.get(name, [])

    def first(self, name: str) -> ContentLine | None:
        """Return the first property of this name; None without one."""
        lines_ = self.lines.get(name)
        return lines_[0] if lines_ else None

    def value(self, name: str) -> str:
        """Return the value of the first such property, as it stands, without blanks around.

        "" without one.
        """
        lines_ = self.lines.get(name)
        return lines_[0].value.strip() if lines_ else ""

    def text(self, name: str) -> str:
        """Return the text of the first such property, as tidy() has it; "" without one."""
        lines_ = self.lines.get(name)
        return tidy(lines_[0].text()) if lines_ else ""

    def within(self, name: str) -> Iterator[Block]:
        """Yield the inner blocks of this name."""
        return (block for block in self.blocks if block.name == name)


def read_block(stream: BinaryIO, name: str, most_lines: int = MOST_LINES) -> Block:
    """Return the one block of this name that the stream holds, with nothing beside it.

    Args:
        stream: the bytes.
        name: of the block.
        most_lines: that it may have.

    Raises:
        Malformed: the stream holds something else, or more.
    """
    block = _build(_parts(_few(_unfolded(_all(stream)), most_lines)))
    if block.name != name:
        raise Malformed
    return block


def read_lines(stream: BinaryIO, name: str) -> list[ContentLine]:
    """Return the lines of the one block of this name that the stream holds, in their order.

    Raises:
        Malformed: the stream holds something else, or a block inside of it.
    """
    begin, *lines, end = _framed(_read(_few(_unfolded(_all(stream)), MOST_LINES)))
    inside = any(line.name in ("BEGIN", "END") for line in lines)
    if inside or (begin.name, end.name) != ("BEGIN", "END"):
        raise Malformed
    if not begin.value.strip().upper() == end.value.strip().upper() == name:
        raise Malformed
    return lines


def _framed(lines: Iterable[ContentLine]) -> list[ContentLine]:
    found = list(lines)
    if len(found) < 2:
        raise Malformed
    return found


def _all(stream: BinaryIO) -> bytes:
    chunks, size = [], 0
    while chunk := stream.read(1 << 20):
        size += len(chunk)
        if size > MOST_BYTES:
            raise Malformed
        chunks.append(chunk)
    return b"".join(chunks)


def _unfolded(data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    whole = data.replace(b"\r\n", b"\n")
    if b"\r" in whole or b"\n\t" in whole:
        whole = _LINE_END.sub(b"\n", _FOLD.sub(b"", data))
    else:  # as nearly all are; the patterns take ten times as long
        whole = whole.replace(b"\n ", b"")
    # Bytes that are no UTF-8 stay what they are, so that two different ones are not taken for the same.
    return whole.decode("utf-8", "surrogateescape")


def _few(text: str, most_lines: int) -> str:
    if text.count("\n") > most_lines:
        raise Malformed
    return text


def _parts(text: str) -> Iterator[ContentLine | Block]:
    """Yield the lines of a text; a time zone that is spelled as usual comes as its block."""
    at = 0
    while (begin := text.find(_ZONE_BEGINS, at) + 1) > 0:
        yield from _read(text[at:begin])
        ends = text.find(_ZONE_ENDS, begin, begin + ZONE_LETTERS)
        at = text.index("\n", begin) if ends < 0 else ends + len(_ZONE_ENDS) - 1
        yield from _whole_zone(text[begin:at])
    yield from _read(text[at:])


def _whole_zone(text: str) -> Iterator[ContentLine | Block]:
    try:
        yield _zone(text)
    except Malformed:  # it is no whole block: what its lines mean depends on those around it
        yield from _read(text)


@lru_cache(maxsize=64)
def _zone(text: str) -> Block:
    """Return the block of a VTIMEZONE, which nobody may change: events share it."""
    return _build(_read(text))


def _read(text: str) -> Iterator[ContentLine]:
    """Yield the line of each text, an empty one left out."""
    for text_line in text.split("\n"):
        head, colon, value = text_line.partition(":")
        if colon and head in _USUAL:
            yield ContentLine(head, NO_PARAMETERS, value)
        elif text_line.strip():
            yield _line(text_line)


def _line(text: str) -> ContentLine:
    head, colon, value = text.partition(":")
    if not colon:
        raise Malformed
    if ";" not in head:
        group, _, name = head.rpartition(".")
        return ContentLine(name.strip().upper(), NO_PARAMETERS, value, group)
    return _line_with_parameters(text, head.partition(";")[0])


def _line_with_parameters(text: str, head: str) -> ContentLine:
    parameters: dict[str, list[str]] = {}
    at = len(head)
    while text[at : at + 1] == ";":
        match = _PARAMETER.match(text, at)
        if not match:
            raise Malformed
        name, values = match.groups()
        if values is None:
            name, values = "TYPE", name
        name = name.strip().upper()
        parameters.setdefault(name, []).extend(_values(values))
        at = match.end()
        if at > MOST_PARAMETERS:
            raise Malformed
    if text[at : at + 1] != ":":
        raise Malformed
    group, _, name = head.rpartition(".")
    frozen = {each: tuple(values_) for each, values_ in parameters.items()}
    return ContentLine(name.strip().upper(), frozen, text[at + 1 :], group)


def _values(text: str) -> tuple[str, ...]:
    if "," not in text and '"' not in text and "^" not in text:
        return (text,)
    values_ = (text,) if "," not in text and '"' not in text else _PARAMETER_VALUE.findall(text)
    return tuple(_CARETED.sub(lambda match: _CARET[match[0]], value.strip('"')) for value in values_)


def _build(lines: Iterable[ContentLine | Block]) -> Block:
    """Return the block that the lines build; raise Malformed unless it is one, opened and closed."""
    open_blocks: list[Block] = []
    whole: Block | None = None
    for line in lines:
        if isinstance(line, Block):
            _add(open_blocks, line)
        elif line.name == "BEGIN":
            block = Block(line.value.strip().upper())
            if len(open_blocks) >= DEEPEST or whole is not None:
                raise Malformed
            if open_blocks:
                open_blocks[-1].blocks.append(block)
            open_blocks.append(block)
        elif not open_blocks:
            raise Malformed
        elif line.name == "END":
            closed = open_blocks.pop()
            if closed.name != line.value.strip().upper():
                raise Malformed
            whole = closed if not open_blocks else None
        else:
            open_blocks[-1].lines.setdefault(line.name, []).append(line)
    if whole is None:
        raise Malformed
    return whole


def _add(open_blocks: list[Block], whole: Block) -> None:
    """Put a block that is read already into the innermost open one."""
    if not open_blocks or len(open_blocks) + whole.depth > DEEPEST:
        raise Malformed
    open_blocks[-1].blocks.append(whole)


def unescaped(value: str) -> str:
    r"""Return a TEXT value (RFC 5545 section 3.3.11).

    \n is a line end, any other escaped character is itself.
    """
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def split(value: str, separator: str) -> list[str]:
    """Split a value at every separator that is not escaped; the parts are still escaped."""
    if "\\" not in value:
        return value.split(separator)
    parts, held = [], list[str]()
    for piece in value.split(separator):
        held.append(piece)
        # A backslash that ends a piece and is not escaped itself keeps the separator behind it.
        if (len(piece) - len(piece.rstrip("\\"))) % 2 == 0:
            parts.append(separator.join(held))
            held = []
    return [*parts, separator.join(held) + separator] if held else parts


def texts(lines: Iterable[ContentLine]) -> tuple[str, ...]:
    """Return the distinct texts of comma-separated properties, sorted."""
    parts = {tidy(unescaped(part)).strip() for line in lines for part in split(line.value, ",")}
    return tuple(sorted(parts - {""}))


def tidy(text: str) -> str:
    """Return a text without what no reader sees.

    That is: kinds of line end, blanks at the ends of lines, blank lines at the end, control characters.
    """
    if text.isprintable():  # the ordinary case; no control character is
        return text.rstrip()
    if "\n" not in text and "\r" not in text:
        return _CONTROLS.sub("", text).rstrip()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _CONTROLS.sub("", "\n".join(line.rstrip() for line in lines)).rstrip()
