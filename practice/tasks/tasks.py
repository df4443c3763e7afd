"""Make a task list: a mailbox's share of the oddities, and ordinary tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from practice.tasks.chores import Chore
from practice.world.case_records import chore
from practice.world.cases import made_of
from practice.world.desk import SAMPLE, Desk, share
from practice.world.records import Common, Record

DUE = datetime(2026, 9, 7, tzinfo=UTC)
ODDITIES = made_of("tasks", chore, {}, SAMPLE)
"""Every odd task by name; between them, five neighbouring mailboxes hold all."""


def sample_chores(seed: int, index: int, count: int, *, odd: bool = True) -> list[Record]:
    """Return `count` tasks of a mailbox, its oddities first, unless not odd."""
    names = share(seed, index, "chore", ODDITIES) if odd else []
    made = [ODDITIES[name](Desk(seed, index, f"chore/{name}")) for name in names]
    made += [_ordinary(Desk(seed, index, f"chore/{n}")) for n in range(count - len(made))]
    return [_finished(seed, index, chore) for chore in made[:count]]


def _ordinary(desk: Desk) -> Chore:
    dice = desk.dice("chore")
    words = dice.pick(("Rechnung prüfen", "Akte anlegen", "Protokoll", "Rückruf", "Haushalt planen"))
    due = DUE + timedelta(days=dice.between(-900, 300))
    done = dice.chance(0.4)
    return Chore(
        desk.key,
        Common(subject=f"{words} {dice.between(1, 9999)}"),
        due=due if dice.chance(0.8) else None,
        status="Completed" if done else "NotStarted",
        percent=100 if done else 0,
        completed=min(due, DUE) if done else None,
    )


def _finished(seed: int, index: int, chore: Chore) -> Chore:
    return replace(chore, common=Desk(seed, index, chore.key).dated(chore.common, chore.common.subject))
