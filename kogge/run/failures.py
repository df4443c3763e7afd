"""`kogge failures`: which items could not move, which are not as they should be, and which lost something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.hints import DEFAULT, next_command
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import advice
from flows.process.parameters import workloads_of
from kogge.prepare import losses as command_losses
from kogge.prepare.losses import refuse_unknown_codes, subjects_of
from kogge.run import server_words as command_words
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    CsvFile,
    Exit,
    Mailboxes,
    Wave,
    Workloads,
    chosen,
    given,
    screen,
)
from kogge.terminal.output import Column, Output
from kogge.terminal.tables import CARE, GOOD, QUIET, bytes_cell, code_cell
from model.kinds import Kind
from model.plural import many

if TYPE_CHECKING:
    from kogge.shown.failed_items import Failure
    from kogge.shown.item_lookup import Spot
    from ledger.db.rows import LegRow
    from ledger.store import Ledger

OfLosses = Annotated[
    bool, typer.Option("--losses", help="List instead every item that moved, and what it lost on the way.")
]
Codes = Annotated[
    list[str] | None,
    typer.Option(
        "--code", metavar="C", help="Only this code; of a loss, its field, reason or class; repeatable."
    ),
]
Subjects = Annotated[
    bool,
    typer.Option(
        "--subjects", help="Read each item's subject or name from the source, now; never stored. Needs --by."
    ),
]
ServerWords = Annotated[
    bool,
    typer.Option(
        "--server-words",
        help="Show instead what servers said of failures, as this machine keeps it. Needs --by.",
    ),
]
Reader = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who reads the subjects or words; recorded.")
]
STOPPED_SHOWN = 20
"""So many workloads that did not get further are named on the screen, with what is known of the cause."""
NAMELESS = "The ledger keeps no subject or name. {} reads them from the source."
"""What is said below items without their subjects."""
FAILED: tuple[Column[Failure], ...] = (
    Column("mailbox", lambda one: one.box.id, "mailbox"),
    Column("wave", lambda one: one.box.wave),
    Column("workload", lambda one: str(one.kind)),
    Column("code", heading="code", cell=lambda one: one.coded),
    Column("detail"),
    Column("container", lambda one: one.container and one.container.id),
    Column("item", lambda one: one.key),
    Column("", heading="date", cell=lambda one: str(one.date)),
    Column("", heading="size", cell=lambda one: bytes_cell(one.bytes)),
    Column("folder", heading="folder", wrap=True),
    Column("date"),
    Column("bytes"),
    Column("attempts", lambda one: 0 if one.item is None else one.item.attempts),
    Column("advice", lambda one: advice(one.code)),
)


def failures(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    workload: Workloads = None,
    losses: OfLosses = False,
    code: Codes = None,
    subjects: Subjects = False,
    server_words: ServerWords = False,
    by: Reader = None,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Lists every item that could not move or that the newest verification found to be wrong.

    It says why, what to do, and where its owner finds the item.

    The locator (folder, date, size) is what a person needs to find the item in their mailbox: it is
    shown here and nowhere else. Exit code 1 when there is one. With --json and --csv, a workload that could
    not go on, and of which more is known than its code, is a row without an item.

    With --losses: every item that arrived without something, and what that is. The screen shows the first
    ones; --json and --csv have them all. Exit code 0, for these items moved.

    With --server-words: what servers themselves said, of items and of whole workloads, where a code does not
    tell the cause. It may name people and folders. The machine that met the failure keeps it for 30 days.
    Exit code 0.

    Example: kogge failures --wave pilot --subjects --by "Night shift"
    """
    from kogge.shown.failed_items import Failure

    settings = load(config)
    if server_words:
        command_words.refuse_both(losses, subjects)
    why = "who reads servers' words is recorded" if server_words else "who reads subjects is recorded"
    reader = given("--by", by, why) if subjects or server_words else None
    kinds = workloads_of(settings, workload, "--workload") if workload else frozenset(Kind)
    codes = frozenset(code or ())
    with opened_ledger(settings) as ledger:
        boxes = chosen(settings, ledger, wave, mailbox)
        wanted = frozenset(row.id for row in boxes)
        if reader is not None and server_words:
            asked = command_words.FailureSelection(boxes, kinds, codes)
            command_words.show(settings, ledger, asked, reader, csv_file, as_json)
            raise typer.Exit(Exit.OK)
        filters = command_losses.Filters(wave, wanted, kinds, codes)
        if losses:
            command_losses.show(settings, ledger, filters, reader, csv_file, as_json)
            raise typer.Exit(Exit.OK)
        found, texts = _found(settings, ledger, filters, reader)
        unfinished = _unfinished(ledger, wanted, kinds)
    whose = {row.id: row for row in boxes}
    stopped = [
        Failure(whose[leg.mailbox], leg.workload, leg.code or str(leg.state), leg.detail)
        for leg in unfinished
        if leg.detail and (not codes or leg.code in codes)
    ]
    output = Output([*FAILED, *([_subject(texts)] if subjects else [])])

    def print_them() -> None:
        _show(found, output, bool(code), unfinished)
        if any(row.key for row in found) and not subjects:
            options = "".join([f" --wave {wave}" if wave else "", *(f" -m {one}" for one in mailbox or ())])
            command = next_command(config, f"failures{options} --subjects --by NAME")
            screen().print(Text(NAMELESS.format(command), style=QUIET), soft_wrap=True)

    output.put([*found, *stopped], "failures", csv_file, print_them, as_json=as_json)
    raise typer.Exit(Exit.OPEN if found else Exit.OK)


