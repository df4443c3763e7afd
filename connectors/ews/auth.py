"""Provide an authenticated HTTP session to one Exchange server, on our own sockets.

exchangelib authenticates with NTLM and Kerberos; Basic needs no library. The OAuth2 tokens of an application
come from `connectors.exchange.app_tokens`, because exchangelib supports no certificate. They are requested
over this session. Every socket is registered, so that close() can end a read that blocks another thread.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from exchangelib import Configuration, Credentials
from exchangelib.errors import InvalidEnumValue
from exchangelib.protocol import BaseProtocol
from exchangelib.transport import GSSAPI, NTLM
from requests.auth import HTTPBasicAuth
from spnego.exceptions import SpnegoError

from connectors.accepted_logins import login_of
from connectors.ews.settings import EwsSettings
from connectors.exchange.app_credential import Registration
from connectors.exchange.app_tokens import AppTokens
from connectors.http.deadline import Deadline
from connectors.http.errors import network_error
from connectors.http.sockets import Sockets, pool_classes
from connectors.settings import Account, Secret
from model.errors import Blocked, MigrationError, Misconfigured, Transient

CONNECT_SECONDS = 20.0
TOKEN_MOST = 1_000_000  # bytes of a token endpoint's reply


def _manager(sockets: Sockets, context: ssl.SSLContext) -> urllib3.PoolManager:
    manager = urllib3.PoolManager(num_pools=2, maxsize=2, ssl_context=context)
    manager.pool_classes_by_scheme = pool_classes(sockets)
    return manager


class _Adapter(requests.adapters.HTTPAdapter):
    """Use our connection pools, and trust only the authorities of our TLS context."""

    def __init__(self, sockets: Sockets, context: ssl.SSLContext) -> None:
        self._manager = _manager(sockets, context)
        self._sockets, self._context = sockets, context
        super().__init__(max_retries=0)

    def proxy_manager_for(self, proxy: str, **_: Any) -> urllib3.ProxyManager:
        """Return the pools for a proxy; see requests."""
        manager = urllib3.ProxyManager(proxy, num_pools=2, maxsize=2, ssl_context=self._context)
        manager.pool_classes_by_scheme = pool_classes(self._sockets)
        self.proxy_manager[proxy] = manager
        return manager

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        """Use our pools; see requests."""
        self.poolmanager = self._manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ARG002
        """Keep the operator's authorities; see requests."""
        # requests would add its own bundle of authorities to those that the operator chose.
        conn.cert_reqs = "CERT_REQUIRED"


