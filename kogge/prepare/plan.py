"""`kogge plan`, `kogge plan diff`: waves out of a list of mailboxes."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.file_errors import read_text
from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from engine.planning.mailbox_list import lines_of, separator
from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import CODES, WIDTH, AsJson, ConfigPath, Exit, emit, help_text, say, screen
from kogge.terminal.tables import BAD, CARE, GOOD, QUIET, bytes_cell, duration, table
from model.errors import Misconfigured
from model.plural import first_of, many

if TYPE_CHECKING:
    from engine.planning.plan_diff import Difference, PlanChange
    from engine.planning.wave_planner import Making, Notice, PlannedWave
    from engine.planning.waves_csv import WaveLine
    from ledger.store import Ledger

COLUMNS = ("wave", "mailboxes", "items", "size", "time", "date", "until", "canary", "because")
SHOWN_LINES = 12
SHOWN_NOTICES = 20
SHOWN_CHANGES = 40


def plan(
    context: typer.Context,
    config: ConfigPath = DEFAULT,
    write: Annotated[
        bool, typer.Option("--write", help="Write the list and waves.csv, next to the present ones.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --write: replace the present list and waves.csv.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Plan also rows again that have a wave, if it has not begun.")
    ] = False,
    inventory: Annotated[
        Path | None,
        typer.Option("--inventory", metavar="FILE", help="What `kogge discover --csv FILE` wrote."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Makes waves: a small pilot, who shares calendars together, about the same hours each, with an estimate.

    A row that has a wave keeps it, and a mailbox that has begun never moves. Nothing is written without
    --write. Mailboxes are named by their line in mailboxes.csv.

    Example: kogge plan --inventory inventory.csv --write
    """
    if context.invoked_subcommand is not None:
        return
    from engine.planning.wave_planner import gather, make

    if force and not write:
        raise Misconfigured("--force", "goes with --write")
    settings = load(config)
    settings, notes = _with_files(settings, config, inventory)
    with _known_ledger(settings) as ledger:
        facts = gather(settings, ledger)
    for note in notes:
        say(note)
    making = make(settings, facts, again=again)
    files = _write(settings, making, force) if write else ()
    if as_json:
        emit(_document(making))
    else:
        if facts.sizes.blind:
            screen().print(Text(_blind(config), style=BAD), soft_wrap=True)
        _show(making)
    for file in files:
        say(f"written: {file.name}")
    if not as_json:
        waves = making.by_line()
        settled = all(waves[one.line] == one.wave for one in facts.people)
        _next(config, settings, files, force, settled)


def _with_files(settings: Config, config: Path, inventory: Path | None) -> tuple[Config, list[str]]:
    """Return the settings with the inventory that was named, and what to say about that.

    Without one it is what `kogge discover` wrote next to the list, if nothing names another.
    """
    from engine.planning.size_estimates import found_next_to_list, inventory_file

    files, notes = {"inventory": inventory}, []
    if inventory is None and settings.plan.inventory is None:
        files["inventory"] = found = inventory_file(settings)
        if found is not None:
            notes.append(
                f"sizes: as {found.name} says, which is beside the list (--inventory FILE for another)"
            )
    if settings.plan.relations is None:
        files["relations"] = related = found_next_to_list(settings, "relations.csv", ("person",))
        if related is not None:
            notes.append(f"relations: {related.name}, which is beside the list, says who moves together")
    named = {name: file.absolute() for name, file in files.items() if file is not None}
    if named:
        settings = settings.model_copy(update={"plan": settings.plan.model_copy(update=named)})
        settings._path = config.absolute()
    return settings, notes


def _blind(config: Path) -> str:
    """Return the line that says that the estimates rest on nothing, and what to do."""
    text = "blind: nobody's size is known, so every mailbox is taken for a typical one."
    return f"{text} Before: {next_command(config, 'discover --csv inventory.csv')}"


@contextmanager
def _known_ledger(config: Config) -> Iterator[Ledger | None]:
    """Yield the ledger if there is one; planning makes none."""
    if config.ledger_file is not None and not config.ledger_file.exists():
        yield None
        return
    with opened_ledger(config) as ledger:
        yield ledger


def _document(making: Making) -> dict[str, object]:
    return {
        "waves": [one.document() for one in making.waves],
        "notices": [{"code": one.code, "lines": list(one.lines)} for one in making.notices],
        "parallel": making.pace.parallel,
        "measured": {
            str(kind): {"seconds": round(one.seconds), "items": one.items, "bytes": one.bytes}
            for kind, one in sorted(making.rates.items())
        },
    }


