"""Estimate how long each wave still takes: what is left, at the rate measured so far."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from engine.config.load import Config
from engine.planning.mailbox_list_checks import mailboxes
from engine.planning.size_estimates import (
    inventory_file,
    most_of,
    read_inventory,
)
from engine.planning.throughput_estimate import Estimate, Load, estimate, pace_of
from ledger.db.rows import LegRow, LegState
from ledger.store import Ledger
from ledger.views.rates import measured
from ledger.views.sizes import Amount, amounts, checks
from model.errors import Misconfigured
from model.kinds import KINDS, Kind

Typical = Mapping[Kind, tuple[int, int]]
NOTHING = Amount(0, 0, 0, 0, whole=False)


class Eta:
    """Estimate again and again while waves run.

    The inventory, if there is one, is read once. Each estimate reads all open items of the wave: seconds if
    there are millions.
    """

    def __init__(self, config: Config, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self._inventory = _inventory(config)

    def left(self, wave: str | None = None) -> dict[str, Estimate]:
        """Return what is left of each wave: mailboxes, items and bytes, and how long they take.

        Mailboxes that are blocked or withheld wait for a person and are not counted. A wave in which nothing
        is left is not returned.

        Args:
            wave: the wave; None for all.
        """
        amounts_by_mailbox, counted = amounts(self._ledger, wave), checks(self._ledger, wave)
        boxes = {row.id: row for row in self._ledger.mailboxes(wave)}
        legs: defaultdict[str, list[LegRow]] = defaultdict(list)
        for leg in self._ledger.legs(wave):
            if leg.mailbox in boxes:
                legs[leg.mailbox].append(leg)
        kinds = {number: [leg.workload for leg in own] for number, own in legs.items()}
        typical = _typical(amounts_by_mailbox, counted, kinds)
        pace = pace_of(self._config, measured(self._ledger))
        waves: defaultdict[str, list[Load]] = defaultdict(list)
        for number, own in legs.items():
            box, awaited = boxes[number], [leg.workload for leg in own if _awaited(leg)]
            owed = self._owed(
                kinds[number], box.source, amounts_by_mailbox.get(number, {}), counted.get(number), typical
            )
            items, size = ({kind: owed[kind][at] for kind in awaited if owed[kind][0]} for at in (0, 1))
            if items:
                waves[box.wave].append(Load(items, size))
        return {name: estimate(loads, pace) for name, loads in sorted(waves.items())}

    def _owed(
        self,
        kinds: Sequence[Kind],
        source: str,
        amounts: Mapping[Kind, Amount],
        seen: tuple[int, int] | None,
        typical: Typical,
    ) -> dict[Kind, tuple[int, int]]:
        """Return the items and bytes that each workload of a mailbox is estimated to owe.

        If the ledger has no whole listing, the inventory says how much there is; without one, the rest of
        what a preflight counted (`seen`) is attributed to the largest workload.
        """
        load = self._inventory.get(source, Load())
        owed, totals, unknown = {}, [], []
        for kind in kinds:
            amount = amounts.get(kind, NOTHING)
            items, size = amount.items, amount.bytes
            if not amount.whole and kind in load.items:
                items, size = max(items, load.items[kind]), max(size, load.bytes.get(kind, 0))
            elif not amount.whole:
                unknown.append(kind)
            totals.append((items, size))
            owed[kind] = (amount.left + items - amount.items, amount.left_bytes + size - amount.bytes)
        if unknown and seen is not None:
            most, counted = most_of(kinds), [sum(column) for column in zip(*totals, strict=True)]
            items, size = (max(0, seen[at] - counted[at]) for at in (0, 1))
            owed[most] = (owed[most][0] + items, owed[most][1] + size)
        elif unknown:
            owed |= {kind: typical[kind] for kind in unknown if kind not in amounts}
        return owed


def _awaited(leg: LegRow) -> bool:
    return leg.state is not LegState.BLOCKED and leg.withheld is None


def _typical(
    amounts_by_mailbox: Mapping[str, Mapping[Kind, Amount]],
    counted: Mapping[str, tuple[int, int]],
    kinds: Mapping[str, Sequence[Kind]],
) -> Typical:
    """Return items and bytes of a mailbox about which nothing is known: the median of the others."""
    counts: defaultdict[Kind, list[int]] = defaultdict(list)
    sizes: defaultdict[Kind, list[int]] = defaultdict(list)
    for number, own in kinds.items():
        amounts_found = {
            kind: (amount.items, amount.bytes) for kind, amount in amounts_by_mailbox.get(number, {}).items()
        }
        if not amounts_found and number in counted:
            amounts_found = {most_of(own): counted[number]}
        for kind, (items, size) in amounts_found.items():
            counts[kind].append(items)
            sizes[kind].append(size)
    amounts_found = {
        kind: (int(statistics.median(own)), int(statistics.median(sizes[kind])))
        for kind, own in counts.items()
    }
    return {kind: traits.typical_amount for kind, traits in KINDS.items()} | amounts_found


def _inventory(config: Config) -> Mapping[str, Load]:
    """Return the inventory; nothing if a file of the plan is missing or wrong.

    A run is then watched by the ledger alone.
    """
    file = inventory_file(config)
    if file is None:
        return {}
    try:
        return read_inventory(file, mailboxes(config, unplanned=True))
    except Misconfigured:
        return {}
