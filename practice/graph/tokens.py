"""Act as Entra ID: app registrations, and access tokens for a secret or a certificate.

The secrets are practice secrets. A client asks as MSAL does: for the OpenID discovery document first, then
for a token by client credentials (RFC 6749, 4.4; RFC 7523 with a certificate).
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options
from jwt.utils import base64url_encode

from practice.graph.errors import expired_token, no_token
from practice.graph.wire import Json
from practice.harness.dice import digest

SCOPE = "https://graph.microsoft.com/.default"
AUDIENCE = "https://graph.microsoft.com"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REQUIRED: Options = {"require": ["exp", "aud", "iss"]}
READS = (
    "Mail.Read",
    "Calendars.Read",
    "Contacts.Read",
    "Tasks.Read.All",
    "User.Read.All",
    "MailboxSettings.Read",
    "Files.Read.All",
    "Sites.Read.All",
)
"""The application permissions that a migration's app is given."""

SCOPABLE = frozenset({"Mail.Read", "Calendars.Read", "Contacts.Read", "MailboxSettings.Read"})
"""Those of them that RBAC for Applications gives for some mailboxes alone."""


@dataclass(frozen=True, slots=True)
class App:
    """Hold an app registration.

    Attributes:
        roles: application permissions with consent: they hold for the whole tenant, and stand in the token.
        scoped: permissions by RBAC for Applications, each with the addresses it holds for; they stand in no
            token.
        certificates: PEM, of those whose keys may sign assertions.
    """

    client_id: str
    secret: str
    roles: frozenset[str] = frozenset(READS)
    scoped: Mapping[str, Container[str | None]] | None = None
    certificates: tuple[bytes, ...] = ()

    def may(self, needs: Iterable[str], address: str | None) -> bool:
        """Return whether one of these permissions is given, for this mailbox. RBAC adds to consent."""
        wanted = {one for need in needs for one in (need, need.replace(".Read", ".ReadWrite"))}
        if wanted & self.roles:
            return True
        scoped = self.scoped or {}
        return any(address in scoped[need] for need in wanted & scoped.keys())


class Everybody:
    """Hold all mailboxes: a scope."""

    def __contains__(self, address: object) -> bool:
        return address is not None


def well_made(client_id: str, secret: str) -> App:
    """Return an app that may read everything, and nothing by consent that a scope can give."""
    scoped = dict.fromkeys(SCOPABLE, Everybody())
    return App(client_id, secret, frozenset(READS) - SCOPABLE, scoped)


class Refused(Exception):
    """Answer with Entra's own error, which is not Graph's.

    Args:
        status: of HTTP.
        error: its name.
        code: AADSTS.
        description: for people.
    """

    def __init__(self, status: int, error: str, code: int, description: str) -> None:
        super().__init__(error)
        self.status = status
        self.body: Json = {
            "error": error,
            "error_description": f"AADSTS{code}: {description}",
            "error_codes": [code],
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
            "trace_id": str(uuid.uuid4()),
            "correlation_id": str(uuid.uuid4()),
        }


def tenant_of(seed: int) -> str:
    """Return the tenant's id."""
    return str(uuid.UUID(bytes=digest(seed, "tenant"), version=4))


def client_id_of(seed: int, name: str) -> str:
    """Return an app's client id."""
    return str(uuid.UUID(bytes=digest(seed, "app", name), version=4))


