"""`kogge score`: how good what moved is, by mailbox and by wave, and why it is no better."""

from __future__ import annotations

import typer

from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from kogge.terminal.options import AsJson, ConfigPath, CsvFile, Exit, Mailboxes, Wave, chosen, emit, write_csv


def score(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    mailbox: Mailboxes = None,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Scores each mailbox and each wave: perfect, good, investigate or poor.

    The score follows from how many items arrived, and how many of them lack a part of their content;
    docs/score.md has the rule.
    A wave is no better than its worst mailbox. A mailbox has a score once every workload of it is verified.
    Exit code 0 when every mailbox has one, and none is investigate or poor.

    Example: kogge score --wave pilot --csv score.csv
    """
    from kogge.shown.score_tables import CSV, document_of, gather, lines_of, show

    settings = load(config)
    with opened_ledger(settings) as ledger:
        every, waves = gather(ledger, chosen(settings, ledger, wave, mailbox))
    if csv_file is not None:
        write_csv(csv_file, [line for one in every for line in lines_of(one)], CSV, "rows")
    if as_json:
        emit({"waves": [one.document() for one in waves], "mailboxes": [document_of(one) for one in every]})
    elif csv_file is None:
        show(every, waves)
    raise typer.Exit(Exit.OPEN if any(one.is_open for one in every) else Exit.OK)
