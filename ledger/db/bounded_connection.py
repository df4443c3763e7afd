"""Connect to PostgreSQL so that no statement waits for ever, and say why a server is not trusted."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import _WaitTimeout

from ledger.db.trust import UNVERIFIED, name_of
from model.errors import Misconfigured

T = TypeVar("T")
_SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
"""The message with which a client of PostgreSQL asks for TLS."""
_PROBE_SECONDS = 5.0
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Red Hat, SUSE and Alpine keep the authorities that the system trusts."""


class BoundedConnection(psycopg.Connection[Any]):
    """Be a connection that ends if an answer takes too long, even if the server or a proxy acknowledges.

    Attributes:
        limit: seconds that one way to the server and back may take; None means any.
    """

    limit: float | None = None

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait for an answer of the server.

        Raises:
            OperationalError: it did not come within the limit. The connection is closed then.
        """
        try:
            return super().wait(gen, interval, self.limit if timeout is None else timeout)
        except _WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise psycopg.OperationalError("no answer within the time limit") from None


def connect(parameters: dict[str, Any], limit: float) -> BoundedConnection:
    """Connect.

    Args:
        parameters: of psycopg.connect.
        limit: seconds that one way to the server and back may take.

    Raises:
        Misconfigured: the server's certificate is not trusted.
        psycopg.Error: any other reason.
    """
    if parameters.get("sslrootcert") == "system":
        parameters = {**parameters, "sslrootcert": _system_authorities()}
    try:
        connection = BoundedConnection.connect(**parameters)
    except psycopg.OperationalError as error:
        if UNVERIFIED not in str(error):
            raise
        raise Misconfigured("ledger", name_of(_verify_code(parameters))) from None
    connection.limit = limit
    return connection


def _system_authorities() -> str:
    """Return the file of the authorities that the system trusts; "system" if none is found.

    The OpenSSL in psycopg's own package looks for them where no system has them.
    """
    stated = ssl.get_default_verify_paths().cafile
    found = (path for path in (stated, *_BUNDLES) if path is not None and Path(path).is_file())
    return next(found, "system")


def _verify_code(parameters: dict[str, Any]) -> int:
    """Return OpenSSL's number for what is wrong with the server's certificate; 0 if it cannot be told.

    libpq only says that it is not trusted. No login is sent.
    """
    given = conninfo_to_dict(parameters.get("conninfo", ""), **_text(parameters))
    host = str(given.get("host") or "localhost").partition(",")[0]
    address = str(given.get("hostaddr") or host), int(str(given.get("port") or 5432).partition(",")[0])
    trusted = given.get("sslrootcert")
    try:
        context = ssl.create_default_context(cafile=None if trusted == "system" else str(trusted))
        with socket.create_connection(address, _PROBE_SECONDS) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) == b"S":
                context.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    except (OSError, ValueError):
        return 0
    return 0


def _text(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: parameters[name] for name in ("host", "hostaddr", "port", "sslrootcert") if name in parameters
    }
