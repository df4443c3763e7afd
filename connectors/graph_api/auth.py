"""Get application-only tokens for Graph with MSAL, over our own HTTP client.

MSAL keeps a token until five minutes before it expires, so asking for one before every request renews it in
time. The addresses of Entra's endpoints are known (they differ only in host and tenant), so nothing is
discovered.

Source:
    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import msal
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors import json_answer
from connectors.graph_api.settings import GraphSettings
from connectors.http.errors import delay
from connectors.settings import Account, Secret
from model.errors import Blocked, Misconfigured, Transient
from model.masking import SECRETS
from model.server_words import of_json

PASSING = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


class Answered(Protocol):
    """Describe what an HTTP client returns."""

    @property
    def status_code(self) -> int:
        """Return the HTTP status."""
        ...

    @property
    def text(self) -> str:
        """Return the body as text."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers by lower-case name."""
        ...


Post = Callable[[str, Mapping[str, str], bytes], Answered]
"""Sends a form to a URL; raises Transient or Blocked when there is no answer."""


class _Response:
    """Hold a response as MSAL reads it."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.text = text
        self.headers = headers

    def raise_for_status(self) -> None:
        """Raise Transient("token-unreadable") for an error status."""
        if self.status_code >= 400:
            raise Transient("token-unreadable", "the token endpoint's answer is no token")


class _MsalTransport:
    """Send MSAL's requests.

    MSAL uses https only; a practice server on this machine may use http.
    """

    def __init__(self, settings: GraphSettings, post: Post) -> None:
        self._settings = settings
        self._authority = urlsplit(settings.authority)
        self._post = post

    @property
    def authority(self) -> str:
        """Return the authority as MSAL knows it."""
        parts = self._authority
        return f"https://{parts.netloc}{parts.path}/{self._settings.tenant}"

    def get(self, url: str, **_: object) -> _Response:
        """Answer the discovery that MSAL does before it asks for a token."""
        del url
        base = f"{self.authority}/oauth2/v2.0"
        endpoints = {
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "issuer": f"{self.authority}/v2.0",
        }
        return _Response(200, json.dumps(endpoints), {})

    def post(self, url: str, *, data: object, headers: Mapping[str, str], **_: object) -> _Response:
        """Send a form and translate the status.

        Raises:
            Transient: "busy".
            Blocked: "login-refused" for a redirect.
        """
        target = self._authority.scheme + url.removeprefix("https")
        form = urlencode(data) if isinstance(data, dict) else str(data)
        sent = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._post(target, sent, form.encode())
        after = delay(answer.headers.get("retry-after"))
        if answer.status_code in {408, 429} or answer.status_code >= 500:
            # MSAL must not see this: it would answer the next attempts from its memory.
            raise Transient("busy", f"the token endpoint answered HTTP {answer.status_code}", after=after)
        if 300 <= answer.status_code < 400:
            raise Blocked("login-refused", "the token endpoint sends elsewhere: set authority")
        return _Response(answer.status_code, answer.text, {})

    def close(self) -> None:
        """Do nothing: the HTTP client belongs to the GraphClient."""


class GraphLogin:
    """Provide tokens. It holds no secret itself; MSAL does."""

    def __init__(self, settings: GraphSettings, account: Account, post: Post) -> None:
        self._settings = settings
        self._account = account
        self._transport = _MsalTransport(settings, post)
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
            claims: what the server wants in the token, as its challenge holds it; None for nothing special.

        Raises:
            Blocked, Misconfigured, Transient: as in `token`.

        Source:
            https://learn.microsoft.com/entra/identity-platform/claims-challenge
        """
        self._application().remove_tokens_for_client()
        return self._acquire(_challenge(claims) if claims else None)

    def roles(self) -> frozenset[str]:
        """Return the permissions that the token states; empty where it cannot be read."""
        parts = self.token().split(".")
        try:
            payload = json_answer.read(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return frozenset(str(role) for role in payload.get("roles", ()))
        except (IndexError, ValueError, TypeError, AttributeError):
            return frozenset()

    def _acquire(self, claims: str | None) -> str:
        """Ask MSAL for a token."""
        try:
            result = self._application().acquire_token_for_client(
                [self._settings.scope], claims_challenge=claims
            )
        except (ValueError, RuntimeError, KeyError):
            raise Transient("token-unreadable", "the token endpoint's answer is no token") from None
        token = result.get("access_token") if isinstance(result, dict) else None
        if isinstance(token, str) and token:
            SECRETS.learn(token)
            return token
        said = of_json(result)
        error = result.get("error") if isinstance(result, dict) else None
        if error in PASSING:
            raise Transient("busy", "the token endpoint asked to wait").said(said)
        if error is None:
            raise Transient("token-unreadable", "the token endpoint's answer is no token")
        raise Blocked("login-refused", "the token endpoint refuses this application").said(said)

    def _application(self) -> msal.ConfidentialClientApplication:
        if self._app is None:
            self._app = msal.ConfidentialClientApplication(
                self._settings.client_id,
                authority=self._transport.authority,
                client_credential=self._credential(),
                client_capabilities=["cp1"],  # we answer claims challenges: tokens may live longer
                instance_discovery=False,
                http_client=self._transport,
            )
        return self._app

    def _credential(self) -> str | dict[str, str]:
        settings = self._settings
        if settings.certificate_file is None:
            return self._secret(settings.client_secret, "client_secret")
        holder = "key_file" if settings.key_file else "certificate_file"
        key = settings.readable(holder)
        password = None
        if settings.key_password is not None:
            password = self._secret(settings.key_password, "key_password").encode()
        return {
            "private_key": _private_key(key, password, settings, holder),
            "public_certificate": _public(settings),
        }

    def _secret(self, secret: Secret | None, field: str) -> str:
        if secret is None:
            raise Misconfigured(self._settings.where(field), "is needed")
        return secret.read(self._account.login, self._account.address).get_secret_value()


def _challenge(claims: str) -> str | None:
    """Return the JSON that a challenge holds in base64; None when it holds none."""
    try:
        text = base64.b64decode(claims + "=" * (-len(claims) % 4), altchars=b"-_").decode()
        return text if isinstance(json_answer.read(text), dict) else None
    except (binascii.Error, ValueError):
        return None


def _private_key(pem: bytes, password: bytes | None, settings: GraphSettings, field: str) -> str:
    where, path = settings.where(field), getattr(settings, field)
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError):
        opens = "that key_password opens" if password is not None else "that opens without a password"
        other = "" if settings.key_file else "; name another file in key_file"
        raise Misconfigured(where, f"{path} holds no key (PEM) {opens}{other}") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Misconfigured(where, f"the key in {path} is not an RSA key")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return plain.decode()


def _public(settings: GraphSettings) -> str:
    """Return the certificate as PEM."""
    try:
        certificate = x509.load_pem_x509_certificate(settings.readable("certificate_file"))
    except ValueError:
        advice = f"{settings.certificate_file} holds no certificate (PEM)"
        raise Misconfigured(settings.where("certificate_file"), advice) from None
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
