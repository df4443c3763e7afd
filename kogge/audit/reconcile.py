"""`kogge audit reconcile`: the folders of a mailbox, as a pass listed them, against somebody else's count."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kogge.audit.verify import PackPath, say_unchecked
from kogge.terminal.options import AsJson, Exit, echo, emit, say, screen
from model.errors import Misconfigured
from model.plural import many

if TYPE_CHECKING:
    from evidence.inventory_reconciliation import Compared, Reconciled

SHOWN = 100
"""Folders that agree are counted; of the others so many are told."""
SEVERAL = "several folders share this path"
COLUMNS = ("line", "kind", "folder", "export", "inventory", "difference", "outcome", "why")


def reconcile(
    pack: PackPath,
    export: Annotated[Path, typer.Argument(metavar="EXPORT.csv", help="The organisation's own export.")],
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="The mailbox's key (kogge audit keys export)."),
    ] = None,
    number: Annotated[int, typer.Option("--pass", metavar="N", min=1, help="Which pass's inventory.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Compares an inventory's folders with a count that somebody else took at the source.

    The export is of one mailbox, with the columns FolderPath (or Identity) and ItemsInFolder: in Exchange,
    Get-MailboxFolderStatistics anna | Export-Csv -Encoding UTF8 anna.csv. Take it just before the first pass.

    Ends with 1 where one side has items that the other has not. Folders that stay at the source by a rule
    are listed with the rule's code, and are no difference. Folders that share a path are compared by their
    numbers, or else by their sum. It shows paths of the export: mind who reads it.

    Example: kogge audit reconcile evidence/wave-pilot anna.csv --keys m-7f3a9c01.key
    """
    from evidence.inventory_reconciliation import lossy, read_export
    from evidence.inventory_reconciliation import reconcile as compare
    from evidence.pack_reader import read_key

    if keys is None:
        raise Misconfigured("--keys", "is missing: kogge audit keys export --mailbox M --out FILE --by NAME")
    key = read_key(keys)
    counted = read_export(export)
    found = compare(pack, key, counted, number)
    if as_json:
        emit([_document(one) for one in found.folders])
    else:
        _show(found)
        lost = sum(1 for _ in lossy(counted))
        if found.amiss and lost:
            names = many(lost, "name has", "names have")
            say(f"{names} lost letters (?): export again, with -Encoding UTF8.")
    say_unchecked(pack)
    raise typer.Exit(Exit.OPEN if found.amiss else Exit.OK)


def _document(one: Compared) -> dict[str, object]:
    fields = {name: getattr(one, name) for name in one.__slots__}
    return {**fields, "difference": one.difference, "why": _why(one)}


def _show(found: Reconciled) -> None:
    from evidence.inventory_reconciliation import ReconciliationOutcome, sums
    from kogge.terminal.tables import table

    echo(f"mailbox {found.mailbox}, pass {found.number}, listed {found.closed:%Y-%m-%d %H:%M} UTC")
    others = [one for one in found.folders if one.outcome is not ReconciliationOutcome.AGREES]
    others.sort(key=lambda one: (not one.amiss, one.outcome is not ReconciliationOutcome.OMITTED))
    if others:
        rows = [_row(one) for one in others[:SHOWN]]
        screen().print(table(COLUMNS, rows, wrap=("kind", "folder", "why")))
    if len(others) > SHOWN:
        echo(f"and {len(others) - SHOWN:,} more: --json tells them all")
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sums(found.folders).items())
    echo(f"folders: {counts or 'none'}")
    for line in _meaning(found):
        echo(line)


def _row(one: Compared) -> list[str]:
    difference = "" if one.difference is None else f"{one.difference:+,}"
    line = "" if one.line is None else str(one.line)
    counts = [_count(one.theirs, "export"), _count(one.ours, "inventory"), difference.rjust(10)]
    return [line, one.kind, one.path, *counts, one.outcome.value, _why(one)]


def _why(one: Compared) -> str:
    return "; ".join(text for text in (_reason(one), SEVERAL if one.several else "") if text)


def _reason(one: Compared) -> str:
    from engine.control.remedies import STAYS, advice
    from evidence.inventory_reconciliation import ReconciliationOutcome

    texts = {
        ReconciliationOutcome.ONLY_THERE: "no folder of this path was listed",
        ReconciliationOutcome.ONLY_HERE: "the export has no folder of this path",
        ReconciliationOutcome.UNTOLD: "this pass does not count it",
        ReconciliationOutcome.ASIDE: "nobody sees it; not of the mailbox",
    }
    if one.code is None:
        return texts.get(one.outcome, "")
    reason = STAYS.get(one.code) or advice(one.code)
    return f"{one.code}: {reason}" if reason else one.code


def _meaning(found: Reconciled) -> list[str]:
    """Return what it means, and what to do."""
    from evidence.inventory_reconciliation import ReconciliationOutcome

    said = []
    if found.omitted:
        items = many(sum(one.theirs or one.ours or 0 for one in found.omitted), "item", "items")
        folders = many(len(found.omitted), "folder", "folders")
        said += [
            f"Left out by a rule, to stay at the source: {folders} with {items}.",
            "Nothing in them moved. Look at their codes: is that what was agreed?",
        ]
    paths = {one.path for one in found.folders if one.several}
    if paths:
        said += [
            f"Shared by several folders: {many(len(paths), 'path', 'paths')}. Their numbers tell these"
            " folders apart; where they do not, their sums are compared.",
        ]
    count = sum(one.outcome is ReconciliationOutcome.AGREES for one in found.folders)
    nothing = [] if count else ["Nothing agrees: the key or the export may be of another mailbox."]
    if not found.amiss:
        agreeing = many(count, "folder has", "folders have")
        return [*said, f"No difference: {agreeing} as many items here as in the export.", *nothing]
    more = sum(max(one.difference or 0, 0) for one in found.amiss)
    fewer = -sum(min(one.difference or 0, 0) for one in found.amiss)
    return [
        *said,
        f"Different: {many(len(found.amiss), 'folder', 'folders')}. The inventory lacks"
        f" {many(fewer, 'item', 'items')} that the export has, and has {more:,} that the export lacks.",
        *nothing,
        f"Was the export not taken just before pass {found.number}? Give the pass nearest to it (--pass).",
        "Otherwise have somebody look at these folders at the source before the mailbox is accepted.",
    ]


def _count(count: int | None, column: str) -> str:
    return ("" if count is None else f"{count:,}").rjust(len(column))
