"""Clean what servers call things: folders, calendars, lists, libraries, people, groups and categories."""

from __future__ import annotations

import re

MARK = "\ufffd"
"""Stands for a character that is none."""
_NONE = re.compile("[\0\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def readable(name: str) -> str:
    """Return a name in which every character is one.

    Half a surrogate pair, as JSON and modified UTF-7 can write it, has no form in UTF-8: a name with one can
    neither be kept nor shown. It becomes MARK, and so do a noncharacter, and NUL, which PostgreSQL cannot
    keep. Two halves that belong together become their character. Everything else stays, controls included:
    who writes a name decides about those.

    Source:
        Unicode 16, sections 3.8 (Surrogates) and 23.7 (Noncharacters).
    """
    if name.isprintable() or not _NONE.search(name):  # none of them is printable
        return name
    whole = name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _NONE.sub(MARK, whole)
