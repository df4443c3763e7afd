"""Serve the bytes of practice files at addresses that are a permission of their own, for a while.

They refuse an Authorization header, and serve ranges.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as WebRoute
from starlette.types import Receive, Scope, Send

from practice.drive.drive import Drive, Node
from practice.graph_items.drive_rows import etag

SECONDS = 3600.0
PATH = "/personal/download.aspx"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Hold what an address is for."""

    drive: Drive
    node: Node
    until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold an answer before it is sent.

    Attributes:
        cut: after so many bytes the connection ends; None: it does not.
    """

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]
    cut: int | None = None


@dataclass(slots=True)
class Downloads:
    """Give addresses of files, and the bytes behind them.

    Attributes:
        seconds: how long an address is good for.
    """

    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    tickets: dict[str, Ticket] = field(default_factory=dict)

    def url(self, base: str, drive: Drive, node: Node) -> str:
        """Return a new address of a file.

        Args:
            base: of the host.
            drive: holds the file.
            node: the file.
        """
        token = secrets.token_urlsafe(24)
        self.tickets[token] = Ticket(drive, node, self.clock() + self.seconds)
        return f"{base}{PATH}?UniqueId={node.guid}&tempauth={token}"

    @property
    def web(self) -> tuple[WebRoute, ...]:
        """Return the addresses that need no token."""
        return (WebRoute(PATH, self._answer, methods=["GET"]),)

    async def _answer(self, request: Request) -> Response:
        token = request.query_params.get("tempauth", "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        return _Sent(await run_in_threadpool(self.answer, token, headers))

    def answer(self, token: str, headers: Mapping[str, str]) -> Answer:
        """Return the answer to whoever has an address's token."""
        ticket = self.tickets.get(token)
        if "authorization" in headers or ticket is None or ticket.until < self.clock():
            return plain(401, b'{"error":{"code":"unauthenticated","message":"Access denied."}}')
        return self.valid(token, ticket, headers)

    def valid(self, token: str, ticket: Ticket, headers: Mapping[str, str]) -> Answer:  # noqa: ARG002
        """Return the answer to whoever has a valid token."""
        with ticket.drive.lock:
            try:
                node = ticket.drive.find(ticket.node.id)
            except KeyError:
                return plain(404, b"404 FILE NOT FOUND", "text/plain")
            if node.infected:
                refusal = plain(403, b"", "text/plain")
                return replace(refusal, headers={"X-Virus-Infected": "Practice/EICAR"})
            return self.content(node, headers)

    def content(self, node: Node, headers: Mapping[str, str]) -> Answer:
        """Return the bytes of a file, or the range of them that is asked for."""
        size = node.content.size
        start, end, status = 0, size, 200
        given = _RANGE.fullmatch(headers.get("range", ""))
        if given and headers.get("if-range", etag(node)) == etag(node):
            start, status = int(given[1]), 206
            end = min(int(given[2]) + 1, size) if given[2] else size
            if start >= size:
                return replace(plain(416, b""), headers={"Content-Range": f"bytes */{size}"})
        sent = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - start),
            "ETag": etag(node),
            "Accept-Ranges": "bytes",
        }
        if status == 206:
            sent["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return Answer(status, sent, node.content.blocks(start, end))


def plain(status: int, body: bytes, mime: str = "application/json", **headers: str) -> Answer:
    """Return a short answer; `_` in the name of a header stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"Content-Type": mime, "Content-Length": str(len(body)), **named}, iter([body]))


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
