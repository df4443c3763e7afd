"""Probe whether a calendar server stays silent about what is written to it in Kogge's way.

Silence proves nothing by itself: it may be that no invitation would ever arrive at the place that is watched.
So a meeting between two accounts that exist only for the probe is first written as any client writes it, and
must arrive: the positive control. Then one is created, updated and given an exception, and another is
removed, all in Kogge's way. Of these nothing may ever arrive, for longer than the control may take and than
the server gathers its notifications. The meeting that is removed was created silently before the control: by
then its creation would have been notified.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from engine.preflight.probe_meeting import Meeting
from model.errors import MigrationError

Outcome = Literal["silent", "not-silent", "no-control"]
Progress = Callable[[str, float, float], None]
"""Called with the phase ("control" or "quiet"), how many of its seconds are over, and how many it takes at
most."""

ARRIVAL_SECONDS = 120.0
SAFETY = 3.0
POLLS = 20
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


class Host(Protocol):
    """Describe the calendar of the account that invites. Every method may raise Transient and Blocked."""

    @property
    def address(self) -> str:
        """The address of the account."""

    @property
    def silent_agent(self) -> bool:
        """True if Kogge writes SCHEDULE-AGENT=CLIENT there."""
        ...

    def write(self, name: str, body: bytes, *, quiet: bool) -> None:
        """Create or replace one object. Idempotent.

        Args:
            name: the name of the object.
            body: the VCALENDAR.
            quiet: True to write with everything that Kogge's writes carry; False to write as any client.
        """
        ...

    def remove(self, name: str, *, quiet: bool) -> None:
        """Remove one object; an object that does not exist is a success. Idempotent.

        Args:
            name: the name of the object.
            quiet: see write.
        """
        ...


@dataclass(frozen=True, slots=True)
class News:
    """Hold something that appeared or changed.

    Attributes:
        where: "calendar", "inbox" or "mail".
        text: all its text, decoded.
    """

    where: str
    text: str


class ProbeStore(Protocol):
    """Describe a place where a probe may leave traces. Every method may raise Transient and Blocked."""

    def tidy(self, mark: str) -> None:
        """Remove, silently, what the server made of objects whose text has the mark, if possible.

        Idempotent.
        """
        ...


class InvitationChannel(ProbeStore, Protocol):
    """Describe one way by which an invitation may reach the invited account."""

    def start(self) -> None:
        """Note what exists now: it is no news."""
        ...

    def news(self) -> Iterable[News]:
        """Return what appeared or changed since start() or the last call."""
        ...


@dataclass(frozen=True, slots=True)
class Time:
    """Hold the clocks; tests inject others.

    Attributes:
        clock: seconds, from any origin.
        sleep: waits so many seconds.
        now: the current time, aware.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Hold what an invitation probe showed.

    Attributes:
        outcome: "silent": proven. "not-silent": something arrived that should not have; refuse this target.
            "no-control": not even the control arrived, so nothing is known; refuse it too.
        heard: for "not-silent": where, and after which step ("mail after update"), each once.
        control: where the control arrived.
        after: how many seconds that took; None if it did not arrive.
        watched: seconds of silence, or until something arrived.
        tidy: True if all objects of the probe are removed again.
    """

    outcome: Outcome
    heard: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    after: float | None = None
    watched: float = 0.0
    tidy: bool = True


def quiet_seconds(arrival: float, gathers: float) -> float:
    """Return how long silence must last.

    Args:
        arrival: seconds that the control may take.
        gathers: seconds for which the server may hold notifications back.
    """
    return max(SAFETY * arrival, gathers)


def probe_invitations(
    host: Host,
    guest: str,
    watches: Sequence[InvitationChannel],
    *,
    keepers: Sequence[ProbeStore] = (),
    arrival: float = ARRIVAL_SECONDS,
    gathers: float = 0.0,
    times: Time | None = None,
    progress: Progress = lambda _phase, _over, _most: None,
) -> ProbeResult:
    """Write to both accounts, wait, and remove what was written, also if the probe is interrupted.

    Args:
        host: the calendar of the account that invites.
        guest: the address of the invited account. Mail that arrived there stays.
        watches: the channels to the invited account.
        keepers: what to tidy beside the watches, in this order, after them.
        arrival: seconds that the control may take. If notifications are gathered, the wait is never shorter
            than `gathers`.
        gathers: seconds for which the server may hold notifications back.
        times: the clocks; None for the real ones.
        progress: called as time passes.

    Returns:
        What the probe showed.

    Raises:
        Transient: if either account cannot be reached; then nothing is known.
        Blocked: if either account refuses; then nothing is known.
    """
    probe = _Probe(host, guest.lower(), tuple(watches), (*watches, *keepers), times or Time(), progress)
    try:
        result = probe.run(max(arrival, gathers), quiet_seconds(arrival, gathers))
    except BaseException:
        probe.tidy()
        raise
    if probe.tidy():
        return result
    return ProbeResult(result.outcome, result.heard, result.control, result.after, result.watched, tidy=False)


@dataclass(slots=True)
class _Probe:
    host: Host
    guest: str
    watches: tuple[InvitationChannel, ...]
    keepers: tuple[ProbeStore, ...]
    time: Time
    progress: Progress
    token: str = field(default_factory=lambda: secrets.token_hex(6))
    control: dict[str, None] = field(default_factory=dict)
    heard: dict[str, None] = field(default_factory=dict)
    step: str = "create"
    speaking: set[int] = field(default_factory=set)

    def run(self, arrival: float, quiet: float) -> ProbeResult:
        for watch in self.watches:
            watch.start()
        self._write("removed", quiet=True)
        began = self.time.clock()
        self._write("control", quiet=False)
        after = self._until("control", arrival, lambda: len(self.speaking) == len(self.watches))
        if self.heard:
            return self._result("not-silent", after, self.time.clock() - began)
        if not self.control:
            return self._result("no-control", None, 0.0)
        began = self.time.clock()
        for _ in self._quiet_steps():
            self._look()
        self._until("quiet", quiet, lambda: bool(self.heard))
        return self._result("not-silent" if self.heard else "silent", after, self.time.clock() - began)

    def tidy(self) -> bool:
        """Remove everything; return True if everything is gone. Errors do not stop it."""
        done = 0
        for what in ("removed", "control", "quiet"):
            with suppress(MigrationError):
                self.host.remove(self._name(what), quiet=True)
                done += 1
        for keeper in self.keepers:
            with suppress(MigrationError):
                keeper.tidy(f"probe-{self.token}")
                done += 1
        return done == 3 + len(self.keepers)

    # -- internals

    def _quiet_steps(self) -> Iterator[None]:
        for self.step, update, exception in (
            ("create", False, False),
            ("update", True, False),
            ("exception", True, True),
        ):
            self._write("quiet", quiet=True, update=update, exception=exception)
            yield
        self.step = "delete"
        self.host.remove(self._name("removed"), quiet=True)
        yield

    def _until(self, phase: str, most: float, enough: Callable[[], bool]) -> float:
        """Watch until it is enough or time is over, with a last look after that.

        Return the seconds that it took.
        """
        began = self.time.clock()
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, most / POLLS))
        while True:
            over = self.time.clock() - began
            self._look()
            self.progress(phase, min(over, most), most)
            if over >= most or enough() or self.heard:
                return over
            self.time.sleep(min(pause, most - over))

    def _look(self) -> None:
        for number, watch in enumerate(self.watches):
            for item in watch.news():
                if self._mark("control") in item.text:
                    self.control[item.where] = None
                    self.speaking.add(number)
                elif self._concerns_us(item.text):
                    self.heard[f"{item.where} after {self.step}"] = None

    def _concerns_us(self, text: str) -> bool:
        """Return True if a notification may be about our meetings, even if it names none of them."""
        return self._mark("") in text or bool(self.control and self.host.address.lower() in text.lower())

    def _write(self, what: str, *, quiet: bool, update: bool = False, exception: bool = False) -> None:
        meeting = Meeting(
            uid=f"kogge-{self._mark(what)}",
            host=self.host.address,
            guest=self.guest,
            now=self.time.now(),
            client_agent=quiet and self.host.silent_agent,
        )
        self.host.write(self._name(what), meeting.body(update=update, exception=exception), quiet=quiet)

    def _mark(self, what: str) -> str:
        return f"probe-{self.token}-{what}"

    def _name(self, what: str) -> str:
        return f"kogge-{self._mark(what)}.ics"

    def _result(self, outcome: Outcome, after: float | None, watched: float) -> ProbeResult:
        return ProbeResult(
            outcome, tuple(self.heard), tuple(self.control), after if self.control else None, watched
        )
