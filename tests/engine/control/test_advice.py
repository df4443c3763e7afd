"""Every code an operator may see has advice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from connectors.ews.errors import BLOCKED
from connectors.graph_api.errors import BLOCKED as GRAPH_BLOCKED
from engine.control.remedies import ADVICE, advice
from mappings.losses.catalogue import REJECTIONS, SKIPS

ROOT = Path(__file__).parents[3]
PACKAGES = ("kogge", "flows", "evidence", "engine", "connectors", "ledger", "mappings", "model")
ERRORS = frozenset({"Transient", "Rejected", "Blocked", "CursorLost", "LeaseLost", "Corrupt"})
KEBAB = re.compile(r"[a-z]+(-[a-z]+)+")


@cache
def nodes() -> tuple[ast.Call | ast.Tuple, ...]:
    """Every call and every pair of the program."""
    return tuple(
        node
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) or (isinstance(node, ast.Tuple) and len(node.elts) == 2)
    )


def words(node: ast.expr) -> Iterator[str]:
    """The strings an expression may become: a constant, or either side of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from words(node.body)
        yield from words(node.orelse)


def raised() -> set[str]:
    found: set[str] = set()
    for node in nodes():
        if (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.func, ast.Name)
            and node.func.id in ERRORS
        ):
            found.update(words(node.args[0]))
    return found


def ended() -> set[str]:
    """`return LegState.X, "code"`, and `End(LegState.X, "code")`: how legs end without an error."""
    found: set[str] = set()
    for node in nodes():
        parts = node.elts if isinstance(node, ast.Tuple) else node.args
        if len(parts) == 2 and ast.unparse(parts[0]).startswith("LegState."):
            found.update(words(parts[1]))
    return found


def settled() -> set[str]:
    """`(key, "code")`: the fates the transfer gives without an error."""
    source = (ROOT / "engine" / "steps" / "copying" / "copy.py").read_text()
    return {
        word
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Tuple) and len(node.elts) == 2
        for word in words(node.elts[1])
        if KEBAB.fullmatch(word)
    }


def test_the_search_finds_codes() -> None:
    assert {"login-refused", "over-quota", "source-shrunk"} <= raised()
    assert "lease-lost" in ended()
    assert "kills-worker" in settled()


def test_every_code_has_advice() -> None:
    codes = raised() | ended() | settled() | set(REJECTIONS) | set(SKIPS)
    assert {code for code in codes if not advice(code)} == set()


def test_what_exchange_refuses_has_advice() -> None:
    assert {code for code, _ in BLOCKED.values()} <= ADVICE.keys()


def test_what_graph_refuses_has_advice() -> None:
    assert {code for code, _ in GRAPH_BLOCKED.values()} <= ADVICE.keys()


def test_advice_is_one_line_an_operator_can_read() -> None:
    for code, text in ADVICE.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        assert text.endswith(".")
        assert len(text) <= 130
        assert "\n" not in text


def test_unknown_codes_have_none() -> None:
    assert advice("no-such-code") == ""
