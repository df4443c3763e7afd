"""An inventory's folders against the organisation's own count of them, taken by somebody else than Kogge.

What is known here is Exchange's Get-MailboxFolderStatistics, exported as CSV; any table with a folder's path
and its number of items will do. A pack names folders by pseudonyms alone: the mailbox's key makes the same of
the export's paths.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from connectors.base import Kind
from connectors.errors import Misconfigured
from flows.pack_reading import MailboxKey, MailboxPack
from flows.people import separator
from flows.problems import Problem, misconfigured, read_text
from ledger.evidence_lines import NAME, folder_text, pseudonym

PATHS, COUNT, IDENTITY, TYPE = ("folderpath", "identity"), "itemsinfolder", "identity", "foldertype"
SLASHES, BACKSLASHES = "\uf022\uf8ff", "\uf026"
"""What Exchange writes for a slash, or a backslash, within a folder's name."""
ASIDE = ("root", "recoverableitems", "calendarlogging", "audits", "subscriptions")
"""Beginnings of the types of folders that nobody sees: not of the mailbox that moves."""
PURPOSE = "the organisation's own export: a folder's path and its number of items in each line"


@dataclass(frozen=True, slots=True)
class Counted:
    """A folder of the export. aside: its type is one that no person sees."""

    path: str
    names: tuple[str, ...]
    items: int
    aside: bool = False


class Outcome(StrEnum):
    AGREES = "agrees"
    DIFFERS = "differs"
    ONLY_THERE = "only there"
    ONLY_HERE = "only here"
    OMITTED = "omitted"
    UNTOLD = "untold"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Compared:
    """A folder. path: as in the export, or a part of its pseudonym. ours: None: the inventory does not say.
    theirs: None: the export does not name it. code: why nothing in it moves."""

    path: str
    ours: int | None
    theirs: int | None
    outcome: Outcome
    code: str | None = None

    @property
    def amiss(self) -> bool:
        """Items that one side has and the other has not."""
        if self.outcome is Outcome.ONLY_THERE:
            return self.theirs != 0
        if self.outcome is Outcome.ONLY_HERE:
            return bool(self.ours)
        return self.outcome is Outcome.DIFFERS


def read_export(path: Path) -> list[Counted]:
    """Raises Misconfigured."""
    text = read_text(path, PURPOSE)
    lines = text.split("\n")
    begin = 0
    while begin < len(lines) and (not lines[begin].strip() or lines[begin].startswith("#TYPE")):
        begin += 1
    body = "\n".join(lines[begin:])
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator(body))
    header = [cell.strip().casefold() for cell in next(reader, [])]
    column = next((name for name in PATHS if name in header), None)
    if column is None or COUNT not in header:
        raise Misconfigured(path.name, "needs the columns FolderPath (or Identity) and ItemsInFolder")
    try:
        rows = [
            (begin + reader.line_num, dict(zip(header, cells, strict=False))) for cells in reader if cells
        ]
    except csv.Error:
        raise Misconfigured(path.name, f"line {begin + reader.line_num} is no CSV") from None
    _refuse_several(path, [row for _, row in rows])
    return _counted(path, column, rows)


