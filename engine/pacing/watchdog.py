"""Looks out, in a thread, for what ends or slows the work of a process from outside: a window that closes, a
pause, a server that is not well.

It asks the ledger, so that it is heard on every machine, and whatever becomes of Prefect.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.config.load import Config
from engine.control.error_log import described
from engine.control.stop_signal import Stop
from engine.pacing.admission import Admission
from engine.planning.maintenance_windows import CLOSED, PAUSED, gate_of, told
from ledger.store import Ledger
from model.errors import MigrationError, Transient

TICK_SECONDS = 0.5
ASK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WavePolicy:
    """What the work on a wave goes by. hours, pause: whether its window and a pause count. ends: whether what
    is at work ends with the window; else only nothing begins any more."""

    wave: str
    hours: bool = True
    pause: bool = True
    ends: bool = True

    def heeds(self, code: str) -> bool:
        return self.hours if code == CLOSED else self.pause


class Watchdog:
    """stop: what it asks the legs at work. closing: nothing begins any more, what is at work goes on."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        stop: Stop,
        admission: Admission | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._stop = stop
        self._admission = admission
        self._clock = clock
        self._policy: WavePolicy | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lookout", daemon=True)
        self.closing = False
        self.refusal: Transient | None = None

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def follow(self, policy: WavePolicy) -> None:
        """From now on the process works on this wave. Raises Transient("window-closed" | "paused") when that
        may not run now, and Misconfigured."""
        if self._policy is not None and policy.wave != self._policy.wave:
            self.refusal = None  # was another wave's
        self._policy = policy
        self._judge()
        if self.refusal is not None:
            raise self.refusal

    def look(self) -> None:
        """Asks once. Raises what the ledger does, and Misconfigured."""
        code = self._judge()
        if code is not None:
            self._stop.ask(code)

    def _judge(self) -> str | None:
        """Whether anything may begin; and why what is at work is to end."""
        policy = self._policy
        if policy is None:
            return None
        now = self._clock()
        opening = gate_of(self._config, self._ledger, policy.wave)
        code = opening.refusal(now)
        if code is None or not policy.heeds(code):
            self.closing = False
            self.refusal = self.refusal if self._stop.is_set() else None
            return None
        self.closing = True
        self.refusal = self.refusal or Transient(code, told(opening, now))
        return code if not opening.open_at(now) and (policy.ends or code == PAUSED) else None

    def _run(self) -> None:
        looked = ended = time.monotonic()
        while not self._done.wait(TICK_SECONDS):
            now = time.monotonic()
            if now - looked >= ASK_SECONDS:
                looked = now
                self._try(self.look)
            if self._admission is not None and now - ended >= self._admission.due():
                ended = now
                self._try(self._admission.period)

    def _try(self, call: Callable[[], None]) -> None:
        """A ledger that is away for a moment ends no work by this; the leases see to that. Nor does a defect
        of one look keep anybody from being heard later."""
        try:
            call()
        except MigrationError:
            return
        except Exception as error:  # noqa: BLE001 (else a pause would be heard no more, for the whole run)
            logging.getLogger("kogge.defect").error("lookout: %s", described(error))
