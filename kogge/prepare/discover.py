"""`kogge discover`: list what the sources hold, and write to neither side."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.hints import DEFAULT, next_command
from engine.config.load import load
from engine.control.remedies import STAYS, advice
from kogge.prepare.check import show_kinds
from kogge.prepare.chosen_people import people
from kogge.shown.fault_lines import fault_lines
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    CsvFile,
    Exit,
    Mailboxes,
    Wave,
    emit,
    private_csv,
    progress_bar,
    say,
    screen,
)
from kogge.terminal.tables import BAD, GOOD, QUIET, bytes_cell, number_cell, table
from mappings.losses.catalogue import SKIPS
from model.plural import many

if TYPE_CHECKING:
    from engine.preflight.source_inventory import Inventory

LISTED = "Each item was listed. `kogge check` shows the servers' own totals of folders, which may differ."


def discover(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    csv_file: CsvFile = None,
    relations: Annotated[
        Path | None,
        typer.Option("--relations", metavar="FILE", help="Write who is whose delegate, for kogge plan."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Lists what the sources hold: how much, how large, what is odd, and what will not move and why.

    Lists every item, reads no body, writes to neither side. A mailbox is named by its line in
    mailboxes.csv. What a mailbox has in addition to its folders (an online archive, rules, delegates) is
    written to the ledger: reports tell of it.

    Example: kogge discover --csv inventory.csv --relations relations.csv
    """
    from engine.config.missing_secrets import naming_missing_secrets
    from engine.control.error_log import defect_log
    from engine.preflight.source_inventory import keep, take_all

    settings = load(config)
    chosen = people(settings, wave, mailbox)
    with (
        progress_bar("listing", len(chosen)) as seen,
        defect_log(settings.state_directory),
        naming_missing_secrets(settings, between="\n"),
    ):
        found = take_all(settings, chosen, seen, delegates=relations is not None)
    if csv_file is not None:
        if csv_file.exists() and all(one.code for one in found):
            say(f"{csv_file}: stays as it was, as no mailbox could be listed")
        else:
            _write_csv(csv_file, found)
    if relations is not None:
        from kogge.prepare.relations_file import write_relations

        write_relations(relations, found)
    if as_json:
        emit([_inventory_document(one) for one in found])
    else:
        _show_inventory(found)
        _say_next(config, csv_file, found)
    keep(settings, found)
    failed = [one for one in found if one.code]
    if failed:
        raise typer.Exit(Exit.AGAIN if all(one.passing for one in failed) else Exit.OPEN)


def _say_next(config: Path, csv_file: Path | None, found: Sequence[Inventory]) -> None:
    """Print what to type now. A file that lacks mailboxes leads to no plan."""
    missing = [one for one in found if one.code]
    if missing:
        when = "the servers answer" if all(one.passing for one in missing) else "that is put right"
        say(f"Next, when {when}: run this command again")
    elif csv_file is not None:
        say(f"Next: {next_command(config, f'plan --inventory {shlex.quote(str(csv_file))}')}")


def _inventory_document(one: Inventory) -> dict[str, object]:
    return {
        "line": one.person.line,
        "wave": one.person.wave,
        "folders": one.containers,
        "items": one.items,
        "bytes": one.bytes,
        "largest": one.largest,
        "kinds": {str(kind): count for kind, count in sorted(one.kinds.items())},
        "stays": dict(sorted(one.stays.items())),
        "not_told": sorted(one.unknown),
        "oddities": dict(sorted((+one.oddities).items())),
        "code": one.code,
        "advice": advice(one.code) if one.code else None,
        "cause": one.cause or None,
    }


def _write_csv(path: Path, found: Sequence[Inventory]) -> None:
    from engine.planning.size_estimates import fingerprint

    kinds = sorted({kind for one in found for kind in one.kinds})
    reasons = sorted({code for one in found for code in one.stays})
    with private_csv(path) as rows:
        names = ["line", "wave", "folders", "items", "bytes", "largest", "oddities", "code", "mailbox"]
        rows.put([*names, *kinds, *(f"{kind} bytes" for kind in kinds), *reasons])
        for one in found:
            size = ["" if value is None else value for value in (one.bytes, one.largest)]
            odd = (+one.oddities).total()
            head = [
                one.person.line,
                one.person.wave,
                one.containers,
                one.items,
                *size,
                odd,
                one.code or "",
                fingerprint(one.person),
            ]
            counts = [tally[kind] for tally in (one.kinds, one.sizes) for kind in kinds]
            rows.put([*head, *counts, *(one.stays[reason] for reason in reasons)])


def _show_inventory(found: Sequence[Inventory]) -> None:
    out = screen()
    columns = ("line", "wave", "folders", "items", "size", "largest", "stays", "result")
    out.print(table(columns, map(_inventory_row, found)))
    out.print()
    whole = [one for one in found if one.code is None]
    boxes = many(len(found), "mailbox", "mailboxes")
    if whole:
        total = sum(one.items for one in whole)
        size = bytes_cell(sum(one.bytes or 0 for one in whole))
        listed = boxes if len(whole) == len(found) else f"{len(whole):,} of {boxes} listed"
        out.print(f"{listed}, {total:,} items, {size} will move")
    else:
        out.print(f"none of {boxes} could be listed; what will move is not known")
    if len(whole) == len(found):
        out.print(Text(LISTED, style=QUIET), soft_wrap=True)
    codes = Counter(one.code for one in found if one.code is not None)
    causes = {f"{one.code}: {one.cause}" for one in found if one.cause}
    for line in fault_lines(dict(codes.most_common()), causes):
        out.print(line, soft_wrap=True)
    show_kinds([one.kinds for one in found])
    _show_counts("What will not move", [one.stays for one in found], _reason)
    _show_counts("Oddities", [+one.oddities for one in found])
    untold = sorted({code for one in found for code in one.unknown})
    if untold:
        out.print("\nNot every mailbox could tell of", style="bold")
        out.print(table(("what", "why"), [(code, _reason(code)) for code in untold], wrap=("why",)))


def _inventory_row(one: Inventory) -> list[str | Text]:
    first = (str(one.person.line), one.person.wave)
    if one.code is not None:
        return [*first, *["-"] * 5, Text(one.code, style=BAD)]
    sizes = (bytes_cell(one.bytes), bytes_cell(one.largest), number_cell(one.stays.total()))
    counts = (number_cell(one.containers), number_cell(one.items))
    return [*first, *counts, *sizes, Text("listed", style=GOOD)]


def _reason(code: str) -> str:
    if code.startswith("no-target-"):
        return f"no [target.{code.removeprefix('no-target-')}] is configured"
    return STAYS.get(code) or SKIPS.get(code, "")


def _show_counts(
    title: str, counters: Sequence[Counter[str]], explain: Callable[[str], str] | None = None
) -> None:
    counts: Counter[str] = Counter()
    for one in counters:
        counts.update(one)
    if not counts:
        return
    out = screen()
    out.print(f"\n{title}", style="bold")
    boxes = Counter(name for one in counters for name in one)
    rows = [[name, f"{count:,}", f"{boxes[name]:,}"] for name, count in counts.most_common()]
    columns = ["what", "count", "mailboxes"]
    if explain is not None:
        columns, rows = [*columns, "why"], [[*row, explain(row[0])] for row in rows]
    out.print(table(columns, rows, wrap=("why",)))
