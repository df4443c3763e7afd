r"""Write icalendar's components as RFC 5545 has them: one content line a property, folded.

It writes the bytes that `Component.to_ical` writes, with one difference: icalendar 7.3.2 takes a backslash
and an N in a text for a line end, so that `C:\Neu` would become two lines. And it looks at each character of
each line, which took more time than all the rest that is done for an event.

Source:
    RFC 5545, sections 3.1 and 3.3.11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from icalendar import Component, vCategory, vDDDTypes, vText

PRODUCT = "-//Kogge//Kogge//EN"
FOLD_AT = 75
"""Octets in a physical line, its CRLF not counted."""

_HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODUCT}\r\n".encode()
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()
_ESCAPES = b"\\^"


def calendar(components: Iterable[bytes]) -> bytes:
    """Return a VCALENDAR of ours.

    Args:
        components: what it holds, each as `written` returns it.
    """
    return b"".join((_HEAD, *components, b"END:VCALENDAR\r\n"))


def escaped(text: str) -> str:
    """Return a TEXT value (RFC 5545, section 3.3.11)."""
    return (
        text.replace("\\", "\\\\")
        .replace(";", "\\;")
        .replace(",", "\\,")
        .replace("\r\n", "\\n")
        .replace("\n", "\\n")
        .replace("\r", "\\n")
    )


def written(component: Component) -> bytes:
    """Return the lines of a component, with CRLFs.

    Raises:
        ValueError: a value or a parameter has a line end that nothing escaped.
    """
    return b"".join(map(folded, _lines(component)))


def folded(line: bytes) -> bytes:
    """Return physical lines of at most 75 octets with their CRLFs.

    None is split inside a UTF-8 sequence or behind the backslash or caret that escapes the next character.
    """
    if len(line) < FOLD_AT:
        return line + b"\r\n"
    pieces, start = [], 0
    while len(line) - start >= FOLD_AT:
        end = start + FOLD_AT - 1
        while line[end] & 0xC0 == 0x80:
            end -= 1
        if line[end - 1] in _ESCAPES:
            end -= 1
        pieces.append(line[start:end])
        start = end
    pieces.append(line[start:])
    return b"\r\n ".join(pieces) + b"\r\n"


def _lines(component: Component) -> Iterator[bytes]:
    name = str(component.name).encode()
    yield b"BEGIN:" + name
    for key in component.sorted_keys():
        values = component[key]
        for value in values if isinstance(values, list) else (values,):
            yield _line(key, value)
    for inner in component.subcomponents:
        yield from _lines(inner)
    yield b"END:" + name


def _line(name: str, value: Any) -> bytes:
    """Return a property as one line. Its value is any of icalendar's thirty classes."""
    content = _content(value)
    encoded = content.encode() if isinstance(content, str) else content.removeprefix(_MARK)
    parameters = getattr(value, "params", None)
    line = name.encode()
    if parameters and (stated := parameters.to_ical()):
        line += b";" + stated
    line += b":" + encoded
    if b"\n" in line:
        raise ValueError("a line end that nothing escaped")
    return line


def _content(value: Any) -> bytes | str:
    """Return the content of a value as it is written."""
    if isinstance(value, vText):
        return escaped(value).encode()
    if isinstance(value, vCategory):
        return ",".join(map(escaped, value.cats)).encode()
    moment = _moment(value.dt) if isinstance(value, vDDDTypes) else None
    content: bytes | str = moment or value.to_ical()
    return content


def _moment(at: object) -> bytes | None:
    """Return a time in UTC or on the wall; None for anything else."""
    if not isinstance(at, datetime) or at.tzinfo not in (None, UTC):
        return None
    written_ = f"{at.year:04}{at.month:02}{at.day:02}T{at.hour:02}{at.minute:02}{at.second:02}"
    return written_.encode() if at.tzinfo is None else f"{written_}Z".encode()
