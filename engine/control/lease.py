"""A worker's right to write on a leg: kept alive by a thread, checked before every write.

A lease is lost when the ledger's epoch moved, or when it could not be renewed in time. Either way this
worker must not send another byte: the guard raises, and the sockets are closed under whatever is blocked.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from engine.control.error_log import described
from ledger.db.rows import Lease
from model.errors import LeaseLost, MigrationError

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Boot time goes on while the machine sleeps; monotonic time on Linux does not."""

STOP_SECONDS = 5.0
"""How long the end of a leg waits for a renewal that is under way."""
CHECK_SECONDS = 1.0
"""How long after its deadline a lease may be noticed to be lost, on a machine that slept."""

_log = logging.getLogger("kogge.defect")
_alive: set[str] = set()


class Renews(Protocol):
    def renew(self, lease: Lease, ttl: float) -> bool: ...


def now() -> float:
    return time.clock_gettime(_CLOCK)


def new_owner() -> str:
    """Names this worker so that another process on the same machine can tell whether it still lives:
    machine and PID namespace, PID, the process's start time, a random token."""
    owner = f"{process_name()}/{secrets.token_hex(4)}"
    _alive.add(owner)
    return owner


def process_name() -> str:
    """Names this process on this machine, until the machine is started again."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def process_of(owner: str) -> str:
    """The process_name of the process that an owner's worker ran in."""
    return owner.rpartition("/")[0]


def is_named(owner: str) -> bool:
    """Whether an owner was named by new_owner, on a machine that tells what it is."""
    return owner.count("/") == 3 and not owner.startswith("/")


def ran_here(owner: str) -> bool:
    """Whether an owner's process ran on this machine since it was started, in whatever container."""
    return owner.partition(".")[0] == _machine().partition(".")[0]


def process_lives(owner: str) -> bool:
    """Whether an owner's process is known to go on. False also means "cannot tell"."""
    machine, pid, started, _ = owner.split("/")
    return machine == _machine() and _started(int(pid)) == started


def retire(owner: str) -> None:
    """Says that the worker of that name has ended although its process goes on."""
    _alive.discard(owner)


def is_dead(owner: str) -> bool:
    """True only where this machine can prove that the owner ended. False also means "cannot tell"."""
    parts = owner.split("/")
    if len(parts) != 4 or parts[0] != _machine() or parts[0] == "":
        return False
    pid, started = int(parts[1]), parts[2]
    if pid == os.getpid() and started == _started(pid):
        return owner not in _alive
    return _started(pid) != started


def _machine() -> str:
    """Boot id and PID namespace; empty where the system tells neither (then nothing is proven)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 (a link outside the file system)
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Field 22 of /proc/PID/stat (start time in ticks), or "" when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def writes_most(ttl: float, margin: float) -> float:
    """Tells for how many seconds after its last renewal a worker may send something; see Keeper. A claimer
    that does not know that the owner ended waits so long: that its lease is over is a clock's word."""
    return ttl - margin


class LeaseKeeper:
    """Holds one lease: renews it from a thread, and answers the guard's question.

    The deadline is counted from BEFORE the call that renewed, so this side always gives up first. A second
    thread watches the deadline: a renewal that hangs, or fails in a way nobody thought of, must not keep the
    sockets open.
    """

    def __init__(self, ledger: Renews, lease: Lease, ttl: float, margin: float, claimed_at: float) -> None:
        self._ledger = ledger
        self._lease = lease
        self._ttl = ttl
        self._margin = margin
        self._deadline = claimed_at + writes_most(ttl, margin)
        self._lost = threading.Event()
        self._done = threading.Event()
        self._closers: tuple[Callable[[], None], ...] = ()
        self._threads = (
            threading.Thread(target=self._run, name="lease", daemon=True),
            threading.Thread(target=self._watch_deadline, name="lease-deadline", daemon=True),
        )

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the renewing. Waits no longer than STOP_SECONDS for a renewal that hangs: the lease ends by
        itself, and a renewal that comes through after it was given back finds that it is."""
        self._done.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_SECONDS)

    def watch(self, *closers: Callable[[], None]) -> None:
        """What to close when the lease is lost, in place of what was named before; closed at once if it
        is lost already."""
        self._closers = closers
        if self.lost:
            self._close()

    @property
    def lost(self) -> bool:
        return self._lost.is_set() or now() >= self._deadline

    def guard(self) -> None:
        if self.lost:
            raise LeaseLost("lease-lost")

    def _run(self) -> None:
        try:
            while not self._done.wait(self._ttl / 3):
                if not self._renew():
                    self._give_up()
                    return
        except Exception as error:  # noqa: BLE001 (a defect here must not leave the sockets open)
            _log.error("lease of %s: %s", self._lease.mailbox, described(error))
            self._give_up()

    def _renew(self) -> bool:
        """Tries until the deadline: a ledger that is away for a moment does not end the work."""
        while not self._done.is_set():
            asked = now()
            if asked >= self._deadline:
                return False
            with suppress(MigrationError):
                if not self._ledger.renew(self._lease, self._ttl):
                    return False
                self._deadline = asked + writes_most(self._ttl, self._margin)
                return True
            self._done.wait(min(1.0, self._ttl / 10))
        return True

    def _watch_deadline(self) -> None:
        """Asks again after each wait: a renewal moves the deadline, and the machine may have slept."""
        while not self._done.wait(min(max(self._deadline - now(), 0.0), CHECK_SECONDS)):
            if self.lost:
                self._give_up()
                return

    def _give_up(self) -> None:
        self._lost.set()
        self._close()

    def _close(self) -> None:
        """All of them, whatever one of them raises."""
        for close in self._closers:
            try:
                close()
            except Exception as error:  # noqa: BLE001 (the others must be closed too)
                _log.error("lease of %s: %s", self._lease.mailbox, described(error))
