"""Admit the legs that a rollback, a repair or a cutover walks.

Such legs obey the same rules as every leg: a leg, or its next batch, begins only when the servers have
capacity (engine.pacing.admission), and none goes on when its wave is paused or its maintenance window closes
(engine.pacing.watchdog).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from engine.config.load import Config
from engine.control import crash_note
from engine.control.ledger_patience import LedgerPatience, walk_patiently
from engine.control.remedies import PASSING
from engine.control.stop_signal import Stop, reason
from engine.pacing.admission import TICK_SECONDS, Admission, AdmissionEntry
from engine.pacing.server_names import UNWELL
from engine.pacing.watchdog import Watchdog, WavePolicy
from ledger.store import Ledger
from model.errors import Transient
from model.kinds import Kind

if TYPE_CHECKING:
    from engine.context.leg_context import Opener

Through: TypeAlias = "Callable[[Opener], Opener]"
"""See engine.pacing.admission.Admission.through."""


@dataclass(frozen=True, slots=True)
class WorkerSlots:
    """Admit the legs of one process. Thread-safe.

    Attributes:
        admission: admits legs to the servers.
        watchdog: watches for pauses and closing windows.
        stop: the request that legs end.
        refusals: why waves may go on only another time.
    """

    admission: Admission
    watchdog: Watchdog
    stop: Stop
    refusals: list[Transient] = field(default_factory=list)

    @property
    def shut(self) -> bool:
        """True once nothing begins any more."""
        return self.stop.is_set() or self.watchdog.closing

    @property
    def why(self) -> str:
        """The code of what does not begin, or has ended, because of that."""
        refusal = self.watchdog.refusal
        return reason(self.stop) if self.stop.is_set() or refusal is None else refusal.code

    def walk(
        self,
        workload: Kind,
        act: Callable[[Through], str | None],
        *,
        source: bool = True,
        going: bool = False,
    ) -> str | None:
        """Walk a leg once the servers have capacity.

        While a server is halted, the leg is tried again, until the server has been unwell for too long. So is
        a leg that ended only because the ledger's database was away.

        Args:
            workload: the workload of the leg.
            act: walks the leg, given the wrapper of its openers; returns the code with which it ended.
            source: True if the source is asked for anything.
            going: True if the mailbox is at work already, so that the leg begins although the window is about
                to close.

        Returns:
            What act returns. If the leg never began, the reason: see why.
        """
        ask = self.admission.patience.ask
        while True:
            entry = self.admission.join(workload, source=source, patient=True)
            try:
                if not self._await_begin(entry, going=going):
                    return UNWELL if self.admission.lost(entry) and not self.shut else self.why
                code = walk_patiently(ask, partial(act, self.admission.through(entry, self.stop)))
                is_repeated = code in PASSING and self.admission.halted(entry)
            finally:
                self.admission.leave(entry)
            if not is_repeated or self.stop.is_set():
                return code

    def _await_begin(self, entry: AdmissionEntry, *, going: bool) -> bool:
        """Wait in this thread until the leg may begin. Return False if it may not begin any more."""
        while not (self.admission.lost(entry) or (self.stop.is_set() if going else self.shut)):
            if self.admission.begin(entry):
                return True
            self.stop.wait(TICK_SECONDS)
        return False

    def heeded(self, duties: Iterable[WavePolicy]) -> Iterator[WavePolicy]:
        """Yield one wave after the other that may be worked on now, until a stop is requested.

        Reasons why a wave may not go on are added to refusals.
        """
        for policy in duties:
            if self.stop.is_set():
                return
            with suppress(Transient):  # it may have closed meanwhile
                self.watchdog.follow(policy)
            if not self.watchdog.closing:
                yield policy
            if self.watchdog.refusal is not None:
                self.refusals.append(self.watchdog.refusal)


@contextmanager
def open_worker_slots(config: Config, ledger: Ledger, stop: Stop) -> Iterator[WorkerSlots]:
    """Open the admission of a process that is no Prefect worker.

    Yields:
        The slots of the process.
    """
    admission = Admission(config, ledger)
    watchdog = Watchdog(config, ledger, stop, admission)
    watchdog.start()
    try:
        patience = LedgerPatience(config.run.ledger_patience_seconds, stop.is_set)
        with crash_note.noting_crashes(config.state_directory), ledger.patience.use(patience):
            yield WorkerSlots(admission, watchdog, stop)
    finally:
        watchdog.end()
        admission.close()
