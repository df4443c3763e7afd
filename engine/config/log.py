"""Describe [logging]: how log lines are written."""

from __future__ import annotations

from typing import Literal

from connectors.settings import Strict


class LoggingSettings(Strict):
    """Hold the settings of [logging].

    Attributes:
        format: "text" for people; "json" writes each log line of runs and workers as one JSON object on
            standard error.
    """

    format: Literal["text", "json"] = "text"
