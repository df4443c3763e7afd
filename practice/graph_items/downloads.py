"""Where the bytes of practice files come from: addresses that are a permission of their own, for a while.

They refuse an Authorization header, serve ranges, and may go wrong in every way that is known of them.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as WebRoute
from starlette.types import Receive, Scope, Send

from practice.drive.drive import Drive, Node
from practice.graph_items.drive_rows import etag
from practice.harness.faults import FaultPlan, Kind

SECONDS = 3600.0
PATH = "/personal/download.aspx"
PAGE = b"<!DOCTYPE html><html><head><title>Sorry, something went wrong</title></head><body></body></html>"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)", re.ASCII)


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


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an address is for."""

    drive: Drive
    node: Node
    until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Before it is sent. cut: after so many bytes the connection ends."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]
    cut: int | None = None


@dataclass(slots=True)
class Downloads:
    """seconds: how long an address is good for; faults: drawn as "Download", an item being its id. served
    counts bytes by item id; asked the answers by status."""

    seconds: float = SECONDS
    faults: FaultPlan | None = None
    clock: Callable[[], float] = time.monotonic
    served: Counter[str] = field(default_factory=Counter)
    asked: Counter[int] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    _tickets: dict[str, Ticket] = field(default_factory=dict)
    _hurts: dict[str, deque[tuple[Hurt, ...]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strike(self, node: Node, *turns: Hurt | tuple[Hurt, ...]) -> None:
        """The next answers about this item go wrong, each in one or more ways."""
        queue = self._hurts.setdefault(node.id, deque())
        queue.extend(turn if isinstance(turn, tuple) else (turn,) for turn in turns)

    def expire(self) -> None:
        """Every address that was given is void."""
        self._tickets.clear()

    def url(self, base: str, drive: Drive, node: Node) -> str:
        """base: of the host."""
        token = secrets.token_urlsafe(24)
        self._tickets[token] = Ticket(drive, node, self.clock() + self.seconds)
        return f"{base}{PATH}?UniqueId={node.guid}&tempauth={token}"

    @property
    def web(self) -> tuple[WebRoute, ...]:
        return (WebRoute(PATH, self._answer, methods=["GET"]),)

    async def _answer(self, request: Request) -> Response:
        token = request.query_params.get("tempauth", "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await run_in_threadpool(self._made, token, headers)
        with self._lock:
            self.asked[answer.status] += 1
        return _Sent(answer)

    def _made(self, token: str, headers: Mapping[str, str]) -> Answer:
        ticket = self._tickets.get(token)
        if "authorization" in headers or ticket is None or ticket.until < self.clock():
            return _said(401, b'{"error":{"code":"unauthenticated","message":"Access denied."}}')
        hurts = self._drawn(ticket)
        if Hurt.VOID in hurts:
            self._tickets.pop(token, None)
            if hurts == (Hurt.VOID,):
                return _said(401, b"401 UNAUTHORIZED", "text/plain")
        with ticket.drive.lock:
            try:
                node = ticket.drive.find(ticket.node.id)
            except KeyError:
                return _said(404, b"404 FILE NOT FOUND", "text/plain")
            return self._replied(node, headers, hurts)

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

    def _replied(self, node: Node, headers: Mapping[str, str], hurts: tuple[Hurt, ...]) -> Answer:
        for hurt, refusal in _REFUSALS.items():
            if hurt in hurts:
                return refusal()
        if node.infected:
            return replace(_said(403, b"", "text/plain"), headers={"X-Virus-Infected": "Practice/EICAR"})
        return self._bytes(node, headers, hurts)

    def _bytes(self, node: Node, headers: Mapping[str, str], hurts: tuple[Hurt, ...]) -> Answer:
        size = node.content.size
        start, end, status = 0, size, 200
        given = _RANGE.fullmatch(headers.get("range", ""))
        fresh = headers.get("if-range", etag(node)) == etag(node)
        if given and fresh and Hurt.UNRANGED not in hurts:
            self.ranges.append(headers["range"])
            start, status = int(given[1]), 206
            end = min(int(given[2]) + 1, size) if given[2] else size
            if start >= size:
                return replace(_said(416, b""), headers={"Content-Range": f"bytes */{size}"})
        length = (end - start) // 2 if Hurt.SHORT in hurts else end - start
        pieces = self._counted(node, node.content.blocks(start, start + length))
        sent = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(length),
            "ETag": etag(node),
            "Accept-Ranges": "bytes",
        }
        if status == 206:
            sent["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        if Hurt.WRONG in hurts:
            pieces = (bytes([block[0] ^ 1]) + block[1:] for block in pieces)
        return Answer(status, sent, pieces, length // 2 if Hurt.CUT in hurts else None)

    def _counted(self, node: Node, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.served[node.id] += len(piece)
            yield piece


def _said(status: int, body: bytes, mime: str = "application/json", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"Content-Type": mime, "Content-Length": str(len(body)), **named}, iter([body]))


_REFUSALS: dict[Hurt, Callable[[], Answer]] = {
    Hurt.BUSY: lambda: _said(429, b"", Retry_After="0"),
    Hurt.DOWN: lambda: _said(503, b"", Retry_After="0"),
    Hurt.GATEWAY: lambda: _said(504, PAGE, "text/html"),
    Hurt.PAGE: lambda: _said(200, PAGE, "text/html; charset=utf-8"),
}


class _Sent(Response):
    def __init__(self, answer: Answer) -> None:
        super().__init__(status_code=answer.status)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        answer = self._answer
        pairs = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        left = answer.cut
        while piece := await run_in_threadpool(next, answer.pieces, b""):
            if left is not None and len(piece) > left:
                await send({"type": "http.response.body", "body": piece[:left], "more_body": True})
                return  # the server closes a connection whose answer is not complete
            left = None if left is None else left - len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
