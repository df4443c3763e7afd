"""Runs that died together with their worker, and that no automation noticed.

The automation that waits for heartbeats knows a run from the first one that it has read. A run that dies
before its first heartbeat is unknown to it, and so is one whose heartbeat came while the database or Redis
was away. Such a run would be `Running` for good, and its wave would wait as long. So every worker, and the
janitor, look for runs whose worker is gone and that have sent nothing for minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.filters import (
    EventFilter,
    EventNameFilter,
    EventOccurredFilter,
    EventResourceFilter,
)
from prefect.states import Crashed

from flows.deploy.taken_runs import PATIENCE, Newcomer, online, runs_since, settle, taker_is_gone

AT_WORK = (StateType.RUNNING, StateType.CANCELLING)
SILENT = "its worker has died, and it tells nothing"
CLOCKS = timedelta(days=1)
"""By how much the clock of the machine that tells may be ahead."""


async def crash_silent(
    client: PrefectClient, pool: str, patience: timedelta = PATIENCE, newcomer: Newcomer | None = None
) -> int:
    """Mark runs as crashed that have sent nothing for so long, and whose worker is gone.

    Returns:
        How many runs it were.
    """
    since = datetime.now(UTC) - patience
    begun = await runs_since(client, pool, AT_WORK, since)
    silent = await _silent(client, begun, since) if begun else []
    if not silent:
        return 0
    alive = await online(client, pool)
    crashed = 0
    for run in silent:
        states = sorted(await client.read_flow_run_states(run.id), key=lambda one: one.timestamp)
        taken = next((one for one in reversed(states) if one.is_pending()), None)
        if taken is not None and taker_is_gone(taken, alive, newcomer):
            crashed += await settle(client, run, Crashed(message=SILENT))
    return crashed


async def _silent(client: PrefectClient, runs: Sequence[FlowRun], since: datetime) -> list[FlowRun]:
    """Return the runs of which no event is known since then; it asks one question for all."""
    called = {f"prefect.flow-run.{run.id}": run for run in runs}
    wanted = EventFilter(
        occurred=EventOccurredFilter(since=since, until=datetime.now(UTC) + CLOCKS),
        event=EventNameFilter(prefix=["prefect.flow-run."]),
        resource=EventResourceFilter(id=list(called)),
    )
    counted = await client.request(
        "POST",
        "/events/count-by/{countable}",
        path_params={"countable": "resource"},
        json={"filter": wanted.model_dump(mode="json")},
    )
    told = {one["value"] for one in counted.json()}
    return [run for name, run in called.items() if name not in told]
