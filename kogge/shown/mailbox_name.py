"""Find the one mailbox that somebody means by a random id, an address or a line of mailboxes.csv."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.errors import Misconfigured
from model.plural import many
from model.sites import one_spelling

if TYPE_CHECKING:
    from engine.config.load import Config
    from engine.planning.mailbox_list import Person
    from ledger.db.rows import MailboxRow
    from ledger.store import Ledger

ARGUMENT = "MAILBOX"
LIKE = 0.6
SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class NamedMailbox:
    """Hold a mailbox, and how it was named.

    Attributes:
        row: the mailbox.
        line: its line in mailboxes.csv; None if no line has its source, or if the list cannot be read.
        by_address: True if an address or a site was given, so that an answer tells whose mailbox it is.
    """

    row: MailboxRow
    line: int | None
    by_address: bool


def listed(config: Config) -> Sequence[Person]:
    """Return the rows of mailboxes.csv.

    There are none if the list cannot be read. Other commands report that.
    """
    from engine.planning.mailbox_list_checks import mailboxes

    try:
        return mailboxes(config, unplanned=True)
    except Misconfigured:
        return ()


def resolve(config: Config, ledger: Ledger, name: str) -> NamedMailbox:
    """Return the mailbox of this name. Nothing is recorded.

    Args:
        config: the configuration.
        ledger: an open ledger.
        name: a random id, an address or a site, or the number of a line.

    Raises:
        Misconfigured: no mailbox has this name. The text may propose similar ids.
    """
    people, rows = listed(config), ledger.mailboxes()
    lines = {one.source: one.line for one in people}
    if not rows:
        raise Misconfigured("the ledger", "has no mailbox yet; `kogge check` plans them")
    if name.isdecimal():
        row = _in_line(config, people, rows, int(name))
        return NamedMailbox(row, int(name), by_address=False)
    for row in rows:
        if row.id == name.lower():
            return NamedMailbox(row, lines.get(row.source), by_address=False)
    asked = one_spelling(name)
    for row in rows:
        if asked in (row.source, row.target):
            return NamedMailbox(row, lines.get(row.source), by_address=True)
    raise Misconfigured(ARGUMENT, _meant(config, rows, asked))


def _in_line(config: Config, people: Sequence[Person], rows: Sequence[MailboxRow], number: int) -> MailboxRow:
    """Return the mailbox of a line. Raise Misconfigured if the line or the ledger has none."""
    sources = {one.line: one.source for one in people}
    name = config.mailboxes.name
    if number not in sources:
        there = f"; its mailboxes are in lines {min(sources)} to {max(sources)}" if sources else ""
        raise Misconfigured(ARGUMENT, f"line {number} of {name} has no mailbox{there}")
    for row in rows:
        if row.source == sources[number]:
            return row
    raise Misconfigured(ARGUMENT, f"line {number} of {name} is not in the ledger yet; `kogge check` plans it")


def _meant(config: Config, rows: Sequence[MailboxRow], asked: str) -> str:
    """Return the message for an unknown name: it proposes similar ids, but nothing for an address."""
    if "@" not in asked and not asked.startswith("site:"):
        near = difflib.get_close_matches(asked, [row.id for row in rows], n=SUGGESTED, cutoff=LIKE)
        if near:
            return f"unknown; did you mean {' or '.join(near)}?"
        there = many(len(rows), "mailbox", "mailboxes")
        return f"unknown; give an id, an address or a line of {config.mailboxes.name} ({there}: kogge status)"
    # A line that is like this address would say whose it is, with no record of who asked.
    return f"no mailbox of the ledger has this address; compare its spelling with {config.mailboxes.name}"
