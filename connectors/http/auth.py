"""Build the headers that log in. A secret is read when first needed; a token again when it expired."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Protocol

from connectors.accepted_logins import login_of
from connectors.http.digest_auth import Digest
from connectors.settings import Account, Secret

SESSION = "session"
"""The method of a login that is a request of its own: the other requests carry no credentials of ours."""


class HttpLogin(Protocol):
    """Describe a login as the settings state it; see `connectors.caldav.settings`.

    `auth` may also be "digest" (RFC 7616).
    """

    @property
    def auth(self) -> str:
        """Return the method: "basic", "bearer", "appapi", "digest" or SESSION."""
        ...

    @property
    def password(self) -> Secret:
        """Return the secret: a password, a token or the secret of an application."""
        ...

    @property
    def app_id(self) -> str | None:
        """Return the header EX-APP-ID, for "appapi"; None otherwise."""
        ...

    @property
    def app_version(self) -> str:
        """Return the header EX-APP-VERSION, for "appapi"."""
        ...

    @property
    def appapi_version(self) -> str:
        """Return the header AA-VERSION, for "appapi"."""
        ...

    def user(self, account: Account) -> str:
        """Return the user name for an account."""
        ...


class Credentials:
    """Hold the login that all connections of one target use. Safe from several threads."""

    def __init__(self, settings: HttpLogin, account: Account, server: str) -> None:
        """Prepare the login; the secret is not read yet.

        Args:
            settings: the method and the secret.
            account: the account to log in as.
            server: the origin, which tells the logins of servers apart.
        """
        self._server = server
        self._settings = settings
        self._account = account
        self._lock = threading.Lock()
        self._secret: str | None = None
        self._digest = Digest()

    @property
    def of_application(self) -> bool:
        """Return True if the secret is an application's, so that a refusal locks no user out."""
        return self._settings.auth == "appapi"

    @property
    def in_requests(self) -> bool:
        """Return True if each request logs in, so that a request's success says that the login is right."""
        return self._settings.auth != SESSION

    @property
    def login(self) -> bytes:
        """Return the login's fingerprint; see `connectors.accepted_logins`.

        With tokens, the fingerprint leaves the secret out, because a token changes.
        """
        settings = self._settings
        secret = "" if settings.auth == "bearer" else self._current_secret()
        return login_of(self._server, settings.auth, settings.user(self._account), secret)

    def headers(self, method: str, path: str) -> Mapping[str, str]:
        """Return the headers that log a request in.

        Args:
            method: the HTTP method; needed for Digest.
            path: the path of the request; needed for Digest.

        Returns:
            The headers; {} for Digest before the first challenge, and for SESSION.

        Raises:
            Misconfigured: the secret cannot be read.

        Source:
            RFC 7617, section 2.1 (UTF-8 in HTTP Basic), RFC 6750 (Bearer), RFC 7616 (Digest).
        """
        if not self.in_requests:
            return {}
        secret, settings = self._current_secret(), self._settings
        if settings.auth == "bearer":
            return {"Authorization": f"Bearer {_safe(secret)}"}
        if settings.auth == "digest":
            return self._digest.headers(settings.user(self._account), secret, method, path)
        # UTF-8, as browsers send it (RFC 7617, 2.1)
        pair = base64.b64encode(f"{settings.user(self._account)}:{secret}".encode()).decode()
        if settings.auth == "basic":
            return {"Authorization": f"Basic {pair}"}
        return {
            "EX-APP-ID": settings.app_id or "",
            "EX-APP-VERSION": settings.app_version,
            "AA-VERSION": settings.appapi_version,
            "AUTHORIZATION-APP-API": pair,
        }

    def renewed(self, refused: Mapping[str, str], challenge: str) -> bool:
        """Return True if new credentials are available after a 401.

        These are a refreshed token, or an answer to a new Digest challenge. Passwords are never retried: a
        wrong one stays wrong, and the server counts every attempt.

        Args:
            refused: the headers that were refused.
            challenge: the WWW-Authenticate header of the refusal; "" without one.
        """
        if self._settings.auth == "digest":
            return self._digest.challenged(challenge, answered=bool(refused))
        if self._settings.auth != "bearer":
            return False
        with self._lock:
            fresh = self._read()
            self._secret = fresh
        return {"Authorization": f"Bearer {_safe(fresh)}"} != dict(refused)

    def _current_secret(self) -> str:
        with self._lock:
            if self._secret is None:
                self._secret = self._read()
            return self._secret

    def _read(self) -> str:
        account = self._account
        return self._settings.password.read(account.login, account.address).get_secret_value()


def _safe(token: str) -> str:
    """Return a token without white space, which would end the header early."""
    return "".join(token.split())
