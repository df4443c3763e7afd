"""The invitation probe: does a calendar server keep quiet about what is written to it the way Kogge writes?

Silence proves nothing by itself: it may be that no invitation would ever arrive where one looks. So a meeting
between two accounts that exist for nothing else is first written the way any client does, and must arrive:
the positive control. Then one is created, updated and given an exception, and another removed, all the way
Kogge writes; of these nothing may ever be heard, for longer than the control may take and than the server
gathers its notifications. What is removed was created quietly before the control: by then its creation would
have been notified.
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
"""(phase "control" or "quiet", seconds of it that are over, seconds it takes at most)"""

ARRIVAL_SECONDS = 120.0
SAFETY = 3.0
POLLS = 20
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


class Host(Protocol):
    """The calendar of the account that invites. Every method may raise Transient and Blocked."""

    @property
    def address(self) -> str: ...

    @property
    def silent_agent(self) -> bool:
        """Kogge writes SCHEDULE-AGENT=CLIENT there."""
        ...

    def write(self, name: str, body: bytes, *, quiet: bool) -> None:
        """Creates or replaces one object. quiet: with all that Kogge's writes carry, else as any client."""
        ...

    def remove(self, name: str, *, quiet: bool) -> None:
        """One that is not there is success."""
        ...


@dataclass(frozen=True, slots=True)
class News:
    """Something that appeared or changed: where ("calendar", "inbox", "mail"), and all its text, decoded."""

    where: str
    text: str


class ProbeStore(Protocol):
    """What an invitation probe may leave traces in. Every method may raise Transient and Blocked."""

    def tidy(self, mark: str) -> None:
        """Removes, quietly, what the server made of objects whose text has the mark, where it can."""
        ...


class InvitationChannel(ProbeStore, Protocol):
    """One way an invitation may reach the account that is invited."""

    def start(self) -> None:
        """What is there now is no news."""
        ...

    def news(self) -> Iterable[News]:
        """What appeared or changed since start() or the last call."""
        ...


@dataclass(frozen=True, slots=True)
class Time:
    """clock: seconds, whatever their origin. now: aware. Injected, for the sake of tests."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What an invitation probe showed.

    outcome  "silent": proven. "not-silent": something arrived that should not: refuse this target.
             "no-control": not even the control arrived: nothing is known, refuse it too
    heard    for "not-silent": where, and after which step ("mail after update"), each once
    control  where the control arrived; after: how many seconds that took
    watched  seconds of silence, or until something was heard
    tidy     all objects of the probe are gone again
    """

    outcome: Outcome
    heard: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    after: float | None = None
    watched: float = 0.0
    tidy: bool = True


def quiet_seconds(arrival: float, gathers: float) -> float:
    """How long silence must last. arrival: what the control may take; gathers: how long the server may hold
    notifications back."""
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
    """Writes to both accounts, waits, and removes what it wrote, also when it is interrupted. guest: the
    address of the invited account, which the watches look at; mail that arrived there stays. keepers: what to
    tidy beside the watches, in this order, after them.

    arrival: seconds the control may take; where notifications are gathered, never less than that takes.
    Raises Transient and Blocked of either account; then nothing is known."""
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
        """Whether everything is gone; stops at nothing, so that as much as possible is."""
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
        """Looks until it is enough, or time is over; the last look comes after that. Seconds it took."""
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
        """A notification that names none of our meetings may be of any of them."""
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
