"""A queue that no worker asks is named, with the command that starts one, once."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.states import Running, Scheduled

from flows import queue_watch
from flows.queue_watch import QueueWatch


class Api:
    def __init__(self) -> None:
        self.state: Any = Scheduled()
        self.polled: datetime | None = None
        self.paused = False

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def read_flow_run(self, _number: object) -> Any:
        if self.state is None:
            raise httpx.ConnectError("away")
        return SimpleNamespace(state=self.state)

    async def read_work_queue_by_name(self, _name: str, *, work_pool_name: str) -> Any:
        assert work_pool_name == "kogge"
        return SimpleNamespace(last_polled=self.polled, is_paused=self.paused)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    logger = logging.getLogger("a-wave")
    monkeypatch.setattr(logger, "warning", lines.append)
    monkeypatch.setattr(queue_watch, "get_run_logger", lambda: logger)
    monkeypatch.setattr(queue_watch, "BEGIN_SECONDS", -1.0)
    return lines


def test_nobody_asks_the_queue(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    monkeypatch.setattr(queue_watch, "get_client", lambda: api)
    prefect = SimpleNamespace(work_pool="kogge")
    runner: Any = SimpleNamespace(
        notice=None, config=SimpleNamespace(prefect=prefect, path=Path("/x/cloud.toml"))
    )
    watch = QueueWatch(runner, "normal", [uuid4()])
    asyncio.run(watch.look())
    asyncio.run(watch.look())
    word = "no worker takes runs from the queue normal; start one: kogge worker -c cloud.toml --queue normal"
    assert (runner.notice, said) == (word, [word])
    api.polled = datetime.now(UTC) - timedelta(seconds=3)
    asyncio.run(watch.look())
    assert runner.notice is None, "all its places are taken by others"
    api.paused = True
    asyncio.run(watch.look())
    assert "is paused in Prefect" in str(runner.notice)
    api.state = Running()
    asyncio.run(watch.look())
    assert runner.notice is None


def test_nothing_is_said_before_a_worker_could_have_begun(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_watch, "BEGIN_SECONDS", 3600.0)
    monkeypatch.setattr(queue_watch, "get_client", lambda: pytest.fail("not yet"))
    runner: Any = SimpleNamespace(notice=None)
    asyncio.run(QueueWatch(runner, "normal", [uuid4()]).look())
    assert said == []
