"""`kogge audit locate`: where the items of a work sheet are, for the operator who shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.hints import DEFAULT
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from kogge.prepare.losses import subjects_of
from kogge.terminal.given_once import GivenOnceCommand
from kogge.terminal.options import By, ConfigPath, given, help_text, say
from kogge.terminal.output import Column, Output
from model.date_text import date_of
from model.errors import Misconfigured

if TYPE_CHECKING:
    from evidence.sampled_items import SampledItem
    from kogge.shown.item_lookup import Spot
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

CODES = "Exit codes: 0 all well; 2 wrong input, or a sheet of another ledger; 130 interrupted."


def locate(
    sheet: Annotated[Path, typer.Argument(metavar="SHEET", help="The work sheet: sample.csv.")],
    csv_file: Annotated[Path, typer.Option("--csv", metavar="FILE", help="Write it there, for you alone.")],
    by: By,
    subjects: Annotated[
        bool, typer.Option("--subjects", help="Read each item's subject or name from the source, now.")
    ] = False,
    config: ConfigPath = DEFAULT,
) -> None:
    """Says of each item of an auditor's work sheet whose it is, and where it is on both sides.

    It writes a table with names of people and folders, for the operator alone, who then opens each item with
    the auditor. Whose mailboxes are asked for is recorded, as `kogge who` does. A sheet of another ledger, or
    one that was changed, is refused.

    Example: kogge audit locate sample.csv --csv places.csv --by "Night shift"
    """
    from evidence.sampled_items import find, read_sheet

    asking = given("--by", by, "who asks is recorded")
    if csv_file.exists():
        raise Misconfigured(f"--csv {csv_file}", "is there already: delete it, or give another name")
    settings = load(config)
    asked = read_sheet(sheet)
    with opened_ledger(settings) as ledger:
        found = sorted(find(settings, ledger, asked), key=lambda one: one.asked.number)
        owners = {name: ledger.who(name, asking) for name in dict.fromkeys(one.mailbox for one in asked)}
        titles = _titles(settings, ledger, found, owners, asking) if subjects else {}
    # A spreadsheet shows umlauts with that encoding.
    Output(list(_columns(owners, titles if subjects else None))).write(found, csv_file, "items", "utf-8-sig")
    say("It names people and folders: delete it when the auditor is done.")


def _titles(
    config: Config,
    ledger: Ledger,
    found: list[SampledItem],
    owners: dict[str, MailboxRow],
    by: str,
) -> dict[Spot, str]:
    rows = sorted(found, key=lambda one: (one.asked.mailbox, one.container.id))
    return subjects_of(
        config, ledger, [(owners[one.asked.mailbox], one.container, one.item) for one in rows], by
    )


def _columns(
    owners: Mapping[str, MailboxRow], titles: Mapping[Spot, str] | None
) -> Iterator[Column[SampledItem]]:
    """Yield the columns. titles: of the items; None leaves their column out."""
    yield Column("number", lambda one: one.asked.number)
    yield Column("mailbox", lambda one: one.asked.mailbox)
    yield Column("source account", lambda one: owners[one.asked.mailbox].source)
    yield Column("target account", lambda one: owners[one.asked.mailbox].target)
    yield Column("workload", lambda one: one.asked.workload)
    yield Column("folder at source", lambda one: "/" + "/".join(one.container.path))
    yield Column("folder at target", lambda one: one.container.href)
    yield Column("place at target", lambda one: one.item and one.item.href)
    yield Column("date", lambda one: one.item and one.item.date and date_of(one.item.date))
    yield Column("bytes at target", lambda one: one.item and one.item.size)
    if titles is not None:
        yield Column("subject", lambda one: one.item and titles.get((one.container.id, one.item.key), ""))


def register(group: typer.Typer) -> None:
    """Add the command of this file to the group `audit`."""
    group.command(help=help_text(locate), epilog=CODES, cls=GivenOnceCommand)(locate)
