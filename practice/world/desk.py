"""From where the records of one mailbox are made: its number, its people, and which oddities fall to it."""

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
    """What one record may depend on. key is unique to it; index is the mailbox's number."""

    seed: int
    index: int
    key: str

    def dice(self, purpose: str = "") -> Dice:
        return Dice(self.seed, self.index, self.key, purpose)

    @property
    def owner(self) -> Person:
        return self.person(self.index)

    @property
    def colleague(self) -> Person:
        """The one before the owner: everybody's but the first's."""
        return self.person(max(self.index - 1, 0))

    def person(self, index: int) -> Person:
        return Directory(self.seed, index + 1).at(index)

    def dated(self, common: Common, subject: str) -> Common:
        """With a subject, cut as Exchange cuts, and its own days of creation and of the last change."""
        dice = self.dice("dates")
        created = moment(dice)
        changed = created + timedelta(minutes=dice.below(200_000))
        return replace(common, subject=subject[:255], created=created, modified=changed)


SAMPLE = Desk(1, 0, "sample")


def share(seed: int, index: int, kind: str, oddities: Iterable[str]) -> list[str]:
    """This mailbox's oddities: first those due to it, so that five neighbours have them all, then some by
    chance."""
    dice = Dice(seed, index, kind, "share")
    due: list[str] = []
    strewn: list[str] = []
    for n, name in enumerate(oddities):
        if (n - index) % NEIGHBOURS == 0:
            due.append(name)
        elif dice.chance(_STREWN):
            strewn.append(name)
    return due + strewn