def _found(
    settings: Config, ledger: Ledger, filters: command_losses.Filters, reader: str | None
) -> tuple[list[Failure], Mapping[Spot, str]]:
    """Return the failures that are asked for, and the subjects of their items, if a reader wants them."""
    from kogge.shown.failed_items import differing, rejected

    every = [*rejected(ledger.rejected(filters.wave)), *differing(ledger.differing(filters.wave))]
    every = [one for one in every if one.box.id in filters.mailboxes and one.kind in filters.kinds]
    refuse_unknown_codes(filters.codes, (one.code for one in every))
    found = [one for one in every if not filters.codes or one.code in filters.codes]
    placed = [one.place for one in found if one.place is not None]
    return found, {} if reader is None else subjects_of(settings, ledger, placed, reader)


def _unfinished(ledger: Ledger, wanted: frozenset[str], kinds: frozenset[Kind]) -> list[LegRow]:
    """Return the workloads of these mailboxes that are not verified: more of them may come to light."""
    from ledger.db.rows import LegState

    legs = [leg for leg in ledger.legs() if leg.mailbox in wanted and leg.workload in kinds]
    return [leg for leg in legs if leg.state is not LegState.VERIFIED]


def _subject(texts: Mapping[Spot, str]) -> Column[Failure]:
    """Return the column of subjects, as they were read. A workload has none."""

    def subject(one: Failure) -> str | None:
        if one.container is None or one.item is None:
            return None if one.container is None else ""
        return texts.get((one.container.id, one.item.key), "")

    return Column("subject", subject, "subject", wrap=True, optional=True)


def _show(
    rows: Sequence[Failure], output: Output[Failure], by_code: bool, unfinished: Sequence[LegRow]
) -> None:
    """Show the failures; for workloads that are `unfinished` this is not the final result."""
    out = screen()
    stopped = [leg for leg in unfinished if leg.detail][:STOPPED_SHOWN]
    for leg in stopped:
        out.print(f"{leg.mailbox}: {leg.workload}: {leg.state}: {code_cell(leg.code, leg.detail)}")
    for code in sorted({leg.code or "" for leg in stopped}):
        out.print(f"{code}: {advice(code)}", soft_wrap=True)
    if not rows:
        told = "No rejected item has that code" if by_code else "No rejected items"
        workloads = many(len(unfinished), "workload is", "workloads are")
        more = f" so far; {workloads} not verified: kogge status"
        out.print(Text(told + (more if unfinished else "."), style=CARE if unfinished else GOOD))
        return
    out.print(output.grid(rows))
    out.print()
    for code, count in sorted(Counter(row.code for row in rows).items()):
        out.print(f"{code} ({count:,}): {advice(code)}", soft_wrap=True)
