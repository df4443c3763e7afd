"""Measures what Prefect costs for each leg: a batch whose legs do nothing, a Prefect server on PostgreSQL.

    python bench_prefect.py [LEGS] [BATCHES]

prints a line of JSON for each batch: CPU milliseconds a leg of the process that runs it, of Prefect's server
and of its PostgreSQL, without what these two use while nothing happens; what they use then, in milliseconds a
second; and rows and transactions a leg. The first batch warms up.

PYTHONPATH names the tree that is measured, and its tests/support and tests/support/wave.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from servers.postgres import Postgres, serve

from flows.deploy import prefect_server
from flows.deploy.server_login import AUTH_STRING

QUIET_SECONDS = 8.0
TICKS = os.sysconf("SC_CLK_TCK")
BLOCKED_SHARE = 50
"""One mailbox in so many is blocked."""
COUNTED = {
    "events": "SELECT count(*) FROM events",
    "resources": "SELECT count(*) FROM event_resources",
    "states": "SELECT count(*) FROM task_run_state",
    "logs": "SELECT count(*) FROM log",
    "commits": "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
}
TOML = """
[run]
mailboxes_at_once = 4
batch = {legs}
canary = false
"""


def run_batch(legs: int, api: str) -> float:
    """Runs a batch of so many legs in this process, as a worker does; CPU seconds of the flow."""
    from prefect import flow_engine
    from prefect.settings import PREFECT_API_URL, temporary_settings
    from scripted import SIDES, add, opened

    from flows.display.prefect_events import farewell
    from flows.migrate import batch_flow
    from flows.process import leg_runner
    from flows.process.parameters import BatchParameters
    from ledger.db.rows import LegState

    async def nothing(_runner: object, row: Any, *_: object) -> tuple[LegState, str | None]:
        await asyncio.sleep(0)
        blocked = row.id % BLOCKED_SHARE == 0
        return (LegState.BLOCKED, "auth-refused") if blocked else (LegState.VERIFIED, None)

    leg_runner.LegRunner.run_leg = nothing  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as place, opened(Path(place), SIDES + TOML.format(legs=legs)) as kept:
        config, ledger = kept
        boxes = add(ledger, "bench", [(f"p{n}@old.example", f"p{n}@new.example") for n in range(legs)])
        asked = BatchParameters(wave="bench", mailboxes=boxes)

        async def run() -> float:
            with leg_runner.opened(config) as runner:
                batch = batch_flow(runner)
                number = await _scheduled(asked)
                began = _own_seconds()
                await flow_engine.run_flow_async(batch, number, {"parameters": asked}, return_type="state")
                return began

        with temporary_settings({PREFECT_API_URL: api}):
            began = asyncio.run(run())
            farewell()
        return _own_seconds() - began


async def _scheduled(asked: Any) -> Any:
    """A run of a deployment, with a queue and a pool, that a worker has taken."""
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.states import Pending

    from flows.deploy.deployments import TAG, wave_tag

    async with get_client() as client:
        with suppress(ObjectAlreadyExists):
            await client.create_work_pool(WorkPoolCreate(name="bench", type="process"))
        flow = await client.create_flow_from_name("batch")
        own = await client.create_deployment(flow, "bench", work_pool_name="bench", work_queue_name="normal")
        return await client.create_flow_run_from_deployment(
            own,
            parameters={"parameters": asked.model_dump()},
            tags=[TAG, wave_tag("bench")],
            state=Pending(),
            work_queue_name="normal",
        )


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def prefect_on(postgres: Postgres, home: Path) -> Iterator[tuple[int, str]]:
    """A server as Kogge starts one, but on PostgreSQL: its process and its API."""
    port = prefect_server._free_port(0)
    prefect_server.home(home).mkdir(parents=True)
    url = postgres.create("prefect").replace("psycopg", "asyncpg")
    own = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url, "PYTHONPATH": ""}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    api = f"http://127.0.0.1:{port}/api"
    given = prefect_server.environment(home, port)
    del given[AUTH_STRING]  # the measured clients have no login
    with subprocess.Popen(
        command,
        env=given | own,
        cwd=prefect_server.home(home),
        stdout=subprocess.DEVNULL,
        stderr=(home / "server.log").open("w"),
    ) as process:
        try:
            while not prefect_server.answers(api):
                if process.poll() is not None:
                    raise RuntimeError((home / "server.log").read_text()[-1000:])
                time.sleep(0.5)
            yield process.pid, api
        finally:
            process.terminate()


class Used:
    """CPU seconds and rows of the servers so far."""

    def __init__(self, server: int, postgres: Postgres) -> None:
        root = int((postgres.folder / "data" / "postmaster.pid").read_text().split()[0])
        sessions = Path(f"/proc/{root}/task/{root}/children").read_text().split()
        self.at = time.monotonic()
        self.server = _ticks(server, slice(11, 15)) / TICKS
        self.database = (
            _ticks(root, slice(11, 15)) + sum(_ticks(one, slice(11, 13)) for one in sessions)
        ) / TICKS
        url = postgres.url("prefect").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            self.rows = {name: _one(connection, text) for name, text in COUNTED.items()}


def _ticks(process: int | str, which: slice) -> int:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    return sum(map(int, text.rpartition(")")[2].split()[which]))


def _one(connection: psycopg.Connection[Any], text: str) -> int:
    row = connection.execute(text).fetchone()  # type: ignore[call-overload]
    return int(row[0])


def measured(legs: int, server: int, api: str, postgres: Postgres) -> dict[str, float]:
    """One batch: what it cost, a leg."""
    idle = Used(server, postgres)
    time.sleep(QUIET_SECONDS)
    before = Used(server, postgres)
    quiet = before.at - idle.at
    command = [sys.executable, __file__, "--batch", str(legs), api]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(
        command,
        env={**environment, "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "WARNING", "DO_NOT_TRACK": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    time.sleep(QUIET_SECONDS)  # what was told is recorded
    after = Used(server, postgres)
    passed = after.at - before.at
    server_idle, database_idle = (
        (before.server - idle.server) / quiet,
        (before.database - idle.database) / quiet,
    )
    each = {
        "own_ms": float(done.stdout),
        "server_ms": after.server - before.server - server_idle * passed,
        "database_ms": after.database - before.database - database_idle * passed,
    }
    found = {name: round(seconds * 1000 / legs, 2) for name, seconds in each.items()}
    found |= {"idle_ms_s": round(1000 * (server_idle + database_idle), 1), "seconds": round(passed, 1)}
    return found | {name: round((after.rows[name] - before.rows[name]) / legs, 2) for name in COUNTED}


def main(legs: int, batches: int) -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        serve() as postgres,
        prefect_on(postgres, Path(home)) as (pid, api),
    ):
        sys.stderr.write(f"server {pid}\n")
        for _ in range(batches):
            sys.stdout.write(json.dumps(measured(legs, pid, api, postgres)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--batch"]:
        sys.stdout.write(f"{run_batch(int(sys.argv[2]), sys.argv[3])}\n")
    else:
        given = [int(one) for one in sys.argv[1:]]
        main(*(given + [250, 3][len(given) :]))
