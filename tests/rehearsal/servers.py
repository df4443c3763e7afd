"""The servers and workers of a rehearsal: started as the handbook says, killed, and started again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from servers.dovecot import Dovecot
from servers.postgres import Postgres, serve

from flows.deploy import prefect_server
from flows.deploy.server_login import CLIENT_AUTH_STRING, HOST, login
from rehearsal.crew import MARK, Child, below, kill_all
from rehearsal.place import LEDGER, PREFECT, Place
from rehearsal.size import world_of
from rehearsal.waves import KOGGE

ROOT = Path(__file__).parents[2]
BUFFERS_MB = 128
WORKERS = 2
START_SECONDS = 120.0
POLL_SECONDS = 5
"""How often a worker asks for work, as in our stacks; Prefect's 15 would be idle time between two batches."""


@dataclass(slots=True)
class Servers:
    """All that runs beside the waves. paused: name -> when what was killed comes back."""

    place: Place
    postgres: Postgres
    environment: Mapping[str, str]
    dovecot: Dovecot
    prefect: Child
    exchange: Child
    workers: list[Child]
    paused: dict[str, float] = field(default_factory=dict)

    @property
    def ledger_url(self) -> str:
        return self.postgres.url(LEDGER)

    @property
    def prefect_url(self) -> str:
        return self.postgres.url(PREFECT)

    def turn(self) -> None:
        """Starts again what has died, after its pause. Raises RuntimeError for what ends all the time."""
        now = time.monotonic()
        for child in (self.prefect, self.exchange, *self.workers):
            if not child.alive() and self.paused.get(child.name, 0.0) <= now:
                child.start_again(killed=self.paused.pop(child.name, None) is not None)
                if child is self.prefect:
                    self.await_prefect()
        if not self.dovecot.pid and self.paused.get("dovecot", 0.0) <= now:
            self.dovecot.start()

    def await_prefect(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not prefect_server.answers(self.place.api, seconds=2.0):
            if not self.prefect.alive() or time.monotonic() > deadline:
                raise RuntimeError(f"Prefect's server does not start; see {self.prefect.log}")
            time.sleep(0.2)

    def roots(self) -> dict[str, list[int]]:
        """By role, for the meter."""
        postmaster = (self.place.postgres / "data" / "postmaster.pid").read_text().split()
        return {
            "prefect": [self.prefect.pid],
            "exchange": [self.exchange.pid],
            "worker": [one.pid for one in self.workers],
            "dovecot": [self.dovecot.pid],
            "postgres": [int(postmaster[0])],
        }

    def popen(self) -> list[subprocess.Popen[bytes] | None]:
        """What is waited for here."""
        return [one.process for one in (self.prefect, self.exchange, *self.workers)]

    # Killing

    def kill_worker(self, dice: random.Random) -> bool:
        """One that runs a batch: with its batch, or the batch alone."""
        busy = [one for one in self.workers if one.alive() and below(one.pid)]
        if not busy:
            return False
        one = dice.choice(busy)
        if dice.random() < 0.5:
            self._pause(one.name)
            one.kill()
        else:
            kill_all(below(one.pid))
        return True

    def kill_prefect(self, _: random.Random) -> bool:
        self._pause(self.prefect.name)
        self.prefect.kill()
        return True

    def kill_dovecot(self, _: random.Random) -> bool:
        self._pause("dovecot")
        self.dovecot.kill()
        return True

    def _pause(self, name: str) -> None:
        self.paused[name] = time.monotonic() + self.place.size.pause

    def stop(self) -> None:
        for child in (*self.workers, self.exchange, self.prefect):
            child.stop()


@contextmanager
def running(place: Place, tell: Callable[[str], None]) -> Iterator[Servers]:
    """Everything, up and ready; stopped at the end, all data kept."""
    with ExitStack() as stack:
        postgres = stack.enter_context(serve(place.postgres, BUFFERS_MB))
        fresh = not place.prepared
        for database in (LEDGER, PREFECT):
            if database not in databases(postgres):
                postgres.create(database)
        servers = _made(place, postgres)
        stack.callback(servers.stop)
        world = world_of(place.size, place.seed)
        place.write(world, servers.ledger_url)
        servers.dovecot.add_users(world.addresses())
        servers.dovecot.start()
        stack.callback(servers.dovecot.stop)
        servers.exchange.start()
        servers.prefect.start()
        tell("the servers are starting" if fresh else "the servers are starting again")
        servers.await_prefect()
        if fresh:
            _prepare(servers)
            place.prepared = True
            place.keep()
        for worker in servers.workers:
            worker.start()
        yield servers


def databases(postgres: Postgres) -> set[str]:
    with psycopg.connect(host=str(postgres.folder), user="kogge", dbname="postgres") as connection:
        return {str(name) for (name,) in connection.execute("SELECT datname FROM pg_database")}


def _made(place: Place, postgres: Postgres) -> Servers:
    client = _client(place)
    python = sys.executable

    port = str(place.ports["prefect"])
    prefect = [python, "-m", "prefect", "server", "start", "--host", HOST, "--port", port]
    worker = [KOGGE, "worker", "--config", str(place.config), "--limit", "1"]
    home = prefect_server.home(place.directory)
    home.mkdir(parents=True, exist_ok=True)
    return Servers(
        place,
        postgres,
        client,
        Dovecot(place.dovecot, keep=True, port=place.ports["dovecot"]),
        _child(place, "prefect", prefect, _server(place, postgres), home),
        exchange_of(place),
        [
            _child(place, f"worker-{n}", [*worker, "--name", f"worker-{n}"], client)
            for n in range(1, WORKERS + 1)
        ],
    )


def exchange_of(place: Place) -> Child:
    """The practice Exchange, not started yet."""
    size = ["--size", place.name, "--seed", str(place.seed), "--port", str(place.ports["exchange"])]
    return _child(place, "exchange", [sys.executable, "-m", "rehearsal.exchange", *size], _client(place))


def _child(
    place: Place, name: str, command: list[str], environment: Mapping[str, str], directory: Path = ROOT
) -> Child:
    logs = place.directory / "logs"
    logs.mkdir(exist_ok=True)
    return Child(name, command, environment, directory, logs / f"{name}.log")


def _server(place: Place, postgres: Postgres) -> dict[str, str]:
    url = f"postgresql+asyncpg://kogge@/{PREFECT}?host={postgres.folder}"
    own = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url, MARK: str(place.directory)}
    return {**prefect_server.environment(place.directory, place.ports["prefect"]), **own}


def _client(place: Place) -> dict[str, str]:
    """Of every command and worker: this Prefect, and nothing of the machine's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "support"))),
        "PREFECT_API_URL": place.api,
        CLIENT_AUTH_STRING: login(prefect_server.home(place.directory)),
        "PREFECT_HOME": str(place.directory / "client"),
        "PREFECT_WORKER_QUERY_SECONDS": str(POLL_SECONDS),
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
        MARK: str(place.directory),
    }


def _prepare(servers: Servers) -> None:
    """The pool, the queues and the deployments, as the handbook says."""
    directory, environment = servers.place.directory, dict(servers.environment)
    done = subprocess.run([KOGGE, "setup"], cwd=directory, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"kogge setup: {done.stderr.decode(errors='replace')[-500:]}")
