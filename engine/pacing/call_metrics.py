"""Measure the calls of an opened source or target: how long they take, and how many fail.

A call is one item that was written, read or fetched; a larger item counts one call for each megabyte, a
listing one call for each hundred entries. Only the time in which this program waits for the server counts.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, cast

from model.errors import Transient
from model.optional_protocols import SupportsTrouble
from model.protocols import Failed, Item, Native, Page

T = TypeVar("T")
Clock = Callable[[], float]
Close = Callable[[], None]

PLAIN = (
    *("identity", "ensure", "rename", "position", "quota", "clear", "leftovers", "redate", "stamp"),
    *("unshare", "shared", "versions", "resolve", "mark", "keep_mark", "label", "server"),
    *(
        "sent_from",
        "silence",
        "withheld",
        "rights",
        "party",
        "shows_another",
        "delegates",
        "empty",
        "readers",
        "take_effect",
        "effects",
        "give_back",
    ),
)
STREAMS = ("changes", "fetch", "fetch_versions", "write", "amend", "read", "read_links", "remove", "digests")
LISTINGS = (
    *("containers", "listing", "whole", "look_up", "headers", "names", "grants", "occurrences", "extras"),
    "series",
)
"""Streams of many small answers; see LISTED."""
WAITING = ("share",)
"""Streams that wait out a server's rate limit between their answers: that time is not the server's. Their
answers and faults count, and take no time."""
UNMEASURED = (
    *("close", "trouble", "place", "kept", "names_otherwise", "stored_as", "stateless"),
    *("connect_ahead", "ask_containers", "expect", "logs_in_as", "refused_ahead", "unasked"),
)
"""What does not wait for a server."""
CALLS = (*PLAIN, *STREAMS, *LISTINGS, *WAITING, *UNMEASURED)
"""All that a side may have."""
MEGABYTE = 1_000_000
LISTED = 100
OUTAGE = 3
"""So many calls in a row that fail, of whatever legs, mean that the system is away."""
LARGE_PACE = 100_000
"""Bytes a second. A call that moves large items at this pace is not taken for one without an answer."""


class SupportsClosing(Protocol):
    """Describe a side that any thread may close."""

    def close(self) -> None:
        """End every call."""


@dataclass(frozen=True, slots=True)
class MetricsSample:
    """Hold what happened in a period.

    Attributes:
        calls: how many calls were made.
        errors: passing faults and time-outs. An item that was refused is no error.
        seconds: how long the calls took in all.
        failures: how many calls in a row have failed by its end; a sum has none.
        outage: True if OUTAGE calls or more failed in a row, and one succeeded then.
    """

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    failures: int = 0
    outage: bool = False

    @property
    def latency(self) -> float:
        """Seconds for each call, on average."""
        return self.seconds / self.calls if self.calls else 0.0

    def __add__(self, other: MetricsSample) -> MetricsSample:
        return MetricsSample(
            self.calls + other.calls, self.errors + other.errors, self.seconds + other.seconds
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Represent a call that has no answer yet.

    Attributes:
        since: when it began.
        side: the side that makes it; None if nothing can end it.
        more: seconds that it may take beyond the usual, because it moves large items.
    """

    since: float
    side: SupportsClosing | None
    more: float


