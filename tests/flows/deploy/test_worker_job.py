"""What a worker takes of a work pool, a deployment and a run of Prefect for the process of a run: nothing."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse

from flows.deploy.deployments import DEPLOYMENTS
from flows.deploy.worker import RunJob

SECRET = "only-the-worker-knows"
VARIABLE = "KOGGE_SOURCE_PASSWORD"
TEXTS = (f"{{{{ ${VARIABLE} }}}}", "{{ prefect.blocks.secret.x }}", "{{ prefect.variables.x }}")
FIELDS = ("command", "env", "labels", "name", "stream_output", "working_dir")


class Client:
    """Prefect's client, as far as a worker asks it for a run's job."""

    async def read_flow(self, _number: object) -> object:
        return SimpleNamespace(id=uuid4(), name="janitor", labels={})

    async def read_block_document_by_name(self, **_asked: str) -> object:
        raise AssertionError("a block is read for a template")

    async def read_variable_by_name(self, **_asked: str) -> object:
        raise AssertionError("a variable is read for a template")


def job(template: dict[str, Any], values: dict[str, Any] | None = None) -> RunJob:
    """Return the job of a run, as a worker has it made of a pool with this template."""
    pool = WorkPool.model_construct(
        id=uuid4(), name="kogge", base_job_template={"job_configuration": template, "variables": {}}
    )
    run = FlowRun(id=uuid4(), flow_id=uuid4(), name="any", job_variables=values)
    deployment = DeploymentResponse.model_construct(
        id=uuid4(), name="janitor", entrypoint=DEPLOYMENTS[0].entrypoint, job_variables=values
    )
    resolved = RunJob.resolve_for_flow_run(
        run,
        client=Client(),
        work_pool=pool,
        worker_name="w",
        deployment=deployment,  # type: ignore[arg-type]
    )
    return asyncio.run(resolved)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("text", TEXTS)
def test_no_template_reads_what_the_worker_knows(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value of a wrong type would stand in the state of the run."""
    monkeypatch.setenv(VARIABLE, SECRET)
    for value in (text, {"A": text}):
        found = job({name: value}, {name: value})
        assert SECRET not in repr(found.model_dump(exclude={"env"}))
        assert (found.labels.get("A"), found.name, found.working_dir) == (None, "any", None)
        assert "flows.deploy.run_engine" in str(found.command)
        assert "A" not in found.env