class Entra:
    """Issue tokens to the apps, which may be changed at any time. Thread-safe.

    Attributes:
        seconds: how long a token lives.
        refused: counts by client id.
    """

    def __init__(self, tenant: str, apps: Iterable[App], seconds: int) -> None:
        self.tenant = tenant
        self.apps = {app.client_id: app for app in apps}
        self.seconds = seconds
        self.refused: Counter[str] = Counter()
        self._key = secrets.token_bytes(32)
        self._issued: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, app: App) -> None:
        """Register an app, or change the one of this client id."""
        self.apps[app.client_id] = app

    def trust(self, client_id: str, certificate: bytes) -> None:
        """Let an app use this certificate (PEM) too."""
        app = self.apps[client_id]
        self.add(replace(app, certificates=(*app.certificates, certificate)))

    def discovery(self, authority: str) -> Json:
        """Return the OpenID discovery document of `authority`, which ends with the tenant."""
        return {
            "token_endpoint": f"{authority}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{authority}/discovery/v2.0/keys",
            "issuer": f"{authority}/v2.0",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": "EU",
        }

    def grant(self, form: Mapping[str, str], endpoint: str) -> Json:
        """Return the answer to a token request at this endpoint.

        Raises:
            Refused: no token is given.
        """
        if form.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant.")
        app = self.apps.get(form.get("client_id", ""))
        if app is None:
            raise Refused(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        self._prove(app, form, endpoint)
        if form.get("scope", "").split() != [SCOPE]:
            raise Refused(400, "invalid_scope", 70011, "The provided value for scope is not valid.")
        return {
            "token_type": "Bearer",
            "expires_in": self.seconds,
            "ext_expires_in": self.seconds,
            "access_token": self.issue(app.client_id),
        }

    def _prove(self, app: App, form: Mapping[str, str], endpoint: str) -> None:
        if "client_assertion" in form:
            good = form.get("client_assertion_type") == ASSERTION_TYPE and self._asserted(
                app, form["client_assertion"], endpoint
            )
            code, why = 700027, "The certificate with this identifier is not registered, or did not sign."
        else:
            good = hmac.compare_digest(app.secret.encode(), form.get("client_secret", "").encode())
            code, why = 7000215, "Invalid client secret provided."
        if not good:
            self.refused[app.client_id] += 1
            raise Refused(401, "invalid_client", code, why)

    def _asserted(self, app: App, assertion: str, endpoint: str) -> bool:
        """Return whether the JWT is of one of the app's certificates, for this endpoint, and still valid."""
        return any(
            _accepts(x509.load_pem_x509_certificate(pem), assertion, endpoint, app.client_id)
            for pem in app.certificates
        )

    def issue(self, client_id: str, seconds: float | None = None) -> str:
        """Return an access token for the app; its roles are those of this moment."""
        app, now = self.apps[client_id], int(time.time())
        claims = {
            "aud": AUDIENCE,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + int(self.seconds if seconds is None else seconds),
            "appid": client_id,
            "idtyp": "app",
            "roles": sorted(app.roles),
            "tid": self.tenant,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        token = jwt.encode(claims, self._key, "HS256")
        with self._lock:
            self._issued[token] = client_id
        return token

    def app_of(self, token: str) -> App:
        """Return the app that a token was issued to.

        Raises:
            GraphError: 401 for a token that is unknown, expired or revoked.
        """
        with self._lock:
            client_id = self._issued.get(token)
        if client_id is None or client_id not in self.apps:
            raise no_token("CompactToken validation failed." if token else "Access token is empty.")
        try:
            jwt.decode(token, self._key, ["HS256"], audience=AUDIENCE)
        except jwt.ExpiredSignatureError:
            raise expired_token() from None
        return self.apps[client_id]

    def revoke(self, token: str) -> None:
        """Make a token invalid."""
        with self._lock:
            self._issued.pop(token, None)

    def revoke_all(self) -> None:
        """Make all tokens invalid."""
        with self._lock:
            self._issued.clear()


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of the Authorization header.

    Raises:
        GraphError: 401 without one.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise no_token()
    return value.strip()


def _accepts(certificate: x509.Certificate, assertion: str, audience: str, issuer: str) -> bool:
    """RS256 with the SHA-1 thumbprint, or PS256 with the SHA-256 one, as MSAL sends them."""
    key = certificate.public_key()
    sha1, sha256 = (
        base64url_encode(certificate.fingerprint(algorithm)).decode()
        for algorithm in (hashes.SHA1(), hashes.SHA256())  # noqa: S303 (RFC 7517's x5t)
    )
    try:
        head = jwt.get_unverified_header(assertion)
        named = str(head.get("x5t", "")).rstrip("=") == sha1
        named = named or str(head.get("x5t#S256", "")).rstrip("=") == sha256
        if not named or not isinstance(key, rsa.RSAPublicKey):
            return False
        jwt.decode(assertion, key, ["RS256", "PS256"], audience=audience, issuer=issuer, options=REQUIRED)
    except jwt.InvalidTokenError:
        return False
    return True
