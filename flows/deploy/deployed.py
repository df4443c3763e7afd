"""A deployment in Prefect, as `kogge setup` makes it, and what it leaves of waves that are gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.utilities.callables import parameter_schema

from engine.config.load import Config
from engine.config.registry import name_of
from flows.deploy.automations import retired
from flows.deploy.deployments import BATCH, FOR_EACH_WAVE, TAG, Deployment, Schedule, wave_tag
from flows.deploy.own_flows import flow_of
from flows.deploy.setup import MISSING, Inspection, Presence, SetupOutcome, Thing, arrange

PAGE = 200
WORDS = {
    "parameter_openapi_schema": "form",
    "enforce_parameter_schema": "check of the form",
    "parameters": "default values of the form",
    "work_pool_name": "work pool",
    "work_queue_name": "work queue",
}
"""What people call it."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """Describe a deployment in Prefect.

    Its schedules begin switched off. Those that are there stay switched as they are, and those that a person
    gave to a wave's own deployment stay as they are.

    Attributes:
        waves: those that its form offers; without any, each name can be typed.
    """

    deployment: Deployment
    schedules: tuple[Schedule, ...]
    config: Config
    waves: frozenset[str] = frozenset()
    kind: str = "deployment"

    @property
    def name(self) -> str:
        """Return its name."""
        return self.deployment.name

    async def look(self, client: PrefectClient) -> Inspection:
        """Compare the deployment in Prefect with what is wanted."""
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
        differs = (name for name, value in self._comparable(wanted).items() if told[name] != value)
        return Inspection.at(WORDS.get(name, name.replace("_", " ")) for name in differs)

    async def put(self, client: PrefectClient) -> None:
        """Create or update the deployment."""
        flow = flow_of(self.deployment.entrypoint)
        wanted = self._wanted(await self._read(client) or await self._older(client))
        options = wanted.pop("concurrency_options")
        await client.create_deployment(
            flow_id=await client.create_flow_from_name(flow.name),
            concurrency_options=ConcurrencyOptions.model_validate(options) if options else None,
            **wanted,
        )

    async def _read(self, client: PrefectClient, name: str = "") -> DeploymentResponse | None:
        flow = flow_of(self.deployment.entrypoint)
        try:
            return await client.read_deployment_by_name(f"{flow.name}/{name or self.deployment.name}")
        except ObjectNotFound:
            return None

    async def _older(self, client: PrefectClient) -> DeploymentResponse | None:
        """Return the deployment under the name that it had before names said what they do: the wave's."""
        wave = self.deployment.wave
        return None if wave is None else await self._read(client, wave)

    def _wanted(self, found: DeploymentResponse | None) -> dict[str, Any]:
        wanted = self.deployment
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
            "parameter_openapi_schema": self._schema(),
            "enforce_parameter_schema": True,
            "pull_steps": [],
            "concurrency_limit": wanted.limit,
            "concurrency_options": None if wanted.limit is None else own,
            "schedules": self._schedules(found),
        }

    def _schema(self) -> dict[str, Any]:
        schema = parameter_schema(flow_of(self.deployment.entrypoint)).model_dump(exclude_unset=True)
        if self.waves and self.deployment is not BATCH:
            offer(schema, self.waves)
        if self.deployment.wave is not None and not self.deployment.asks:
            schema["required"] = []  # what is required makes "Quick run" open the form
        return schema

    def _comparable(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return wanted | {"schedules": _plain(wanted["schedules"])}

    def _parameters(self) -> dict[str, Any]:
        own = {} if self.deployment.wave is None else {"wave": self.deployment.wave}
        return own | {"configuration": name_of(self.config.path)}

    def _schedules(self, found: DeploymentResponse | None) -> list[DeploymentScheduleCreate]:
        there = [] if found is None else found.schedules
        if self.deployment.wave is not None:
            return [
                DeploymentScheduleCreate.model_validate(
                    one.model_dump(include={"schedule", "active", "parameters", "slug"})
                )
                for one in there
            ]
        active = {one.slug: one.active for one in there}
        return [self._schedule(one, active.get(one.slug, False)) for one in self.schedules]

    def _schedule(self, one: Schedule, active: bool) -> DeploymentScheduleCreate:
        own = {"parameters": self._parameters() | dict(one.parameters)} if one.parameters else {}
        cron = CronSchedule(cron=one.cron, timezone=one.timezone)
        return DeploymentScheduleCreate(schedule=cron, active=active, parameters=own, slug=one.slug)


def _plain(schedules: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return what is compared of schedules."""
    return sorted(
        (
            (one.slug, one.active, one.schedule.cron, one.schedule.timezone, one.parameters)
            for one in schedules
        ),
        key=lambda told: str(told[0]),
    )


def offer(schema: dict[str, Any], waves: Collection[str]) -> None:
    """Make the field of the wave in a form a choice among these waves."""
    for model in schema.get("definitions", {}).values():
        if "wave" in model.get("properties", {}):
            model["properties"]["wave"]["enum"] = sorted(waves)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Describe a deployment of a wave that is wanted no more."""

    deployment: DeploymentResponse
    name: str
    why: str
    kind: str = "deployment"

    async def look(self, _client: PrefectClient) -> Inspection:
        """Return that it is unwanted, and why."""
        return Inspection(Presence.UNWANTED, (self.why,))

    async def put(self, client: PrefectClient) -> None:
        """Delete the deployment."""
        await client.delete_deployment(self.deployment.id)


async def arrange_all(
    things: Iterable[Thing], config: Config, waves: Collection[str], *, check: bool
) -> list[SetupOutcome]:
    """Put all things there, as `arrange` does, then remove what is wanted no more.

    That is deployments of waves that are gone, and automations of earlier versions.
    """
    made = await arrange(things, check=check)
    async with get_client() as client:
        gone: list[Thing] = [*await leftovers(client, config, waves), *await retired(client)]
    return [*made, *await arrange(gone, check=check)]


async def leftovers(client: PrefectClient, config: Config, waves: Collection[str]) -> list[Leftover]:
    """Return the deployments of waves that this configuration made and does not want any more."""
    own = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    found: list[DeploymentResponse] = []
    while page := await client.read_deployments(deployment_filter=own, limit=PAGE, offset=len(found)):
        found += page
    left = ((one, why_left(one, name_of(config.path), waves)) for one in found)
    return [Leftover(one, one.name, why) for one, why in left if why]


def why_left(one: DeploymentResponse, configuration: str, waves: Collection[str]) -> str:
    """Return why a deployment that was made for one wave is unwanted; "" if it is wanted, or none of ours.

    Args:
        one: the deployment, as Prefect has it.
        configuration: the name of the configuration that asks.
        waves: the waves of this configuration.
    """
    given = one.parameters.get("parameters", {})
    wave = str(given.get("wave", ""))
    if wave_tag(wave) not in one.tags or given.get("configuration") != configuration:
        return ""
    if wave not in waves:
        return "its wave is not there any more"
    names = {kind.name_of(wave) for kind in FOR_EACH_WAVE if kind.name in one.tags}
    return "it has another name now" if names and one.name not in names else ""
