"""[admission]: how much may be asked of the servers at once, and when one is not well."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from connectors.settings import Strict
from model.protocols import Kind

SYSTEMS = ("source", *(f"target.{kind}" for kind in Kind))


class AdmissionSettings(Strict):
    """source_legs: at work at once against the source, of all workers together; None: no limit. slow_ms: the
    mean time of a call from which on a server is slowed down; slow_ms_of: another one for some of them.
    errors_percent: of calls that failed. regulate: false leaves a server that is not well alone."""

    source_legs: int | None = Field(default=None, ge=1)
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
        """system: as in ledger.views.server_health; a source's ends with its kind."""
        name = "source" if system.startswith("source.") else system
        return self.slow_ms_of.get(name, self.slow_ms) / 1000
