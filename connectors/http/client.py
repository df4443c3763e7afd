"""One conversation with one DAV server for one account: requests, answers, and waiting.

Nothing is followed, retried or decoded here: a redirect is an answer like any other, an answer that is
compressed although nobody asked for it is garbage, and credentials go to one origin only.
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
"""Some servers answer these without a look at the login: their success proves none."""
ASKED_AGAIN = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before an application's refused secret is sent once more."""
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
"""Pauses for faults that waiting seldom cures."""
_FAULTS = (urllib3.exceptions.HTTPError, OSError, ValueError)


class Endpoint(HttpLogin, Protocol):
    """Which server, and how long to wait for it: what settings say of it."""

    @property
    def url(self) -> str: ...

    @property
    def tls(self) -> Tls: ...

    @property
    def network(self) -> Network: ...

    @property
    def timeout_seconds(self) -> float: ...

    @property
    def patience_seconds(self) -> float: ...

    @property
    def connections(self) -> int: ...

    @property
    def user_agent(self) -> str | None: ...


class RequestHabits(Protocol):
    """What a product's profile says of requests to it."""

    @property
    def writers(self) -> int: ...

    @property
    def user_agent(self) -> str: ...


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """headers: by lower-case name. body: whole, at most SMALL bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def words(self) -> ServerWords:
        """What the server says of its refusal."""
        return NOTHING if self.ok else of_body(self.body)

    def error(self) -> MigrationError:
        return status_error(self.status, self.headers.get("retry-after")).said(self.words)


class HttpClient:
    """Safe from several threads, close() included. answer_seconds: see connectors.http.deadline.Deadline."""

    def __init__(
        self,
        settings: Endpoint,
        account: Account,
        profile: RequestHabits,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._settings = settings
        self._answer_seconds = answer_seconds
        self._sockets = Sockets()
        self._refused: Blocked | Transient | None = None
        self._refusing = threading.Lock()
        self._heard = NOTHING
        self.origin = Origin.of(settings.url)
        self._credentials = Credentials(settings, account, str(self.origin))
        self.writers = min(profile.writers, settings.connections)
        self._agent = settings.user_agent or profile.user_agent
        here, trust = self.origin, settings.tls.context("dav")
        proxy = settings.network.proxy_for(str(here))
        self._pool = pool(here.scheme, here.host, here.port, self._sockets, trust, self.writers + 2, proxy)

    def close(self) -> None:
        self._sockets.shut()
        self._pool.close()

    def wait(self, seconds: float) -> None:
        """Sleeps; raises as soon as the target is closed."""
        if self._sockets.closed.wait(seconds):
            raise closed()

    def patience(self) -> RetryPolicy:
        return RetryPolicy(self._settings.patience_seconds, self.wait, PAUSES)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """attempt's result; it must change nothing, for it is repeated while faults may pass."""
        patience = self.patience()
        while True:
            try:
                return attempt()
            except Transient as error:
                patience.pause(error)

    def look(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpAnswer:
        """ask, for what changes nothing: busy answers and cut connections are waited out."""
        return self.patiently(lambda: passing(self.ask(method, path, headers, body)))

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO = b"",
    ) -> HttpAnswer:
        """One attempt. Raises Transient for a broken connection (what was asked may have happened), Blocked
        for a refused login; every other status is an answer."""
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
        """ask, with the body in chunks; what is not read of it is dropped with its connection."""
        response = self._opened(method, path, headers or {}, body)
        try:
            # merged: Cyrus says what it offers in several DAV headers (RFC 9110, 5.3)
            named = {name.lower(): value for name, value in response.headers.itermerged()}
            yield HttpAnswer(response.status, named), self._chunks(response)
        finally:
            # a body read to its end has given its connection back already
            response.close()

    # -- internals

    def _opened(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> urllib3.BaseHTTPResponse:
        if self._refused is not None:
            raise self._refused
        LOGINS.refuse_doubtful(self._credentials.login)
        response, challenge = self._tried(method, path, headers, body)
        if response is None and self._credentials.renewed(*challenge):
            response, challenge = self._tried_again(method, path, headers, body)
        waits = iter(ASKED_AGAIN if self._credentials.of_application else ())
        while response is None and (seconds := next(waits, None)) is not None:
            self.wait(seconds)
            response, challenge = self._tried_again(method, path, headers, body)
        if response is None:
            raise self._final()
        if response.status in range(200, 300) and method not in ANSWERED_TO_ALL:
            LOGINS.accepted(self._credentials.login)
        return response

    def _tried(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> tuple[urllib3.BaseHTTPResponse | None, tuple[Mapping[str, str], str]]:
        """The response; None when the login is refused: then what was refused, and with which challenge."""
        identity = self._credentials.headers(method, path)
        response = self._sent(method, path, {**headers, **identity}, body)
        if response.status != 401:
            return response, (identity, "")
        challenge = response.headers.get("www-authenticate", "")
        self._heard = self._said(response)
        response.close()
        return None, (identity, challenge)

    def _tried_again(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> tuple[urllib3.BaseHTTPResponse | None, tuple[Mapping[str, str], str]]:
        if not isinstance(body, bytes):
            raise Transient("connection-cut", "the login was refused while a body was sent")
        return self._tried(method, path, headers, body)

    def _final(self) -> Blocked | Transient:
        """What the refusal means. It is counted once, and nothing more is sent: a refused password that is
        repeated locks the account or everybody out."""
        with self._refusing:
            if self._refused is None:
                error = Blocked("login-refused", "the server refuses the login; it was not tried again")
                self._refused = LOGINS.refused(self._credentials.login, error.said(self._heard))
            return self._refused

    def _sent(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> urllib3.BaseHTTPResponse:
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
        deadline = Deadline(self._sockets.cut, self._answer_seconds)
        try:
            yield from deadline.paced(response.stream(CHUNK, decode_content=False))
        except _FAULTS as error:
            raise self._network(error) from None
        # an answer that ends with its connection looks whole when we have cut it ourselves
        if self._sockets.closed.is_set():
            raise closed()

    def _said(self, response: urllib3.BaseHTTPResponse) -> ServerWords:
        """What a refused login is told; nothing where the answer breaks off."""
        connection = response.connection
        # Read to its end, it would give its connection back; another try has to come over a new one.
        response._connection = None  # type: ignore[attr-defined]
        found = with_words(HttpAnswer(response.status, {}), self._chunks(response))
        if connection is not None:
            connection.close()
        return found.words

    def _network(self, error: Exception) -> MigrationError:
        return closed() if self._sockets.closed.is_set() else network_error(error, str(self.origin))


def _size(body: bytes | BinaryIO) -> int:
    """Bytes to be sent; 0 where that cannot be told before."""
    if isinstance(body, bytes):
        return len(body)
    if not body.seekable():
        return 0
    here = body.tell()
    size = body.seek(0, io.SEEK_END)
    body.seek(here)
    return size - here


def with_words(head: HttpAnswer, chunks: Iterator[bytes]) -> HttpAnswer:
    """head with the beginning of its body, where a server says why it refuses; with less where that breaks
    off."""
    body = b""
    with suppress(MigrationError):
        for chunk in chunks:
            body += chunk
            if len(body) >= READ_MOST:
                break
    return replace(head, body=body)


def passing(answer: HttpAnswer) -> HttpAnswer:
    """answer, unless waiting may change it: then its error is raised."""
    # a captive portal or a maintenance page; that an empty answer is called HTML is PHP's doing
    if answer.ok and answer.body and "html" in answer.headers.get("content-type", "").lower():
        raise Transient("not-dav", "something answered that is no DAV server")
    error = answer.error() if not answer.ok else None
    if isinstance(error, Transient):
        raise error
    return answer
