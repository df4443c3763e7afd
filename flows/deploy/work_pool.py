"""The work pool that workers take runs from, as `kogge setup` makes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool
from prefect.exceptions import ObjectNotFound

from flows.deploy.deployments import ENVIRONMENT
from flows.deploy.setup import MISSING, Inspection
from model.errors import Misconfigured

PROCESS = "process"
FIXED = ("command", "env", "working_dir")
"""What a run, or a deployment, must not say."""


def template() -> dict[str, Any]:
    """Return what a run is given.

    A run or a deployment can choose nothing in it; Prefect refuses one that tries.
    """
    return {
        "job_configuration": {
            "command": None,
            "env": dict(ENVIRONMENT),
            "labels": {},
            "name": None,
            "stream_output": True,
            "working_dir": None,
        },
        "variables": {"type": "object", "properties": {}, "additionalProperties": False},
    }


@dataclass(frozen=True, slots=True)
class Pool:
    """Describe a process pool.

    One of another type (Docker, Kubernetes) has its own template, but runs must not be able to choose what
    FIXED names.
    """

    name: str
    kind: str = "work pool"

    async def look(self, client: PrefectClient) -> Inspection:
        """Compare the pool in Prefect with what is wanted."""
        found = await self._read(client)
        return MISSING if found is None else Inspection.at(self.differences(found))

    def differences(self, found: WorkPool) -> list[str]:
        """Return what is not as it is wanted, in words."""
        if found.type == PROCESS:
            return [] if found.base_job_template == template() else ["base job template"]
        told = found.base_job_template.get("job_configuration", {})
        return [f"a run may choose its {name}" for name in FIXED if "{{" in str(told.get(name, ""))]

    async def put(self, client: PrefectClient) -> None:
        """Create or update the pool.

        Raises:
            Misconfigured: a pool of another type lets a run choose what it must not.
        """
        found = await self._read(client)
        if found is None:
            await client.create_work_pool(
                WorkPoolCreate(name=self.name, type=PROCESS, base_job_template=template())
            )
            return
        if found.type != PROCESS:
            what = ", ".join(self.differences(found))
            raise Misconfigured("prefect.work_pool", f"{what}; take that out of its base job template")
        await client.update_work_pool(self.name, WorkPoolUpdate(base_job_template=template()))

    async def _read(self, client: PrefectClient) -> WorkPool | None:
        try:
            return await client.read_work_pool(self.name)
        except ObjectNotFound:
            return None
