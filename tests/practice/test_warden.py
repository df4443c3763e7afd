"""Practice servers go with the process that started them, whatever ends it, and at any signal."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from servers.postgres import serve
from services import need_dovecot, need_postgres
from sqlalchemy import create_engine

from practice.harness.served import Signalled
from practice.harness.warden import watch_over

ROOT = Path(__file__).parents[2]
SECONDS = 20.0
DOVECOT = """
import time
from practice.servers.dovecot import start_dovecot
server = start_dovecot(["anna"])
print(server.lab, server.port, flush=True)
time.sleep(300)
"""
PYMAP = """
import time
from practice.servers.pymap_server import start_pymap
print("-", start_pymap(["anna"]).port, flush=True)
time.sleep(300)
"""
POSTGRES = """
import sys, time
sys.path.insert(0, "tests/support")
from servers.postgres import serve
with serve() as server:
    print(server.folder, 0, flush=True)
    time.sleep(300)
"""
ENDS = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])


@contextmanager
def starter(script: str) -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """A process that has started a server, the server's folder, and its port."""
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as one:
        try:
            assert one.stdout is not None
            folder, port = one.stdout.readline().split()
            yield one, Path(folder), int(port)
        finally:
            one.kill()


def ends(one: subprocess.Popen[str], number: signal.Signals, folder: Path) -> None:
    one.send_signal(number)
    assert one.wait(SECONDS) == -number
    deadline = time.monotonic() + SECONDS
    while folder.exists() or processes_of(folder):
        assert time.monotonic() < deadline, "the server outlived its starter"
        time.sleep(0.05)


def processes_of(folder: Path) -> list[str]:
    """Process ids whose command line names the folder; [] where there is no /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.fsencode(folder) in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


@ENDS
@pytest.mark.dovecot
def test_dovecot_and_its_sessions(number: signal.Signals) -> None:
    need_dovecot()
    with starter(DOVECOT) as (one, folder, port):
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as session:
            session.sendall(b"a LOGIN anna userpw\r\n")
            while b"a OK" not in session.recv(4096):
                continue
            ends(one, number, folder)
            while session.recv(4096):
                continue
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


@ENDS
@pytest.mark.postgres
def test_postgres(number: signal.Signals) -> None:
    need_postgres()
    with starter(POSTGRES) as (one, folder, _):
        ends(one, number, folder)


@ENDS
def test_pymap(number: signal.Signals) -> None:
    """It has no folder, and no warden: its end is the end of its session and of its port."""
    with starter(PYMAP) as (one, _, port):
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as session:
            session.recv(4096)
            one.send_signal(number)
            assert one.wait(SECONDS) == -number
            while session.recv(4096):
                continue
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def test_a_pid_file_that_names_a_stranger_ends_nobody(tmp_path: Path) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("without /proc a pid file is believed")
    folder = tmp_path / "lab"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (folder / "pid").write_text(f"{stranger.pid}\n")
        watch_over(folder, folder / "pid", signal.SIGTERM).release()
        assert not folder.exists()
        assert stranger.poll() is None
        assert stranger.stdin is not None
        stranger.stdin.write(b"\n")


def test_nothing_is_left_to_do_when_the_folder_is_gone(tmp_path: Path) -> None:
    began = time.monotonic()
    watch_over(tmp_path / "gone", tmp_path / "gone" / "pid", signal.SIGTERM).release()
    assert time.monotonic() - began < SECONDS


@pytest.mark.postgres
def test_a_postgres_that_is_kept_is_found_again() -> None:
    need_postgres()
    kept = Path(tempfile.mkdtemp(prefix="kogge-kept-"))
    try:
        with serve(kept) as server:
            url = server.create("first")
        with serve(kept) as server:
            engine = create_engine(server.url("first"))
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT current_database()").scalar() == "first"
            engine.dispose()
        assert url != server.url("first"), "its socket is a new one"
        assert (kept / "data" / "PG_VERSION").exists()
    finally:
        shutil.rmtree(kept)


LINES = 12
"""More than the wait has, with all that it calls."""


@pytest.fixture
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_as_before")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", range(LINES))
def test_a_signal_at_any_line_of_the_wait_ends_it(line: int) -> None:
    """Also one that comes before or within it; one that no line brought comes a little later."""
    done = Signalled()
    passed = -1

    def at_a_line(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal passed
        if event == "line":
            passed += 1
            if passed == line:
                signal.raise_signal(signal.SIGTERM)
        return at_a_line

    later = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    later.start()
    traced = sys.gettrace()
    sys.settrace(at_a_line)
    try:
        done.wait()
    finally:
        sys.settrace(traced)
        later.join()
    assert passed >= min(line, 1), "the lines of the wait were seen"
