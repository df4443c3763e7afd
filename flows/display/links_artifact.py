"""The artifact `links-NAME`, which `kogge links` puts into a Prefect that runs already: counts alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flows.deploy.api import running_api

if TYPE_CHECKING:
    from engine.config.load import Config


def publish(config: Config, wave: str, ends: Mapping[str, int]) -> bool:
    """Show in Prefect where the links of a wave lead. What cannot be shown is not.

    Args:
        config: says which Prefect.
        wave: the wave.
        ends: counts by `moved`, or by the reason why a link leads nowhere.

    Returns:
        False if no Prefect runs, so that nothing is shown.

    Raises:
        Misconfigured: if Prefect's address may not be used.
    """
    api = running_api(config)
    if api is None:
        return False
    # Imported late: without a running Prefect the command need not load it.
    from prefect import get_client
    from prefect.client.schemas.actions import ArtifactCreate

    from flows.deploy.setup import talking_to
    from flows.display.problem_pages import links_text, links_told
    from flows.process.background_task import tried
    from reports.progress import slug

    now = datetime.now(UTC)
    made = ArtifactCreate(
        key=slug("links", wave),
        type="markdown",
        description=f"{links_told(ends)} ({now:%d %b %H:%M} UTC)",
        data=links_text(wave, ends, now),
    )

    async def put() -> None:
        async with get_client() as client:  # outside of a run, which alone may use prefect.artifacts
            await client.create_artifact(made)

    with talking_to(api, config):
        asyncio.run(tried("the links of a wave", put))
    return True
