"""Settle the runs of Prefect that commands worked on which were killed on this machine.

A process is proven to be dead here, so nothing has to be waited for. Whoever comes next settles its run: the
local Prefect server, which looks every few seconds, the next command that talks to Prefect, and
`kogge status`. Where nobody comes to this machine, a worker on another one goes by silence alone: see
flows.deploy.dead_runs.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from uuid import UUID

from prefect import get_client, settings
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.exceptions import ObjectNotFound
from prefect.states import Crashed

from engine.control.error_log import spare
from flows.deploy.api import Api
from flows.deploy.dead_runs import PAGE, UNFINISHED, runs_within
from flows.deploy.deployments import TAG
from flows.process.run_note import notes_of_the_dead

LOOK_SECONDS = 5.0
KILLED = "the command that ran it was killed; run it again, and it goes on"


def note_name(api: Api) -> str:
    """Return how notes name an API; see RunNote."""
    return "" if api.local else api.url


def keep_settling(state_directory: Path, url: str, login: str) -> threading.Thread:
    """Settle what commands leave that are killed on this machine, as long as this process lives.

    Args:
        state_directory: of the commands.
        url: of the local server's API.
        login: USER:PASSWORD of it.

    Returns:
        The thread that looks. It raises nothing, and ends with the process.
    """
    api = Api(url, local=True, login=login)
    thread = threading.Thread(target=_look, args=(state_directory, api), name="killed commands", daemon=True)
    thread.start()
    return thread


def _look(state_directory: Path, api: Api) -> None:
    """Settle what was dead at the last look, too: until then Prefect has not recorded the last events."""
    before, never = set[Path](), threading.Event()
    while not never.wait(LOOK_SECONDS):
        with spare("runs of killed commands"):
            found = {*notes_of_the_dead(state_directory, note_name(api))}
            if found and found <= before:
                settle_at(api, state_directory)
            before = found


def settle_at(api: Api, state_directory: Path) -> int:
    """Do the same as settle_killed, outside of an event loop."""
    updates = {settings.PREFECT_API_URL: api.url}
    if api.login:
        updates[settings.PREFECT_API_AUTH_STRING] = api.login
    with settings.temporary_settings(updates):
        return asyncio.run(settle_killed(state_directory, api))


async def settle_killed(state_directory: Path, api: Api) -> int:
    """Mark runs at this API as Crashed whose command was killed on this machine, with all that ran in them.

    A note is removed when its run is settled, so that the next command asks a failing API again.

    Returns:
        How many runs it were.
    """
    settled = 0
    for path in notes_of_the_dead(state_directory, note_name(api)):
        async with get_client() as client:
            settled += await _crash(client, UUID(path.name))
        path.unlink(missing_ok=True)
    return settled


async def _crash(client: PrefectClient, run: UUID) -> int:
    """Mark a run as crashed with all in it. Return 1, or 0 if it is not there, has ended, or waits."""
    try:
        own = await client.read_flow_run(run)
    except ObjectNotFound:
        return 0
    if TAG not in own.tags or own.state_type not in UNFINISHED:
        return 0
    runs = [*await runs_within(client, run), own]  # the run itself comes last: it tells that all is settled
    for each in runs:
        await _crash_tasks(client, each.id)
        if each.state_type in UNFINISHED:
            await client.set_flow_run_state(each.id, Crashed(message=KILLED), force=True)
    return 1


async def _crash_tasks(client: PrefectClient, run: UUID) -> None:
    known: set[UUID] = set()
    unfinished = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=UNFINISHED)))
    own = FlowRunFilter(id=FlowRunFilterId(any_=[run]))
    while True:
        page = await client.read_task_runs(flow_run_filter=own, task_run_filter=unfinished, limit=PAGE)
        left = [task for task in page if task.id not in known]
        if not left:
            return
        for task in left:
            known.add(task.id)
            await client.set_task_run_state(task.id, Crashed(message=KILLED), force=True)