class _SessionFactory(BaseProtocol):  # type: ignore[misc] # exchangelib is untyped
    """Run exchangelib's session factory on our sockets.

    exchangelib's own Protocol is not used, because it is cached for the life of the process.
    """

    def __init__(self, config: Configuration, session: requests.Session) -> None:
        super().__init__(config)
        self._ours = session

    def raw_session(self, *_: Any, **__: Any) -> requests.Session:
        """Return our session; see exchangelib."""
        return self._ours


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True)
class _Answer:
    """Hold what the token endpoint answered. It shows nothing of it."""

    status_code: int
    content: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class EwsLogin:
    """Make the session, once, and renew its token.

    The session keeps a password, and MSAL the secret of an application. The attribute `name` identifies the
    login (see `connectors.accepted_logins`); it is complete once the session exists.
    """

    def __init__(self, settings: EwsSettings, account: Account, sockets: Sockets) -> None:
        self._settings = settings
        self._account = account
        self._sockets = sockets
        self._session = _session(settings, sockets)
        self._tokens: AppTokens | None = None
        if settings.auth == "oauth2":
            self._tokens = AppTokens(_registration(settings, account), self._post_form)
        self._ready = False
        self.name = self._fingerprint("")

    def session(self) -> requests.Session:
        """Return the authenticated session; a token that ends within five minutes is renewed.

        Raises:
            Blocked: "login-refused".
            Misconfigured: a secret or a certificate cannot be read.
            Transient: "busy", "token-unreadable", or the token endpoint cannot be reached.
        """
        if self._tokens is not None:
            self._session.auth = _Bearer(self._tokens.token())
        elif not self._ready:
            self._authenticate()
            self._ready = True
        return self._session

    @property
    def renewable(self) -> bool:
        """Return True if the login uses a token that can be renewed."""
        return self._tokens is not None

    def renew(self) -> None:
        """Request a new token, which `session` uses from then on; a login without tokens stays as it is.

        Raises:
            Blocked, Misconfigured, Transient: as in `session`.
        """
        if self._tokens is not None:
            self._tokens.renew()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _authenticate(self) -> None:
        name = self._settings.username or self._account.login
        if self._settings.auth == "kerberos":
            self._by_exchangelib(GSSAPI, None)
            return
        password = self._secret(self._settings.password, "password")
        self.name = self._fingerprint(password)
        if self._settings.auth == "ntlm":
            self._by_exchangelib(NTLM, Credentials(username=name, password=password))
        else:
            # UTF-8, as browsers send it (RFC 7617, section 2.1); requests would fail beyond Latin-1.
            self._session.auth = HTTPBasicAuth(name.encode(), password.encode())

    def _fingerprint(self, secret: str) -> bytes:
        """Return the login's fingerprint. Tokens and tickets change, so they are left out."""
        settings = self._settings
        who = settings.client_id if settings.auth == "oauth2" else settings.username or self._account.login
        return login_of(settings.url, settings.auth, who or "", secret)

    def _by_exchangelib(self, kind: str, credentials: Credentials | None) -> None:
        try:
            config = Configuration(
                credentials=credentials, service_endpoint=self._settings.url, auth_type=kind
            )
        except InvalidEnumValue:
            where = self._settings.where("auth")
            raise Misconfigured(where, "kerberos needs the extra kogge[kerberos]") from None
        _SessionFactory(config, self._session).create_session()

    def _secret(self, secret: Secret | None, field: str) -> str:
        if secret is None:
            raise Misconfigured(self._settings.where(field), "is needed")
        return secret.read(self._account.login, self._account.address).get_secret_value()

    def _post_form(self, url: str, headers: Mapping[str, str], content: bytes) -> _Answer:
        """Send a form to the token endpoint; return the answer whatever its status.

        At most TOKEN_MOST bytes of the body are read. The session's own token stays out of the request.
        """
        if self._sockets.closed.is_set():
            raise closed_error()
        limit = self._settings.timeout_seconds
        try:
            with Deadline(self._sockets.cut).waiting():
                response = self._session.post(
                    url,
                    data=content,
                    headers=dict(headers),
                    auth=_no_auth,
                    timeout=(min(CONNECT_SECONDS, limit), limit),
                    allow_redirects=False,
                    stream=True,
                )
                body = response.raw.read(TOKEN_MOST, decode_content=True)
                response.close()
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            closed = self._sockets.closed.is_set()
            raise (closed_error() if closed else network_error(error, url)) from None
        return _Answer(response.status_code, body, response.headers)


def _registration(settings: EwsSettings, account: Account) -> Registration:
    return Registration(
        settings=settings,
        account=account,
        endpoint=settings.token_endpoint(),
        endpoint_field="token_url",
        client_id=settings.client_id or "",
        scope=settings.scope,
        client_secret=settings.client_secret,
        certificate_file=settings.certificate_file,
    )


def _session(settings: EwsSettings, sockets: Sockets) -> requests.Session:
    session = requests.Session()
    # No netrc, no proxies or authorities from the environment: only the configuration counts.
    session.trust_env = False
    for url in (settings.url, settings.token_endpoint()):
        if (proxy := settings.network.proxy_for(url)) is not None:
            session.proxies[f"https://{urlsplit(url).hostname}"] = proxy
    session.headers.update(
        {
            "Content-Type": "text/xml; charset=utf-8",
            "Accept": "text/xml",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": settings.user_agent,
        }
    )
    adapter = _Adapter(sockets, settings.tls.context("ews"))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep an expired token out of the request for a new one."""
    return request


_KERBEROS = ("requests_gssapi.", "gssapi.")  # an optional extra: its errors are recognized by their module


def handshake_error(error: Exception) -> Blocked | None:
    """Return the error when NTLM or Kerberos broke off on our side; None for any other exception."""
    if isinstance(error, requests.RequestException | OSError) and not _kerberos(error):
        return None
    if isinstance(error, SpnegoError | ValueError | LookupError):
        # spnego also raises its parser's errors for a malformed challenge.
        return Blocked("login-refused", "the server's NTLM answer cannot be used")
    if _kerberos(error):
        return Blocked("login-refused", "no usable Kerberos ticket for this server")
    return None


def _kerberos(error: Exception) -> bool:
    return f"{type(error).__module__}.".startswith(_KERBEROS)


def closed_error() -> MigrationError:
    """Return the error after close()."""
    return Transient("source-closed", "the connection was closed on purpose")
