"""[report]: what a report says beside the ledger's facts."""

from __future__ import annotations

from pydantic import Field

from connectors.settings import Strict


class ReportSettings(Strict):
    """contact: whom a person may ask, as it is to stand on their page: a name, a telephone number, hours."""

    contact: str = Field(default="", max_length=500)
