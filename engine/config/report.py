"""Describe [report]: what a report says beside the ledger's facts."""

from __future__ import annotations

from pydantic import Field

from connectors.settings import Strict


class ReportSettings(Strict):
    """Hold the settings of [report].

    Attributes:
        contact: whom a person may ask, as their page shows it: a name, a telephone number, hours.
    """

    contact: str = Field(default="", max_length=500)
