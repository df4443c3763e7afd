"""Log in with HTTP Digest: MD5 and SHA-256, with qop=auth or without.

Source:
    RFC 7616.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Mapping

HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_CHALLENGE = re.compile(r"(?i)(?:^|,)\s*+digest\s++(.*?)(?=,\s*+\w++\s++\w++\s*+=|$)")
_WORD = re.compile(r'(?<!\w)(\w++)\s*+=\s*+(?:"([^"]*)"|([^\s,"]+))')


class Digest:
    """Hold the present challenge and how often its nonce was used. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._challenge: Mapping[str, str] = {}
        self._count = 0

    def headers(self, user: str, secret: str, method: str, path: str) -> Mapping[str, str]:
        """Return the Authorization header; {} before the first challenge.

        Args:
            user: the user name.
            secret: the password.
            method: the HTTP method.
            path: the request's path.

        Source:
            RFC 7616, section 3.4.
        """
        with self._lock:
            challenge = self._challenge
            self._count += 1
            count = f"{self._count:08x}"
        if not challenge:
            return {}
        realm, nonce = challenge.get("realm", ""), challenge["nonce"]
        algorithm = challenge.get("algorithm", "MD5").upper()

        def hashed(*parts: str) -> str:
            return HASHES[algorithm](":".join(parts).encode()).hexdigest()

        words = {"username": user, "realm": realm, "nonce": nonce, "uri": path}
        who, what = hashed(user, realm, secret), hashed(method, path)
        if "qop" in challenge:
            cnonce = secrets.token_hex(8)
            words |= {"cnonce": cnonce, "response": hashed(who, nonce, count, cnonce, "auth", what)}
        else:
            words["response"] = hashed(who, nonce, what)
        if "opaque" in challenge:
            words["opaque"] = challenge["opaque"]
        shown = [f'{name}="{_escape(text)}"' for name, text in words.items()]
        shown += [f"algorithm={algorithm}"] + ([f"qop=auth, nc={count}"] if "qop" in challenge else [])
        return {"Authorization": "Digest " + ", ".join(shown)}

    def challenged(self, header: str, *, answered: bool) -> bool:
        """Take a challenge and return True if a new attempt makes sense.

        Args:
            header: the WWW-Authenticate header.
            answered: True if the refused request already answered a challenge.

        Returns:
            False when no challenge can be answered, or when an answer was refused and its nonce was not
            stale.

        Source:
            RFC 7616, section 3.3 (stale).
        """
        for text in _CHALLENGE.findall(header):
            fields = {name.lower(): quoted or plain for name, quoted, plain in _WORD.findall(text)}
            qop = {option.strip() for option in fields.get("qop", "auth").split(",")}
            supported = fields.get("algorithm", "MD5").upper() in HASHES and "auth" in qop
            if supported and fields.get("nonce"):
                stale = fields.get("stale", "").lower() == "true"
                with self._lock:
                    other = fields["nonce"] != self._challenge.get("nonce")
                    self._challenge, self._count = fields, 0 if other else self._count
                return stale or not answered
        return False


def _escape(text: str) -> str:
    """Return a text for a quoted string (RFC 9110, section 5.6.4)."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
