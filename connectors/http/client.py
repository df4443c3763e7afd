"""Send requests of one account to one DAV server and read the answers.

This module follows no redirects and decodes nothing: a redirect is an answer like any other, and an answer
that is compressed without being asked for is garbage. Credentials go to one origin only.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol, TypeVar

import urllib3

from connectors.accepted_logins import LOGINS, UNCONFIRMED
from connectors.http.auth import Credentials, HttpLogin
from connectors.http.dav_errors import closed, status_error
from connectors.http.deadline import ANSWER_SECONDS, Deadline
from connectors.http.errors import network_error
from connectors.http.hrefs import Origin
from connectors.http.proxy import Network
from connectors.retry import RetryPolicy
from connectors.settings import Account, Tls
from connectors.sockets import Sockets, pool
from model.errors import Blocked, MigrationError, Transient
from model.server_words import NOTHING, READ_MOST, ServerWords, of_body

T = TypeVar("T")
CONNECT_SECONDS = 20.0
SMALL = 8_000_000  # bytes of an answer that is held in memory
CHUNK = 1 << 16
ANSWERED_TO_ALL = frozenset({"OPTIONS", "GET", "HEAD"})
"""Methods that some servers answer without checking the login, so that a success proves nothing about it."""
ASKED_AGAIN = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds to wait before an application's refused secret is sent again."""
PAUSES = {
    "connection-closed": 0,
    UNCONFIRMED: 0,
    "unreachable": 3,
    "timeout": 2,
    "connection-cut": 6,
    "not-dav": 2,
    "reply-too-large": 1,
    "body-changed": 1,
}
"""The most retries, by error code, for faults that rarely pass by waiting."""
_FAULTS = (urllib3.exceptions.HTTPError, OSError, ValueError)


class Endpoint(HttpLogin, Protocol):
    """Describe a server and how long to wait for it, as the settings state it."""

    @property
    def url(self) -> str:
        """Return the server's address."""
        ...

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

    @property
    def patience_seconds(self) -> float:
        """Return how long passing faults are retried, in seconds."""
        ...

    @property
    def connections(self) -> int:
        """Return the most connections."""
        ...

    @property
    def user_agent(self) -> str | None:
        """Return the User-Agent; None for the profile's."""
        ...


class RequestHabits(Protocol):
    """Describe what a product's profile says about requests to it."""

    @property
    def writers(self) -> int:
        """Return the most requests that may write at the same time."""
        ...

    @property
    def user_agent(self) -> str:
        """Return the User-Agent."""
        ...


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Hold one answer.

    Attributes:
        status: the HTTP status.
        headers: values by lower-case name.
        body: the whole body, at most SMALL bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Return True for a 2xx status."""
        return 200 <= self.status < 300

    @property
    def words(self) -> ServerWords:
        """Return the server's explanation of a refusal; nothing for a success."""
        return NOTHING if self.ok else of_body(self.body)

    def error(self) -> MigrationError:
        """Return the error for this status; see `connectors.http.dav_errors.status_error`."""
        return status_error(self.status, self.headers.get("retry-after")).said(self.words)


def passing(answer: HttpAnswer) -> HttpAnswer:
    """Return the answer, or raise its error when waiting may change it.

    Raises:
        Transient: "not-dav" for a page of HTML, and the transient errors of `status_error`.
    """
    # a captive portal or a maintenance page; PHP calls an empty answer HTML, too
    if answer.ok and answer.body and "html" in answer.headers.get("content-type", "").lower():
        raise Transient("not-dav", "something answered that is no DAV server")
    error = answer.error() if not answer.ok else None
    if isinstance(error, Transient):
        raise error
    return answer


