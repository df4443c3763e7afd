"""Send single requests over HTTP: sockets, TLS, proxy, connections and time limits.

Every connection to an HTTP server is opened here, whoever uses it: `connectors.http.client` for DAV, files
and eXo, the clients of EWS and Graph, and the hooks of a cutover. Each of them adds its credentials and its
retries. This module follows no redirect, keeps no cookie, repeats nothing, and takes nothing from the
environment.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TypeVar

import urllib3

from connectors.http.content_coding import CODINGS, decoded
from connectors.http.deadline import Deadline
from connectors.http.errors import delay, network_error
from connectors.http.hrefs import Origin
from connectors.http.proxy import Network, named_by_environment
from connectors.http.sockets import Sockets, pool
from connectors.settings import Tls
from model.errors import MigrationError, Transient

CONNECT_SECONDS = 20.0
CHUNK = 1 << 17
ORIGINS_MOST = 16
"""The most servers to which one transport keeps connections: downloads of Graph have many hosts."""
FAULTS = (urllib3.exceptions.HTTPError, OSError, ValueError)
"""What urllib3 and sockets raise when a request or an answer fails."""
UNUSED_PROXY = 'HTTPS_PROXY is set and not used: [network] proxy = "environment" uses it'

Send = Callable[[Origin, str, str, Mapping[str, str], bytes | BinaryIO], urllib3.BaseHTTPResponse]
"""Sends one request: origin, method, path with query, headers, body. Returns the response when its head has
arrived."""


class Closable(Protocol):
    """Describe what can be closed."""

    def close(self) -> None:
        """Close it."""
        ...


R = TypeVar("R", bound=Closable)


class TransportSettings(Protocol):
    """Describe how servers are reached, as the settings state it."""

    @property
    def tls(self) -> Tls:
        """Return the TLS settings."""
        ...

    @property
    def network(self) -> Network:
        """Return the proxy settings."""
        ...

    @property
    def timeout_seconds(self) -> float:
        """Return the longest wait for the next byte, in seconds."""
        ...


class Transport:
    """Hold the connections to the servers of one source or target. Safe from several threads.

    Attributes:
        trouble: the code of the newest fault; None once a server has answered again.
    """

    trouble: str | None = None

    def __init__(
        self,
        settings: TransportSettings,
        closed: Callable[[], MigrationError],
        connections: int,
        answer_seconds: float | None = None,
        send: Send | None = None,
    ) -> None:
        """Prepare the transport; nothing is connected before the first request.

        Args:
            settings: how servers are reached.
            closed: returns the error for a request after close().
            connections: the most connections to one server that are kept open.
            answer_seconds: the time for one answer; see `connectors.http.deadline.Deadline`.
            send: replaces the network, for tests; None for the network.

        Raises:
            Misconfigured: the file of authorities cannot be read.
        """
        # It would log addresses, and what it cannot read of an answer.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        most = settings.timeout_seconds
        self._timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, most), read=most)
        self._trust = settings.tls.context("http")
        self._network = settings.network
        self._closed = closed
        self._connections = connections
        self._answer_seconds = answer_seconds
        self._sockets = Sockets()
        self._pools: dict[Origin, urllib3.HTTPConnectionPool] = {}
        self._pooling = threading.Lock()
        self._request = send or self._urlopen

    def close(self) -> None:
        """End every request and close every connection; safe from any thread and more than once."""
        self._sockets.shut()
        with self._pooling:
            pools = list(self._pools.values())
        for connections in pools:
            connections.close()

    def wait(self, seconds: float) -> None:
        """Sleep; raise the error for close() as soon as the transport is closed."""
        if self._sockets.closed.wait(seconds):
            raise self._closed()

    def within(self, request: Callable[[], R], size: int = 0) -> R:
        """Return what a request returns, within the time for one answer.

        Args:
            request: sends one request, or several that belong together.
            size: the bytes that it sends.

        Raises:
            Transient: "timeout".
        """
        deadline = Deadline(self._sockets.cut, self._answer_seconds)
        deadline.moved(size)
        answer: R | None = None
        try:
            with deadline.waiting():
                answer = request()
                return answer  # noqa: RET504 - leaving the block may raise
        except Transient:
            if answer is not None:  # a head that was cut off looks like a complete one
                answer.close()
            raise

    def send(
        self,
        origin: Origin,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | BinaryIO = b"",
    ) -> Response:
        """Send one request, once, and return the response when its head has arrived.

        Args:
            origin: the server.
            method: the HTTP method.
            target: the path with its query, coded as it is to be sent.
            headers: all headers.
            body: the body; a stream is read once.

        Raises:
            Transient: the connection broke; the request may have been carried out. Also the error for
                close().
            Blocked: "tls-failed", "proxy-refused".
            Misconfigured: the secret of the proxy cannot be read.
        """
        self.refuse_closed()
        try:
            raw = self.within(lambda: self._request(origin, method, target, headers, body), _size(body))
        except FAULTS as error:
            raise self.fault(error, origin) from None
        return self.response(raw, origin)

    def send_to(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        """Send one request to an absolute URL; see `send`.

        Raises:
            Transient: also where the URL is none.
        """
        try:
            origin = Origin.of(url)
            if origin.scheme not in {"http", "https"}:
                raise ValueError("no URL of HTTP")
        except ValueError as error:
            raise network_error(error) from None
        return self.send(origin, method, target_of(url), headers, body)

    def response(self, raw: urllib3.BaseHTTPResponse, origin: Origin) -> Response:
        """Return a response of this transport's connections, for code that got it through a library.

        Args:
            raw: the response with an unread body.
            origin: the server.

        Raises:
            MigrationError: the error for close(), where the transport was closed meanwhile.
        """
        answer = Response(self, raw, origin)
        self.trouble = None
        if self._sockets.closed.is_set():
            answer.close()
            raise self._closed()
        return answer

    def refuse_closed(self) -> None:
        """Raise the error for close() if the transport is closed."""
        if self._sockets.closed.is_set():
            raise self._closed()

    def fault(self, error: Exception, origin: Origin) -> MigrationError:
        """Return the error for an exception of urllib3, requests, ssl or a socket.

        Args:
            error: the exception.
            origin: the server.
        """
        if self._sockets.closed.is_set():
            return self._closed()
        found = network_error(error, str(origin))
        self.trouble = found.code
        direct = self._network.proxy is None and origin.scheme == "https"
        if direct and found.code == "unreachable" and named_by_environment():
            return found.with_local_cause(f"{found.local}; {UNUSED_PROXY}")
        return found

    def read(self, raw: urllib3.BaseHTTPResponse, origin: Origin, *, decode: bool) -> Iterator[bytes]:
        """Yield the body of a response within the deadline; see `Response.chunks`."""
        deadline, cuts = Deadline(self._sockets.cut, self._answer_seconds), self._sockets.cuts
        body = deadline.paced(raw.stream(CHUNK, decode_content=False))
        try:
            yield from decoded(body, _coding(raw), CHUNK) if decode else body
        except FAULTS as error:
            raise self.fault(error, origin) from None
        # an answer that ends with its connection looks whole when we have cut it ourselves
        self.refuse_closed()
        if self._sockets.cuts != cuts:
            raise Transient("connection-cut", "another request took too long, and ended this one, too")

    def _urlopen(
        self, origin: Origin, method: str, target: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> urllib3.BaseHTTPResponse:
        return self._pool(origin).urlopen(
            method,
            target,
            body=body or None,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=self._timeout,
            preload_content=False,
            decode_content=False,
        )

    def _pool(self, origin: Origin) -> urllib3.HTTPConnectionPool:
        """Return the connections to a server; the oldest of other servers are closed where there are many."""
        if (connections := self._pools.get(origin)) is not None:
            return connections
        # Reading the secret may take its time: close() must not wait for it.
        proxy = self._network.proxy_for(str(origin))
        with self._pooling:
            if origin not in self._pools:
                if len(self._pools) >= ORIGINS_MOST:
                    self._pools.pop(next(iter(self._pools))).close()
                host, size = (origin.scheme, origin.host, origin.port), self._connections
                self._pools[origin] = pool(*host, self._sockets, self._trust, size, proxy)
            return self._pools[origin]


class Response:
    """Hold one response whose body is not read yet. A body that is not read to its end ends its connection.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, transport: Transport, raw: urllib3.BaseHTTPResponse, origin: Origin) -> None:
        self._transport = transport
        self._raw = raw
        self._origin = origin
        self._end: Callable[[], None] | None = None
        self.status = raw.status

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Return the values by lower-case name."""
        # merged: Cyrus lists its features in several DAV headers (RFC 9110, 5.3)
        return {name.lower(): value for name, value in self._raw.headers.itermerged()}

    @property
    def raw(self) -> urllib3.BaseHTTPResponse:
        """Return the response of urllib3, for a library that needs one."""
        return self._raw

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def ok(self) -> bool:
        """Return True for a 2xx status."""
        return 200 <= self.status < 300

    @property
    def has_end(self) -> bool:
        """Return True if the answer says itself where it ends; see `states_end`."""
        return states_end(self.headers)

    def chunks(self, *, decode: bool = False) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Args:
            decode: True to undo its compression, for an answer for which that was offered.

        Raises:
            Transient: the connection broke, the answer took too long, or the transport was closed. A busy
                server's delay is in it, although the rest of its answer is lost.
        """
        try:
            yield from self._transport.read(self._raw, self._origin, decode=decode)
        except Transient as error:
            if not self.ok and error.after is None:
                error.after = delay(self.headers.get("retry-after"))
            raise

    def read(self, most: int, beyond: MigrationError, *, decode: bool = False) -> bytes:
        """Return the whole body.

        Args:
            most: the most bytes.
            beyond: the error for a longer body.
            decode: as in `chunks`.

        Raises:
            MigrationError: `beyond`, and as in `chunks`.
        """
        parts, held = [], 0
        for chunk in self.chunks(decode=decode):
            held += len(chunk)
            if held > most:
                raise beyond
            parts.append(chunk)
        return b"".join(parts)

    def retire(self) -> None:
        """End the connection with this response, also if its body is read to its end."""
        if (connection := self._raw.connection) is not None:
            self._end = connection.close
            self._raw._connection = None  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the response. A body read to its end has given its connection back already."""
        with contextlib.suppress(*FAULTS):
            self._raw.close()
            if self._end is not None:
                self._end()


def _coding(raw: urllib3.BaseHTTPResponse) -> str:
    """Return how a body is compressed; "" where an error's body is compressed in another way than offered."""
    coding = raw.headers.get("content-encoding", "").strip().lower()
    return coding if coding in CODINGS or 200 <= raw.status < 300 else ""


def states_end(headers: Mapping[str, str]) -> bool:
    """Return True if an answer says where it ends; any other looks whole wherever it breaks off.

    Args:
        headers: values by lower-case name.

    Source:
        RFC 9112, section 8.
    """
    stated = headers.get("content-length", "")[:1].isdigit()
    coded = "gzip" in headers.get("content-encoding", "").lower()
    return stated or coded or "chunked" in headers.get("transfer-encoding", "").lower()


def target_of(url: str) -> str:
    """Return the path and the query of a URL, as a request names them."""
    rest = url.partition("://")[2].partition("#")[0]
    start = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    target = rest[start:]
    return target if target.startswith("/") else f"/{target}"


def _size(body: bytes | BinaryIO) -> int:
    """Return the number of bytes to send; 0 where it is unknown."""
    if isinstance(body, bytes):
        return len(body)
    if not body.seekable():
        return 0
    position = body.tell()
    size = body.seek(0, io.SEEK_END)
    body.seek(position)
    return size - position
