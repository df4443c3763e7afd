"""Who we say we are, as headers. A secret is read when it is first needed; a token again when it expired."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Protocol

from connectors.accepted_logins import login_of
from connectors.http.digest_auth import Digest
from connectors.settings import Account, Secret


class HttpLogin(Protocol):
    """What settings say of it: see connectors.caldav.settings. auth may also be "digest" (RFC 7616)."""

    @property
    def auth(self) -> str: ...

    @property
    def password(self) -> Secret: ...

    @property
    def app_id(self) -> str | None: ...

    @property
    def app_version(self) -> str: ...

    @property
    def appapi_version(self) -> str: ...

    def user(self, account: Account) -> str: ...


class Credentials:
    """The same for every connection of one target; safe from several threads."""

    def __init__(self, settings: HttpLogin, account: Account, server: str) -> None:
        self._server = server
        self._settings = settings
        self._account = account
        self._lock = threading.Lock()
        self._secret: str | None = None
        self._digest = Digest()

    @property
    def of_application(self) -> bool:
        """Whether the secret is an application's: refused, it locks nobody out."""
        return self._settings.auth == "appapi"

    @property
    def login(self) -> bytes:
        """See connectors.accepted_logins. A token changes; a login by tokens is who logs in."""
        settings = self._settings
        secret = "" if settings.auth == "bearer" else self._known()
        return login_of(self._server, settings.auth, settings.user(self._account), secret)

    def headers(self, method: str, path: str) -> Mapping[str, str]:
        """Raises Misconfigured when the secret cannot be read."""
        secret, settings = self._known(), self._settings
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
        """Whether there is something else to say than what was refused with this WWW-Authenticate: another
        token, an answer to a new challenge. False for passwords: one that is wrong stays wrong, and every
        try is counted."""
        if self._settings.auth == "digest":
            return self._digest.challenged(challenge, answered=bool(refused))
        if self._settings.auth != "bearer":
            return False
        with self._lock:
            fresh = self._read()
            self._secret = fresh
        return {"Authorization": f"Bearer {_safe(fresh)}"} != dict(refused)

    def _known(self) -> str:
        with self._lock:
            if self._secret is None:
                self._secret = self._read()
            return self._secret

    def _read(self) -> str:
        account = self._account
        return self._settings.password.read(account.login, account.address).get_secret_value()


def _safe(token: str) -> str:
    """A token is one word; anything else would end the header early."""
    return "".join(token.split())
