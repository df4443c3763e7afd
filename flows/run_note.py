"""Notes of the runs of Prefect that commands work on, and what becomes of a killed command's run.

A run that a worker started is watched by the worker, and by all other workers. A run of
`kogge migrate` or `kogge verify` is not watched: killed with SIGKILL, it would be shown as running for
good. So the command keeps a note in the state directory for as long as it works on its run. The next command
on this machine finds the note of a process that is proven to be dead, and settles the run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from prefect import get_client
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

from engine.control import lease
from flows.deploy.api import Api
from flows.deploy.dead_runs import PAGE, UNFINISHED, runs_within
from flows.deploy.deployments import TAG
from model.private_files import make_directory, open_private, using_state

FOLDER = "runs"
MACHINE_ID = Path("/etc/machine-id")
KEPT_SECONDS = 30 * 86_400.0
"""How long a note is kept whose process cannot be proven dead, such as another machine's."""
KILLED = "the command that ran it was killed; run it again, and it goes on"


class RunNote:
    """Write the note of one command. Not thread-safe."""

    def __init__(self, state_directory: Path, api: Api) -> None:
        self._folder = state_directory / FOLDER
        self._api = _name_of(api)
        self._owner = lease.new_owner()
        self._path: Path | None = None

    def take(self, run: UUID) -> None:
        """Write the note. Raise Blocked if the state directory cannot be used."""
        path = self._folder / str(run)
        with using_state():
            make_directory(self._folder)
            with open(path, "w", encoding="utf-8", opener=open_private) as file:
                note = {"owner": self._owner, "api": self._api, "machine": machine()}
                json.dump(note, file)
        self._path = path

    def drop(self, *, ended: bool) -> None:
        """End the note; unless Prefect knows the run's end (`ended`), the next command settles the run."""
        lease.retire(self._owner)
        if ended and self._path is not None:
            self._path.unlink(missing_ok=True)


async def settle_killed(state_directory: Path, api: Api) -> int:
    """Mark runs at this API as Crashed whose command was killed on this machine, with all that ran in them.

    A note is removed when its run is settled, so that the next command asks a failing API again.

    Returns:
        How many runs it were.
    """
    settled = 0
    for path in list(_of_the_dead(state_directory / FOLDER, _name_of(api))):
        async with get_client() as client:
            settled += await _crash(client, UUID(path.name))
        path.unlink(missing_ok=True)
    return settled


def machine() -> str:
    """Return the id of this installation, which stays when the machine is started again (machine-id(5)).

    It is "" if there is none, as in many containers.
    """
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _name_of(api: Api) -> str:
    """Return the name of an API: "" for a local server, which may get another port and still has its runs."""
    return "" if api.local else api.url


def _of_the_dead(folder: Path, api: str) -> Iterator[Path]:
    """Yield the notes of processes that are proven to be dead, and remove old notes."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if _is_of_the_dead(path, api):
            yield path
        elif _is_old(path):
            path.unlink(missing_ok=True)


def _is_of_the_dead(path: Path, api: str) -> bool:
    """Return True for the note of a dead process; False for what is no whole note."""
    try:
        UUID(path.name)
        note = json.loads(path.read_text(encoding="utf-8"))
        return bool(note["api"] == api and (lease.is_dead(note["owner"]) or _ran_before_a_restart(note)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _ran_before_a_restart(note: dict[str, str]) -> bool:
    """Return True if the note is this machine's, which was started again since: no process outlives that."""
    own = machine()
    return bool(own) and note.get("machine") == own and not lease.ran_here(note["owner"])


def _is_old(path: Path) -> bool:
    try:
        UUID(path.name)
        return time.time() - path.stat().st_mtime > KEPT_SECONDS
    except (OSError, ValueError):
        return False


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
