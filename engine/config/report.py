"""Describe [report]: what a report says beside the ledger's facts."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from connectors.settings import Strict
from engine.config.planning import TimeZone


class ReportSettings(Strict):
    """Hold the settings of [report].

    Attributes:
        contact: whom a person may ask, as their page shows it: a name, a telephone number, hours.
        organisation: whose migration it is, as the pages name it at their top.
        logo: a PNG or SVG file of at most 256 KiB, which the pages show; None for none.
        timezone: the zone of the times in the pages; None for that of [plan] and its window.
    """

    contact: str = Field(default="", max_length=500)
    organisation: str = Field(default="", max_length=200)
    logo: Path | None = None
    timezone: TimeZone | None = None
