"""How much each mailbox of the list holds: what the ledger knows, else what `kogge discover --csv` wrote,
else the median of the others."""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.file_errors import Problem, misconfigured
from engine.planning.mailbox_list import Person, canonical, csv_rows
from engine.planning.throughput_estimate import REQUESTS, Load
from ledger.views.sizes import Amount
from model.protocols import Kind

TYPICAL_BYTES = {
    Kind.MAIL: 75_000,
    Kind.CALENDAR: 5_000,
    Kind.CONTACTS: 3_000,
    Kind.TASKS: 2_000,
    Kind.NOTES: 3_000,
    Kind.FILES: 500_000,
}
"""Of one item: how a mailbox's bytes are taken to be shared by its workloads."""
TYPICAL_ITEMS = {
    Kind.MAIL: 2_500,
    Kind.CALENDAR: 300,
    Kind.CONTACTS: 100,
    Kind.TASKS: 20,
    Kind.NOTES: 10,
    Kind.FILES: 1_000,
}
"""Of one mailbox, where nobody's is known."""
WHOLE = re.compile(r"\d{1,15}")


@dataclass(frozen=True, slots=True)
class Sizes:
    """loads: by source. guessed: sources of whom some workload is the median of the others; blind: these know
    nothing at all, no mailbox of this kind being known."""

    loads: Mapping[str, Load]
    guessed: frozenset[str] = frozenset()
    blind: bool = False


def most_of(kinds: Iterable[Kind]) -> Kind:
    """What there is most of in a typical mailbox: what the two numbers of a preflight are taken for."""
    return max(kinds, key=TYPICAL_ITEMS.__getitem__)


def fingerprint(person: Person) -> str:
    """Knows a row of an inventory again when lines were inserted above it. Not a secret's."""
    return hashlib.blake2b(canonical(person.source).encode(), digest_size=6).hexdigest()


def read_inventory(path: Path, people: Sequence[Person]) -> Mapping[str, Load]:
    """By source, what `kogge discover --csv` found; mailboxes whose listing broke off are left out. A row is
    known by its fingerprint, or in a file without them by its line. Raises Misconfigured."""
    by_name = {fingerprint(person): person.source for person in people}
    by_line = {str(person.line): person.source for person in people}
    problems: list[Problem] = []
    found = {}
    purpose = "the inventory; `kogge discover --csv FILE` writes one"
    for line, cells in csv_rows(path, purpose, (("line", "items", "bytes", "code"), None), problems):
        faults = list(_faults(line, cells))
        problems += faults
        name = cells.get("mailbox")
        source = by_name.get(name) if name else by_line.get(cells["line"])
        if source is not None and not cells["code"] and not faults:
            found[source] = _load(cells)
    if problems:
        raise misconfigured(path, problems)
    return found


def sizes(
    people: Sequence[Person],
    workloads: Iterable[Kind],
    ledger: Mapping[str, Mapping[Kind, Amount]],
    checks: Mapping[str, tuple[int, int]],
    inventory: Mapping[str, Load],
) -> Sizes:
    """ledger, checks, inventory: by source. What the ledger listed goes before the inventory, an inventory
    before the two numbers of a preflight."""
    kinds = tuple(workloads)
    seen = {source: pair for source, pair in checks.items() if not (source in inventory or source in ledger)}
    known = {person.source: _known(person, person.moves(kinds), ledger, seen, inventory) for person in people}
    medians = _medians(people, known)
    loads, guessed, blind = {}, set(), False
    for person in people:
        items, size = known[person.source]
        moving = person.moves(kinds)
        for kind in moving:
            if kind in items:
                continue
            if person.source in seen:
                items[kind] = 0
                continue
            guessed.add(person.source)
            blind = blind or (person.site is None, kind) not in medians
            typical = (TYPICAL_ITEMS[kind], TYPICAL_ITEMS[kind] * TYPICAL_BYTES[kind])
            items[kind], size[kind] = medians.get((person.site is None, kind), typical)
        loads[person.source] = Load({k: items[k] for k in moving}, {k: size.get(k, 0) for k in moving})
    return Sizes(loads, frozenset(guessed), blind)


def _known(
    person: Person,
    moving: Sequence[Kind],
    ledger: Mapping[str, Mapping[Kind, Amount]],
    seen: Mapping[str, tuple[int, int]],
    inventory: Mapping[str, Load],
) -> tuple[dict[Kind, int], dict[Kind, int]]:
    """Items and bytes. seen: by source, where nothing but the numbers of a preflight is known; they are taken
    for what there is most of."""
    source = person.source
    if source in seen:
        most = most_of(moving)
        return {most: seen[source][0]}, {most: seen[source][1]}
    load, listed = inventory.get(source, Load()), ledger.get(source, {})
    items = dict(load.items) | {kind: amount.items for kind, amount in listed.items()}
    return items, dict(load.bytes) | {kind: amount.bytes for kind, amount in listed.items()}


def _medians(
    people: Sequence[Person], known: Mapping[str, tuple[dict[Kind, int], dict[Kind, int]]]
) -> dict[tuple[bool, Kind], tuple[int, int]]:
    """Items and bytes, of people and of sites apart."""
    counts: defaultdict[tuple[bool, Kind], list[int]] = defaultdict(list)
    bytes_: defaultdict[tuple[bool, Kind], list[int]] = defaultdict(list)
    for person in people:
        items, size = known[person.source]
        for kind, count in items.items():
            counts[person.site is None, kind].append(count)
            bytes_[person.site is None, kind].append(size.get(kind, 0))
    return {
        name: (int(statistics.median(found)), int(statistics.median(bytes_[name])))
        for name, found in counts.items()
    }


def _faults(line: int, cells: Mapping[str, str]) -> Iterator[Problem]:
    names = ["items", *REQUESTS, *(f"{kind} bytes" for kind in REQUESTS), "bytes"]
    for name in names:
        if cells.get(name) and not WHOLE.fullmatch(cells[name]):
            yield Problem(line, name, "give a whole number")


def _load(cells: Mapping[str, str]) -> Load:
    """A file of an older version has no bytes of each workload: they share them as is typical."""
    items = {kind: int(cells.get(kind.value) or 0) for kind in REQUESTS}
    if not any(items.values()):
        items[Kind.MAIL] = int(cells["items"] or 0)
    if any(cells.get(f"{kind} bytes") for kind in REQUESTS):
        return Load(items, {kind: int(cells.get(f"{kind} bytes") or 0) for kind in REQUESTS})
    weights = {kind: count * TYPICAL_BYTES[kind] for kind, count in items.items()}
    whole, total = sum(weights.values()), cells["bytes"]
    if not total:
        return Load(items, weights)
    return Load(items, {kind: int(total) * one // whole if whole else 0 for kind, one in weights.items()})
