"""Reads the JSON of an answer, whoever wrote it."""

from __future__ import annotations

import json
from typing import Any


def read(text: bytes | str) -> Any:
    """Raises ValueError, for what is nested deeper than anything that is meant as well."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
