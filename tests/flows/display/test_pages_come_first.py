"""A wave and a batch make their pages before their work begins, and spend little time on them.

A Prefect server on SQLite refuses one of two writes that come together. Its client then waits for seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any

import pytest

from flows.display import artifacts, batch_progress
from flows.process.parameters import BatchParameters, WaveParameters

WAVE = WaveParameters(wave="pilot")
BATCH = BatchParameters(wave="pilot", mailboxes=["m-1"])
Page = Callable[[], AbstractAsyncContextManager[object]]


@pytest.mark.parametrize(
    ("shows", "page"),
    [
        (artifacts.Board, lambda: artifacts.shown(None, WAVE, [BATCH])),  # type: ignore[arg-type]
        (batch_progress._Shown, lambda: batch_progress.shown(BATCH, None, None, 60.0)),  # type: ignore[arg-type]
    ],
    ids=["wave", "batch"],
)
def test_nothing_else_is_asked_of_prefect_while_a_page_is_made(
    shows: type, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def made(*_: Any, **__: Any) -> None:
        await asyncio.sleep(0)
        done.append("page")

    async def run() -> None:
        async with page():
            done.append("work")
            await asyncio.sleep(0.05)
            done.append("worked")

    for name in {"link", "show", "look"} & vars(shows).keys():
        monkeypatch.setattr(shows, name, made)
    asyncio.run(run())
    begins, ends = done.index("work"), done.index("worked")
    assert "page" in done[:begins], "it is there when the work begins"
    assert ends == begins + 1, "and nothing of it is left to be made beside it"


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_left_of_all_waves_is_reckoned_for_a_hundredth_of_the_time(
    monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Of 40,000 mailboxes it takes more than a second. At the end of a wave it is reckoned in any case."""
    at = SimpleNamespace(clock=1000.0, spent=0.0)
    asked: list[float] = []

    class Slow:
        def __init__(self, *_: object) -> None: ...

        def left(self) -> dict[str, object]:
            asked.append(at.clock)
            at.spent += 1.5
            return {}

    clocks = SimpleNamespace(monotonic=lambda: at.clock, thread_time=lambda: at.spent)
    monkeypatch.setattr(artifacts, "time", clocks)
    monkeypatch.setattr(artifacts, "Eta", Slow)
    board = artifacts.Board(SimpleNamespace(config=None, ledger=None), WAVE, [BATCH])  # type: ignore[arg-type]
    for _ in range(31):
        board._estimate(ended=False)
        at.clock += 10
    assert asked == [1000.0, 1150.0, 1300.0]
    board._estimate(ended=ended)
    assert asked[3:] == ([1310.0] if ended else [])
