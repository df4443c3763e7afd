"""Read the JSON of a server's answer."""

from __future__ import annotations

import json
import re
from typing import Any

VALUES_MOST = 2_000_000
"""Values of one answer.

A value takes about 100 bytes of memory, even if its text is three bytes long. Twenty events with ten thousand
guests each have fewer.
"""
STRINGS_A_VALUE = 2
"""A value of an object has a name, and may be a string."""
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BEGINNINGS = (b",", b"[", b"{")


def read(text: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: the text is not JSON, is nested too deep, or holds more than VALUES_MOST values.

    Source:
        RFC 8259, section 8.1 (between systems JSON is UTF-8).
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if _values(data, 0, len(data)) > VALUES_MOST and _has_too_many(data):
        raise ValueError("more values than an answer has")
    try:
        return json.loads(data.decode("utf-8-sig", "surrogatepass"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _values(data: bytes, begin: int, end: int) -> int:
    """Return how many values begin in a part of a text; more if it has strings with the signs that do so."""
    return sum(data.count(sign, begin, end) for sign in _BEGINNINGS)


def _has_too_many(data: bytes) -> bool:
    """Return True if more than VALUES_MOST values begin outside of strings, or if it has too many strings.

    It stops as soon as it knows, and holds nothing.
    """
    values = end = 0
    for strings, string in enumerate(_STRINGS.finditer(data)):
        values += _values(data, end, string.start())
        end = string.end()
        if values > VALUES_MOST or strings > STRINGS_A_VALUE * VALUES_MOST:
            return True
    return values + _values(data, end, len(data)) > VALUES_MOST
