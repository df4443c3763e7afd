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
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from engine.config.file_errors import Problem, misconfigured, read_text
from engine.planning.mailbox_list import separator
from evidence import verifier
from evidence.pack_reader import MailboxKey, MailboxPack, Row, readable
from ledger.inventory.lines import NAME, folder_text, pseudonym
from model.errors import Misconfigured
from model.kinds import Kind

PATHS, COUNT, IDENTITY, TYPE = ("folderpath", "identity"), "itemsinfolder", "identity", "foldertype"
SLASHES, BACKSLASHES = "\uf022\uf8ff", "\uf026"
"""What Exchange writes for a slash, or a backslash, within a folder's name."""
ASIDE = frozenset({"root", "calendarlogging", "audits", "subscriptions"})
RECOVERABLE = "recoverableitems"
"""Types of folders that no person sees, and how others of them begin: not of the mailbox that moves."""
LONGEST_COUNT = 15
PURPOSE = "the organisation's own export: a folder's path and its number of items in each line"


@dataclass(frozen=True, slots=True)
class Counted:
    """Hold a folder of the export.

    Attributes:
        aside: True if no person sees folders of its type.
        line: where it stands in the file, from 1.
        type: as the export has it.
    """

    path: str
    names: tuple[str, ...]
    items: int
    aside: bool = False
    line: int = 0
    type: str = ""


class ReconciliationOutcome(StrEnum):
    """Name what the comparison of one folder showed."""

    AGREES = "agrees"
    DIFFERS = "differs"
    ONLY_THERE = "only there"
    ONLY_HERE = "only here"
    OMITTED = "omitted"
    UNTOLD = "untold"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Compared:
    """Hold the comparison of a folder, or of the sum of the folders that share a path.

    Attributes:
        path: as in the export, or the beginning of its pseudonym.
        ours: items in the inventory; None if it does not count them; of an omitted folder, the source's own
            count.
        theirs: items in the export; None if it has no such folder.
        code: why nothing in the folder moves.
        line: in the export.
        kind: what the folder holds, or the type that the export has.
        several: True if more than one folder has this path.
    """

    path: str
    ours: int | None
    theirs: int | None
    outcome: ReconciliationOutcome
    code: str | None = None
    line: int | None = None
    kind: str = ""
    several: bool = False

    @property
    def difference(self) -> int | None:
        """Return how many more items the inventory has; None if one side does not count them."""
        if self.outcome is ReconciliationOutcome.ONLY_THERE:
            return -(self.theirs or 0)
        if self.outcome is ReconciliationOutcome.ONLY_HERE:
            return self.ours
        return None if self.ours is None or self.theirs is None else self.ours - self.theirs

    @property
    def amiss(self) -> bool:
        """Return True if one side has items that the other one lacks."""
        if self.outcome is ReconciliationOutcome.ONLY_THERE:
            return self.theirs != 0
        if self.outcome is ReconciliationOutcome.ONLY_HERE:
            return bool(self.ours)
        return self.outcome is ReconciliationOutcome.DIFFERS


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Hold the comparison of one pass of a mailbox.

    Attributes:
        closed: when its first inventory was closed, by the ledger's clock.
        folders: in the order of the export, then those that only the inventory has.
    """

    mailbox: str
    number: int
    closed: datetime
    folders: Sequence[Compared]

    @property
    def amiss(self) -> list[Compared]:
        """Return the folders in which one side lacks items."""
        return [one for one in self.folders if one.amiss]

    @property
    def omitted(self) -> list[Compared]:
        """Return the folders that do not move."""
        return [one for one in self.folders if one.outcome is ReconciliationOutcome.OMITTED]


def read_export(path: Path) -> list[Counted]:
    """Read the folders and their numbers of items from a CSV file.

    Raises:
        Misconfigured: a column is missing or there twice, or a row cannot be understood.
    """
    records = _records(path, read_text(path, PURPOSE))
    _, cells = next(records, (0, []))
    header = [cell.strip().casefold() for cell in cells]
    column = next((name for name in PATHS if name in header), None)
    if column is None or COUNT not in header:
        raise Misconfigured(path.name, "needs the columns FolderPath (or Identity) and ItemsInFolder")
    known = (*PATHS, COUNT, TYPE)
    if twice := [
        cell.strip() for at, cell in enumerate(cells) if header[at] in known and header[at] in header[:at]
    ]:
        raise Misconfigured(path.name, f"has the column {twice[0]} twice; export it with each once")
    rows = []
    for line, cells in records:
        if any(cell.strip() for cell in cells[len(header) :]):
            raise misconfigured(path, [Problem(line, "", f"has more than the {len(header)} columns")])
        rows.append((line, dict(zip(header, cells, strict=False))))
    if not rows:
        raise Misconfigured(path.name, "has a header and no folder; export the mailbox's folders again")
    _refuse_several(path, [row for _, row in rows])
    return _counted(path, column, rows)


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line in which it begins, cells) of every row that is not blank. Raise Misconfigured."""
    lines = text.split("\n")
    begin = 0
    while begin < len(lines) and (not lines[begin].strip() or lines[begin].startswith("#TYPE")):
        begin += 1
    body = "\n".join(lines[begin:])
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator(body), strict=True)
    while True:
        line = begin + reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            fault = "is no CSV: look at the quotes in it"
            raise misconfigured(path, [Problem(line, "", fault)]) from None
        if cells is None:
            return
        if begin + reader.line_num > line:
            fault = f"goes on to line {begin + reader.line_num}: look at the quotes in it"
            raise misconfigured(path, [Problem(line, "", fault)])
        if any(cell.strip() for cell in cells):
            yield line, cells


