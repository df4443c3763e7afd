"""Fold what a wave's items lost by what it concerns, for the page of the wave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mappings.losses.severity import Class
from reports.data import Lost, MailboxReport, Total, totals
from reports.everyday import changes, concern_of, concerns

APPEARANCE = "appearance"
"""The group of all details that matter to no person in daily work."""
WORST = tuple(Class)


@dataclass(frozen=True, slots=True)
class LossGroup:
    """Hold the losses of one concern.

    Attributes:
        name: a concern of reports.everyday, or APPEARANCE.
        kind: the gravest class of any of them.
        items: how many items; folders: how many folders.
        at_most: whether an item may be counted more than once.
        mailboxes: in how many mailboxes.
        rows: each loss by itself.
    """

    name: str
    kind: Class
    items: int
    folders: int
    at_most: bool
    mailboxes: int
    rows: Sequence[Total]


def loss_groups(boxes: Iterable[MailboxReport]) -> list[LossGroup]:
    """Return the losses of these mailboxes, the gravest class first, then the most items."""
    own = list(boxes)
    found = [
        _group(name, losses)
        for name in (*concerns("change"), APPEARANCE)
        if any(losses := [_of_group(box, name) for box in own])
    ]
    return sorted(found, key=lambda one: (one.name == APPEARANCE, WORST.index(one.kind), -one.items))


def _of_group(box: MailboxReport, name: str) -> list[Lost]:
    return [one for one in box.losses if (concern_of(one.field, one.reason) or APPEARANCE) == name]


def _group(name: str, losses: Sequence[Sequence[Lost]]) -> LossGroup:
    every = [one for box in losses for one in box]
    return LossGroup(
        name=name,
        kind=min((one.kind for one in every), key=WORST.index),
        items=sum(one.items for one in every if not one.folders),
        folders=sum(one.items for one in every if one.folders),
        at_most=name == APPEARANCE or any(one.at_most for box in losses for one in changes(box)),
        mailboxes=sum(1 for box in losses if box),
        rows=totals(losses),
    )
