"""Mask the secrets of this process in what a server said, because a server may repeat a login.

Every secret that is read from the configuration, and every token that is obtained with one, is learned here.
The process holds them anyway; this module writes none of them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
from collections import OrderedDict
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""Characters. To mask each place of a shorter secret would reveal it."""
LONGEST = 8192
KNOWN_MOST = 4096
"""The newest secrets are remembered, at most so many."""
_CODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ANNOUNCED = re.compile(r"\b(Bearer|Basic|Negotiate|NTLM|Digest)(\s+)\S+", re.IGNORECASE)
_URLSAFE = str.maketrans("-_", "+/")


class Secrets:
    """Remember secrets and mask them in texts. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()

    def learn(self, secret: str) -> None:
        """Mask this secret from now on. Idempotent.

        Args:
            secret: a password or a token. It is not masked if it is shorter than SHORTEST or longer than
                LONGEST characters.
        """
        if not SHORTEST <= len(secret) <= LONGEST:
            return
        with self._lock:
            self._known[secret] = _forms(secret)
            self._known.move_to_end(secret)
            if len(self._known) > KNOWN_MOST:
                self._known.popitem(last=False)

    def masked(self, text: str) -> str:
        """Return the text with MASK in place of each secret.

        A secret is found as it is, as in a URL, in a form, in a quoted string of IMAP or JSON, in the repr of
        its bytes, and in base64 as in HTTP's Basic and IMAP's PLAIN. What follows the name of an
        authentication scheme of HTTP is masked as well.
        """
        with self._lock:
            secrets = list(self._known)
            ordered = sorted(
                {form for forms in self._known.values() for form in forms}, key=len, reverse=True
            )
        for form in ordered:
            text = text.replace(form, MASK)
        raw = [secret.encode("utf-8", "replace") for secret in secrets]
        text = _CODED.sub(lambda match: MASK if _holds(match[0], raw) else match[0], text)
        return _ANNOUNCED.sub(rf"\1\2{MASK}", text)


def _forms(secret: str) -> frozenset[str]:
    plain = {secret, secret.replace("\\", "\\\\").replace('"', '\\"')}
    return frozenset(
        plain
        | {repr(spelling.encode("utf-8", "replace"))[2:-1] for spelling in plain}
        | {json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}
    )


def _holds(coded: str, secrets: list[bytes]) -> bool:
    plain = coded.rstrip("=").translate(_URLSAFE)
    try:
        decoded = base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "==", validate=False)
    except binascii.Error:
        return False
    return any(secret in decoded for secret in secrets)


SECRETS = Secrets()
"""The secrets of this process."""
