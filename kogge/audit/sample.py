"""`kogge audit sample`: items that nobody chose, for an auditor who looks at both systems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kogge.audit.verify import Language, PackPath, PublicKeys, Roots, StampRoots, VerifyingCommand
from kogge.terminal.options import echo, help_text
from model.kinds import Kind

CODES = (
    "Exit codes: those of `kogge audit verify`. With 1 (tampered) and 4 (no verdict, or wrong input) nothing "
    "is drawn."
)


def sample(
    pack: PackPath,
    pubkey: PublicKeys,
    size: Annotated[int, typer.Option("--n", metavar="N", help="How many items.", min=1, max=10_000)] = 60,
    root: Roots = None,
    tsa_root: StampRoots = None,
    workload: Annotated[
        str | None, typer.Option("--workload", metavar="KIND", help=f"Only of one of {', '.join(Kind)}.")
    ] = None,
    word: Annotated[
        str | None,
        typer.Option(
            "--word",
            metavar="TEXT",
            help="The auditor's own word, said after the statement's hash was known.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The directory for sample.csv and sample.html.")
    ] = Path(),
    language: Language = None,
) -> None:
    """Draws items at random from a pack, and writes a work sheet: sample.csv, and sample.html to print.

    The draw follows from the statement's hash and the auditor's word: whoever has both draws the same items,
    and nobody can choose. It is drawn from all items that arrived, by the one file that `kogge audit
    verifier` prints (its --sample), which checks the pack in the same run. If 59 items have no fault, at most
    5 % of all are faulty, with a confidence of 95 %.

    Example: kogge audit sample evidence/wave-pilot --n 60 --pubkey operator.pub --root 5b1f… --word "7 3 19"
    """
    from evidence import verifier

    sheet, page = out / "sample.csv", out / "sample.html"
    options = [f"--pubkey={one}" for one in pubkey] + [f"--root={one}" for one in root or ()]
    options += [f"--sample={size}", f"--sheet={sheet}", f"--report={page}"]
    more = (("workload", workload), ("word", word), ("lang", language))
    options += [f"--{name}={one}" for name, one in more if one is not None]
    options += [] if tsa_root is None else [f"--tsa-root={tsa_root}"]
    code = verifier.main([*options, "--", str(pack)], "kogge audit sample")
    if sheet.is_file() and code not in (verifier.TAMPERED, verifier.UNREADABLE):
        echo(f"work sheet: {sheet}, and {page} to print")
    raise typer.Exit(code)


def register(group: typer.Typer) -> None:
    """Add the command of this file to the group `audit`."""
    group.command(help=help_text(sample), epilog=CODES, cls=VerifyingCommand)(sample)
