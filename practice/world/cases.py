"""Reads the practice world's data: a folder with a sub-folder for each kind of item.

A case is one odd item, written down in practice/world/data: a table of a TOML file whose keys are the fields
of the item's class. Values become what the class says they are; `false` stands for "the item has none".
Texts may have places for what differs from mailbox to mailbox: ${owner.name}. practice/world/data/README.md
lists them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, datetime
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Literal, Union, get_args, get_origin, get_type_hints

DATA = Path(__file__).parent / "data"
Fill = Callable[[str, str], str]
"""What stands for a place: its name, and what follows the colon in it."""
PLACE = re.compile(r"\$\{([a-z_]+[0-9]?(?:\.[a-z_]+)?)(?::([^}]*))?\}")
"""${name}, ${name.part} or ${name:rest}."""
_NAMES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
                           datetime: "a date and time", date: "a date"}  # fmt: skip


class CaseError(ValueError):
    """A data file says what is not understood; the message names the file, the case and the field."""


@dataclass(frozen=True, slots=True)
class Case:
    """One table of a data file."""

    file: Path
    name: str
    table: Mapping[str, object]

    def error(self, at: str, text: str) -> CaseError:
        """at: the field, with dots between it and what it lies in."""
        place = ".".join(part for part in (self.name, at) if part)
        file = f"{self.file.parent.name}/{self.file.name}"
        return CaseError(": ".join(part for part in (file, place, text) if part))


def read(kind: str, folder: Path = DATA) -> dict[str, Case]:
    """Returns the cases of a kind ("contacts") in their order: file by file by name, and as they stand there.

    Raises:
        CaseError: A file is no TOML, or has a name twice.
    """
    found: dict[str, Case] = {}
    for path in sorted((folder / kind).glob("*.toml")):
        for name, table in _parsed(path).items():
            case = Case(path, name, table if isinstance(table, dict) else {})
            if not isinstance(table, dict):
                raise case.error("", "is no table: write [" + name + "] above its fields")
            if name in found:
                raise case.error("", f"is in {found[name].file.name} already")
            found[name] = case
    return found


def _parsed(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CaseError(f"{path.parent.name}/{path.name}: is no TOML: {error}") from None


def places(text: str, fill: Fill) -> str:
    """Returns the text with its places filled.

    Raises:
        KeyError: A place has no meaning here; its argument is the place.
    """
    return PLACE.sub(lambda found: fill(found[1], found[2] or ""), text)


@dataclass(frozen=True, slots=True)
class Reading:
    """Makes objects of one case. special: what makes a value of a class in its own way, and
    ("Common.properties") of a field."""

    case: Case
    fill: Fill
    special: Mapping[object, Callable[[Reading, object, str], object]]

    def of(self, cls: type, table: object, at: str = "", **given: object) -> object:
        """Returns an instance of a dataclass; given: fields that the table does not have.

        Raises:
            CaseError: The table has a field that is none, lacks one, or has a value of another type.
        """
        rows = self.table(table, at)
        known = _hints(cls)
        for key in rows:
            if key not in known or key in given:
                names = ", ".join(sorted(known.keys() - given.keys()))
                raise self.case.error(f"{at}.{key}".strip("."), f"is no field; there are {names}")
        for each in fields(cls):
            required = each.default is MISSING and each.default_factory is MISSING
            if required and each.name not in rows and each.name not in given:
                raise self.case.error(f"{at}.{each.name}".strip("."), "is missing")
        made = {key: self._field(cls, key, known[key], value, at) for key, value in rows.items()}
        return cls(**given, **made)

    def _field(self, cls: type, key: str, hint: object, value: object, at: str) -> object:
        place = f"{at}.{key}".strip(".")
        special = self.special.get(f"{cls.__name__}.{key}")
        return special(self, value, place) if special else self.value(hint, value, place)

    def table(self, value: object, at: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self.case.error(at, "must be a table")
        return value

    def text(self, value: object, at: str) -> str:
        """Returns a text with its places filled."""
        if not isinstance(value, str):
            raise self.case.error(at, f"must be {_NAMES[str]}")
        try:
            return places(value, self.fill)
        except KeyError as error:
            raise self.case.error(at, f"has a place that means nothing here: ${{{error.args[0]}}}") from None

    def value(self, hint: object, value: object, at: str) -> object:
        """Returns what a value of this type hint is."""
        if hint in self.special:
            return self.special[hint](self, value, at)
        origin = get_origin(hint)
        if origin is tuple:
            return self._tuple(get_args(hint), value, at)
        if origin in (Union, UnionType):
            return self._one_of(get_args(hint), value, at)
        if origin is Literal:
            return self._word(get_args(hint), value, at)
        if isinstance(hint, type) and hint not in _NAMES:
            return self.of(hint, value, at)
        return self._plain(hint, value, at)

    def _plain(self, hint: object, value: object, at: str) -> object:
        if hint is str:
            return self.text(value, at)
        # A whole number is a number, true is none; a date and time is no date.
        right = type(value) in {int: (int,), float: (int, float), bool: (bool,)}.get(hint, (hint,))  # type: ignore[call-overload]
        if not right:
            raise self.case.error(at, f"must be {_NAMES[hint]}")  # type: ignore[index]
        return value

    def _word(self, words: tuple[object, ...], value: object, at: str) -> object:
        if value not in words:
            raise self.case.error(at, f"must be one of {', '.join(map(str, words))}")
        return value

    def _one_of(self, hints: tuple[object, ...], value: object, at: str) -> object:
        if value is False and type(None) in hints:
            return None
        wanted = [hint for hint in hints if hint is not type(None)]
        for hint in wanted[:-1]:
            try:
                return self.value(hint, value, at)
            except CaseError:
                continue
        return self.value(wanted[-1], value, at)

    def _tuple(self, hints: tuple[object, ...], value: object, at: str) -> object:
        """A list, or a table where each element is a name and a value."""
        if isinstance(value, dict) and hints[1:] == (...,):
            value = [list(row) for row in value.items()]
        if not isinstance(value, list):
            raise self.case.error(at, "must be a list")
        if hints[1:] == (...,):
            rows = [(one, number, hints[0]) for number, one in enumerate(value)]
        elif len(value) == len(hints):
            rows = [(one, number, hint) for number, (one, hint) in enumerate(zip(value, hints, strict=True))]
        else:
            raise self.case.error(at, f"must have {len(hints)} elements")
        return tuple(self.value(hint, one, f"{at}.{number}") for one, number, hint in rows)


@cache
def _hints(cls: type) -> dict[str, object]:
    from practice.mail.letters import Attachment

    return get_type_hints(cls, localns={"Attachment": Attachment})
