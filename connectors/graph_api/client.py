"""Talk to Microsoft Graph about one mailbox: HTTP, tokens, and waiting.

All requests only read, so every request may be repeated. One thread at a time, except for close().
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from connectors import json_answer
from connectors.accepted_logins import APPLICATION, LOGINS, login_of
from connectors.graph_api.auth import GraphLogin
from connectors.graph_api.errors import GraphRefusal, refusal, translated
from connectors.graph_api.rate_limit import allowance
from connectors.graph_api.settings import GraphSettings
from connectors.http.base64_spool import BodySink
from connectors.http.deadline import Deadline
from connectors.http.errors import network_error
from connectors.http.proxy import Network
from connectors.http.sockets import Sockets
from connectors.retry import RetryPolicy, WrongServer
from connectors.settings import Account
from model.errors import Blocked, MigrationError, Transient
from model.protocols import Body

T = TypeVar("T")
Json = dict[str, Any]
CONNECT_SECONDS = 20.0
JSON_MOST = 200_000_000  # bytes of one JSON answer
ERROR_MOST = 1_000_000
PAGES_MOST = 100_000  # of one collection
PREFER = 'IdType="ImmutableId"'
PAUSES = {"source-closed": 0, "login-unconfirmed": 0, "not-graph": 2, "server-error": 4}
"""The most retries, by error code, for faults that rarely pass by waiting."""
_PLAIN = "$,()'=/:;"
TALKATIVE = ("httpx", "httpcore", "hpack", "h2")
"""Libraries that would log addresses, and in debug mode also tokens."""


def query(**options: str | int) -> str:
    """Return a query string: select and top become $select and $top; a trailing "_" keeps a plain name."""
    pairs = ((name[:-1] if name.endswith("_") else f"${name}", str(value)) for name, value in options.items())
    return "&".join(f"{name}={quote(value, safe=_PLAIN)}" for name, value in pairs)


def segment(id_: str) -> str:
    """Return an id as a segment of a path."""
    return quote(id_, safe="")


OPENED = frozenset(
    f"{part}.{what}.complete" for part in ("connection", "proxy") for what in ("connect_tcp", "start_tls")
)
"""httpcore's trace events for a socket that is open, or has TLS."""


