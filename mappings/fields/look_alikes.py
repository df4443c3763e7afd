"""Define characters that stand for others that a server refuses, and that can be told apart from them."""

from __future__ import annotations

import re
from collections.abc import Mapping

LOOK_ALIKES: Mapping[str, str] = {
    "/": "\N{DIVISION SLASH}",
    "\\": "\N{REVERSE SOLIDUS OPERATOR}",
    ".": "\N{ONE DOT LEADER}",
    "%": "\N{FULLWIDTH PERCENT SIGN}",
    "*": "\N{ASTERISK OPERATOR}",
    "~": "\N{TILDE OPERATOR}",
    "|": "\N{DIVIDES}",
    ":": "\N{RATIO}",
    "#": "\N{FULLWIDTH NUMBER SIGN}",
    "&": "\N{FULLWIDTH AMPERSAND}",
    "^": "\N{MODIFIER LETTER CIRCUMFLEX ACCENT}",
    '"': "\N{MODIFIER LETTER DOUBLE PRIME}",
    "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
    "?": "\N{FULLWIDTH QUESTION MARK}",
    ";": "\N{FULLWIDTH SEMICOLON}",
    "!": "\N{LATIN LETTER RETROFLEX CLICK}",
    "$": "\N{FULLWIDTH DOLLAR SIGN}",
    "`": "\N{MODIFIER LETTER GRAVE ACCENT}",
    "{": "\N{MEDIUM LEFT CURLY BRACKET ORNAMENT}",
    "}": "\N{MEDIUM RIGHT CURLY BRACKET ORNAMENT}",
    "\x7f": "\N{SYMBOL FOR DELETE}",
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},
}
COMMA = "\N{SINGLE LOW-9 QUOTATION MARK}"
"""A character like the comma that a target would take for the end of a category's name."""

_ALL = str.maketrans(dict(LOOK_ALIKES))
_OFTEN_REFUSED = str.maketrans({character: LOOK_ALIKES[character] for character in '%*"\\&<>?;!`^|{}'})
DOTS = {".": LOOK_ALIKES["."], "..": "\N{TWO DOT LEADER}"}
UNSHOWABLE = re.compile("[\x80-\x9f\u2028\u2029\ud800-\udfff]")

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for a refused character without a look-alike."""


def harmless(name: str) -> list[str]:
    """Return spellings for a server that refused the name and does not say why.

    The first is without what servers refuse most often (wildcards, quotes, backslashes), the second without
    every character that has a look-alike. Letters, digits, spaces and the rest of the punctuation stay. []
    for a name that has none of them.
    """
    spelled = (name.translate(_OFTEN_REFUSED), name.translate(_ALL))
    return [spelling for spelling in dict.fromkeys(spelled) if spelling != name]
