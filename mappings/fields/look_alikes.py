"""Characters that stand for others where a server refuses those, and can be told apart from them."""

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
_ALL = str.maketrans(dict(LOOK_ALIKES))
_OFTEN_REFUSED = str.maketrans({one: LOOK_ALIKES[one] for one in '%*"\\&<>?;!`^|{}'})
DOTS = {".": LOOK_ALIKES["."], "..": "\N{TWO DOT LEADER}"}
UNSHOWABLE = re.compile("[\x80-\x9f\u2028\u2029\ud800-\udfff]")

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for what is refused and has no look-alike."""


def harmless(name: str) -> list[str]:
    """Spellings for a server that refused the name and does not say why: first without what servers refuse
    most often (wildcards, quotes, backslashes), then without every character that has a look-alike. Letters,
    digits, spaces and the rest of the punctuation stay. [] for a name that has none of them."""
    spelled = (name.translate(_OFTEN_REFUSED), name.translate(_ALL))
    return [one for one in dict.fromkeys(spelled) if one != name]
