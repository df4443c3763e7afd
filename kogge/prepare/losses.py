"""What items lost on the way, for `kogge failures --losses`: whose, where, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from engine.config.load import Config
from engine.control.code_book import unknown_code
from kogge.terminal.options import screen
from kogge.terminal.output import Column, Output
from kogge.terminal.tables import GOOD, QUIET
from mappings.losses.severity import Class, class_of
from model.date_text import date_of
from model.errors import Misconfigured
from model.kinds import Kind
from model.protocols import Loss
from reports.facts import lost_of
from reports.loss_texts import meaning

if TYPE_CHECKING:
    from kogge.shown.item_lookup import Spot
    from kogge.terminal.tables import Grid
    from ledger.store import Ledger
    from ledger.views.reports import LegSummary, Located, Lost

SHOWN = 50
FOLDER = 80
"""Characters of a folder's path on the screen; --json and --csv have the whole."""
LOST: tuple[Column[Lost], ...] = (
    Column("mailbox", lambda one: one[0].id, "mailbox"),
    Column("wave", lambda one: one[0].wave),
    Column("workload", lambda one: str(one[1].kind), "workload"),
    Column("", heading="lost", cell=lambda one: f"{one[3].field} {one[3].reason}"),
    Column("field", lambda one: one[3].field),
    Column("reason", lambda one: one[3].reason),
    Column("class", lambda one: str(class_of(one[3].field, one[3].reason)), "class"),
    Column("", heading="date", cell=lambda one: (_date(one) or "-")[:10]),
    Column("folder", lambda one: _folder(one), "folder", lambda one: _short(_folder(one)), wrap=True),
    Column("date", lambda one: _date(one)),
    Column("meaning", lambda one: meaning(one[1].kind, one[3].field, one[3].reason)),
)


@dataclass(frozen=True, slots=True)
class Filters:
    """Hold which losses are asked for; `codes` are fields, reasons or classes, and empty means all."""

    wave: str | None
    mailboxes: frozenset[str]
    kinds: frozenset[Kind]
    codes: frozenset[str] = frozenset()

    def names(self, loss: Loss) -> bool:
        """Return True if a loss is asked for."""
        own = {loss.field, loss.reason, str(class_of(loss.field, loss.reason))}
        return not self.codes or bool(self.codes & own)


def show(
    config: Config, ledger: Ledger, asked: Filters, reader: str | None, csv_file: Path | None, as_json: bool
) -> None:
    """Write all losses to a file or as JSON, or show the first SHOWN and how many there are.

    Args:
        config: the configuration.
        ledger: is read.
        asked: which losses.
        reader: who reads their subjects; None if nobody does.
        csv_file: the file.
        as_json: print JSON.
    """
    refuse_unknown_losses(ledger, asked)
    whole, subjects = as_json or csv_file is not None, reader is not None
    found = list(islice(_chosen(ledger, asked), None if whole else SHOWN))
    texts: Mapping[Spot, str] = {}
    if reader is not None:
        texts = subjects_of(config, ledger, [(box, row, item) for box, row, item, _ in found], reader)
    output = Output([*LOST, *([_subject(texts)] if subjects else [])])

    def print_them() -> None:
        if not found:
            told = "No loss has that field, reason or class." if asked.codes else "No item lost anything."
            screen().print(Text(told, style=GOOD))
        else:
            _print(output.grid(found), len(found), counted(ledger.summary(asked.wave), asked))

    output.put(found, "losses", csv_file, print_them, as_json=as_json)


def refuse_unknown_losses(ledger: Ledger, asked: Filters) -> None:
    """Raise Misconfigured for what is no field, reason or class of a loss, declared or recorded."""
    from mappings.losses.catalogue import LOSSES

    known = {*Class, *(word for pair in LOSSES for word in pair)}
    if asked.codes - known:
        known |= {word for leg in ledger.summary(asked.wave) for pair in leg.losses for word in pair}
    _refuse_unknown(asked.codes, known)


def refuse_unknown_codes(codes: Iterable[str], recorded: Iterable[str | None]) -> None:
    """Raise Misconfigured for a code that no item is rejected with, by any version."""
    from engine.control.remedies import ADVICE

    _refuse_unknown(frozenset(codes), {*ADVICE, *filter(None, recorded)})


def _refuse_unknown(codes: frozenset[str], known: Set[str]) -> None:
    for code in sorted(codes - known):
        raise Misconfigured("--code", unknown_code(code, known))


def _chosen(ledger: Ledger, asked: Filters) -> Iterator[Lost]:
    for one in ledger.lost(asked.wave, asked.kinds):
        if one[0].id in asked.mailboxes and asked.names(one[3]):
            yield one


def counted(summaries: Sequence[LegSummary], asked: Filters) -> Counter[tuple[Kind, str, str]]:
    """Count the items that lost something, by workload, field and reason."""
    own = (leg for leg in summaries if leg.mailbox in asked.mailboxes and leg.workload in asked.kinds)
    return Counter({loss: count for loss, count in lost_of(own).items() if asked.names(Loss(*loss[1:]))})


def _subject(texts: Mapping[Spot, str]) -> Column[Lost]:
    """Return the column of subjects, as they were read."""

    def subject(one: Lost) -> str:
        _, container, item, _ = one
        return "" if item is None else texts.get((container.id, item.key), "")

    return Column("subject", subject, "subject", wrap=True)


def _date(one: Lost) -> str | None:
    item = one[2]
    return None if item is None or item.date is None else date_of(item.date)


def _folder(one: Lost) -> str:
    return " > ".join(one[1].path)


def _short(folder: str) -> str:
    return folder if len(folder) <= FOLDER else f"{folder[: FOLDER - 1]}…"


def _print(grid: Grid, shown: int, counts: Counter[tuple[Kind, str, str]]) -> None:
    out = screen()
    out.print(grid)
    if counts.total() > shown:
        more = f"and {counts.total() - shown:,} more: --json or --csv FILE lists them all; narrow with"
        out.print(Text(f"{more} --workload, --code or --mailbox", style=QUIET), soft_wrap=True)
    out.print()
    for (kind, field, reason), count in sorted(counts.items()):
        told = f"{count:,}, {class_of(field, reason)}"
        out.print(f"{kind}: {field} {reason} ({told}): {meaning(kind, field, reason)}", soft_wrap=True)


def subjects_of(config: Config, ledger: Ledger, found: Sequence[Located], by: str) -> dict[Spot, str]:
    """Read each item's subject or name from the source. That it is read, and whose, is recorded first."""
    from engine.config.missing_secrets import naming_missing_secrets
    from kogge.shown.item_lookup import subjects_of as read

    items = [(box, row, item) for box, row, item in found if item is not None]
    waves = {box.id: box.wave for box, _, _ in items}
    for number, count in Counter(box.id for box, _, _ in items).items():
        ledger.event(waves[number], "subjects", {"by": by, "items": count}, subject=number)
    with naming_missing_secrets(config, between="\n"):
        return read(config, ledger, items)
