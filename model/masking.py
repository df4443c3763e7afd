"""Masks the secrets of this process in what a server said: it may repeat a login.

Every secret that is read from the configuration, and every token that is got with one, is learned here. The
process holds them anyway; nothing of this module writes one.
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
"""Characters: to mask each place of a shorter secret would tell it."""
LONGEST = 8192
KNOWN_MOST = 4096
"""So many secrets are remembered, the newest of them."""
_CODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ANNOUNCED = re.compile(r"\b(Bearer|Basic|Negotiate|NTLM|Digest)(\s+)\S+", re.IGNORECASE)
_URLSAFE = str.maketrans("-_", "+/")


class Secrets:
    """What is to be masked. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()

    def learn(self, secret: str) -> None:
        """Masks this from now on. One shorter than SHORTEST or longer than LONGEST is not masked."""
        if not SHORTEST <= len(secret) <= LONGEST:
            return
        with self._lock:
            self._known[secret] = _forms(secret)
            self._known.move_to_end(secret)
            if len(self._known) > KNOWN_MOST:
                self._known.popitem(last=False)

    def masked(self, text: str) -> str:
        """Returns the text with MASK for each secret: as it is, as in a URL, a form, a quoted string of IMAP
        or JSON and the repr of its bytes, and in base64 such as HTTP's Basic and IMAP's PLAIN have it; and
        for what follows the name of a scheme of HTTP."""
        with self._lock:
            known = list(self._known)
            forms = sorted({one for found in self._known.values() for one in found}, key=len, reverse=True)
        for form in forms:
            text = text.replace(form, MASK)
        raw = [secret.encode("utf-8", "replace") for secret in known]
        text = _CODED.sub(lambda found: MASK if _holds(found[0], raw) else found[0], text)
        return _ANNOUNCED.sub(rf"\1\2{MASK}", text)


def _forms(secret: str) -> frozenset[str]:
    plain = {secret, secret.replace("\\", "\\\\").replace('"', '\\"')}
    return frozenset(
        plain
        | {repr(one.encode("utf-8", "replace"))[2:-1] for one in plain}
        | {json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}
    )


def _holds(coded: str, secrets: list[bytes]) -> bool:
    plain = coded.rstrip("=").translate(_URLSAFE)
    try:
        found = base64.b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "==", validate=False)
    except binascii.Error:
        return False
    return any(secret in found for secret in secrets)


SECRETS = Secrets()
"""Those of this process."""