def _refuse_several(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    owners = {row[IDENTITY].partition("\\")[0] for row in rows if "\\" in row.get(IDENTITY, "")}
    if len(owners) > 1:
        raise Misconfigured(path.name, f"is of {len(owners)} mailboxes; export the one that the key is of")


def _counted(path: Path, column: str, rows: Sequence[tuple[int, Mapping[str, str]]]) -> list[Counted]:
    found, problems = [], []
    for line, row in rows:
        text = row.get(COUNT, "").strip()
        if not text.isdecimal():
            problems.append(Problem(line, "ItemsInFolder", "is no whole number"))
            continue
        names = _names(row.get(column, ""), column == IDENTITY)
        kind = row.get(TYPE, "").strip().casefold()
        found.append(Counted("/" + "/".join(names), names, int(text), kind.startswith(ASIDE)))
    if problems:
        raise misconfigured(path, problems)
    return found


def _names(text: str, identity: bool) -> tuple[str, ...]:
    """Of a folder and those it is in. An identity begins with the mailbox, and has backslashes in between."""
    parts = text.split("\\")[1:] if identity else text.split("/")
    table = str.maketrans({**dict.fromkeys(SLASHES, "/"), **dict.fromkeys(BACKSLASHES, "\\")})
    return tuple(part.translate(table) for part in parts if part)


@dataclass(frozen=True, slots=True)
class _Folder:
    box: str
    items: int | None
    code: str | None


def reconcile(place: Path, key: MailboxKey, export: Sequence[Counted], number: int = 1) -> list[Compared]:
    """In the export's order, then what only the inventory has. Pass 1 is counted by its lines. A later one
    lists what changed alone: there the source's own count is taken. Raises Misconfigured."""
    ours = _folders(place, key, number)
    theirs: dict[str, list[Counted]] = defaultdict(list)
    for one in export:
        name = folder_text(one.names)
        theirs[pseudonym(key.key, NAME, name.encode("utf-8", "surrogatepass"))].append(one)
    found = [_compared(rows, ours.pop(name, None), number) for name, rows in theirs.items()]
    return [*found, *(_left(name, folders) for name, folders in ours.items())]


def _folders(place: Path, key: MailboxKey, number: int) -> dict[str, list[_Folder]]:
    """By the pseudonym of the path: two folders may differ in nothing but case."""
    pack = MailboxPack(place, key.mailbox)
    rows = [row for row in pack.rows if row.number == number and row.section != Kind.FILES.value]
    if not rows:
        raise Misconfigured("--pass", f"the pack has no pass {number} of this mailbox")
    found: dict[str, list[_Folder]] = defaultdict(list)
    for row in rows:
        (header,) = islice(pack.inventory(row), 1)
        for folder in json.loads(header)["folders"]:
            items = folder["listed"] if number == 1 else folder["total"]
            found[folder["name"]].append(_Folder(folder["box"], items, folder["omit"]))
    return found


def _compared(rows: Sequence[Counted], folders: Sequence[_Folder] | None, number: int) -> Compared:
    path, theirs = rows[0].path, sum(one.items for one in rows)
    if folders is None:
        # A later pass names what changed alone.
        unknown = Outcome.ONLY_THERE if number == 1 else Outcome.UNTOLD
        return Compared(path, None, theirs, Outcome.ASIDE if rows[0].aside else unknown)
    code = next((one.code for one in folders if one.code is not None), None)
    ours = _sum(one.items for one in folders)
    if code is not None:
        return Compared(path, ours, theirs, Outcome.OMITTED, code)
    if ours is None:
        return Compared(path, ours, theirs, Outcome.UNTOLD)
    return Compared(path, ours, theirs, Outcome.AGREES if ours == theirs else Outcome.DIFFERS)


def _left(name: str, folders: Sequence[_Folder]) -> Compared:
    code = next((one.code for one in folders if one.code is not None), None)
    outcome = Outcome.ONLY_HERE if code is None else Outcome.OMITTED
    return Compared(f"({name[:8]}…)", _sum(one.items for one in folders), None, outcome, code)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(one for one in known if one is not None)


def sums(found: Iterable[Compared]) -> dict[Outcome, int]:
    """How many folders, by outcome."""
    counts = Counter(one.outcome for one in found)
    return {outcome: counts[outcome] for outcome in Outcome if counts[outcome]}


def lossy(export: Iterable[Counted]) -> Iterator[str]:
    """Paths whose letters the export lost: PowerShell 5 writes ASCII unless it is told otherwise."""
    for one in export:
        if "?" in one.path or "\ufffd" in unicodedata.normalize("NFC", one.path):
            yield one.path
