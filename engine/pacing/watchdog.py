"""Watch, in a thread, for what ends or slows the work of a process from outside.

That is a maintenance window that closes, a pause, a server that is not well. The watchdog asks the ledger, so
that a pause is noticed on every machine and without Prefect.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.config.load import Config
from engine.control.error_log import describe
from engine.control.stop_signal import Stop, reason
from engine.pacing.admission import LET_GO_SECONDS, RECOVERY_SECONDS, Admission
from engine.planning.maintenance_windows import CLOSED, PAUSED, gate_of, next_opening_text
from ledger.store import Ledger
from model.errors import MigrationError, Transient

TICK_SECONDS = 0.5
ASK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class WavePolicy:
    """Say what the work on a wave obeys.

    Attributes:
        wave: the name of the wave.
        hours: True if its maintenance window counts.
        pause: True if a pause counts.
        ends: True if what is at work ends with the window; False if only nothing more begins.
    """

    wave: str
    hours: bool = True
    pause: bool = True
    ends: bool = True

    def heeds(self, code: str) -> bool:
        """Return True if the code of a refusal counts."""
        return self.hours if code == CLOSED else self.pause


class Watchdog:
    """Watch one process.

    Attributes:
        closing: True once nothing begins any more; what is at work goes on.
        refusal: why the wave may go on only another time; None while it may.
    """

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
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self.closing = False
        self.refusal: Transient | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop the thread and wait for its end."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def follow(self, policy: WavePolicy) -> None:
        """Follow the policy of a wave from now on.

        Raises:
            Transient: `window-closed` or `paused` if the wave may not run now.
            Misconfigured: if its maintenance windows cannot be used.
        """
        if self._policy is not None and policy.wave != self._policy.wave:
            self.refusal = None  # it was another wave's
        self._policy = policy
        self._judge()
        if self.refusal is not None:
            raise self.refusal

    def look(self) -> None:
        """Ask once, and request the legs at work to stop if they must.

        Raises:
            MigrationError: what the ledger raises.
            Misconfigured: if the wave's maintenance windows cannot be used.
        """
        code = self._judge()
        if code is not None:
            self._stop.ask(code)

    def _judge(self) -> str | None:
        """Decide whether anything may begin; return why what is at work is to end, or None."""
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
        self.refusal = self.refusal or Transient(code, next_opening_text(opening, now))
        return code if not opening.open_at(now) and (policy.ends or code == PAUSED) else None

    def _run(self) -> None:
        last_look = ended = judged = time.monotonic()
        asked: float | None = None
        while not self._done.wait(TICK_SECONDS):
            now = time.monotonic()
            if now - last_look >= ASK_SECONDS:
                last_look = now
                self._try(self.look)
            if self._admission is not None and self._lets_go():
                asked = now if asked is None else asked
                if now - asked >= LET_GO_SECONDS:
                    self._try(self._admission.let_go)
            if self._admission is not None and now - ended >= self._admission.due():
                ended = judged = now
                self._try(self._admission.period)
            elif self._admission is not None and now - judged >= RECOVERY_SECONDS:
                judged = now
                self._try(self._admission.recovery)

    def _lets_go(self) -> bool:
        """Return True if a stop may end calls. At the end of a window, the batch at work is waited for."""
        return self._stop.is_set() and reason(self._stop) != CLOSED

    def _try(self, call: Callable[[], None]) -> None:
        """Call, and survive errors.

        A ledger that is away for a moment ends no work here; the leases see to that. A defect in one look
        must not keep later pauses from being noticed.
        """
        try:
            call()
        except MigrationError:
            return
        except Exception as error:  # noqa: BLE001 (else a pause would be heard no more, for the whole run)
            logging.getLogger("kogge.defect").error("watchdog: %s", describe(error))
