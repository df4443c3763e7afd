"""HTTP Digest authentication (RFC 7616): MD5 and SHA-256, with qop=auth or without."""

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
    """The challenge in force, and how often its nonce was used; safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._challenge: Mapping[str, str] = {}
        self._count = 0

    def headers(self, user: str, secret: str, method: str, path: str) -> Mapping[str, str]:
        """No header before the first challenge."""
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
            own = secrets.token_hex(8)
            words |= {"cnonce": own, "response": hashed(who, nonce, count, own, "auth", what)}
        else:
            words["response"] = hashed(who, nonce, what)
        if "opaque" in challenge:
            words["opaque"] = challenge["opaque"]
        shown = [f'{name}="{_escaped(text)}"' for name, text in words.items()]
        shown += [f"algorithm={algorithm}"] + ([f"qop=auth, nc={count}"] if "qop" in challenge else [])
        return {"Authorization": "Digest " + ", ".join(shown)}

    def challenged(self, header: str, *, answered: bool) -> bool:
        """Takes a challenge. False when it cannot be answered, or when an answer was already refused: only a
        stale nonce is worth another try."""
        for text in _CHALLENGE.findall(header):
            found = {name.lower(): quoted or plain for name, quoted, plain in _WORD.findall(text)}
            qop = {one.strip() for one in found.get("qop", "auth").split(",")}
            known = found.get("algorithm", "MD5").upper() in HASHES and "auth" in qop
            if known and found.get("nonce"):
                stale = found.get("stale", "").lower() == "true"
                with self._lock:
                    other = found["nonce"] != self._challenge.get("nonce")
                    self._challenge, self._count = found, 0 if other else self._count
                return stale or not answered
        return False


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
