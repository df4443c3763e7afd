"""Which mailbox moves in which wave. Pure: no files, no ledger, no clock, and no order of the rows counts.

    draft(boxes, links, rules)

A box that has a wave keeps it. Of the others, those who share something move together; then come, one after
the other, priorities, departments and names, cut into waves of about the same length
(engine.planning.wave_split).
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
    """A mailbox. key: its source; what decides wherever nothing else does. wave: "" for one to be planned.
    closed: its accounts are bound, so that it never moves. seconds: how long one leg after the other takes.
    person: False for a site."""

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
    """What a person should know of a plan, by code:

    split      these share something, and are too many or too large for one wave
    apart      these share something with somebody in another wave, which has begun, or has no room, or was
               chosen by hand
    too-large  this mailbox alone is larger than a wave may be"""

    code: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """waves: name -> keys, sorted; every box is in one. made: the waves that are new, in their order."""

    waves: Mapping[str, tuple[str, ...]]
    made: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def wave_of(self) -> dict[str, str]:
        return {key: wave for wave, keys in self.waves.items() for key in keys}


@dataclass(slots=True)
class _Drafting:
    """The state of one draft: what is in which wave so far."""

    boxes: Mapping[str, WaveMailbox]
    links: Links
    rules: WaveLimits
    waves: defaultdict[str, list[WaveMailbox]] = field(default_factory=lambda: defaultdict(list))
    remarks: list[Remark] = field(default_factory=list)

    def begun(self, wave: str) -> bool:
        return any(box.closed for box in self.waves[wave])

    def remark(self, code: str, boxes: Iterable[WaveMailbox]) -> None:
        self.remarks.append(Remark(code, tuple(sorted(box.key for box in boxes))))


def draft(boxes: Iterable[WaveMailbox], links: Iterable[tuple[str, str]], rules: WaveLimits) -> Draft:
    """Every box in one wave. Links to what is no box are left out."""
    known = {box.key: box for box in boxes}
    drafting = _Drafting(known, _linked(links, known), rules)
    for box in sorted(known.values(), key=_key):
        if box.wave:
            drafting.waves[box.wave].append(box)
    groups: list[Group] = []
    for component in components(known, drafting.links):
        groups += _groups(drafting, [known[key] for key in component])
    made = _fill(drafting, groups)
    waves = {name: tuple(sorted(box.key for box in held)) for name, held in drafting.waves.items()}
    remarks = tuple(sorted(drafting.remarks, key=lambda remark: (remark.code, remark.keys)))
    return Draft(waves, tuple(made), remarks)


def components(keys: Iterable[str], links: Links) -> list[list[str]]:
    """Who hangs together, each walked through from its first name to its neighbours'."""
    left = set(keys)
    found = []
    for start in sorted(left):
        if start in left:
            left.discard(start)
            found.append(_walk(start, links, left))
    return found


def canary_of(boxes: Iterable[WaveMailbox]) -> str | None:
    """Who of a wave goes first, alone: the smallest that holds something, and nobody of priority. None: all
    are empty or sites."""
    fit = [box for box in boxes if box.person and box.items]
    return min(fit, key=lambda box: (max(box.priority, 0), box.seconds, box.key)).key if fit else None


def _key(box: WaveMailbox) -> str:
    return box.key


def _linked(links: Iterable[tuple[str, str]], known: Mapping[str, WaveMailbox]) -> Links:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in links:
        if one in known and other in known and one != other:
            found[one].add(other)
            found[other].add(one)
    return {key: frozenset(others) for key, others in found.items()}


def _walk(start: str, links: Links, left: set[str]) -> list[str]:
    """Breadth first, so that a piece cut off its beginning hangs together. Takes them out of left."""
    order = [start]
    for key in order:
        for other in sorted(links.get(key, frozenset()) & left):
            left.discard(other)
            order.append(other)
    return order


def _groups(drafting: _Drafting, component: Sequence[WaveMailbox]) -> list[Group]:
    """What of a component is still to be planned, as it will stay together."""
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
    """To those who have a wave already: the one where most of them are, if it has not begun and has room."""
    if not free:
        return False
    for wave, _ in sorted(waves.items(), key=lambda pair: (-pair[1], pair[0])):
        held = drafting.waves[wave]
        room = drafting.rules.for_pilot() if wave == PILOT else drafting.rules
        if not drafting.begun(wave) and fits(_group([*held, *free]), room):
            held.extend(free)
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
    """Along departments; what of a department hangs together stays so, unless it is too large itself."""
    parts: defaultdict[str, list[WaveMailbox]] = defaultdict(list)
    for box in boxes:
        parts[box.department].append(box)
    pieces = []
    for _, part in sorted(parts.items()):
        for walked in components([box.key for box in part], drafting.links):
            pieces += _pieces(drafting, [drafting.boxes[key] for key in walked])
    return pieces


def _pieces(drafting: _Drafting, walked: Sequence[WaveMailbox]) -> list[Group]:
    """Of those who hang together in this order, as many as fit each time."""
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
    """Takes the groups into new waves; returns their names."""
    made = []
    begun = any(box.closed for box in drafting.boxes.values())
    pilot = [] if begun or drafting.waves.get(PILOT) else _pilot(groups, drafting.rules.for_pilot())
    if pilot:
        made.append(PILOT)
        _take(drafting, PILOT, pilot)
    chosen = {group.keys for group in pilot}
    rest = [group for group in groups if group.keys not in chosen]
    taken = [int(match[1]) for name in drafting.waves if (match := NUMBERED.fullmatch(name))]
    order = sorted(
        rest, key=lambda entry: (-entry.priority, not entry.department, entry.department, entry.keys)
    )
    for number, wave in enumerate(cut(order, drafting.rules), max(taken, default=0) + 1):
        name = f"wave-{number:03}"
        made.append(name)
        _take(drafting, name, wave)
    return made


def _take(drafting: _Drafting, name: str, groups: Iterable[Group]) -> None:
    drafting.waves[name].extend(drafting.boxes[key] for group in groups for key in group.keys)


def _pilot(groups: Sequence[Group], rules: WaveLimits) -> list[Group]:
    """Small and varied: of each department in turn what is quickest, and one group of several, as what they
    share is to be tried. Nobody of priority."""
    if not rules.mailboxes:
        return []
    fit = sorted((group for group in groups if group.priority <= 0 and fits(group, rules)), key=_quickest)
    several = next((entry for entry in fit if 1 < len(entry.keys) <= rules.mailboxes // 2), None)
    worker_slots: defaultdict[str, list[Group]] = defaultdict(list)
    for one in fit:
        if one is not several and len(worker_slots[one.department]) < rules.mailboxes:
            worker_slots[one.department].append(one)
    rounds = [(turn, name, one) for name, found in worker_slots.items() for turn, one in enumerate(found)]
    chosen = [several] if several else []
    for _, _, one in sorted(rounds, key=lambda entry: entry[:2]):
        if fits(_all(*chosen, one), rules):
            chosen.append(one)
    return chosen


def _all(*groups: Group) -> Group:
    return Group(tuple(key for group in groups for key in group.keys), sum(group.bytes for group in groups))


def _quickest(group: Group) -> tuple[bool, float, tuple[str, ...]]:
    """What holds nothing shows nothing: it comes last."""
    return group.seconds == 0, group.seconds, group.keys
