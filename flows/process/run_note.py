"""Notes of the runs of Prefect that commands work on: who has a process of which run.

A run that a worker started is watched by the worker, and by all other workers. A run of
`kogge migrate` or `kogge verify` is not watched: killed with SIGKILL, it would be shown as running for
good. So the command keeps a note in the state directory for as long as it works on its run. Whoever comes
next on this machine finds the note of a process that is proven to be dead: see flows.deploy.killed_runs.

Nothing of Prefect is loaded here: commands that only look ask for such notes, too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from engine.control import lease
from model.private_files import make_directory, open_private, using_state

FOLDER = "runs"
MACHINE_ID = Path("/etc/machine-id")
KEPT_SECONDS = 30 * 86_400.0
"""How long a note is kept whose process cannot be proven dead, such as another machine's."""


class RunNote:
    """Write the note of one command. Not thread-safe.

    Args:
        state_directory: where it lies.
        api: the address of the Prefect API that has the run; "" for the local server, which may get another
            port and still has its runs.
    """

    def __init__(self, state_directory: Path, api: str) -> None:
        self._folder = state_directory / FOLDER
        self._api = api
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
        """End the note; unless Prefect knows the run's end (`ended`), whoever comes next settles the run."""
        lease.retire(self._owner)
        if ended and self._path is not None:
            self._path.unlink(missing_ok=True)


def notes_of_the_dead(state_directory: Path, api: str) -> list[Path]:
    """Return the notes of runs at this API whose processes are proven to be dead; remove old notes.

    Args:
        state_directory: where they lie.
        api: as RunNote has it.

    Returns:
        Their paths; the name of each is the id of its run.
    """
    return list(_of_the_dead(state_directory / FOLDER, api))


def machine() -> str:
    """Return the id of this installation, which stays when the machine is started again (machine-id(5)).

    It is "" if there is none, as in many containers.
    """
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _of_the_dead(folder: Path, api: str) -> Iterator[Path]:
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
