"""Every regular expression of the program, found in its source, and the texts that are worst for each.

The texts come out of the expression itself: each of its repetitions is blown up to 100 kB behind the shortest
text that leads to it, and what follows does not fit; every prefix of a text that fits is repeated; and runs
of each character that the expression names, alone and in pairs.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from hostile_runs import ROOT, USUAL, Case, run_all

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    parser = importlib.import_module("re._parser")

PACKAGES = ("model", "mappings", "connectors", "ledger", "engine", "evidence", "reports", "flows", "kogge")
LENGTH = int(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else USUAL
COMMON = " \t\r\n\0ax0=;:,.\"'\\<>()[]{}@?*-+/&%#_\xa0"
DYNAMIC = {"mappings/mail/rendering.py": (rb"\r\n--(a|b)(--)?[ \t]{0,20}(?=\r\n|\Z)",)}
"""Expressions that are built at run time: what they look like."""


@dataclass(frozen=True)
class Expression:
    where: str
    pattern: re.Pattern[str] | re.Pattern[bytes]
    uses: frozenset[str]


def expressions() -> list[Expression]:
    """One for each call of `re` in the program, with the methods that the program calls on it."""
    found: dict[tuple[object, int], Expression] = {}
    for path in _sources():
        for one in _in_module(path):
            key = (one.pattern.pattern, one.pattern.flags)
            known = found.get(key)
            found[key] = Expression(one.where, one.pattern, one.uses | (known.uses if known else frozenset()))
    return list(found.values())


def _sources() -> Iterator[Path]:
    return (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))


METHODS = ("search", "match", "fullmatch", "sub", "subn", "findall", "finditer", "split")


def _in_module(path: Path) -> Iterator[Expression]:
    where = str(path.relative_to(ROOT))
    text = path.read_text()
    if "import re\n" not in text and "from re " not in text:
        return
    tree = ast.parse(text)
    module = importlib.import_module(where.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
    compiled = {id(one.value): one for one in tree.body if isinstance(one, ast.Assign)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_re(node.func) and id(node) not in compiled:
            yield from _of_call(where, module, node)
    for name, value in vars(module).items():
        if isinstance(value, re.Pattern):
            yield Expression(
                f"{where} {name}", value, frozenset(_uses().get((where, name)) or _uses()["", name])
            )


@cache
def _uses() -> dict[tuple[str, str], set[str]]:
    """By (file, name) and, for names that others may import, by ("", name): the methods that are called on
    what has the name, or is passed on."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path in _sources():
        where = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in METHODS:
                found[where, node.value.id].add(node.attr)
                found["", node.value.id].add(node.attr)
    return found


def _is_re(called: ast.expr) -> bool:
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "re"
        and called.attr in ("compile", *METHODS)
    )


def _of_call(where: str, module: ModuleType, call: ast.Call) -> Iterator[Expression]:
    assert isinstance(call.func, ast.Attribute)
    uses = frozenset(METHODS if call.func.attr == "compile" else (call.func.attr,))
    source = ast.unparse(call.args[0])
    flags = next((ast.unparse(one.value) for one in call.keywords if one.arg == "flags"), "0")
    if call.func.attr in ("compile", "search", "match", "fullmatch") and len(call.args) > 1 + (
        call.func.attr != "compile"
    ):
        flags = ast.unparse(call.args[-1])
    try:
        pattern = re.compile(*eval(f"({source}, {flags})", vars(module)))
    except NameError:  # put together at run time
        for known in DYNAMIC[where]:
            yield Expression(where, re.compile(known), uses)
        return
    yield Expression(f"{where}:{call.lineno}", pattern, uses)


