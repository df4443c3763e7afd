"""Describe [plan]: how `kogge plan` makes waves of a list of mailboxes, and what its estimates rest on."""

from __future__ import annotations

import re
import zoneinfo
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, create_model, field_validator

from connectors.settings import Strict
from model.kinds import KINDS, Kind, KindTraits

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""The name of a wave, or of a window."""


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("give a time zone like Europe/Berlin") from None
    return name


TimeZone: TypeAlias = Annotated[str, AfterValidator(_known_zone)]


class _Rates(Strict):
    """Hold the assumed speed of one leg alone, until enough was measured.

    Attributes:
        bytes: bytes a second, on top of the items a second of its kind.
    """

    bytes: float = Field(default=2_000_000.0, gt=0)

    def of(self, kind: Kind) -> float:
        """Return the items a second of a leg of this kind."""
        return float(getattr(self, kind.value))


def _rate(traits: KindTraits) -> tuple[type[float], Any]:
    text = "items a second, as if they had no size"
    return float, Field(default=traits.typical_rate, gt=0, description=text)


if TYPE_CHECKING:
    PlanRates: TypeAlias = _Rates
else:
    PlanRates = create_model(
        "PlanRates", __base__=_Rates, **{kind.value: _rate(traits) for kind, traits in KINDS.items()}
    )


class PlanSettings(Strict):
    """Hold the settings of [plan].

    Attributes:
        waves: the CSV file of the waves.
        relations: the CSV file of the relations; None for none.
        inventory: the CSV file of the inventory; None for none.
        mailboxes: the most mailboxes of one wave.
        largest_bytes: the most bytes of one wave; None for no limit.
        pilot: mailboxes of the first wave; 0 for none.
        first: the date of the first wave.
        days: days from one wave to the next.
        window: the window in which waves run; None for none.
        timezone: the zone in which a date begins, if no window says it.
        workers: how many workers run batches at once, each with run.mailboxes_at_once mailboxes at once.
        source_at_once: requests at once that the source allows overall.
        source_requests: requests a second that the source allows overall.
        rates: the assumed speed of a leg.
    """

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