class HttpClient:
    """Send requests to one server. Safe from several threads, close() included."""

    def __init__(
        self,
        settings: Endpoint,
        account: Account,
        profile: RequestHabits,
        answer_seconds: float = ANSWER_SECONDS,
        check: Callable[[HttpAnswer], HttpAnswer] = passing,
    ) -> None:
        """Prepare the client; nothing is sent before the first request.

        Args:
            settings: the server and how long to wait for it.
            account: the account to log in as.
            profile: what the product's profile says about requests.
            answer_seconds: the time for one answer; see `connectors.http.deadline.Deadline`.
            check: returns an answer to `look`, or raises Transient where waiting may change it.
        """
        self._check = check
        self._settings = settings
        self._answer_seconds = answer_seconds
        self._sockets = Sockets()
        self._refused: Blocked | Transient | None = None
        self._refusing = threading.Lock()
        self._refusal_words = NOTHING
        self.origin = Origin.of(settings.url)
        self._credentials = Credentials(settings, account, str(self.origin))
        self.writers = min(profile.writers, settings.connections)
        self._agent = settings.user_agent or profile.user_agent
        origin, trust = self.origin, settings.tls.context("dav")
        proxy = settings.network.proxy_for(str(origin))
        self._pool = pool(
            origin.scheme, origin.host, origin.port, self._sockets, trust, self.writers + 2, proxy
        )

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._sockets.shut()
        self._pool.close()

    def wait(self, seconds: float) -> None:
        """Sleep; raise Transient("connection-closed") as soon as the target is closed."""
        if self._sockets.closed.wait(seconds):
            raise closed()

    def patience(self) -> RetryPolicy:
        """Return a new retry state."""
        return RetryPolicy(self._settings.patience_seconds, self.wait, PAUSES)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`; repeat it while faults may pass.

        Args:
            attempt: one attempt; it must change nothing on the server, because it may be repeated.

        Raises:
            Transient: the retries are used up.
        """
        patience = self.patience()
        while True:
            try:
                return attempt()
            except Transient as error:
                patience.pause(error)

    def look(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """Send a request that changes nothing; wait out busy answers and cut connections.

        Args:
            method: the HTTP method.
            path: the canonical path.
            headers: further headers.
            body: the body.

        Raises:
            Transient: the retries are used up.
            Blocked: "login-refused".
        """
        return self.patiently(lambda: self._check(self.ask(method, path, headers, body)))

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO = b"",
    ) -> HttpAnswer:
        """Send one request, once, and return its answer whatever its status.

        Args:
            method: the HTTP method.
            path: the canonical path.
            headers: further headers.
            body: the body; a stream is read once.

        Raises:
            Transient: the connection broke; the request may have been carried out. Also "reply-too-large".
            Blocked: "login-refused".
        """
        with self.stream(method, path, headers, body) as (head, chunks):
            parts, held = [], 0
            for chunk in chunks:
                held += len(chunk)
                if held > SMALL:
                    raise Transient("reply-too-large", "the server's answer has no end")
                parts.append(chunk)
            return HttpAnswer(head.status, head.headers, b"".join(parts))

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO = b"",
    ) -> Iterator[tuple[HttpAnswer, Iterator[bytes]]]:
        """Send one request as `ask` does and give the answer's body in chunks.

        Args:
            method: the HTTP method.
            path: the canonical path.
            headers: further headers.
            body: the body; a stream is read once.

        Yields:
            The answer without its body, and the chunks. A body that is not read to its end is dropped with
            its connection.

        Raises:
            Transient: the connection broke; the request may have been carried out.
            Blocked: "login-refused".
        """
        response = self._open(method, path, headers or {}, body)
        try:
            # merged: Cyrus lists its features in several DAV headers (RFC 9110, 5.3)
            merged = {name.lower(): value for name, value in response.headers.itermerged()}
            yield HttpAnswer(response.status, merged), self._chunks(response)
        finally:
            # a body read to its end has given its connection back already
            response.close()

    # -- internals

    def _open(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> urllib3.BaseHTTPResponse:
        """Return the response; renew the credentials or wait after a refused login where that is safe."""
        if self._refused is not None:
            raise self._refused
        LOGINS.refuse_doubtful(self._credentials.login)
        response, challenge = self._attempt(method, path, headers, body)
        if response is None and self._credentials.renewed(*challenge):
            response, challenge = self._attempt_again(method, path, headers, body)
        waits = iter(ASKED_AGAIN if self._credentials.of_application else ())
        while response is None and (seconds := next(waits, None)) is not None:
            self.wait(seconds)
            response, challenge = self._attempt_again(method, path, headers, body)
        if response is None:
            raise self._refusal()
        if response.status in range(200, 300) and method not in ANSWERED_TO_ALL:
            LOGINS.accepted(self._credentials.login)
        return response

    def _attempt(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> tuple[urllib3.BaseHTTPResponse | None, tuple[Mapping[str, str], str]]:
        """Return the response; None when the login is refused, with the refused headers and the challenge."""
        identity = self._credentials.headers(method, path)
        response = self._send(method, path, {**headers, **identity}, body)
        if response.status != 401:
            return response, (identity, "")
        challenge = response.headers.get("www-authenticate", "")
        self._refusal_words = self._read_words(response)
        response.close()
        return None, (identity, challenge)

    def _attempt_again(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> tuple[urllib3.BaseHTTPResponse | None, tuple[Mapping[str, str], str]]:
        """Attempt once more, unless the body was a stream and is used up."""
        if not isinstance(body, bytes):
            raise Transient("connection-cut", "the login was refused while a body was sent")
        return self._attempt(method, path, headers, body)

    def _refusal(self) -> Blocked | Transient:
        """Return the error for a refused login. It is counted once, and no further request is sent.

        Repeating a refused password locks the account, or every user of this address.
        """
        with self._refusing:
            if self._refused is None:
                error = Blocked("login-refused", "the server refuses the login; it was not tried again")
                self._refused = LOGINS.refused(self._credentials.login, error.said(self._refusal_words))
            return self._refused

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and return the response when its head arrived."""
        if self._sockets.closed.is_set():
            raise closed()
        deadline = Deadline(self._sockets.cut, self._answer_seconds)
        deadline.moved(_size(body))
        timeout = urllib3.Timeout(
            connect=min(CONNECT_SECONDS, self._settings.timeout_seconds), read=self._settings.timeout_seconds
        )
        try:
            with deadline.waiting():
                return self._pool.urlopen(
                    method,
                    path,
                    body=body or None,
                    headers={"User-Agent": self._agent, "Accept-Encoding": "identity", **headers},
                    retries=False,
                    redirect=False,
                    timeout=timeout,
                    preload_content=False,
                    decode_content=False,
                )
        except _FAULTS as error:
            raise self._network(error) from None

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """Yield the body's chunks within the deadline."""
        deadline = Deadline(self._sockets.cut, self._answer_seconds)
        try:
            yield from deadline.paced(response.stream(CHUNK, decode_content=False))
        except _FAULTS as error:
            raise self._network(error) from None
        # an answer that ends with its connection looks whole when we have cut it ourselves
        if self._sockets.closed.is_set():
            raise closed()

    def _read_words(self, response: urllib3.BaseHTTPResponse) -> ServerWords:
        """Return the server's explanation of a refused login; less where the answer breaks off."""
        connection = response.connection
        # A body read to its end gives its connection back; the next attempt needs a new one.
        response._connection = None  # type: ignore[attr-defined]
        answer = with_words(HttpAnswer(response.status, {}), self._chunks(response))
        if connection is not None:
            connection.close()
        return answer.words

    def _network(self, error: Exception) -> MigrationError:
        return closed() if self._sockets.closed.is_set() else network_error(error, str(self.origin))


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


def with_words(head: HttpAnswer, chunks: Iterator[bytes]) -> HttpAnswer:
    """Return the answer with the beginning of its body, where a server explains a refusal.

    The body is shorter where the answer breaks off.

    Args:
        head: the answer without its body.
        chunks: the rest of its body.
    """
    body = b""
    with suppress(MigrationError):
        for chunk in chunks:
            body += chunk
            if len(body) >= READ_MOST:
                break
    return replace(head, body=body)
