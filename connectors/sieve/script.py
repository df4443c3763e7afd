"""Take a script in Sieve apart without changing it: what it requires, its comments, its commands.

Source:
    RFC 5228 (Sieve), 2 (lexical structure), 3.2 (require), 8.1 (tokens)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

BLANK, COMMENT, REQUIRE, COMMAND = "blank", "comment", "require", "command"
_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+)
    |(?P<comment>\#[^\n]*\n?|/\*(?:[^*]|\*(?!/))*\*/)
    |(?P<text>text:[ \t]*(?:\#[^\r\n]*)?\r?\n(?:(?!\.\r?\n)[^\n]*\n)*\.\r?\n)
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<word>:?[A-Za-z_][A-Za-z0-9_]*|[0-9]+[KMGkmg]?)
    |(?P<mark>[;{}()\[\],])""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_OPENING: Final = {"{": "}", "(": ")", "[": "]"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """Hold a piece of a script. All pieces in their order are the script, byte for byte.

    Attributes:
        kind: BLANK, COMMENT, REQUIRE or COMMAND: one of the top level, with its block.
        text: as it stands there.
        word: of a command its name in lower case.
        strings: of `require`, what it names.
    """

    kind: str
    text: str
    word: str = ""
    strings: tuple[str, ...] = ()


def parts_of(text: str) -> tuple[Part, ...]:
    """Take a script apart.

    Raises:
        ValueError: it is no script: something is not closed, or makes no sense.
    """
    return tuple(_parts(text))


def required(parts: Sequence[Part]) -> frozenset[str]:
    """Return what a script requires."""
    return frozenset(one for part in parts if part.kind == REQUIRE for one in part.strings)


def ends_before(parts: Sequence[Part]) -> bool:
    """Return True if nothing that is appended is ever reached: the script stops in any case."""
    return any(part.word == "stop" for part in parts)


def _parts(text: str) -> Iterator[Part]:
    at, began = 0, 0
    closing: list[str] = []
    word, strings = "", list[str]()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError("no token of Sieve")
        at, kind, value = token.end(), str(token.lastgroup), token[0]
        if not word and kind in (BLANK, COMMENT):
            yield Part(kind, value)
            began = at
            continue
        if not word:
            if kind != "word" or value.startswith(":") or value[0].isdigit():
                raise ValueError("a command begins with its name")
            word = value.lower()
        elif kind == "quoted":
            strings.append(_ESCAPED.sub(r"\1", value[1:-1]))
        elif kind == "mark":
            _nest(closing, value)
            if not closing and value in ";}":
                names = tuple(strings) if word == REQUIRE else ()
                yield Part(REQUIRE if word == REQUIRE else COMMAND, text[began:at], word, names)
                began, word, strings = at, "", []
    if word:
        raise ValueError("the last command does not end")


def _nest(closing: list[str], mark: str) -> None:
    """Follow the brackets."""
    if mark in _OPENING:
        closing.append(_OPENING[mark])
    elif mark in "})]" and (not closing or closing.pop() != mark):
        raise ValueError("brackets do not match")
