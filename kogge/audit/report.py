"""`kogge report`: a wave as a page for people, its mailboxes as a page for each person, and both as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.file_errors import unknown
from engine.config.hints import DEFAULT
from engine.config.load import load
from engine.control.ledger_access import opened_ledger
from kogge.terminal.options import (
    AsJson,
    ConfigPath,
    CsvFile,
    Exit,
    Mailboxes,
    Wave,
    chosen,
    emit,
    given,
    say,
    screen,
    write_csv,
)
from model.errors import Misconfigured
from reports.files import PEOPLE, REPORTS, page_of, put

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.store import Ledger
    from reports.data import WaveReport
    from reports.i18n import Wording

ALTERED = "event-chain-broken: the ledger's decisions were altered; the report says so. See `kogge log`."


def report(
    config: ConfigPath = DEFAULT,
    wave: Wave = None,
    lang: Annotated[
        str, typer.Option("--lang", metavar="LANG", help="The pages' language: en, de or fr.")
    ] = "en",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help=f"Write here, not to {REPORTS} in the state directory."),
    ] = None,
    mailbox: Mailboxes = None,
    people: Annotated[
        bool, typer.Option("--people", help="A page for each person of the wave, too.")
    ] = False,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Writes a report of a wave: what was promised, and what became of it.

    It is one page for everybody. It needs no network, prints cleanly, and names only the people who decided.
    With --mailbox or --people a page for each person as well: what moved, what changed, what did not,
    whom to ask ([report] contact). With --json all facts of it go to standard output, and what was written
    is named on standard error.

    Exit code 1 when the ledger's chain of decisions was altered; the page says so.

    Example: kogge report --wave pilot --lang de --people --csv pilot.csv
    """
    from reports.i18n import LANGUAGES, text

    settings = load(config)
    name = given("--wave", wave, "a report is of one wave")
    if lang not in LANGUAGES:
        raise Misconfigured("--lang", unknown(lang, LANGUAGES))
    with opened_ledger(settings) as ledger:
        rows = chosen(settings, ledger, name, mailbox)
        found = of_wave(settings, ledger, name)
    place = out or settings.state_directory / REPORTS
    written = [_wave(found, text(lang), place)]
    if people or mailbox:
        written += _people(found, [row.id for row in rows], text(lang), place)
    if csv_file is not None:
        from reports.export import COLUMNS
        from reports.export import rows as lines

        write_csv(csv_file, list(lines(found)), COLUMNS, "mailboxes")
    _tell(written, say if as_json else _print)
    if as_json:
        from reports.export import document

        emit(document(found))
    if found.chain.head is None:
        say(ALTERED)
        raise typer.Exit(Exit.OPEN)


def of_wave(config: Config, ledger: Ledger, wave: str) -> WaveReport:
    """As the ledger is now."""
    from reports.read import calendars, read

    targets = {kind: config.target.of(kind) for kind in config.workloads}
    return read(ledger, wave, calendars(targets), config.report.contact.strip())


def _wave(found: WaveReport, text: Wording, place: Path) -> Path:
    from reports.html import wave_page

    return put(place / page_of(found.wave, text.language), wave_page(found, text), "--out")


def _people(found: WaveReport, ids: Sequence[str], text: Wording, place: Path) -> list[Path]:
    from reports.html import person_page

    boxes = {box.id: box for box in found.boxes}
    written = []
    for number in filter(boxes.__contains__, ids):
        path = place / PEOPLE / f"{number}.{text.language}.html"
        written.append(put(path, person_page(found, boxes[number], text), "--out"))
    return written


def _print(line: str) -> None:
    screen().print(line, soft_wrap=True)


def _tell(written: Sequence[Path], tell: Callable[[str], None]) -> None:
    pages = [path for path in written if path.parent.name == PEOPLE]
    for path in written:
        if path not in pages or len(pages) == 1:
            tell(f"wrote {path}")
    if len(pages) > 1:
        tell(f"wrote {len(pages):,} pages for people in {pages[0].parent}")
