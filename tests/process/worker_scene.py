"""A real worker and a real Prefect server, for those who write to its API."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect_api import PrefectApi
from proving import KOGGE
from ready_prefect import LOGIN
from rehearsal.crew import Child

from flows.deploy import prefect_server
from flows.deploy.server_login import CLIENT_AUTH_STRING

PATIENCE = 150.0
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
SIDES = '[source]\nkind = "imap"\nhost = "h"\nusername = "x"\npassword = { env = "X" }\n'
TOML = (
    f'{SIDES}{SIDES.replace("source", "target.mail")}[approval]\nrequired = 0\n[logging]\nformat = "json"\n'
)


@dataclass
class Scene(PrefectApi):
    """A worker that offers two configurations, and where a stranger would leave a mark."""

    directory: Path
    environment: dict[str, str]
    worker: Child

    @property
    def mark(self) -> Path:
        return self.directory / "somebody-was-here"

    def ended(self, run: str) -> tuple[str, str]:
        """Name and message of its last state."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.ask("GET", f"/flow_runs/{run}"))["state_type"] not in ENDED:
            assert time.monotonic() < deadline, (found["state"], self.worker.log.read_text()[-2000:])
            time.sleep(0.3)
        return str(found["state_name"]), str(found["state"]["message"])

    def kogge(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        done = subprocess.run(
            [KOGGE, *arguments],
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout


@contextmanager
def working(
    state: Path, directory: Path, limit: int = 2, environment: Mapping[str, str] | None = None
) -> Iterator[Scene]:
    """A server in this state directory, and a worker in the other one that takes so many runs at once.
    environment: of the worker, beside the usual one."""
    api = prefect_server.up(state, port=0).api
    for name in ("kogge", "cloud", "elsewhere"):
        (directory / f"{name}.toml").write_text(TOML)
    own = {
        "PREFECT_API_URL": api,
        CLIENT_AUTH_STRING: LOGIN,
        "PREFECT_HOME": str(state / "client"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "KOGGE_"))
    }
    given = inherited | own | {"COLUMNS": "200"} | dict(environment or {})
    command = [KOGGE, "worker", "-c", "kogge.toml", "-c", "cloud.toml", "--limit", str(limit)]
    worker = Child("worker", command, given, directory, directory / "worker.log")
    made = Scene(api, directory, given, worker)
    try:
        assert made.kogge("setup")[0] == 0
        worker.start()
        yield made
    finally:
        worker.kill()
        prefect_server.down(state)