def _show(making: Making) -> None:
    out = screen()
    rows = [_row(one, after) for one, after in zip_longest(making.waves, making.waves[1:])]
    wide = out.width >= WIDTH
    columns = [name for name in COLUMNS if any(row[name] for row in rows) and (wide or name != "items")]
    out.print(table(columns, [[row[name] for name in columns] for row in rows], wrap=("because",)))
    out.print()
    whole = [one.estimate for one in making.waves]
    boxes, items = sum(one.mailboxes for one in whole), sum(one.items for one in whole)
    size, time = bytes_cell(sum(one.bytes for one in whole)), duration(sum(one.seconds for one in whole))
    out.print(f"waves: {len(whole):,}; mailboxes: {boxes:,}; items: {items:,}; {size}; {time} of moving")
    out.print(Text(_rates(making), style=QUIET), soft_wrap=True)
    for notice in making.notices[:SHOWN_NOTICES]:
        out.print(Text(_told(notice), style=CARE), soft_wrap=True)
    if len(making.notices) > SHOWN_NOTICES:
        out.print(f"and {len(making.notices) - SHOWN_NOTICES:,} more notices: --json tells them all")


def _row(one: PlannedWave, after: PlannedWave | None) -> dict[str, str | Text]:
    """Return cells by column, "" if there is nothing to say; `after` is the wave that begins next."""
    own, line = one.estimate, one.line
    date = "" if line.date is None else line.date.strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")
    canary = "begun" if one.begun else "" if one.canary is None else f"line {one.canary}"
    next_date = None if after is None else after.line.date
    late = one.until is not None and next_date is not None and one.until > next_date
    until = "" if one.until is None else one.until.strftime("%m-%d %H:%M")
    reasons = {
        "the source's throttle": own.by == "throttle",
        "the target's rate limit": own.by == "target",
        "its slowest mailbox": own.alone,
        "not done before the next begins": late,
    }
    because = [reason for reason, holds in reasons.items() if holds]
    return {
        "wave": Text(line.wave, style=QUIET if one.begun else GOOD if one.made else ""),
        "mailboxes": f"{own.mailboxes:,}",
        "items": f"{own.items:,}",
        "size": bytes_cell(own.bytes),
        "time": duration(own.seconds),
        "date": date,
        "until": Text(until, style=CARE if late else ""),
        "canary": canary,
        "because": ", ".join(because),
    }


def _rates(making: Making) -> str:
    """Return what the estimates rest on."""
    pace = making.pace
    parts = []
    for kind in making.kinds:
        one = making.rates.get(kind)
        if one is not None:
            parts.append(f"{kind} {one.items / max(one.seconds, 1):.1f}/s measured")
        else:
            parts.append(f"{kind} {pace.items[kind]:g}/s assumed")
    return f"for one at a time: {', '.join(parts)}; {pace.parallel} at once"


def _told(notice: Notice) -> str:
    from engine.planning.wave_planner import NOTICES

    return f"{notice.code}: {_lines(notice.lines)}: {NOTICES[notice.code]}"


def _lines(lines: Sequence[int]) -> str:
    """Return line numbers, the first of many."""
    return f"line{'s' if len(lines) > 1 else ''} {first_of(lines, SHOWN_LINES)}"


def _next(config: Path, settings: Config, files: Sequence[Path], force: bool, settled: bool) -> None:
    """Print what to type now; `settled`: every row has the wave that it would get."""
    if not files and not settled:
        say(f"Next: {next_command(config, 'plan --write')}")
    elif force or settled:
        say(f"Next: {next_command(config, 'plan diff')}, then {next_command(config, 'check')}")
    else:
        moves = " && ".join(
            f"mv {file.name} {name.name}"
            for file, name in zip(files, (settings.mailboxes, settings.plan.waves), strict=True)
        )
        then = next_command(config, "plan diff")
        say(f"Next: look at both, change what you like, then  {moves}  and then  {then}")


def _write(config: Config, making: Making, force: bool) -> tuple[Path, Path]:
    """Write the list with every wave, and waves.csv, next to the present ones unless forced.

    Only their owner can read both.

    Raises:
        Misconfigured: one is there already; nothing was written.
    """
    from engine.planning.waves_csv import written

    listed, waves = config.file(config.mailboxes), config.file(config.plan.waves)
    rows = [(one.line, _estimated(one)) for one in making.waves]
    texts = (filled(listed, making.by_line()), written([*rows, *_rows_of_others(config, waves, making)]))
    paths = (listed, waves) if force else (_beside(listed), _beside(waves))
    for path in paths:
        if not force and path.exists():
            raise Misconfigured(path.name, "is there already, perhaps changed by hand; move or remove it")
    for path, text in zip(paths, texts, strict=True):
        _replace(path, text)
    return paths


