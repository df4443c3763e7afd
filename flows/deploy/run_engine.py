"""The process of a run that a worker has taken: `python -m flows.deploy.run_engine ENTRYPOINT`.

It does what Prefect's own engine does, but for what that trusts Prefect's API with: it loads no flow but one
of ours, never asks for the run's result, and loads nothing that the API names. The id of the run stands in
PREFECT__FLOW_RUN_ID, where Prefect's worker puts it.
"""

from __future__ import annotations

import os
import sys
from uuid import UUID

from flows.process.prefect_insides import run_as_process
from flows.process.refused_loads import refuse_loads, refuse_unpickling


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
    from flows.deploy.own_flows import flow_of

    run_as_process(flow_of(entrypoint), number)


if __name__ == "__main__":
    main(sys.argv[1], UUID(os.environ["PREFECT__FLOW_RUN_ID"]))
