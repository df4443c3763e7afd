"""What servers said when something failed, for `kogge failures --server-words`."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from engine.config.load import Config
from engine.control.server_words_file import FOLDER, FailureLine, Words
from kogge.prepare.losses import refuse_unknown_codes
from kogge.terminal.options import screen
from kogge.terminal.output import Column, Output
from kogge.terminal.tables import QUIET
from model.errors import Misconfigured
from model.kinds import Kind

if TYPE_CHECKING:
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

EVENT = "server-words"
Said = tuple["MailboxRow", FailureLine]
WORDS: Output[Said] = Output(
    (
        Column("mailbox", lambda one: one[0].id, "mailbox"),
        Column("wave", lambda one: one[0].wave),
        Column("time", lambda one: one[1].time, "time", lambda one: one[1].time.removesuffix("+00:00")),
        Column("workload", lambda one: one[1].workload, "workload"),
        Column("code", lambda one: one[1].code, "code"),
        Column("item", lambda one: one[1].item, "item", lambda one: one[1].item[:8]),
        Column("words", lambda one: one[1].words, "words", wrap=True),
    )
)


@dataclass(frozen=True, slots=True)
class FailureSelection:
    """Hold whose failures, of which workloads, and with which codes; no code means every code."""

    mailboxes: Sequence[MailboxRow]
    kinds: frozenset[Kind]
    codes: frozenset[str]


def refuse_both(losses: bool, subjects: bool) -> None:
    """Raise Misconfigured if another view is asked for as well."""
    for option, given in (("--losses", losses), ("--subjects", subjects)):
        if given:
            raise Misconfigured("--server-words", f"give it or {option}, not both")


def show(
    config: Config, ledger: Ledger, asked: FailureSelection, reader: str, csv_file: Path | None, as_json: bool
) -> None:
    """Show them. Who reads them, and whose, is recorded first.

    Args:
        config: the configuration.
        ledger: records it.
        asked: which failures.
        reader: who reads them.
        csv_file: where they go, in place of the screen.
        as_json: print JSON.
    """
    words = Words(config.state_directory)
    found = [(box, words.of(box.id)) for box in asked.mailboxes]
    refuse_unknown_codes(asked.codes, (line.code for _, lines in found for line in lines))
    chosen = [(box, [line for line in lines if _is_asked(line, asked)]) for box, lines in found]
    for box, lines in chosen:
        if lines:
            ledger.event(box.wave, EVENT, {"by": reader, "lines": len(lines)}, subject=box.id)
    rows = [(box, line) for box, lines in chosen for line in lines]
    folder = config.state_directory / FOLDER
    WORDS.put(rows, "failures", csv_file, lambda: _print(rows, folder), as_json=as_json)


def _is_asked(line: FailureLine, asked: FailureSelection) -> bool:
    kinds: Set[str] = {str(kind) for kind in asked.kinds}
    return line.workload in kinds and (not asked.codes or line.code in asked.codes)


def _print(rows: Sequence[Said], folder: Path) -> None:
    out = screen()
    if not rows:
        told = f"No server said anything about a failure that is kept in {folder}, on this machine."
        out.print(Text(told, style=QUIET), soft_wrap=True)
        return
    out.print(WORDS.grid(rows))
