"""Report everything that is wrong with one of the operator's files at once: where, what, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import Misconfigured
from model.plural import first_of

SHOWN = 20
NAMED_MOST = 8
"""So many existing names are given to somebody who gave another one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold one fault of a file.

    Attributes:
        line: its line, from 1; 0 if the fault has none.
        field: the dotted name or the column; "" if there is none.
        text: what is wrong. It never repeats a value: that might be a password or a person's address.
    """

    line: int
    field: str
    text: str

    def where(self, file: str) -> str:
        """Return file, line and field."""
        spot = f"{file}:{self.line}" if self.line else file
        return f"{spot}: {self.field}" if self.field else spot


def misconfigured(path: Path, problems: Sequence[Problem]) -> Misconfigured:
    """Return one error with all problems, one on each line, in the file's order; the first is its `where`."""
    first, *rest = sorted(problems, key=lambda problem: (problem.line, problem.field))
    lines = [first.text, *(f"{problem.where(path.name)}: {problem.text}" for problem in rest[: SHOWN - 1])]
    if len(rest) >= SHOWN:
        lines.append(f"and {len(rest) - SHOWN + 1} more")
    return Misconfigured(first.where(path.name), "\n".join(lines))


def unknown(name: str, existing: Iterable[str], every: str = "") -> str:
    """Return advice on a name that does not exist: the nearest existing one, or the first of them.

    Args:
        name: as it was given.
        existing: the names that exist.
        every: where all of them are listed, for names that are too many for a line; "" if nowhere.
    """
    names = sorted(existing)
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"unknown; did you mean {near[0]}?"
    if len(names) > NAMED_MOST:
        where = f"; {every}" if every else ""
        return f"unknown; there are {len(names)}: {first_of(names, NAMED_MOST)}{where}"
    *others, last = names or [""]
    if others:
        return f"unknown; give {', '.join(others)} or {last}"
    return f"unknown; there is only {last}" if last else "unknown; there is none yet"


def lowered(text: str) -> str:
    """Return a text that goes on after a colon: with its first letter in lower case."""
    return text[:1].lower() + text[1:]


def read_text(path: Path, purpose: str, name: str = "") -> str:
    """Read the whole file as text: UTF-8, with or without a byte order mark, or UTF-16 with one.

    Anything else is refused: a guessed encoding would change people's names.

    Args:
        path: the file.
        purpose: what the file is for, for the message if it is missing.
        name: what to call a file that cannot be read; "" for its name.

    Raises:
        Misconfigured: if the file is missing, cannot be read, or is in another encoding.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise Misconfigured(name or path.name, f"no such file; it is {purpose}") from None
    except OSError as error:
        raise Misconfigured(name or path.name, f"cannot be read ({error.strerror})") from None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decode(path, raw, "utf-16")
    return _decode(path, raw, "utf-8-sig")


def _decode(path: Path, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        text = "not UTF-8 (perhaps Latin-1 or Windows-1252); save the file as UTF-8 and try again"
        raise misconfigured(path, [Problem(line, "", text)]) from None
