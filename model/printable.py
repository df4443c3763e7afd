"""Make foreign text harmless: for a terminal, for JSON on a terminal, for a spreadsheet.

A subject, a folder's name or a value of a file may hold characters that a terminal obeys (escape sequences
set the clipboard, hide or forge lines) or that reverse the order of letters. All text that is shown to people
passes through here; `kogge.terminal.options` and `kogge.terminal.tables` do so for every command.
"""

from __future__ import annotations

import re
from unicodedata import category

REPLACEMENT = "?"
_JOINERS = frozenset("\u00ad\u200c\u200d")
"""Format characters that only say how letters join or where a word may break: names need them."""
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str, *, lines: bool = True) -> str:
    """Replace every character that is not for reading, each by one `?`, so that widths stay.

    Args:
        text: any text.
        lines: True keeps line breaks. Without them foreign text cannot begin a line of its own.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_readable(character, lines) else REPLACEMENT for character in text)


def _is_readable(character: str, lines: bool) -> bool:
    if character == "\n":
        return lines
    return category(character) not in _UNPRINTABLE or character in _JOINERS


def json_escaped(text: str) -> str:
    """Escape in a JSON document what `printable` would replace; the document keeps its meaning.

    Args:
        text: JSON as `json.dumps` writes it. Outside of its strings the only such characters are line breaks.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_readable(character, True) else _escape(character) for character in text)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2] for at in range(0, len(units), 2))
    return "".join(f"\\u{int.from_bytes(pair):04x}" for pair in pairs)


def cell(value: object) -> object:
    """Return a value that a spreadsheet shows as text, never as a formula. Anything but text stays as it is.

    A spreadsheet takes a cell for a formula if it begins with one of = + - @, also in their full-width forms
    and after blanks. A spreadsheet that separates cells by semicolons cuts a field in two at each of them,
    quoted or not, so what begins like a formula after a semicolon is marked, too. A value that is only a sign
    stays.

    Source: OWASP, CSV Injection (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    if not isinstance(value, str):
        return value
    text = printable(value, lines=False)
    if len(text) < 2:
        return text
    marks = {beginning.end() for beginning in _BEGINNINGS.finditer(_plain_signs(text))}
    return "".join(f"'{character}" if at in marks else character for at, character in enumerate(text))


def _plain_signs(text: str) -> str:
    """Return the text with full-width signs as plain ones; its length stays."""
    return text.translate(_FULL_WIDTH)


_FULL_WIDTH = str.maketrans("\uff1d\uff0b\uff0d\uff20\u2212", "=+-@-")
_BEGINNINGS = re.compile(r"(?:^|;)[\s'\"?\ufeff]*(?=[=+\-@])")
