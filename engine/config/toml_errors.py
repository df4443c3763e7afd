"""Turn pydantic's findings about a TOML text into problems with a line, a field and advice."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connectors.settings import Secret
from engine.config.file_errors import Problem, unknown

Path = tuple[str | int, ...]

TABLE = re.compile(r"^\s*+\[\[?\s*+([^\]\s](?:[^\]]*[^\]\s])?+)\s*+\]\]?\s*+(#.*)?$")
KEY = re.compile(r"""^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=""")
PART = re.compile(r""""([^"]*)"|'([^']*)'|([\w-]+)""")

RENAMED: Mapping[Path, str] = {
    ("canary",): "[invitation_probe]",
    ("run", "legs"): "mailboxes_at_once",
    ("admission", "source_legs"): "source_at_once",
}
"""Old keys that an operator's file may still have, and their new names."""

ByKind = Callable[[str, str], type[BaseModel] | None]
"""Returns the model of a table whose `kind` chooses it, given its field and its kind."""


def explained(
    error: ValidationError, text: str, model: type[BaseModel], raw: Mapping[str, Any], by_kind: ByKind
) -> list[Problem]:
    """Return one problem for each finding. Values are left out: one of them may be a misplaced password.

    Args:
        error: pydantic's findings.
        text: the TOML text.
        model: the model of the whole text.
        raw: the parsed text.
        by_kind: see ByKind.
    """
    problems, line_of = [], lines_of(text)
    for detail in error.errors(include_url=False, include_input=False):
        path = detail["loc"]
        advice = _advice(
            detail, model_at(model, path[:-1], raw, by_kind), model_at(model, path, raw, by_kind)
        )
        problems.append(Problem(line_of(path), ".".join(str(part) for part in path), advice))
    return problems


def lines_of(text: str) -> Callable[[Path], int]:
    """Return a function that finds the line that sets a path.

    The line is counted from 1. If no line sets the path, it is that of the nearest table around it; 0 if
    there is none.
    """
    first: dict[tuple[str, ...], int] = {}
    for number, key in _assignments(text):
        first.setdefault(key, number)

    def line(path: Path) -> int:
        key = tuple(map(str, path))
        around = (first.get(key[:depth]) for depth in range(len(key), 0, -1))
        return next((number for number in around if number is not None), 0)

    return line


def _assignments(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """Return line and full key of every table header and key of a TOML text, except inside inline tables."""
    assignments: list[tuple[int, tuple[str, ...]]] = []
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if header := TABLE.match(line):
            table = _parts(header[1])
            assignments.append((number, table))
        elif key := KEY.match(line):
            assignments.append((number, table + _parts(key[1])))
    return assignments


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(next(filter(None, part), "") for part in PART.findall(dotted))


def model_at(model: type[BaseModel], path: Path, raw: Any, by_kind: ByKind) -> type[BaseModel] | None:
    """Return the model to which a path leads; None if there is a plain value.

    Args:
        model: the model of the whole text.
        path: the path.
        raw: the parsed text: its `kind` chooses where the type alone does not.
        by_kind: see ByKind.
    """
    current: type[BaseModel] | None = model
    for part in path:
        raw = raw.get(part) if isinstance(raw, dict) else None
        if current is None or part not in current.model_fields:
            return None
        current = _model_in(current, str(part), raw, by_kind)
    return current


def _model_in(owner: type[BaseModel], name: str, raw: Any, by_kind: ByKind) -> type[BaseModel] | None:
    annotation = owner.model_fields[name].annotation
    origin = typing.get_origin(annotation)
    options = typing.get_args(annotation) if origin in (typing.Union, types.UnionType) else (annotation,)
    if any(option is Any or typing.get_args(option)[:1] == (Any,) for option in options):
        return by_kind(name, str(raw.get("kind", ""))) if isinstance(raw, dict) else None
    return next(
        (option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None
    )


def _advice(detail: ErrorDetails, owner: type[BaseModel] | None, own: type[BaseModel] | None) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden" and detail["loc"] in RENAMED:
        return f"is now called {RENAMED[detail['loc']]}; rename it"
    if kind == "extra_forbidden":
        return _unknown_field(str(detail["loc"][-1]), owner)
    if own is Secret and kind in ("model_type", "dict_type", "model_attributes_type"):
        return 'a secret is named, never written here: { env = "NAME" } or { file = "PATH" }'
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "must be a table"
    if kind == "literal_error":
        return f"give one of {context.get('expected', '')}"
    if kind.startswith("int_"):
        return "give a whole number"
    return _plain(detail["msg"])


def _unknown_field(name: str, owner: type[BaseModel] | None) -> str:
    """Return advice on an unknown name: the nearest one, or the field of that name of a table within."""
    fields = owner.model_fields if owner else {}
    advice = unknown(name, fields)
    if owner is None or "did you mean" in advice:
        return advice
    tables = {table: model_at(owner, (table,), {}, lambda *_: None) for table in fields}
    within = [f"{table}.{name}" for table, model in tables.items() if model and name in model.model_fields]
    return f"unknown; did you mean {' or '.join(within)}?" if within else advice


def _plain(message: str) -> str:
    """Return our own words unchanged, and pydantic's with a verb."""
    text = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return text[:1].lower() + text[1:]
