"""Decide which mailbox moves in which wave. Pure.

No files, no ledger, no clock, and the order of the rows does not count.

A box that has a wave keeps it. Of the others, those that share something move together. Then priorities,
departments and names decide the order, which is cut into waves of about the same length
(engine.planning.wave_split). The entry is draft(boxes, links, rules).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.planning.wave_split import Group, WaveLimits, cut, fits

PILOT = "pilot"
NUMBERED = re.compile(r"wave-(\d{1,6})")

Links = Mapping[str, frozenset[str]]
"""Who shares something with whom; both ways."""


@dataclass(frozen=True, slots=True)
class WaveMailbox:
    """Describe one mailbox.

    Attributes:
        key: its source; decides where nothing else does.
        wave: its wave; "" if it is to be planned.
        closed: True if its accounts are bound, so that it never moves.
        items: its items.
        bytes: its bytes.
        seconds: how long its legs take, one after the other.
        department: its department; "" if it has none.
        priority: higher runs first.
        person: False for a site.
    """

    key: str
    wave: str = ""
    closed: bool = False
    items: int = 0
    bytes: int = 0
    seconds: float = 0.0
    department: str = ""
    priority: int = 0
    person: bool = True


@dataclass(frozen=True, slots=True)
class Remark:
    """Tell a person something about a plan.

    Attributes:
        code: "split": these share something, and are too many or too large for one wave. "apart": these share
            something with a mailbox in another wave, which has begun, or has no room, or was chosen by hand.
            "too-large": this mailbox alone is larger than a wave may be.
        keys: the mailboxes.
    """

    code: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold a drafted plan.

    Attributes:
        waves: the sorted keys by wave; every box is in one.
        made: the waves that are new, in their order.
        remarks: what a person should know.
    """

    waves: Mapping[str, tuple[str, ...]]
    made: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def wave_of(self) -> dict[str, str]:
        """Return the wave of each key."""
        return {key: wave for wave, keys in self.waves.items() for key in keys}


@dataclass(slots=True)
class _Drafting:
    """Hold the state of one draft: what is in which wave so far."""

    boxes: Mapping[str, WaveMailbox]
    links: Links
    rules: WaveLimits
    waves: defaultdict[str, list[WaveMailbox]] = field(default_factory=lambda: defaultdict(list))
    remarks: list[Remark] = field(default_factory=list)

    def begun(self, wave: str) -> bool:
        """Return True if a mailbox of the wave has begun."""
        return any(box.closed for box in self.waves[wave])

    def remark(self, code: str, boxes: Iterable[WaveMailbox]) -> None:
        """Add a remark about these boxes."""
        self.remarks.append(Remark(code, tuple(sorted(box.key for box in boxes))))


def draft(boxes: Iterable[WaveMailbox], links: Iterable[tuple[str, str]], rules: WaveLimits) -> Draft:
    """Put every box into one wave. Links to anything that is no box are ignored.

    Args:
        boxes: the mailboxes.
        links: pairs of keys that share something.
        rules: the limits of a wave.
    """
    by_key = {box.key: box for box in boxes}
    drafting = _Drafting(by_key, _neighbours(links, by_key), rules)
    for box in sorted(by_key.values(), key=_key):
        if box.wave:
            drafting.waves[box.wave].append(box)
    groups: list[Group] = []
    for component in components(by_key, drafting.links):
        groups += _groups(drafting, [by_key[key] for key in component])
    new_waves = _fill(drafting, groups)
    waves = {
        name: tuple(sorted(box.key for box in wave_boxes)) for name, wave_boxes in drafting.waves.items()
    }
    remarks = tuple(sorted(drafting.remarks, key=lambda remark: (remark.code, remark.keys)))
    return Draft(waves, tuple(new_waves), remarks)


def components(keys: Iterable[str], links: Links) -> list[list[str]]:
    """Return the connected components, each walked from its first name to its neighbours."""
    unvisited = set(keys)
    walks = []
    for start in sorted(unvisited):
        if start in unvisited:
            unvisited.discard(start)
            walks.append(_walk(start, links, unvisited))
    return walks


def canary_of(boxes: Iterable[WaveMailbox]) -> str | None:
    """Return the mailbox of a wave that goes first, alone.

    The smallest person's mailbox with items, preferably without priority.

    Returns:
        Its key; None if all are empty or sites.
    """
    fit = [box for box in boxes if box.person and box.items]
    return min(fit, key=lambda box: (max(box.priority, 0), box.seconds, box.key)).key if fit else None


def _key(box: WaveMailbox) -> str:
    return box.key


def _neighbours(links: Iterable[tuple[str, str]], by_key: Mapping[str, WaveMailbox]) -> Links:
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    for left, other in links:
        if left in by_key and other in by_key and left != other:
            neighbours[left].add(other)
            neighbours[other].add(left)
    return {key: frozenset(others) for key, others in neighbours.items()}


def _walk(start: str, links: Links, left: set[str]) -> list[str]:
    """Walk breadth first, so that a piece cut off the beginning is connected.

    Remove the walked keys from `left`.
    """
    order = [start]
    for key in order:
        for other in sorted(links.get(key, frozenset()) & left):
            left.discard(other)
            order.append(other)
    return order


