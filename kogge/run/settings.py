"""`kogge settings`: one person's rules, replies, working hours and rights, at both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.hints import DEFAULT
from kogge.terminal.options import AsJson, Asker, ConfigPath, CsvFile, Exit, screen
from kogge.terminal.output import Column, Output

if TYPE_CHECKING:
    from kogge.shown.settings_sides import SettingLine, Sides

WHY = "who reads somebody's rules and rights is recorded"
NONE = "Neither rules nor rights of this mailbox are known yet: `kogge migrate` reads them."
LINES: tuple[Column[SettingLine], ...] = (
    Column("workload", lambda one: str(one.kind), "workload"),
    Column("source", heading="at the source", wrap=True),
    Column("target", heading="at the target", wrap=True),
    Column("text"),
    Column("effect", heading="does there"),
    Column("fate", lambda one: one.state.name.lower(), "fate"),
    Column("code", heading="code"),
    Column("losses", lambda one: list(one.losses), "lost", lambda one: ", ".join(one.losses), wrap=True),
    Column("item", lambda one: one.key),
)


def settings(
    mailbox: Annotated[
        str, typer.Option("--mailbox", "-m", metavar="M", help="A random id, an address, or a line.")
    ],
    config: ConfigPath = DEFAULT,
    by: Asker = None,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Shows one person's rules, replies, working hours and rights, as both sides have them now.

    For a help desk: which of them came along, which act, which the person changed since, and what each lost.
    It asks both servers, writes to neither, and stores nothing. Who asks is recorded. Exit code 1 if a side
    cannot be read.

    Example: kogge settings -m m-7f3a9c01 --by "Help desk"
    """
    from engine.config.load import load
    from engine.config.missing_secrets import naming_missing_secrets
    from engine.control.ledger_access import opened_ledger
    from kogge.shown.mailbox_name import resolve
    from kogge.shown.settings_sides import SHOWN, both_sides
    from kogge.terminal.asker import asker

    loaded = load(config)
    with opened_ledger(loaded) as ledger:
        row = resolve(loaded, ledger, mailbox).row
        reader = asker(by, WHY)
        count = sum(leg.items for leg in ledger.legs(mailbox=row.id) if leg.workload in SHOWN)
        ledger.event(row.wave, "subjects", {"by": reader, "items": count}, subject=row.id)
        with naming_missing_secrets(loaded, between="\n"):
            sides = both_sides(loaded, ledger, row)
    output = Output(LINES)
    output.put(sides.lines, "settings", csv_file, lambda: _show(sides, output), as_json=as_json)
    raise typer.Exit(Exit.OPEN if sides.faults else Exit.OK)


def _show(sides: Sides, output: Output[SettingLine]) -> None:
    from engine.control.remedies import advice
    from kogge.terminal.tables import CARE, QUIET
    from reports.loss_texts import meaning

    out = screen()
    for side, code in sides.faults:
        out.print(Text(f"{side} cannot be read: {code}: {advice(code)}", style=CARE), soft_wrap=True)
    if sides.lines:
        out.print(output.grid(sides.lines))
        out.print()
        for code in sorted({one.code for one in sides.lines if one.code}):
            out.print(f"{code}: {advice(code)}", soft_wrap=True)
        for kind, loss in sorted({(one.kind, loss) for one in sides.lines for loss in one.losses}):
            out.print(f"{loss}: {meaning(kind, *loss.split(' '))}", soft_wrap=True)
    elif not sides.faults:
        out.print(Text(NONE, style=QUIET))
