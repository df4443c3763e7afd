"""Log in to one Exchange server, and send requests to it, over our own connections.

Basic and the OAuth2 tokens of an application are a header of each request. (The tokens come from
`connectors.exchange.app_tokens`, because exchangelib supports no certificate.) NTLM and Kerberos are
handshakes, for which exchangelib and requests are loaded: `connectors.ews.handshakes`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Protocol

from connectors.accepted_logins import login_of
from connectors.ews.cookies import Cookies
from connectors.ews.settings import EwsSettings
from connectors.exchange.app_credential import Registration
from connectors.http.content_coding import OFFERED
from connectors.http.transport import Response, Transport
from connectors.settings import Account, Secret
from model.errors import Misconfigured

if TYPE_CHECKING:
    from connectors.exchange.app_tokens import AppTokens


class _Sender(Protocol):
    """Describe what sends requests once the login is known."""

    def post(self, envelope: bytes) -> Response:
        """Send one SOAP request, once."""
        ...

    def close(self) -> None:
        """Forget the login."""
        ...


class _Plain:
    """Send requests that log in by a header, with the cookies by which Exchange finds its back end again.

    Attributes:
        authorization: the header Authorization.
    """

    def __init__(self, url: str, headers: dict[str, str], transport: Transport) -> None:
        self.authorization = ""
        self._url = url
        self._headers = headers
        self._transport = transport
        self._cookies = Cookies(url)

    def post(self, envelope: bytes) -> Response:
        headers = {**self._headers, **self._cookies.header(), "Authorization": self.authorization}
        answer = self._transport.send_to("POST", self._url, headers, envelope)
        self._cookies.take(answer.raw.headers.getlist("set-cookie"))
        return answer

    def close(self) -> None:
        self.authorization = ""


class EwsLogin:
    """Log in, renew the token, and send requests.

    What sends them keeps a password, and MSAL the secret of an application. The attribute `name` identifies
    the login (see `connectors.accepted_logins`); it is complete once `prepare` was called.
    """

    def __init__(self, settings: EwsSettings, account: Account, transport: Transport) -> None:
        self._settings = settings
        self._account = account
        self._transport = transport
        self._headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "Accept": "text/xml",
            "Accept-Encoding": OFFERED,
            "User-Agent": settings.user_agent,
        }
        self._plain = _Plain(settings.url, self._headers, transport)
        self._sender: _Sender = self._plain
        self._tokens = _tokens(settings, account, transport) if settings.auth == "oauth2" else None
        self._ready = False
        self.name = self._fingerprint("")

    def prepare(self) -> None:
        """Read the secret, or get a token; one that ends within five minutes is renewed.

        Raises:
            Blocked: "login-refused".
            Misconfigured: a secret or a certificate cannot be read.
            Transient: "busy", "token-unreadable", or the token endpoint cannot be reached.
        """
        if self._tokens is not None:
            self._plain.authorization = f"Bearer {self._tokens.token()}"
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
        return self._sender.post(envelope)

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
        """Forget the login."""
        self._sender.close()

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
            # UTF-8, as browsers send it (RFC 7617, section 2.1).
            pair = base64.b64encode(f"{name}:{password}".encode()).decode()
            self._plain.authorization = f"Basic {pair}"

    def _fingerprint(self, secret: str) -> bytes:
        """Return the login's fingerprint. Tokens and tickets change, so they are left out."""
        settings = self._settings
        who = settings.client_id if settings.auth == "oauth2" else settings.username or self._account.login
        return login_of(settings.url, settings.auth, who or "", secret)

    def _shake_hands(self, name: str = "", password: str = "") -> None:
        """Prepare the handshakes of NTLM or Kerberos; only they load exchangelib, which takes a while."""
        from connectors.ews.handshakes import Handshakes

        self._sender = Handshakes(self._settings, self._headers, self._transport, name, password)

    def _secret(self, secret: Secret | None, field: str) -> str:
        if secret is None:
            raise Misconfigured(self._settings.where(field), "is needed")
        return secret.read(self._account.login, self._account.address).get_secret_value()


def _tokens(settings: EwsSettings, account: Account, transport: Transport) -> AppTokens:
    # Imported late: MSAL takes a while to load, and only applications need it.
    from connectors.exchange.app_tokens import AppTokens
    from connectors.exchange.token_request import form_sender

    registration = Registration(
        settings=settings,
        account=account,
        endpoint=settings.token_endpoint(),
        endpoint_field="token_url",
        client_id=settings.client_id or "",
        scope=settings.scope,
        client_secret=settings.client_secret,
        certificate_file=settings.certificate_file,
    )
    return AppTokens(registration, form_sender(transport, settings.user_agent))
