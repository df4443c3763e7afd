"""`kogge settings`: one person's rules, replies, working hours and rights, at both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.hints import DEFAULT
from kogge.terminal.options import AsJson, Asker, ConfigPath, CsvFile, Exit, screen
from kogge.terminal.output import Column, Output
from model.errors import Misconfigured

if TYPE_CHECKING:
    from kogge.shown.settings_sides import SettingLine, Sides

WHY = "who reads somebody's rules and rights is recorded"
NONE = "Neither rules nor rights of this mailbox are known yet: `kogge migrate` reads them."
NONE_SENDS = "No rule of this wave is switched off for what it sends out, as far as a run has read."
LINES: tuple[Column[SettingLine], ...] = (
    Column("mailbox", heading="mailbox"),
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
        str | None,
        typer.Option("--mailbox", "-m", metavar="M", help="A random id, an address, or a line."),
    ] = None,
    wave: Annotated[
        str | None,
        typer.Option("--wave", "-w", metavar="W", help="Of this wave, the rules that send mail out."),
    ] = None,
    config: ConfigPath = DEFAULT,
    by: Asker = None,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Shows one person's rules, replies, working hours and rights, as both sides have them now.

    For a help desk: which of them came along, which act, which the person changed since, and what each lost.
    It asks both servers, writes to neither, and stores nothing. Who asks is recorded. Exit code 1 if a side
    cannot be read.

    With --wave it shows the rules that are switched off since they send mail out of the own domains: those
    that `kogge approve rules-send-out` allows.

    Example: kogge settings -m m-7f3a9c01 --by "Help desk"

    Example: kogge settings --wave pilot --by "A. Auditor" --csv sending.csv
    """
    from engine.config.load import load
    from engine.config.missing_secrets import naming_missing_secrets
    from engine.control.ledger_access import opened_ledger
    from kogge.shown.mailbox_name import resolve
    from kogge.shown.settings_sides import SHOWN, Sides, both_sides
    from kogge.terminal.asker import asker
    from kogge.terminal.options import chosen
    from ledger.views.sending_rules import LOSS, switched_off
    from model.kinds import Kind

    if (mailbox is None) == (wave is None):
        raise Misconfigured("settings", "give either --mailbox or --wave")
    loaded = load(config)
    sides = Sides()
    kinds = SHOWN if wave is None else (Kind.SETTINGS,)
    with opened_ledger(loaded) as ledger:
        if mailbox is not None:
            rows = [resolve(loaded, ledger, mailbox).row]
        else:
            rows = chosen(loaded, ledger, wave, None, by_line=False)
            sending = switched_off(ledger, [row.id for row in rows])
            rows = [row for row in rows if row.id in sending]
        reader = asker(by, WHY)
        for row in rows:
            count = sum(leg.items for leg in ledger.legs(mailbox=row.id) if leg.workload in kinds)
            ledger.event(row.wave, "subjects", {"by": reader, "items": count}, subject=row.id)
            with naming_missing_secrets(loaded, between="\n"):
                both_sides(loaded, ledger, row, sides, kinds)
    if wave is not None:
        sides.lines = [line for line in sides.lines if " ".join(LOSS) in line.losses]
    output = Output(LINES if wave is not None else LINES[1:])
    none = NONE if wave is None else NONE_SENDS
    output.put(sides.lines, "settings", csv_file, lambda: _show(sides, output, none), as_json=as_json)
    raise typer.Exit(Exit.OPEN if sides.faults else Exit.OK)


def _show(sides: Sides, output: Output[SettingLine], none: str) -> None:
    from engine.control.remedies import advice
    from kogge.terminal.tables import CARE, QUIET
    from reports.loss_texts import meaning

    out = screen()
    for mailbox, side, code in sides.faults:
        out.print(
            Text(f"{mailbox}: {side} cannot be read: {code}: {advice(code)}", style=CARE), soft_wrap=True
        )
    if sides.lines:
        out.print(output.grid(sides.lines))
        out.print()
        for code in sorted({one.code for one in sides.lines if one.code}):
            out.print(f"{code}: {advice(code)}", soft_wrap=True)
        for kind, loss in sorted({(one.kind, loss) for one in sides.lines for loss in one.losses}):
            out.print(f"{loss}: {meaning(kind, *loss.split(' '))}", soft_wrap=True)
    elif not sides.faults:
        out.print(Text(none, style=QUIET))
