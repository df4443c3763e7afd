"""docker-compose.yml without Docker: its commands with its environment as processes of this machine, on
private ports, in the order and with the health checks that it says. Images, users, mounts and limits are
Docker's."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg.conninfo import make_conninfo
from rehearsal.crew import Child
from servers.postgres import find_programs

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^{}]*))?\}")
"""The innermost first: one may stand in the default of another."""
PORTS = ("postgres:5432", "redis:6379", "api1:4200", "api2:4200", "proxy:8080")
PATIENCE = 150.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """As Compose does: ${NAME}, ${NAME:-default}, ${NAME:?message}, and $$ for $."""

    def replace(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if values.get(name):
            return values[name]
        assert kind != "?", f"{name} is not set: {rest}"
        return rest or ""

    while (done := VARIABLE.sub(replace, text)) != text:
        text = done
    return text.replace("$$", "$")


@dataclass
class Stack:
    """values: what .env would hold. secrets: the files of that directory. kogge: the directory with
    kogge.toml."""

    directory: Path
    kogge: Path
    values: Mapping[str, str]
    secrets: Mapping[str, str]
    running: dict[str, Child] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=lambda: {one: free_port() for one in PORTS})
    text: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.text = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        (self.directory / "secrets").mkdir()
        for name, value in self.secrets.items():
            (self.directory / "secrets" / name).write_text(value + "\n")

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports['proxy:8080']}/api"

    def names(self) -> list[str]:
        """The services that come up without a profile, each after those it depends on."""
        ordered: list[str] = []

        def visit(name: str) -> None:
            for other in self.text["services"][name].get("depends_on", {}):
                visit(other)
            if name not in ordered:
                ordered.append(name)

        for name, service in self.text["services"].items():
            if "profiles" not in service:
                visit(name)
        return ordered

    def up(self) -> None:
        """All of them, as `docker compose up --wait` would."""
        for name in self.names():
            for number in range(self._of(name).get("deploy", {}).get("replicas", 1)):
                child = self.start(f"{name}-{number}" if number else name)
                if name == "postgres":
                    self.create_databases()
            if "service_completed_successfully" in self._awaited(name):
                assert child.process is not None
                assert child.process.wait(PATIENCE) == 0, child.log.read_text()[-3000:]
            elif "service_healthy" in self._awaited(name):
                self.await_healthy(name)

    def _awaited(self, name: str) -> set[str]:
        """What others wait for."""
        services = self.text["services"].values()
        return {one["depends_on"][name]["condition"] for one in services if name in one.get("depends_on", {})}

    def start(self, key: str) -> Child:
        """Once more, too: as after its death."""
        if key not in self.running:
            self.running[key] = self._made(key)
        self.running[key].start()
        return self.running[key]

    def await_healthy(self, key: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.healthy(key):
            child = self.running[key]
            assert child.alive(), child.log.read_text()[-3000:]
            assert time.monotonic() < deadline, child.log.read_text()[-3000:]
            time.sleep(0.3)

    def healthy(self, key: str) -> bool:
        """By the service's own health check."""
        kind, *test = self._of(key)["healthcheck"]["test"]
        if key == "redis":
            test = [word.replace("redis-cli", f"redis-cli -p {self.ports['redis:6379']}") for word in test]
        command = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
        local = [self._local(word, key) for word in command]
        if command[0] == "/with-secrets":
            local = [
                str(ROOT / "deploy" / "with-secrets"),
                sys.executable,
                str(ROOT / "deploy" / "check-services"),
            ]
        done = subprocess.run(local, env=self.environment(key), capture_output=True, check=False)
        return done.returncode == 0

    def stop(self) -> None:
        for key in reversed(self.running):
            self.running[key].kill()

    # One service

    def environment(self, key: str) -> dict[str, str]:
        """Of Compose's own, with this machine's hosts and ports in place of Docker's; beside it only where
        programs are."""
        home = self._home(key)
        programs = [str(Path(sys.executable).parent), str(find_programs() or ""), os.environ["PATH"]]
        told = {name: self._local(value, key) for name, value in self._given(key).items()}
        local = {
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
            "PREFECT_SERVER_DATABASE_PORT": str(self.ports["postgres:5432"]),
            "PREFECT_SERVER_API_PORT": str(self.ports.get(f"{key}:4200", 0)),
            "PREFECT_WORKER_WEBSERVER_PORT": str(self._worker_port(key)),
        }
        own = {"PATH": ":".join(programs), "HOME": str(home), "TMPDIR": str(home)}
        if key == "postgres":
            own |= {"PGHOST": "127.0.0.1", "PGPORT": str(self.ports["postgres:5432"])}
        return own | told | {name: value for name, value in local.items() if name in told}

    def _made(self, key: str) -> Child:
        home, service = self._home(key), self._of(key)
        home.mkdir()
        command = [self._local(str(word), key) for word in service["command"]]
        for one in service.get("configs", []):
            if isinstance(one, str):
                command[:0] = [str(ROOT / self.text["configs"][one]["file"])] * (one != "check-services")
                continue
            content = (ROOT / self.text["configs"][one["source"]]["file"]).read_text()
            (home / Path(one["target"]).name).write_text(self._local(self._upstream(content), key))
        if key == "postgres":
            command = self._postgres(command[1:])  # the secrets are for the databases, see create_databases
        if key == "redis":
            (home / "data").mkdir()
            _give(home / "data", pwd.getpwnam("redis"))
            command += ["--bind", "127.0.0.1"]
        return Child(key, command, self.environment(key), home, self.directory / f"{key}.log")

    def _upstream(self, text: str) -> str:
        """Names nginx the API servers, where Docker's name server would."""
        ports = [self.ports["api1:4200"], self.ports["api2:4200"]]
        servers = " ".join(f"server 127.0.0.1:{port};" for port in ports)
        text = text.replace("$servers api:4200;", "$servers api_servers;")
        return text.replace("  server {", f"  upstream api_servers {{ {servers} }}\n  server {{", 1)

    def _postgres(self, command: Sequence[str]) -> list[str]:
        """As the image does: a cluster whose superuser has a password, made once."""
        account, data = pwd.getpwnam("postgres"), self._home("postgres") / "data"
        who = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        given = {name: self._local(value, "postgres") for name, value in self._given("postgres").items()}
        data.mkdir()
        secret = data.parent / "password"
        secret.write_text(Path(given["POSTGRES_PASSWORD_FROM_FILE"]).read_text())
        for path in (data.parent, data, secret):
            _give(path, account)
        programs = find_programs()
        assert programs is not None
        superuser = ["-U", given["POSTGRES_USER"], "--pwfile", secret, "-A", "scram-sha-256", "--no-sync"]
        _run([*who, programs / "initdb", "-D", data, *superuser])
        port = str(self.ports["postgres:5432"])
        own = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        options = [word for name, value in own.items() for word in ("-c", f"{name}={value}")]
        return [*who, str(programs / command[0]), *command[1:], "-D", str(data), *options]

    def create_databases(self) -> None:
        """What the mounted script says."""
        script = self._home("postgres") / "databases.sql"
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.database("postgres", "postgres", "db-admin-password")).close()
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.running["postgres"].log.read_text()
                time.sleep(0.1)
        environment = self.environment("postgres") | {"PGPASSWORD": self.secrets["db-admin-password"]}
        words = [str(ROOT / "deploy" / "with-secrets"), "psql", "-q", "-U", "postgres", "-d", "postgres"]
        _run([*words, "-v", "ON_ERROR_STOP=1", "-f", script], environment)

    def rows(self, database: str) -> Iterator[str]:
        """Every row of every table, as text."""
        with psycopg.connect(self.database(database, "postgres", "db-admin-password")) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in tables.fetchall():
                for row in connection.execute(f'SELECT t::text FROM "{table}" t'.encode()):
                    yield str(row[0])

    def database(self, name: str, role: str = "kogge", secret: str = "db-password") -> str:
        port, password = self.ports["postgres:5432"], self.secrets[secret]
        return make_conninfo(host="127.0.0.1", port=port, user=role, password=password, dbname=name)

    def _given(self, name: str) -> dict[str, str]:
        return {key: str(value) for key, value in self._of(name).get("environment", {}).items()}

    def _local(self, text: str, key: str) -> str:
        """A word of the file, as this machine has it."""
        here = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        here |= {
            "127.0.0.1:4200": f"127.0.0.1:{self.ports.get(f'{key}:4200', 4200)}",
            "127.0.0.1:8080": f"127.0.0.1:{self.ports['proxy:8080']}",
            "listen 8080": f"listen 127.0.0.1:{self.ports['proxy:8080']}",
            "127.0.0.1:8090": f"127.0.0.1:{self._worker_port(key)}",
            "/run/secrets/": f"{self.directory}/secrets/",
            "/etc/kogge/": f"{self._home(key)}/",
            "/kogge/": f"{self.kogge}/",
            "/data": f"{self._home(key)}/data",
            "/tmp/": f"{self._home(key)}/",
        }
        if key == "redis":
            here["6379"] = str(self.ports["redis:6379"])
        found = re.compile("|".join(map(re.escape, sorted(here, key=len, reverse=True))))
        return found.sub(lambda match: here[match[0]], interpolated(text, self.values))

    def _of(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.text["services"][key.partition("-")[0]]
        return found

    def _home(self, key: str) -> Path:
        return self.directory / key

    def _worker_port(self, key: str) -> int:
        return self.ports.setdefault(f"{key}:8090", free_port())


def _give(path: Path, account: pwd.struct_passwd) -> None:
    os.chown(path, account.pw_uid, account.pw_gid)


def _run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, capture_output=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr.decode()


@contextmanager
def running(
    kogge: Path, values: Mapping[str, str], secrets: Mapping[str, str], configure: Callable[[Stack], None]
) -> Iterator[Stack]:
    """The stack, in a directory that its database's account may enter, gone at the end. configure writes
    kogge.toml once the ports are known."""
    directory = Path(tempfile.mkdtemp(prefix="kogge-stack-"))
    directory.chmod(0o711)
    stack = Stack(directory, kogge, values, secrets)
    configure(stack)
    try:
        stack.up()
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(directory, ignore_errors=True)
