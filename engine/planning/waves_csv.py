"""Read and write waves.csv: when each wave begins, in which window, and who goes first. People edit it."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.config.file_errors import Problem, misconfigured, unknown
from engine.config.load import Config
from engine.config.mail_address import is_address
from engine.config.planning import NAME
from engine.planning.mailbox_list import PRIORITY, Person, csv_rows
from ledger.plan.waves import WaveRow
from model.errors import Misconfigured
from model.sites import is_site, one_spelling

PLANNED = ("wave", "date", "window", "priority", "canary")
ESTIMATED = ("mailboxes", "items", "bytes", "hours", "by")
"""Columns that are written for people and not read again."""
WAVES, MAILBOXES = "waves.csv", "mailboxes.csv"
"""The files of a configuration that names none."""
DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%d.%m.%Y", "%d.%m.%Y %H:%M")
"""The last two are what German spreadsheets make of the first two."""


@dataclass(frozen=True, slots=True)
class WaveLine:
    """Hold one row.

    Attributes:
        line: its line in the file.
        wave: the name of the wave.
        date: when it begins, without a time zone, as it is written there.
        window: the name of its maintenance window; "" for none.
        priority: higher runs first.
        canary: the source that goes first, as the ledger spells it; "" for none.
    """

    line: int
    wave: str
    date: datetime | None = None
    window: str = ""
    priority: int = 0
    canary: str = ""


def read_waves(path: Path) -> tuple[WaveLine, ...]:
    """Read all rows, in the file's order.

    Raises:
        Misconfigured: with every fault of the file alone.
    """
    problems: list[Problem] = []
    rows: dict[str, WaveLine] = {}
    columns = (("wave",), (*PLANNED, *ESTIMATED))
    for line, cells in csv_rows(path, "what is planned of each wave", columns, problems):
        faults = list(_faults(line, cells))
        if not faults and (earlier := rows.get(cells["wave"])):
            faults = [Problem(line, "wave", f"the same wave as in line {earlier.line}")]
        problems += faults
        if not faults:
            rows[cells["wave"]] = _line(line, cells)
    if problems:
        raise misconfigured(path, problems)
    return tuple(rows.values())


def planned_waves(config: Config, people: Sequence[Person]) -> tuple[WaveLine, ...] | None:
    """Return waves.csv as the configuration and the list have it.

    Rows of waves that belong to another list (see other_waves) are left out.

    Returns:
        The rows; None if there is no such file.

    Raises:
        Misconfigured: for a wave without a mailbox, a window that is not configured, or a canary of another
            wave.
    """
    path = config.file(config.plan.waves)
    if not path.exists():
        return None
    rows = read_waves(path)
    members: dict[str, set[str]] = {}
    for person in people:
        members.setdefault(person.wave, set()).add(person.source)
    if any(row.wave not in members for row in rows):
        others = other_waves(config) - members.keys()
        rows = tuple(row for row in rows if row.wave not in others)
    problems = [fault for row in rows for fault in _foreign(row, members, config.mailboxes.name)]
    problems += [
        Problem(row.line, "window", unknown(row.window, config.windows))
        for row in rows
        if row.window and row.window not in config.windows
    ]
    if problems:
        raise misconfigured(path, problems)
    return rows


def other_waves(config: Config) -> frozenset[str]:
    """Return the waves of the lists of other configurations, in the same folder, with the same waves.csv."""
    here, place = config.path.resolve(), config.path.parent
    waves: set[str] = set()
    for path in sorted(place.glob("*.toml")):
        if path.resolve() != here:
            waves |= _waves_next_to_list(config, place, path)
    return frozenset(waves)


def _waves_next_to_list(config: Config, place: Path, path: Path) -> set[str]:
    """Return the waves of one other configuration; none if it or its list cannot be read.

    Its own commands report that.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        settings = document.get("plan", {})
        waves = place / str(settings.get("waves", WAVES) if isinstance(settings, dict) else WAVES)
        if waves.resolve() != config.file(config.plan.waves).resolve():
            return set()
        listed = place / str(document.get("mailboxes", MAILBOXES))
        rows = csv_rows(listed, "the list of another configuration", (("wave",), None), [])
        return {cells["wave"] for _, cells in rows if cells["wave"]}
    except (OSError, ValueError, Misconfigured):
        return set()


def wave_rows(config: Config, rows: Iterable[WaveLine], ids: Mapping[str, str]) -> list[WaveRow]:
    """Return the rows as the ledger stores them.

    Args:
        config: the configuration.
        rows: the rows of waves.csv.
        ids: the random id of each mailbox by its source.
    """
    return [
        WaveRow(row.wave, starts(config, row), row.window or None, ids.get(row.canary) or None, row.priority)
        for row in rows
    ]


def starts(config: Config, row: WaveLine) -> float | None:
    """Return when a wave begins, in seconds since 1970 UTC, by the clock of its window or else of [plan].

    None without a date.
    """
    if row.date is None:
        return None
    window = config.windows.get(row.window)
    zone = config.plan.timezone if window is None else window.timezone
    return row.date.replace(tzinfo=ZoneInfo(zone)).timestamp()


def written(rows: Iterable[tuple[WaveLine, Sequence[str]]]) -> str:
    """Return the text of a waves.csv: rows with the cells of ESTIMATED."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([*PLANNED, *ESTIMATED])
    for row, estimated in rows:
        out.writerow([row.wave, day(row.date), row.window, row.priority, row.canary, *estimated])
    return text.getvalue()


def day(date: datetime | None) -> str:
    """Return a date as DATES reads it, without a time if that is midnight."""
    if date is None:
        return ""
    return date.strftime(DATES[1] if (date.hour, date.minute) != (0, 0) else DATES[0])


def _faults(line: int, cells: Mapping[str, str]) -> Iterator[Problem]:
    if not NAME.fullmatch(cells["wave"]):
        text = "give a short name of letters, digits, dots or hyphens" if cells["wave"] else "is empty"
        yield Problem(line, "wave", text)
    if cells.get("date") and _date(cells["date"]) is None:
        yield Problem(line, "date", "give a day like 2027-01-16, or with a time, 2027-01-16 20:00")
    if cells.get("window") and not NAME.fullmatch(cells["window"]):
        yield Problem(line, "window", "give the name of one of [windows]")
    if cells.get("priority") and not PRIORITY.fullmatch(cells["priority"]):
        yield Problem(line, "priority", "give a whole number")
    canary = cells.get("canary", "")
    if canary and not is_address(canary) and not is_site(canary):
        yield Problem(line, "canary", "give the source of one of its mailboxes")


def _date(text: str) -> datetime | None:
    for form in DATES:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _line(line: int, cells: Mapping[str, str]) -> WaveLine:
    return WaveLine(
        line,
        cells["wave"],
        _date(cells.get("date", "")),
        cells.get("window", ""),
        int(cells.get("priority") or 0),
        one_spelling(cells.get("canary", "")),
    )


def _foreign(row: WaveLine, members: Mapping[str, Collection[str]], name: str) -> Iterator[Problem]:
    if row.wave not in members:
        yield Problem(
            row.line,
            "wave",
            f"no row of {name} has this wave; where it is another list's, give each list a file of its own "
            "(waves of [plan])",
        )
    elif row.canary and row.canary not in members[row.wave]:
        yield Problem(row.line, "canary", "is no source of this wave")
