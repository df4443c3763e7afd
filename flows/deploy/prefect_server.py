"""The local Prefect server that Kogge starts when none is configured.

One server per state directory, with a PREFECT_HOME and a SQLite database of its own there, detached from the
command that started it and reachable from this machine only, with a login that only its owner can read.
Nothing about it is shared with any other Prefect on the machine, and it sends no telemetry. It supervises and
shows; the ledger is the truth, so it may be stopped or deleted at any time without losing anything but
history.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.control.environment import SAFE_PATH, plain
from flows.deploy.own_server import origins
from flows.deploy.server_login import (
    AUTH_STRING,
    CLIENT_AUTH_STRING,
    HOST,
    NO_ANSWER,
    header,
    known_login,
    login,
    login_path,
    proves,
)
from model.errors import Misconfigured, Transient
from model.private_files import make_directory

PORT = 4200
START_SECONDS = 240.0
"""A first start creates the database: 12 s measured on two shared cores, over 120 s on two with a load of 10
(Prefect 3.9.1)."""
STOP_SECONDS = 15.0
BUSY_SECONDS = 30.0
TRIES = 3
"""Free ports that are tried when another takes one between our look and our server's."""

TUNING = {
    # Batch sizes of 1 (the default) cost 23-29 ms of server CPU a task run, these 5-6 ms (Prefect 3.9.1).
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "2",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "500",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
    # With PostgreSQL alone: by default 5 connections stay open, and 10 more are opened whenever they are
    # needed; that was for every tenth transaction.
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "15",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "0",
    # Each look costs a few milliseconds; 5 seconds is the default.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "15",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "30",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "30",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "DO_NOT_TRACK": "1",
}
"""Of every Prefect server, whatever it stores its data in."""
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""The memory default leaks concurrency slots for good when the server restarts."""

UNAVAILABLE = "prefect-unavailable"
MODULE = "flows.deploy.own_server"
EARLIER = ("prefect", "server", "start")
"""The words of the process of a server that an earlier version of Kogge started: it asks for no login."""


@dataclass(frozen=True, slots=True)
class Server:
    """Describe a running local server.

    Attributes:
        started: seconds since 1970, by this machine's clock.
        login: USER:PASSWORD of its API and its pages.
    """

    pid: int
    port: int
    started: float
    login: str = field(default="", repr=False, compare=False)

    @property
    def ui(self) -> str:
        """Return the address of its pages."""
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """Return the address of its API."""
        return f"{self.ui}/api"


def home(state: Path) -> Path:
    """Return the folder of the server in the state directory."""
    return state / "prefect"


def log_path(state: Path) -> Path:
    """Return the path of its log."""
    return home(state) / "server.log"


def up(state: Path, port: int = PORT) -> Server:
    """Start the server unless it runs already, and return when it answers.

    Several processes may call it at the same time. A server of an earlier version, which asks for no login,
    is ended first.

    Args:
        state: the state directory.
        port: where it listens; 0 for any free port.

    Raises:
        Misconfigured: another program has the port (a server on another one would not be found, and would
            stay); or it ended before it answered, and its log says why.
        Transient: "prefect-unavailable": it did not answer in time. That passes, as the machine's load does.
    """
    folder = home(state)
    make_directory(folder)
    with _only_one(folder):
        if (earlier := _recorded(state)) is not None and _has_words(earlier.pid, EARLIER):
            _end(earlier.pid)
        running = _awaited(state)
        if running is not None:
            return running
        if (busy := _recorded(state)) is not None:
            advice = f"the local server runs (process {busy.pid}) but does not answer; its log is"
            then = "If that stays so, first `kogge server down`"
            raise Transient(UNAVAILABLE, f"{advice} {log_path(state)}. {then}")
        for _ in range(TRIES if port == 0 else 1):
            started = _start(state, _free_port(port))
            if started is not None:
                return started
    if port:
        raise _taken(port)
    raise Transient(UNAVAILABLE, "other programs took every port that the local server was to have")


def down(state: Path) -> bool:
    """Stop the server, and return when its process has ended; False if none was running."""
    folder = home(state)
    if not folder.is_dir():
        return False
    with _only_one(folder):
        server = _recorded(state)
        if server is None:
            return False
        _end(server.pid)
        _record_path(state).unlink(missing_ok=True)
        return True


def status(state: Path) -> Server | None:
    """Return the server of this state directory, if its process lives and it answers."""
    server = _recorded(state)
    return server if server is not None and _is_home(server) else None


def _awaited(state: Path) -> Server | None:
    """Return the server of this state directory, which may be too busy to answer at once."""
    deadline = time.monotonic() + BUSY_SECONDS
    while (found := _recorded(state)) is not None and time.monotonic() < deadline:
        if _is_home(found):
            return found
        time.sleep(0.2)
    return None


def login_file(state: Path) -> Path:
    """Return the file with the login of the server of this state directory."""
    return login_path(home(state))


def answers(api: str, seconds: float = 3.0) -> bool:
    """Return True if a Prefect API answers at this address, also if it asks for a password."""
    import urllib.error  # loaded only when a server is asked: most commands read the ledger alone
    import urllib.request

    try:
        with urllib.request.urlopen(f"{api.rstrip('/')}/health", timeout=seconds) as reply:  # noqa: S310 (the operator's own address)
            return bool(reply.status == 200)
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except NO_ANSWER:
        return False


def refuses(api: str) -> bool:
    """Return True if a Prefect API asks for another login than this process has, or for one at all."""
    import urllib.error  # loaded late, as above
    import urllib.request

    request = urllib.request.Request(  # noqa: S310 (the operator's own address)
        f"{api.rstrip('/')}/admin/version", headers=header(os.environ.get(CLIENT_AUTH_STRING, ""))
    )
    try:
        with urllib.request.urlopen(request, timeout=3.0):  # noqa: S310 (as above)
            return False
    except urllib.error.HTTPError as error:
        return error.code in (401, 403)
    except NO_ANSWER:
        return False


def _is_home(server: Server, seconds: float = 3.0) -> bool:
    """Return True if the server that answers is this state directory's, and no other took the port."""
    return proves(server.login, server.port, seconds)


