"""Probe whether a calendar server stays silent about what is written to it in Kogge's way.

Silence proves nothing by itself: it may be that no invitation would ever arrive at the place that is watched.
So a meeting between accounts that exist only for the probe is first written as any client writes it, and must
arrive: the positive control. Then one is created, updated and given an exception, and another is removed, all
in Kogge's way. Of these nothing may ever arrive, for longer than the control may take and than the server
gathers its notifications. The meeting that is removed was created silently before the control: by then its
creation would have been notified.

A server tells its own users in other ways than people outside, so there may be two guests: an account of the
server, and an address outside. Each has meetings of its own, and each must get its control.

A probe takes long. It waits out servers that restart, and seconds in which a channel could not be watched do
not count. What it did, noted and heard is saved: one that was killed goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal, Protocol, TypeVar

from engine.preflight.probe_meeting import Meeting
from engine.preflight.probe_state import ProbeMemory, ProbeState
from model.errors import Blocked, MigrationError, Transient

T = TypeVar("T")
Outcome = Literal["silent", "not-silent", "no-control"]
GuestName = Literal["internal", "external"]
Progress = Callable[[str, float, float], None]
"""Called with the phase ("control" or "quiet"), how many of its seconds are over, and how many it takes at
most; with "away", how many seconds a server has been away, and how many it may be."""

ARRIVAL_SECONDS = 120.0
SAFETY = 3.0
POLLS = 20
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
OUTAGE_SECONDS = 900.0
"""How long a server may be away before the probe is given up for now. It goes on when it is run again."""
AGAIN_SECONDS = 5.0
"""The pause before a server that is away is tried again."""
STEPS: Final = (("create", False, False), ("update", True, False), ("exception", True, True))
"""The silent steps before the removal: their names, and if they update and add an exception."""


class Host(Protocol):
    """Describe the calendar of the account that invites. Every method may raise Transient and Blocked."""

    @property
    def name(self) -> str:
        """Which server and account it is, for people."""
        ...

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

    @property
    def name(self) -> str:
        """Which server and account it is, for people."""
        ...

    def tidy(self, mark: str) -> None:
        """Remove, silently, what the server made of objects whose text has the mark, if possible.

        Idempotent.
        """
        ...


class InvitationChannel(ProbeStore, Protocol):
    """Describe one way by which an invitation may reach an invited account."""

    def start(self) -> None:
        """Note what exists now: it is no news."""
        ...

    def noted(self) -> str:
        """Return what start() and news() noted so far; it asks nobody."""
        ...

    def go_on(self, noted: str) -> None:
        """Take over, instead of start(), what the channel of an earlier process noted."""
        ...

    def news(self) -> Iterable[News]:
        """Return what appeared or changed since start() or the last call that did not raise."""
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
            "no-control": not even the control of each guest arrived, so nothing is known; refuse it too.
        heard: for "not-silent": where, and after which step ("mail after update"), each once.
        control: where the control arrived.
        after: how many seconds that took; None if it did not arrive.
        watched: seconds of silence, or until something arrived.
        tidy: True if all objects of the probe are removed again.
        unheard: the guests whose control did not arrive.
        guests: the guests who were invited.
    """

    outcome: Outcome
    heard: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    after: float | None = None
    watched: float = 0.0
    tidy: bool = True
    unheard: tuple[GuestName, ...] = ()
    guests: tuple[GuestName, ...] = ("internal",)


@dataclass(frozen=True, slots=True)
class Guest:
    """Describe an invited address.

    Attributes:
        name: which guest it is.
        address: the address. Mail that arrived there stays.
        watches: the channels by which an invitation may reach it. Two guests may share one.
    """

    name: GuestName
    address: str
    watches: tuple[InvitationChannel, ...]


def quiet_seconds(arrival: float, gathers: float) -> float:
    """Return how long silence must last.

    Args:
        arrival: seconds that the control may take, or took.
        gathers: seconds for which the server may hold notifications back.
    """
    return max(SAFETY * arrival, gathers)


def probe_invitations(
    host: Host,
    guests: Sequence[Guest],
    *,
    keepers: Sequence[ProbeStore] = (),
    arrival: float = ARRIVAL_SECONDS,
    gathers: float = 0.0,
    times: Time | None = None,
    progress: Progress = lambda _phase, _over, _most: None,
    memory: ProbeMemory | None = None,
) -> ProbeResult:
    """Write to the host's calendar, wait, and remove what was written.

    Args:
        host: the calendar of the account that invites.
        guests: who is invited.
        keepers: what to tidy beside the watches, in this order, after them.
        arrival: seconds that the control may take. If notifications are gathered, the wait is never shorter
            than `gathers`.
        gathers: seconds for which the server may hold notifications back.
        times: the clocks; None for the real ones.
        progress: called as time passes.
        memory: keeps how far the probe is. If it ends early, the next one goes on; until then its meetings
            stay. With None, a probe that ends early removes them.

    Returns:
        What the probe showed.

    Raises:
        Transient: if a server was away for too long; then nothing is known.
        Blocked: if an account refuses; then nothing is known.
    """
    times = times or Time()
    state, earlier = _state(memory, _about(host, guests), times.now())
    probe = _Probe(host, tuple(guests), tuple(keepers), times, progress, memory, state)
    if earlier is not None:
        replace(probe, state=earlier, guests=_everybody(guests)).tidy()
    try:
        result = probe.run(max(arrival, gathers), quiet_seconds(arrival, gathers))
    except BaseException:
        if memory is None:
            probe.tidy()
        raise
    tidy = probe.tidy()
    if memory is not None:
        memory.clear()
    return replace(result, tidy=tidy)


