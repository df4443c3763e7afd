"""Judge the query options of a request to Microsoft Graph: every property they name must be there.

Read are $select, $orderby, $expand with its own options, and $filter with the variables of any() and all().
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from judges.csdl import Csdl, Place, Unknown

PLAIN = frozenset(
    {"$top", "$skip", "$count", "$search", "$format", "$skiptoken", "$deltatoken", "$skipToken"}
)
PARAMETERS = frozenset({"startDateTime", "endDateTime", "changeType", "includeHiddenFolders", "token"})
"""What calendarView, delta and childFolders take beside the options of OData."""
_TEXT = re.compile(r"'(?:[^']|'')*'")
_LAMBDA = re.compile(r"([A-Za-z_][\w/]*)/(?:any|all)\((\w+):")
_NAME = re.compile(r"(?<![\w'$.:-])([A-Za-z_][\w/.]*)(?![\w(:])")
_WORDS = frozenset(
    {"eq", "ne", "gt", "ge", "lt", "le", "and", "or", "not", "in", "has", "true", "false", "null"}
)
_DIRECTIONS = frozenset({"asc", "desc"})


def wrong_options(csdl: Csdl, at: Place, options: Mapping[str, str]) -> Iterator[str]:
    """What is not in the description of where the request goes to."""
    for name, value in options.items():
        if name == "$select":
            yield from _paths(csdl, at.type, name, value.split(","))
        elif name == "$orderby":
            yield from _ordered(csdl, at.type, value)
        elif name == "$expand":
            yield from _expanded(csdl, at.type, value)
        elif name == "$filter":
            yield from _filtered(csdl, at.type, value)
        elif name not in PLAIN | PARAMETERS:
            yield f"no query option is {name!r}"


def _paths(csdl: Csdl, type_: str, option: str, paths: list[str]) -> Iterator[str]:
    for path in paths:
        try:
            _followed(csdl, type_, path.strip())
        except Unknown as unknown:
            yield f"{option}: {unknown}"


def _followed(csdl: Csdl, type_: str, path: str) -> Place:
    """Where a path of properties and casts leads. Raises Unknown."""
    at = Place(type_)
    for step in path.split("/"):
        cast = csdl.full(step)
        at = Place(cast) if "." in step and csdl.knows(cast) else csdl.property(at.type, step)
    return at


def _ordered(csdl: Csdl, type_: str, value: str) -> Iterator[str]:
    for term in value.split(","):
        path, _, direction = term.strip().partition(" ")
        yield from _paths(csdl, type_, "$orderby", [path])
        if direction and direction not in _DIRECTIONS:
            yield f"$orderby: {direction!r} is no direction"


def _expanded(csdl: Csdl, type_: str, value: str) -> Iterator[str]:
    for term in split(value, ","):
        path, _, inner = term.strip().partition("(")
        try:
            at = _followed(csdl, type_, path)
        except Unknown as unknown:
            yield f"$expand: {unknown}"
            continue
        pairs = (option.strip().partition("=") for option in split(inner.removesuffix(")"), ";") if option)
        yield from (f"$expand={path}: {one}" for one in wrong_options(csdl, at, {k: v for k, _, v in pairs}))


def _filtered(csdl: Csdl, type_: str, value: str) -> Iterator[str]:
    bare = _TEXT.sub("''", value)
    variables = {"": type_}
    for path, variable in _LAMBDA.findall(bare):
        try:
            variables[variable] = _followed(csdl, type_, path).type
        except Unknown as unknown:
            yield f"$filter: {unknown}"
    for name in _NAME.findall(_LAMBDA.sub("(", bare)):
        variable, _, path = name.partition("/")
        if name in _WORDS or name in variables:
            continue
        if variable in variables:
            yield from _paths(csdl, variables[variable], "$filter", [path])
        else:
            yield from _paths(csdl, type_, "$filter", [name])


def split(text: str, at: str) -> Iterator[str]:
    """The parts between separators that are in no parentheses and in no quotes."""
    depth, quoted, begin = 0, False, 0
    for place, sign in enumerate(text):
        quoted ^= sign == "'"
        if quoted:
            continue
        depth += (sign == "(") - (sign == ")")
        if sign == at and depth == 0:
            yield text[begin:place]
            begin = place + 1
    yield text[begin:]
