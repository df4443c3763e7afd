"""Say, while a command looks at many mailboxes, until when it waits for a server's rate limit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from engine.config.load import Config
from engine.pacing.server_names import sides_of
from engine.pacing.server_notices import rate_limit_lines
from engine.pacing.shared_budget import budget_of
from kogge.terminal.options import say

LOOK_SECONDS = 1.0


def waits(config: Config) -> dict[str, float]:
    """Return until when this process waits, by server, in seconds since 1970."""
    found: dict[str, float] = {}
    for kind in config.workloads:
        for system, settings in sides_of(config, kind).items():
            budget = budget_of(config, settings)
            if budget is not None and (until := budget.waits_until) is not None:
                found[system] = until
    return found


@contextmanager
def announced_waits(config: Config, every: float = LOOK_SECONDS) -> Iterator[None]:
    """Announce each wait once; `every` is the seconds between two looks."""
    ended = threading.Event()

    def watch() -> None:
        announced: set[str] = set()
        while not ended.wait(every):
            for line in rate_limit_lines(waits(config)):
                if line not in announced:
                    announced.add(line)
                    say(line)

    thread = threading.Thread(target=watch, name="waits", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
