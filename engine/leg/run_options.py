"""Say what a run is to do with each of its legs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Hold the options of a run; they travel whole from the command, or from Prefect's form, to the leg.

    Attributes:
        verify_only: compare both sides; write to neither.
        dry_run: prove and list only; write to no target.
        rest: only legs that are not verified yet.
        level: how much is read again for verification, a value of engine.verify.compare.Level; None: as
            configured.
    """

    verify_only: bool = False
    dry_run: bool = False
    rest: bool = False
    level: str | None = None

    @property
    def writes(self) -> bool:
        """True if the run may write to a target."""
        return not (self.verify_only or self.dry_run)


AS_CONFIGURED = RunOptions()
"""Copy and verify everything, as configured."""
