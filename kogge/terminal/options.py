"""What every command shares: options, exit codes, and how it speaks.

Tables and progress go to standard output, messages to standard error; --json writes one JSON document to
standard output and nothing else.
"""

from __future__ import annotations

import csv
import inspect
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from engine.control import json_log
from kogge.terminal.exit_codes import CODES as CODES
from kogge.terminal.exit_codes import Exit as Exit
from model.errors import MigrationError, Misconfigured, Transient, Unwritable
from model.kinds import Kind
from model.printable import cell, json_escaped, printable
from model.private_files import open_private
from model.sites import one_spelling

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

T = TypeVar("T")
WIDTH = 100
"""Columns of a screen that need not save room."""


ConfigPath = Annotated[
    Path, typer.Option("--config", "-c", metavar="FILE", help="The configuration.", envvar="KOGGE_CONFIG")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
Wave = Annotated[str | None, typer.Option("--wave", "-w", metavar="W", help="Only this wave.")]
OneWave = Annotated[str, typer.Option("--wave", "-w", metavar="W", help="The wave.")]
NAMES = "random id, address, site, or line of the list"
"""What -m takes."""
Mailboxes = Annotated[
    list[str] | None,
    typer.Option("--mailbox", "-m", metavar="M", help=f"Only this mailbox ({NAMES}); repeatable."),
]
Workloads = Annotated[
    list[str] | None,
    typer.Option(
        "--workload",
        metavar="KIND",
        help=f"Only this workload ({', '.join(Kind)}); repeatable.",
    ),
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who asks or decides; recorded.")]
Asker = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Who asks; recorded. Otherwise KOGGE_BY, or your login unless it is root.",
    ),
]
Decider = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides; recorded.")]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write every row to FILE, for you alone.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why; recorded for the auditor.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def given(option: str, text: str | None, why: str) -> str:
    """Return what an option says. Raise Misconfigured, with why it is asked for, if it is empty."""
    said = (text or "").strip()
    if not said:
        raise Misconfigured(option, f"is missing or empty; {why}")
    return said


def help_text(command: Callable[..., None]) -> str:
    """Return a command's docstring as its help: paragraphs that the terminal wraps; brackets are text."""
    paragraphs = inspect.cleandoc(command.__doc__ or "").split("\n\n")
    return escape("\n\n".join(" ".join(one.split()) for one in paragraphs))


class _Screen(Console):
    """Print so that text of a stranger is never a command: what is not printable is replaced."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=self._shown(segment.text))

    def _shown(self, text: str) -> str:
        """Return the text as this terminal can show it, also in its encoding."""
        return printable(text).encode(self.encoding, "replace").decode(self.encoding)


def screen() -> Console:
    """Return standard output.

    Without a terminal it has no colour, and a fixed width, so that no cell is cut at 80.
    """
    plain = not sys.stdout.isatty()
    return _Screen(
        width=max(WIDTH, int(os.environ.get("COLUMNS") or WIDTH)) if plain else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def errors() -> Console:
    """Return standard error."""
    return _Screen(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one message on standard error, or write a log line if those are JSON."""
    if json_log.is_on():
        json_log.COMMAND.info("%s", text)
        return
    errors().print(text)


def echo(text: str) -> None:
    """Print one line of an answer on standard output, never broken, because a script may read it."""
    screen().print(text, soft_wrap=True)


def confirmed(question: str) -> bool:
    """Return True if the person at the terminal says yes."""
    return typer.confirm(printable(question, lines=False))


