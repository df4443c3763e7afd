"""The page of a batch that an earlier run left says in the end what the wave says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact
from prefect.client.schemas.filters import ArtifactCollectionFilter
from prefect.settings import PREFECT_API_URL, temporary_settings
from scripted import serving

from flows.display.earlier_batches import end_earlier

KEYS = ("batch-wave-1-1", "batch-wave-1-2", "batch-wave-1-1-2", "wave-wave-1-progress")


@pytest.mark.prefect
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets of Prefect's clients
def test_only_pages_of_batches_that_this_run_has_not_are_renewed(
    prefect_state: Callable[[], Path],
) -> None:
    @flow(name="wave")
    async def look() -> dict[str | None, Any]:
        for key in KEYS:
            await acreate_progress_artifact(progress=99.0, key=key, description="as it was")
        await acreate_markdown_artifact("as it was", key="batch-wave-1-2-servers")
        assert await end_earlier("Wave 1", {1}, 100.0) == 1
        assert await end_earlier("Wave 1", {1}, 100.0) == 0, "it is as it should be"
        async with get_client() as client:
            found = await client.read_latest_artifacts(artifact_filter=ArtifactCollectionFilter())
        return {one.key: (one.data, one.description) for one in found}

    with serving(prefect_state()) as running, temporary_settings({PREFECT_API_URL: running.api}):
        pages = asyncio.run(look())
    others = {key: (99.0, "as it was") for key in KEYS if key != "batch-wave-1-2"}
    assert pages == others | {
        "batch-wave-1-2": (100.0, "wave Wave 1, batch 2 of an earlier run; the wave: 100 %"),
        "batch-wave-1-2-servers": ("as it was", None),
    }
