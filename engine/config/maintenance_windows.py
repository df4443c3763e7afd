"""Describe [windows.NAME]: the hours in which waves may run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, field_validator

from connectors.settings import Strict
from engine.config.planning import NAME, TimeZone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 24 * 60
SPAN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)", re.IGNORECASE)
EXAMPLE = 'give a span like "mon-fri 20:00-06:00" or "sat 00:00-24:00"'


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """Hold one span of a week.

    Attributes:
        days: the days on which it begins; 0 is Monday.
        begins: minutes after that day's midnight.
        ends: minutes after that day's midnight; more than 1440 if it ends on the next day.
    """

    days: frozenset[int]
    begins: int
    ends: int

    @classmethod
    def read(cls, text: str) -> WindowSpan:
        """Return the span that a text describes.

        Raises:
            ValueError: if the text is no span.
        """
        parts = SPAN.fullmatch(text.strip())
        if parts is None:
            raise ValueError(EXAMPLE)
        first, last, *clock = parts.groups()
        begins, ends = _minute(*clock[:2]), _minute(*clock[2:])
        if begins in (DAY, ends):
            raise ValueError(f"begins when it ends; {EXAMPLE}")
        return cls(_days(first, last or first), begins, ends if ends > begins else ends + DAY)


class WindowSettings(Strict):
    """Hold the settings of one window.

    Attributes:
        spans: when it is open, by the clock on the wall in timezone.
        timezone: the time zone.
        last_start_minutes: how many minutes before it closes no mailbox is begun any more.
    """

    spans: tuple[str, ...] = Field(min_length=1)
    timezone: TimeZone = "UTC"
    last_start_minutes: int = Field(default=10, ge=0, le=DAY)

    @field_validator("spans")
    @classmethod
    def _readable(cls, spans: tuple[str, ...]) -> tuple[str, ...]:
        for text in spans:
            WindowSpan.read(text)
        return spans

    def parsed(self) -> tuple[WindowSpan, ...]:
        """Return the spans."""
        return tuple(map(WindowSpan.read, self.spans))


def _named(windows: Mapping[str, WindowSettings]) -> Mapping[str, WindowSettings]:
    """Raise ValueError for a name that waves.csv could not contain."""
    for name in windows:
        if not NAME.fullmatch(name):
            raise ValueError("name a window by letters, digits, dots or hyphens")
    return windows


Windows: TypeAlias = Annotated[Mapping[str, WindowSettings], AfterValidator(_named)]
"""The windows of the configuration, by name."""


def _days(first: str, last: str) -> frozenset[int]:
    if first.lower() not in DAYS or last.lower() not in DAYS:
        raise ValueError(f"the days are {', '.join(DAYS)}; {EXAMPLE}")
    start, end = DAYS.index(first.lower()), DAYS.index(last.lower())
    return frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))


def _minute(hours: str, minutes: str) -> int:
    value = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or value > DAY:
        raise ValueError(f"a time is 00:00 to 24:00; {EXAMPLE}")
    return value
