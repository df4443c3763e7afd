"""Describe an older version of a file, for core code and connectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Older:
    """Describe one older version of a file.

    Attributes:
        digest: SHA-256 of the body.
        size: bytes of the body.
        body: reopenable; every call gives a fresh stream, which the caller closes.
        date: when the file became so; None if the source does not state it.
    """

    digest: bytes
    size: int
    body: Callable[[], BinaryIO]
    date: datetime | None = None
