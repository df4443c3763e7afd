"""`kogge links`: which mails and documents still point into OneDrive and SharePoint, and where to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from engine.config.hints import DEFAULT
from engine.config.load import Config, load
from engine.control.ledger_access import opened_ledger
from engine.control.remedies import advice
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    CsvFile,
    Exit,
    Mailboxes,
    Wave,
    chosen,
    emit,
    private_csv,
    progress_bar,
    say,
    screen,
)
from kogge.terminal.output import Column, Output
from kogge.terminal.tables import GOOD, table
from model.date_text import date_of
from model.kinds import Kind
from model.plural import many

if TYPE_CHECKING:
    from engine.preflight.link_report import Link, LinkFindings, Resolver
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger
    from model.optional_protocols import SupportsLinks

LINKS: Output[Link] = Output(
    (
        Column("mailbox", lambda one: one.mailbox.id),
        Column("workload", lambda one: str(one.container.kind)),
        Column("folder", lambda one: " > ".join(one.container.path)),
        Column("date", lambda one: date_of(one.item.date)),
        Column("url"),
        Column("holder", lambda one: one.end.mailbox),
        Column("target", lambda one: one.end.path),
        Column("why", lambda one: one.end.why),
    )
)


def links(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    csv_file: CsvFile = None,
    read_from: Annotated[
        Literal["source", "target"], typer.Option("--from", help="Where mails and documents are read.")
    ] = "source",
    resolve_by: Annotated[
        Path | None,
        typer.Option(
            "--resolve-by",
            metavar="FILE",
            help="Another configuration, whose source is Microsoft 365 and knows where the links lead.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Lists links into OneDrive and SharePoint in what moved: each with its file's new place, or why not.

    Reads every mail, and every Office document, page and text among the files. Nothing is rewritten. What is
    found goes to FILE or, with --json, to standard output, and is stored nowhere; the screen shows counts. A
    Prefect that runs shows them as well, of a whole wave. Exit code 0 when all was read, wherever the links
    lead.

    Example: kogge links --wave pilot --csv links.csv
    """
    from engine.config.missing_secrets import naming_missing_secrets
    from engine.preflight.link_report import LinkFindings

    settings = load(config)
    found = LinkFindings()
    with ExitStack() as stack:
        ledger = stack.enter_context(opened_ledger(settings))
        boxes = chosen(settings, ledger, wave, mailbox)
        by = load(resolve_by) if resolve_by is not None else settings
        for one in (settings, by):
            stack.enter_context(naming_missing_secrets(one, between="\n"))
        resolver = stack.enter_context(_resolver(settings, by, ledger, boxes))
        put = stack.enter_context(_sink(csv_file))
        seen = stack.enter_context(progress_bar("reading", _items(ledger, boxes)))
        rows = _rows(settings, ledger, boxes, resolver, found, seen, at_target=read_from == "target")
        kept = [row for row in rows if put(row) or as_json]
    if csv_file is not None:
        say(f"{found.ends.total()} links in {csv_file}")
    if as_json:
        emit({"links": LINKS.documents(kept), **_document(found)})
    else:
        _show(found)
    _tell(found, resolver)
    if wave is not None and not mailbox:
        _show_in_prefect(settings, wave, found)
    raise typer.Exit(_code(found, resolver))


@contextmanager
def _resolver(config: Config, by: Config, ledger: Ledger, boxes: Sequence[MailboxRow]) -> Iterator[Resolver]:
    from engine.opening.open_sides import accounts, open_source
    from engine.preflight.link_report import Resolver
    from model.optional_protocols import SupportsLinks

    if not boxes:
        yield Resolver(config, ledger, None)
        return
    account = accounts(ledger, boxes[0]).source
    side = by.source.side(Kind.FILES) if by.source.of(Kind.FILES) is not None else next(iter(by.sources))
    with closing(open_source(by, account, frozenset({Kind.FILES}), side=side)) as source:
        known: SupportsLinks | None = source if isinstance(source, SupportsLinks) else None
        if known is None:
            say("the source is not Microsoft 365, so the links are listed and not resolved; see --resolve-by")
        yield Resolver(by if by.target.of(Kind.FILES) is not None else config, ledger, known)


@contextmanager
def _sink(path: Path | None) -> Iterator[Callable[[Link], None]]:
    """Write each row as it is found. Raise Misconfigured for --csv."""
    if path is None:
        yield lambda _row: None
        return
    with private_csv(path) as rows:
        rows.put(LINKS.names)
        yield lambda link: rows.put(LINKS.values(link))


def _items(ledger: Ledger, boxes: Sequence[MailboxRow]) -> int:
    from engine.preflight.link_report import LINKING
    from ledger.db.leases import AT_TARGET

    ids = {box.id for box in boxes}
    return sum(
        leg.counts.get(state, 0)
        for leg in ledger.summary()
        if leg.mailbox in ids and leg.workload in LINKING
        for state in AT_TARGET
    )


def _rows(
    config: Config,
    ledger: Ledger,
    boxes: Sequence[MailboxRow],
    resolver: Resolver,
    found: LinkFindings,
    seen: Callable[[], None],
    *,
    at_target: bool,
) -> Iterator[Link]:
    from engine.preflight.link_report import LinkReader

    reading = LinkReader(config, ledger, resolver, at_target, found, seen)
    for box in boxes:
        yield from reading.links(box)


def _document(found: LinkFindings) -> dict[str, object]:
    return {
        "read": found.items,
        "unread": found.unread,
        "too_large": found.large,
        "ends": {why or "moved": count for why, count in sorted(found.ends.items())},
        "failed": dict(sorted(found.failed.items())),
    }


def _show(found: LinkFindings) -> None:
    out = screen()
    if not found.ends:
        out.print(Text(f"No links in {many(found.items, 'item', 'items')}.", style=GOOD))
        return
    from reports.facts import LINKS as WAYS

    rows = [(why or "moved", f"{count:,}", WAYS[why or "moved"]) for why, count in sorted(found.ends.items())]
    out.print(table(("links", "count", "what that means"), rows, wrap=("what that means",)))


def _show_in_prefect(config: Config, wave: str, found: LinkFindings) -> None:
    """Show counts; those of some mailboxes would pass for the wave's."""
    from flows.display.from_command import show_links

    show_links(config, wave, {why or "moved": count for why, count in found.ends.items()})


def _tell(found: LinkFindings, resolver: Resolver) -> None:
    if found.unread or found.large:
        documents = many(found.large, "document is", "documents are")
        say(f"{many(found.unread, 'item', 'items')} could not be read; {documents} too large to look into")
    for code in sorted(set(found.failed.values())):
        count = list(found.failed.values()).count(code)
        say(f"{many(count, 'mailbox', 'mailboxes')} could not be read: {code}: {advice(code)}")
    if resolver.gave_up:
        say("Microsoft 365 failed several times in a row, so it was not asked on: run it again")


def _code(found: LinkFindings, resolver: Resolver) -> int:
    if found.unread or len(found.failed) > found.passing:
        return Exit.OPEN
    return Exit.AGAIN if found.failed or resolver.gave_up else Exit.OK
