"""The HTTP of a practice server, in threads of this process: its layers see every request before the server
does, and every reply before the client does.

It keeps connections alive (HTTP/1.1), as products do. A body without a Content-Length is refused with 411, as
behind most reverse proxies.
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
    """What becomes of a reply: SENT; LOST: the line is closed instead; CUT: closed in the middle of the body,
    or of the status line where there is none; UNSTATED: without its length, so that it ends with the line;
    BROKEN_OFF: likewise, and closed in the middle of the body."""

    SENT = "sent"
    LOST = "lost"
    CUT = "cut"
    UNSTATED = "unstated"
    BROKEN_OFF = "broken-off"


@dataclass(frozen=True, slots=True)
class Request:
    """path is decoded, without the query, and target as it came; user is whom the Basic login names, proven
    or not; address is the client's."""

    method: str
    path: str
    headers: httpx.Headers
    body: bytes = b""
    target: str = ""
    query: str = ""
    address: str = "127.0.0.1"

    @property
    def user(self) -> str | None:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            return base64.b64decode(encoded).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None


@dataclass(frozen=True, slots=True)
class Reply:
    """reason: of the status line; "" for the usual one."""

    status: int
    headers: httpx.Headers
    body: bytes = b""
    fate: Fate = Fate.SENT
    reason: str = ""

    @property
    def took_effect(self) -> bool:
        return 200 <= self.status < 300


Forward = Callable[[Request], Reply]
Layer = Callable[[Request, Forward], Reply]
"""Answers a request: by itself, or with what the rest, given as a function, answers. The rest may be asked
more than once. Called in many threads at once."""


def reply(status: int, body: str = "", *, kind: str = "text/plain; charset=utf-8", after: int = 0) -> Reply:
    """after: seconds of Retry-After; 0: none."""
    headers = httpx.Headers({"Content-Type": kind})
    if after:
        headers["Retry-After"] = str(after)
    return Reply(status, headers, body.encode())


def dav_error(status: int, condition: str, message: str = "") -> Reply:
    """The XML of RFC 4918 16: condition is an element as it stands, with its namespace; message is the
    server's own words."""
    head = '<?xml version="1.0" encoding="utf-8"?>\n<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">'
    said = f"<s:message>{message}</s:message>" if message else ""
    return reply(status, f"{head}{condition}{said}</d:error>", kind="application/xml; charset=utf-8")


def stack(layers: Sequence[Layer], last: Forward) -> Forward:
    """The first layer stands nearest to the client."""
    for layer in reversed(layers):
        last = _under(layer, last)
    return last


def _under(layer: Layer, rest: Forward) -> Forward:
    return lambda request: layer(request, rest)


class Answers(Protocol):
    """Who stands behind a Front."""

    failures: list[BaseException]

    def answer(self, request: Request) -> Reply: ...


class Front(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, proxy: Answers, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        self.proxy = proxy
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), handler or Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_all(self) -> None:
        for one in list(self._open):
            self.shutdown_request(one)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; what a layer raised is, at stop()."""
        del request, client_address
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.proxy.failures.append(error)


class Fronted(ABC):
    """A server whose requests a Front takes, in a thread of its own.

    failures: what went wrong in a request, until stop() raises it."""

    def __init__(self, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        self.failures: list[BaseException] = []
        self._front = Front(self, handler)
        self.url = f"http://127.0.0.1:{self._front.server_address[1]}"
        self._thread = threading.Thread(target=self._front.serve_forever, args=(0.05,), daemon=True)

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """Answers a request, also without the network."""

    def start(self) -> Self:
        """Safe more than once, until stop()."""
        if not self._thread.is_alive():
            self._thread.start()
        return self

    def stop(self) -> None:
        """Ends every connection. Safe more than once. Raises what went wrong in a request."""
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
    server: Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *args: Any) -> None:
        """Says nothing: requests carry names."""

    def serve(self) -> None:
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