class Meter:
    """Measure the calls to one system. Thread-safe.

    Attributes:
        code: the code of its newest passing fault; None before the first.
        failing: that code, until a call succeeds.
        ended: the calls that had ended when take() was last called, and not before.
        failures: how many calls in a row have failed.
    """

    code: str | None = None
    failing: str | None = None
    ended: MetricsSample = MetricsSample()
    failures: int = 0

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._past = MetricsSample()
        self._outage = False
        self._waiting: dict[int, _Waiting] = {}

    def take(self, patience: float) -> MetricsSample:
        """Return what happened since the last call of this method.

        Args:
            patience: seconds. A call that waits longer counts although it has no answer yet: a server that
                hangs answers nothing.
        """
        now = self.clock()
        with self._lock:
            self.ended, self._past = self._past, MetricsSample()
            outage, self._outage = self._outage, False
            out = [now - one.since for one in self._waiting.values() if now - one.since > patience]
            taken = self.ended + MetricsSample(len(out), 0, sum(out))
            return replace(taken, failures=self.failures, outage=outage)

    def hung(self, patience: float) -> list[Close]:
        """Return how to end the calls that have waited too long for their answer.

        A call ends with the side that makes it: each function closes one.

        Args:
            patience: seconds; a call that moves large items has more of them.
        """
        return [one.side.close for one in self._overdue(patience) if one.side is not None]

    def trouble(self) -> str | None:
        """Return the code of what keeps the system from answering; None if nothing is known."""
        with self._lock:
            sides: list[object] = [one.side for one in self._waiting.values()]
        codes = (side.trouble() for side in sides if isinstance(side, SupportsTrouble))
        return next((code for code in codes if code is not None), self.failing)

    def silent(self, patience: float) -> float:
        """Return for how many seconds the oldest call has waited too long; 0.0 if none has. See hung()."""
        now = self.clock()
        return max((now - one.since for one in self._overdue(patience)), default=0.0)

    def _overdue(self, patience: float) -> list[_Waiting]:
        now = self.clock()
        with self._lock:
            return [one for one in self._waiting.values() if now - one.since > patience + one.more]

    def begin(self, side: SupportsClosing | None = None, size: int = 0) -> float | None:
        """Begin a call.

        Args:
            side: the side that makes it, which any thread may close; None if nothing can end it.
            size: the bytes of the large items that it moves.

        Returns:
            When it began, for end(). None within a call of this thread that is measured already, because one
                call may consist of others.
        """
        now = self.clock()
        with self._lock:  # take() iterates over all of them
            if threading.get_ident() in self._waiting:
                return None
            self._waiting[threading.get_ident()] = _Waiting(now, side, size / LARGE_PACE)
        return now

    def end(self, began: float | None, calls: int, errors: int = 0) -> None:
        """End a call.

        Args:
            began: what begin() returned; with None, nothing is counted.
            calls: as how many calls it counts.
            errors: how many of them failed.
        """
        if began is None:
            return
        seconds = self.clock() - began
        with self._lock:
            self._waiting.pop(threading.get_ident(), None)
            self.failing = self.code if errors else None if calls else self.failing
            if errors:
                self.failures += errors
            elif calls:
                self._outage = self._outage or self.failures >= OUTAGE
                self.failures = 0
            past = self._past
            self._past = MetricsSample(past.calls + calls, past.errors + errors, past.seconds + seconds)

    def timed(self, call: Callable[[], T], calls: int = 1) -> T:
        """Return what the call returns; count it.

        Args:
            call: the call.
            calls: as how many calls it counts if it succeeds; a passing fault always counts.
        """
        return _plain(call, self, calls=calls)()


