"""Reserve a port for the Prefect server of one practice world while other worlds run.

The world's process holds a lock for the port, not the port itself: the Prefect server starts later, in
another process. The kernel lets go of the lock when the process ends.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
STEP = 10
TRIES = 20


@contextmanager
def reserved_port(wanted: int) -> Iterator[int]:
    """Reserve this port, or the next one that is free and that no other world has reserved.

    Args:
        wanted: 0 stands for any free port, without a reservation.

    Yields:
        The port. After TRIES ports it is any free one.
    """
    for port in range(wanted, wanted + STEP * TRIES, STEP) if wanted else ():
        lock = os.open(_lock_of(port), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            if _is_free(port) and _is_locked(lock):
                yield port
                return
        finally:
            os.close(lock)
    yield _any_port()


def _lock_of(port: int) -> Path:
    return Path(tempfile.gettempdir()) / f"kogge-port-{os.geteuid()}-{port}"


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    try:
        _bound(port)
    except OSError:
        return False
    return True


def _any_port() -> int:
    return _bound(0)


def _bound(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return int(probe.getsockname()[1])
