"""Every module of the program that parses what somebody else wrote, found by the calls that parse."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("connectors", "mappings", "engine", "kogge")
"""The floors above the ledger that meet a server, or a message."""
_NAMES = """
    decode_header make_header getaddresses parseaddr parsedate_to_datetime parsedate parsedate_tz BytesParser
    BytesHeaderParser Parser HeaderParser message_from_bytes message_from_string message_from_binary_file
    message_of parameterised text_of get_content_charset get_filename XMLParser HTMLParser XMLPullParser
    iterparse fromstring ZipFile from_ical loads tolerant read_message_id
"""
PARSERS = frozenset(_NAMES.split())
"""Names of calls that parse mail, XML, HTML, JSON, iCalendar, vCard, dates or archives."""
LITERAL = frozenset({"utf-8", "utf-8-sig", "utf8", "ascii", "us-ascii", "latin-1", "utf-16-le", "idna"})


def modules() -> dict[str, set[str]]:
    """By module, the parsing calls in it."""
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if calls := set(_calls(ast.parse(path.read_text()))):
                found[str(path.relative_to(ROOT))] = calls
    return found


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        if (
            name in PARSERS
            or name == "json_answer.read"
            or (name == "decode" and node.args and not _is_literal(node.args[0]))
        ):
            yield name


def _name(called: ast.expr) -> str:
    if isinstance(called, ast.Name):
        return called.id
    if isinstance(called, ast.Attribute):
        of = called.value.id if isinstance(called.value, ast.Name) else ""
        return f"{of}.{called.attr}" if of == "json_answer" else called.attr
    return ""


def _is_literal(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and argument.value in LITERAL
