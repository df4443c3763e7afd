"""Write foreign text into Sieve so that it means nothing but itself.

A text that cannot stand in one quoted string of one line is not said at all: control characters, separators
of lines and noncharacters. Nor is "${": a script into which the rule is put may require `variables` or
`encoded-character`, and a rule has no way to know.

Source:
    RFC 5228, 2.4.2 (strings), 2.4.2.4 (encoded characters), 2.7.3 (comparators); RFC 5229 (variables)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product
from math import prod

from model.sieve_rule import quoted

TEXT = 1_000
"""Characters of one text. Exchange takes 255 in one string of a rule."""
SPELLINGS = 256
"""Texts of one test, with all their spellings."""
_UNSAID = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef]|\\${")
_SIGMAS = frozenset("σςΣ")


def sayable(text: str) -> bool:
    """Return True if a text can stand in a quoted string, and means itself there in every script."""
    if not text or len(text) > TEXT or _UNSAID.search(text):
        return False
    return all(ord(one) & 0xFFFE != 0xFFFE for one in text)


def variants(texts: Iterable[str]) -> list[str] | None:
    """Return texts in every spelling that Exchange takes for the same.

    Exchange compares without case. Sieve does so for ASCII alone (i;ascii-casemap), so letters beyond are
    written both ways.

    Returns:
        None if a text cannot be said, or if there are too many spellings; [] for no texts.
    """
    found: dict[str, None] = {}
    for text in texts:
        if not sayable(text):
            return None
        choices = [_cases(one) for one in text]
        if prod(len(one) for one in choices) > SPELLINGS - len(found):
            return None
        found.update(dict.fromkeys("".join(each) for each in product(*choices)))
    return list(found)


def _cases(letter: str) -> Sequence[str]:
    """Return a letter in both cases; a letter of ASCII, and one without a partner of one character, alone."""
    if letter.isascii():
        return (letter,)
    if letter in _SIGMAS:
        return tuple(sorted(_SIGMAS))
    both = {letter, letter.lower(), letter.upper()}
    return tuple(sorted(one for one in both if len(one) == 1 and not one.isascii()))


def strings(texts: Iterable[str]) -> str:
    """Return a string list of Sieve; one text stands alone."""
    each = [quoted(one) for one in texts]
    return each[0] if len(each) == 1 else f"[{', '.join(each)}]"


def any_of(tests: Sequence[str]) -> str:
    """Return the test that holds if one of the tests does."""
    return tests[0] if len(tests) == 1 else f"anyof({', '.join(tests)})"


def all_of(tests: Sequence[str]) -> str:
    """Return the test that holds if all tests do; without tests, one that always holds."""
    if not tests:
        return "true"
    return tests[0] if len(tests) == 1 else f"allof({', '.join(tests)})"
