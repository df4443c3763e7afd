"""Notice that Prefect's server is away, and say so on the terminal of a command: its work goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from flows.deploy import prefect_server
from flows.deploy.api import Api
from flows.process.prefect_retry import ANSWERS

LOOK_SECONDS = 10.0
AGAIN_SECONDS = 2.0
ANSWER_SECONDS = 10.0
"""A busy server takes seconds."""


def away_text(api: Api) -> str:
    """Return what a person who waits should know and can do."""
    start = "`kogge server up` in another terminal starts it again" if api.local else "see that it runs"
    return (
        f"Prefect's server does not answer ({api.ui}). Nothing is lost: batches at work go on. A further"
        f" batch, and the end of this run, wait for it for some minutes; {start}"
    )


class ApiWatch:
    """Ask a Prefect API now and then, in a thread of its own. A context manager.

    Args:
        api: the API.
        answers: returns True if it answers now.
    """

    def __init__(self, api: Api, answers: Callable[[], bool] | None = None) -> None:
        self._api = api
        self._answers = answers or (lambda: prefect_server.answers(api.url, ANSWER_SECONDS))
        self._over = threading.Event()
        self._away = False
        self._told = False
        self._thread = threading.Thread(target=self._watch, name="prefect-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()

    def news(self) -> str | None:
        """Return a line about a change since the last call; None if there is none."""
        if self._away == self._told:
            return None
        self._told = not self._told
        return away_text(self._api) if self._told else ANSWERS

    def look(self) -> None:
        """Ask once; a server that does not answer is asked once more before it counts as away."""
        self._away = not (self._answers() or (not self._over.wait(AGAIN_SECONDS) and self._answers()))

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.look()