def _rows_of_others(config: Config, path: Path, making: Making) -> list[tuple[WaveLine, Sequence[str]]]:
    """Return the rows of a shared waves.csv that are another list's, without their estimates."""
    from engine.planning.waves_csv import other_waves, read_waves

    others = (other_waves(config) if path.exists() else frozenset()) - set(making.by_line().values())
    return [(row, ()) for row in read_waves(path) if row.wave in others] if others else []


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.planned{path.suffix}")


def _estimated(one: PlannedWave) -> list[str]:
    own = one.estimate
    return [str(own.mailboxes), str(own.items), str(own.bytes), f"{own.hours:.2f}", own.by]


def filled(path: Path, waves: Mapping[int, str]) -> str:
    """Return the list's text with the wave of every line; all else, and the order of lines, stays."""
    text = read_text(path, "the list of mailboxes")
    mark = separator(text)
    source = csv.reader(lines_of(text), delimiter=mark, strict=True)
    result = io.StringIO()
    out = csv.writer(result, delimiter=mark, lineterminator="\n")
    column: int | None = None
    for cells in source:
        if not any(cell.strip() for cell in cells):
            result.write("\n")
            continue
        if column is None:
            names = [cell.strip().lower() for cell in cells]
            while names and not names[-1]:
                names.pop()
            column = names.index("wave") if "wave" in names else len(names)
            cells = [*cells[: len(names)], "wave"] if column == len(names) else cells
        elif source.line_num in waves:
            cells = [*cells, *[""] * (column + 1 - len(cells))]
            cells[column] = waves[source.line_num]
        out.writerow(cells)
    return result.getvalue()


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone. Raise Misconfigured."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            Path(name).replace(path.resolve())
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise Misconfigured(path.name, f"cannot be written ({error.strerror})") from None


def diff(config: ConfigPath = DEFAULT, as_json: AsJson = False) -> None:
    """Shows what changed between the ledger's plan and the files as they are now. Writes nothing.

    Each change names its file and line, and the wave; a mailbox that is no longer in the list, its random id.
    Exit code 0: nothing changed; 1: something did.

    Example: kogge plan diff
    """
    from engine.planning.plan_diff import difference

    settings = load(config)
    with _known_ledger(settings) as ledger:
        found = difference(settings, ledger)
    if as_json:
        emit(found.document())
    else:
        _show_difference(found)
    raise typer.Exit(Exit.OPEN if found.changes else Exit.OK)


def _show_difference(found: Difference) -> None:
    from engine.planning.plan_diff import ADDED

    out = screen()
    if found.elsewhere:
        names = ", ".join(f"{name} ({count:,})" for name, count in sorted(found.elsewhere.items()))
        text = f"left alone, as no row of this list has these waves (mailboxes): {names}"
        out.print(Text(text, style=QUIET), soft_wrap=True)
    if not found.changes:
        out.print(Text("the ledger's plan is what the files say", style=GOOD))
        return
    begun = {name for name, (was, _) in found.sizes.items() if was[0]}
    others = [one for one in found.changes if one.kind != ADDED or one.now in begun]
    new = Counter(one.now for one in found.changes if one.kind == ADDED and one.now not in begun)
    for name, count in sorted(new.items()):
        out.print(f"{name} is a new wave, of {many(count, 'mailbox', 'mailboxes')}")
    if others:
        columns = ("where", "wave", "mailbox", "change", "was", "now", "")
        out.print(table(columns, map(_change_row, others[:SHOWN_CHANGES]), wrap=("was", "now")))
    if len(others) > SHOWN_CHANGES:
        out.print(f"and {len(others) - SHOWN_CHANGES:,} more: --json tells them all")
    out.print()
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.counts.items()))
    out.print(f"{len(found.changes):,} changes: {counts}")
    rows = [
        (name, f"{was[0]:,}", f"{now[0]:,}", bytes_cell(was[1]), bytes_cell(now[1]))
        for name, (was, now) in found.sizes.items()
        if was != now
    ]
    if rows:
        out.print(table(("wave", "mailboxes was", "now", "size was", "now "), rows))
    if rows and found.guessed:
        text = f"sizes that are guessed: {found.guessed:,}; nothing, or not all, is known of these mailboxes"
        out.print(Text(f"{text} (`kogge discover --csv`)", style=CARE), soft_wrap=True)


def _change_row(change: PlanChange) -> list[str | Text]:
    where = f"{change.file}:{change.line}" if change.line is not None else f"not in {change.file}"
    refused = Text("refused: begun" if change.refused else "", style=CARE)
    return [where, change.wave or "-", change.mailbox or "-", change.kind, change.was, change.now, refused]


group = typer.Typer(invoke_without_command=True, no_args_is_help=False, epilog=CODES)
group.callback(help=help_text(plan), epilog=CODES)(plan)
group.command("diff", help=help_text(diff), epilog=CODES, cls=GivenOnceCommand)(diff)