def refuse_unsure(question: str, to_do: str, refused: Misconfigured) -> None:
    """Ask the person at the terminal, and raise `refused` unless they say yes.

    Args:
        question: what is asked.
        to_do: what --yes does without a question.
        refused: the error.

    Raises:
        Misconfigured: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise Misconfigured("--yes", f"nobody can be asked here; give it to {to_do} without a question")
    if not confirmed(question):
        raise refused


def emit(document: object) -> None:
    """Print the one JSON document of a command. What a terminal would obey in it is escaped."""
    text = json_escaped(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))
    encoding = sys.stdout.encoding or "utf-8"
    if not _encodes(text, encoding):
        text = json.dumps(document, indent=2, default=_plain)
    sys.stdout.write(f"{text}\n")


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on standard error, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors(), disable=not sys.stderr.isatty(), transient=True) as bar:
        job = bar.add_task(what, total=total)
        yield lambda: bar.advance(job)


def report(error: MigrationError) -> int:
    """Print an error, where it is, and what to do about it; return the exit code."""
    if isinstance(error, Misconfigured):
        say(error.advice)
        if error.local:
            say(f"  {error.local}")
        return Exit.INPUT
    from engine.control.remedies import advice

    say(f"kogge: {error}")
    for line in filter(None, (error.local, advice(error.code))):
        say(f"  {line}")
    if isinstance(error, Unwritable):
        return Exit.INPUT
    return Exit.AGAIN if isinstance(error, Transient) else Exit.OPEN


def chosen(
    config: Config,
    ledger: Ledger,
    wave: str | None,
    wanted: list[str] | None = None,
    option: str = "--wave",
    *,
    by_line: bool = True,
) -> list[MailboxRow]:
    """Return the mailboxes of the ledger that the options choose.

    There is at least one, because a typing error must not read as "nothing amiss".

    Args:
        config: the configuration.
        ledger: is read.
        wave: its name; None for all.
        wanted: names of mailboxes; None for all.
        option: where the wave was named.
        by_line: a number names a line of the list. It must not where something is decided, removed or shown
            to an owner: a line is another person's once the list has changed.

    Raises:
        Misconfigured: a wave or a mailbox does not exist or is not planned yet, or there is none at all.
    """
    from engine.planning.missing_wave import missing_wave

    rows = ledger.mailboxes(wave)
    if not rows:
        waves = {row.wave for row in ledger.mailboxes()} if wave is not None else set()
        if wave is not None and waves:
            raise Misconfigured(option, missing_wave(config, wave, waves))
        raise Misconfigured("the ledger", "has no mailbox yet; `kogge check` plans them")
    if not wanted:
        return rows
    lines = _lines(config) if by_line and any(name.isdecimal() for name in wanted) else {}
    names = {row.id: (row.id, row.source, row.target, lines.get(row.source, "")) for row in rows}
    found, known = among(wanted, names)
    refuse_missing(
        wanted, known, f"wave {wave}" if wave else "the ledger", config.mailboxes.name if by_line else ""
    )
    return [row for row in rows if row.id in found]


def _lines(config: Config) -> dict[str, str]:
    """Return which line of the list names a source. Raise Misconfigured if the list cannot be read."""
    from engine.planning.mailbox_list_checks import mailboxes

    return {one.source: str(one.line) for one in mailboxes(config, unplanned=True)}


def among(wanted: Iterable[str], names: Mapping[T, Iterable[str]]) -> tuple[set[T], set[str]]:
    """Return which have one of the wanted names, in any spelling, and the names that were met."""
    asked = set(map(one_spelling, wanted))
    met = {one: asked.intersection(own) for one, own in names.items()}
    return {one for one, own in met.items() if own}, set().union(*met.values())


LINE_GIVEN = (
    "takes an id or an address here, no line, as lines change; `kogge show {line}` says the id of line {line}"
)


def refuse_missing(wanted: Sequence[str], known: Collection[str], place: str, listed: str) -> None:
    """Raise Misconfigured for a mailbox that is not among the known.

    A random id and a line are named. An address, which should not be in a terminal's log, is counted off.

    Args:
        wanted: names as given.
        known: names that exist.
        place: where one is looked for.
        listed: the name of the list; "" if its lines name no mailbox here.
    """
    missing = [
        _named(name, number) for number, name in enumerate(wanted, 1) if one_spelling(name) not in known
    ]
    if missing:
        line = next((name for name in wanted if name.isdecimal()), None)
        if line is not None and not listed:
            raise Misconfigured("--mailbox", LINE_GIVEN.format(line=line))
        accepted = f"give an id, an address or a line of {listed}" if listed else "give an id or an address"
        raise Misconfigured(
            "--mailbox", f"not in {place}: {', '.join(missing)}{_like(wanted, known)}; {accepted}"
        )


def _like(wanted: Sequence[str], known: Collection[str]) -> str:
    """Return the id that was probably meant; an address is never proposed."""
    from difflib import get_close_matches

    ids = [name for name in known if name.startswith("m-") and "@" not in name]
    for name in wanted:
        is_id = name.startswith("m-") and "@" not in name and name not in known
        if is_id and (near := get_close_matches(name, ids, 1, 0.8)):
            return f" (did you mean {near[0]}?)"
    return ""


def _named(name: str, number: int) -> str:
    if name.isdecimal():
        return f"line {name}"
    return name if name.startswith("m-") and "@" not in name else f"number {number} of those given"


class Rows:
    """Write rows of a CSV file that a spreadsheet shows as text, whatever strangers wrote into them."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file)

    def put(self, values: Iterable[object]) -> None:
        """Write one row."""
        self._writer.writerow(map(cell, values))


@contextmanager
def private_csv(path: Path, encoding: str = "utf-8") -> Iterator[Rows]:
    """Open a table with subjects, names of files or links that open without a login.

    Only its owner can read it, also if it was there before.

    Raises:
        Misconfigured: for --csv.
    """
    try:
        with open(path, "w", newline="", encoding=encoding, errors="replace", opener=open_private) as file:
            yield Rows(file)
    except OSError as error:
        raise Misconfigured(f"--csv {path}", f"cannot be written ({error.strerror})") from None


def write_private(path: Path, data: bytes, option: str) -> None:
    """Write a file that only its owner can read, also if it was there before. Raise Misconfigured."""
    try:
        with open(path, "wb", opener=open_private) as file:
            file.write(data)
    except OSError as error:
        raise Misconfigured(f"{option} {path}", f"cannot be written ({error.strerror})") from None


def write_csv(
    path: Path,
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    what: str,
    encoding: str = "utf-8",
) -> None:
    """Write the rows, and say on standard error how many. Raise Misconfigured for --csv."""
    with private_csv(path, encoding) as out:
        out.put(columns)
        for row in rows:
            out.put(row.get(name, "") for name in columns)
    say(f"{len(rows):,} {what} in {path}")
