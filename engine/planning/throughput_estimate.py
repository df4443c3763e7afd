"""Estimate how long moving takes: at the measured rate, and at what the source allows. Pure.

The same figures serve a plan (everything that is to move) and a run (what is left).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from connectors.catalogue.entries import connectors
from engine.config.load import Config
from engine.planning.target_rates import TargetRate, target_rates
from ledger.views.rates import Measured
from model.kinds import KINDS, Kind

PRIOR_SECONDS = 60.0
"""How many seconds of measured time the configured rates weigh as much as."""


@dataclass(frozen=True, slots=True)
class Load:
    """Hold what is to be moved of one mailbox.

    Attributes:
        items: items by workload.
        bytes: bytes by workload.
    """

    items: Mapping[Kind, int] = field(default_factory=dict)
    bytes: Mapping[Kind, int] = field(default_factory=dict)

    @property
    def all_items(self) -> int:
        """Items of all workloads."""
        return sum(self.items.values())

    @property
    def all_bytes(self) -> int:
        """Bytes of all workloads."""
        return sum(self.bytes.values())


@dataclass(frozen=True, slots=True)
class Throughput:
    """Hold rates and limits.

    Attributes:
        items: by workload, items a second for one leg if they had no size.
        bytes: bytes a second, on top of that.
        parallel: legs at once.
        slower: by workload, by which factor the measured speed is slower.
        mailbox_requests: requests a second of one mailbox; None if the source has no such limit.
        requests: requests a second overall; None if the source has no such limit.
        at_once: requests at once overall; None if the source has no such limit.
        targets: the rate limits of the targets.
    """

    items: Mapping[Kind, float]
    bytes: float
    parallel: int
    slower: Mapping[Kind, float] = field(default_factory=dict)
    mailbox_requests: float | None = None
    requests: float | None = None
    at_once: int | None = None
    targets: tuple[TargetRate, ...] = ()

    def seconds(self, load: Load) -> float:
        """Return the seconds for all legs of one mailbox, one after the other, at the measured rate."""
        return sum(
            self.slower.get(kind, 1.0) * self._plain(kind, count, load.bytes.get(kind, 0))
            for kind, count in load.items.items()
        )

    def least(self, load: Load) -> float:
        """Return the seconds below which the source does not let one mailbox be read."""
        return 0.0 if self.mailbox_requests is None else requests_of(load) / self.mailbox_requests

    def corrected(self, measured: Mapping[Kind, Measured]) -> dict[Kind, float]:
        """Return the factors by which these measurements are slower."""
        return {
            kind: (sample.seconds + PRIOR_SECONDS)
            / (self._plain(kind, sample.items, sample.bytes) + PRIOR_SECONDS)
            for kind, sample in measured.items()
        }

    def _plain(self, kind: Kind, items: int, size: int) -> float:
        return items / self.items[kind] + size / self.bytes


@dataclass(frozen=True, slots=True)
class Estimate:
    """Hold the estimate for several mailboxes.

    Attributes:
        mailboxes: how many.
        items: their items.
        bytes: their bytes.
        seconds: how long they take.
        by: what decides: the measured rate, the source's throttle, or a target's rate limit.
        alone: True if one mailbox takes longer than its share, so that more workers would not help.
    """

    mailboxes: int
    items: int
    bytes: int
    seconds: float
    by: Literal["rate", "throttle", "target"]
    alone: bool

    @property
    def hours(self) -> float:
        """How long they take, in hours."""
        return self.seconds / 3600

    def document(self) -> dict[str, object]:
        """Return the estimate for JSON."""
        return {
            "mailboxes": self.mailboxes,
            "items": self.items,
            "bytes": self.bytes,
            "hours": round(self.hours, 2),
            "by": self.by,
            "one_mailbox": self.alone,
        }


def requests_of(load: Load) -> int:
    """Return how many requests to the source this takes."""
    return sum(count * KINDS[kind].requests for kind, count in load.items.items())


def pace_of(config: Config, measured: Mapping[Kind, Measured]) -> Throughput:
    """Return the configured rates and limits, corrected by what was measured.

    Of several sources, the tightest limit counts for all.
    """
    plan, sources = config.plan, [connectors()[one.kind] for one in config.sources.values()]
    pace = Throughput(
        items={kind: plan.rates.of(kind) for kind in KINDS},
        bytes=plan.rates.bytes,
        parallel=config.run.mailboxes_at_once * plan.workers,
        mailbox_requests=min((one.mailbox_requests for one in sources if one.mailbox_requests), default=None),
        requests=plan.source_requests,
        at_once=plan.source_at_once or min((one.at_once for one in sources if one.at_once), default=None),
        targets=tuple(target_rates(config)),
    )
    return replace(pace, slower=pace.corrected(measured))


def estimate(loads: Iterable[Load], pace: Throughput) -> Estimate:
    """Estimate how long these mailboxes take together: the slowest of rate, throttle and limit decides."""
    chosen = list(loads)
    working = [pace.seconds(load) for load in chosen]
    waiting = [pace.least(load) for load in chosen]
    whole, all_requests = sum(working), sum(map(requests_of, chosen))
    rate = max(whole / pace.parallel, max(working, default=0.0))
    throttle = max(
        sum(waiting) / pace.parallel,
        max(waiting, default=0.0),
        all_requests / pace.requests if pace.requests else 0.0,
        whole / pace.at_once if pace.at_once else 0.0,
    )
    items = [load.items for load in chosen]
    limited = max((target.seconds(items) for target in pace.targets), default=0.0)
    seconds = max(rate, throttle, limited)
    longest = max(max(working, default=0.0), max(waiting, default=0.0))
    return Estimate(
        len(chosen),
        sum(load.all_items for load in chosen),
        sum(load.all_bytes for load in chosen),
        seconds,
        "target" if limited > max(rate, throttle) else "throttle" if throttle > rate else "rate",
        alone=len(chosen) > 1 and seconds > 0 and longest >= seconds,
    )