class MeteredSide:
    """Wrap a source or a target: the same calls, measured. The wrapped side stays as it is.

    It has the calls that the wrapped side has and no other: which of them exist says what a side supports
    (model.optional_protocols).
    """

    def __init__(self, side: Any, meter: Meter) -> None:
        self._side = side
        self._meter = meter
        for name in UNMEASURED:
            self._offer(name, lambda call: call)
        for name in PLAIN:
            self._offer(name, lambda call: _plain(call, meter, side))
        for name in STREAMS:
            self._offer(name, lambda call: _stream(call, meter, 1, side))
        for name in LISTINGS:
            self._offer(name, lambda call: _stream(call, meter, LISTED, side))
        for name in WAITING:
            self._offer(name, lambda call: _waiting(call, meter))

    @property
    def capabilities(self) -> Any:
        """The facts about the server; see model.protocols. Learning them may connect; that is no call."""
        began = self._meter.begin(self._side)
        try:
            return self._side.capabilities
        finally:
            self._meter.end(began, 0)

    def _offer(self, name: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        call = getattr(self._side, name, None)
        if call is not None:
            self.__dict__[name] = wrapped(call)


def metered(side: T, meter: Meter) -> T:
    """Return a wrapper of the same interface, whose calls are measured."""
    return cast(T, MeteredSide(side, meter))


def _plain(
    call: Callable[..., T], meter: Meter, side: SupportsClosing | None = None, calls: int = 1
) -> Callable[..., T]:
    """Return a call that is measured.

    Args:
        call: the call.
        meter: measures.
        side: the side that makes it.
        calls: as how many calls it counts if it succeeds.
    """

    def timed(*given: Any, **named: Any) -> T:
        began, errors = meter.begin(side), 0
        try:
            return call(*given, **named)
        except Transient as error:
            errors, meter.code = 1, error.code
            raise
        finally:
            meter.end(began, max(calls, errors), errors)

    return timed


def _stream(
    call: Callable[..., Iterable[T] | None],
    meter: Meter,
    each: int,
    side: SupportsClosing | None = None,
) -> Callable[..., Iterator[T] | None]:
    """Return a call that gives a stream, or None, as the wrapped one does; both are measured.

    A side may ask the server when it is called, or when the first element is wanted.
    """
    begin = _plain(call, meter, side, calls=0)

    def timed(*given: Any, **named: Any) -> Iterator[T] | None:
        stream = begin(*given, **named)
        return None if stream is None else _measured(iter(stream), meter, _sizes(given), each, side)

    return timed


def _waiting(call: Callable[..., Iterable[T]], meter: Meter) -> Callable[..., Iterator[T]]:
    """Return a call that gives a stream; only its answers and faults are counted, see WAITING."""

    def counted(*given: Any, **named: Any) -> Iterator[T]:
        try:
            for element in call(*given, **named):
                meter.end(meter.begin(), 1)
                yield element
        except Transient as error:
            meter.code = error.code
            meter.end(meter.begin(), 1, 1)
            raise

    return counted


def _measured(
    drawing: Iterator[T],
    meter: Meter,
    sizes: Mapping[bytes, int],
    each: int,
    side: SupportsClosing | None = None,
) -> Iterator[T]:
    """Yield what a stream yields, and measure the waiting for each element.

    Args:
        drawing: the stream. It is closed at the end, or if whoever reads it ends early.
        meter: measures.
        sizes: the sizes of large items, by key.
        each: how many elements count as one call.
        side: the side that yields.
    """
    try:
        for number in itertools.count():
            began, calls, errors = meter.begin(side, sum(sizes.values())), 0, 0
            try:
                element = next(drawing)
                passing = _passing_code(element)
                calls, errors, meter.code = (
                    _weight(element, sizes) if number % each == 0 else 0,
                    int(passing is not None),
                    passing or meter.code,
                )
            except StopIteration:
                return
            except Transient as error:
                calls, errors, meter.code = 1, 1, error.code
                raise
            finally:
                meter.end(began, calls, errors)
            yield element
    finally:
        if (close := getattr(drawing, "close", None)) is not None:
            close()


def _sizes(arguments: tuple[Any, ...]) -> dict[bytes, int]:
    """Return the sizes of large items to write, by key; they come in a list."""
    last = arguments[-1] if arguments else None
    if not isinstance(last, list):
        return {}
    return {entry.key: entry.size for entry in last if isinstance(entry, Item) and entry.size > MEGABYTE}


def _weight(element: object, sizes: Mapping[bytes, int]) -> int:
    if isinstance(element, tuple) and len(element) == 2:  # read() yields (href, record)
        element = element[1]
    if isinstance(element, Page):
        return 1 + len(element.refs) // LISTED
    size = (
        element.ref.size
        if isinstance(element, Native)
        else sizes.get(getattr(element, "key", b""))
        if sizes
        else None
    )
    return 1 + (size or 0) // MEGABYTE


def _passing_code(element: object) -> str | None:
    """Return the code of a passing fault; None for anything else."""
    return (
        element.error.code if isinstance(element, Failed) and isinstance(element.error, Transient) else None
    )
