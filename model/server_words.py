"""What a server itself said, carried from a connector to one private file and to nowhere else.

A server's sentence may name a person, a folder or a subject. So the object that carries it shows nothing:
its repr and str are empty, and a copy of it, or what a pickle makes of it, is empty too. It may hang at an
exception that is logged, chained, copied or handed to another process: the sentence stays where it was heard.
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
"""Characters or bytes of an answer that are looked at."""
_MESSAGE = re.compile(
    r"<(?:[a-z]{1,8}:)?(?:message|faultstring|responsedescription)\b[^<>]*>([^<]*)<", re.IGNORECASE
)
_UNSEEN = re.compile(r"<(style|script)\b[^<>]*>[^<]*<", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


class ServerWords:
    """A server's sentence, or nothing. `spoken` is the only way to it.

    Args:
        text: what the server said. Secrets of this process are masked in it, and it is cut.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = _bounded(text) if text else ""

    def spoken(self) -> str:
        """Returns the sentence, for the private file alone; "" where there is none."""
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
    """The words of a line of a protocol, in whatever encoding."""
    return ServerWords(line[:READ_MOST].decode("utf-8", "replace"))


def of_body(body: bytes) -> ServerWords:
    """The words of an HTTP answer's body: the message of its XML or JSON, else its text without tags."""
    text = body[:READ_MOST].decode("utf-8", "replace").strip()
    return ServerWords(_of_json(text) or _of_markup(text)) if text else NOTHING


def of_json(document: Any) -> ServerWords:
    """The words of a JSON document: its `message`, or that of its `error` or `ocs.meta`."""
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
            if isinstance(found := document.get(name), str) and found.strip():
                return found
        document = next((document[name] for name in ("error", "ocs", "meta") if name in document), None)
    return document if isinstance(document, str) else ""


def _of_markup(text: str) -> str:
    if not text.startswith("<"):
        return text
    found = [one for one in _MESSAGE.findall(text) if one.strip()]
    said = " ".join(found) if found else _TAG.sub(" ", _UNSEEN.sub("<", text))
    try:
        return html.unescape(said)
    except ValueError:  # a character's number of thousands of digits
        return said
