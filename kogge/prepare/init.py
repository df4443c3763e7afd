"""`kogge init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.config.template import CSV, TOML, write_new
from kogge.terminal.options import echo, say


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where to write them.")] = Path(),
) -> None:
    """Writes a commented kogge.toml and a mailboxes.csv to begin with. Never overwrites.

    Example: kogge init my-migration
    """
    for path in write_new(directory, {"kogge.toml": TOML, "mailboxes.csv": CSV}):
        echo(f"wrote {path}")
    say("Next: fill in both, set the secrets' environment variables, then run `kogge check`.")
