"""`kogge show`: everything about one mailbox on one page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.config.hints import DEFAULT
from kogge.terminal.asker import asker
from kogge.terminal.options import AsJson, Asker, ConfigPath, emit, screen
from model.kinds import KINDS

if TYPE_CHECKING:
    from engine.config.load import Config
    from kogge.shown.mailbox_page import MailboxPage

WHY = "who looks up an address is recorded"


def show(
    mailbox: Annotated[
        str, typer.Argument(metavar="MAILBOX", help="A random id, an address, or a line of mailboxes.csv.")
    ],
    config: ConfigPath = DEFAULT,
    by: Asker = None,
    as_json: AsJson = False,
) -> None:
    """Shows everything about one mailbox: proof, phase, workloads, errors with advice, losses, decisions.

    It also says the score, which servers are asked, and what to type next. It asks no server. With an id or a
    line no name is shown. With an address both accounts are shown, and that somebody asked is recorded, as
    `kogge who` does.

    Example: kogge show m-7f3a9c01
    """
    from engine.config.load import load
    from engine.control.ledger_access import opened_ledger
    from kogge.shown.mailbox_name import resolve
    from kogge.shown.mailbox_page import document, gather

    settings = load(config)
    with opened_ledger(settings) as ledger:
        named = resolve(settings, ledger, mailbox)
        accounts: dict[str, str] = {}
        if named.by_address:
            row = ledger.who(named.row.id, asker(by, WHY))
            accounts = {"source": row.source, "target": row.target}
        page = gather(settings, ledger, named)
    if as_json:
        emit({**accounts, **document(page, settings)})
    else:
        _print(page, settings, accounts)


def _print(page: MailboxPage, config: Config, accounts: dict[str, str]) -> None:
    from kogge.shown import mailbox_page
    from kogge.terminal.tables import GOOD, Hanging, facts
    from reports.loss_texts import closing_lines

    out = screen()
    out.print(facts([*accounts.items(), *mailbox_page.head(page, config.mailboxes.name)]))
    out.print()
    out.print(mailbox_page.workloads(page))
    _section("Last passes", mailbox_page.passes(page))
    _section("Errors, and what to do", mailbox_page.errors(page))
    if page.lost:
        out.print(Text("\nArrived, but not all of what it was", style="bold"))
        for line in closing_lines(page.lost):
            out.print(Hanging(line))
    _section("Decisions (kogge log)", mailbox_page.decisions(page))
    _section("Servers", page.servers.items())
    _section("More", _more(page, config))
    if page.verified and page.cut_off is None:
        out.print(Text("\nevery item is accounted for", style=GOOD))
    out.print(Text("\nNext: ").append("; ".join(mailbox_page.next_steps(page, config))), soft_wrap=True)


def _section(title: str, rows: Iterable[tuple[str, str]]) -> None:
    from kogge.terminal.tables import facts

    told = list(rows)
    if told:
        out = screen()
        out.print(Text(f"\n{title}", style="bold"))
        out.print(facts((f"  {name}", said) for name, said in told))


def _more(page: MailboxPage, config: Config) -> Iterable[tuple[str, str]]:
    from connectors.catalogue.entries import connectors
    from engine.config.hints import next_command

    path, only = config.path, f"-m {page.id}"
    if page.rejected or page.amiss:
        yield "items that failed", next_command(path, f"failures {only}")
    if page.lost:
        yield "items that lost something", next_command(path, f"failures --losses {only}")
    if page.words:
        yield f"what servers said ({page.words:,})", next_command(path, f"failures --server-words {only}")
    sources = (config.source.of(leg.workload) for leg in page.legs if KINDS[leg.workload].links)
    for into in sorted({connectors()[one.kind].links for one in sources if one is not None} - {""}):
        yield f"links into {into}", next_command(path, f"links {only}")
    yield "every event", next_command(path, f"log --all {only}")
