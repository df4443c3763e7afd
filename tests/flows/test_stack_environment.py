"""`kogge server environment`: the variables of a Prefect server on PostgreSQL and Redis, without Docker."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from commands import run

from flows.deploy.stack_environment import FIXED, ServerSettings, as_environment_file, server_environment
from model.errors import Misconfigured

ROOT = Path(__file__).parents[2]
DATABASE, REDIS = "postgresql://kogge@db.example:5433/prefect", "redis://cache.example:6379"
SECRET = "it's 100 % a p@ss/word"


def test_it_has_what_the_containers_have() -> None:
    told = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-server"]
    part = "PREFECT_SERVER_DATABASE_(DRIVER|HOST|PORT|USER|NAME|PASSWORD)"
    parts = {name for name in told if re.match(part, name)}
    compose = {name.removesuffix("_FROM_FILE"): value for name, value in told.items() if name not in parts}
    compose["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = "of the parts"
    del compose["PREFECT_UI_STATIC_DIRECTORY"]  # the image is read-only
    found = server_environment(ServerSettings(DATABASE, REDIS, login="ada:secret"))
    assert set(found) == set(compose)
    assert FIXED.items() <= compose.items()
    assert (
        compose["PREFECT_REDIS_MESSAGING_URL"].replace("redis:6379", "cache.example:6379")
        == (found["PREFECT_REDIS_MESSAGING_URL"])
    )
    assert found["PREFECT_SERVER_DOCKET_URL"] == "redis://cache.example:6379/1"


def test_a_shell_reads_back_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB", SECRET)
    monkeypatch.setenv("LOGIN", "ada:a b$c")
    file = tmp_path / "server.env"
    words = ("server", "environment", "--database", DATABASE, "--redis", REDIS, "--out", str(file))
    assert run(*words, "--password-env", "DB", "--login-env", "LOGIN", "--host", "0.0.0.0") == 0
    told = capsys.readouterr()
    assert "p@ss" not in told.out + told.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    names = (
        "$PREFECT_SERVER_DATABASE_CONNECTION_URL|$PREFECT_SERVER_API_AUTH_STRING|$PREFECT_SERVER_UI_API_URL"
    )
    shell = ["sh", "-c", f'set -a; . "{file}"; printf "%s" "{names}"']
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == (
        "postgresql+asyncpg://kogge:it%27s%20100%20%25%20a%20p%40ss%2Fword@db.example:5433/prefect"
        "|ada:a b$c|http://127.0.0.1:4200/api"
    )
    key = file.read_text().partition("PREFECT_SERVER_ENCRYPTION_KEY=")[2].splitlines()[0]
    assert run(*words, "--password-env", "DB") == 0
    assert f"PREFECT_SERVER_ENCRYPTION_KEY={key}\n" in file.read_text(), "what blocks keep stays readable"


@pytest.mark.parametrize(
    ("database", "redis", "login", "told"),
    [
        ("mysql://a@b/c", REDIS, None, "--database: give postgresql://"),
        ("postgresql://db.example/prefect", REDIS, None, "--database: give postgresql://"),
        ("postgresql://a:b@db.example/prefect", REDIS, None, "--database: holds a password"),
        ("postgresql://a@db.example:x/prefect", REDIS, None, "--database: is no URL"),
        (DATABASE, "cache.example:6379", None, "--redis: give redis://"),
        (DATABASE, "redis://:secret@cache.example", None, "--redis: holds a password"),
        (DATABASE, "redis://cache.example/3", None, "--redis: give redis://"),
        (DATABASE, REDIS, "ada", "--login-env: the variable holds no USER:PASSWORD"),
    ],
)
def test_what_is_wrong_is_named(database: str, redis: str, login: str | None, told: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        server_environment(ServerSettings(database, redis, login=login))
    assert caught.value.advice.startswith(told)


def test_the_password_of_redis_comes_from_a_variable() -> None:
    found = server_environment(ServerSettings(DATABASE, "rediss://kogge@[::1]:6380", redis_password="a/b"))
    assert found["PREFECT_SERVER_DOCKET_URL"] == "rediss://kogge:a%2Fb@[::1]:6380/1"


def test_what_a_file_cannot_hold_is_refused() -> None:
    with pytest.raises(Misconfigured, match="holds a quote"):
        as_environment_file({"PREFECT_SERVER_API_AUTH_STRING": "ada:it's"})


def test_a_variable_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DB", raising=False)
    words = ("server", "environment", "--database", DATABASE, "--redis", REDIS, "--password-env", "DB")
    assert run(*words, "--out", str(tmp_path / "x")) == 2
    assert "--password-env: the environment variable DB is not set" in capsys.readouterr().err
