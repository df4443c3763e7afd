"""Group what a report says of losses, failures and rules into what concerns the person whose mailbox it is.

The words are in model/codes/everyday.toml: a title, a sentence, and what the person can do, if there is
something. The entry of each loss and code names the one that it belongs to. A loss that no person meets in
daily work is a detail of appearance: pages count it and do not describe it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from engine.control.remedies import ADVICE, STAYS
from mappings.losses.catalogue import SKIPS
from mappings.losses.severity import ENTRIES, Class, class_of
from model.code_entries import everyday_sentences
from model.kinds import Kind
from reports.data import Coded, Lost

OTHER = "other"
"""The concern of a loss that another version of Kogge recorded, and of a code that no entry names."""
DETAIL = "detail"
"""The concern of a loss of a function that no person meets in daily work, as of every cosmetic one."""


@cache
def concerns(section: str) -> tuple[str, ...]:
    """Return the concerns of a section (change, refusal, stay), the most urgent first, and OTHER."""
    return tuple(everyday_sentences()[section])


def concern_of(field: str, reason: str) -> str | None:
    """Return the concern of a loss, OTHER for an undeclared one, None for a mere detail."""
    entry = ENTRIES.get((field, reason))
    if entry is None:
        return OTHER
    detail = entry.everyday == DETAIL or class_of(field, reason) is Class.COSMETIC
    return None if detail else entry.everyday


@dataclass(frozen=True, slots=True)
class Concern:
    """Hold what one everyday sentence is about.

    Attributes:
        name: a concern of its section.
        workloads: the kinds of items.
        items: how many items; folders: how many folders.
        at_most: whether an item may be counted more than once, as several losses were added up.
    """

    name: str
    workloads: tuple[Kind, ...]
    items: int
    folders: int = 0
    at_most: bool = False


def changes(losses: Iterable[Lost]) -> list[Concern]:
    """Return the losses that matter to a person, added up by concern, the most urgent first."""
    groups: dict[str, list[Lost]] = {}
    for one in losses:
        concern = concern_of(one.field, one.reason)
        if concern is not None:
            groups.setdefault(concern, []).append(one)
    return [_change(name, groups[name]) for name in concerns("change") if name in groups]


def _change(name: str, own: Sequence[Lost]) -> Concern:
    items = [one for one in own if not one.folders]
    return Concern(
        name,
        _kinds(own),
        sum(one.items for one in items),
        sum(one.items for one in own if one.folders),
        len(items) > len({one.workload for one in items}),
    )


def details(losses: Iterable[Lost]) -> int:
    """Return how many details of appearance changed."""
    return sum(one.items for one in losses if concern_of(one.field, one.reason) is None)


def refusals(failures: Iterable[Coded]) -> list[Concern]:
    """Return the items that could not be moved, added up by the words for a person."""
    return _coded(failures, refusal_of, concerns("refusal"))


def stays(left: Iterable[Coded]) -> list[Concern]:
    """Return what does not move by a rule, added up by the words for a person."""
    return _coded(left, stay_of, concerns("stay"))


def refusal_of(code: str) -> str:
    """Return the concern of a code with which an item could not be moved, or OTHER."""
    entry = ADVICE.entries.get(code)
    return entry.everyday or OTHER if entry else OTHER


def stay_of(code: str) -> str:
    """Return the concern of a code of what does not move, or OTHER."""
    entry = SKIPS.entries.get(code) or STAYS.entries.get(code)
    return entry.everyday if entry else OTHER


def _coded(
    found: Iterable[Coded], concern_of_code: Callable[[str], str], order: Sequence[str]
) -> list[Concern]:
    groups: dict[str, list[Coded]] = {}
    for one in found:
        groups.setdefault(concern_of_code(one.code), []).append(one)
    return [
        Concern(name, _kinds(groups[name]), sum(one.items for one in groups[name]))
        for name in order
        if name in groups
    ]


def _kinds(own: Sequence[Lost] | Sequence[Coded]) -> tuple[Kind, ...]:
    present = {one.workload for one in own}
    return tuple(kind for kind in Kind if kind in present)
