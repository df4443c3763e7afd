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
from kogge.terminal.options import emit, screen, write_csv
from kogge.terminal.tables import GOOD, QUIET, table
from mappings.losses.severity import Class, class_of
from model.date_text import date_of
from model.errors import Misconfigured
from model.kinds import Kind
from model.protocols import Loss
from reports.loss_texts import meaning

if TYPE_CHECKING:
    from kogge.shown.item_lookup import Spot
    from ledger.store import Ledger
    from ledger.views.reports import LegSummary, Located, Lost

SHOWN = 50
FOLDER = 80
"""Characters of a folder's path on the screen; --json and --csv have the whole."""
LOST = ("mailbox", "wave", "workload", "field", "reason", "class", "folder", "date", "meaning")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which losses are asked for. codes: fields, reasons or classes; empty means all."""

    wave: str | None
    mailboxes: frozenset[str]
    kinds: frozenset[Kind]
    codes: frozenset[str] = frozenset()

    def names(self, loss: Loss) -> bool:
        own = {loss.field, loss.reason, str(class_of(loss.field, loss.reason))}
        return not self.codes or bool(self.codes & own)


def show(
    config: Config, ledger: Ledger, asked: Filters, reader: str | None, csv_file: Path | None, as_json: bool
) -> None:
    """All of them to a file or as JSON; on the screen the first SHOWN, and how many there are. reader: who
    reads their subjects, if somebody does."""
    refuse_unknown_losses(ledger, asked)
    whole, subjects = as_json or csv_file is not None, reader is not None
    found = list(islice(_chosen(ledger, asked), None if whole else SHOWN))
    texts: Mapping[Spot, str] = {}
    if reader is not None:
        texts = subjects_of(config, ledger, [(box, row, item) for box, row, item, _ in found], reader)
    rows = [_row(one, texts if subjects else None) for one in found]
    if csv_file is not None:
        write_csv(csv_file, rows, [*LOST, *(["subject"] if subjects else [])], "losses")
    if as_json:
        emit(rows)
    elif csv_file is None and not rows:
        told = "No loss has that field, reason or class." if asked.codes else "No item lost anything."
        screen().print(Text(told, style=GOOD))
    elif csv_file is None:
        _print(rows, counted(ledger.summary(asked.wave), asked), subjects)


def refuse_unknown_losses(ledger: Ledger, asked: Filters) -> None:
    """Raises Misconfigured for what is no field, reason or class of a loss, declared or recorded."""
    from mappings.losses.catalogue import LOSSES

    known = {*Class, *(word for pair in LOSSES for word in pair)}
    if asked.codes - known:
        known |= {word for leg in ledger.summary(asked.wave) for pair in leg.losses for word in pair}
    _refuse_unknown(asked.codes, known)


def refuse_unknown_codes(codes: Iterable[str], recorded: Iterable[str | None]) -> None:
    """Raises Misconfigured for a code that no item is rejected with, by any version."""
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
    """How many items lost what, by workload, field and reason."""
    counts: Counter[tuple[Kind, str, str]] = Counter()
    for leg in summaries:
        if leg.mailbox in asked.mailboxes and leg.workload in asked.kinds:
            for (field, reason), count in leg.losses.items():
                if asked.names(Loss(field, reason)):
                    counts[leg.workload, field, reason] += count
    return counts


def _row(one: Lost, texts: Mapping[Spot, str] | None) -> dict[str, object]:
    box, container, item, loss = one
    found: dict[str, object] = {
        "mailbox": box.id,
        "wave": box.wave,
        "workload": str(container.kind),
        "field": loss.field,
        "reason": loss.reason,
        "class": str(class_of(loss.field, loss.reason)),
        "folder": " > ".join(container.path),
        "date": None if item is None or item.date is None else date_of(item.date),
        "meaning": meaning(container.kind, loss.field, loss.reason),
    }
    if texts is not None:
        found["subject"] = "" if item is None else texts.get((container.id, item.key), "")
    return found


def _print(
    rows: Sequence[Mapping[str, object]], counts: Counter[tuple[Kind, str, str]], subjects: bool
) -> None:
    out = screen()
    columns = ("mailbox", "workload", "lost", "class", "date", "folder", *(("subject",) if subjects else ()))
    out.print(table(columns, (_cells(row, subjects) for row in rows), wrap=("folder", "subject")))
    if counts.total() > len(rows):
        more = f"and {counts.total() - len(rows):,} more: --json or --csv FILE lists them all; narrow with"
        out.print(Text(f"{more} --workload, --code or --mailbox", style=QUIET), soft_wrap=True)
    out.print()
    for (kind, field, reason), count in sorted(counts.items()):
        told = f"{count:,}, {class_of(field, reason)}"
        out.print(f"{kind}: {field} {reason} ({told}): {meaning(kind, field, reason)}", soft_wrap=True)


def _cells(row: Mapping[str, object], subjects: bool) -> list[str]:
    date = str(row["date"] or "-")[:10]
    head = [
        str(row["mailbox"]),
        str(row["workload"]),
        f"{row['field']} {row['reason']}",
        str(row["class"]),
        date,
    ]
    folder = str(row["folder"])
    folder = folder if len(folder) <= FOLDER else f"{folder[: FOLDER - 1]}…"
    return [*head, folder, *([str(row["subject"])] if subjects else [])]


def subjects_of(config: Config, ledger: Ledger, found: Sequence[Located], by: str) -> dict[Spot, str]:
    """Each item's subject or name, read from the source now; that it is, and whose, is recorded first."""
    from kogge.shown.item_lookup import subjects_of as read

    items = [(box, row, item) for box, row, item in found if item is not None]
    waves = {box.id: box.wave for box, _, _ in items}
    for number, count in Counter(box.id for box, _, _ in items).items():
        ledger.event(waves[number], "subjects", {"by": by, "items": count}, subject=number)
    return read(config, ledger, items)
