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
from datetime import UTC, datetime
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
    """A folder of the export. aside: its type is one that no person sees. line: where it stands in the file;
    type: as the export has it."""

    path: str
    names: tuple[str, ...]
    items: int
    aside: bool = False
    line: int = 0
    type: str = ""


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
    """A folder. path: as in the export, or a part of its pseudonym. ours: None: the inventory does not say;
    of an omitted one, the source's own count. theirs: None: the export does not name it. code: why nothing
    in it moves, or not in all of this path. line: in the export; kind: what it holds, or the type there."""

    path: str
    ours: int | None
    theirs: int | None
    outcome: Outcome
    code: str | None = None
    line: int | None = None
    kind: str = ""

    @property
    def difference(self) -> int | None:
        """How many more the inventory has; None: one of them does not say."""
        if self.outcome is Outcome.ONLY_THERE:
            return -(self.theirs or 0)
        if self.outcome is Outcome.ONLY_HERE:
            return self.ours
        return None if self.ours is None or self.theirs is None else self.ours - self.theirs

    @property
    def amiss(self) -> bool:
        """Items that one side has and the other has not."""
        if self.outcome is Outcome.ONLY_THERE:
            return self.theirs != 0
        if self.outcome is Outcome.ONLY_HERE:
            return bool(self.ours)
        return self.outcome is Outcome.DIFFERS


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One pass of a mailbox. closed: when its first inventory was, by the ledger's clock. folders: in the
    export's order, then what only the inventory has."""

    mailbox: str
    number: int
    closed: datetime
    folders: Sequence[Compared]

    @property
    def amiss(self) -> list[Compared]:
        return [one for one in self.folders if one.amiss]

    @property
    def omitted(self) -> list[Compared]:
        return [one for one in self.folders if one.outcome is Outcome.OMITTED]


def read_export(path: Path) -> list[Counted]:
    """Raises Misconfigured."""
    text = read_text(path, PURPOSE)
    lines = text.split("\n")
    begin = 0
    while begin < len(lines) and (not lines[begin].strip() or lines[begin].startswith("#TYPE")):
        begin += 1
    body = "\n".join(lines[begin:])
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator(body))
    try:
        header = [cell.strip().casefold() for cell in next(reader, [])]
        column = next((name for name in PATHS if name in header), None)
        if column is None or COUNT not in header:
            raise Misconfigured(path.name, "needs the columns FolderPath (or Identity) and ItemsInFolder")
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
        kind = row.get(TYPE, "").strip()
        aside = kind.casefold().startswith(ASIDE)
        found.append(Counted("/" + "/".join(names), names, int(text), aside, line, kind))
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
    kind: str
    items: int | None
    code: str | None


def reconcile(place: Path, key: MailboxKey, export: Sequence[Counted], number: int = 1) -> Reconciled:
    """Pass 1 is counted by its lines. A later one lists what changed alone: there the source's own count is
    taken. Raises Misconfigured."""
    closed, ours = _folders(place, key, number)
    theirs: dict[str, list[Counted]] = defaultdict(list)
    for one in export:
        name = folder_text(one.names)
        theirs[pseudonym(key.key, NAME, name.encode("utf-8", "surrogatepass"))].append(one)
    found = [_compared(rows, ours.pop(name, None), number) for name, rows in theirs.items()]
    found += (_left(name, folders) for name, folders in ours.items())
    return Reconciled(key.mailbox, number, closed, found)


def _folders(place: Path, key: MailboxKey, number: int) -> tuple[datetime, dict[str, list[_Folder]]]:
    """By the pseudonym of the path: two folders may differ in nothing but case."""
    pack = MailboxPack(place, key.mailbox)
    rows = [row for row in pack.rows if row.number == number and row.section != Kind.FILES.value]
    if not rows:
        raise Misconfigured("--pass", f"the pack has no pass {number} of this mailbox")
    found: dict[str, list[_Folder]] = defaultdict(list)
    moments = []
    for row in rows:
        (line,) = islice(pack.inventory(row), 1)
        header = json.loads(line)
        moments.append(float(header["at"]))
        for folder in header["folders"]:
            counted = number == 1 and folder["omit"] is None
            items = folder["listed"] if counted else folder["total"]
            found[folder["name"]].append(_Folder(folder["kind"], items, folder["omit"]))
    return datetime.fromtimestamp(min(moments), UTC), found


def _compared(rows: Sequence[Counted], folders: Sequence[_Folder] | None, number: int) -> Compared:
    first, theirs = rows[0], sum(one.items for one in rows)
    if folders is None:
        # A later pass names what changed alone.
        unknown = Outcome.ONLY_THERE if number == 1 else Outcome.UNTOLD
        outcome = Outcome.ASIDE if first.aside else unknown
        return Compared(first.path, None, theirs, outcome, None, first.line, first.type)
    ours = _sum(one.items for one in folders)
    outcome = Outcome.AGREES if ours == theirs else Outcome.DIFFERS
    if ours is None:
        outcome = Outcome.UNTOLD
    if all(one.code is not None for one in folders):
        outcome = Outcome.OMITTED
    return Compared(first.path, ours, theirs, outcome, _code(folders), first.line, _kind(folders))


def _left(name: str, folders: Sequence[_Folder]) -> Compared:
    omitted = all(one.code is not None for one in folders)
    outcome = Outcome.OMITTED if omitted else Outcome.ONLY_HERE
    ours = _sum(one.items for one in folders)
    return Compared(f"({name[:8]}…)", ours, None, outcome, _code(folders), None, _kind(folders))


def _code(folders: Sequence[_Folder]) -> str | None:
    return next((one.code for one in folders if one.code is not None), None)


def _kind(folders: Sequence[_Folder]) -> str:
    return ", ".join(dict.fromkeys(one.kind for one in folders))


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