def _about(host: Host, guests: Sequence[Guest]) -> str:
    """Return what has to stay the same if a probe is to go on: its accounts, and each guest's channels."""
    about = [host.name, host.address.lower()]
    for guest in guests:
        watches = (f"{type(watch).__name__} {watch.name}" for watch in guest.watches)
        about.append(f"{guest.name}:{guest.address.lower()}:{';'.join(watches)}")
    return "|".join(about)


def _everybody(guests: Sequence[Guest]) -> tuple[Guest, ...]:
    """Return the guests, with those whom only an earlier probe may have invited."""
    known = {guest.name for guest in guests}
    names: tuple[GuestName, ...] = ("internal", "external")
    return (*guests, *(Guest(name, "", ()) for name in names if name not in known))


def _state(memory: ProbeMemory | None, about: str, now: datetime) -> tuple[ProbeState, ProbeState | None]:
    """Return where to begin, and the state of an earlier probe that cannot go on, for tidying."""
    known = None if memory is None else ProbeState.read(memory.load())
    if known is not None and known.goes_on(about, now):
        return known, None
    return ProbeState(about, now.isoformat()), known


@dataclass(slots=True)
class _Probe:
    host: Host
    guests: tuple[Guest, ...]
    keepers: tuple[ProbeStore, ...]
    time: Time
    progress: Progress
    memory: ProbeMemory | None
    state: ProbeState
    watches: tuple[InvitationChannel, ...] = field(init=False)
    outages: int = 0
    _number: int = 0

    def __post_init__(self) -> None:
        watches: list[InvitationChannel] = []
        for guest in self.guests:
            watches += [watch for watch in guest.watches if not any(watch is other for other in watches)]
        self.watches = tuple(watches)

    def run(self, arrival: float, quiet: float) -> ProbeResult:
        """Do what is not done yet."""
        self._begin()
        for what, silent in (("removed", True), ("control", False)):
            for guest in self.guests:
                self._once(partial(self._write, guest, what, quiet=silent))
        after = self._until("control", arrival, self._all_speak)
        if self.state.heard:
            return self._result("not-silent", after)
        if self._unheard():
            return self._result("no-control", None)
        self._write_quietly()
        watched = self._until("quiet", max(quiet, SAFETY * after), lambda: False)
        return self._result("not-silent" if self.state.heard else "silent", after, watched)

    def tidy(self) -> bool:
        """Remove everything; return True if everything is gone. Errors do not stop it."""
        names = [self._name(guest, what) for guest in self.guests for what in ("removed", "control", "quiet")]
        keepers = (*self.watches, *self.keepers)
        done = 0
        for name in names:
            with suppress(MigrationError):
                self.host.remove(name, quiet=True)
                done += 1
        for keeper in keepers:
            with suppress(MigrationError):
                keeper.tidy(f"probe-{self.state.token}")
                done += 1
        return done == len(names) + len(keepers)

    # -- internals

    def _begin(self) -> None:
        """Note what exists, or take over what an earlier process noted."""
        if self.state.noted:
            for watch, noted in zip(self.watches, self.state.noted, strict=True):
                watch.go_on(noted)
            return
        for watch in self.watches:
            self._patiently(watch.name, watch.start)
        self._save()

    def _write_quietly(self) -> None:
        """Take the silent steps, with a look after each."""
        for step, update, exception in STEPS:
            for guest in self.guests:
                write = partial(self._write, guest, "quiet", quiet=True, update=update, exception=exception)
                self._once(write, step)
            self._look()
        for guest in self.guests:
            self._once(partial(self.host.remove, self._name(guest, "removed"), quiet=True), "delete")
        self._look()

    def _once(self, act: Callable[[], None], step: str = "create") -> None:
        """Take a step unless an earlier process did. One that was killed in the middle takes it again."""
        self._number += 1
        if self._number > self.state.done:
            self.state.step = step
            self._patiently(self.host.name, act)
            self.state.done = self._number
            self._save()

    def _until(self, phase: str, most: float, enough: Callable[[], bool]) -> float:
        """Watch until it is enough or time is over, with a last look after that.

        Return the seconds that it took, over all processes. Seconds in which a server was away do not count:
        mail to it comes later than it would.
        """
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, most / POLLS))
        over, last = self.state.over.get(phase, 0.0), self.time.clock()
        while True:
            now, outages = self.time.clock(), self.outages
            waited = over + now - last
            self._look()
            if self.outages == outages:
                over, last = waited, now
            else:
                last = self.time.clock()
            self.state.over[phase] = over
            self._save()
            self.progress(phase, min(over, most), most)
            if over >= most or enough() or self.state.heard:
                return over
            self.time.sleep(min(pause, most - over))

    def _look(self) -> None:
        for number, watch in enumerate(self.watches):
            for item in self._patiently(watch.name, partial(_listed, watch)):
                self._judge(item, number)

    def _judge(self, item: News, number: int) -> None:
        """Sort something new: a control, something that should not have arrived, or nothing of ours."""
        controls = [guest for guest in self.guests if self._mark(guest, "control") in item.text]
        for guest in controls:
            self._add(self.state.control, _where(item, guest))
            if (guest.name, number) not in self.state.speaking:
                self.state.speaking.append((guest.name, number))
        if not controls and self._concerns_us(item.text):
            where = _where(item, self._named_in(item.text))
            self._add(self.state.heard, f"{where} after {self.state.step}")

    def _named_in(self, text: str) -> Guest:
        """Return the guest whose meeting a text names; the first one if it names none."""
        named = [guest for guest in self.guests[1:] if self._mark(guest, "") in text]
        return named[0] if named else self.guests[0]

    def _add(self, known: list[str], entry: str) -> None:
        if entry not in known:
            known.append(entry)

    def _concerns_us(self, text: str) -> bool:
        """Return True if a notification may be about our meetings, even if it names none of them."""
        marked = f"probe-{self.state.token}-" in text
        return marked or bool(self.state.control and self.host.address.lower() in text.lower())

    def _all_speak(self) -> bool:
        """Return True if each guest's control arrived through each of its channels."""
        wanted = {
            (guest.name, number)
            for guest in self.guests
            for number, watch in enumerate(self.watches)
            if any(watch is own for own in guest.watches)
        }
        return wanted <= set(self.state.speaking)

    def _unheard(self) -> tuple[GuestName, ...]:
        """Return the guests whose control arrived nowhere."""
        spoken = {name for name, _ in self.state.speaking}
        return tuple(guest.name for guest in self.guests if guest.name not in spoken)

    def _write(
        self, guest: Guest, what: str, *, quiet: bool, update: bool = False, exception: bool = False
    ) -> None:
        meeting = Meeting(
            uid=f"kogge-{self._mark(guest, what)}",
            host=self.host.address,
            guest=guest.address.lower(),
            now=datetime.fromisoformat(self.state.began),
            client_agent=quiet and self.host.silent_agent,
        )
        body = meeting.body(update=update, exception=exception)
        self.host.write(self._name(guest, what), body, quiet=quiet)

    def _mark(self, guest: Guest, what: str) -> str:
        who = "" if guest.name == "internal" else f"{guest.name}-"
        return f"probe-{self.state.token}-{who}{what}"

    def _name(self, guest: Guest, what: str) -> str:
        return f"kogge-{self._mark(guest, what)}.ics"

    def _patiently(self, name: str, act: Callable[[], T]) -> T:
        """Return what `act` returns; wait while its server is away.

        Args:
            name: which server and account it asks, for the error.
            act: asks a server; it is repeated.

        Raises:
            Transient: the server was away for too long.
            Blocked: the account refuses.
        """
        since: float | None = None
        while True:
            try:
                return act()
            except Transient as error:
                now = self.time.clock()
                since = now if since is None else since
                self.outages += 1
                if now - since >= OUTAGE_SECONDS:
                    raise _named(Transient(error.code, f"{_told(name, error)}; {LATER}"), error) from None
                self.progress("away", now - since, OUTAGE_SECONDS)
                self.time.sleep(min(max(AGAIN_SECONDS, error.after or 0.0), OUTAGE_SECONDS))
            except Blocked as error:
                raise _named(Blocked(error.code, _told(name, error)), error) from None

    def _save(self) -> None:
        """Save how far the probe is."""
        if self.memory is not None:
            self.state.noted = [watch.noted() for watch in self.watches]
            text, save = self.state.text(), self.memory.save
            self._patiently("the ledger", lambda: save(text))

    def _result(self, outcome: Outcome, after: float | None, watched: float = 0.0) -> ProbeResult:
        state = self.state
        return ProbeResult(
            outcome,
            tuple(state.heard),
            tuple(state.control),
            after if state.control else None,
            watched,
            unheard=self._unheard(),
            guests=tuple(guest.name for guest in self.guests),
        )


def _listed(watch: InvitationChannel) -> list[News]:
    return list(watch.news())


LATER = "the next `kogge check` goes on where it stopped"


def _told(name: str, error: MigrationError) -> str:
    """Return what a person is told of a fault: that it was the probe, and where it met it."""
    return f"invitation probe: {name}: {error.advice or 'it does not answer'}"


def _named(named: MigrationError, error: MigrationError) -> MigrationError:
    """Return the error with what the first one knows beside its text."""
    return named.about(error.detail).with_local_cause(error.local).quoting(error.words)


def _where(item: News, guest: Guest) -> str:
    return item.where if guest.name == "internal" else f"{item.where} of the {guest.name} guest"
