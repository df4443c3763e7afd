"""Whatever is wrong with a page, an event or an artifact: the work goes on; the log of defects says what."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from scripted import SIDES, Ended, add, opened, serving

from engine.control import error_log
from engine.control.error_log import defect_log
from flows import cutover, launch
from flows.deploy import prefect_server
from flows.display import artifacts, batch_progress, prefect_events, published, task_events
from flows.launch import RunResult
from flows.process import background_task, leg_runner
from ledger.db.rows import LegState
from ledger.store import Ledger

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TOML = f"""
{SIDES}
[run]
mailboxes_at_once = 2
batch = 2
canary = false
"""
SECRET = "anna@old.example"
PAGE = "the page of a wave"


def a_defect(*_: object, **__: object) -> NoReturn:
    raise KeyError(SECRET)


def a_full_disk(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, SECRET)


async def an_error_of_the_api(*_: object, **__: object) -> NoReturn:
    request = httpx.Request("POST", "http://prefect.example/api/artifacts/")
    raise httpx.HTTPStatusError("500", request=request, response=httpx.Response(500, request=request))


@pytest.fixture(autouse=True)
def _none_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_log, "_ONCE", set())


@pytest.fixture(scope="module")
def api(prefect_state: Callable[[], Path]) -> Iterator[prefect_server.Server]:
    with serving(prefect_state()) as running:
        yield running


def moved(ledger: Ledger) -> Callable[..., Ended]:
    """Work that verifies each mailbox."""

    def work(_config: Any, leg_id: int, **_: Any) -> Ended:
        lease = ledger.claim(leg_id, f"test/{leg_id}", 60)
        assert lease is not None
        ledger.release(lease, LegState.VERIFIED, None)
        return Ended(LegState.VERIFIED)

    return work


@pytest.fixture
def run(
    api: prefect_server.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], tuple[RunResult, str]]]:
    """Runs a wave of four mailboxes; how it ended, and the log of defects."""
    monkeypatch.setenv("PREFECT_API_URL", api.api)
    monkeypatch.setattr(artifacts, "TICK_SECONDS", 0.05)
    with opened(tmp_path, TOML) as (config, ledger):
        add(ledger, "pilot", [(f"p{n}@old.example", f"p{n}@new.example") for n in range(4)])
        monkeypatch.setattr(leg_runner, "_run_leg", moved(ledger))

        def go() -> tuple[RunResult, str]:
            result = launch.launch(config, "pilot")
            assert {row.state for row in ledger.legs()} == {LegState.VERIFIED}
            log = config.state_directory / "logs" / "defects.log"
            return result, log.read_text() if log.exists() else ""

        yield go


@pytest.mark.prefect
@pytest.mark.parametrize(
    "first", [1, 2, 10_000], ids=["before the first batch", "in the middle", "at the end"]
)
def test_a_page_with_a_defect_stops_no_wave(
    run: Callable[[], tuple[RunResult, str]], first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """first: the look from which on it cannot be drawn; the last one never can."""
    drawn, looks = artifacts.wave_text, []

    def text(seen: Any, ended: bool = False) -> str:
        looks.append(ended)
        if ended or len(looks) >= first:
            a_defect()
        return drawn(seen, ended)

    monkeypatch.setattr(artifacts, "wave_text", text)
    result, log = run()
    assert result.complete
    assert looks[-1], "the end was to be drawn"
    assert log.count(f"{PAGE}: KeyError at") == 1
    assert SECRET not in log


@pytest.mark.prefect
@pytest.mark.parametrize(
    ("place", "name"),
    [
        (artifacts, "mailboxes_text"),
        (artifacts.Board, "_read"),
        (artifacts.Board, "link"),
        (batch_progress._Shown, "_share"),
        (batch_progress, "failing"),
        (prefect_events, "_resource"),
        (task_events.ReportedTaskRun, "_payload"),
        (task_events, "emit"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_part_of_what_shows_stops_a_wave(
    run: Callable[[], tuple[RunResult, str]], place: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, a_defect)
    result, log = run()
    assert result.complete
    assert "KeyError at" in log
    assert len(log.splitlines()) == len({*log.splitlines()}), "each defect once"
    assert SECRET not in log


@pytest.mark.prefect
@pytest.mark.parametrize("fault", [an_error_of_the_api, a_full_disk])
def test_what_passes_is_no_defect(
    run: Callable[[], tuple[RunResult, str]], fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published.Published, "put", fault)
    result, log = run()
    assert result.complete
    assert log == ""


def test_a_defect_that_lasts_is_in_the_log_once_and_the_page_is_drawn_again_after_it(tmp_path: Path) -> None:
    looks: list[int] = []

    async def look() -> None:
        looks.append(len(looks))
        if len(looks) < 5:
            a_defect()

    async def work() -> None:
        async with background_task.keep_drawing(PAGE, look, 0.001):
            while len(looks) < 7:
                await asyncio.sleep(0.001)

    with defect_log(tmp_path):
        asyncio.run(work())
    (line,) = (tmp_path / "logs" / "defects.log").read_text().splitlines()
    assert line.startswith(f"{PAGE}: KeyError at test_pages_stop_nothing.py")


def test_a_cutover_ends_without_advice_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutover, "held_phrase", a_defect)
    assert cutover._advice("pilot", []) == ""
