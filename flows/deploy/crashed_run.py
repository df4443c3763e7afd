"""Say of a run that crashed what happened to its process, and what a person has to do.

Prefect's own words speak of memory limits and job templates, and of nothing that an operator could do.
"""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun

from flows.deploy.deployments import BATCH, CUTOVER, DELTA, VERIFY, WAVE, wave_tag
from flows.deploy.unbegun_waves import TIMES_MOST, times_of
from reports.progress import slug

EXIT = re.compile(r"status code:? (-?\d+)")
SAFE = "Nothing is lost, and nothing is written twice: what was under way is settled first"
BEGUN_AGAIN = "Nothing to do: a worker begins it again within minutes"
GOING_ON = {
    BATCH.name: "Nothing to do: its wave sends what it left into a new batch",
    WAVE.name: BEGUN_AGAIN,
    DELTA.name: BEGUN_AGAIN,
    VERIFY.name: BEGUN_AGAIN,
    CUTOVER.name: "People may be locked out: start the cutover again, it goes on where it stopped;"
    " its page says who",
}
"""By kind of a deployment."""
OTHERWISE = "Start it again: it goes on where it stopped"
GIVEN_UP = (
    f"It has crashed {TIMES_MOST + 1} times in a row, so no worker begins it again: look in the logs of its"
    " workers for the cause, then start it again; it goes on where it stopped"
)
CAUSES = {
    signal.SIGKILL: "its process was killed (SIGKILL): the machine is out of memory or stops,"
    " or a person did it",
    signal.SIGTERM: "its process was ended from outside (SIGTERM): its machine or its worker stops,"
    " or a person did it",
}
NOT_STARTED = "Flow run could not start: "


def cause(message: str) -> str:
    """Return what happened, in our words; what Prefect does not say of a process stays as it is."""
    if message.startswith(NOT_STARTED):
        return "its process could not be started; the log of its worker says why"
    found = EXIT.search(message)
    if found is None:
        return message
    code = int(found[1])
    if code >= 0:
        return f"its process ended by an error (exit code {code}); the log of its worker says which"
    try:
        name = signal.Signals(-code)
    except ValueError:
        return f"its process was ended by signal {-code}"
    return CAUSES.get(name, f"its process was ended by {name.name}")


def going_on(run: FlowRun) -> str:
    """Return what a person has to do about a crashed run."""
    found = next((advice for kind, advice in GOING_ON.items() if kind in run.tags), OTHERWISE)
    if found != BEGUN_AGAIN:
        return found
    if run.deployment_id is None:
        return OTHERWISE  # a command began it: see unbegun_waves
    return found if times_of(run) < TIMES_MOST else GIVEN_UP


def crash_message(message: str, run: FlowRun) -> str:
    """Return the message of the state of a crashed run.

    Args:
        message: why it crashed, in Prefect's words or ours.
        run: the run.
    """
    end = f"{SAFE}. {going_on(run)}"
    return message if message.endswith(end) else f"{cause(message).rstrip('.')}. {end}"


def crashed_text(run: FlowRun) -> str:
    """Return the artifact of a crashed run."""
    message = run.state.message if run.state is not None else None
    text = crash_message(message or "", run)
    return f"## {run.name} crashed\n\n{text[:1].upper()}{text[1:]}.\n"


async def show_crashed(client: PrefectClient, number: UUID) -> None:
    """Make an artifact of a run that crashed, on its page and among those of its wave."""
    run = await client.read_flow_run(number)
    if run.state is None or not run.state.is_crashed():
        return
    waves = [tag.removeprefix(wave_tag("")) for tag in run.tags if tag.startswith(wave_tag(""))]
    page = ArtifactCreate(
        key=slug("crashed", *(waves or [run.name])),
        type="markdown",
        description=f"{run.name} crashed ({datetime.now(UTC):%H:%M} UTC)",
        data=crashed_text(run),
        flow_run_id=number,
    )
    await client.create_artifact(page)
