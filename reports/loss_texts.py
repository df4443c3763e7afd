"""What a loss means, in the sentence that declares it; and all losses of a run, folded by concern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mappings.losses.severity import Class, class_of
from model.code_entries import ENGLISH
from model.kinds import KINDS, Kind
from model.plural import many

OF_FOLDERS = ("folder-", "name ")
"""Begins the field and reason of a loss that a folder has, where mail declares it."""
CONCERNS: Mapping[Class, str] = {
    Class.CONTENT: "something that was written or sent is missing, or says something else",
    Class.FUNCTIONAL: "all of it is there, and something about it works otherwise",
    Class.COSMETIC: "only how it looks or is spelt",
}
SHOWN: Mapping[Class, int] = {Class.CONTENT: 12, Class.FUNCTIONAL: 6, Class.COSMETIC: 0}
"""How many kinds of loss of each class get a sentence each; the others are only counted."""
Lost = tuple[Kind, str, str]
"""Workload, field, reason."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Hold the losses of one class.

    Attributes:
        kinds: how many kinds of loss there are.
        count: how often something was lost.
        lines: a sentence for each of the most frequent kinds.
    """

    class_: Class
    kinds: int
    count: int
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """Return what losses of this class have in common."""
        return f"{self.class_}: {CONCERNS[self.class_]}"

    @property
    def rest(self) -> str:
        """Return what the lines leave out; "" if they have everything."""
        if not (hidden := self.kinds - len(self.lines)):
            return ""
        if self.lines:
            return f"and {many(hidden, 'more kind', 'more kinds')} of loss"
        return f"{many(self.count, 'detail', 'details')} of {many(hidden, 'kind', 'kinds')}"


def by_concern(lost: Mapping[Lost, int], shown: Mapping[Class, int] = SHOWN) -> list[Concern]:
    """Return the losses by class, the gravest class and the most frequent kind first.

    What several workloads lost alike is one kind.

    Args:
        lost: how often each thing was lost.
        shown: how many kinds of each class get a sentence.
    """
    alike: dict[Class, dict[str, Counter[tuple[str, str]]]] = {}
    for (kind, field, reason), count in sorted(lost.items()):
        own = alike.setdefault(class_of(field, reason), {})
        said = meaning(kind, field, reason) or f"{field} {reason}"
        own.setdefault(said, Counter())[_noun(kind, field, reason)] += count
    concerns = []
    for class_ in Class:
        order = sorted(alike.get(class_, {}).items(), key=lambda pair: (-pair[1].total(), pair[0]))
        if order:
            lines = tuple(f"{_counted(counts)}: {said}" for said, counts in order[: shown[class_]])
            total = sum(counts.total() for _, counts in order)
            concerns.append(Concern(class_, len(order), total, lines))
    return concerns


def _counted(counts: Counter[tuple[str, str]]) -> str:
    *others, last = [many(count, *noun) for noun, count in counts.most_common()]
    return f"{', '.join(others)} and {last}" if others else last


def _noun(kind: Kind, field: str, reason: str) -> tuple[str, str]:
    """Return the word for one, and for several, of what lost this."""
    from mappings.losses.catalogue import DECLARED

    declared = DECLARED[Kind.MAIL].losses
    is_folder = f"{field} {reason}".startswith(OF_FOLDERS) and (field, reason) in declared
    return ("folder", "folders") if is_folder else (KINDS[kind].noun, KINDS[kind].nouns)


def closing_lines(lost: Mapping[Lost, int], shown: Mapping[Class, int] = SHOWN) -> Iterator[str]:
    """Yield the losses for the end of a command: a title a class, then a sentence a kind of loss."""
    for one in by_concern(lost, shown):
        if one.lines:
            yield f"  {one.title}"
            yield from (f"    {line}" for line in (*one.lines, one.rest) if line)
        else:
            yield f"  {one.title}: {one.rest}"


def meaning(kind: Kind, field: str, reason: str) -> str:
    """Return the sentence that declares a loss; "" for a loss that an older version recorded."""
    from mappings.losses.catalogue import meaning_of_loss

    return meaning_of_loss(kind, field, reason).get(ENGLISH, "")
