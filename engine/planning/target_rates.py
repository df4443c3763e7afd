"""Say how long a target's rate limit makes moving take, at least. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connectors.caldav.products import PROFILES
from connectors.http.rate_limit import RateLimit, RateLimited
from engine.config.load import Config
from model.kinds import Kind
from model.plural import many

REQUESTS_OF_ITEM = 1.1
"""Requests to a DAV target for one item: its PUT, and its part of those that look after each batch whether
it is there, and that verify a hundred."""
REQUESTS_OF_LEG = 45
"""Requests to a DAV target that one leg takes, whatever it holds."""


@dataclass(frozen=True, slots=True)
class TargetRate:
    """Describe the rate limit of one server.

    Attributes:
        workloads: what is moved there.
        limit: the limit.
        remedy: what its host can do about the limit; "" if that is not known.
    """

    workloads: tuple[Kind, ...]
    limit: RateLimit
    remedy: str = ""

    def requests(self, items: Mapping[Kind, int]) -> float:
        """Return how many requests it takes to move the items of one mailbox.

        Args:
            items: items by workload.
        """
        counts = [items[kind] for kind in self.workloads if kind in items]
        return sum(counts) * REQUESTS_OF_ITEM + len(counts) * REQUESTS_OF_LEG

    def seconds(self, mailboxes: Iterable[Mapping[Kind, int]]) -> float:
        """Return how many seconds it takes at least to move these mailboxes.

        Args:
            mailboxes: the items of each mailbox, by workload.
        """
        return sum(map(self.requests, mailboxes)) * self.limit.seconds / self.limit.requests

    def lines(self, mailboxes: Sequence[Mapping[Kind, int]]) -> list[str]:
        """Return for people what the limit means, and what to ask the host for.

        Args:
            mailboxes: as of `seconds`.
        """
        names = ", ".join(f"target.{kind}" for kind in self.workloads)
        limit = f"{self.limit.requests:,} requests in {self.limit.seconds:.0f} s from all workers together"
        items = sum(entry.get(kind, 0) for entry in mailboxes for kind in self.workloads)
        least = f"{items:,} items take at least {_duration(self.seconds(mailboxes))}"
        remedy = f" To be faster, ask its host to {self.remedy}; then set rate_limit." if self.remedy else ""
        return [f"{names}: {limit}{f'; {least}' if items else ''}.{remedy}"]

    def document(self, mailboxes: Sequence[Mapping[Kind, int]]) -> dict[str, object]:
        """Return the same for JSON."""
        return {
            "workloads": [str(kind) for kind in self.workloads],
            "requests": self.limit.requests,
            "window_seconds": self.limit.seconds,
            "hours_at_least": round(self.seconds(mailboxes) / 3600, 2),
        }


def _duration(seconds: float) -> str:
    """Return seconds for people: hours, and below one of them minutes."""
    hours = seconds / 3600
    return f"{hours:,.1f} hours" if hours >= 1 else many(max(1, round(seconds / 60)), "minute", "minutes")


def target_rates(config: Config) -> list[TargetRate]:
    """Return the rate limits of the targets, one for each server."""
    workloads: dict[str, list[Kind]] = {}
    for kind in config.workloads:
        settings = config.target.of(kind)
        if isinstance(settings, RateLimited) and settings.limit is not None:
            workloads.setdefault(settings.counted_as, []).append(kind)
    return [_rate(config, tuple(kinds)) for kinds in workloads.values()]


def _rate(config: Config, kinds: tuple[Kind, ...]) -> TargetRate:
    """Return the rate limit of a server; of several settings the lowest."""
    found = [config.target.of(kind) for kind in kinds]
    limit = min((entry.limit for entry in found), key=lambda limit: limit.requests / limit.seconds)
    return TargetRate(kinds, limit, PROFILES[found[0].profile].rate_limit_remedy)
