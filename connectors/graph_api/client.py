"""Talk to Microsoft Graph about one mailbox: requests, tokens, and the limits of one application.

All requests only read, so every request may be repeated. One thread at a time, except for close().
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from connectors import json_answer
from connectors.accepted_logins import APPLICATION, LOGINS, login_of
from connectors.exchange.client import ExchangeClient
from connectors.exchange.token_request import form_sender
from connectors.graph_api.auth import GraphLogin
from connectors.graph_api.errors import GraphRefusal, refusal, translated
from connectors.graph_api.rate_limit import allowance
from connectors.graph_api.settings import GraphSettings
from connectors.http.content_coding import OFFERED
from connectors.http.transport import Response, Send
from connectors.retry import WrongServer
from connectors.settings import Account
from model.errors import Blocked, Transient
from model.protocols import Body

T = TypeVar("T")
Json = dict[str, Any]
JSON_MOST = 64_000_000
"""Bytes of one JSON answer. Twenty mails of 500 kB have 20 MB; a larger batch is asked for in parts."""
ERROR_MOST = 1_000_000
PAGES_MOST = 100_000  # of one collection
PREFER = 'IdType="ImmutableId"'
_PLAIN = "$,()'=/:;"


def query(**options: str | int) -> str:
    """Return a query string: select and top become $select and $top; a trailing "_" keeps a plain name."""
    pairs = ((name[:-1] if name.endswith("_") else f"${name}", str(value)) for name, value in options.items())
    return "&".join(f"{name}={quote(value, safe=_PLAIN)}" for name, value in pairs)


def segment(id_: str) -> str:
    """Return an id as a segment of a path."""
    return quote(id_, safe="")


class GraphClient(ExchangeClient[GraphSettings]):
    """Send requests and read answers. close() may be called from any thread."""

    def __init__(
        self,
        settings: GraphSettings,
        account: Account,
        spool: Path,
        send: Send | None = None,
    ) -> None:
        """Prepare the client; nothing is sent before the first request.

        Args:
            settings: the tenant and the application.
            account: the user or site to read.
            spool: the folder for spool files.
            send: replaces the network, for tests; None for the network.
        """
        wrong_server = WrongServer("not-graph", "graph_url does not lead to Microsoft Graph")
        super().__init__(settings, spool, wrong_server, send)
        self.user = account.login or account.address
        agent = f"NONISV|{settings.company}|Kogge/{_version()}"
        self._headers = {"User-Agent": agent, "Accept": "application/json", "Accept-Encoding": OFFERED}
        self._login = GraphLogin(settings, account, form_sender(self._transport, agent))
        self._allowance = allowance(
            (settings.graph_url, settings.client_id, self.user.lower()),
            settings.concurrent_requests,
            settings.requests_per_10_minutes,
        )
        self._name = login_of(settings.graph_url, settings.tenant, settings.client_id)

    @property
    def home(self) -> str:
        """Return the path of this user."""
        return f"/users/{segment(self.user)}"

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

        def passing() -> T:
            try:
                return attempt()
            except GraphRefusal as refused:
                error = translated(refused)
                if not isinstance(error, Transient) or refused.absent or refused.unconvertible:
                    raise
                raise error from None

        return self._repeated(passing)

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
        for page in self.row_pages(path, options, prefer):
            yield from page

    def row_pages(self, path: str, options: str = "", prefer: str = "") -> Iterator[list[Json]]:
        """Yield the rows of each page of a collection; see `rows`."""
        seen: set[str] = set()
        while True:
            page = self.get(path, options, prefer)
            yield listed(page)
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
            Transient: the connection broke, or nothing says where the answer ends, so that half a message
                would pass for one; "not-graph" for a page of HTML.
            Blocked: the login is refused, or the body cannot be spooled.
        """
        sink = self.sink()
        with self.opened("GET", self.url(path), {}) as response:
            if not html and "html" in response.headers.get("content-type", "").lower():
                raise Transient("not-graph", "a page in place of what was asked for")
            if not response.has_end:
                raise Transient("connection-cut", "nothing says where the answer ends")
            for chunk in response.chunks(decode=True):
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
            data = response.read(JSON_MOST, _too_large(), decode=True)
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
    ) -> Iterator[Response]:
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
        sending = self._send_authorized
        with (
            self._allowance.taken(requests, self.wait),
            sending(method, url, headers, content, bearer=bearer) as response,
        ):
            yield response

    def _send_authorized(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, *, bearer: bool
    ) -> Response:
        """Send a request; renew the token once after a 401."""
        self._refuse_again()
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
                raise self._refused_login(error.quoting(refused.said)) from None
            raise

    def renew(self, claims: str | None) -> None:
        """Get a new token after a 401; after a refusal no further one is requested.

        Raises:
            Blocked: "login-refused".
        """
        try:
            self._login.renew(claims)
        except Blocked as error:
            raise self._refused_login(error) from None

    def _send_once(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, *, bearer: bool
    ) -> Response:
        sent = {**self._headers, "Prefer": PREFER, "client-request-id": str(uuid.uuid4()), **headers}
        if bearer:
            sent["Authorization"] = f"Bearer {self._token()}"
        response = self._transport.send_to(method, url, sent, content or b"")
        if response.ok:
            if bearer:
                LOGINS.accepted(self._name)
            return response
        with response:
            body = response.read(ERROR_MOST, _too_large(), decode=True)
        raise refusal(response.status, response.headers, body)

    def _token(self) -> str:
        try:
            return self._login.token()
        except Blocked as error:
            raise self._refused_login(error) from None

    def _refused_login(self, error: Blocked) -> Blocked | Transient:
        return self._refusal(error, self._name, APPLICATION)


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


def _version() -> str:
    try:
        return version("kogge")
    except PackageNotFoundError:
        return "0"


def _too_large() -> Transient:
    return Transient("not-graph", "an answer larger than any of Graph's")
