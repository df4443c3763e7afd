"""Get tokens for an application (OAuth2 client credentials) with MSAL, over the caller's own HTTP client.

MSAL writes the request, signs the assertion of a certificate, keeps the token and knows when it ends. The
caller's HTTP client sends, so that its TLS settings, proxy, deadline and close() hold here too. Nothing is
discovered: the address of the token endpoint is known, and MSAL is told a name in its place, because it takes
https addresses of one form only.

MSAL sees answers with a token and no others. It would answer the next attempts from its memory after a
refusal or a "busy" (`msal/throttled_http_client.py`), and would log an answer that it cannot read.

Source:
    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
    MSAL for Python 1.39, `msal/application.py` and `msal/authority.py`
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import msal

from connectors import json_answer
from connectors.exchange.app_credential import Credential, Registration, credential
from connectors.http.errors import delay
from model.errors import Blocked, MigrationError, Transient
from model.masking import SECRETS
from model.server_words import of_body

PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""Error codes of OAuth2 that ask to try again."""
LIFE_MOST = 100_000_000  # seconds; a larger number is no lifetime


class Answered(Protocol):
    """Describe what an HTTP client returns."""

    @property
    def status_code(self) -> int:
        """Return the HTTP status."""
        ...

    @property
    def content(self) -> bytes:
        """Return the body, decoded."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers; names in lower case find them."""
        ...


Post = Callable[[str, Mapping[str, str], bytes], Answered]
"""Sends a form to a URL, without following redirects; raises Transient or Blocked without an answer."""


class AppTokens:
    """Provide the tokens of one application. It holds no secret itself; MSAL does."""

    def __init__(self, registration: Registration, post: Post) -> None:
        """Prepare; nothing is read or sent before the first token.

        Args:
            registration: the application.
            post: sends a form.
        """
        # In debug mode MSAL would log addresses and parts of its answers.
        logging.getLogger("msal").setLevel(logging.CRITICAL)
        self._registration = registration
        self._transport = _MsalTransport(registration, post)
        self._app: msal.ConfidentialClientApplication | None = None

    def token(self) -> str:
        """Return a valid token, from memory if it lives for five more minutes.

        Raises:
            Blocked: "login-refused".
            Misconfigured: a secret or a certificate cannot be read.
            Transient: "busy", "token-unreadable", or the endpoint cannot be reached.
        """
        return self._acquire(None)

    def renew(self, claims: str | None = None) -> str:
        """Return a new token, even if the last one seems valid.

        Args:
            claims: what the token must hold, as the JSON of a claims challenge; None for nothing special.

        Raises:
            Blocked, Misconfigured, Transient: as in `token`.

        Source:
            https://learn.microsoft.com/entra/identity-platform/claims-challenge
        """
        if self._app is not None:
            self._app.remove_tokens_for_client()
        return self._acquire(claims)

    def _acquire(self, claims: str | None) -> str:
        """Return a token; after a refusal try once more if the secret or certificate was replaced."""
        known = self._app
        try:
            return self._ask(claims)
        except Blocked:
            if known is None or known.client_credential == credential(self._registration):
                raise
        self._app = None
        return self._ask(claims)

    def _ask(self, claims: str | None) -> str:
        """Ask MSAL for a token."""
        try:
            app = self._application()
            result = app.acquire_token_for_client(self._registration.scope.split(), claims_challenge=claims)
            token = str(result["access_token"])
        except MigrationError as error:
            # The frames of MSAL hold the secret, and some tools show a traceback with its variables.
            raise error.with_traceback(None) from None
        except (ValueError, TypeError, KeyError, RuntimeError):
            raise _unreadable() from None
        SECRETS.learn(token)
        return token

    def _application(self) -> msal.ConfidentialClientApplication:
        if self._app is None:
            self._app = self._new_application(credential(self._registration))
        return self._app

    def _new_application(self, proof: Credential) -> msal.ConfidentialClientApplication:
        """Return a new application of MSAL, which takes nothing from the environment."""
        registration = self._registration
        return msal.ConfidentialClientApplication(
            registration.client_id,
            authority=self._transport.authority,
            client_credential=proof,
            # The endpoint expects its real address in the assertion (RFC 7523, section 3).
            client_claims={"aud": registration.endpoint},
            client_capabilities=["cp1"] if registration.challenges else None,
            azure_region=msal.ConfidentialClientApplication.DISABLE_MSAL_FORCE_REGION,
            instance_discovery=False,
            http_client=self._transport,
        )


