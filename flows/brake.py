"""Stops a look at many mailboxes when their logins are refused: tried on and on, they lock people out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.errors import Blocked, Misconfigured, Transient

REFUSALS_MOST = 3


class Brake:
    """Counts refused logins in a row, each side for itself. Until a side has accepted one, its logins are
    tried one after the other; later, those already under way may exceed the count."""

    def __init__(self) -> None:
        self._refused: Counter[str] = Counter()
        self._accepted: set[str] = set()
        self._first: dict[str, threading.Lock] = {}

    @contextmanager
    def login(self, side: str) -> Iterator[None]:
        """Around whatever logs in. Raises Misconfigured at the last refusal that is allowed, and from then
        on before anything is tried."""
        if side in self._accepted:
            with self._counted(side):
                yield
            return
        with self._first.setdefault(side, threading.Lock()), self._counted(side):
            yield

    @contextmanager
    def _counted(self, side: str) -> Iterator[None]:
        self._stop(side)
        try:
            yield
        except Transient:
            raise
        except Blocked as error:
            if error.code != "login-refused":
                self._accept(side)
                raise
            self._refused[side] += 1
            self._stop(side)
            raise
        self._accept(side)

    def _accept(self, side: str) -> None:
        self._refused[side] = 0
        self._accepted.add(side)

    def _stop(self, side: str) -> None:
        if self._refused[side] >= REFUSALS_MOST:
            raise Misconfigured(
                f"[{side}]",
                f"refused {REFUSALS_MOST} logins in a row, so no more were tried, lest accounts be locked; "
                "correct the login or the password",
            )
