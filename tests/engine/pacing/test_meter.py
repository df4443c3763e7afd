"""What is timed of a connector's calls, and what is not."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from clocks import Clock

from engine.pacing.call_metrics import (
    LISTINGS,
    PLAIN,
    STREAMS,
    UNMEASURED,
    WAITING,
    Meter,
    MetricsSample,
    metered,
)
from model import optional_protocols, readers
from model import protocols as base
from model.errors import Rejected, Transient
from model.kinds import Kind
from model.protocols import Failed, Item, Page, Ref, Stored


@dataclass
class Server:
    """Takes a second for each answer."""

    clock: Clock
    closed: bool = False
    asked: list[str] = field(default_factory=list)

    def ensure(self, name: str) -> str:
        self.clock.now += 1
        if name == "busy":
            raise Transient("busy")
        if name == "forbidden":
            raise Rejected("forbidden")
        return name

    def write(self, _href: str, items: Iterable[Item]) -> Iterator[Stored | Failed]:
        try:
            for item in items:
                self.clock.now += 1
                if item.key == b"bad":
                    yield Failed(item.key, Rejected("too-large"))
                elif item.key == b"busy":
                    yield Failed(item.key, Transient("busy"))
                elif item.key == b"cut":
                    raise Transient("connection-cut")
                else:
                    yield Stored(item.key, "1")
        finally:
            self.closed = True

    def changes(self, _container: str, _cursor: str | None) -> Iterator[Page]:
        self.clock.now += 1
        yield Page(tuple(Ref(str(n), "1") for n in range(250)), "c")


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def meter(clock: Clock) -> Meter:
    return Meter(clock)


@pytest.fixture
def server(clock: Clock, meter: Meter) -> Server:
    return metered(Server(clock), meter)


def item(key: bytes, size: int = 10) -> Item:
    return Item(Kind.MAIL, key, b"d", size, lambda: pytest.fail("nobody reads it"))


def test_each_item_is_a_call_and_each_megabyte_of_a_larger_one(
    server: Server, meter: Meter, clock: Clock
) -> None:
    for _stored in server.write("x", [item(b"1"), item(b"2"), item(b"3", 5_500_000)]):
        clock.now += 60  # what we do ourselves meanwhile is not the server's time
    assert meter.take(1.0) == MetricsSample(8, 0, 3.0)
    assert meter.take(1.0) == MetricsSample()


def test_passing_faults_count_and_refusals_do_not(server: Server, meter: Meter) -> None:
    assert len(list(server.write("x", [item(b"bad"), item(b"busy"), item(b"1")]))) == 3
    assert meter.take(1.0) == MetricsSample(3, 1, 3.0)
    with pytest.raises(Transient):
        list(server.write("x", [item(b"1"), item(b"cut")]))
    assert meter.take(1.0) == MetricsSample(2, 1, 2.0, failures=1)
    with pytest.raises(Rejected):
        server.ensure("forbidden")
    with pytest.raises(Transient):
        server.ensure("busy")
    assert server.ensure("name") == "name"
    assert meter.take(1.0) == MetricsSample(3, 1, 3.0)


def test_a_listing_counts_by_the_hundred(server: Server, meter: Meter) -> None:
    assert [len(page.refs) for page in server.changes("x", None)] == [250]
    assert meter.take(1.0) == MetricsSample(3, 0, 1.0)


def test_who_stops_early_closes_what_was_begun(clock: Clock, meter: Meter) -> None:
    plain = Server(clock)
    results = metered(plain, meter).write("x", [item(b"1"), item(b"2")])
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    assert plain.closed


def test_a_call_without_an_answer_counts_while_it_lasts(meter: Meter, clock: Clock) -> None:
    began = meter.begin()
    clock.now += 1
    assert meter.take(2.0) == MetricsSample()
    clock.now += 4
    assert meter.take(2.0) == MetricsSample(1, 0, 5.0)
    meter.end(began, 1)
    assert meter.take(2.0) == MetricsSample(1, 0, 5.0)


def test_to_measure_costs_next_to_nothing() -> None:
    """Below ten microseconds an item: one that takes a millisecond is not slower by a hundredth."""

    class Quick:
        def read(self, hrefs: Iterable[int]) -> Iterator[int]:
            yield from hrefs

    count = 20_000
    plain, timed = Quick(), metered(Quick(), Meter())
    costs = []
    for _ in range(5):
        began = time.thread_time()
        assert sum(1 for _ in plain.read(range(count))) == count
        between = time.thread_time()
        assert sum(1 for _ in timed.read(range(count))) == count
        costs.append((time.thread_time() - between - (between - began)) / count)
    assert min(costs) < 10e-6


def test_what_is_measured_meanwhile_disturbs_nobody() -> None:
    """Threads of legs begin and end calls while another one ends the period."""
    meter, ended = Meter(), threading.Event()

    def call() -> None:
        while not ended.is_set():
            began = meter.begin()
            time.sleep(0)  # as a thread does that waits for a server
            meter.end(began, 1)

    legs = [threading.Thread(target=call) for _ in range(8)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for leg in legs:
            leg.start()
        assert sum(meter.take(60.0).calls for _ in range(20_000)) > 0
    finally:
        ended.set()
        sys.setswitchinterval(before)
        for leg in legs:
            leg.join()


@dataclass
class Listing:
    """Takes a second for each hundred that it lists; asks itself where it shares."""

    clock: Clock
    busy: bool = False

    def listing(self, _href: str, since: str | None = None) -> Iterator[str]:
        for number in range(250):
            self.clock.now += 1 if number % 100 == 0 else 0
            if self.busy:
                raise Transient("busy")
            yield f"{since}{number}"

    def containers(self) -> Iterator[str]:
        self.clock.now += 3
        yield "INBOX"

    def digests(self, _href: str, hrefs: Iterable[str]) -> Iterator[str]:
        for one in hrefs:
            self.clock.now += 1
            yield one

    def shared(self, _href: str) -> str:
        self.clock.now += 1
        return "nobody"

    def unshare(self, href: str) -> str:
        self.clock.now += 1
        return self.shared(href)

    def share(self, _href: str, grants: Iterable[str]) -> Iterator[str]:
        self.clock.now += 600  # the server lets this account share again
        for grant in grants:
            if grant == "busy":
                raise Transient("busy")
            yield grant


def test_what_verification_reads_counts() -> None:
    clock = Clock(100.0)
    meter = Meter(clock)
    server = metered(Listing(clock), meter)
    assert len(list(server.listing("x", since="s"))) == 250
    assert meter.take(60) == MetricsSample(3, 0, 3)
    assert list(server.containers()) == ["INBOX"]
    assert meter.take(60) == MetricsSample(1, 0, 3)
    assert list(server.digests("x", ["a", "b"])) == ["a", "b"]
    assert meter.take(60) == MetricsSample(2, 0, 2)


def test_a_call_within_a_call_counts_once() -> None:
    clock = Clock(100.0)
    meter = Meter(clock)
    assert metered(Listing(clock), meter).unshare("x") == "nobody"
    assert meter.take(60) == MetricsSample(1, 0, 2)


def test_a_busy_listing_is_an_error() -> None:
    clock = Clock(100.0)
    meter = Meter(clock)
    with pytest.raises(Transient):
        next(iter(metered(Listing(clock, busy=True), meter).listing("x")))
    assert meter.take(60) == MetricsSample(1, 1, 1, failures=1)


def test_a_server_that_hangs_in_a_listing_is_seen() -> None:
    clock, begun, over = Clock(100.0), threading.Event(), threading.Event()
    meter = Meter(clock)

    class Hanging:
        def containers(self) -> Iterator[str]:
            begun.set()
            over.wait()
            yield "INBOX"

    server = metered(Hanging(), meter)
    thread = threading.Thread(target=lambda: list(server.containers()))
    thread.start()
    begun.wait()
    clock.now += 90
    assert meter.take(60) == MetricsSample(1, 0, 90)
    over.set()
    thread.join()


@pytest.mark.parametrize("module", [base, optional_protocols, readers])
def test_whatever_may_ask_a_server_is_timed(module: ModuleType) -> None:
    """A server that is away fails at the first call, whichever that is: unless it counts, nothing halts."""
    protocols = [one for one in vars(module).values() if getattr(one, "_is_protocol", False)]
    names = {name for one in protocols for name in vars(one) if not name.startswith("_")}
    assert names
    assert names <= {*PLAIN, *STREAMS, *LISTINGS, *WAITING, *UNMEASURED, "capabilities"}


def test_the_wrapper_supports_what_the_side_supports() -> None:
    """And the side itself stays as it was: whoever has it in hand calls it unmeasured."""
    clock = Clock(0.0)
    meter, plain = Meter(clock), Listing(clock)
    server = metered(plain, meter)
    assert isinstance(server, optional_protocols.SupportsDigests)
    assert not isinstance(server, optional_protocols.SupportsQuota)
    assert plain.shared("x") == "nobody"
    assert meter.take(60) == MetricsSample()
    assert {*vars(plain)} == {"clock", "busy"}


def test_the_minutes_in_which_nothing_may_be_shared_are_no_slow_answer() -> None:
    """A fault counts all the same, and nothing counts as an answer before there is one."""
    clock = Clock(100.0)
    meter = Meter(clock)
    server = metered(Listing(clock), meter)
    sharing = server.share("x", ["anna", "ben", "busy"])
    assert meter.take(60) == MetricsSample()
    with pytest.raises(Transient):
        list(sharing)
    assert meter.take(60) == MetricsSample(3, 1, 0, failures=1)


class Early:
    """Asks when it is called, not when the first element is wanted; may have nothing to give."""

    def __init__(self, clock: Clock, answer: object) -> None:
        self.clock, self.answer = clock, answer

    def _ask(self, *_asked: object) -> Any:
        self.clock.now += 2
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


for each in (*STREAMS, *LISTINGS):
    setattr(Early, each, Early._ask)


@pytest.mark.parametrize("name", [*STREAMS, *LISTINGS])
def test_a_side_that_has_no_stream_says_so_through_the_wrapper(name: str) -> None:
    """None is an answer: an Exchange that expands no series, an account whose server does not tell."""
    clock = Clock(100.0)
    meter = Meter(clock)
    assert getattr(metered(Early(clock, None), meter), name)("x") is None
    assert meter.take(60).seconds == 2


@pytest.mark.parametrize("name", [*STREAMS, *LISTINGS])
def test_a_side_that_asks_at_once_fails_at_once(name: str) -> None:
    """Where the plain side raises, the wrapped one does; what it gave is closed with the wrapper."""
    clock = Clock(100.0)
    meter = Meter(clock)
    with pytest.raises(Transient):
        getattr(metered(Early(clock, Transient("busy")), meter), name)("x")
    assert meter.take(60) == MetricsSample(1, 1, 2, failures=1)
    stream = (number for number in range(3))
    wrapped = getattr(metered(Early(clock, stream), meter), name)("x")
    assert next(wrapped) == 0
    wrapped.close()
    assert list(stream) == []
    assert list(getattr(metered(Early(clock, [1, 2]), meter), name)("x")) == [1, 2]


def test_an_error_that_is_no_fault_of_the_server_ends_the_measuring() -> None:
    clock = Clock(100.0)
    meter = Meter(clock)

    class Odd:
        def listing(self, _href: str) -> Iterator[str]:
            yield "a"
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        list(metered(Odd(), meter).listing("x"))
    clock.now += 900
    assert meter.take(60) == MetricsSample(1, 0, 0)
