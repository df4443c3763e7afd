"""Send requests of one account to one server, log in, and repeat what may be repeated.

It serves DAV, files and eXo, over `connectors.http.transport`. A redirect is an answer like any other, and an
answer that is compressed without being asked for is garbage. Credentials go to one origin only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol, TypeVar

from connectors.accepted_logins import LOGINS, UNCONFIRMED
from connectors.http.auth import Credentials, HttpLogin
from connectors.http.dav_errors import closed, status_error
from connectors.http.deadline import ANSWER_SECONDS
from connectors.http.errors import delay
from connectors.http.hrefs import Origin
from connectors.http.rate_limit import NO_BUDGET, RequestBudget
from connectors.http.transport import Response, Transport, TransportSettings, states_end
from connectors.retry import RetryPolicy, repeated
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Transient
from model.server_words import NOTHING, READ_MOST, ServerWords, of_body

T = TypeVar("T")
SMALL = 8_000_000  # bytes of an answer that is held in memory
ANSWERED_TO_ALL = frozenset({"OPTIONS", "GET", "HEAD"})
"""Methods that some servers answer without checking the login, so that a success proves nothing about it."""
TOO_MANY = 429
"""The status for a client whose requests are too many.

Source: RFC 6585, section 4.
"""
RETRY_AFTER = "retry-after"
ASKED_AGAIN = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds to wait before an application's refused secret is sent again."""
PAUSES = {
    "connection-closed": 0,
    UNCONFIRMED: 0,
    "unreachable": 3,
    "timeout": 2,
    "connection-cut": 6,
    "not-dav": 2,
    "not-http-api": 2,
    "reply-too-large": 1,
    "body-changed": 1,
}
"""The most retries, by error code, for faults that rarely pass by waiting."""


class Endpoint(HttpLogin, TransportSettings, Protocol):
    """Describe a server and how long to wait for it, as the settings state it."""

    @property
    def url(self) -> str:
        """Return the server's address."""
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
    def has_end(self) -> bool:
        """Return True if the answer says itself where it ends; see `connectors.http.transport.states_end`.

        An answer with status 204 has no body (RFC 9110, section 15.3.5).
        """
        return self.status == 204 or states_end(self.headers)

    @property
    def words(self) -> ServerWords:
        """Return the server's explanation of a refusal; nothing for a success."""
        return NOTHING if self.ok else of_body(self.body)

    def error(self) -> MigrationError:
        """Return the error for this status; see `connectors.http.dav_errors.status_error`."""
        return status_error(self.status, self.headers.get("retry-after")).quoting(self.words)


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
        budget: RequestBudget = NO_BUDGET,
    ) -> None:
        """Prepare the client; nothing is sent before the first request.

        Args:
            settings: the server and how long to wait for it.
            account: the account to log in as.
            profile: what the product's profile says about requests.
            answer_seconds: the time for one answer; see `connectors.http.deadline.Deadline`.
            check: returns an answer to `look`, or raises Transient where waiting may change it.
            budget: asked before each request; it keeps the server's rate limit.
        """
        self._budget = budget
        self._budget_waits = threading.local()
        self._check = check
        self._settings = settings
        self._refused: Blocked | Transient | None = None
        self._refusing = threading.Lock()
        self._refusal_words = NOTHING
        self.origin = Origin.of(settings.url)
        self._credentials = Credentials(settings, account, str(self.origin))
        self.writers = min(profile.writers, settings.connections)
        self.agent = settings.user_agent or profile.user_agent
        self._transport = Transport(settings, closed, self.writers + 2, answer_seconds)

    def close(self) -> None:
        """Close every socket; safe from any thread and more than once."""
        self._transport.close()

    def trouble(self) -> str | None:
        """Return the code of the fault that the call under way met; see `SupportsTrouble`."""
        return self._transport.trouble

    def wait(self, seconds: float) -> None:
        """Sleep; raise Transient("connection-closed") as soon as the target is closed."""
        self._transport.wait(seconds)

    def patience(self) -> RetryPolicy:
        """Return a new retry state."""
        return RetryPolicy(self._settings.patience_seconds, self.wait, PAUSES, clock=self._patience_clock)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`; repeat it while faults may pass.

        Args:
            attempt: one attempt; it must change nothing on the server, because it may be repeated.

        Raises:
            Transient: the retries are used up.
        """
        return repeated(attempt, self.patience().pause)

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
        with self._open(method, path, headers or {}, body) as response:
            endless = Transient("reply-too-large", "the server's answer has no end")
            return HttpAnswer(response.status, response.headers, response.read(SMALL, endless))

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
        with self._open(method, path, headers or {}, body) as response:
            yield HttpAnswer(response.status, response.headers), response.chunks()

    # -- internals

    def _open(self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO) -> Response:
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
        if response.ok and method not in ANSWERED_TO_ALL and self._credentials.in_requests:
            LOGINS.accepted(self._credentials.login)
        return response

    def _attempt(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO
    ) -> tuple[Response | None, tuple[Mapping[str, str], str]]:
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
    ) -> tuple[Response | None, tuple[Mapping[str, str], str]]:
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
                self._refused = LOGINS.refused(self._credentials.login, error.quoting(self._refusal_words))
            return self._refused

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | BinaryIO) -> Response:
        """Send one request and return the response when its head arrived."""
        sent = {"User-Agent": self.agent, "Accept-Encoding": "identity", **headers}
        self._budget.take(self._wait_for_budget)
        response = self._transport.send(self.origin, method, path, sent, body)
        if response.status == TOO_MANY and self._is_waited_for(response):
            response.headers = {
                name: value for name, value in response.headers.items() if name != RETRY_AFTER
            }
        return response

    def _wait_for_budget(self, seconds: float) -> None:
        """Sleep as `wait` does, and note how long: it is no fault, and uses no patience up."""
        began = time.monotonic()
        self.wait(seconds)
        self._budget_waits.seconds = self._budget_waited() + time.monotonic() - began

    def _budget_waited(self) -> float:
        """Return how many seconds this thread waited for the budget."""
        return float(getattr(self._budget_waits, "seconds", 0.0))

    def _patience_clock(self) -> float:
        """Return seconds by a clock that stands still while this thread waits for the budget."""
        return time.monotonic() - self._budget_waited()

    def _is_waited_for(self, response: Response) -> bool:
        """Tell the budget of a refusal; return True if it waits as long as the server asks."""
        try:
            return self._budget.refused(delay(response.headers.get(RETRY_AFTER)))
        except MigrationError:
            response.close()
            raise

    def _read_words(self, response: Response) -> ServerWords:
        """Return the server's explanation of a refused login; less where the answer breaks off."""
        response.retire()  # the next attempt needs a new connection
        return with_words(HttpAnswer(response.status, {}), response.chunks()).words


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
