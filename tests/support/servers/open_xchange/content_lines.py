"""Read and write the lines of iCalendar and vCard as they stand: names, parameters, values.

A server is told from another by what it does to a line, so nothing is interpreted here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

FOLD = 75
_FOLDED = re.compile(r"\r?\n[ \t]")
_ESCAPES = {"n": "\n", "N": "\n"}


class Unreadable(ValueError):
    """The text is no iCalendar and no vCard."""


@dataclass(frozen=True, slots=True)
class Line:
    """One content line. name and the names of params are in upper case; values are as written, escapes too,
    but without the quotes of a parameter; a parameter of several values has them in one text, by commas."""

    name: str
    value: str
    params: tuple[tuple[str, str], ...] = ()
    group: str = ""

    def param(self, name: str) -> str:
        """The parameter's value; "" without it."""
        return next((value for known, value in self.params if known == name), "")

    def types(self) -> list[str]:
        """Every value of every TYPE parameter, in lower case."""
        known = (value for name, value in self.params if name == "TYPE")
        return [one.strip().lower() for value in known for one in value.split(",") if one.strip()]

    def with_param(self, name: str, value: str) -> Line:
        """The same line with that parameter at the end, instead of any of the name; "" removes it."""
        others = tuple(one for one in self.params if one[0] != name)
        return replace(self, params=(*others, (name, value)) if value else others)


@dataclass(frozen=True, slots=True)
class Part:
    """A component: VCALENDAR, VEVENT, VALARM, VCARD and so on."""

    name: str
    lines: tuple[Line, ...] = ()
    parts: tuple[Part, ...] = ()

    def first(self, name: str) -> Line | None:
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name: str) -> list[Line]:
        return [line for line in self.lines if line.name == name]

    def value(self, name: str) -> str:
        """The first such line's value; "" without one."""
        line = self.first(name)
        return line.value if line is not None else ""

    def of(self, *names: str) -> list[Part]:
        return [part for part in self.parts if part.name in names]

    def without(self, *names: str) -> Part:
        return replace(self, lines=tuple(line for line in self.lines if line.name not in names))

    def plus(self, *lines: Line) -> Part:
        return replace(self, lines=(*self.lines, *lines))

    def put(self, name: str, value: str) -> Part:
        """With this line in place of all of its name."""
        return self.without(name).plus(Line(name, value))

    def mapped(self, change: Callable[[Line], Line | None]) -> Part:
        """Every line changed, or left out for None; the parts inside stay as they are."""
        changed = (change(line) for line in self.lines)
        return replace(self, lines=tuple(line for line in changed if line is not None))


def parse(text: str) -> Part:
    """Read one component with everything in it. Raises Unreadable."""
    lines = iter([one for one in _FOLDED.sub("", text).replace("\r", "").split("\n") if one.strip()])
    begin = next(lines, "")
    if not begin.upper().startswith("BEGIN:"):
        raise Unreadable
    return _part(begin[6:].strip().upper(), lines)


def _part(name: str, lines: Iterator[str]) -> Part:
    own: list[Line] = []
    inner: list[Part] = []
    for text in lines:
        head, _, value = text.partition(":")
        if head.upper() == "BEGIN":
            inner.append(_part(value.strip().upper(), lines))
        elif head.upper() == "END":
            return Part(name, tuple(own), tuple(inner))
        else:
            own.append(line(text))
    raise Unreadable


def line(text: str) -> Line:
    """Read one unfolded line. Raises Unreadable without a colon."""
    pieces = _split(text)
    name, *params = pieces[:-1]
    group, _, short = name.rpartition(".")
    known = []
    for one in params:
        key, _, value = one.partition("=")
        known.append((key.upper(), value.replace('"', "")) if value else ("TYPE", key))
    return Line(short.upper(), pieces[-1], tuple(known), group)


def _split(text: str) -> list[str]:
    """Name, parameters and, last, the value: at colons and semicolons outside of quotes."""
    found: list[str] = []
    start, quoted = 0, False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter in ":;" and not quoted:
            found.append(text[start:place])
            start = place + 1
            if letter == ":":
                return [*found, text[start:]]
    raise Unreadable


def text_of(part: Part) -> str:
    """Write a component, folded at 75 characters, with CRLF."""
    return "\r\n".join(_folded(one) for one in _texts(part)) + "\r\n"


def _texts(part: Part) -> Iterable[str]:
    yield f"BEGIN:{part.name}"
    for one in part.lines:
        params = "".join(f";{name}={_quoted(name, value)}" for name, value in one.params)
        yield (
            f"{one.group}.{one.name}{params}:{one.value}" if one.group else f"{one.name}{params}:{one.value}"
        )
    for inner in part.parts:
        yield from _texts(inner)
    yield f"END:{part.name}"


def _quoted(name: str, value: str) -> str:
    special = ":;" if name == "TYPE" else ":;,"
    return f'"{value}"' if any(letter in value for letter in special) else value


def _folded(text: str) -> str:
    pieces = [text[:FOLD], *(text[at : at + FOLD - 1] for at in range(FOLD, len(text), FOLD - 1))]
    return "\r\n ".join(pieces)


def plain(value: str) -> str:
    """A TEXT value without its escapes."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), value)


def escaped(text: str) -> str:
    """A text as a TEXT value."""
    return re.sub(r"([\\;,])", r"\\\1", text).replace("\n", "\\n")


def fields(value: str, by: str) -> list[str]:
    """The values between separators that no backslash escapes, each as written."""
    return re.split(rf"(?<!\\){re.escape(by)}", value)
