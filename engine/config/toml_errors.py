"""Turn pydantic's findings about a TOML text into problems with a line, a field and advice."""

from __future__ import annotations

import re
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connectors.settings import Secret
from engine.config.file_errors import Problem, lowered, unknown

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

CHOICE = re.compile(r"[a-z-]+\[.*\]")
"""How pydantic names a type within the place of a finding: dict[str,any], function-after[f(), str]."""
OURS = frozenset({"value_error", "advice"})
"""Kinds of errors whose words come from our own checks."""
TABLE_NEEDED = "must be a table"
OTHER_TYPE = frozenset({"string_type", "dict_type", "model_type"})
"""Kinds of errors of a value that is of another type, so that another choice was probably meant."""
WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "bool_parsing": "give true or false",
    "bool_type": "give true or false",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_parsing_size": "give a smaller number",
    "int_from_float": "give a whole number",
    "float_type": "give a number",
    "float_parsing": "give a number",
    "finite_number": "give a number",
    "greater_than": "give a number above {gt}",
    "greater_than_equal": "give {ge} or more",
    "less_than_equal": "give {le} or less",
    "date_type": "give a date like 2026-03-31",
    "date_from_datetime_inexact": "give a date like 2026-03-31",
    "date_from_datetime_parsing": "give a date like 2026-03-31",
    "string_type": "give a text in quotes",
    "path_type": "give the name of a file or a folder in quotes",
    "string_too_short": "give {min_length} characters or more",
    "string_too_long": "give {max_length} characters or fewer",
    "literal_error": "give {expected}",
    "tuple_type": "give a list in square brackets",
    "list_type": "give a list in square brackets",
    "too_short": "give {min_length} entries or more",
    "dict_type": TABLE_NEEDED,
    "model_type": TABLE_NEEDED,
}
"""What is said about each kind of error that pydantic finds, in place of its own words."""

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
    for detail in _of_one_choice(error.errors(include_url=False, include_input=False)):
        path = tuple(part for part in detail["loc"] if not _is_choice(part))
        advice = _advice(
            detail, model_at(model, path[:-1], raw, by_kind), model_at(model, path, raw, by_kind)
        )
        problems.append(Problem(line_of(path), ".".join(str(part) for part in path), advice))
    return problems


def _of_one_choice(details: Iterable[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Yield the findings, but where a value may have one of several types, only those about one of them."""
    chosen: dict[Path, str | int] = {}
    for detail in sorted(details, key=_is_of_other_type):
        place = detail["loc"]
        depth = next((depth for depth, part in enumerate(place) if _is_choice(part)), None)
        if depth is None or chosen.setdefault(place[:depth], place[depth]) == place[depth]:
            yield detail


def _is_of_other_type(detail: ErrorDetails) -> bool:
    return detail["type"] in OTHER_TYPE and any(map(_is_choice, detail["loc"][-1:]))


def _is_choice(part: str | int) -> bool:
    """Return True for a part of a place that is no key: it names one of the types that a value may have."""
    return isinstance(part, str) and CHOICE.fullmatch(part) is not None


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
    """Return line and full key of every table header and key of a TOML text, except inside inline tables.

    The key of an entry of an array of tables has its number, from 0.
    """
    assignments: list[tuple[int, tuple[str, ...]]] = []
    table: tuple[str, ...] = ()
    entries: Counter[tuple[str, ...]] = Counter()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if header := TABLE.match(line):
            table = ()
            for part in _parts(header[1]):
                table = (*table, str(entries[table] - 1), part) if table in entries else (*table, part)
            if line.lstrip().startswith("[["):
                assignments.append((number, table))
                entries[table] += 1
                table = (*table, str(entries[table] - 1))
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
    found: list[Any] = [model]
    for part in path:
        raw = raw.get(part) if isinstance(raw, dict) else None
        found = [kind for one in found for kind in _within(one, str(part), raw, by_kind)]
    return next((one for one in found if _is_model(one)), None)


def _within(owner: Any, name: str, raw: Any, by_kind: ByKind) -> Iterator[Any]:
    """Yield the types that a part of a value of this type may have."""
    if not _is_model(owner):  # dict[str, Inner] or tuple[Inner, ...]
        inner = [one for one in typing.get_args(owner) if one is not ...]
        yield from _choices(inner[-1]) if inner else ()
    elif name in owner.model_fields:
        for one in _choices(owner.model_fields[name].annotation):
            chosen = by_kind(name, str(raw.get("kind", ""))) if one is Any and isinstance(raw, dict) else one
            yield chosen


def _choices(annotation: Any) -> Iterator[Any]:
    """Yield each type of a union, without what else its annotation says."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for one in typing.get_args(annotation):
            yield from _choices(one)
    else:
        yield typing.get_args(annotation)[0] if origin is Annotated else annotation


def _is_model(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def _advice(detail: ErrorDetails, owner: type[BaseModel] | None, own: type[BaseModel] | None) -> str:
    """Return Kogge's words about a finding: those of our own checks, or those of its kind of error."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in OURS:
        return lowered(detail["msg"].removeprefix("Value error, "))
    if kind == "extra_forbidden" and detail["loc"] in RENAMED:
        return f"is now called {RENAMED[detail['loc']]}; rename it"
    if kind == "extra_forbidden":
        return _unknown_field(str(detail["loc"][-1]), owner)
    if own is Secret and WORDS.get(kind) == TABLE_NEEDED:
        return 'a secret is named, never written here: { env = "NAME" } or { file = "PATH" }'
    if kind in ("string_too_short", "too_short") and context["min_length"] == 1:
        return "must not be empty"
    limits = {name: f"{limit:.12g}" for name, limit in context.items() if isinstance(limit, int | float)}
    return WORDS.get(kind, "this value cannot stand here").format(**{**context, **limits})


def _unknown_field(name: str, owner: type[BaseModel] | None) -> str:
    """Return advice on an unknown name: the nearest one, or the field of that name of a table within."""
    fields = owner.model_fields if owner else {}
    advice = unknown(name, fields, "the page Configuration of the documentation lists all")
    if owner is None or "did you mean" in advice:
        return advice
    tables = {table: model_at(owner, (table,), {}, lambda *_: None) for table in fields}
    within = [f"{table}.{name}" for table, model in tables.items() if model and name in model.model_fields]
    return f"unknown; did you mean {' or '.join(within)}?" if within else advice
