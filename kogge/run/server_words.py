"""What servers said when something failed, for `kogge failures --server-words`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from engine.config.load import Config
from engine.control.server_words_file import FOLDER, FailureLine, Words
from kogge.prepare.losses import refuse_unknown_codes
from kogge.terminal.options import emit, screen, write_csv
from kogge.terminal.tables import QUIET, table
from model.errors import Misconfigured
from model.kinds import Kind

if TYPE_CHECKING:
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

EVENT = "server-words"
COLUMNS = ("mailbox", "wave", "time", "workload", "code", "item", "words")


@dataclass(frozen=True, slots=True)
class FailureSelection:
    """Whose failures, of which workloads, and with which codes; no code means every code."""

    mailboxes: Sequence[MailboxRow]
    kinds: frozenset[Kind]
    codes: frozenset[str]


def refuse_both(losses: bool, subjects: bool) -> None:
    """Raises Misconfigured where another view is asked for as well."""
    for option, given in (("--losses", losses), ("--subjects", subjects)):
        if given:
            raise Misconfigured("--server-words", f"give it or {option}, not both")


def show(
    config: Config, ledger: Ledger, asked: FailureSelection, reader: str, csv_file: Path | None, as_json: bool
) -> None:
    """Shows them; that somebody reads them, and whose, is recorded first.

    Args:
        reader: who reads them.
        csv_file: where they go, in place of the screen.
    """
    words = Words(config.state_directory)
    found = [(box, words.of(box.id)) for box in asked.mailboxes]
    refuse_unknown_codes(asked.codes, (line.code for _, lines in found for line in lines))
    chosen = [(box, [line for line in lines if _is_asked(line, asked)]) for box, lines in found]
    for box, lines in chosen:
        if lines:
            ledger.event(box.wave, EVENT, {"by": reader, "lines": len(lines)}, subject=box.id)
    rows = list(_rows(chosen))
    if csv_file is not None:
        write_csv(csv_file, rows, COLUMNS, "failures")
    if as_json:
        emit(rows)
    elif csv_file is None:
        _print(rows, config.state_directory / FOLDER)


def _is_asked(line: FailureLine, asked: FailureSelection) -> bool:
    kinds: Set[str] = {str(kind) for kind in asked.kinds}
    return line.workload in kinds and (not asked.codes or line.code in asked.codes)


def _rows(chosen: Sequence[tuple[MailboxRow, Sequence[FailureLine]]]) -> Iterator[dict[str, object]]:
    for box, lines in chosen:
        for line in lines:
            yield {"mailbox": box.id, "wave": box.wave, **asdict(line)}


def _print(rows: Sequence[dict[str, object]], folder: Path) -> None:
    out = screen()
    if not rows:
        told = f"No server said anything about a failure that is kept in {folder}, on this machine."
        out.print(Text(told, style=QUIET), soft_wrap=True)
        return
    columns = ("mailbox", "time", "workload", "code", "item", "words")
    cells = ([_cell(name, row[name]) for name in columns] for row in rows)
    out.print(table(columns, cells, wrap=("words",)))


def _cell(name: str, value: object) -> str:
    text = str(value)
    return text[:8] if name == "item" else text.removesuffix("+00:00") if name == "time" else text
