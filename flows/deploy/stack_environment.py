"""The environment of a Prefect server on PostgreSQL and Redis, as docker-compose.yml has it, without Docker.

One server or several, each with the same environment: with the memory of one process in place of Redis,
several servers lose events, their order and slots.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from connectors.endpoints import is_loopback
from flows.deploy.prefect_server import TUNING
from model.errors import Misconfigured

FIXED: Mapping[str, str] = {
    # Two servers that migrate at once get in each other's way: `prefect server database upgrade` does it.
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
    # A service that gives up on the database as it starts is gone for good; 5 and 10 are the defaults.
    "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
    "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
    "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
    **TUNING,
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events",
}
"""What is the same everywhere; a test compares it with docker-compose.yml."""
SCHEMES = ("postgresql", "postgresql+asyncpg")
KEY = "PREFECT_SERVER_ENCRYPTION_KEY"
TLS = "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_TLS"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Hold what the operator says of the server.

    Attributes:
        database: postgresql://USER@HOST:PORT/DATABASE, of Prefect alone.
        redis: redis://HOST:PORT or rediss://…, without the number of a database.
        password: of the database's user; None for none.
        login: USER:PASSWORD that the API asks for; None for an API that is open to all who reach it.
        host: where it listens.
        port: where it listens.
        public: the address at which browsers reach its API; None for the one at which it listens.
        home: Prefect's directory.
        key: that of an earlier environment; None for a new one.
        redis_password: None for none.
        ca_file: the authority of the database's certificate; None for those that the system trusts.
        plain: no TLS to other machines.
    """

    database: str
    redis: str
    password: str | None = None
    login: str | None = None
    host: str = "127.0.0.1"
    port: int = 4200
    public: str | None = None
    home: str = "/var/lib/prefect"
    key: str | None = None
    redis_password: str | None = None
    ca_file: str | None = None
    plain: bool = False


def server_environment(settings: ServerSettings) -> dict[str, str]:
    """Return the variables by name.

    Raises:
        Misconfigured: an option is wrong, and is named.
    """
    login = settings.login
    if login is not None and not all(login.partition(":")):
        raise Misconfigured("--login-env", "the variable holds no USER:PASSWORD")
    redis = _redis(settings)
    listens = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 (compared)
    return {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": _database(settings.database, settings.password),
        **_database_tls(settings),
        "PREFECT_REDIS_MESSAGING_URL": f"{redis}/0",
        "PREFECT_SERVER_DOCKET_URL": f"{redis}/1",
        "PREFECT_SERVER_API_HOST": settings.host,
        "PREFECT_SERVER_API_PORT": str(settings.port),
        **({} if login is None else {"PREFECT_SERVER_API_AUTH_STRING": login}),
        "PREFECT_SERVER_UI_API_URL": settings.public or f"http://{listens}:{settings.port}/api",
        # Without it, the key of what blocks hold lies next to them in the database.
        KEY: settings.key or base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "PREFECT_HOME": settings.home,
        **FIXED,
    }


def as_environment_file(environment: Mapping[str, str]) -> str:
    """Return the text of a file for `EnvironmentFile=` of systemd.

    A shell reads it, too (`set -a; . FILE`).

    Raises:
        Misconfigured: such a file cannot hold a value.
    """
    for name, value in environment.items():
        if not value.isprintable() or "'" in value:
            raise Misconfigured(name, "holds a quote or a sign that no file of variables can hold")
    return "".join(f"{name}='{value}'\n" for name, value in environment.items())


def key_of(text: str) -> str | None:
    """Return the encryption key of an earlier file; what blocks hold can be read with no other."""
    found = re.search(rf"^{KEY}='?([A-Za-z0-9_=-]+)'?$", text, re.MULTILINE)
    return None if found is None else found.group(1)


def _database(url: str, password: str | None) -> str:
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        raise Misconfigured("--database", "is no URL") from None
    if parts.scheme not in SCHEMES or not parts.hostname or len(parts.path) < 2 or not parts.username:
        raise Misconfigured("--database", "give postgresql://USER@HOST:PORT/DATABASE")
    if parts.password is not None:
        raise Misconfigured(
            "--database", "holds a password, which others may see; name a variable that has it"
        )
    secret = "" if password is None else f":{quote(password, safe='')}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = f"{parts.username}{secret}@{host}{port}"
    return urlunsplit(("postgresql+asyncpg", place, parts.path, parts.query, ""))


def _database_tls(settings: ServerSettings) -> dict[str, str]:
    """Return the variables for TLS to the database; none if it is on this machine.

    Prefect's driver sends the password as text to a server that asks for it so. A server on another machine
    has to prove first who it is.
    """
    host = urlsplit(settings.database).hostname or ""
    if settings.plain or is_loopback(host):
        return {}
    found = {f"{TLS}_ENABLED": "true", f"{TLS}_CHECK_HOSTNAME": "true"}
    return found if settings.ca_file is None else {**found, f"{TLS}_CA_FILE": settings.ca_file}


def _redis(settings: ServerSettings) -> str:
    """Return the address of Redis with its password.

    The password is needed everywhere, because who may write to this Redis runs commands in Prefect's server.
    """
    url, password = settings.redis, settings.redis_password
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Misconfigured("--redis", "is no URL") from None
    if parts.scheme not in ("redis", "rediss") or not parts.hostname or parts.path.strip("/"):
        raise Misconfigured("--redis", "give redis://HOST:PORT, without the number of a database")
    if parts.password is not None:
        raise Misconfigured(
            "--redis",
            "holds a password, which others may see; name a variable that has it by --redis-password-env",
        )
    if password is None:
        raise Misconfigured(
            "--redis-password-env",
            "name the variable with Redis's password (requirepass in redis.conf): whoever may write to this"
            " Redis runs commands in Prefect's server",
        )
    if parts.scheme == "redis" and not settings.plain and not is_loopback(parts.hostname):
        raise Misconfigured("--redis", "give rediss://, or --plain in a network that nobody else can reach")
    place = parts.netloc.rpartition("@")[2]
    login = f"{parts.username or ''}:{quote(password, safe='')}"
    return urlunsplit((parts.scheme, f"{login}@{place}", "", parts.query, ""))
