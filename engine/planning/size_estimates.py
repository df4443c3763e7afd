"""Estimate how much each mailbox of the list holds.

What the ledger knows counts first, then what `kogge discover --csv` wrote, then the median of the others.
"""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.file_errors import Problem, misconfigured
from engine.config.load import Config
from engine.planning.mailbox_list import Person, canonical, csv_rows
from engine.planning.throughput_estimate import Load
from ledger.views.sizes import Amount
from model.kinds import KINDS, Kind

WHOLE = re.compile(r"\d{1,15}")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Hold the estimates.

    Attributes:
        loads: the estimate by source.
        guessed: sources with at least one estimated workload (the median of the others).
        blind: True if a workload had no basis for an estimate, because no mailbox of its kind is known.
    """

    loads: Mapping[str, Load]
    guessed: frozenset[str] = frozenset()
    blind: bool = False


def most_of(kinds: Iterable[Kind]) -> Kind:
    """Return the workload with the most items in a typical mailbox.

    The two numbers of a preflight are attributed to it.
    """
    return max(kinds, key=lambda kind: KINDS[kind].typical_items)


def fingerprint(person: Person) -> str:
    """Return what identifies a row of an inventory after lines were inserted above it.

    It protects no secret.
    """
    return hashlib.blake2b(canonical(person.source).encode(), digest_size=6).hexdigest()


def found_next_to_list(config: Config, name: str, columns: Collection[str]) -> Path | None:
    """Return the file beside the list that `kogge discover` writes, known by its columns; else None."""
    path = config.file(Path(name))
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            names = file.readline().strip().split(",")
    except OSError:
        return None
    return path if set(columns) <= set(names) else None


def inventory_file(config: Config) -> Path | None:
    """Return where the inventory is: where the configuration says, or beside the list; None without one."""
    if config.plan.inventory is not None:
        return config.file(config.plan.inventory)
    return found_next_to_list(config, "inventory.csv", ("line", "items", "bytes", "mailbox"))


def read_inventory(path: Path, people: Sequence[Person]) -> Mapping[str, Load]:
    """Read what `kogge discover --csv` found, by source, without mailboxes whose listing broke off.

    A row is known by its fingerprint or, in a file without fingerprints, by its line.

    Raises:
        Misconfigured: if the file cannot be used.
    """
    by_name = {fingerprint(person): person.source for person in people}
    by_line = {str(person.line): person.source for person in people}
    problems: list[Problem] = []
    loads = {}
    purpose = "the inventory; `kogge discover --csv FILE` writes one"
    for line, cells in csv_rows(path, purpose, (("line", "items", "bytes", "code"), None), problems):
        faults = list(_faults(line, cells))
        problems += faults
        name = cells.get("mailbox")
        source = by_name.get(name) if name else by_line.get(cells["line"])
        if source is not None and not cells["code"] and not faults:
            loads[source] = _load(cells)
    if problems:
        raise misconfigured(path, problems)
    return loads


def sizes(
    people: Sequence[Person],
    workloads: Iterable[Kind],
    ledger: Mapping[str, Mapping[Kind, Amount]],
    checks: Mapping[str, tuple[int, int]],
    inventory: Mapping[str, Load],
) -> Sizes:
    """Estimate how much each mailbox holds.

    What the ledger listed goes before the inventory, and the inventory before the two numbers of a preflight.

    Args:
        people: the rows of the list.
        workloads: what moves.
        ledger: what the ledger listed, by source.
        checks: items and bytes that a preflight counted, by source.
        inventory: what `kogge discover` found, by source.
    """
    kinds = tuple(workloads)
    counted = {
        source: pair for source, pair in checks.items() if not (source in inventory or source in ledger)
    }
    known_sizes = {
        person.source: _known_size(person, person.moves(kinds), ledger, counted, inventory)
        for person in people
    }
    medians = _medians(people, known_sizes)
    loads, guessed, blind = {}, set(), False
    for person in people:
        items, size = known_sizes[person.source]
        moving = person.moves(kinds)
        for kind in moving:
            if kind in items:
                continue
            if person.source in counted:
                items[kind] = 0
                continue
            guessed.add(person.source)
            blind = blind or (person.site is None, kind) not in medians
            typical = KINDS[kind].typical_amount
            items[kind], size[kind] = medians.get((person.site is None, kind), typical)
        loads[person.source] = Load({k: items[k] for k in moving}, {k: size.get(k, 0) for k in moving})
    return Sizes(loads, frozenset(guessed), blind)


def _known_size(
    person: Person,
    moving: Sequence[Kind],
    ledger: Mapping[str, Mapping[Kind, Amount]],
    counted: Mapping[str, tuple[int, int]],
    inventory: Mapping[str, Load],
) -> tuple[dict[Kind, int], dict[Kind, int]]:
    """Return what is known of a mailbox: items and bytes by workload.

    `seen` holds, by source, the numbers of a preflight where nothing else is known; they are attributed to
    the largest workload.
    """
    source = person.source
    if source in counted:
        most = most_of(moving)
        return {most: counted[source][0]}, {most: counted[source][1]}
    load, listed = inventory.get(source, Load()), ledger.get(source, {})
    items = dict(load.items) | {kind: amount.items for kind, amount in listed.items()}
    return items, dict(load.bytes) | {kind: amount.bytes for kind, amount in listed.items()}


def _medians(
    people: Sequence[Person], known_sizes: Mapping[str, tuple[dict[Kind, int], dict[Kind, int]]]
) -> dict[tuple[bool, Kind], tuple[int, int]]:
    """Return the medians of items and bytes, for people and for sites separately."""
    counts: defaultdict[tuple[bool, Kind], list[int]] = defaultdict(list)
    bytes_: defaultdict[tuple[bool, Kind], list[int]] = defaultdict(list)
    for person in people:
        items, size = known_sizes[person.source]
        for kind, count in items.items():
            counts[person.site is None, kind].append(count)
            bytes_[person.site is None, kind].append(size.get(kind, 0))
    return {
        name: (int(statistics.median(items_of_kind)), int(statistics.median(bytes_[name])))
        for name, items_of_kind in counts.items()
    }


def _faults(line: int, cells: Mapping[str, str]) -> Iterator[Problem]:
    names = ["items", *KINDS, *(f"{kind} bytes" for kind in KINDS), "bytes"]
    for name in names:
        if cells.get(name) and not WHOLE.fullmatch(cells[name]):
            yield Problem(line, name, "give a whole number")


def _load(cells: Mapping[str, str]) -> Load:
    """Return the load of a row. A file of an older version has no bytes for each workload.

    They are divided as is typical.
    """
    items = {kind: int(cells.get(kind.value) or 0) for kind in KINDS}
    if not any(items.values()):
        items[Kind.MAIL] = int(cells["items"] or 0)
    if any(cells.get(f"{kind} bytes") for kind in KINDS):
        return Load(items, {kind: int(cells.get(f"{kind} bytes") or 0) for kind in KINDS})
    weights = {kind: count * KINDS[kind].typical_bytes for kind, count in items.items()}
    whole, total = sum(weights.values()), cells["bytes"]
    if not total:
        return Load(items, weights)
    return Load(
        items, {kind: int(total) * weight // whole if whole else 0 for kind, weight in weights.items()}
    )