class GraphClient:
    """Send requests and read answers. close() may be called from any thread."""

    def __init__(
        self,
        settings: GraphSettings,
        account: Account,
        spool: Path,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare the client; nothing is sent before the first request.

        Args:
            settings: the tenant and the application.
            account: the user or site to read.
            spool: the folder for spool files.
            transport: replaces the network, for tests; None for the network.
        """
        for name in TALKATIVE:
            logger = logging.getLogger(name)
            logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
        self.settings = settings
        self.user = account.login or account.address
        self.spool = spool
        self._sockets = Sockets()
        self._client = _client(settings, transport)
        self._login = GraphLogin(settings, account, self._post_form)
        self._allowance = allowance(
            (settings.graph_url, settings.client_id, self.user.lower()),
            settings.concurrent_requests,
            settings.requests_per_10_minutes,
        )
        self._refused: Blocked | Transient | None = None
        self._name = login_of(settings.graph_url, settings.tenant, settings.client_id)
        self._wrong_server = WrongServer("not-graph", "graph_url does not lead to Microsoft Graph")

    @property
    def home(self) -> str:
        """Return the path of this user."""
        return f"/users/{segment(self.user)}"

    def patience(self) -> RetryPolicy:
        """Return a new retry policy."""
        return RetryPolicy(self.settings.patience_seconds, self.wait, PAUSES)

    def wait(self, seconds: float) -> None:
        """Sleep; raise Transient("source-closed") as soon as the source is closed."""
        if self._sockets.closed.wait(seconds):
            raise _closed()

    def sink(self) -> BodySink:
        """Return a new sink for one body."""
        return BodySink(self.spool, self.settings.spool_above)

    def close(self) -> None:
        """End every request; safe from any thread and more than once."""
        self._sockets.shut()
        self._client.close()

    def roles(self) -> frozenset[str]:
        """Return the permissions that the application's token states."""
        return self.patiently(self._login.roles)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`; repeat it while faults may pass.

        Args:
            attempt: one attempt.

        Raises:
            GraphRefusal: the answer is an error that does not pass.
            Transient: the retries are used up.
            Blocked: the login is refused, or "not-graph".
        """
        patience = self.patience()
        while True:
            try:
                return attempt()
            except Transient as error:
                self.pause(patience, error)
            except GraphRefusal as refused:
                passing = translated(refused)
                if not isinstance(passing, Transient) or refused.absent or refused.unconvertible:
                    raise
                self.pause(patience, passing)

    def pause(self, patience: RetryPolicy, error: Transient) -> None:
        """Wait before the next attempt.

        Args:
            patience: the retry policy.
            error: the fault of the last attempt.

        Raises:
            Transient: the retries are used up.
            Blocked: "not-graph" when something that is not Graph answered until the retries were used up
                twice.
        """
        self._wrong_server.pause(patience, error)

    def get(self, path: str, options: str = "", prefer: str = "") -> Json:
        """Return the JSON object at a path, with retries.

        Args:
            path: the path below graph_url.
            options: the query.
            prefer: further preferences for the header Prefer.

        Raises:
            GraphRefusal, Transient, Blocked: as in `patiently`.
        """
        headers = {"Prefer": f"{PREFER}, {prefer}"} if prefer else {}
        return self.patiently(lambda: self.attempt("GET", path, options, headers))

    def rows(self, path: str, options: str = "", prefer: str = "") -> Iterator[Json]:
        """Yield every row of a collection, page by page.

        Args:
            path: the path below graph_url.
            options: the query.
            prefer: further preferences for the header Prefer.

        Raises:
            GraphRefusal, Blocked: as in `patiently`.
            Transient: "sync-stuck" when a page repeats; the retries are used up.
        """
        seen: set[str] = set()
        while True:
            page = self.get(path, options, prefer)
            yield from listed(page)
            following = rest_of(page.get("@odata.nextLink"))
            if not following:
                return
            if following in seen or len(seen) > PAGES_MOST:
                raise Transient("sync-stuck", "the server names a page that it gave already")
            seen.add(following)
            options = following

    def probe(self) -> None:
        """Check that the server answers a simple request, so that no item is blamed for an outage.

        A refusal to read counts as an answer.

        Raises:
            Transient, Blocked: the server does not answer.
        """
        try:
            self.get(f"{self.home}/mailFolders/msgfolderroot", query(select="id"))
        except GraphRefusal as refused:
            error = translated(refused)
            if error.code not in {"access-denied", "folder-vanished"}:
                raise error from None

    def body(self, path: str, *, html: bool = False) -> Body:
        """Return the bytes at a path, spooled when large, with retries.

        Args:
            path: the path below graph_url.
            html: True if the bytes may be HTML; otherwise HTML is a page of a proxy.

        Raises:
            GraphRefusal, Transient, Blocked: as in `patiently`.
        """
        return self.patiently(lambda: self.streamed(path, html=html))

    def streamed(self, path: str, *, html: bool = False) -> Body:
        """Return the bytes at a path in one attempt; see `body`.

        Args:
            path: the path below graph_url.
            html: True if the bytes may be HTML.

        Raises:
            GraphRefusal: the answer is an error.
            Transient: the connection broke, or "not-graph" for a page of HTML.
            Blocked: the login is refused, or the body cannot be spooled.
        """
        sink = self.sink()
        with self.opened("GET", self.url(path), {}) as response:
            if not html and "html" in response.headers.get("content-type", "").lower():
                raise Transient("not-graph", "a page in place of what was asked for")
            for chunk in self.chunks(response):
                sink.write(chunk)
        body = sink.finish()
        assert body is not None  # noqa: S101 - only base64 can be damaged
        return body

    def attempt(
        self,
        method: str,
        path: str,
        options: str = "",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        requests: int = 1,
    ) -> Json:
        """Send one request, once, and return the JSON object of its answer.

        Args:
            method: the HTTP method.
            path: the path below graph_url.
            options: the query.
            headers: further headers.
            content: the body; None for none.
            requests: how many requests the server counts it as.

        Raises:
            GraphRefusal: the answer is an error.
            Transient: the connection broke, or "not-graph".
            Blocked: the login is refused.
        """
        with self.opened(method, self.url(path, options), headers or {}, content, requests) as response:
            data = self._limited(response, JSON_MOST)
        try:
            answer = json_answer.read(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Transient("not-graph", "an answer that is no JSON object")
        self._wrong_server.answered()
        return answer

    def url(self, path: str, options: str = "") -> str:
        """Return the URL of a path below graph_url."""
        return f"{self.settings.graph_url}{path}{'?' if options else ''}{options}"

    @contextmanager
    def opened(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        requests: int = 1,
        *,
        bearer: bool = True,
    ) -> Iterator[httpx.Response]:
        """Send one request, once, and give its successful response with an unread body.

        Args:
            method: the HTTP method.
            url: the URL.
            headers: further headers.
            content: the body; None for none.
            requests: how many requests the server counts it as.
            bearer: False where the URL is its own permission, so that an Authorization header would be
                refused.

        Raises:
            GraphRefusal: the answer is an error.
            Transient: the connection broke.
            Blocked: the login is refused.
        """
        with self._allowance.taken(requests, self.wait):
            response = self._send_authorized(method, url, headers, content, bearer=bearer)
            try:
                yield response
            finally:
                self._quietly(response.close)

    def _send_authorized(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, *, bearer: bool
    ) -> httpx.Response:
        """Send a request; renew the token once after a 401."""
        if self._refused is not None:
            raise self._refused
        if bearer:
            LOGINS.refuse_doubtful(self._name)
        try:
            return self._send_once(method, url, headers, content, bearer=bearer)
        except GraphRefusal as refused:
            if refused.status != 401 or not bearer:
                raise
            self.renew(refused.claims)
        try:
            return self._send_once(method, url, headers, content, bearer=bearer)
        except GraphRefusal as refused:
            if refused.status == 401:
                error = Blocked("login-refused", "the server refuses the application's token")
                raise self._refusal(error.said(refused.said)) from None
            raise

    def renew(self, claims: str | None) -> None:
        """Get a new token after a 401; after a refusal no further one is requested.

        Raises:
            Blocked: "login-refused".
        """
        try:
            self._login.renew(claims)
        except Blocked as error:
            raise self._refusal(error) from None

    def _send_once(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, *, bearer: bool
    ) -> httpx.Response:
        sent = {"Prefer": PREFER, "client-request-id": str(uuid.uuid4()), **headers}
        if bearer:
            sent["Authorization"] = f"Bearer {self._token()}"
        response = self._send(method, url, sent, content)
        if response.is_success:
            if bearer:
                LOGINS.accepted(self._name)
            return response
        try:
            body = self._limited(response, ERROR_MOST)
        finally:
            self._quietly(response.close)
        raise refusal(response.status_code, response.headers, body)

    def _token(self) -> str:
        try:
            return self._login.token()
        except Blocked as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Blocked) -> Blocked | Transient:
        """Remember a refused login: this source sends no further requests."""
        self._refused = LOGINS.refused(self._name, error, APPLICATION)
        return self._refused

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> httpx.Response:
        if self._sockets.closed.is_set():
            raise _closed()
        try:
            request = self._client.build_request(
                method, url, headers=dict(headers), content=content, extensions={"trace": self._trace}
            )
            deadline = Deadline(self._sockets.cut)
            deadline.moved(len(content or b""))
            with deadline.waiting():
                return self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
            raise self._fault(error) from None

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Register every socket as soon as it is open, and again when it has TLS."""
        if event in OPENED:
            stream = info["return_value"]
            try:
                self._sockets.add(stream.get_extra_info("socket"))
            except OSError:
                stream.close()
                raise

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            Transient: the connection broke, or the answer took too long.
        """
        deadline = Deadline(self._sockets.cut)
        try:
            yield from deadline.paced(response.iter_bytes())
        except (httpx.HTTPError, httpx.StreamError, OSError, RuntimeError) as error:
            raise self._fault(error) from None

    def _limited(self, response: httpx.Response, most: int) -> bytes:
        """Return the whole body; raise Transient("not-graph") when it is too large."""
        data = bytearray()
        for chunk in self.chunks(response):
            data += chunk
            if len(data) > most:
                raise Transient("not-graph", "an answer larger than any of Graph's")
        return bytes(data)

    def _post_form(self, url: str, headers: Mapping[str, str], content: bytes) -> httpx.Response:
        """Send a form to the token endpoint; return the whole answer whatever its status."""
        response = self._send("POST", url, headers, content)
        try:
            body = self._limited(response, ERROR_MOST)
        finally:
            self._quietly(response.close)
        return httpx.Response(response.status_code, headers=_plain(response.headers), content=body)

    def _quietly(self, close: Callable[[], None]) -> None:
        try:
            close()
        except (httpx.HTTPError, OSError, RuntimeError):
            return

    def _fault(self, error: Exception) -> MigrationError:
        return _closed() if self._sockets.closed.is_set() else _network(error, self.settings.graph_url)


def listed(page: Json) -> list[Json]:
    """Return the rows of one page.

    Raises:
        Transient: "not-graph" for a page without rows.
    """
    rows = page.get("value")
    if not isinstance(rows, list):
        raise Transient("not-graph", "a collection without rows")
    return [row for row in rows if isinstance(row, dict)]


def rest_of(link: object) -> str:
    """Return the query of a link, with which a page is requested below its own path; "" for no link.

    The rest of a link names the mailbox, which a cursor must not contain.
    """
    return urlsplit(link).query if isinstance(link, str) else ""


class _Chosen(httpx.BaseTransport):
    """Connect directly or through the proxy, by host.

    Graph, its token endpoint and its downloads have several hosts.
    """

    def __init__(self, network: Network, direct: httpx.BaseTransport, proxied: httpx.BaseTransport) -> None:
        self._network = network
        self._direct, self._proxied = direct, proxied

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; see httpx."""
        proxied = self._network.proxy_for(str(request.url)) is not None
        return (self._proxied if proxied else self._direct).handle_request(request)

    def close(self) -> None:
        """Close both transports."""
        self._direct.close()
        self._proxied.close()


def _client(settings: GraphSettings, transport: httpx.BaseTransport | None) -> httpx.Client:
    most = settings.timeout_seconds
    if transport is None:
        limits = httpx.Limits(max_connections=4, max_keepalive_connections=4, keepalive_expiry=60)
        trust = settings.tls.context("graph")
        direct = httpx.HTTPTransport(verify=trust, http2=True, trust_env=False, limits=limits)
        proxied = httpx.HTTPTransport(
            verify=trust, http2=True, trust_env=False, limits=limits, proxy=settings.network.proxy
        )
        transport = _Chosen(settings.network, direct, proxied)
    return httpx.Client(
        transport=transport,
        timeout=httpx.Timeout(most, connect=min(CONNECT_SECONDS, most)),
        # No netrc, no proxies or authorities from the environment: only the configuration counts.
        trust_env=False,
        follow_redirects=False,
        headers={
            "User-Agent": f"NONISV|{settings.company}|Kogge/{_version()}",
            "Accept": "application/json",
        },
    )


def _version() -> str:
    try:
        return version("kogge")
    except PackageNotFoundError:
        return "0"


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """Return headers without those about the coding of the body, because the body is decoded."""
    return {k: v for k, v in headers.items() if k not in {"content-encoding", "content-length"}}


def _network(error: Exception, url: str) -> MigrationError:
    """Return the error for an exception of httpx."""
    failure = network_error(error, url)
    if failure.code == "tls-failed":
        return failure
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return (
            Transient("unreachable", "no connection to the server")
            .with_local_cause(failure.local)
            .about(failure.detail)
        )
    if isinstance(error, httpx.TimeoutException):
        return (
            Transient("timeout", "the server did not answer in time")
            .with_local_cause(failure.local)
            .about(failure.detail)
        )
    return failure


def _closed() -> MigrationError:
    """Return the error after close()."""
    return Transient("source-closed", "the connection was closed on purpose")
