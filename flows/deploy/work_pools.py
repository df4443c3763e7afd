"""The work pool, its queues and the deployments, as `kogge setup` makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from engine.config.load import Config
from engine.config.maintenance_windows import DAY, WindowSpan
from engine.config.registry import name_of
from engine.planning.load_plan import waves_listed
from flows.deploy.deployments import DELTA, DEPLOYMENTS, QUEUES, WAVES, Deployment, Queue, Schedule
from flows.deploy.setup import MISSING, Inspection, Thing
from flows.deploy.work_pool import Pool
from ledger.db.rows import Phase
from ledger.plan.waves import Waves
from ledger.store import Ledger

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """limit: runs at once, of all workers together; None: as many as the workers take."""

    pool: str
    queue: Queue
    limit: int | None
    kind: str = "work queue"

    @property
    def name(self) -> str:
        return self.queue.name

    async def look(self, client: PrefectClient) -> Inspection:
        try:
            found = await client.read_work_queue_by_name(self.name, work_pool_name=self.pool)
        except ObjectNotFound:
            return MISSING
        return Inspection.at(name for name, value in self._wanted().items() if getattr(found, name) != value)

    def _wanted(self) -> dict[str, Any]:
        given = (self.queue.description, self.limit, self.queue.priority)
        return dict(zip(("description", "concurrency_limit", "priority"), given, strict=True))

    async def put(self, client: PrefectClient) -> None:
        wanted = self._wanted()
        try:
            found = await client.read_work_queue_by_name(self.name, work_pool_name=self.pool)
        except ObjectNotFound:
            await client.create_work_queue(self.name, work_pool_name=self.pool, **wanted)
        else:
            await client.update_work_queue(found.id, **wanted)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment. Its schedules begin switched off; those that are there stay as they were switched."""

    deployment: Deployment
    schedules: tuple[Schedule, ...]
    config: Config
    kind: str = "deployment"

    @property
    def name(self) -> str:
        return self.deployment.name

    async def look(self, client: PrefectClient) -> Inspection:
        found = await self._read(client)
        if found is None:
            return MISSING
        wanted = self._wanted(found)
        told = found.model_dump(include={*wanted} - {"schedules"}) | {"schedules": _plain(found.schedules)}
        told["pull_steps"] = told["pull_steps"] or []
        # Prefect keeps a limit apart from its deployment.
        limit = found.global_concurrency_limit
        told["concurrency_limit"] = None if limit is None else limit.limit
        if limit is None:
            told["concurrency_options"] = None
        return Inspection.at(name for name, value in self._comparable(wanted).items() if told[name] != value)

    async def put(self, client: PrefectClient) -> None:
        flow: Flow[..., Any] = load_flow_from_entrypoint(self.deployment.entrypoint)
        wanted = self._wanted(await self._read(client))
        options = wanted.pop("concurrency_options")
        await client.create_deployment(
            flow_id=await client.create_flow_from_name(flow.name),
            concurrency_options=ConcurrencyOptions.model_validate(options) if options else None,
            **wanted,
        )

    async def _read(self, client: PrefectClient) -> DeploymentResponse | None:
        flow: Flow[..., Any] = load_flow_from_entrypoint(self.deployment.entrypoint)
        try:
            return await client.read_deployment_by_name(f"{flow.name}/{self.name}")
        except ObjectNotFound:
            return None

    def _wanted(self, found: DeploymentResponse | None) -> dict[str, Any]:
        wanted = self.deployment
        active = {one.slug: one.active for one in found.schedules} if found is not None else {}
        flow: Flow[..., Any] = load_flow_from_entrypoint(wanted.entrypoint)
        own = {"collision_strategy": ConcurrencyLimitStrategy.CANCEL_NEW, "grace_period_seconds": None}
        return {
            "name": wanted.name,
            "entrypoint": wanted.entrypoint,
            "description": wanted.description,
            "tags": wanted.tags,
            "work_pool_name": self.config.prefect.work_pool,
            "work_queue_name": wanted.queue,
            "job_variables": {},
            "parameters": {"parameters": self._parameters()},
            "parameter_openapi_schema": parameter_schema(flow).model_dump(exclude_unset=True),
            "enforce_parameter_schema": True,
            "pull_steps": [],
            "concurrency_limit": wanted.limit,
            "concurrency_options": None if wanted.limit is None else own,
            "schedules": [self._schedule(one, active.get(one.slug, False)) for one in self.schedules],
        }

    def _comparable(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return wanted | {"schedules": _plain(wanted["schedules"])}

    def _parameters(self) -> dict[str, Any]:
        return {"configuration": name_of(self.config.path)}

    def _schedule(self, one: Schedule, active: bool) -> DeploymentScheduleCreate:
        own = {"parameters": self._parameters() | dict(one.parameters)} if one.parameters else {}
        cron = CronSchedule(cron=one.cron, timezone=one.timezone)
        return DeploymentScheduleCreate(schedule=cron, active=active, parameters=own, slug=one.slug)


def _plain(schedules: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What is compared of schedules."""
    return sorted(
        (
            (one.slug, one.active, one.schedule.cron, one.schedule.timezone, one.parameters)
            for one in schedules
        ),
        key=lambda told: str(told[0]),
    )


def work(config: Config, ledger: Ledger) -> Iterator[Thing]:
    """All of it, in the order in which it must be made."""
    pool = config.prefect.work_pool
    yield Pool(pool)
    for queue in QUEUES:
        yield WorkQueue(pool, queue, config.prefect.waves if queue.name == WAVES else None)
    for one in DEPLOYMENTS:
        schedules = nightly(config, ledger) if one is DELTA else one.schedules
        yield Deployed(one, schedules, config)


def nightly(config: Config, ledger: Ledger) -> tuple[Schedule, ...]:
    """When each wave that has mailboxes in staging is brought up to date: as its window opens."""
    staging = {row.wave for row in ledger.mailboxes() if row.phase is Phase.STAGING}
    if config.file(config.mailboxes).exists():
        staging &= waves_listed(config)  # the others are those of another configuration
    planned = Waves(ledger)
    found = []
    for wave in sorted(staging):
        window = config.windows.get(planned.read(wave).window or "")
        zone = config.plan.timezone if window is None else window.timezone
        lines = ["0 20 * * *"] if window is None else [cron_of(span) for span in window.parsed()]
        for number, line in enumerate(lines, 1):
            found.append(Schedule(f"{wave}-{number}", line, zone, {"wave": wave}))
    return tuple(found)


def cron_of(span: WindowSpan) -> str:
    """The moments at which a span begins."""
    hour, minute = divmod(span.begins % DAY, 60)
    days = "*" if len(span.days) == len(DAYS) else ",".join(DAYS[day] for day in sorted(span.days))
    return f"{minute} {hour} * * {days}"
