"""Read the practice world's data: a folder with a sub-folder for each kind of item.

A case is one odd item, written down in practice/world/data: a table of a TOML file whose keys are the fields
of the item's class. Values become what the class says they are; `false` stands for "the item has none". Texts
may have places for what differs from mailbox to mailbox: ${owner.name}. practice/world/data/README.md lists
them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

DATA = Path(__file__).parent / "data"
T = TypeVar("T")
D = TypeVar("D")
Fill = Callable[[str, str], str]
"""What stands for a place: its name, and what follows the colon in it."""
PLACE = re.compile(r"\$\{([a-z_]+[0-9]?(?:\.[a-z_]+)?)(?::([^}]*))?\}")
"""${name}, ${name.part} or ${name:rest}."""
_NAMES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
                           datetime: "a date and time", date: "a date"}  # fmt: skip


class CaseError(ValueError):
    """Say what of a data file is not understood; the message names the file, the case and the field."""


@dataclass(frozen=True, slots=True)
class Case:
    """Hold one table of a data file."""

    file: Path
    name: str
    table: Mapping[str, object]

    def error(self, at: str, text: str) -> CaseError:
        """Return an error.

        Args:
            at: the field, with dots between it and what it lies in.
            text: what is wrong.
        """
        place = ".".join(part for part in (self.name, at) if part)
        file = f"{self.file.parent.name}/{self.file.name}"
        return CaseError(": ".join(part for part in (file, place, text) if part))


Form = Callable[[Case, str], Mapping[str, object]]
"""Makes the fields of a case of a file's text."""
_NO_FORMS: Mapping[str, Form] = {}


def read(kind: str, folder: Path = DATA, forms: Mapping[str, Form] = _NO_FORMS) -> dict[str, Case]:
    """Return the cases of a kind ("contacts") in their order: file by file by name, and as they stand there.

    Args:
        kind: a sub-folder's name.
        folder: the data folder.
        forms: what reads other files than TOML, by the ending of their names. Each is a case; they come last.

    Raises:
        CaseError: a file is not understood, or two cases have one name.
    """
    found: dict[str, Case] = {}
    for case in (*_tables(folder / kind), *_formed(folder / kind, forms)):
        if case.name in found:
            raise case.error("", f"is in {found[case.name].file.name} already")
        found[case.name] = case
    return found


def _tables(folder: Path) -> Iterator[Case]:
    for path in sorted(folder.glob("*.toml")):
        try:
            parsed = tomllib.loads(_text(path))
        except tomllib.TOMLDecodeError as error:
            raise Case(path, "", {}).error("", f"is no TOML: {error}") from None
        for name, table in parsed.items():
            if not isinstance(table, dict):
                raise Case(path, name, {}).error("", "is no table: write [" + name + "] above its fields")
            yield Case(path, name, table)


def _formed(folder: Path, forms: Mapping[str, Form]) -> Iterator[Case]:
    for path in sorted(one for one in folder.glob("*") if one.suffix in forms):
        yield Case(path, path.stem, forms[path.suffix](Case(path, "", {}), _text(path)))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise Case(path, "", {}).error("", "is no UTF-8") from None


def places(text: str, fill: Fill) -> str:
    """Return the text with its places filled.

    Raises:
        KeyError: a place has no meaning here; its argument is the place.
    """

    def filled(found: re.Match[str]) -> str:
        try:
            return fill(found[1], found[2] or "")
        except (LookupError, ValueError):
            raise KeyError(found[0]) from None

    return PLACE.sub(filled, text)


