"""An older version of a file: for core code and connectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Older:
    """What a file was. digest: SHA-256 of the body, which is reopenable; date: when it became so; None where
    the source does not tell."""

    digest: bytes
    size: int
    body: Callable[[], BinaryIO]
    date: datetime | None = None
