"""`kogge failures`: which items could not move, which are not as they should be, and which lost something."""

from __future__ import annotations

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
    emit,
    given,
    screen,
    write_csv,
)
from kogge.terminal.tables import CARE, GOOD, QUIET, bytes_cell, code_cell, table
from model.date_text import date_of
from model.kinds import Kind
from model.plural import many

if TYPE_CHECKING:
    from kogge.shown.failed_items import Failure
    from kogge.shown.item_lookup import Spot
    from ledger.db.rows import LegRow
    from ledger.store import Ledger

OfLosses = Annotated[
    bool, typer.Option("--losses", help="Instead: every item that moved, and what it lost on the way.")
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
        help="Instead: what servers said of failures, as this machine keeps it. Needs --by.",
    ),
]
Reader = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who reads the subjects or words; recorded.")
]
STOPPED_SHOWN = 20
"""So many workloads that did not get further are named on the screen, with what is known of the cause."""
NAMELESS = (
    "The ledger keeps no subject or name. {} reads them from the source: of mail, events, contacts, files."
)
"""What is said below items without their subjects."""
FAILED = (
    "mailbox", "wave", "workload", "code", "detail", "container", "item", "folder", "date", "bytes",
    "attempts", "advice",
)  # fmt: skip


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
    rows = [_failure(one, texts) for one in found]
    waves = {row.id: row.wave for row in boxes}
    stopped = [_stop(leg, waves) for leg in unfinished if leg.detail and (not codes or leg.code in codes)]
    if csv_file is not None:
        write_csv(csv_file, [*rows, *stopped], [*FAILED, *(["subject"] if subjects else [])], "failures")
    if as_json:
        emit([*rows, *stopped])
    elif csv_file is None:
        _show(rows, subjects, bool(code), unfinished)
        if any(row["item"] for row in rows) and not subjects:
            whose = "".join([f" --wave {wave}" if wave else "", *(f" -m {one}" for one in mailbox or ())])
            command = next_command(config, f"failures{whose} --subjects --by NAME")
            screen().print(Text(NAMELESS.format(command), style=QUIET), soft_wrap=True)
    raise typer.Exit(Exit.OPEN if rows else Exit.OK)


def _found(
    settings: Config, ledger: Ledger, filters: command_losses.Filters, reader: str | None
) -> tuple[list[Failure], Mapping[Spot, str]]:
    """The failures that are asked for, and the subjects of their items, for a reader who asks for them."""
    from kogge.shown.failed_items import differing, rejected

    every = [*rejected(ledger.rejected(filters.wave)), *differing(ledger.differing(filters.wave))]
    every = [one for one in every if one.box.id in filters.mailboxes and one.container.kind in filters.kinds]
    refuse_unknown_codes(filters.codes, (one.code for one in every))
    found = [one for one in every if not filters.codes or one.code in filters.codes]
    placed = [(one.box, one.container, one.item) for one in found if one.item is not None]
    return found, {} if reader is None else subjects_of(settings, ledger, placed, reader)


def _unfinished(ledger: Ledger, wanted: frozenset[str], kinds: frozenset[Kind]) -> list[LegRow]:
    """The workloads of these mailboxes that are not verified: of them, more may come to light."""
    from ledger.db.rows import LegState

    legs = [leg for leg in ledger.legs() if leg.mailbox in wanted and leg.workload in kinds]
    return [leg for leg in legs if leg.state is not LegState.VERIFIED]


def _failure(one: Failure, subjects: Mapping[Spot, str]) -> dict[str, object]:
    box, container, item = one.box, one.container, one.item
    found: dict[str, object] = {
        "mailbox": box.id,
        "wave": box.wave,
        "workload": str(container.kind),
        "code": one.code,
        "detail": one.detail,
        "container": container.id,
        "item": one.key,
        "folder": " > ".join(container.path),
        "date": date_of(None if item is None else item.date),
        "bytes": None if item is None else item.size,
        "attempts": 0 if item is None else item.attempts,
        "advice": advice(one.code),
    }
    if subjects:
        found["subject"] = "" if item is None else subjects.get((container.id, item.key), "")
    return found


def _stop(leg: LegRow, waves: Mapping[str, str]) -> dict[str, object]:
    """A workload that did not get further, in the form of an item that failed."""
    code = leg.code or str(leg.state)
    known = {"mailbox": leg.mailbox, "wave": waves[leg.mailbox], "workload": str(leg.workload), "code": code}
    told = {"detail": leg.detail, "attempts": 0, "advice": advice(code)}
    return {**dict.fromkeys(FAILED), **known, **told}


def _show(
    rows: Sequence[Mapping[str, object]], subjects: bool, by_code: bool, unfinished: Sequence[LegRow]
) -> None:
    """unfinished: workloads of which this is not the last word."""
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
    columns = ["mailbox", "code", "date", "size", "folder", *(["subject"] if subjects else [])]
    cells = [_failure_cells(row, columns[4:]) for row in rows]
    out.print(table(columns, cells, wrap=("folder", "subject")))
    out.print()
    for code in sorted({str(row["code"]) for row in rows}):
        count = sum(row["code"] == code for row in rows)
        out.print(f"{code} ({count:,}): {advice(code)}", soft_wrap=True)


def _failure_cells(row: Mapping[str, object], more: Sequence[str]) -> list[str | Text]:
    detail = str(row["detail"]).rpartition(":")[2]
    code = f"{row['code']} ({detail})" if detail and detail != row["code"] else str(row["code"])
    head = (str(row["mailbox"]), code, str(row["date"]), bytes_cell(_size(row["bytes"])))
    return [*head, *(str(row.get(name, "")) for name in more)]


def _size(value: object) -> int | None:
    return value if isinstance(value, int) else None
