"""Log in with NTLM or Kerberos: handshakes that exchangelib writes for a session of requests.

The session keeps the cookies by which Exchange finds its back end again. It opens no connection:
`connectors.http.transport` sends what it prepared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from exchangelib import Configuration, Credentials
from exchangelib.errors import InvalidEnumValue
from exchangelib.protocol import BaseProtocol
from exchangelib.transport import GSSAPI, NTLM
from spnego.exceptions import SpnegoError

from connectors.ews.settings import EwsSettings
from connectors.http.hrefs import Origin
from connectors.http.transport import FAULTS, Response, Transport
from model.errors import Blocked, Misconfigured

_FAULTS = (*FAULTS, requests.RequestException, LookupError, SpnegoError)
"""LookupError, as ValueError: a malformed NTLM challenge."""
_NTLM = ("spnego.",)
_KERBEROS = ("requests_gssapi.", "gssapi.")
"""Libraries that not every login loads: their errors are recognized by their modules."""


class Handshakes:
    """Send requests, each with its handshake where the server asks for one."""

    def __init__(
        self,
        settings: EwsSettings,
        headers: Mapping[str, str],
        transport: Transport,
        name: str = "",
        password: str = "",
    ) -> None:
        """Prepare the handshake that the settings name.

        Args:
            settings: the settings; `auth` is "ntlm" or "kerberos".
            headers: what every request states.
            transport: sends the requests.
            name: the login; Kerberos takes that of its ticket.
            password: the password; Kerberos needs none.

        Raises:
            Misconfigured: an extra of the package is missing.
        """
        self._url = settings.url
        self._origin = Origin.of(settings.url)
        self._transport = transport
        self._session = _session(headers, transport)
        _prepare(settings, self._session, name, password)

    def post(self, envelope: bytes) -> Response:
        """Send one SOAP request, once, with its handshake; see `connectors.ews.auth.EwsLogin.post`."""
        try:
            answer = self._transport.within(lambda: self._requested(envelope))
        except _FAULTS as error:
            raise handshake_error(error) or self._transport.fault(error, self._origin) from None
        return self._transport.response(answer.raw, self._origin)

    def close(self) -> None:
        """Close the session."""
        self._session.close()

    def _requested(self, envelope: bytes) -> requests.Response:
        return self._session.post(self._url, data=envelope, allow_redirects=False, stream=True)


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


class _SessionFactory(BaseProtocol):  # type: ignore[misc] # exchangelib is untyped
    """Run exchangelib's session factory on our sockets.

    exchangelib's own Protocol is not used, because it is cached for the life of the process.
    """

    def __init__(self, config: Configuration, session: Any) -> None:
        super().__init__(config)
        self._ours = session

    def raw_session(self, *_: Any, **__: Any) -> Any:
        """Return our session; see exchangelib."""
        return self._ours


def _session(headers: Mapping[str, str], transport: Transport) -> requests.Session:
    session = _Session()
    session.trust_env = False  # no netrc: only the configuration counts
    session.headers.update(headers)
    adapter = _Adapter(transport)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _prepare(settings: EwsSettings, session: requests.Session, name: str, password: str) -> None:
    """Have exchangelib prepare the session."""
    ntlm = settings.auth == "ntlm"
    try:
        config = Configuration(
            credentials=Credentials(username=name, password=password) if ntlm else None,
            service_endpoint=settings.url,
            auth_type=NTLM if ntlm else GSSAPI,
        )
    except InvalidEnumValue:
        where = settings.where("auth")
        raise Misconfigured(where, "kerberos needs the extra kogge[kerberos]") from None
    _SessionFactory(config, session).create_session()


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
