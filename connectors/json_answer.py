"""Read the JSON of a server's answer."""

from __future__ import annotations

import json
from typing import Any


def read(text: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: the text is not JSON, or is nested too deep.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