class _Response:
    """Hold a response as MSAL reads it."""

    def __init__(self, document: Mapping[str, object]) -> None:
        self.status_code = 200
        self.text = json.dumps(document)
        self.headers: Mapping[str, str] = {}

    def raise_for_status(self) -> None:
        """Do nothing: MSAL gets no answer of another status."""


class _MsalTransport:
    """Send MSAL's requests to the token endpoint, and answer its discovery."""

    def __init__(self, registration: Registration, post: Post) -> None:
        self._registration = registration
        self._post = post

    @property
    def authority(self) -> str:
        """Return the authority as MSAL knows it, which is not an address that is requested.

        Its host is the endpoint's, and its path says what signs the assertion of a certificate: PS256 with
        the thumbprint x5t#S256, which Entra wants, or for the path "/adfs" RS256 with x5t, which is all that
        AD FS understands.

        Source:
            MSAL for Python 1.39: `Authority._initialize_entra_authority` (is_adfs) and
            `ClientApplication._build_client` (assertion_params);
            https://learn.microsoft.com/entra/identity-platform/certificate-credentials
        """
        parts = urlsplit(self._registration.endpoint)
        adfs = parts.path.lower().split("/")[1:2] == ["adfs"]
        return f"https://{parts.netloc}/{'adfs' if adfs else 'tenant'}"

    def get(self, url: str, **_: object) -> _Response:
        """Answer the discovery that MSAL does before it asks for a token."""
        del url
        return _Response(
            {
                "authorization_endpoint": f"{self.authority}/authorize",
                "token_endpoint": f"{self.authority}/token",
                "issuer": self.authority,
            }
        )

    def post(
        self, url: str, *, data: Mapping[str, object], headers: Mapping[str, str], **_: object
    ) -> _Response:
        """Send a form to the token endpoint and return its answer if that is a token.

        Raises:
            Transient: "busy", "token-unreadable", or the endpoint cannot be reached.
            Blocked: "login-refused".
        """
        del url
        if isinstance(signed := data.get("client_assertion"), bytes):
            SECRETS.learn(signed.decode())
        sent = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._post(self._registration.endpoint, sent, urlencode(dict(data)).encode())
        return _Response(_granted(answer, self._registration.endpoint_field))

    def close(self) -> None:
        """Do nothing: the HTTP client belongs to the caller."""


def _granted(answer: Answered, endpoint_field: str) -> dict[str, object]:
    """Return of a token endpoint's answer what MSAL needs.

    The scope that an answer may state is left out: MSAL would not find the token again under the scope that
    was asked for. So is refresh_in, with which MSAL would ask for a new token long before the old one ends,
    and fail where that fails.

    Raises:
        Transient: "busy", "token-unreadable".
        Blocked: "login-refused".
    """
    document = _document(answer.content)
    token, error = document.get("access_token"), document.get("error")
    if answer.status_code == 200 and isinstance(token, str) and token:
        return {"access_token": token, "token_type": "Bearer", **_life(document.get("expires_in"))}
    raise (
        _refusal(answer, error, endpoint_field)
        .about(f"HTTP {answer.status_code}")
        .quoting(of_body(answer.content))
    )


def _refusal(answer: Answered, error: object, endpoint_field: str) -> MigrationError:
    """Return the error for an answer without a token."""
    status = answer.status_code
    after = delay(answer.headers.get("retry-after"))
    if status in {408, 429} or status >= 500:
        return Transient("busy", f"the token endpoint answered HTTP {status}", after=after)
    if error in PASSING:
        return Transient("busy", "the token endpoint asked to wait", after=after)
    if 300 <= status < 400:
        return Blocked("login-refused", f"the token endpoint sends elsewhere: set {endpoint_field}")
    if error is not None or status >= 400:
        return Blocked("login-refused", "the token endpoint refuses this application")
    return _unreadable()


def _unreadable() -> Transient:
    return Transient("token-unreadable", "the token endpoint's answer is no token")


def _document(content: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one when it is something else."""
    try:
        document = json_answer.read(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _life(stated: object) -> dict[str, object]:
    """Return the lifetime of a token, for MSAL; nothing, where none can be read: MSAL then takes an hour.

    Args:
        stated: expires_in, in seconds; AD FS and old endpoints of Entra write it as text.
    """
    if isinstance(stated, str) and stated.isascii() and stated.isdigit() and len(stated) < 10:
        stated = int(stated)
    if isinstance(stated, int | float) and 0 <= stated <= LIFE_MOST:
        return {"expires_in": int(stated)}
    return {}
