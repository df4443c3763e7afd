"""Every kind of event that the program can record, read from its source: a kind that is added is found here
without anybody thinking of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("kogge", "flows", "reports", "evidence", "engine", "ledger")
APPEND, EVENT = "append_event", "event"
"""The names of what adds to a chain; the kind is the last but one of what is given by place."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Source:
    """A module, and where each of its calls stands."""

    def __init__(self, path: Path) -> None:
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.tree = ast.parse(path.read_text())
        self.calls: list[tuple[ast.Call, Function | None]] = []
        self._walk(self.tree, None)

    def constant(self, name: str) -> str:
        return str(getattr(import_module(self.name), name))

    def _walk(self, node: ast.AST, inside: Function | None) -> None:
        if isinstance(node, ast.Call):
            self.calls.append((node, inside))
        inside = node if isinstance(node, Function) else inside
        for child in ast.iter_child_nodes(node):
            self._walk(child, inside)


def _named(call: ast.Call) -> str:
    target = call.func
    return (
        target.attr
        if isinstance(target, ast.Attribute)
        else target.id
        if isinstance(target, ast.Name)
        else ""
    )


class Kinds:
    def __init__(self) -> None:
        paths = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
        self._sources = [
            Source(path) for path in paths if path.name != "__init__.py" and "migrations" not in path.parts
        ]

    def all(self) -> set[str]:
        """Without what follows a colon. Raises LookupError where a kind cannot be told from the source."""
        found = set()
        for source in self._sources:
            for call, inside in source.calls:
                passes_on = inside is not None and inside.name == EVENT
                if _named(call) in (APPEND, EVENT) and len(call.args) >= 2 and not passes_on:
                    found |= set(self._values(call.args[-2], inside, source))
        return {kind.partition(":")[0] for kind in found}

    def _values(self, node: ast.expr, inside: Function | None, source: Source) -> Iterator[str]:
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
                yield text
            case ast.JoinedStr(values=[ast.FormattedValue(value=ast.Name(id=name)), *_]):
                yield from self._of_name(name, inside, source)
            case ast.BinOp(left=left):
                yield from self._values(left, inside, source)
            case ast.IfExp(body=body, orelse=other):
                yield from self._values(body, inside, source)
                yield from self._values(other, inside, source)
            case ast.Name(id=name):
                yield from self._of_name(name, inside, source)
            case ast.Call(func=ast.Name(id=name)):
                yield from self._returned(name, source)
            case _:
                raise LookupError(f"{source.name}:{node.lineno}: {ast.unparse(node)}")

    def _of_name(self, name: str, inside: Function | None, source: Source) -> Iterator[str]:
        """A variable's, a parameter's, or a constant's."""
        if inside is not None:
            assigned = [
                one.value
                for one in ast.walk(inside)
                if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == name
            ]
            parameters = [one.arg for one in inside.args.args]
            if assigned or name in parameters:
                for value in assigned:
                    yield from self._values(value, inside, source)
                if not assigned:
                    yield from self._given(inside, parameters, name, source)
                return
        yield source.constant(name)

    def _given(self, function: Function, parameters: list[str], name: str, home: Source) -> Iterator[str]:
        """What others give to the function as this parameter; to a private one, those of its own module."""
        at = parameters.index(name) - (parameters[0] == "self")
        for source in [home] if function.name.startswith("_") else self._sources:
            for call, inside in source.calls:
                if _named(call) == function.name and len(call.args) > at and inside is not function:
                    yield from self._values(call.args[at], inside, source)

    def _returned(self, name: str, source: Source) -> Iterator[str]:
        for node in ast.walk(source.tree):
            if isinstance(node, Function) and node.name == name:
                for one in ast.walk(node):
                    if isinstance(one, ast.Return) and one.value is not None:
                        yield from self._values(one.value, node, source)
