"""Find the rows of an auditor's work sheet in the ledger: where each item is, on both sides."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from sqlalchemy import Connection, select

from engine.config.file_errors import Problem, misconfigured, read_text
from engine.config.load import Config
from engine.planning.mailbox_list import separator
from evidence import verifier
from evidence.pack_keys import opening_key
from ledger.db.engine import reading
from ledger.db.readers import CONTAINER_COLUMNS, container_row, item_by_key
from ledger.db.rows import ContainerRow, ItemRow
from ledger.db.schema import container
from ledger.inventory import inventory, keystore
from ledger.inventory.lines import item_text
from ledger.store import Ledger
from model.errors import Misconfigured
from model.kinds import Kind

PURPOSE = "the work sheet that `kogge audit sample` wrote"
NEEDED = ("number", "mailbox", "workload", "pass", "line", "item")
_NUMBERED = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class SampledLine:
    """Hold a row of a work sheet.

    Attributes:
        number: of the row in the sheet.
        turn: the pass.
        line: of its section, from 1.
        source: the item's pseudonym.
    """

    number: int
    mailbox: str
    workload: Kind
    turn: int
    line: int
    source: str


@dataclass(frozen=True, slots=True)
class SampledItem:
    """Hold a row and what the ledger has of it today; `item` is None if the ledger has it no longer."""

    asked: SampledLine
    container: ContainerRow
    item: ItemRow | None


def read_sheet(path: Path) -> list[SampledLine]:
    """Read all rows, also of a sheet that a spreadsheet saved again. Raise Misconfigured."""
    text = read_text(path, PURPOSE)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator(text), strict=True))
    except csv.Error:
        raise Misconfigured(path.name, "is no CSV: look at the quotes in it") from None
    if not rows or not set(NEEDED) <= rows[0].keys():
        raise Misconfigured(path.name, f"is not {PURPOSE}: it needs the columns {', '.join(NEEDED)}")
    return [_line(path, place, row) for place, row in enumerate(rows, 2)]


def _line(path: Path, place: int, row: Mapping[str, str | None]) -> SampledLine:
    number, mailbox, workload, turn, line, source = ((row[name] or "").strip() for name in NEEDED)
    numbers = all(_NUMBERED.fullmatch(one) for one in (number, turn, line))
    known = workload in verifier.WORKLOADS and re.fullmatch(verifier.MAILBOX, mailbox)
    if not numbers or not known or not re.fullmatch(verifier.PSEUDONYM, source):
        raise misconfigured(path, [Problem(place, "", "is no row of a work sheet: draw the sample again")])
    return SampledLine(int(number), mailbox, Kind(workload), int(turn), int(line), source)


def find(config: Config, ledger: Ledger, asked: Sequence[SampledLine]) -> Iterator[SampledItem]:
    """Yield the item of each row, by mailbox, workload and pass.

    Raises:
        Misconfigured: a row is of another ledger.
        Blocked: a mailbox's key was destroyed, so that it cannot be known which item a line is about.
    """
    kek = opening_key(config, ledger)
    in_turn = attrgetter("mailbox", "workload", "turn", "line")
    with reading(ledger.engine) as connection:
        for mailbox, own in groupby(sorted(asked, key=in_turn), key=attrgetter("mailbox")):
            key = keystore.key_of(connection, mailbox, kek)
            if key is None:
                raise _foreign(mailbox)
            for _, lines in groupby(own, key=attrgetter("workload", "turn")):
                yield from _of_section(connection, key, list(lines))


def _foreign(mailbox: str) -> Misconfigured:
    return Misconfigured(
        "SHEET", f"names lines of {mailbox} that this ledger does not have: is it of another one?"
    )


def _of_section(connection: Connection, key: bytes, asked: Sequence[SampledLine]) -> Iterator[SampledItem]:
    """Yield the items of rows that are all of one section, ordered by line."""
    first = asked[0]
    wanted = {one.line: one for one in asked}
    closed = inventory.sections(connection, first.mailbox)
    own = (one for one in closed if (one.workload, one.number) == (first.workload, first.turn))
    section = next(own, None)
    if section is None or section.n < asked[-1].line:
        raise _foreign(first.mailbox)
    for number, line in enumerate(inventory.lines(connection, section.leg, section.number), 1):
        if number in wanted:
            one = wanted[number]
            if item_text(key, line.box, line.key) != one.source:
                raise _foreign(first.mailbox)
            query = select(*CONTAINER_COLUMNS).where(container.c.id == line.container)
            row = container_row(connection.execute(query).one())
            yield SampledItem(one, row, item_by_key(connection, line.container, line.key))
        if number == asked[-1].line:
            return
