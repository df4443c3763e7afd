"""What a person may choose when starting a flow.

Prefect renders these models as forms, and keeps their values: random ids, waves and names of configurations
only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from engine.config.file_errors import unknown
from engine.config.load import Config
from engine.leg.run_options import RunOptions
from model.errors import Misconfigured
from model.kinds import Kind

if TYPE_CHECKING:
    from ledger.store import Ledger

if TYPE_CHECKING:
    Workload: TypeAlias = str
else:
    Workload = Literal[tuple(kind.value for kind in Kind)]
Level = Literal["configured", "counts", "sample", "target", "both"]

WaveName: TypeAlias = Annotated[
    str, Field(title="Wave", description="A wave that `kogge setup` does not know yet is not offered here")
]
Box: TypeAlias = Annotated[str, Field(pattern="^m-[0-9a-f]+$")]
"""A random id: an address that is typed here by mistake is refused before Prefect keeps it."""
Boxes: TypeAlias = Annotated[
    list[Box], Field(title="Mailboxes", description="Leave empty for the whole wave; else random ids (m-...)")
]
Workloads: TypeAlias = Annotated[
    list[Workload], Field(title="Workloads", description="Leave empty for all that have a target")
]
Depth: TypeAlias = Annotated[
    Level, Field(title="Verification", description="How much is read again to compare")
]
Configuration: TypeAlias = Annotated[
    str,
    Field(
        title="Configuration",
        description="Name of one of the worker's configurations (kogge for kogge.toml); empty: its first",
        max_length=100,
    ),
]


def _in_order(schema: dict[str, Any]) -> None:
    """Number the fields for Prefect's form, because PostgreSQL stores a table's keys in its own order."""
    for number, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = number


class RunParameters(BaseModel):
    """Hold the parameters of a run, which Prefect shows as a form."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_in_order)


class WaveParameters(RunParameters):
    """Copy what is new in the mailboxes of a wave, and verify them. Choosing the wave is enough."""

    wave: WaveName
    mailboxes: Boxes = Field(default=[])
    workloads: Workloads = Field(default=[])
    dry_run: bool = Field(
        False, title="Dry run", description="Only look: prove and list, write nothing to any target"
    )
    rest: bool = Field(
        False, title="Only the rest", description="Leave out what is verified already; no new look at it"
    )
    level: Depth = "configured"
    configuration: Configuration = ""

    @property
    def options(self) -> RunOptions:
        """Return them as options of a run."""
        return RunOptions(dry_run=self.dry_run, rest=self.rest, level=_level(self.level))


class VerifyParameters(RunParameters):
    """Compare a wave with its source once more. Write to neither side."""

    wave: WaveName
    mailboxes: Boxes = Field(default=[])
    workloads: Workloads = Field(default=[])
    level: Depth = "configured"
    configuration: Configuration = ""

    @property
    def options(self) -> RunOptions:
        """Return them as options of a run."""
        return RunOptions(verify_only=True, level=_level(self.level))


class BatchParameters(RunParameters):
    """Run one batch of a wave; its number counts from 1."""

    wave: WaveName
    mailboxes: list[str] = Field(title="Mailboxes", min_length=1)
    workloads: Workloads = Field(default=[])
    verify_only: bool = Field(False, title="Verify only")
    dry_run: bool = Field(False, title="Dry run")
    rest: bool = Field(False, title="The rest")
    level: Depth = "configured"
    number: int = Field(1, ge=1, title="Batch")
    of: int = Field(1, ge=1, title="Of")
    configuration: Configuration = ""

    @property
    def options(self) -> RunOptions:
        """Return them as options of a run."""
        return RunOptions(self.verify_only, self.dry_run, self.rest, _level(self.level))


def _level(chosen: Level) -> str | None:
    """Return the level that the options name; None for the configured one."""
    return None if chosen == "configured" else chosen


def refuse_unknown_wave(ledger: Ledger, wave: str) -> None:
    """Raise Misconfigured for a wave without a mailbox in the ledger."""
    if not ledger.mailboxes(wave):
        raise Misconfigured("wave", unknown(wave, {row.wave for row in ledger.mailboxes()}))


def workloads_of(config: Config, names: Iterable[str], where: str) -> frozenset[Kind]:
    """Return the workloads of these names; without names, all that have a target.

    Raises:
        Misconfigured: one does not exist or has no target; `where` names the place.
    """
    known = {str(kind): kind for kind in Kind}
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise Misconfigured(where, unknown(name, known))
        if known[name] not in config.workloads:
            raise Misconfigured(where, f"no [target.{name}] is configured")
    return frozenset(known[name] for name in wanted) or frozenset(config.workloads)
