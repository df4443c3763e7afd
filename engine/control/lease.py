"""Keep a worker's lease on a leg alive by a thread, and check it before every write.

A lease is lost when the ledger's epoch has moved, or when it could not be renewed in time. In both cases this
worker must not send another byte: the guard raises, and the sockets are closed under whatever is blocked in
them.
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

from engine.control.error_log import describe
from ledger.db.rows import Lease
from model.errors import LeaseLost, MigrationError

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Boot time goes on while the machine sleeps; monotonic time on Linux does not (clock_gettime(2))."""

STOP_SECONDS = 5.0
"""How long the end of a leg waits for a renewal that is under way."""
CHECK_SECONDS = 1.0
"""How long after its deadline the loss of a lease may be noticed, on a machine that slept."""

_log = logging.getLogger("kogge.defect")
_alive: set[str] = set()


class Renews(Protocol):
    """Renew leases: what LeaseKeeper needs of a ledger."""

    def renew(self, lease: Lease, ttl: float) -> bool:
        """Renew a lease for `ttl` seconds. Return False if it is lost."""


def now() -> float:
    """Return the seconds of the clock that leases are measured by."""
    return time.clock_gettime(_CLOCK)


def new_owner() -> str:
    """Return a name for this worker, by which other processes on the machine can tell if it still lives.

    The name consists of machine and PID namespace, PID, the process's start time, and a random token.
    """
    owner = f"{process_name()}/{secrets.token_hex(4)}"
    _alive.add(owner)
    return owner


def process_name() -> str:
    """Return the name of this process on this machine, valid until the machine is started again."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def process_of(owner: str) -> str:
    """Return the process_name of the process in which an owner's worker ran."""
    return owner.rpartition("/")[0]


def is_named(owner: str) -> bool:
    """Return True if an owner was named by new_owner, on a machine that identifies itself."""
    return owner.count("/") == 3 and not owner.startswith("/")


def ran_here(owner: str) -> bool:
    """Return True if an owner's process ran on this machine since it was started, in any container."""
    return owner.partition(".")[0] == _machine().partition(".")[0]


def process_lives(owner: str) -> bool:
    """Return True if an owner's process is known to go on. False also means "cannot tell"."""
    machine, pid, started, _ = owner.split("/")
    return machine == _machine() and _started(int(pid)) == started


def retire(owner: str) -> None:
    """Note that the worker of that name has ended although its process goes on."""
    _alive.discard(owner)


def is_dead(owner: str) -> bool:
    """Return True only if this machine can prove that the owner ended. False also means "cannot tell"."""
    parts = owner.split("/")
    if len(parts) != 4 or parts[0] != _machine() or parts[0] == "":
        return False
    pid, started = int(parts[1]), parts[2]
    if pid == os.getpid() and started == _started(pid):
        return owner not in _alive
    return _started(pid) != started


def _machine() -> str:
    """Return boot id and PID namespace; "" if the system states neither (then nothing is proven)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116 (a link outside the file system)
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return the start time in ticks, field 22 of /proc/PID/stat (proc(5)).

    "" if there is no such process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def writes_most(ttl: float, margin: float) -> float:
    """Return for how many seconds after its last renewal a worker may send something, see LeaseKeeper.

    A claimer that does not know that the owner ended waits so long: the end of the lease is only what a clock
    says.

    Args:
        ttl: seconds for which a lease is valid.
        margin: seconds before its end at which the worker stops writing.
    """
    return ttl - margin


class LeaseKeeper:
    """Hold one lease: renew it from a thread, and answer the guard's question.

    The deadline is counted from BEFORE the call that renewed, so this side always gives up first. A second
    thread watches the deadline: a renewal that hangs, or fails in an unforeseen way, must not keep the
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
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop renewing.

        A renewal that hangs is waited for at most STOP_SECONDS: the lease ends by itself, and a renewal that
        arrives after the release finds that it was released.
        """
        self._done.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_SECONDS)

    def watch(self, *closers: Callable[[], None]) -> None:
        """Set what to close when the lease is lost, in place of what was set before.

        Close it at once if the lease is lost.
        """
        self._closers = closers
        if self.lost:
            self._close()

    @property
    def lost(self) -> bool:
        """True if this worker must not send another byte."""
        return self._lost.is_set() or now() >= self._deadline

    def guard(self) -> None:
        """Do nothing while the lease is held.

        Raises:
            LeaseLost: `lease-lost`.
        """
        if self.lost:
            raise LeaseLost("lease-lost")

    def _run(self) -> None:
        try:
            while not self._done.wait(self._ttl / 3):
                if not self._renew():
                    self._give_up()
                    return
        except Exception as error:  # noqa: BLE001 (a defect here must not leave the sockets open)
            _log.error("lease of %s: %s", self._lease.mailbox, describe(error))
            self._give_up()

    def _renew(self) -> bool:
        """Try until the deadline: a ledger that is away for a moment does not end the work."""
        while not self._done.is_set():
            requested_at = now()
            if requested_at >= self._deadline:
                return False
            with suppress(MigrationError):
                if not self._ledger.renew(self._lease, self._ttl):
                    return False
                self._deadline = requested_at + writes_most(self._ttl, self._margin)
                return True
            self._done.wait(min(1.0, self._ttl / 10))
        return True

    def _watch_deadline(self) -> None:
        """Check again after each wait: a renewal moves the deadline, and the machine may have slept."""
        while not self._done.wait(min(max(self._deadline - now(), 0.0), CHECK_SECONDS)):
            if self.lost:
                self._give_up()
                return

    def _give_up(self) -> None:
        self._lost.set()
        self._close()

    def _close(self) -> None:
        """Call all closers, whatever one of them raises."""
        for close in self._closers:
            try:
                close()
            except Exception as error:  # noqa: BLE001 (the others must be closed too)
                _log.error("lease of %s: %s", self._lease.mailbox, describe(error))
