"""Carry what a server itself said from a connector to one private file and to no other place.

A server's sentence may name a person, a folder or a subject. So the object that carries it shows nothing: its
repr and str are empty, and a copy of it, or what a pickle makes of it, is empty too. It may hang at an
exception that is logged, chained, copied or handed to another process: the sentence stays in this process.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

from model.masking import SECRETS

KEPT_MOST = 1000
"""Characters of a sentence, after secrets were masked and blanks were joined."""
READ_MOST = 16_384
"""Characters or bytes of an answer that are read."""
_MESSAGE = re.compile(
    r"<(?:[a-z]{1,8}:)?(?:message|faultstring|responsedescription)\b[^<>]*>([^<]*)<", re.IGNORECASE
)
_UNSEEN = re.compile(r"<(style|script)\b[^<>]*>[^<]*<", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


class ServerWords:
    """Hold a server's sentence, or nothing. `spoken` is the only way to read it.

    Args:
        text: what the server said. Secrets of this process are masked in it, and it is cut to KEPT_MOST.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = _bounded(text) if text else ""

    def spoken(self) -> str:
        """Return the sentence, for the private file alone; "" if there is none."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return ""

    __str__ = __repr__

    def __reduce__(self) -> tuple[type[ServerWords], tuple[()]]:
        return ServerWords, ()


NOTHING = ServerWords()


def of_line(line: bytes) -> ServerWords:
    """Return the words of one line of a protocol, in any encoding."""
    return ServerWords(line[:READ_MOST].decode("utf-8", "replace"))


def of_body(body: bytes) -> ServerWords:
    """Return the words of an HTTP answer's body: the message of its XML or JSON, or its text without tags."""
    text = body[:READ_MOST].decode("utf-8", "replace").strip()
    return ServerWords(_of_json(text) or _of_markup(text)) if text else NOTHING


def of_json(document: Any) -> ServerWords:
    """Return the words of a JSON document: its `message`, or that of its `error` or `ocs.meta`."""
    return ServerWords(_message(document))


def _bounded(text: str) -> str:
    head = SECRETS.masked(text[:READ_MOST])
    return " ".join(head.split())[:KEPT_MOST].strip()


def _of_json(text: str) -> str:
    if not text.startswith(("{", "[")):
        return ""
    try:
        return _message(json.loads(text))
    except (ValueError, RecursionError):
        return ""


def _message(document: Any) -> str:
    for _ in range(3):
        if not isinstance(document, dict):
            break
        for name in ("message", "error_description"):
            if isinstance(text := document.get(name), str) and text.strip():
                return text
        document = next((document[name] for name in ("error", "ocs", "meta") if name in document), None)
    return document if isinstance(document, str) else ""


def _of_markup(text: str) -> str:
    if not text.startswith("<"):
        return text
    messages = [message for message in _MESSAGE.findall(text) if message.strip()]
    words = " ".join(messages) if messages else _TAG.sub(" ", _UNSEEN.sub("<", text))
    try:
        return html.unescape(words)
    except ValueError:  # a character's number of thousands of digits
        return words
