"""What workers can run: the deployments, the queues they wait in, and when they start by themselves.

prefect.yaml says the same to `prefect deploy`.

A wave watches over batches and does little itself: it has a queue, and workers, of its own. In one queue with
them, waves would take the places of the batches they wait for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

HEARTBEAT_SECONDS = 30
"""The least that Prefect takes."""
TAG = "kogge"

WAVES = "waves"
URGENT = "urgent"
NORMAL = "normal"
NIGHTLY = "nightly"


@dataclass(frozen=True, slots=True)
class Queue:
    """Describe a queue; of several with work, workers ask the one with the lowest priority number first."""

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
    """Describe when a run starts by itself, once a person switched the schedule on.

    Attributes:
        parameters: in addition to those of the deployment.
    """

    slug: str
    cron: str
    timezone: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Describe what workers can be asked to run.

    Attributes:
        limit: runs at the same time; one too many is cancelled.
        kind: what it does; "" if that is its name.
        wave: the only wave that it is for; None if its form asks for one, or if it has none.
        verb: what the deployment of one wave is called by, before the wave; "" if that is its name.
        asks: True if a person has to fill in its form although the wave is known.
    """

    name: str
    entrypoint: str
    queue: str
    description: str
    limit: int | None = None
    schedules: tuple[Schedule, ...] = ()
    kind: str = ""
    wave: str | None = None
    verb: str = ""
    asks: bool = False

    @property
    def tags(self) -> list[str]:
        """Return its tags in Prefect."""
        own = [TAG, self.kind or self.name]
        return own if self.wave is None else [*own, wave_tag(self.wave)]

    def of(self, wave: str) -> Deployment:
        """Return the same for one wave alone, under a name that says what it does with which wave."""
        return replace(
            self,
            name=self.name_of(wave),
            description=f"Wave {wave}. {self.description}",
            kind=self.kind or self.name,
            wave=wave,
        )

    def name_of(self, wave: str) -> str:
        """Return what the deployment of one wave is called."""
        return f"{self.verb or self.name} {wave}"


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
WAVE = Deployment(
    "wave",
    "flows.migrate.wave",
    WAVES,
    "Moves a wave of mailboxes, or brings it up to date, and verifies it.",
    verb="start",
)
VERIFY = Deployment(
    "verify",
    "flows.migrate.verify",
    WAVES,
    "Compares a wave with its source once more; writes to neither side.",
)
CUTOVER = Deployment(
    "cutover",
    "flows.cutover.cutover",
    URGENT,
    "Cuts a wave over once its second approval is there: hooks, final delta, verification, live.",
)
PAUSE = Deployment(
    "pause",
    "flows.pause.pause",
    URGENT,
    "The brake: stops every run of a wave within seconds, and lets none begin until it is resumed.",
)
RESUME = Deployment(
    "resume",
    "flows.pause.resume",
    URGENT,
    "Lets a paused wave run again; starts nothing by itself.",
)
DECIDE = Deployment(
    "decide",
    "flows.decide.decide",
    URGENT,
    "Decides about mailboxes that stopped: try again, accept, or leave. It asks who decides, and why.",
    asks=True,
)
DEPLOYMENTS = (
    WAVE,
    BATCH,
    DELTA,
    VERIFY,
    CUTOVER,
    PAUSE,
    RESUME,
    DECIDE,
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
FOR_EACH_WAVE = (WAVE, VERIFY, CUTOVER, PAUSE, RESUME, DECIDE)
"""What every wave has a deployment of its own of."""
BRAKES = frozenset({PAUSE.name, RESUME.name, DECIDE.name})
"""A worker takes these although all its places are taken: they are short, and somebody waits for them."""
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
}
"""Of every run that a worker starts."""


def wave_tag(wave: str) -> str:
    """Return the tag by which Prefect finds everything of one wave."""
    return f"wave:{wave}"


def deployments_of(wave: str) -> Iterator[Deployment]:
    """Yield the deployments of one wave."""
    for one in FOR_EACH_WAVE:
        yield one.of(wave)


def queue_of(deployment: str | None, priority: int) -> str:
    """Return the queue for the batches of a wave with this priority.

    Args:
        deployment: that the wave ran as; None if it was started by hand.
        priority: of the wave.
    """
    if priority > 0:
        return URGENT
    return NIGHTLY if deployment == DELTA.name else NORMAL
