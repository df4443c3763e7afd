"""What a person may choose when starting a flow. Prefect renders these models as forms, and keeps their
values: random ids and waves only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.base import Kind
from connectors.errors import Misconfigured
from flows.config import TARGETS, Config
from flows.problems import unknown

Workload = Literal["mail", "calendar", "contacts", "tasks", "notes", "files"]
Level = Literal["configured", "counts", "sample", "target", "both"]


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WaveParameters(Form):
    """What a person may choose when starting a wave; shown as a form."""

    config: str = Field(
        "kogge.toml", title="Configuration", description="Path of kogge.toml, where the flow runs"
    )
    wave: str = Field(title="Wave", description="Name of the wave, as in the mapping")
    mailboxes: list[str] = Field(
        default=[], title="Mailboxes", description="Random ids (m-...); none means the whole wave"
    )
    workloads: list[Workload] = Field(
        default=[], title="Workloads", description="Only these; none means all that have a target"
    )
    dry_run: bool = Field(
        False, title="Dry run", description="Prove and list only: write nothing to any target"
    )
    rest: bool = Field(
        False, title="The rest", description="Only what is not verified yet; no new look at what is"
    )
    level: Level = Field("configured", title="Verification", description="How much is read again")


class VerifyParameters(Form):
    """What a person may choose when verifying a wave once more."""

    config: str = Field(
        "kogge.toml", title="Configuration", description="Path of kogge.toml, where the flow runs"
    )
    wave: str = Field(title="Wave", description="Name of the wave, as in the mapping")
    mailboxes: list[str] = Field(
        default=[], title="Mailboxes", description="Random ids (m-...); none means the whole wave"
    )
    workloads: list[Workload] = Field(
        default=[], title="Workloads", description="Only these; none means all that have a target"
    )
    level: Level = Field("configured", title="Verification", description="How much is read again")


class BatchParameters(Form):
    """One batch of a wave. number counts from 1."""

    config: str = Field("kogge.toml", title="Configuration")
    wave: str = Field(title="Wave")
    mailboxes: list[str] = Field(title="Mailboxes", min_length=1)
    workloads: list[Workload] = Field(default=[], title="Workloads")
    verify_only: bool = Field(False, title="Verify only")
    dry_run: bool = Field(False, title="Dry run")
    rest: bool = Field(False, title="The rest")
    level: Level = Field("configured", title="Verification")
    number: int = Field(1, ge=1, title="Batch")
    of: int = Field(1, ge=1, title="Of")


def workloads_of(config: Config, names: Iterable[str], where: str) -> frozenset[Kind]:
    """The workloads of these names; all that have a target for none. Raises Misconfigured(where, ...) for one
    that does not exist or has no target."""
    known = {str(kind): kind for kind in TARGETS}
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise Misconfigured(where, unknown(name, known))
        if known[name] not in config.workloads:
            raise Misconfigured(where, f"no [target.{name}] is configured")
    return frozenset(known[name] for name in wanted) or frozenset(config.workloads)
