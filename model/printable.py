"""Makes text harmless that somebody else wrote: for a terminal, for JSON on a terminal, for a spreadsheet.

A subject, a folder's name or a value of a file may hold characters that a terminal obeys (escape sequences
set the clipboard, hide or forge lines) or that turn the order of letters round. Whoever shows text to people
passes it through here; `kogge.terminal.options` and `kogge.terminal.tables` do so for every command.
"""

from __future__ import annotations

import re
from unicodedata import category

REPLACEMENT = "?"
_JOINERS = frozenset("\u00ad\u200c\u200d")
"""Format characters that only say how letters join or where a word may break: names need them."""
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, *, lines: bool = True) -> str:
    """Replaces every character that is not for reading, each by one `?`, so that widths stay.

    Args:
        text: anything.
        lines: whether line breaks stay; without them a stranger's text cannot begin a line of its own.
    """
    if text.isprintable():
        return text
    return "".join(one if _is_readable(one, lines) else REPLACEMENT for one in text)


def _is_readable(one: str, lines: bool) -> bool:
    if one == "\n":
        return lines
    return category(one) not in _UNPRINTABLE or one in _JOINERS


def json_escaped(text: str) -> str:
    """Escapes in a JSON document what `printable` would replace; the document says the same.

    Args:
        text: JSON as `json.dumps` writes it. Outside of its strings it has no such character but line breaks.
    """
    if text.isprintable():
        return text
    return "".join(one if _is_readable(one, True) else _escape(one) for one in text)


def _escape(one: str) -> str:
    units = one.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2] for at in range(0, len(units), 2))
    return "".join(f"\\u{int.from_bytes(pair):04x}" for pair in pairs)


def cell(value: object) -> object:
    """Returns what a spreadsheet shows as text, never as a formula; anything but text stays as it is.

    A spreadsheet takes a cell for a formula that begins with one of = + - @, also in their full-width forms
    and after blanks. One that separates cells by semicolons cuts a field in two at each of them, quoted or
    not, so what begins like a formula there is marked, too. A value that is only a sign stays.

    Source: OWASP, CSV Injection (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    if not isinstance(value, str):
        return value
    text = printable(value, lines=False)
    if len(text) < 2:
        return text
    marks = {found.end() for found in _BEGINNINGS.finditer(_plain_signs(text))}
    return "".join(f"'{one}" if at in marks else one for at, one in enumerate(text))


def _plain_signs(text: str) -> str:
    """Returns the text with full-width signs as plain ones; its length stays."""
    return text.translate(_FULL_WIDTH)


_FULL_WIDTH = str.maketrans("\uff1d\uff0b\uff0d\uff20\u2212", "=+-@-")
_BEGINNINGS = re.compile(r"(?:^|;)[\s'\"?\ufeff]*(?=[=+\-@])")
