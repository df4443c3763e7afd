"""Describe [admission]: how much may be asked of the servers at once, and when a server is not well."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from connectors.settings import Strict
from model.kinds import Kind

SYSTEMS = ("source", *(f"target.{kind}" for kind in Kind))


class AdmissionSettings(Strict):
    """Hold the settings of [admission].

    Attributes:
        source_at_once: mailboxes at work at once against the source, of all workers together; None: no limit.
        slow_ms: the mean time of a call, in milliseconds, from which on a server is slowed down.
        slow_ms_of: another value for some systems.
        errors_percent: the share of failed calls from which on a server is slowed down.
        regulate: False to never slow down.
    """

    source_at_once: int | None = Field(default=None, ge=1)
    slow_ms: int = Field(default=2000, ge=1)
    slow_ms_of: Mapping[str, int] = Field(default_factory=dict)
    errors_percent: float = Field(default=20.0, gt=0, le=100)
    regulate: bool = True

    @field_validator("slow_ms_of")
    @classmethod
    def _known(cls, limits: Mapping[str, int]) -> Mapping[str, int]:
        for name, limit in limits.items():
            if name not in SYSTEMS:
                raise ValueError(f"the systems are {', '.join(SYSTEMS)}")
            if limit < 1:
                raise ValueError("give milliseconds above 0")
        return limits

    def slow_seconds(self, system: str) -> float:
        """Return the mean seconds of a call from which on a system is slowed down.

        Args:
            system: see engine.pacing.server_names. The highest limit of its workloads counts.
        """
        side, _, workloads = system.partition(".")
        names = (
            ["source"] if side == "source" else [f"{side}.{workload}" for workload in workloads.split("-")]
        )
        return (
            max((self.slow_ms_of[name] for name in names if name in self.slow_ms_of), default=self.slow_ms)
            / 1000
        )
