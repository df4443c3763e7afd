"""`kogge ledger`: the schema of the ledger, and who is at work on it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT, next_command
from engine.config.load import load
from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import CODES, ConfigPath, Exit, echo, help_text
from model.plural import many

if TYPE_CHECKING:
    from ledger.store import Ledger

ledger = typer.Typer(help="Upgrades the ledger's schema.", no_args_is_help=True)

Check = Annotated[bool, typer.Option("--check", help="Say what would be done; change nothing.")]


def upgrade(check: Check = False, config: ConfigPath = DEFAULT) -> None:
    """Brings the ledger of an older version of Kogge to this version's schema.

    Refused while workers hold workloads of it (exit code 3): stop them first, and give them this version
    too, for a program of an older one claims nothing afterwards. Make a backup before. With --check, exit
    code 1 says that there is something to upgrade.

    Example: kogge ledger upgrade --check
    """
    from ledger.store import Ledger

    settings = load(config)
    if settings.ledger_file is not None and not settings.ledger_file.exists():
        echo("there is no ledger yet; `kogge check` or `kogge migrate` makes it")
        return
    with closing(Ledger(settings.ledger_url())) as opened:
        before, newest = opened.revision(), opened.newest_revision()
        if before == newest:
            echo(f"the ledger has this version's schema, {newest}")
        elif check:
            raise typer.Exit(_tell(opened, before, newest, config))
        else:
            opened.migrate()
            echo(f"the ledger has schema {newest} now; it had {before or 'none'}")


def _tell(opened: Ledger, before: str | None, newest: str, config: Path) -> int:
    if before is None:
        echo("the database holds no ledger yet; `kogge check` or `kogge migrate` makes it")
        return Exit.OK
    opened.refuse_newer()
    echo(f"the ledger has schema {before}; this version needs {newest}")
    held, until = opened.held_until()
    if until is None:
        echo(f"nobody is at work on it. Next: {next_command(config, 'ledger upgrade')}")
    else:
        workloads = many(held, "workload is", "workloads are")
        echo(f"{workloads} held by workers, the last until {until:%H:%M:%S} UTC unless they go on")
    return Exit.OPEN


ledger.command("upgrade", help=help_text(upgrade), epilog=CODES, cls=GivenOnceCommand)(upgrade)
