"""Artifacts of one run in Prefect, each made once and then kept current in place."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.artifacts import (
    acreate_link_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
)
from prefect.client.schemas.actions import ArtifactUpdate


class Published:
    """Hold the artifacts of this run; another run of the same wave makes newer versions of them."""

    def __init__(self) -> None:
        self._made: dict[str, UUID] = {}

    async def put(self, key: str, data: Any, told: str) -> UUID | None:
        """Make or renew an artifact. Return its id if it was made.

        Args:
            key: its key.
            data: a number from 0 to 100 (progress), Markdown, or rows of a table.
            told: the line that its card shows: the state in short, and when it was read.
        """
        if key in self._made:
            plain = data if isinstance(data, float | str) else json.dumps(data)
            async with get_client() as client:
                await client.update_artifact(self._made[key], ArtifactUpdate(data=plain, description=told))
            return None
        if isinstance(data, float):
            found = await acreate_progress_artifact(progress=data, key=key, description=told)
        elif isinstance(data, str):
            found = await acreate_markdown_artifact(data, key=key, description=told)
        else:
            found = await acreate_table_artifact(data, key=key, description=told)
        self._made[key] = found
        return found

    async def link(self, key: str, address: str, text: str, told: str) -> None:
        """Make an artifact that leads to an address."""
        await acreate_link_artifact(address, link_text=text, key=key, description=told)
