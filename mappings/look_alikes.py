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
    "\x7f": "\N{SYMBOL FOR DELETE}",
    **{chr(code): chr(0x2400 + code) for code in range(0x20)},
}
DOTS = {".": LOOK_ALIKES["."], "..": "\N{TWO DOT LEADER}"}
UNSHOWABLE = re.compile("[\x80-\x9f\u2028\u2029\ud800-\udfff]")
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""Stands for what is refused and has no look-alike."""
