"""Log in to one Exchange server, and send requests to it, over our own connections.

exchangelib authenticates with NTLM and Kerberos (connectors.ews.handshakes), and is loaded for them alone;
Basic needs no library. The OAuth2 tokens of an application come from `connectors.exchange.app_tokens`,
because exchangelib supports no certificate. The handshakes of NTLM and Kerberos are written for a session of
requests. Therefore there is one, with the cookies by which Exchange finds its back end again; but it opens no
connection: `connectors.http.transport` sends what it prepared.
"""

from __future__ import annotations

from typing import Any

import requests
from requests.auth import HTTPBasicAuth

from connectors.accepted_logins import login_of
from connectors.ews.settings import EwsSettings
from connectors.exchange.app_credential import Registration
from connectors.exchange.app_tokens import AppTokens
from connectors.exchange.token_request import form_sender
from connectors.http.content_coding import OFFERED
from connectors.http.hrefs import Origin
from connectors.http.transport import FAULTS, Response, Transport
from connectors.settings import Account, Secret
from model.errors import Blocked, Misconfigured

_FAULTS = (*FAULTS, requests.RequestException, LookupError)
"""LookupError, as ValueError: a malformed NTLM challenge."""


class _Adapter(requests.adapters.HTTPAdapter):
    """Send what requests prepared over our transport, which alone knows TLS, proxies and time limits."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        super().__init__(max_retries=0)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Send one request; see requests.

        Raises:
            Transient, Blocked: as in `connectors.http.transport.Transport.send`.
        """
        body = request.body or b""
        sent = self._transport.send(
            Origin.of(request.url or ""),
            request.method or "",
            request.path_url,
            request.headers,
            body if isinstance(body, bytes) else body.encode(),
        )
        return self.build_response(request, sent.raw)


class _Session(requests.Session):
    """Leave redirects alone: requests would read where one leads, and fail, although none is followed."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: no answer is a redirect."""


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class EwsLogin:
    """Log in, renew the token, and send requests.

    The session of requests keeps a password, and MSAL the secret of an application. The attribute `name`
    identifies the login (see `connectors.accepted_logins`); it is complete once `prepare` was called.
    """

    def __init__(self, settings: EwsSettings, account: Account, transport: Transport) -> None:
        self._settings = settings
        self._account = account
        self._transport = transport
        self._origin = Origin.of(settings.url)
        self._session = _session(settings, transport)
        self._tokens: AppTokens | None = None
        if settings.auth == "oauth2":
            post = form_sender(transport, settings.user_agent)
            self._tokens = AppTokens(_registration(settings, account), post)
        self._ready = False
        self._faults: tuple[type[Exception], ...] = _FAULTS
        self.name = self._fingerprint("")

    def prepare(self) -> None:
        """Read the secret, or get a token; one that ends within five minutes is renewed.

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

    def post(self, envelope: bytes) -> Response:
        """Send one SOAP request, once, with its handshake where the login has one.

        Args:
            envelope: the XML.

        Raises:
            Blocked: "login-refused" where a handshake broke off on our side; "tls-failed".
            Transient: the connection broke.
        """
        try:
            answer = self._transport.within(lambda: self._requested(envelope))
        except self._faults as error:
            raise handshake_error(error) or self._transport.fault(error, self._origin) from None
        return self._transport.response(answer.raw, self._origin)

    def _requested(self, envelope: bytes) -> requests.Response:
        return self._session.post(self._settings.url, data=envelope, allow_redirects=False, stream=True)

    @property
    def renewable(self) -> bool:
        """Return True if the login uses a token that can be renewed."""
        return self._tokens is not None

    def renew(self) -> None:
        """Request a new token, which `prepare` takes from then on; a login without tokens stays as it is.

        Raises:
            Blocked, Misconfigured, Transient: as in `prepare`.
        """
        if self._tokens is not None:
            self._tokens.renew()

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _authenticate(self) -> None:
        name = self._settings.username or self._account.login
        if self._settings.auth == "kerberos":
            self._shake_hands()
            return
        password = self._secret(self._settings.password, "password")
        self.name = self._fingerprint(password)
        if self._settings.auth == "ntlm":
            self._shake_hands(name, password)
        else:
            # UTF-8, as browsers send it (RFC 7617, section 2.1); requests would fail beyond Latin-1.
            self._session.auth = HTTPBasicAuth(name.encode(), password.encode())

    def _fingerprint(self, secret: str) -> bytes:
        """Return the login's fingerprint. Tokens and tickets change, so they are left out."""
        settings = self._settings
        who = settings.client_id if settings.auth == "oauth2" else settings.username or self._account.login
        return login_of(settings.url, settings.auth, who or "", secret)

    def _shake_hands(self, name: str = "", password: str = "") -> None:
        """Prepare the handshakes of NTLM or Kerberos; only they load exchangelib, which takes a while."""
        from connectors.ews.handshakes import SpnegoError, prepare_session

        self._faults = (*_FAULTS, SpnegoError)
        prepare_session(self._settings, self._session, name, password)

    def _secret(self, secret: Secret | None, field: str) -> str:
        if secret is None:
            raise Misconfigured(self._settings.where(field), "is needed")
        return secret.read(self._account.login, self._account.address).get_secret_value()


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


def _session(settings: EwsSettings, transport: Transport) -> requests.Session:
    session = _Session()
    session.trust_env = False  # no netrc: only the configuration counts
    session.headers.update(
        {
            "Content-Type": "text/xml; charset=utf-8",
            "Accept": "text/xml",
            "Accept-Encoding": OFFERED,
            "User-Agent": settings.user_agent,
        }
    )
    adapter = _Adapter(transport)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


_NTLM = ("spnego.",)
_KERBEROS = ("requests_gssapi.", "gssapi.")
"""Libraries that not every login loads: their errors are recognized by their modules."""


def handshake_error(error: Exception) -> Blocked | None:
    """Return the error when NTLM or Kerberos broke off on our side; None for any other exception."""
    if isinstance(error, requests.RequestException | OSError) and not _is_of(_KERBEROS, error):
        return None
    if isinstance(error, ValueError | LookupError) or _is_of(_NTLM, error):
        # spnego also raises its parser's errors for a malformed challenge.
        return Blocked("login-refused", "the server's NTLM answer cannot be used")
    if _is_of(_KERBEROS, error):
        return Blocked("login-refused", "no usable Kerberos ticket for this server")
    return None


def _is_of(libraries: tuple[str, ...], error: Exception) -> bool:
    return f"{type(error).__module__}.".startswith(libraries)
