"""`kogge routes`: where a mail proxy sends each person's clients."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from kogge.terminal.options import AsJson, ConfigPath, echo, emit
from model.plural import many

if TYPE_CHECKING:
    from engine.cutover.mail_routes import WrittenRoutes


def routes(
    config: ConfigPath = DEFAULT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written; write nothing.")
    ] = False,
    many_back: Annotated[
        bool,
        typer.Option("--many-back", help="Write it even if it sends many people back to the old server."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Writes to which server a mail proxy sends each person: the old one, or after the cutover the new one.

    It follows from the ledger alone, and may be run at any time: as a hook of the cutover, as the undo of
    one, and by hand. The files of [mail_routes] hold addresses; only their owner can read them.

    Example: kogge routes --dry-run
    """
    from engine.cutover.mail_routes import write_mail_routes

    settings = load(config)
    with opened_ledger(settings, upgrade=False) as ledger:
        written = write_mail_routes(settings, ledger, dry_run=dry_run, many_back=many_back)
    if as_json:
        emit([asdict(one) for one in written])
        return
    for one in written:
        echo(_line(one, dry_run=dry_run))


def _line(one: WrittenRoutes, *, dry_run: bool) -> str:
    people = f"{many(one.old, 'person', 'people')} at the old server, {one.new:,} at the new one"
    if dry_run and one.changed:
        outcome = f"would change {many(one.changed, 'line', 'lines')}"
    else:
        outcome = "written" if one.written else "as it was"
    return f"{one.protocol}: {people}; {outcome}"
