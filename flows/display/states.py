"""How runs in Prefect end that may not begin now, or not go on, and what a state says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from prefect import get_client, runtime
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Failed

from flows.process.background_task import draw
from model.errors import MigrationError, Transient
from reports.progress import LATER


def refused(error: MigrationError) -> State[Any]:
    """Return the end of a run that may not begin."""
    if error.code in LATER:
        return Cancelled(name=LATER[error.code], message=str(error))
    return Failed(message=str(error))


def put_off(refusal: Transient, message: str) -> State[Any]:
    """Return the end of a run that goes on another time; `message` says how far it came."""
    return Cancelled(name=LATER[refusal.code], message=f"{refusal}; {message}")


async def explained(state: State[Any] | None, message: str) -> State[Any] | None:
    """Let the state in which this run was suspended say why, as Prefect shows it. What cannot be said is not.

    Args:
        state: the state; None if Prefect has none.
        message: why, and what to do.

    Returns:
        The state with the message.
    """
    if state is None:
        return None
    said = {"id": uuid4(), "timestamp": datetime.now(UTC), "message": message}
    told: State[Any] = state.model_copy(update=said)

    async def say() -> None:
        async with get_client() as client:
            await client.set_flow_run_state(UUID(runtime.flow_run.get_id()), told, force=True)

    await draw("the state of a run that waits", say)
    return told
