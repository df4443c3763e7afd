"""The process of a run that a worker has taken: `python -m flows.deploy.run_engine ENTRYPOINT`.

It does what Prefect's own engine does, but for what that trusts Prefect's API with: it loads no flow but one
of ours, never asks for the run's result, and loads nothing that the API names. The id of the run stands in
PREFECT__FLOW_RUN_ID, where Prefect's worker puts it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows.process.refused_loads import refuse_loads, refuse_unpickling

if TYPE_CHECKING:
    from prefect.flows import Flow


def command(entrypoint: str) -> list[str]:
    """Return the command that runs one of our flows."""
    return [sys.executable, "-P", "-m", "flows.deploy.run_engine", entrypoint]


def main(entrypoint: str, number: UUID) -> None:
    """Run one of our flows as this run of Prefect. Ends the process as Prefect's own engine would.

    Raises:
        Misconfigured: the flow is none of ours.
    """
    refuse_loads()
    refuse_unpickling()
    from prefect._internal.control_listener import configure_from_env
    from prefect.engine import handle_engine_signals

    from flows.deploy.own_flows import flow_of

    configure_from_env()  # how the worker tells of a cancellation
    with handle_engine_signals(number):
        run(flow_of(entrypoint), number)


def run(flow: Flow[..., Any], number: UUID) -> None:
    """Run one of our flows as this run of Prefect, in this thread.

    Raises:
        Abort: Prefect does not let it begin, or go on.
        Pause: it was suspended.
    """
    from prefect.flow_engine import load_flow_run, run_flow
    from prefect.logging.loggers import flow_run_logger

    flow_run = load_flow_run(flow_run_id=number)
    begun = run_flow(
        flow,
        flow_run=flow_run,
        error_logger=flow_run_logger(flow_run=flow_run),  # type: ignore[arg-type]  # an adapter of it
        return_type="state",
    )
    asyncio.run(begun)  # type: ignore[arg-type]  # each of our flows is a coroutine


if __name__ == "__main__":
    main(sys.argv[1], UUID(os.environ["PREFECT__FLOW_RUN_ID"]))
