"""Judge every exchange of the practice Exchange and the practice Microsoft 365, as soon as it is whole.

Judged is, in every test, what servers in the process of the tests answer and what the connectors send to them
or to a scripted server. Not judged are servers in a process of their own (`kogge practice`), answers that are
cut off, answers above practice.harness.tap.MOST, and what a scripted server answers.
"""

from __future__ import annotations

import threading

import samples
from servers.faulty.tap import Exchanged

from judges.ews import EwsJudge
from judges.graph import GraphJudge
from practice.exchange.app import EWS_PATH
from practice.graph.app import VERSION

FOLDER = "microsoft-schemas"
SCHEMAS = samples.BASE / FOLDER


PENDING = 8_000_000
"""Bytes that wait at most until somebody asks for the verdict."""


class Court:
    """A tap. It judges when the verdict is asked for, or when too much waits for it."""

    def __init__(self) -> None:
        self._ews: EwsJudge | None = None
        self._graph: GraphJudge | None = None
        self._heard: list[Exchanged] = []
        self._size = 0
        self._wrong: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, exchanged: Exchanged) -> None:
        with self._lock:
            self._heard.append(exchanged)
            self._size += len(exchanged.request) + len(exchanged.answer)
            if self._size > PENDING:
                self._judge()

    @property
    def judged(self) -> int:
        """How many bodies were judged so far."""
        with self._lock:
            self._judge()
        return sum(one.judged for one in (self._ews, self._graph) if one is not None)

    def verdict(self) -> list[str]:
        """What was wrong since it was asked last."""
        with self._lock:
            self._judge()
            wrong, self._wrong = self._wrong, []
        return list(dict.fromkeys(wrong))

    def _judge(self) -> None:
        heard, self._heard, self._size = self._heard, [], 0
        for exchanged in heard:
            self._wrong += self._judged(exchanged)

    def _judged(self, exchanged: Exchanged) -> list[str]:
        if exchanged.target.startswith(f"{VERSION}/"):
            self._graph = self._graph or GraphJudge(SCHEMAS)
            return self._graph(exchanged)
        if exchanged.target == EWS_PATH:
            self._ews = self._ews or EwsJudge(SCHEMAS)
            return self._ews(exchanged)
        return []
