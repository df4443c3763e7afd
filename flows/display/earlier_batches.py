"""Renew the pages of batches that an earlier run of a wave left: nobody else ends them."""

from __future__ import annotations

from collections.abc import Collection

from prefect import get_client
from prefect.artifacts import aupdate_progress_artifact
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey

from reports import progress


async def end_earlier(wave: str, numbers: Collection[int], share: float) -> int:
    """Give the pages of batches that this run has not the wave's share. Idempotent.

    A batch whose process died leaves its page at what it last said, and the next run of the wave may have
    fewer batches.

    Args:
        wave: its name.
        numbers: of the batches that this run has; their own runs keep their pages.
        share: per cent of the wave that are done.

    Returns:
        How many pages it were.
    """
    prefix = f"{progress.slug('batch', wave)}-"
    wanted = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(like_=f"{prefix}%"))
    renewed = 0
    async with get_client() as client:
        found = await client.read_latest_artifacts(artifact_filter=wanted)
    for one in found:
        number = (one.key or "").removeprefix(prefix)
        if not number.isdecimal() or int(number) in numbers or one.data == share:
            continue
        title = f"wave {wave}, batch {number} of an earlier run; the wave: {share:.0f} %"
        await aupdate_progress_artifact(one.latest_id, progress=share, description=title)
        renewed += 1
    return renewed