def environment(state: Path, port: int) -> dict[str, str]:
    """Return the server's whole environment.

    It has no secret of ours but the server's own login, and nothing of another Prefect configuration.
    """
    folder = home(state).resolve()
    return {
        **plain(),
        **TUNING,
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        **SAFE_PATH,
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_UI_API_URL": f"http://{HOST}:{port}/api",
        AUTH_STRING: login(folder),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(origins(port)),
    }


def _start(state: Path, port: int) -> Server | None:
    """Start a server; None if another program has the port by now. Raise Misconfigured."""
    command = [sys.executable, "-P", "-m", MODULE, str(port)]
    with log_path(state).open("ab") as log:
        process = subprocess.Popen(
            command,
            env=environment(state, port),
            cwd=home(state),  # Prefect reads prefect.toml, pyproject.toml and .env where it starts
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(process.pid, port, time.time(), login(home(state)))
    record = {"pid": server.pid, "port": server.port, "started": server.started}
    _record_path(state).write_text(json.dumps(record))
    return server if _answers_in_time(process, server, state) else None


def _answers_in_time(process: subprocess.Popen[bytes], server: Server, state: Path) -> bool:
    """Wait for the server; False if it ended because another one has the port. Raise as `up` does."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_home(server, seconds=2.0):
            process.returncode = 0  # it outlives this process on purpose: no ResourceWarning at exit
            return True
        time.sleep(0.2)
    ended = process.poll() is not None
    if not ended:
        _end(server.pid)
        process.wait()
    _record_path(state).unlink(missing_ok=True)
    if not ended:
        advice = f"the local server did not answer within {START_SECONDS:.0f} s; the machine may be busy"
        raise Transient(UNAVAILABLE, f"{advice}. Its log is {log_path(state)}")
    if _is_free(server.port):
        raise Misconfigured("prefect", f"the local server ended as it started; {log_path(state)} says why")
    return False


def _record_path(state: Path) -> Path:
    return home(state) / "server.json"


def _recorded(state: Path) -> Server | None:
    """Return the recorded server, if its process lives and is a Prefect server.

    Process ids are used again, so the record alone is not enough.
    """
    try:
        server = Server(**json.loads(_record_path(state).read_text()), login=known_login(home(state)))
    except (OSError, ValueError, TypeError):
        return None
    return server if _is_server(server.pid) else None


def _is_server(pid: int) -> bool:
    return _has_words(pid, (MODULE,)) or _has_words(pid, EARLIER)


def _has_words(pid: int, words: tuple[str, ...]) -> bool:
    """Return True if the command of a process has these words, one after the other."""
    if Path("/proc/self").exists():
        with suppress(OSError):  # a zombie's command line is empty
            return "\0".join(words).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False
    shown = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return not shown.startswith("Z") and " ".join(words) in shown


def _end(pid: int) -> None:
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.killpg(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not _is_server(pid):
                return
            time.sleep(0.1)


def _free_port(wanted: int) -> int:
    try:
        return _probed(wanted)
    except OSError:
        if wanted:
            raise _taken(wanted) from None
        raise Misconfigured("prefect", "no free port on the loopback interface") from None


def _taken(port: int) -> Misconfigured:
    free = _probed(0)
    advice = f"{port} is taken, perhaps by the server of another configuration; give another, such as {free}"
    return Misconfigured("prefect.port", advice)


def _is_free(port: int) -> bool:
    try:
        return bool(_probed(port))
    except OSError:
        return False


def _probed(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return int(probe.getsockname()[1])


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
