"""Make the notes of a mailbox: its share of the oddities, and ordinary ones."""

from __future__ import annotations

from dataclasses import replace

from practice.mail.letters_text import text
from practice.tasks.stickies import Sticky, note
from practice.world.case_records import sticky
from practice.world.cases import made_of
from practice.world.desk import SAMPLE, Desk, share
from practice.world.records import Record

ODDITIES = made_of("notes", sticky, {}, SAMPLE)
"""Every odd note by name; between them, five neighbouring mailboxes hold all."""


def sample_stickies(seed: int, index: int, count: int, *, odd: bool = True) -> list[Record]:
    """Return `count` notes of a mailbox, its oddities first, unless not odd."""
    names = share(seed, index, "sticky", ODDITIES) if odd else []
    made = [ODDITIES[name](Desk(seed, index, f"sticky/{name}")) for name in names]
    for n in range(count - len(made)):
        desk = Desk(seed, index, f"sticky/{n}")
        made.append(note(desk.key, text(desk.owner.locale, desk.dice("text"), 120), desk.dice().below(5)))
    return [_finished(seed, index, sticky) for sticky in made[:count]]


def _finished(seed: int, index: int, sticky: Sticky) -> Sticky:
    first = sticky.common.subject or sticky.common.body.replace("\r", "").partition("\n")[0]
    return replace(sticky, common=Desk(seed, index, sticky.key).dated(sticky.common, first))
