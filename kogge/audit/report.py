"""`kogge report`: a wave as a page for people, its mailboxes as a page for each person, and both as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from reports.files import OWNERS, PEOPLE, REPORTS, page_of, put

if TYPE_CHECKING:
    from engine.config.load import Config
    from ledger.store import Ledger
    from reports.data import Organisation, WaveReport
    from reports.i18n import Wording
    from reports.own_folders import OwnFolders

ALTERED = "event-chain-broken: the ledger's decisions were altered; the report says so. See `kogge log`."

FOR_OWNERS = (
    "They name folders: hand each page to the owner of its mailbox alone, and delete it here afterwards."
)
Reader = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who makes pages with folder names; recorded.")
]


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
        bool, typer.Option("--people", help="Write a page for each person of the wave, too.")
    ] = False,
    with_folders: Annotated[
        bool,
        typer.Option(
            "--with-folders",
            help="Name folders on pages of people, each for its owner alone. Needs --by.",
        ),
    ] = False,
    by: Reader = None,
    csv_file: CsvFile = None,
    as_json: AsJson = False,
) -> None:
    """Writes a report of a wave: what was promised, and what became of it.

    It is one page for everybody. It needs no network, prints cleanly, and names only the people who decided.
    With --mailbox or --people a page for each person as well: what moved, what changed, what did not,
    whom to ask ([report] contact). With --json all facts of it go to standard output, and what was written
    is named on standard error.

    With --with-folders the pages of people say in which folders to look. They lie apart from the others, in
    the directory owners; hand each to the owner of its mailbox and to nobody else. That they are made, and by
    whom, is recorded for each mailbox.

    Exit code 1 when the ledger's chain of decisions was altered; the page says so.

    Example: kogge report --wave pilot --lang de --people --csv pilot.csv
    """
    from reports.i18n import LANGUAGES, text

    settings = load(config)
    name = given("--wave", wave, "a report is of one wave")
    if lang not in LANGUAGES:
        raise Misconfigured("--lang", unknown(lang, LANGUAGES))
    if with_folders and not (people or mailbox):
        raise Misconfigured("--with-folders", "give --people or --mailbox, too")
    reader = given("--by", by, "who makes pages with folder names is recorded") if with_folders else None
    words = text(lang, zone_of_pages(settings))
    with opened_ledger(settings) as ledger:
        ids = [row.id for row in chosen(settings, ledger, name, mailbox, by_line=not with_folders)]
        folders = _folders(ledger, name, ids, reader) if reader is not None else None
        found = of_wave(settings, ledger, name)
    place = out or settings.state_directory / REPORTS
    written = [_wave(found, words, place)]
    if people or mailbox:
        written += _people(found, ids, words, place, folders)
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
    """Read the report of a wave from the ledger as it is now."""
    from reports.read import calendars, read

    targets = {kind: config.target.of(kind) for kind in config.workloads}
    found = read(ledger, wave, calendars(targets), config.report.contact.strip())
    return replace(found, organisation=_organisation(config))


def zone_of_pages(config: Config) -> str:
    """Return the time zone of the pages: their own, that of the window of the waves, or that of the plan."""
    window = config.windows.get(config.plan.window or "")
    return config.report.timezone or (window.timezone if window else config.plan.timezone)


def _organisation(config: Config) -> Organisation:
    """Return whose migration it is. Raise Misconfigured for a logo that cannot be used."""
    from reports.data import Organisation
    from reports.logo import logo_data

    own = config.report
    logo = "" if own.logo is None else logo_data(config.file(own.logo))
    return Organisation(own.organisation.strip(), logo)


def _wave(found: WaveReport, text: Wording, place: Path) -> Path:
    from reports.html import wave_page

    return put(place / page_of(found.wave, text.language), wave_page(found, text), "--out")


def _folders(ledger: Ledger, wave: str, ids: Sequence[str], reader: str) -> Mapping[str, OwnFolders]:
    """Return the folders of these mailboxes. The question is recorded first."""
    from reports.own_folders import read_own_folders

    for number in ids:
        ledger.event(wave, "folders-named", {"by": reader}, subject=number)
    return read_own_folders(ledger, wave, ids)


def _people(
    found: WaveReport,
    ids: Sequence[str],
    text: Wording,
    place: Path,
    folders: Mapping[str, OwnFolders] | None,
) -> list[Path]:
    """Write the pages of people; with `folders` they name those, and lie apart."""
    from reports.html import person_page

    boxes = {box.id: box for box in found.boxes}
    written = []
    for number in filter(boxes.__contains__, ids):
        path = place / (PEOPLE if folders is None else OWNERS) / f"{number}.{text.language}.html"
        own = None if folders is None else folders[number]
        written.append(put(path, person_page(found, boxes[number], text, own), "--out"))
    return written


def _print(line: str) -> None:
    screen().print(line, soft_wrap=True)


def _tell(written: Sequence[Path], tell: Callable[[str], None]) -> None:
    pages = [path for path in written if path.parent.name in (PEOPLE, OWNERS)]
    for path in written:
        if path not in pages or len(pages) == 1:
            tell(f"wrote {path}")
    if len(pages) > 1:
        tell(f"wrote {len(pages):,} pages for people in {pages[0].parent}")
    if pages and pages[0].parent.name == OWNERS:
        tell(FOR_OWNERS)
