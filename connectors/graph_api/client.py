"""One conversation with Microsoft Graph about one mailbox: HTTP, tokens, and waiting.

Everything asked here only reads, so every request may be repeated. One thread at a time, except for close().
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
from connectors.retry import RetryPolicy
from connectors.settings import Account
from connectors.sockets import Sockets
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
"""For faults that waiting seldom cures."""
_PLAIN = "$,()'=/:;"
TALKATIVE = ("httpx", "httpcore", "hpack", "h2", "msal")
"""Libraries that would log addresses, and when debugging also tokens."""


def query(**options: str | int) -> str:
    """A query string. select, top and the like become $select, $top; "_" at the end keeps a plain name."""
    named = ((name[:-1] if name.endswith("_") else f"${name}", str(value)) for name, value in options.items())
    return "&".join(f"{name}={quote(value, safe=_PLAIN)}" for name, value in named)


def segment(id_: str) -> str:
    """An id as a part of a path."""
    return quote(id_, safe="")


OPENED = frozenset(
    f"{part}.{what}.complete" for part in ("connection", "proxy") for what in ("connect_tcp", "start_tls")
)
"""What httpcore calls it when a socket is there, or TLS on it."""


class GraphClient:
    """Sends requests and reads answers. close() may be called from any thread.

    transport: in place of the network."""

    def __init__(
        self,
        settings: GraphSettings,
        account: Account,
        spool: Path,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
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
        self._lost_graph = False

    @property
    def home(self) -> str:
        """The path of this user."""
        return f"/users/{segment(self.user)}"

    def patience(self) -> RetryPolicy:
        return RetryPolicy(self.settings.patience_seconds, self.wait, PAUSES)

    def wait(self, seconds: float) -> None:
        """Sleeps; raises Transient("source-closed") as soon as the source is closed."""
        if self._sockets.closed.wait(seconds):
            raise _closed()

    def sink(self) -> BodySink:
        """A place for one body."""
        return BodySink(self.spool, self.settings.spool_above)

    def close(self) -> None:
        self._sockets.shut()
        self._client.close()

    def roles(self) -> frozenset[str]:
        """The permissions that the application's token states."""
        return self.patiently(self._login.roles)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """attempt's result; busy answers and cut connections are waited out.

        Raises Refusal for an answer that is an error; Transient when patience is over; Blocked."""
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
        """Waits error out. Something that is no Graph is Transient the first time patience ends, Blocked the
        second time."""
        try:
            patience.pause(error)
        except Transient as final:
            if final.code != "not-graph":
                raise
            if self._lost_graph:
                raise Blocked("not-graph", "graph_url does not lead to Microsoft Graph") from None
            self._lost_graph = True
            raise

    def get(self, path: str, options: str = "", prefer: str = "") -> Json:
        """What is at a path below graph_url, patiently. prefer: more than the immutable ids."""
        headers = {"Prefer": f"{PREFER}, {prefer}"} if prefer else {}
        return self.patiently(lambda: self.attempt("GET", path, options, headers))

    def rows(self, path: str, options: str = "", prefer: str = "") -> Iterator[Json]:
        """Every row of a collection, page by page."""
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
        """Returns when the server answers something simple, be it that this may not be read; raises Transient
        or Blocked otherwise. An outage must not be blamed on an item."""
        try:
            self.get(f"{self.home}/mailFolders/msgfolderroot", query(select="id"))
        except GraphRefusal as refused:
            error = translated(refused)
            if error.code not in {"access-denied", "folder-vanished"}:
                raise error from None

    def body(self, path: str, *, html: bool = False) -> Body:
        """The bytes at a path, spooled when large, patiently; raises as get does. html: they may be HTML; a
        page of some proxy otherwise."""
        return self.patiently(lambda: self.streamed(path, html=html))

    def streamed(self, path: str, *, html: bool = False) -> Body:
        """One attempt at body()."""
        sink = self.sink()
        with self.opened("GET", self.url(path), {}) as response:
            if not html and "html" in response.headers.get("content-type", "").lower():
                raise Transient("not-graph", "a page in place of what was asked for")
            for chunk in self.chunks(response):
                sink.write(chunk)
        found = sink.finish()
        assert found is not None  # noqa: S101 - only base64 can be damaged
        return found

    def attempt(
        self,
        method: str,
        path: str,
        options: str = "",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        requests: int = 1,
    ) -> Json:
        """One attempt: the JSON object of the answer. Raises Refusal, Transient or Blocked."""
        with self.opened(method, self.url(path, options), headers or {}, content, requests) as response:
            data = self._limited(response, JSON_MOST)
        try:
            found = json_answer.read(data)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Transient("not-graph", "an answer that is no JSON object")
        self._lost_graph = False
        return found

    def url(self, path: str, options: str = "") -> str:
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
        """A successful response, its body not read yet: one attempt. requests: what the server counts it as.
        bearer: False where a URL is its own permission, and an Authorization would be refused.

        Raises Refusal, Transient or Blocked."""
        with self._allowance.taken(requests, self.wait):
            response = self._sent(method, url, headers, content, bearer=bearer)
            try:
                yield response
            finally:
                self._quietly(response.close)

    def _sent(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, *, bearer: bool
    ) -> httpx.Response:
        if self._refused is not None:
            raise self._refused
        if bearer:
            LOGINS.refuse_doubtful(self._name)
        try:
            return self._answered(method, url, headers, content, bearer=bearer)
        except GraphRefusal as refused:
            if refused.status != 401 or not bearer:
                raise
            self.renew(refused.claims)
        try:
            return self._answered(method, url, headers, content, bearer=bearer)
        except GraphRefusal as refused:
            if refused.status == 401:
                error = Blocked("login-refused", "the server refuses the application's token")
                raise self._refusal(error.said(refused.said)) from None
            raise

    def renew(self, claims: str | None) -> None:
        """Gets a new token, after a 401. What refuses one is not asked again."""
        try:
            self._login.renew(claims)
        except Blocked as error:
            raise self._refusal(error) from None

    def _answered(
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
        """What it means that a login was refused; nothing more is asked by this source."""
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
        """Registers every socket as soon as it is open, and again when TLS is on it."""
        if event in OPENED:
            stream = info["return_value"]
            try:
                self._sockets.add(stream.get_extra_info("socket"))
            except OSError:
                stream.close()
                raise

    def chunks(self, response: httpx.Response) -> Iterator[bytes]:
        """The body, as it comes. Raises Transient."""
        deadline = Deadline(self._sockets.cut)
        try:
            yield from deadline.paced(response.iter_bytes())
        except (httpx.HTTPError, httpx.StreamError, OSError, RuntimeError) as error:
            raise self._fault(error) from None

    def _limited(self, response: httpx.Response, most: int) -> bytes:
        found = bytearray()
        for chunk in self.chunks(response):
            found += chunk
            if len(found) > most:
                raise Transient("not-graph", "an answer larger than any of Graph's")
        return bytes(found)

    def _post_form(self, url: str, headers: Mapping[str, str], content: bytes) -> httpx.Response:
        """For the token endpoint: the whole answer, whatever its status."""
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
    """The rows of one page."""
    rows = page.get("value")
    if not isinstance(rows, list):
        raise Transient("not-graph", "a collection without rows")
    return [row for row in rows if isinstance(row, dict)]


def rest_of(link: object) -> str:
    """The query of a link, by which a page is asked for again below its own path; "" for no link. The rest of
    a link names the mailbox, which a cursor must not."""
    return urlsplit(link).query if isinstance(link, str) else ""


class _Chosen(httpx.BaseTransport):
    """Directly or through the proxy, by host: Graph, its token endpoint and its downloads have several."""

    def __init__(self, network: Network, direct: httpx.BaseTransport, proxied: httpx.BaseTransport) -> None:
        self._network = network
        self._direct, self._proxied = direct, proxied

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxied = self._network.proxy_for(str(request.url)) is not None
        return (self._proxied if proxied else self._direct).handle_request(request)

    def close(self) -> None:
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
        # No netrc, no proxies or authorities from the environment: what is configured is what is used.
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
    """Without what describes how the body was coded: it is decoded."""
    return {k: v for k, v in headers.items() if k not in {"content-encoding", "content-length"}}


def _network(error: Exception, url: str) -> MigrationError:
    found = network_error(error, url)
    if found.code == "tls-failed":
        return found
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Transient("unreachable", "no connection to the server").found(found.local).about(found.detail)
    if isinstance(error, httpx.TimeoutException):
        return (
            Transient("timeout", "the server did not answer in time").found(found.local).about(found.detail)
        )
    return found


def _closed() -> MigrationError:
    """The error after close()."""
    return Transient("source-closed", "the connection was closed on purpose")
