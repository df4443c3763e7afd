"""Where benches run: scripts in processes of their own, and what to do where a program is absent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import services
from bench_job import Taken

from model.kinds import Kind
from practice.dav.radicale import RadicaleServer

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
Run = Callable[..., Taken]
"""(settings of the source, source account, target account[, settings of the target]): a mailbox's mail."""

Dav = Callable[[RadicaleServer, str, Kind, dict[str, object]], Taken]
"""(server, user, kind, settings of the source): one kind of objects."""


Files = Callable[..., Taken]
"""(settings of the source, source account, settings of the target, target account[, its address]): files."""


def needed(present: bool, what: str) -> None:
    """Skips where a program is absent, or fails when everything must be there."""
    services.needed(present, f"{what} is not on the PATH")


def script(name: str, *arguments: str) -> str:
    """Standard output of a script of this folder. Its failure fails the bench."""
    done = subprocess.run(
        [sys.executable, str(HERE / name), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment(),
    )
    return done.stdout


@contextmanager
def exchange(*arguments: str) -> Iterator[tuple[dict[str, object], str]]:
    """The practice Exchange in a process of its own: settings of a source, and the mailbox's address."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "bench_exchange.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        try:
            assert process.stdout is not None
            url, account, password, mailbox = process.stdout.readline().split()
            os.environ["BENCH_EWS_PASSWORD"] = password
            settings: dict[str, object] = {
                "kind": "ews",
                "url": url,
                "auth": "basic",
                "username": account,
                "password": {"env": "BENCH_EWS_PASSWORD"},
            }
            yield settings, mailbox
        finally:
            os.environ.pop("BENCH_EWS_PASSWORD", None)
            process.terminate()


@contextmanager
def delayed(port: int, milliseconds: float) -> Iterator[int]:
    """A port that leads to a local one, with so many milliseconds of delay each way."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "bench_delay.py"), "127.0.0.1", str(port), str(milliseconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def file_server(*arguments: str) -> Iterator[dict[str, Any]]:
    """A server of files in a process of its own, and what it tells; see bench_file_servers."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "bench_file_servers.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
