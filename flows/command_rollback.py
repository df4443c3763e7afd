"""`kogge rollback`: takes back what was moved; looks first, and acts only when told to."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.errors import Misconfigured
from flows.advice import advice
from flows.config import load
from flows.tables import table
from flows.terminal import (
    DEFAULT,
    AsJson,
    ConfigPath,
    Decider,
    Exit,
    Mailboxes,
    Reason,
    Wave,
    chosen,
    emit,
    next_command,
    opened_ledger,
    private_csv,
    report,
    say,
    screen,
)

if TYPE_CHECKING:
    from flows.rollback_crew import Told
    from ledger.rows import LegRow, MailboxRow
    from ledger.store import Ledger

WORDS = {
    "changed": "changed by somebody since: they stay",
    "gone": "not where we wrote them any more (deleted or moved by somebody)",
    "added": "not ours: they stay",
    "shared": "meetings on which an attendee's copy rests: they stay",
    "found": "there before us: they stay",
    "unreadable": "cannot be read: they stay",
    "refused": "the server does not let go of: they stay",
    "shares": "shares of ours",
    "containers": "folders that we made and that are empty then",
    "containers-staying": "folders that we made and that stay: something is in or below them, or the server "
    "keeps them",
}
DONE = {
    "shares": "shares of ours: taken back",
    "containers": "folders that we made and that were empty then: removed",
}
"""What is said otherwise once it is done."""
READ = {
    "read": "read",
    "answered": "answered",
    "forwarded": "forwarded",
    "read-before": "had been read before",
}


def rollback(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    recall: Annotated[
        bool,
        typer.Option("--recall", help="For misdirected mail: in every folder, with a word on what was read."),
    ] = False,
    execute: Annotated[bool, typer.Option("--execute", help="Remove it; without this, only look.")] = False,
    by: Decider = None,
    reason: Reason = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Every item, one a line, for you alone."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Takes back what Kogge wrote and nobody has changed since, in any phase; looks first.

    What somebody changed or added stays and is listed; flags do not count. Folders that we made go when they
    are empty. Without --execute nothing is written anywhere. With it, --by and --reason approve it, unless
    `kogge approve rollback` did; run it again to go on where it stopped. Afterwards the mailboxes are blocked
    (rolled-back) until `kogge retry`.

    Example: kogge rollback --wave pilot --execute --by "A. Auditor" --reason "wrong time zone"
    """
    from flows.boundary import Boundary
    from flows.crew import Drain, quieten
    from flows.launch import defect_log, signals
    from flows.rollback_crew import Order, all_of
    from flows.rollback_run import Scope, approved

    settings = load(config)
    _refuse_half(wave, mailbox, execute, by, reason)
    with opened_ledger(settings) as ledger:
        rows = chosen(ledger, wave, mailbox)
        if execute:
            _approve(ledger, wave if not mailbox else None, rows, by, reason)
        ids = frozenset(row.id for row in rows)
        going = approved(ledger, rows) if execute else ids
        legs = [leg for leg in ledger.legs(wave) if leg.mailbox in ids]
        drain = Drain()
        lines = csv_file is not None or as_json
        boundary = Boundary(drain.event)
        order = Order(settings, Scope(ledger, going), boundary, recall, execute, lines)
        quieten()
        with signals(drain), defect_log(settings.state_directory):
            ended = all_of(order, legs)
        ended = _whole(ledger, ended) if recall and execute else ended
    whose = " ".join(f"-m {row.id}" for row in rows) if mailbox else f"--wave {wave}"
    again = " and ".join(next_command(config, f"{name} {whose}") for name in ("retry", "migrate"))
    _tell(ended, csv_file, as_json, execute, again)
    if boundary.fault is not None:
        raise typer.Exit(report(boundary.fault))
    raise typer.Exit(_code(ended, legs, execute))


def _refuse_half(
    wave: str | None, mailbox: Sequence[str] | None, execute: bool, by: str | None, reason: str | None
) -> None:
    if wave is None and not mailbox:
        raise Misconfigured("rollback", "give --wave or --mailbox")
    if (by is None) != (reason is None):
        raise Misconfigured("rollback", "give --by and --reason together")
    if by is not None and not execute:
        raise Misconfigured("--by", "approves, and nothing is to be done without --execute")
    for name, text in (("--by", by), ("--reason", reason)):
        if text is not None and not text.strip():
            raise Misconfigured(name, "is empty; an auditor will ask")


def _approve(
    ledger: Ledger, wave: str | None, rows: Sequence[MailboxRow], by: str | None, reason: str | None
) -> None:
    """Records who takes responsibility; without a name, somebody must have before."""
    from flows.rollback_run import approved
    from ledger.rollback import APPROVAL

    if by is not None and reason is not None:
        for subject in [f"wave:{wave}"] if wave is not None else [row.id for row in rows]:
            ledger.approve(subject, APPROVAL, by.strip(), reason.strip())
        return
    if not approved(ledger, rows):
        raise Misconfigured("--by", "nobody approved this rollback yet: give --by and --reason")


def _whole(ledger: Ledger, ended: Sequence[Told]) -> list[Told]:
    from flows.rollback_crew import with_earlier

    return [with_earlier(ledger, one) for one in ended]


def _tell(ended: Sequence[Told], csv_file: Path | None, as_json: bool, execute: bool, again: str) -> None:
    """again: what moves them once more."""
    lines = [line.cells() for one in ended for line in one.report.lines or ()]
    if csv_file is not None:
        _write(csv_file, lines)
        say(f"{len(lines):,} lines are in {csv_file}")
    if as_json:
        emit({"executed": execute, "legs": [one.document() for one in ended], "items": lines})
        return
    out = screen()
    out.print(table(["workload", "mailboxes", "items", ""], list(_cells(ended, execute))))
    for code, count in sorted(_codes(ended).items()):
        out.print(f"{code} ({count:,}): {advice(code)}", soft_wrap=True)
    if execute and not _codes(ended):
        say(f"To move them again: {again}")
    if not execute:
        say("Nothing was removed. To do it: --execute --by NAME --reason TEXT")


def _cells(ended: Sequence[Told], execute: bool) -> Iterator[list[str]]:
    """By workload: what goes, and then whatever does not, and why."""
    from flows.rollback_crew import total

    groups: defaultdict[str, list[Told]] = defaultdict(list)
    for one in ended:
        groups[str(one.leg.workload)].append(one)
    for workload, some in sorted(groups.items()):
        counts = total(some)
        words = "removed" if execute else "would be removed"
        yield [workload, f"{len(some):,}", f"{counts['ours']:,}", words]
        for name, words in READ.items():
            if counts[name]:
                yield ["", "", f"{counts[name]:,}", f"of them {words}"]
        for name, words in ({**WORDS, **DONE} if execute else WORDS).items():
            if counts[name]:
                yield ["", "", f"{counts[name]:,}", words]


def _codes(ended: Sequence[Told]) -> dict[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for one in ended:
        if one.code is not None:
            found[one.code] += 1
    return found


def _write(path: Path, lines: Sequence[dict[str, object]]) -> None:
    from flows.rollback_report import Line

    with private_csv(path) as file:
        writer = csv.DictWriter(file, [one.name for one in fields(Line)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _code(ended: Sequence[Told], legs: Sequence[LegRow], execute: bool) -> int:
    codes = _codes(ended)
    if execute and ("stopped" in codes or len(ended) < len(legs)):
        return 130
    return Exit.OPEN if codes else Exit.OK