def _refuse_several(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    owners = {row[IDENTITY].partition("\\")[0] for row in rows if "\\" in row.get(IDENTITY, "")}
    if len(owners) > 1:
        raise Misconfigured(path.name, f"is of {len(owners)} mailboxes; export the one that the key is of")


def _counted(path: Path, column: str, rows: Sequence[tuple[int, Mapping[str, str]]]) -> list[Counted]:
    found, problems = [], []
    for line, row in rows:
        text = row.get(COUNT, "").strip()
        if not text.isdecimal() or len(text) > LONGEST_COUNT:
            problems.append(Problem(line, "ItemsInFolder", "is no whole number"))
            continue
        names = _names(row.get(column, ""), column == IDENTITY)
        kind = row.get(TYPE, "").strip()
        aside = kind.casefold() in ASIDE or kind.casefold().startswith(RECOVERABLE)
        found.append(Counted("/" + "/".join(names), names, int(text), aside, line, kind))
    if problems:
        raise misconfigured(path, problems)
    return found


def _names(text: str, identity: bool) -> tuple[str, ...]:
    """Return the names of a folder and of those it is in, the outermost first.

    An identity begins with the mailbox and has backslashes between the names; a path has slashes.
    """
    parts = text.split("\\")[1:] if identity else text.split("/")
    table = str.maketrans({**dict.fromkeys(SLASHES, "/"), **dict.fromkeys(BACKSLASHES, "\\")})
    return tuple(part.translate(table) for part in parts if part)


@dataclass(frozen=True, slots=True)
class _Folder:
    kind: str
    items: int | None
    code: str | None


def reconcile(place: Path, key: MailboxKey, export: Sequence[Counted], number: int = 1) -> Reconciled:
    """Compare the folders of one pass with an export.

    Pass 1 is counted by its lines. A later pass lists only what changed, so the source's own count is taken
    for it.

    Raises:
        Misconfigured: the pack has no such pass, or is not whole.
    """
    closed, ours = _folders(place, key, number)
    theirs: dict[str, list[Counted]] = defaultdict(list)
    for one in export:
        name = folder_text(one.names)
        theirs[pseudonym(key.key, NAME, name.encode("utf-8", "surrogatepass"))].append(one)
    found: list[Compared] = []
    for name, rows in theirs.items():
        found += _compared(rows, ours.pop(name, []), number)
    for name, folders in ours.items():
        found += _left(f"({name[:8]}…)", folders, len(folders) > 1)
    return Reconciled(key.mailbox, number, closed, found)


def _folders(place: Path, key: MailboxKey, number: int) -> tuple[datetime, dict[str, list[_Folder]]]:
    """Return when the pass was closed, and its folders by the pseudonym of their path.

    Folders of one pseudonym are in a list, because two folders may differ in nothing but case.
    """
    pack = MailboxPack(place, key.mailbox)
    rows = [row for row in pack.rows if row.number == number and row.section != Kind.FILES.value]
    if not rows:
        raise Misconfigured("--pass", f"the pack has no pass {number} of this mailbox")
    found: dict[str, list[_Folder]] = defaultdict(list)
    moments = []
    for row in rows:
        (line,) = islice(pack.inventory(row), 1)
        with readable():
            header = _header(line, row)
        moments.append(float(header["at"]))
        for folder in header["folders"]:
            counted = number == 1 and folder["omit"] is None
            items = folder["listed"] if counted else folder["total"]
            found[folder["name"]].append(_Folder(folder["kind"], items, folder["omit"]))
    return datetime.fromtimestamp(min(moments), UTC), found


def _header(line: bytes, row: Row) -> dict[str, Any]:
    """Read a header. Raise Failed or ValueError if it is malformed or of another section."""
    ((section, number, *_, text),) = verifier.INVENTORY_HEADER.findall(line)
    folders = verifier.FOLDER.findall(text.replace(b"},{", b"}\n{"))
    verifier.require(len(folders) == bool(text) + text.count(b"},{"), "a folder is malformed")
    own = (section.decode(), int(number)) == (row.section, row.number)
    verifier.require(own, "an inventory's header is of another section")
    return dict(json.loads(line))


@dataclass(frozen=True, slots=True)
class _Parted:
    """Hold the rows of one path, sorted by what they belong to.

    Attributes:
        rows: those to compare with the listed folders.
        strange: of these, the ones whose number no listed folder has.
        omitted: each folder that does not move, with its row if there is one.
        unnamed: rows of folders that a later pass has no reason to name.
        sure: True if no row of another folder can be among `rows`.
    """

    rows: Sequence[Counted]
    strange: Sequence[Counted]
    omitted: Sequence[tuple[_Folder, Counted | None]]
    unnamed: Sequence[Counted]
    sure: bool


def _compared(rows: Sequence[Counted], folders: Sequence[_Folder], number: int) -> Iterator[Compared]:
    """Yield the comparisons of one path.

    Rows that are aside, and omitted folders, are compared apart, so that their numbers cannot make two others
    agree.
    Listed folders that share the path are compared by their sum.
    """
    seen = [one for one in rows if not one.aside]
    crowd = len(rows) > 1 or len(folders) > 1 or len(seen) < len(rows)
    several = crowd and bool(seen or folders)
    for one in rows:
        if one.aside:
            yield _of_row(one, ReconciliationOutcome.ASIDE, several)
    listed = [one for one in folders if one.code is None]
    parted = _parted(seen, listed, [one for one in folders if one.code is not None], number)
    path = rows[0].path
    if listed and parted.rows:
        yield _summed(path, listed, parted, several)
    elif listed:
        yield from _left(path, listed, several)
    else:
        # A later pass names what changed alone.
        unknown = ReconciliationOutcome.ONLY_THERE if number == 1 else ReconciliationOutcome.UNTOLD
        yield from (_of_row(one, unknown, several) for one in parted.rows)
    for folder, row in parted.omitted:
        theirs, line = (None, None) if row is None else (row.items, row.line)
        yield Compared(
            path, folder.items, theirs, ReconciliationOutcome.OMITTED, folder.code, line, folder.kind, several
        )
    yield from (_of_row(one, ReconciliationOutcome.UNTOLD, several) for one in parted.unnamed)


def _parted(
    rows: Sequence[Counted], listed: Sequence[_Folder], omitted: Sequence[_Folder], number: int
) -> _Parted:
    """Assign the rows of one path to its folders, by their numbers.

    There are rows for omitted folders only if there are more rows than listed folders. Each omitted folder
    gets
    the row with its own number first; then the rest is given out, once every listed folder has its row.
    """
    numbers = Counter(one.items for one in listed)
    left, spare = list(rows), max(0, len(rows) - len(listed))
    pairs: list[tuple[_Folder, Counted | None]] = []
    open_: list[_Folder] = []
    for folder in sorted(omitted, key=lambda one: one.items in numbers):
        row = next((one for one in left if one.items == folder.items), None)
        if row is None or len(pairs) == spare:
            open_.append(folder)
        else:
            left.remove(row)
            pairs.append((folder, row))
    spare -= len(pairs)
    own: list[Counted] = []
    strange: list[Counted] = []
    for row in left:
        (own if numbers[row.items] > 0 else strange).append(row)
        numbers[row.items] -= 1
    if len(strange) <= (min(spare, len(open_)) if number == 1 else spare):
        taken = strange[: len(open_)]
        pairs += zip_longest(open_, taken)
        return _Parted(own, [], pairs, strange[len(open_) :], True)
    sure = not open_ and (number == 1 or spare == 0)
    return _Parted(left, strange, [*pairs, *((one, None) for one in open_)], [], sure)


def _summed(path: str, listed: Sequence[_Folder], parted: _Parted, several: bool) -> Compared:
    ours, theirs = _sum(one.items for one in listed), sum(one.items for one in parted.rows)
    doubtful = not parted.sure and any(one.items for one in parted.strange)
    outcome = ReconciliationOutcome.DIFFERS if ours != theirs or doubtful else ReconciliationOutcome.AGREES
    if ours is None:
        outcome = ReconciliationOutcome.UNTOLD
    kind = ", ".join(dict.fromkeys(one.kind for one in listed))
    return Compared(path, ours, theirs, outcome, None, parted.rows[0].line, kind, several)


def _of_row(row: Counted, outcome: ReconciliationOutcome, several: bool) -> Compared:
    return Compared(row.path, None, row.items, outcome, None, row.line, row.type, several)


def _left(path: str, folders: Iterable[_Folder], several: bool) -> Iterator[Compared]:
    """Yield each folder that the export lacks."""
    for one in folders:
        outcome = ReconciliationOutcome.ONLY_HERE if one.code is None else ReconciliationOutcome.OMITTED
        yield Compared(path, one.items, None, outcome, one.code, None, one.kind, several)


def _sum(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(one for one in known if one is not None)


def sums(found: Iterable[Compared]) -> dict[ReconciliationOutcome, int]:
    """Count the folders by outcome."""
    counts = Counter(one.outcome for one in found)
    return {outcome: counts[outcome] for outcome in ReconciliationOutcome if counts[outcome]}


def lossy(export: Iterable[Counted]) -> Iterator[str]:
    """Yield paths in which the export lost letters.

    PowerShell 5 writes ASCII unless another encoding is asked for.
    """
    for one in export:
        if "?" in one.path or "\ufffd" in unicodedata.normalize("NFC", one.path):
            yield one.path
