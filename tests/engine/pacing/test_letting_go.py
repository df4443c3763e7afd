"""A server hangs in the middle of a call: who asks the run to stop is heard all the same."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_admission import TOML

from engine.config.load import Config, load
from engine.context.leg_context import Opener
from engine.control.stop_signal import Stop
from engine.pacing import admission, watchdog
from engine.pacing.admission import Admission
from engine.pacing.call_metrics import Meter, metered
from engine.pacing.watchdog import Watchdog
from ledger.store import Ledger
from model.errors import Transient
from model.kinds import Kind
from model.protocols import Container, Item, Stored


class Hung:
    """A source whose server accepts a call and never answers it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.closed = threading.Event()

    def containers(self) -> Iterator[Container]:
        self.asked.set()
        if self.closed.wait(30):
            raise Transient("connection-closed", "closed from our side")
        yield from ()

    @property
    def capabilities(self) -> str:
        return next(iter(self.containers()), "")  # type: ignore[return-value]

    def trouble(self) -> str | None:
        return "unreachable" if self.asked.is_set() else None

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("X", "secret")
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 0.01)
    (tmp_path / "kogge.toml").write_text(TOML)
    return load(tmp_path / "kogge.toml")


def opened(config: Config, tmp_path: Path, stop: Stop, side: Hung) -> tuple[Any, Watchdog]:
    """The hung source as a leg opens it, and the thread that watches."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    admitted = Admission(config, ledger)
    entry = admitted.join(Kind.MAIL)
    assert admitted.begin(entry)
    source: Any = side
    opener = admitted.through(entry, stop)(Opener(lambda: source, lambda *_: source, lambda: None))
    watched = Watchdog(config, ledger, stop, admitted)
    watched.start()
    return opener.source(), watched


@pytest.mark.parametrize("asks", [lambda side: list(side.containers()), lambda side: side.capabilities])
def test_a_call_without_an_answer_ends_when_somebody_stops_the_run(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: Any
) -> None:
    monkeypatch.setattr(watchdog, "LET_GO_SECONDS", 0.0)
    monkeypatch.setattr(admission, "LET_GO_SECONDS", 0.0)
    stop, hung = Stop(), Hung()
    side, watched = opened(config, tmp_path, stop, hung)

    def somebody() -> None:
        assert hung.asked.wait(30)
        stop.set()

    threading.Thread(target=somebody, daemon=True).start()
    try:
        with pytest.raises(Transient, match="connection-closed"):
            asks(side)
    finally:
        watched.end()


def test_the_end_of_a_window_ends_no_call(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file may take longer than the window: it would begin anew each night."""
    monkeypatch.setattr(watchdog, "LET_GO_SECONDS", 0.0)
    let_go: list[str] = []
    calls: Any = SimpleNamespace(let_go=lambda: let_go.append("now"), due=lambda: 1e9)
    ledger: Any = None
    stop = Stop()
    stop.ask("window-closed")

    def five_ticks() -> None:
        ticks = iter(range(5))
        watched = Watchdog(config, ledger, stop, calls)
        monkeypatch.setattr(watched._done, "wait", lambda _: next(ticks, None) is None)
        watched._run()

    five_ticks()
    assert let_go == []
    stop.code = "paused"
    five_ticks()
    assert let_go == ["now"] * 5


def test_a_meter_tells_how_long_a_call_waits_and_what_closes_it() -> None:
    now, hung = [0.0], Hung()
    meter = Meter(lambda: now[0])
    side: Any = metered(hung, meter)

    def ask() -> None:
        with suppress(Transient):
            list(side.containers())

    asking = threading.Thread(target=ask)
    asking.start()
    assert hung.asked.wait(30)
    now[0] = 12.0
    assert (meter.silent(10.0), meter.trouble()) == (12.0, "unreachable")
    assert meter.hung(15.0) == []
    (close,) = meter.hung(5.0)
    close()
    asking.join(30)
    assert not asking.is_alive()
    assert (meter.silent(0.0), meter.hung(0.0)) == (0.0, [])
    assert meter.trouble() == "connection-closed", "until a call succeeds"
    meter.timed(lambda: None)
    assert meter.trouble() is None


def test_a_large_file_that_is_under_way_is_finished() -> None:
    """At 100 kB a second, 30 MB take five minutes."""
    now, overdue = [0.0], []
    meter = Meter(lambda: now[0])

    def write(_href: str, items: list[Item]) -> Iterator[Stored]:
        for seconds in (100.0, 290.0, 400.0):
            now[0] = seconds
            overdue.append((len(meter.hung(5.0)), meter.silent(10.0)))
        yield from (Stored(item.key, "x", "1") for item in items)

    target: Any = SimpleNamespace(write=write, close=lambda: None)
    item = Item(Kind.FILES, b"k", b"", 30_000_000, lambda: io.BytesIO())
    assert [stored.key for stored in metered(target, meter).write("folder", [item])] == [b"k"]
    assert overdue == [(0, 0.0), (0, 0.0), (1, 400.0)]