def hostile(pattern: re.Pattern[str] | re.Pattern[bytes]) -> Iterator[tuple[str, str]]:
    """(what it is, text) of every hostile text for an expression, as str; latin-1 makes it bytes."""
    tree = parser.parse(
        pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    )
    fits = _sample(tree, -1, itertools.count())
    letters = list(dict.fromkeys(itertools.chain(_letters(tree), fits)))[:12]
    for letter in dict.fromkeys([*letters, *COMMON]):
        yield f"run of {letter!r}", letter * LENGTH + "\1"
    for one, other in _pairs(letters):
        yield f"pairs of {one + other!r}", (one + other) * (LENGTH // 2)
    for size in range(2, len(fits) + 1):
        yield f"repeated {fits[:size]!r}", fits[:size] * (LENGTH // size)
    for number in range(_repeats(tree)):
        blown = _sample(tree, number, itertools.count())
        for end in ("", "\1", "\n"):
            yield f"repetition {number}", blown + end
            yield f"half of repetition {number}", blown[: len(blown) // 2] + end


def _pairs(letters: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The long run tries each pair both ways; the other way is the same text without its first character."""
    return itertools.permutations(letters, 2) if LENGTH > USUAL else itertools.combinations(letters, 2)


def _parts(tree: object) -> Iterator[tuple[str, object]]:
    for operation, value in tree:  # type: ignore[attr-defined]
        yield str(operation), value


REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def _repeats(tree: object) -> int:
    counter = itertools.count()
    _sample(tree, -1, counter)
    return next(counter)


def _sample(tree: object, blown: int, counter: Iterator[int]) -> str:
    """The shortest text that fits, nearly; the blown-th repetition is as long as LENGTH."""
    made = ""
    for operation, value in _parts(tree):
        if operation in REPEATS:
            number = next(counter)
            low, _, inner = value  # type: ignore[misc]
            one = _sample(inner, blown, counter) or "a"
            made += one * (max(1, LENGTH // len(one)) if number == blown else max(low, 1))
        elif operation == "SUBPATTERN":
            made += _sample(value[-1], blown, counter)  # type: ignore[index]
        elif operation == "ATOMIC_GROUP":
            made += _sample(value, blown, counter)
        elif operation == "BRANCH":
            branches = [_sample(one, blown, counter) for one in value[1]]  # type: ignore[index]
            made += branches[0]
        elif operation == "ASSERT":
            made += _sample(value[1], blown, counter) if value[0] > 0 else ""  # type: ignore[index]
        else:
            made += next(iter(_own(operation, value)), "")
    return made


def _letters(tree: object) -> Iterator[str]:
    for operation, value in _parts(tree):
        if operation in REPEATS or operation == "SUBPATTERN":
            yield from _letters(value[-1])  # type: ignore[index]
        elif operation == "ATOMIC_GROUP":
            yield from _letters(value)
        elif operation == "BRANCH":
            for one in value[1]:  # type: ignore[index]
                yield from _letters(one)
        elif operation in ("ASSERT", "ASSERT_NOT"):
            yield from _letters(value[1])  # type: ignore[index]
        else:
            yield from _own(operation, value)


CATEGORIES = {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "1", "CATEGORY_WORD": "w"}


def _own(operation: str, value: object) -> Iterator[str]:
    """Characters that a single place of an expression takes."""
    if operation == "LITERAL":
        yield chr(value)  # type: ignore[arg-type]
    elif operation in ("ANY", "NOT_LITERAL"):
        yield "y"
    elif operation == "CATEGORY":
        yield CATEGORIES.get(str(value), "y")
    elif operation == "RANGE":
        yield chr(value[0])  # type: ignore[index]
    elif operation == "IN":
        if str(value[0][0]) == "NEGATE":  # type: ignore[index]
            yield "y"
        for inner, each in _parts(value):
            yield from _own(inner, each) if inner != "NEGATE" else ()


def cases() -> Iterator[Case]:
    for one in expressions():
        is_bytes = isinstance(one.pattern.pattern, bytes)
        for name, text in hostile(one.pattern):
            given = text.encode("latin-1", "replace") if is_bytes else text
            yield f"{one.where} {one.pattern.pattern!r}: {name}", lambda e=one, t=given: _used(e, t)


def _used(one: Expression, text: str | bytes) -> None:
    pattern = one.pattern
    if not one.uses or "match" in one.uses:
        pattern.match(text)  # type: ignore[arg-type]
    if "fullmatch" in one.uses:
        pattern.fullmatch(text)  # type: ignore[arg-type]
    if one.uses == {"search"}:
        pattern.search(text)  # type: ignore[arg-type]
    elif not one.uses <= {"match", "fullmatch"}:
        pattern.sub(text[:0], text)  # type: ignore[call-overload]


if __name__ == "__main__":
    run_all(cases(), length=LENGTH)
