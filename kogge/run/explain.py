"""`kogge explain`: what a code means, why it happens, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

import typer
from rich.text import Text

from engine.control.code_book import LOST, CodeEntry, entries, find, unknown_code
from kogge.terminal.options import AsJson, emit, screen
from kogge.terminal.tables import facts, table
from model.errors import Misconfigured

Word = Annotated[
    list[str] | None,
    typer.Argument(metavar="CODE", help="A code, a state, or a loss by field and reason; none lists all."),
]


def explain(code: Word = None, as_json: AsJson = False) -> None:
    """Explains a code: what it means, why it happens, what to do, and where it is documented.

    Without a code it lists all of them by area. A state (blocked, waiting), a fate (rejected) and what an
    item lost (flags, follow-up-completed) are explained, too. It asks no server and reads no ledger.

    Example: kogge explain quota-too-small
    """
    asked = " ".join(code or ())
    found = _found(code) if code else list(entries())
    if as_json:
        emit([one.document() for one in found])
    elif asked:
        _print(found)
    else:
        _list(found)


def _found(words: Sequence[str]) -> list[CodeEntry]:
    """Return what the words name together, as the field and the reason of a loss do, or what each names."""
    asked = " ".join(words)
    if found := find(asked):
        return found
    each = [find(word) for word in words]
    if len(words) == 1 or not any(each):
        raise Misconfigured("CODE", unknown_code(asked))
    if not all(each):
        unknown = next(word for word, entry in zip(words, each, strict=True) if not entry)
        raise Misconfigured(unknown, unknown_code(unknown))
    return [one for found in each for one in found]


def _print(found: Sequence[CodeEntry]) -> None:
    out = screen()
    for at, one in enumerate(found):
        if at:
            out.print()
        out.print(Text.assemble((one.code, "bold"), f"  {one.area}"), soft_wrap=True)
        out.print(facts(_lines(one)))


def _lines(one: CodeEntry) -> Iterator[tuple[str, str]]:
    why = "  of" if one.area == LOST else "  because"
    told = (("  means", one.meaning), (why, one.cause), ("  do", one.advice), ("  read", one.page))
    yield from (pair for pair in told if pair[1])


def _list(found: Sequence[CodeEntry]) -> None:
    out = screen()
    for area, group in groupby(found, key=lambda one: one.area):
        out.print(Text(area, style="bold"))
        out.print(table(("code", "meaning"), [(one.code, one.meaning) for one in group], wrap=("meaning",)))
        out.print()
    out.print("kogge explain CODE says why it happens, what to do, and where it is documented")
