"""Provide what one mailbox's records are made from: its number, its people, and its oddities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from practice.harness.dice import Dice
from practice.mail.letters import moment
from practice.world.people import Directory, Person
from practice.world.records import Common

NEIGHBOURS = 5
_STREWN = 0.1


@dataclass(frozen=True, slots=True)
class Desk:
    """Hold what one record may depend on.

    Attributes:
        key: unique to the record.
        index: the mailbox's number.
    """

    seed: int
    index: int
    key: str

    def dice(self, purpose: str = "") -> Dice:
        """Return dice for one purpose of this record."""
        return Dice(self.seed, self.index, self.key, purpose)

    @property
    def owner(self) -> Person:
        """Return the mailbox's owner."""
        return self.person(self.index)

    @property
    def colleague(self) -> Person:
        """Return the person before the owner: everybody has one but the first."""
        return self.person(max(self.index - 1, 0))

    def person(self, index: int) -> Person:
        """Return a person by number."""
        return Directory(self.seed, index + 1).at(index)

    def dated(self, common: Common, subject: str) -> Common:
        """Return `common` with a subject, cut as Exchange cuts, and days of creation and last change."""
        dice = self.dice("dates")
        created = moment(dice)
        changed = created + timedelta(minutes=dice.below(200_000))
        return replace(common, subject=subject[:255], created=created, modified=changed)


SAMPLE = Desk(1, 0, "sample")


def share(seed: int, index: int, kind: str, oddities: Iterable[str]) -> list[str]:
    """Return this mailbox's oddities.

    First those due to it, so that five neighbours have them all, then some by chance.
    """
    dice = Dice(seed, index, kind, "share")
    due: list[str] = []
    strewn: list[str] = []
    for n, name in enumerate(oddities):
        if (n - index) % NEIGHBOURS == 0:
            due.append(name)
        elif dice.chance(_STREWN):
            strewn.append(name)
    return due + strewn
