"""Get application-only tokens for Graph, and read what they permit.

Asking for a token before every request renews it in time (`connectors.exchange.app_tokens`).
"""

from __future__ import annotations

import base64
import binascii

from connectors import json_answer
from connectors.exchange.app_credential import Registration
from connectors.exchange.app_tokens import AppTokens, Post
from connectors.graph_api.settings import GraphSettings
from connectors.settings import Account


class GraphLogin:
    """Provide tokens."""

    def __init__(self, settings: GraphSettings, account: Account, post: Post) -> None:
        self._tokens = AppTokens(_registration(settings, account), post)

    def token(self) -> str:
        """Return a valid token, from memory if it lives for five more minutes.

        Raises:
            Blocked: "login-refused".
            Misconfigured: a secret or a certificate cannot be read.
            Transient: "busy", "token-unreadable", or the endpoint cannot be reached.
        """
        return self._tokens.token()

    def renew(self, claims: str | None = None) -> str:
        """Return a new token, even if the last one seems valid.

        Args:
            claims: what the server wants in the token, as its challenge holds it; None for nothing special.

        Raises:
            Blocked, Misconfigured, Transient: as in `token`.
        """
        return self._tokens.renew(_challenge(claims) if claims else None)

    def roles(self) -> frozenset[str]:
        """Return the permissions that the token states; empty where it cannot be read."""
        parts = self.token().split(".")
        try:
            payload = json_answer.read(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            return frozenset(str(role) for role in payload.get("roles", ()))
        except (IndexError, ValueError, TypeError, AttributeError):
            return frozenset()


def _registration(settings: GraphSettings, account: Account) -> Registration:
    return Registration(
        settings=settings,
        account=account,
        endpoint=f"{settings.authority}/{settings.tenant}/oauth2/v2.0/token",
        endpoint_field="authority",
        client_id=settings.client_id,
        scope=settings.scope,
        client_secret=settings.client_secret,
        certificate_file=settings.certificate_file,
        key_file=settings.key_file,
        key_password=settings.key_password,
        challenges=True,
    )


def _challenge(claims: str) -> str | None:
    """Return the JSON that a challenge holds in base64; None when it holds none."""
    try:
        text = base64.b64decode(claims + "=" * (-len(claims) % 4), altchars=b"-_").decode()
        return text if isinstance(json_answer.read(text), dict) else None
    except (binascii.Error, ValueError):
        return None
