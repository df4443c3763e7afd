"""What workers can be asked to run: the deployments, the queues they wait in, and when they start by
themselves. prefect.yaml says the same to `prefect deploy`.

A wave watches over batches and does little itself: it has a queue, and workers, of its own. In one queue with
them, waves would take the places of the batches they wait for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HEARTBEAT_SECONDS = 30
"""The least that Prefect takes. A run that is silent for three times as long has died."""
TAG = "kogge"

WAVES = "waves"
URGENT = "urgent"
NORMAL = "normal"
NIGHTLY = "nightly"


@dataclass(frozen=True, slots=True)
class Queue:
    """priority: of several with work, workers ask the one with the lowest first."""

    name: str
    priority: int
    description: str


QUEUES = (
    Queue(WAVES, 1, "Waves and housekeeping, which watch over batches"),
    Queue(URGENT, 2, "Cutovers, rollbacks, batches of waves with a priority"),
    Queue(NORMAL, 3, "Batches"),
    Queue(NIGHTLY, 4, "Batches of nightly passes"),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a run starts by itself, once somebody switched it on. parameters: beside the deployment's own."""

    slug: str
    cron: str
    timezone: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """limit: runs at once; one too many is cancelled."""

    name: str
    entrypoint: str
    queue: str
    description: str
    limit: int | None = None
    schedules: tuple[Schedule, ...] = ()

    @property
    def tags(self) -> list[str]:
        return [TAG, self.name]


BATCH = Deployment(
    "batch",
    "flows.migrate.batch",
    NORMAL,
    "Runs some mailboxes of a wave; started by it, seldom by hand.",
)
DELTA = Deployment(
    "delta",
    "flows.migrate.wave",
    WAVES,
    "Brings a wave up to date at night: the same pass as the first, over what changed since.",
)
DEPLOYMENTS = (
    Deployment(
        "wave",
        "flows.migrate.wave",
        WAVES,
        "Moves a wave of mailboxes, or brings it up to date, and verifies it.",
    ),
    BATCH,
    DELTA,
    Deployment(
        "verify",
        "flows.migrate.verify",
        WAVES,
        "Compares a wave with its source once more; writes to neither side.",
    ),
    Deployment(
        "cutover",
        "flows.cutover.cutover",
        URGENT,
        "Cuts a wave over once its second approval is there: hooks, final delta, verification, live.",
    ),
    Deployment(
        "rollback",
        "flows.rollback.rollback",
        URGENT,
        "Takes back what was approved to be taken back.",
    ),
    Deployment(
        "janitor",
        "flows.janitor.janitor",
        WAVES,
        "Settles what died: runs that Prefect takes for running, mailboxes nobody holds any more.",
        limit=1,
        schedules=(Schedule("every-quarter-hour", "*/15 * * * *", "UTC"),),
    ),
)
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
}
"""Of every run that a worker starts."""


def queue_of(deployment: str | None, priority: int) -> str:
    """Where the batches wait of a wave with this priority, which ran as that deployment (None: by hand)."""
    if priority > 0:
        return URGENT
    return NIGHTLY if deployment == DELTA.name else NORMAL
