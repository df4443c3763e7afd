"""What goes wrong between any DAV server and its client, by a script: a layer for practice.dav.proxy.

faults = Faults({("PUT", 3): Fault.LOST})   # the third PUT takes effect, and its reply is lost
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from practice.dav.proxy import Fate, Forward, Reply, Request, dav_error, reply


class Fault(StrEnum):
    """LOST    it took effect; the line is closed instead of a reply
    CUT     it took effect; the line is closed in the middle of the reply
    UNSENT  it took no effect, and the line is closed: to the client the same as LOST
    BUSY    503 with Retry-After, without effect
    LATE    503 with Retry-After, although it took effect: the gateway gave up too early
    LIMIT   429 with Retry-After, without effect
    LOCKED  423, without effect
    BROKEN  500, without effect
    PAGE    200 and an HTML page, without effect: a captive portal, a maintenance page
    FULL    507, without effect
    """

    LOST = "lost"
    CUT = "cut"
    UNSENT = "unsent"
    BUSY = "busy"
    LATE = "late"
    LIMIT = "limit"
    LOCKED = "locked"
    BROKEN = "broken"
    PAGE = "page"
    FULL = "full"


AFTER = {Fault.LOST, Fault.CUT, Fault.LATE}
READING = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})


@dataclass
class Faults:
    """script: the method and which request of it, counted from 1 since the start; "*" counts all requests.
    retry_after: seconds; 0: no such header. struck: what happened, in order."""

    script: Mapping[tuple[str, int], Fault]
    retry_after: int = 1
    struck: list[Fault] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        fault = self._draw(request.method)
        if fault is None:
            return rest(request)
        if fault not in AFTER:
            return self._instead(fault)
        answer = rest(request)
        if fault is Fault.LATE:
            return self._instead(Fault.BUSY)
        return replace(answer, fate=Fate.LOST if fault is Fault.LOST else Fate.CUT)

    def _draw(self, method: str) -> Fault | None:
        with self._lock:
            self._counts.update((method, "*"))
            names = ((method, self._counts[method]), ("*", self._counts["*"]))
            fault = next((self.script[name] for name in names if name in self.script), None)
            if fault is not None:
                self.struck.append(fault)
            return fault

    def _instead(self, fault: Fault) -> Reply:
        match fault:
            case Fault.BUSY:
                return reply(503, after=self.retry_after)
            case Fault.LIMIT:
                return reply(429, after=self.retry_after)
            case Fault.LOCKED:
                return dav_error(423, "<d:lock-token-submitted/>")
            case Fault.BROKEN:
                return reply(500)
            case Fault.FULL:
                return dav_error(507, "<d:quota-not-exceeded/>")
            case Fault.PAGE:
                return reply(200, "<html><body>Welcome</body></html>", kind="text/html")
            case _:
                return replace(reply(500), fate=Fate.LOST)


@dataclass
class Away:
    """A server whose database is away: whatever is asked fails, as at a Nextcloud whose PostgreSQL stops.

    begins: the method and which request of it the outage begins with, counted from 1, and how many requests
    it lasts, that one included. Of two of one method, the second may begin while the first goes on.
    statuses: of the answers, in turn. reads: False if reading works meanwhile, as from a replica. failed: the
    methods that failed, in order.
    """

    begins: Mapping[tuple[str, int], int]
    statuses: tuple[int, ...] = (500,)
    reads: bool = True
    failed: list[str] = field(default_factory=list)
    _left: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        with self._lock:
            self._counts[request.method] += 1
            self._left += self.begins.get((request.method, self._counts[request.method]), 0)
            concerned = self.reads or request.method not in READING
            if not self._left or not concerned:
                status = 0
            else:
                self._left -= 1
                status = self.statuses[len(self.failed) % len(self.statuses)]
                self.failed.append(request.method)
        return reply(status) if status else rest(request)
