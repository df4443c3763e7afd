"""`kogge server environment`: the variables of a Prefect server on PostgreSQL and Redis, without Docker."""

from __future__ import annotations

import os
import re
import socketserver
import stat
import struct
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import yaml
from commands import run

from flows.deploy.stack_environment import FIXED, ServerSettings, as_environment_file, server_environment
from model.errors import Misconfigured

ROOT = Path(__file__).parents[2]
DATABASE, REDIS = "postgresql://prefect@db.example:5433/prefect", "rediss://cache.example:6379"
TLS = "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS"
SECRET = "it's 100 % a p@ss/word"


def test_it_has_what_the_containers_have() -> None:
    told = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-server"]
    part = "PREFECT_SERVER_DATABASE_(DRIVER|HOST|PORT|USER|NAME|PASSWORD)"
    parts = {name for name in told if re.match(part, name)}
    compose = {name.removesuffix("_FROM_FILE"): value for name, value in told.items() if name not in parts}
    around = {name: compose.pop(name) for name in list(compose) if name.endswith("_AROUND")}
    compose["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = "of the parts"
    del compose["PREFECT_UI_STATIC_DIRECTORY"]  # the image is read-only
    settings = ServerSettings(
        DATABASE, "redis://cache:6379", login="ada:secret", redis_password="secret", plain=True
    )
    found = server_environment(settings)
    assert set(found) == set(compose)
    assert FIXED.items() <= compose.items()
    assert {
        name: value.replace("{}", "secret").replace("redis:6379", "cache:6379")
        for name, value in around.items()
    } == {
        f"{name}_AROUND": found[name] for name in ("PREFECT_REDIS_MESSAGING_URL", "PREFECT_SERVER_DOCKET_URL")
    }


def test_a_database_elsewhere_proves_who_it_is(tmp_path: Path) -> None:
    """asyncpg sends the password as text to whoever asks for it so."""
    elsewhere = ServerSettings(DATABASE, REDIS, redis_password="secret", ca_file="/etc/authority.pem")
    found = server_environment(elsewhere)
    tls = {name: value for name, value in found.items() if name.startswith(TLS)}
    assert tls == {
        f"{TLS}_ENABLED": "true",
        f"{TLS}_CHECK_HOSTNAME": "true",
        f"{TLS}_CA_FILE": "/etc/authority.pem",
    }
    here = ServerSettings("postgresql://prefect@127.0.0.1/prefect", REDIS, redis_password="secret")
    assert not [name for name in server_environment(here) if name.startswith(TLS)]


class Impostor(socketserver.StreamRequestHandler):
    """A PostgreSQL server that speaks no TLS and asks for the password as text."""

    heard: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        length, code = struct.unpack("!II", self.rfile.read(8))
        if code == 80877103:  # SSLRequest
            self.wfile.write(b"N")
            if len(head := self.rfile.read(4)) < 4:
                return
            (length,) = struct.unpack("!I", head)
            self.rfile.read(length - 4)
        else:
            self.rfile.read(length - 8)
        self.wfile.write(b"R" + struct.pack("!II", 8, 3))  # AuthenticationCleartextPassword
        self.heard.append(self.rfile.read(5 + len(SECRET) + 1))


@pytest.mark.parametrize("plain", [True, False])
def test_an_impostor_gets_no_password_from_prefect(plain: bool, tmp_path: Path) -> None:
    """As `prefect server database upgrade` connects, with the variables that were written."""
    Impostor.heard.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Impostor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"postgresql://prefect@host.example:{server.server_address[1]}/prefect"
        settings = ServerSettings(
            url, REDIS, SECRET, redis_password="secret", plain=plain, home=str(tmp_path)
        )
        if plain:  # the loopback address is the other machine, here
            settings = replace(settings, redis="redis://cache:6379")
        variables = {
            name: value.replace("host.example", "127.0.0.1")
            for name, value in server_environment(settings).items()
        }
        done = subprocess.run(
            [sys.executable, "-c", CONNECT],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        server.shutdown()
    assert done.returncode != 0
    assert bool([one for one in Impostor.heard if SECRET.encode() in one]) is plain, done.stderr[-2000:]


CONNECT = """
import asyncio
from prefect.server.database import provide_database_interface

async def main():
    engine = await provide_database_interface().engine()
    async with engine.connect():
        pass

asyncio.run(main())
"""


def test_a_shell_reads_back_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB", SECRET)
    monkeypatch.setenv("LOGIN", "ada:a b$c")
    monkeypatch.setenv("CACHE", "of-redis")
    file = tmp_path / "server.env"
    words = ("server", "environment", "--database", DATABASE, "--redis", REDIS, "--out", str(file))
    words += ("--redis-password-env", "CACHE")
    assert run(*words, "--password-env", "DB", "--login-env", "LOGIN", "--host", "0.0.0.0") == 0
    told = capsys.readouterr()
    assert "p@ss" not in told.out + told.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    names = (
        "$PREFECT_SERVER_DATABASE_CONNECTION_URL|$PREFECT_SERVER_API_AUTH_STRING|$PREFECT_SERVER_UI_API_URL"
    )
    shell = ["sh", "-c", f'set -a; . "{file}"; printf "%s" "{names}"']
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == (
        "postgresql+asyncpg://prefect:it%27s%20100%20%25%20a%20p%40ss%2Fword@db.example:5433/prefect"
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
        (DATABASE, "redis://cache.example", None, "--redis: give rediss://"),
        (DATABASE, REDIS, "ada", "--login-env: the variable holds no USER:PASSWORD"),
    ],
)
def test_what_is_wrong_is_named(database: str, redis: str, login: str | None, told: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        server_environment(ServerSettings(database, redis, login=login, redis_password="secret"))
    assert caught.value.advice.startswith(told)


def test_redis_has_a_password_everywhere() -> None:
    with pytest.raises(Misconfigured, match="runs commands in Prefect's server"):
        server_environment(ServerSettings(DATABASE, "redis://127.0.0.1:6379"))


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
    monkeypatch.setenv("CACHE", "of-redis")
    words += ("--redis-password-env", "CACHE")
    assert run(*words, "--out", str(tmp_path / "x")) == 2
    assert "--password-env: the environment variable DB is not set" in capsys.readouterr().err
