"""Every code an operator may see has advice."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from engine.control.remedies import ADVICE, advice, is_explained
from kogge.shown.fault_lines import fault_lines
from ledger.db.rows import LegState
from mappings.losses.catalogue import REJECTIONS, SKIPS

ROOT = Path(__file__).parents[3]
PACKAGES = ("kogge", "flows", "evidence", "engine", "connectors", "ledger", "mappings", "model")
ERRORS = frozenset({"Transient", "Rejected", "Blocked", "CursorLost", "LeaseLost", "Corrupt"})
KEBAB = re.compile(r"[a-z]+(-[a-z]+)+")


@cache
def nodes() -> tuple[tuple[str, ast.Call | ast.Tuple], ...]:
    """Every call and every pair of the program, and the module that has it."""
    return tuple(
        (".".join(path.relative_to(ROOT).with_suffix("").parts), node)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) or (isinstance(node, ast.Tuple) and len(node.elts) == 2)
    )


@cache
def tree(path: Path) -> ast.Module:
    """What a file of ours says."""
    return ast.parse(path.read_text())


@cache
def constants(module: str) -> dict[str, ast.expr]:
    """What each name stands for that a module of ours sets or imports."""
    found: dict[str, ast.expr] = {}
    path = ROOT / f"{module.replace('.', '/')}.py"
    for node in tree(path).body if path.exists() else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGES):
            every = constants(str(node.module))
            found |= {one.asname or one.name: every[one.name] for one in node.names if one.name in every}
    return found


def words(node: ast.expr, module: str = "") -> Iterator[str]:
    """The strings an expression may become: a constant, a side of a condition, or an entry of a table."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from words(node.body, module)
        yield from words(node.orelse, module)
    elif isinstance(node, ast.Starred | ast.Subscript):
        yield from words(node.value, module)
    elif isinstance(node, ast.Tuple) and node.elts:
        yield from words(node.elts[0], module)
    elif isinstance(node, ast.Dict):
        yield from (word for value in node.values for word in words(value, module))
    elif isinstance(node, ast.Name) and node.id in constants(module):
        yield from words(constants(module)[node.id], module)


def raised() -> set[str]:
    found: set[str] = set()
    for module, node in nodes():
        if (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.func, ast.Name)
            and node.func.id in ERRORS
        ):
            found.update(words(node.args[0], module))
    return found


def ended() -> set[str]:
    """`return LegState.X, "code"`, and `End(LegState.X, "code")`: how legs end without an error."""
    found: set[str] = set()
    for module, node in nodes():
        parts = node.elts if isinstance(node, ast.Tuple) else node.args
        if len(parts) == 2 and ast.unparse(parts[0]).startswith("LegState."):
            found.update(words(parts[1], module))
    return found


def settled() -> set[str]:
    """`(key, "code")`: the fates the transfer gives without an error."""
    source = ROOT / "engine" / "steps" / "copying" / "copy.py"
    return {
        word
        for node in ast.walk(tree(source))
        if isinstance(node, ast.Tuple) and len(node.elts) == 2
        for word in words(node.elts[1])
        if KEBAB.fullmatch(word)
    }


def test_the_search_finds_codes() -> None:
    assert {"login-refused", "over-quota", "source-shrunk"} <= raised()
    assert {"ledger-restored", "mime-conversion-failed", "impersonation-refused"} <= raised(), "by a name"
    assert "lease-lost" in ended()
    assert "kills-worker" in settled()


def test_every_code_has_advice() -> None:
    codes = raised() | ended() | settled() | set(REJECTIONS) | set(SKIPS)
    assert {code for code in codes if not is_explained(code)} == set()


def test_advice_is_one_line_an_operator_can_read() -> None:
    for code, text in ADVICE.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        assert text.endswith(".")
        assert len(text) <= 130
        assert "\n" not in text


def test_a_code_that_nobody_explained_has_a_general_advice() -> None:
    """A connector of somebody else may raise one, and a newer version may have recorded one."""
    assert "--server-words" in advice("no-such-code")
    assert len(advice("no-such-code")) <= 130
    assert "no-such-code (2): This version does not know it" in next(fault_lines({"no-such-code": 2}, ()))
    assert [advice(state) for state in ("", *LegState)] == [""] * (1 + len(LegState))
