"""The exit codes of every command."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Name the exit codes of every command."""

    OK = 0
    OPEN = 1
    INPUT = 2
    AGAIN = 3


CODES = (
    "Exit codes: 0 all well; 1 something needs a person or is not accounted for; 2 wrong input; "
    "3 a passing fault, run it again; 130 interrupted."
)
