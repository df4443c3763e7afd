"""Hold the values of properties, and write them as iCalendar has them (RFC 5545 section 3.3).

They write the bytes that icalendar's classes write, which a test compares: digests of them stand in ledgers.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from icalendar import vRecur

from model.icalendar_writer import escaped
from model.protocols import Body

Parameters = dict[str, str]


class Property(Protocol):
    """Stand for the value of one property with its parameters.

    Attributes:
        parameters: by name.
    """

    parameters: Parameters

    def content(self) -> str | bytes:
        """Return the value as it is written."""
        ...


@dataclass(slots=True)
class Text:
    """Hold a TEXT as people read it."""

    said: str
    parameters: Parameters = field(default_factory=dict)

    def content(self) -> str:
        """Return it escaped."""
        return escaped(self.said)


@dataclass(slots=True)
class TextList:
    """Hold several TEXTs of one property."""

    parts: tuple[str, ...]
    parameters: Parameters = field(default_factory=dict)

    def content(self) -> str:
        """Return them escaped, with commas between them."""
        return ",".join(map(escaped, self.parts))


@dataclass(slots=True)
class Word:
    """Hold what is not escaped: a number, or a word that RFC 5545 knows."""

    said: str
    parameters: Parameters = field(default_factory=dict)

    def content(self) -> str:
        """Return it as it stands."""
        return self.said


@dataclass(slots=True)
class Uri:
    """Hold a URI.

    Raises:
        ValueError: it has a line end.
    """

    said: str
    parameters: Parameters = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a line end, which nothing would escape."""
        if "\n" in self.said or "\r" in self.said:
            raise ValueError("a URI with a line end")

    def content(self) -> str:
        """Return it as it stands."""
        return self.said


@dataclass(slots=True)
class CalendarAddress(Uri):
    """Hold the URI of somebody who takes part (CAL-ADDRESS)."""

    def copy(self) -> CalendarAddress:
        """Return another one that says the same."""
        return CalendarAddress(self.said, dict(self.parameters))


@dataclass(slots=True)
class Moment:
    """Hold a date, or a time in UTC or without a zone, whose name is a parameter then."""

    at: date
    parameters: Parameters = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Add the type of a date."""
        if not isinstance(self.at, datetime):
            self.parameters["VALUE"] = "DATE"

    @property
    def several(self) -> tuple[date]:
        """Return it as Moments has them."""
        return (self.at,)

    def content(self) -> str:
        """Return it without separators."""
        return _stamp(self.at)


@dataclass(slots=True)
class Moments:
    """Hold several dates, or several times as Moment has them, of one property."""

    several: tuple[date, ...]
    parameters: Parameters = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Add the type of dates."""
        if not any(isinstance(at, datetime) for at in self.several):
            self.parameters["VALUE"] = "DATE"

    def content(self) -> str:
        """Return them with commas between them."""
        return ",".join(map(_stamp, self.several))


@dataclass(slots=True)
class Duration:
    """Hold a length of time in whole seconds."""

    length: timedelta
    parameters: Parameters = field(default_factory=dict)

    def content(self) -> str:
        """Return days, hours, minutes and seconds, as far as there are any."""
        sign, length = ("-", -self.length) if self.length < timedelta() else ("", self.length)
        minutes, seconds = divmod(length.seconds, 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours}H" if hours else ""
        clock += f"{minutes}M" if minutes or (hours and seconds) else ""
        clock += f"{seconds}S" if seconds else ""
        days = f"{length.days}D" if length.days or not clock else ""
        return f"{sign}P{days}T{clock}" if clock else f"{sign}P{days}"


@dataclass(slots=True)
class Rule:
    """Hold a recurrence rule (RECUR)."""

    said: str
    parameters: Parameters = field(default_factory=dict)

    def content(self) -> str:
        """Return it with its parts in the order of RFC 5545."""
        return _rule(self.said)


@dataclass(slots=True)
class Binary:
    """Hold the bytes of a file."""

    data: bytes
    parameters: Parameters = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Add the type and the encoding."""
        self.parameters |= {"ENCODING": "BASE64", "VALUE": "BINARY"}

    def content(self) -> bytes:
        """Return base64."""
        return b64encode(self.data)


@dataclass(slots=True)
class File:
    """Stand for a file whose bytes are read when it is known how many of them may be kept.

    A Binary takes its place then: it is never written itself.
    """

    body: Body
    parameters: Parameters = field(default_factory=dict)

    def content(self) -> bytes:
        """Return base64 of the whole file."""
        with self.body() as stream:
            return Binary(stream.read(), self.parameters).content()


@lru_cache(maxsize=512)
def _rule(written: str) -> str:
    return bytes(vRecur.from_ical(written).to_ical()).decode()


def _stamp(at: date) -> str:
    if not isinstance(at, datetime):
        return at.isoformat().replace("-", "")
    if at.tzinfo not in (None, UTC):
        raise ValueError("a time in a zone, which is written without it")
    written = at.isoformat()[:19].replace("-", "").replace(":", "")
    return f"{written}Z" if at.tzinfo else written
