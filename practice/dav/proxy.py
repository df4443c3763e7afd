"""Serve HTTP for a practice server in threads of this process, with layers before the server.

Layers see every request before the server does, and every reply before the client does. Connections stay
open (HTTP/1.1), as products do. A body without a Content-Length is refused with 411, as most reverse proxies
do.
"""

from __future__ import annotations

import base64
import binascii
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

import httpx

HALF = 2


class Fate(StrEnum):
    """Name what becomes of a reply.

    Attributes:
        SENT: it is sent.
        LOST: the connection is closed instead.
        CUT: the connection is closed in the middle of the body, or of the status line if there is no body.
        UNSTATED: it is sent without its length, so that it ends with the connection.
        BROKEN_OFF: as UNSTATED, and closed in the middle of the body.
    """

    SENT = "sent"
    LOST = "lost"
    CUT = "cut"
    UNSTATED = "unstated"
    BROKEN_OFF = "broken-off"


@dataclass(frozen=True, slots=True)
class Request:
    """Hold a request.

    Attributes:
        path: decoded, without the query.
        target: path and query as they came.
        address: the client's.
    """

    method: str
    path: str
    headers: httpx.Headers
    body: bytes = b""
    target: str = ""
    query: str = ""
    address: str = "127.0.0.1"

    @property
    def user(self) -> str | None:
        """Return whom the Basic login names, proven or not."""
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            return base64.b64decode(encoded).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold a reply.

    Attributes:
        reason: of the status line; "" for the usual one.
    """

    status: int
    headers: httpx.Headers
    body: bytes = b""
    fate: Fate = Fate.SENT
    reason: str = ""

    @property
    def took_effect(self) -> bool:
        """Return whether the server did what was asked."""
        return 200 <= self.status < 300


Forward = Callable[[Request], Reply]
Layer = Callable[[Request, Forward], Reply]
"""Answers a request: by itself, or with what the rest, given as a function, answers. The rest may be asked
more than once. Called in many threads at once."""


def reply(status: int, body: str = "", *, kind: str = "text/plain; charset=utf-8", after: int = 0) -> Reply:
    """Return a reply with a text.

    Args:
        status: of HTTP.
        body: the text.
        kind: the media type.
        after: seconds of Retry-After; 0 for none.
    """
    headers = httpx.Headers({"Content-Type": kind})
    if after:
        headers["Retry-After"] = str(after)
    return Reply(status, headers, body.encode())


def dav_error(status: int, condition: str, message: str = "") -> Reply:
    """Return the XML of an error (RFC 4918, 16).

    Args:
        status: of HTTP.
        condition: an element as it stands, with its namespace.
        message: the server's own words.
    """
    head = '<?xml version="1.0" encoding="utf-8"?>\n<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">'
    text = f"<s:message>{message}</s:message>" if message else ""
    return reply(status, f"{head}{condition}{text}</d:error>", kind="application/xml; charset=utf-8")


def stack(layers: Sequence[Layer], last: Forward) -> Forward:
    """Put layers before a server; the first layer is nearest to the client."""
    for layer in reversed(layers):
        last = _under(layer, last)
    return last


def _under(layer: Layer, rest: Forward) -> Forward:
    return lambda request: layer(request, rest)


class Answers(Protocol):
    """Answer what a Front takes."""

    failures: list[BaseException]

    def answer(self, request: Request) -> Reply:
        """Return the reply to a request."""


class Front(ThreadingHTTPServer):
    """Accept connections for a practice server, and end them with it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, proxy: Answers, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        self.proxy = proxy
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), handler or Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, and serve it in a thread."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def end_all(self) -> None:
        """End all connections."""
        for one in list(self._open):
            self.shutdown_request(one)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away, and remember an error of a layer until stop()."""
        del request, client_address
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.proxy.failures.append(error)


class Fronted(ABC):
    """Answer the requests that a Front takes, in a thread of its own.

    Attributes:
        failures: what went wrong in requests, until stop() raises it.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        self.failures: list[BaseException] = []
        self._front = Front(self, handler)
        self.url = f"http://127.0.0.1:{self._front.server_address[1]}"
        self._thread = threading.Thread(target=self._front.serve_forever, args=(0.05,), daemon=True)

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """Return the reply to a request, also without the network."""

    def start(self) -> Self:
        """Safe more than once, until stop()."""
        if not self._thread.is_alive():
            self._thread.start()
        return self

    def stop(self) -> None:
        """End every connection, and raise what went wrong in a request. Safe to call again."""
        if self._thread.is_alive():
            self._front.shutdown()
            self._thread.join()
        self._front.end_all()
        self._front.server_close()
        if self.failures:
            raise self.failures.pop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Handler(BaseHTTPRequestHandler):
    """Read requests and write replies."""

    server: Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args: Any) -> None:
        """Log nothing: requests carry names."""

    def serve(self) -> None:
        """Answer one request."""
        headers = httpx.Headers(list(self.headers.items()))
        if "Transfer-Encoding" in headers:
            self.close_connection = True
            self._send(reply(411))
            return
        body = self.rfile.read(int(headers.get("Content-Length", "0")))
        target = urlsplit(self.path)
        asked = Request(self.command, unquote(target.path), headers, body, target.path)
        request = replace(asked, query=target.query, address=self.client_address[0])
        self._send(self.server.proxy.answer(request))

    def _send(self, answer: Reply) -> None:
        body = b"" if self.command == "HEAD" else answer.body
        if answer.fate is not Fate.SENT:
            self.close_connection = True
        if answer.fate is Fate.LOST:
            return
        if answer.fate is Fate.CUT and not body:
            self.wfile.write(b"HTTP/1.")
            return
        self.send_response_only(answer.status, answer.reason or None)
        for name, text in answer.headers.multi_items():
            self.send_header(name, text)
        if answer.status not in (204, 304) and answer.fate not in (Fate.UNSTATED, Fate.BROKEN_OFF):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        is_cut = answer.fate in (Fate.CUT, Fate.BROKEN_OFF)
        self.wfile.write(body[: len(body) // HALF] if is_cut else body)

    do_OPTIONS = do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815
    do_PROPFIND = do_PROPPATCH = do_REPORT = do_MKCALENDAR = do_MKCOL = do_MOVE = serve  # noqa: N815
