"""[plan]: how `kogge plan` makes waves of a list of mailboxes, and what it takes for its estimates."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, field_validator

from connectors.settings import Strict

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of a wave, or a window."""


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("give a time zone like Europe/Berlin") from None
    return name


TimeZone: TypeAlias = Annotated[str, AfterValidator(_known_zone)]


class PlanRates(Strict):
    """What one leg is taken to do alone, until enough was measured: items a second of each workload, as if
    they had no size, and bytes a second on top of it."""

    mail: float = Field(default=10.0, gt=0)
    calendar: float = Field(default=5.0, gt=0)
    contacts: float = Field(default=10.0, gt=0)
    tasks: float = Field(default=5.0, gt=0)
    notes: float = Field(default=5.0, gt=0)
    files: float = Field(default=3.0, gt=0)
    bytes: float = Field(default=2_000_000.0, gt=0)


class PlanSettings(Strict):
    """waves, relations, inventory: the CSV files beside mailboxes.csv. mailboxes, largest_bytes: the most of
    one wave. pilot: the size of the first; 0 for none. first: the date of the first wave; days: to the next
    one. window: in which they run. timezone: in which a date begins, where no window says. workers: how
    many run batches at once, each run.legs legs. source_at_once, source_requests: what the source allows
    overall."""

    waves: Path = Path("waves.csv")
    relations: Path | None = None
    inventory: Path | None = None
    mailboxes: int = Field(default=500, ge=1, le=40_000)
    largest_bytes: int | None = Field(default=None, ge=1)
    pilot: int = Field(default=20, ge=0, le=10_000)
    first: date | None = None
    days: int = Field(default=7, ge=0, le=366)
    window: str | None = None
    timezone: TimeZone = "UTC"
    workers: int = Field(default=1, ge=1, le=1000)
    source_at_once: int | None = Field(default=None, ge=1)
    source_requests: float | None = Field(default=None, gt=0)
    rates: PlanRates = PlanRates()

    @field_validator("window")
    @classmethod
    def _named(cls, window: str | None) -> str | None:
        if window is not None and not NAME.fullmatch(window):
            raise ValueError("give the name of one of [windows]")
        return window
