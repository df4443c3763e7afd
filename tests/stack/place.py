"""A directory with a stack, made and used as the guide says, by an account that is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from containers import PATIENCE, SOCKET, docker, remove_project, run

ACCOUNT = 10_777
ROOT = Path(__file__).parents[2]
SHELL = "set -eu\n"


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str


@dataclass
class Place:
    """directory: with .env. project: of Compose. environment: what the images are called."""

    directory: Path
    project: str
    environment: dict[str, str]
    number: int = field(default=ACCOUNT)

    def __post_init__(self) -> None:
        self.directory.mkdir(mode=0o755, exist_ok=True)
        os.chown(self.directory, self.number, self.number)

    def follow(self, block: str) -> None:
        """A block of the guide, in this directory."""
        done = self._run(["sh", "-c", SHELL + block])
        assert done.code == 0, f"{block}\n{done.out[-2000:]}\n{done.err[-4000:]}\n{self.logs()}"

    def compose(self, *words: str, given: bytes | None = None) -> str:
        done = self._run(["docker", "compose", *words], given)
        assert done.code == 0, f"{words}: {done.out[-2000:]}\n{done.err[-4000:]}\n{self.logs()}"
        return done.out.strip()

    def kogge(self, *words: str) -> Done:
        """A command of Kogge, in a container of its own."""
        return self._run(["docker", "compose", "run", "--rm", "-T", "kogge", *words])

    def migrate(self) -> Done:
        return self.kogge("migrate", "--wave", "pilot", "--json")

    @contextmanager
    def migrating(self, within: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """The same, beside what happens meanwhile; within a service's container, by its version."""
        where = ["exec", "-T", within, "/with-secrets", "kogge"] if within else ["run", "--rm", "-T", "kogge"]
        words = ["docker", "compose", *where, "migrate", "--wave", "pilot", "--json"]
        silent = subprocess.DEVNULL
        process = subprocess.Popen(
            self._as_account(words), env=self._env(), cwd=self.directory, stdout=silent, stderr=silent
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()

    def start(self) -> None:
        """The wave as a person starts it in Prefect: a run of its deployment, which is left alone."""
        words = ["exec", "-T", "watch", "/with-secrets", "prefect", "deployment", "run", "wave/start pilot"]
        self.compose(*words)

    def waves(self) -> list[str]:
        """The states of the wave's runs in Prefect, the oldest first."""
        runs = "flow_run r JOIN flow f ON f.id = r.flow_id WHERE f.name = 'wave' ORDER BY r.created"
        return [name for (name,) in self.query(f"SELECT coalesce(r.state_name, '') FROM {runs}", "prefect")]

    def write(self, name: str, text: str) -> None:
        """A private file of the account."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, self.number, self.number)

    def containers(self, service: str) -> list[str]:
        """The running ones."""
        label = f"label=com.docker.compose.project={self.project}"
        one = f"label=com.docker.compose.service={service}"
        off = "label=com.docker.compose.oneoff=False"
        return docker("ps", "-q", "--filter", label, "--filter", one, "--filter", off).split()

    def kill(self, service: str, *, gently: bool = False) -> list[str]:
        """Ends them: of workers the busiest one. They stay away until revive().

        Args:
            service: of Compose.
            gently: SIGTERM first, as where a node is drained; else SIGKILL.
        """
        gone = [self.busiest()[0]] if service == "worker" else self.containers(service)
        docker("stop" if gently else "kill", *gone)
        return gone

    def revive(self, gone: list[str]) -> None:
        """Starts what was killed, and waits until it is healthy."""
        docker("start", *gone)
        until(lambda: set(map(_health, gone)) == {"healthy"}, PATIENCE, "what died is healthy again")

    def query(self, statement: str, database: str = "kogge") -> list[list[str]]:
        """What the ledger says, or Prefect's database."""
        words = ["psql", "-U", "postgres", "-d", database, "-AtF|", "-c", statement]
        out = self.compose("exec", "-T", "postgres", *words)
        return [line.split("|") for line in out.splitlines()]

    def number_of(self, rows: str, database: str = "kogge") -> int:
        """How many there are; rows: what follows FROM."""
        return int(self.query(f"SELECT count(*) FROM {rows}", database)[0][0])

    def states(self) -> list[str]:
        return [row[0] for row in self.query("SELECT state FROM leg")]

    def owners(self) -> set[str]:
        """Who holds workloads."""
        return {row[0] for row in self.query("SELECT owner FROM leg WHERE owner IS NOT NULL")}

    def busiest(self) -> tuple[str, set[str]]:
        """The worker's container that holds most, and what of owners() is in it."""
        owners, held = self.owners(), {}
        for one in self.containers("worker"):
            space = docker("exec", one, "stat", "-L", "-c", "%i", "/proc/self/ns/pid")
            held[one] = {owner for owner in owners if owner.partition("/")[0].endswith(f".{space}")}
        return max(held.items(), key=lambda found: len(found[1]))

    def revision(self) -> str:
        """Of the ledger's schema."""
        return self.query("SELECT version_num FROM alembic_version")[0][0]

    def items(self) -> int:
        """How many items are verified."""
        return self.number_of("item WHERE state = 5")

    def logs(self) -> str:
        return self._run(["docker", "compose", "logs", "--no-color", "--tail", "15"]).out[-6000:]

    def down(self) -> None:
        """Removes all of it, however far it came."""
        remove_project(self.project)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, words: list[str], given: bytes | None = None) -> Done:
        done = subprocess.run(
            self._as_account(words),
            input=given or b"",
            env=self._env(),
            cwd=self.directory,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _as_account(self, words: list[str]) -> list[str]:
        if os.geteuid():
            return words
        group = f"--groups={SOCKET.stat().st_gid}"
        who = [f"--reuid={self.number}", f"--regid={self.number}", group]
        return ["setpriv", *who, "--", *words]

    def _env(self) -> dict[str, str]:
        """Nothing of this session's own, but where programs are."""
        home = self.directory / ".home"
        if not home.exists():
            home.mkdir()
            os.chown(home, self.number, self.number)
        return {"PATH": os.environ["PATH"], "HOME": str(home), "KOGGE_BY": "an operator"} | self.environment


def _health(container: str) -> str:
    return docker("inspect", "-f", "{{.State.Health.Status}}", container)


def source(folder: Path) -> Path:
    """What a checkout in /opt/kogge has of the image and the stack."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    names = [line[1:] for line in lines if line.startswith("!")]
    for name in (*names, "Dockerfile", ".dockerignore", "docker-compose.yml", "deploy", "tests/stack/images"):
        given, made = ROOT / name, folder / name
        made.parent.mkdir(parents=True, exist_ok=True)
        if given.is_dir():
            shutil.copytree(given, made, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(given, made)
    run(["chmod", "-R", "a+rX", folder])
    return folder


def until(condition: object, seconds: float, what: str) -> None:
    """Waits until it holds."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come to pass: {what}"
        time.sleep(1)