def _groups(drafting: _Drafting, component: Sequence[WaveMailbox]) -> list[Group]:
    """Return what of a component is still to be planned, in groups that stay together."""
    free = [box for box in component if not box.wave]
    placed = {box.wave for box in component if box.wave}
    if placed:
        joined = _join(drafting, free, Counter(box.wave for box in component if box.wave))
        if len(placed) > 1 or (free and not joined):
            whole = fits(_group(component), drafting.rules)
            drafting.remark("apart" if whole else "split", component)
        if joined:
            return []
    if not free:
        return []
    group = _group(free)
    if fits(group, drafting.rules):
        return [group]
    if len(free) == 1:
        drafting.remark("too-large", free)
        return [group]
    drafting.remark("split", free)
    return _split(drafting, free)


def _join(drafting: _Drafting, free: Sequence[WaveMailbox], waves: Counter[str]) -> bool:
    """Add boxes to the wave where most of their relations are, if it has not begun and has room."""
    if not free:
        return False
    for wave, _ in sorted(waves.items(), key=lambda pair: (-pair[1], pair[0])):
        wave_boxes = drafting.waves[wave]
        room = drafting.rules.for_pilot() if wave == PILOT else drafting.rules
        if not drafting.begun(wave) and fits(_group([*wave_boxes, *free]), room):
            wave_boxes.extend(free)
            return True
    return False


def _group(boxes: Sequence[WaveMailbox]) -> Group:
    departments = Counter(box.department for box in boxes if box.department)
    department = min(departments, key=lambda name: (-departments[name], name), default="")
    return Group(
        keys=tuple(sorted(box.key for box in boxes)),
        bytes=sum(box.bytes for box in boxes),
        seconds=sum(box.seconds for box in boxes),
        priority=max(box.priority for box in boxes),
        department=department,
    )


def _split(drafting: _Drafting, boxes: Sequence[WaveMailbox]) -> list[Group]:
    """Split along departments.

    A connected part of a department stays whole, unless it is too large itself.
    """
    parts: defaultdict[str, list[WaveMailbox]] = defaultdict(list)
    for box in boxes:
        parts[box.department].append(box)
    pieces = []
    for _, part in sorted(parts.items()):
        for walked in components([box.key for box in part], drafting.links):
            pieces += _pieces(drafting, [drafting.boxes[key] for key in walked])
    return pieces


def _pieces(drafting: _Drafting, walked: Sequence[WaveMailbox]) -> list[Group]:
    """Cut connected boxes, in this order, into pieces as large as fit."""
    rules = drafting.rules
    pieces: list[list[WaveMailbox]] = [[]]
    size = 0
    for box in walked:
        size += box.bytes
        too_large = rules.largest_bytes is not None and size > rules.largest_bytes
        if pieces[-1] and (too_large or len(pieces[-1]) == rules.mailboxes):
            pieces.append([])
            size = box.bytes
        pieces[-1].append(box)
    groups = [_group(piece) for piece in pieces]
    for piece, group in zip(pieces, groups, strict=True):
        if not fits(group, rules):
            drafting.remark("too-large", piece)
    return groups


def _fill(drafting: _Drafting, groups: Sequence[Group]) -> list[str]:
    """Put the groups into new waves; return their names."""
    new_waves = []
    begun = any(box.closed for box in drafting.boxes.values())
    pilot = [] if begun or drafting.waves.get(PILOT) else _pilot(groups, drafting.rules.for_pilot())
    if pilot:
        new_waves.append(PILOT)
        _take(drafting, PILOT, pilot)
    chosen = {group.keys for group in pilot}
    rest = [group for group in groups if group.keys not in chosen]
    numbers = [int(match[1]) for name in drafting.waves if (match := NUMBERED.fullmatch(name))]
    order = sorted(
        rest, key=lambda entry: (-entry.priority, not entry.department, entry.department, entry.keys)
    )
    for number, wave in enumerate(cut(order, drafting.rules), max(numbers, default=0) + 1):
        name = f"wave-{number:03}"
        new_waves.append(name)
        _take(drafting, name, wave)
    return new_waves


def _take(drafting: _Drafting, name: str, groups: Iterable[Group]) -> None:
    drafting.waves[name].extend(drafting.boxes[key] for group in groups for key in group.keys)


def _pilot(groups: Sequence[Group], rules: WaveLimits) -> list[Group]:
    """Choose a small and varied pilot.

    It takes from each department in turn what is quickest, and one group of several mailboxes, because what
    they share is to be tried; no mailbox with priority.
    """
    if not rules.mailboxes:
        return []
    fit = sorted((group for group in groups if group.priority <= 0 and fits(group, rules)), key=_quickest)
    several = next((entry for entry in fit if 1 < len(entry.keys) <= rules.mailboxes // 2), None)
    by_department: defaultdict[str, list[Group]] = defaultdict(list)
    for candidate in fit:
        if candidate is not several and len(by_department[candidate.department]) < rules.mailboxes:
            by_department[candidate.department].append(candidate)
    rounds = [
        (turn, name, candidate)
        for name, department_groups in by_department.items()
        for turn, candidate in enumerate(department_groups)
    ]
    chosen = [several] if several else []
    for _, _, candidate in sorted(rounds, key=lambda entry: entry[:2]):
        if fits(_merged(*chosen, candidate), rules):
            chosen.append(candidate)
    return chosen


def _merged(*groups: Group) -> Group:
    return Group(tuple(key for group in groups for key in group.keys), sum(group.bytes for group in groups))


def _quickest(group: Group) -> tuple[bool, float, tuple[str, ...]]:
    """Return the sort key of a group; an empty one shows nothing and comes last."""
    return group.seconds == 0, group.seconds, group.keys
