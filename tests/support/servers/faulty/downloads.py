"""Downloads of practice files that go wrong in every way that is known of them."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from practice.drive.drive import Node
from practice.drive.drives import Drives
from practice.graph_items.downloads import Answer, Downloads, Ticket, plain
from practice.graph_items.drives import GraphDrives
from servers.faulty.plan import FaultPlan, Kind

PAGE = b"<!DOCTYPE html><html><head><title>Sorry, something went wrong</title></head><body></body></html>"


class Hurt(StrEnum):
    """What goes wrong with one answer.

    CUT      the connection ends in the middle
    VOID     the address is void from now on, also for what it is just asked
    SHORT    half of the bytes, in an answer that says that these are all
    WRONG    other bytes, of the same length
    PAGE     200 with a page about an error
    BUSY, DOWN, GATEWAY   429 and 503 with Retry-After, 504
    UNRANGED a range is not heeded: the whole file comes
    """

    CUT = "cut"
    VOID = "void"
    SHORT = "short"
    WRONG = "wrong"
    PAGE = "page"
    BUSY = "busy"
    DOWN = "down"
    GATEWAY = "gateway"
    UNRANGED = "unranged"


BY_PLAN: Mapping[Kind, Hurt] = {
    Kind.CUT_MID_BODY: Hurt.CUT,
    Kind.EXPIRED_TOKEN: Hurt.VOID,
    Kind.REBUILD_MIME: Hurt.WRONG,
    Kind.ERROR_PAGE: Hurt.PAGE,
    Kind.SOAP_SERVER_BUSY: Hurt.BUSY,
    Kind.HTTP_503: Hurt.DOWN,
    Kind.INNER_BUSY: Hurt.GATEWAY,
}
"""What a plan's faults mean to a download."""


@dataclass(slots=True)
class FaultyDownloads(Downloads):
    """faults: drawn as "Download", an item being its id. served counts bytes by item id; asked the answers by
    status; ranges: those that were asked for and given."""

    faults: FaultPlan | None = None
    served: Counter[str] = field(default_factory=Counter)
    asked: Counter[int] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    _hurts: dict[str, deque[tuple[Hurt, ...]]] = field(default_factory=dict)
    _now: threading.local = field(default_factory=threading.local)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strike(self, node: Node, *turns: Hurt | tuple[Hurt, ...]) -> None:
        """The next answers about this item go wrong, each in one or more ways."""
        queue = self._hurts.setdefault(node.id, deque())
        queue.extend(turn if isinstance(turn, tuple) else (turn,) for turn in turns)

    def expire(self) -> None:
        """Every address that was given is void."""
        self.tickets.clear()

    def answer(self, token: str, headers: Mapping[str, str]) -> Answer:
        answer = Downloads.answer(self, token, headers)
        with self._lock:
            self.asked[answer.status] += 1
        return answer

    def valid(self, token: str, ticket: Ticket, headers: Mapping[str, str]) -> Answer:
        self._now.hurts = hurts = self._drawn(ticket)
        if Hurt.VOID in hurts:
            self.tickets.pop(token, None)
            if hurts == (Hurt.VOID,):
                return plain(401, b"401 UNAUTHORIZED", "text/plain")
        return Downloads.valid(self, token, ticket, headers)

    def content(self, node: Node, headers: Mapping[str, str]) -> Answer:
        hurts: tuple[Hurt, ...] = self._now.hurts
        for hurt, refusal in _REFUSALS.items():
            if hurt in hurts:
                return refusal()
        if Hurt.UNRANGED in hurts:
            headers = {name: value for name, value in headers.items() if name != "range"}
        answer = Downloads.content(self, node, headers)
        if answer.status == 206:
            self.ranges.append(headers["range"])
        length, pieces = int(answer.headers.get("Content-Length", 0)), self._counted(node, answer.pieces)
        if Hurt.SHORT in hurts:
            length, pieces = length // 2, _first(pieces, length // 2)
        if Hurt.WRONG in hurts:
            pieces = (bytes([block[0] ^ 1]) + block[1:] for block in pieces)
        sent = {**answer.headers, "Content-Length": str(length)}
        return replace(answer, headers=sent, pieces=pieces, cut=length // 2 if Hurt.CUT in hurts else None)

    def _drawn(self, ticket: Ticket) -> tuple[Hurt, ...]:
        found: list[Hurt] = []
        with self._lock:
            queue = self._hurts.get(ticket.node.id)
            if queue:
                found += queue.popleft()
        if self.faults is not None:
            drawn = self.faults.draw("Download", ticket.drive.key, (ticket.node.id,))
            found += [BY_PLAN[fault.kind] for fault in drawn if fault.kind in BY_PLAN]
        return tuple(found)

    def _counted(self, node: Node, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.served[node.id] += len(piece)
            yield piece


def _first(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """So many bytes of them."""
    for piece in pieces:
        if count:
            yield piece[:count]
        count = max(0, count - len(piece))


_REFUSALS: dict[Hurt, Callable[[], Answer]] = {
    Hurt.BUSY: lambda: plain(429, b"", Retry_After="0"),
    Hurt.DOWN: lambda: plain(503, b"", Retry_After="0"),
    Hurt.GATEWAY: lambda: plain(504, PAGE, "text/html"),
    Hurt.PAGE: lambda: plain(200, PAGE, "text/html; charset=utf-8"),
}


class FaultyDrives(GraphDrives):
    """GraphDrives whose downloads may go wrong."""

    downloads: FaultyDownloads

    def __init__(self, drives: Drives) -> None:
        super().__init__(drives)
        self.downloads = FaultyDownloads()
