"""A wave and a batch make their pages before their work begins.

A Prefect server on SQLite refuses one of two writes that come together. Its client then waits for seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
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
