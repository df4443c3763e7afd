"""Give an event the answers that its attendees have at the server already.

Where one event is everybody's, the organizer writes no answer of another user: Open-Xchange 8.19 refuses such
an update whole (403, no body).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

LINE_MOST = 75
"""Octets of a line (RFC 5545, section 3.1)."""
_FOLD = re.compile(rb"\r?\n[ \t]")
_ATTENDEE = re.compile(rb'(?i:ATTENDEE)((?:;(?:[^":;]|"[^"]*")*)*):(.*)')
_PARAMETER = re.compile(rb';(?:[^";]|"[^"]*")*')
_MASTER = b""

Answers = dict[tuple[bytes, bytes], bytes]
"""The PARTSTAT parameters, by the RECURRENCE-ID line of their event and the address."""


def with_answers_of(own: bytes, stored: Callable[[], BinaryIO]) -> bytes:
    """Return an object with the answers of the stored one; what that one does not have stays.

    Args:
        own: an iCalendar object.
        stored: opens the object at the server.
    """
    with stored() as stream:
        answers = _answers(_lines(stream.read()))
    return b"".join(_folded(_answered(line, of, answers)) for of, line in _by_event(_lines(own)))


def _answers(lines: list[bytes]) -> Answers:
    found: Answers = {}
    for of, line in _by_event(lines):
        attendee = _attendee(line)
        if attendee is not None:
            parameters, value = attendee
            found[of, value.strip().lower()] = b"".join(one for one in parameters if _is_answer(one))
    return found


def _lines(text: bytes) -> list[bytes]:
    return [line.rstrip(b"\r") for line in _FOLD.sub(b"", text).split(b"\n") if line.strip()]


def _by_event(lines: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each line with the RECURRENCE-ID line of its event; an empty one for a master."""
    start = 0
    while start < len(lines):
        end = start
        if lines[start].upper() == b"BEGIN:VEVENT":
            while end < len(lines) - 1 and lines[end].upper() != b"END:VEVENT":
                end += 1
        event = lines[start : end + 1]
        of = next((line for line in event if line.upper().startswith(b"RECURRENCE-ID")), _MASTER)
        for line in event:
            yield of, line
        start = end + 1


def _attendee(line: bytes) -> tuple[list[bytes], bytes] | None:
    """Return the parameters and the value of an ATTENDEE line; None for another line."""
    found = _ATTENDEE.fullmatch(line)
    return None if found is None else (_PARAMETER.findall(found[1]), found[2])


def _is_answer(parameter: bytes) -> bool:
    return parameter.upper().startswith(b";PARTSTAT=")


def _answered(line: bytes, of: bytes, answers: Answers) -> bytes:
    """Return a line of an event with the answer that its attendee has at the server, if it names one."""
    attendee = _attendee(line)
    if attendee is None:
        return line
    parameters, value = attendee
    address = value.strip().lower()
    answer = answers.get((of, address), answers.get((_MASTER, address)))
    if answer is None:
        return line
    others = b"".join(one for one in parameters if not _is_answer(one))
    return b"ATTENDEE" + answer + others + b":" + value


def _folded(line: bytes) -> bytes:
    """Return a line with its end, in pieces of which none splits a character (RFC 5545, section 3.1)."""
    pieces, room = [], LINE_MOST
    while len(line) > room:
        cut = room
        while cut > 1 and line[cut] & 0xC0 == 0x80:
            cut -= 1
        pieces.append(line[:cut])
        line, room = line[cut:], LINE_MOST - 1
    return b"\r\n ".join([*pieces, line]) + b"\r\n"
