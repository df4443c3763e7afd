"""Whose turn it is at the servers, for legs that a rollback, a repair or a cutover walks.

They go by what every leg goes by: none begins, and no batch of one, before the servers may be asked for more
(engine.pacing.admission), and none goes on when somebody pauses its wave or its hours are over
(engine.pacing.watchdog).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.config.load import Config
from engine.context.leg_context import Opener
from engine.control import crash_note
from engine.control.remedies import PASSING
from engine.control.stop_signal import Stop, reason
from engine.pacing.admission import TICK_SECONDS, UNWELL, Admission, AdmissionEntry
from engine.pacing.watchdog import Watchdog, WavePolicy
from ledger.store import Ledger
from model.errors import Transient
from model.protocols import Kind

Through: TypeAlias = Callable[[Opener], Opener]
"""See engine.pacing.admission.Admission.through."""


@dataclass(frozen=True, slots=True)
class WorkerSlots:
    """Of one process; several threads may take them. stop: the wish that legs end. refusals: why waves may go
    on another time only."""

    admission: Admission
    watchdog: Watchdog
    stop: Stop
    refusals: list[Transient] = field(default_factory=list)

    @property
    def shut(self) -> bool:
        """Whether nothing begins any more."""
        return self.stop.is_set() or self.watchdog.closing

    @property
    def why(self) -> str:
        """The code of what does not begin, or ended, because of it."""
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
        """What act returns, the code with which a leg ended, once it was its turn; as why says where it never
        was. While a server is halted it is tried again, as every leg is, until that lasted
        too long. source: whether that is asked for
        anything. going: its mailbox is at work, so that it begins although the window is about to close."""
        while True:
            entry = self.admission.join(workload, source=source, patient=True)
            try:
                if not self._begun(entry, going=going):
                    return UNWELL if self.admission.lost(entry) and not self.shut else self.why
                code = act(self.admission.through(entry, self.stop))
                again = code in PASSING and self.admission.halted(entry)
            finally:
                self.admission.leave(entry)
            if not again or self.stop.is_set():
                return code

    def _begun(self, entry: AdmissionEntry, *, going: bool) -> bool:
        """Waits in this thread until it may. False: it is not to any more."""
        while not (self.admission.lost(entry) or (self.stop.is_set() if going else self.shut)):
            if self.admission.begin(entry):
                return True
            self.stop.wait(TICK_SECONDS)
        return False

    def heeded(self, duties: Iterable[WavePolicy]) -> Iterator[WavePolicy]:
        """One wave after the other that may be worked on now, until somebody asks to stop. What let go of one
        is in refusals."""
        for policy in duties:
            if self.stop.is_set():
                return
            with suppress(Transient):  # it closed since it was asked
                self.watchdog.follow(policy)
            if not self.watchdog.closing:
                yield policy
            if self.watchdog.refusal is not None:
                self.refusals.append(self.watchdog.refusal)


@contextmanager
def taken(config: Config, ledger: Ledger, stop: Stop) -> Iterator[WorkerSlots]:
    """The turns of a process without a crew."""
    admission = Admission(config, ledger)
    watchdog = Watchdog(config, ledger, stop, admission)
    watchdog.start()
    try:
        with crash_note.kept(config.state_directory):
            yield WorkerSlots(admission, watchdog, stop)
    finally:
        watchdog.end()
        admission.close()