@dataclass(frozen=True, slots=True)
class _Long:
    text: str
    times: int
    begin: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """Make objects of one case.

    Attributes:
        special: what makes a value of a class in its own way, and ("Common.properties") of a field.
    """

    case: Case
    fill: Fill
    special: Mapping[object, Callable[[Reading, object, str], object]]

    def of(self, cls: type[T], table: object, at: str = "", **given: object) -> T:
        """Return an instance of a dataclass.

        Args:
            cls: the dataclass.
            table: the values of fields.
            at: where the table stands.
            given: fields that the table does not have.

        Raises:
            CaseError: the table has a field that is none, lacks one, or has a value of another type.
        """
        rows = self.table(table, at)
        known = _hints(cast(Any, cls))
        self._known(rows, known.keys() - given.keys(), at)
        for each in fields(cast(Any, cls)):
            required = each.default is MISSING and each.default_factory is MISSING
            if required and each.name not in rows and each.name not in given:
                raise self.case.error(f"{at}.{each.name}".strip("."), "is missing")
        return cls(
            **given, **{key: self._field(cls, key, known[key], value, at) for key, value in rows.items()}
        )

    def changed(self, one: T, table: object, at: str) -> T:
        """Return the dataclass with the table's values in place of its own."""
        cls = type(one)
        rows, known = self.table(table, at), _hints(cast(Any, cls))
        self._known(rows, known.keys(), at)
        made = {key: self._field(cls, key, known[key], value, at) for key, value in rows.items()}
        return cast(T, replace(cast(Any, one), **made))

    def _known(self, rows: Mapping[str, object], known: Collection[str], at: str) -> None:
        for key in rows:
            if key not in known:
                raise self.case.error(
                    f"{at}.{key}".strip("."), f"is no field; there are {', '.join(sorted(known))}"
                )

    def _field(self, cls: type, key: str, hint: object, value: object, at: str) -> object:
        place = f"{at}.{key}".strip(".")
        special = self.special.get(f"{cls.__name__}.{key}")
        return special(self, value, place) if special else self.value(hint, value, place)

    def table(self, value: object, at: str) -> Mapping[str, object]:
        """Return the value, which is a table.

        Raises:
            CaseError: it is none.
        """
        if not isinstance(value, dict):
            raise self.case.error(at, "must be a table")
        return value

    def text(self, value: object, at: str) -> str:
        """Return a text with its places filled. A table is a long one: begin, text so many times, end."""
        if isinstance(value, dict):
            long = self.of(_Long, value, at)
            return long.begin + long.text * long.times + long.end
        if not isinstance(value, str):
            raise self.case.error(at, f"must be {_NAMES[str]}")
        try:
            return places(value, self.fill)
        except KeyError as error:
            raise self.case.error(at, f"has a place that means nothing here: {error.args[0]}") from None

    def one(self, cls: type[T], value: object, at: str) -> T:
        """Return a value of this class."""
        return cast(T, self.value(cls, value, at))

    def texts(self, value: object, at: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return cast(tuple[str, ...], self.value(tuple[str, ...], value, at))

    def value(self, hint: object, value: object, at: str) -> object:
        """Return what a value of this type hint is."""
        if hint in self.special:
            return self.special[hint](self, value, at)
        origin = get_origin(hint)
        if origin is tuple:
            return self._tuple(get_args(hint), value, at)
        if origin in (Union, UnionType):
            return self._one_of(get_args(hint), value, at)
        if origin is Literal:
            return self.word(get_args(hint), value, at)
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
        if isinstance(value, datetime) and value.tzinfo is None:
            raise self.case.error(at, "must say of which zone it is: put Z after it for UTC")
        return value

    def wall_clock(self, value: object, at: str) -> datetime:
        """Return a date and time of no zone."""
        if not isinstance(value, datetime) or value.tzinfo is not None:
            raise self.case.error(at, "must be a date and time of the event's zone, without Z")
        return value

    def word(self, words: tuple[object, ...], value: object, at: str) -> object:
        """Return the value, which is one of these."""
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
        """Return a list's elements, or a table's, each of which is a name and a value."""
        if isinstance(value, dict) and hints[1:] == (...,):
            value = [list(row) for row in value.items()]
        if not isinstance(value, list):
            raise self.case.error(at, "must be a list")
        if hints[1:] == (...,):
            return self._listed(hints[0], value, at)
        if len(value) != len(hints):
            raise self.case.error(at, f"must have {len(hints)} elements")
        return tuple(
            self.value(hint, one, f"{at}.{number}")
            for number, (one, hint) in enumerate(zip(value, hints, strict=True))
        )

    def _listed(self, hint: object, rows: list[object], at: str) -> tuple[object, ...]:
        """Return a list's elements; one with repeat is there so many times.

        ${n} counts them from 0, ${n:3} in three digits.
        """
        made: list[object] = []
        for number, row in enumerate(rows):
            place, times = f"{at}.{number}", None
            if isinstance(row, dict) and "repeat" in row:
                times = self.one(int, row["repeat"], f"{place}.repeat")
                row = {key: one for key, one in row.items() if key != "repeat"}
            if times is None:
                made.append(self.value(hint, row, place))
            else:
                made += (
                    replace(self, fill=_counting(self.fill, n)).value(hint, row, place) for n in range(times)
                )
        return tuple(made)


def _counting(fill: Fill, n: int) -> Fill:
    return lambda name, rest: f"{n:0{int(rest or 0)}d}" if name == "n" else fill(name, rest)


@cache
def _hints(cls: type) -> dict[str, object]:
    return get_type_hints(cls)


def tables(kind: str, cls: type[T], folder: Path = DATA) -> dict[str, T]:
    """Return the tables of a kind, by name, each as an object of a class; their texts have no places."""

    def nothing(name: str, rest: str) -> str:
        raise KeyError(name, rest)

    return {name: Reading(case, nothing, {}).of(cls, case.table) for name, case in read(kind, folder).items()}


def made_of(
    kind: str,
    make: Callable[[Case, D], T],
    generated: Mapping[str, Callable[[D], T]],
    sample: D,
    folder: Path = DATA,
    forms: Mapping[str, Form] = _NO_FORMS,
) -> dict[str, Callable[[D], T]]:
    """Return how to make each case of a kind, by name and in their order.

    Args:
        kind: a sub-folder's name.
        make: makes a case's object.
        generated: those that Python makes; their tables give their place in the order.
        sample: for whom each is made once, so that an error shows at once.
        folder: the data folder.
        forms: see read.
    """
    found: dict[str, Callable[[D], T]] = {}
    for name, case in read(kind, folder, forms).items():
        found[name] = generated.get(name) or partial(make, case)
        found[name](sample)
    return found
