"""Define how a target tells who else reads what its accounts hold, without naming anybody."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Readers:
    """Say which containers others than an account's owner may see or read; it names nobody.

    Attributes:
        open: those containers.
        untold: those of which the server does not tell it, though it has such rights.
    """

    open: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()


@runtime_checkable
class TellsReaders(Protocol):
    """Tell whether others than the owner of a target's account may read what is in it."""

    def readers(self, hrefs: Collection[str] | None) -> Readers:
        """Return what the server says of the rights that others have. Idempotent; changes nothing.

        Args:
            hrefs: the containers; None for all that are the account's own.
        """
