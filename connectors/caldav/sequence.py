"""Read and raise the SEQUENCE of an event, for servers that refuse a lower one than they hold.

Open-Xchange 8.19 counts SEQUENCE up at every change, and answers 409 to a PUT below it. No meaning is in the
number (mappings.compare.ignored).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO

HIGHEST = 2**31 - 1
_LINE = re.compile(rb"(?m)^SEQUENCE(?:;[^:\r\n]*)?:(\d{1,10})[ \t]*(\r?)$")
_BEGIN = re.compile(rb"(?m)^BEGIN:VEVENT[ \t]*\r?\n")
_END = re.compile(rb"(?m)^END:VEVENT[ \t]*\r?$")


def sequence(body: Callable[[], BinaryIO]) -> int:
    """Return the highest SEQUENCE of an object's events; 0 without any.

    Args:
        body: opens the object.

    Source:
        RFC 5545, section 3.8.7.4.
    """
    with body() as stream:
        return max((int(found[1]) for found in _LINE.finditer(stream.read())), default=0)


def at_least(object_: bytes, number: int) -> bytes:
    """Return an object whose events all have at least this SEQUENCE.

    Args:
        object_: an iCalendar object.
        number: the lowest SEQUENCE.
    """
    pieces, end = [], 0
    for begin in _BEGIN.finditer(object_):
        finish = _END.search(object_, begin.end())
        if begin.start() < end or finish is None:
            continue
        pieces += [object_[end : begin.end()], _raised(object_[begin.end() : finish.start()], number)]
        end = finish.start()
    return b"".join([*pieces, object_[end:]])


def _raised(event: bytes, number: int) -> bytes:
    """Return the lines of an event with at least this SEQUENCE."""
    line = b"SEQUENCE:%d" % min(number, HIGHEST)
    found = _LINE.search(event)
    if found is None:
        return line + b"\r\n" + event
    if int(found[1]) >= number:
        return event
    return event[: found.start()] + line + found[2] + event[found.end() :]
