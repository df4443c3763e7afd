"""The stack of docker-compose.yml, as processes: a small wave as a deployment, while a worker and an API
server are killed."""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
from proving import Place, asked, until
from rehearsal.crew import below
from services import need_postgres, needed
from stack import Stack, running

from practice.exchange.server import ExchangeServer
from practice.world.world import World

pytestmark = [pytest.mark.dovecot, pytest.mark.postgres, pytest.mark.prefect, pytest.mark.timeout(600)]
AUTH = ("operator", "a-password-of-the-api")
END = 200.0
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeServer]:
    with ExchangeServer(World(seed=43, people=4, items=50)) as served:
        yield served


@pytest.fixture(scope="module")
def place(make_place: Callable[[ExchangeServer], Place], exchange: ExchangeServer) -> Place:
    return make_place(exchange)


@pytest.fixture(scope="module")
def stack(place: Place) -> Iterator[Stack]:
    need_postgres()
    for program in ("redis-server", "nginx", "curl", "setpriv"):
        needed(shutil.which(program) is not None, f"{program} is not installed")
    secrets = {
        "db-admin-password": "of the database's administrator",
        "db-password": "a-password/of:the@data base",
        "prefect-db-password": "another/of:Prefect's own@data base",
        "redis-password": "Of-Redis-1",
        "prefect-login": ":".join(AUTH),
        "prefect-key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    values = {
        "KOGGE_DIRECTORY": str(place.directory),
        "KOGGE_WEBHOOK_URL": "http://127.0.0.1:9/of-the-organisation",
    }

    def configure(made: Stack) -> None:
        port = made.ports["postgres:5432"]
        place.tables |= {
            "ledger": {
                "url": f'"postgresql+psycopg://kogge@127.0.0.1:{port}/kogge"',
                "password": f'{{ file = "{made.directory}/secrets/db-password" }}',
            },
            "prefect": {
                "api_url": f'"{made.api}"',
                "dispatch": '"deployment"',
                "webhook": '{ env = "KOGGE_WEBHOOK_URL" }',
            },
            "run": {
                "batch": "1",
                "mailboxes_at_once": "1",
                "lease_seconds": "10",
                "write_grace_seconds": "1",
            },
        }
        place.configure()

    with running(place.directory, values, secrets, configure) as up:
        yield up


def ask(stack: Stack, method: str, path: str, body: object = None) -> Any:
    """Prefect's API, through the proxy."""
    answer = httpx.request(method, f"{stack.api}{path}", json=body, auth=AUTH, timeout=30)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def start(stack: Stack, deployment: str, parameters: dict[str, object]) -> str:
    """A run as somebody starts it in the UI: what they do not fill in, the deployment says."""
    found = ask(stack, "GET", f"/deployments/name/{deployment}")
    given = {"parameters": found["parameters"]["parameters"] | parameters}
    run = ask(stack, "POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": given})
    return str(run["id"])


def ended(stack: Stack, run: str) -> str:
    """The name of its last state."""
    deadline = time.monotonic() + END
    while True:
        found = ask(stack, "GET", f"/flow_runs/{run}")
        if found["state_type"] in ENDED:
            return str(found["state_name"])
        assert time.monotonic() < deadline, (found["state"], logs(stack))
        time.sleep(0.5)


def logs(stack: Stack) -> dict[str, str]:
    return {key: child.log.read_text()[-1500:] for key, child in stack.running.items()}


def states(stack: Stack) -> list[tuple[str, str | None]]:
    with psycopg.connect(stack.database("kogge")) as connection:
        return [(row[0], row[1]) for row in connection.execute("SELECT state, code FROM leg")]


def test_every_service_is_healthy_by_its_own_check(stack: Stack) -> None:
    services = stack.text["services"]
    checked = [key for key in stack.running if "healthcheck" in services[key.partition("-")[0]]]
    assert {"postgres", "redis", "api1", "api2", "services", "proxy", "watch", "worker"} <= set(checked)
    for key in checked:
        stack.await_healthy(key)


def test_each_database_has_a_role_that_may_use_it_alone(stack: Stack) -> None:
    roles = (("kogge", "db-password", "prefect"), ("prefect", "prefect-db-password", "kogge"))
    for role, secret, others in roles:
        with psycopg.connect(stack.database(role, role, secret)) as connection:
            rights = (
                "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
            )
            assert connection.execute(rights).fetchone() == (False,)
        for name in (others, "postgres"):
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(stack.database(name, role, secret))


def test_redis_asks_for_its_password(stack: Stack) -> None:
    client = redis.Redis(port=stack.ports["redis:6379"])
    with pytest.raises(redis.AuthenticationError):
        client.xadd("prefect-server:stream", {"a": "b"})
    command = stack.running["redis"].process
    assert command is not None
    words = Path(f"/proc/{command.pid}/cmdline").read_bytes()
    assert stack.secrets["redis-password"].encode() not in words


def test_a_stranger_is_refused(stack: Stack) -> None:
    assert httpx.post(f"{stack.api}/flow_runs/filter", json={}).status_code == 401


def test_a_worker_and_an_api_server_die(stack: Stack, place: Place) -> None:
    """The first run need not complete; the next one does, and everything has arrived."""
    before = asked(place.exchange)
    first = start(stack, "wave/wave", {"wave": "pilot"})
    until(lambda: asked(place.exchange) > before + 20, seconds=END)
    busy = next(
        child for key, child in stack.running.items() if key.startswith("worker") and below(child.pid)
    )
    assert busy.process is not None
    busy.process.kill()
    busy.process.wait()
    stack.running["api1"].kill()
    assert ended(stack, first) in ("Completed", "Incomplete")
    stack.start(busy.name)
    stack.start("api1")
    second = start(stack, "wave/delta", {"wave": "pilot"})
    assert ended(stack, second) == "Completed", logs(stack)
    assert states(stack) == [("verified", None)] * 4


def test_batches_waited_in_the_queue_of_their_wave(stack: Stack) -> None:
    runs = ask(stack, "POST", "/flow_runs/filter", {"flows": {"name": {"any_": ["batch"]}}})
    assert {run["work_queue_name"] for run in runs} <= {"normal", "nightly"}
    assert len(runs) >= 4


def test_nothing_of_a_person_and_no_secret_is_in_prefect(stack: Stack, place: Place) -> None:
    redis = [path.read_bytes() for path in (stack.directory / "redis" / "data").rglob("*") if path.is_file()]
    text = "\n".join(stack.rows("prefect")).lower() + b"".join(redis).decode("latin-1").lower()
    text += "".join(child.log.read_text() for child in stack.running.values()).lower()
    assert "m-" in text
    people = [*place.pairs, *place.pairs.values()]
    secrets = [*stack.secrets.values(), AUTH[1], "of-the-organisation"]
    found = [word for word in (*people, *secrets) if word.lower() in text]
    assert found == []
