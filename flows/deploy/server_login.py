"""The login of the local Prefect server: who may use it, and how a client knows it before it says the login.

The login lies next to the server's database, readable by its owner alone. Another account of this machine may
take the server's port while it is down; so a client first asks for a proof that only the holder of the login
can give.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from model.private_files import make_directory

HOST = "127.0.0.1"
AUTH_STRING = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_AUTH_STRING = "PREFECT_API_AUTH_STRING"
"""By it Prefect's clients know what to say."""
USER = "kogge"
PROOF = "/proof/"
"""The path below which the server proves who it is; Prefect has none like it."""
NO_ANSWER = (OSError, ValueError, http.client.HTTPException)
"""What urllib raises where no Prefect server listens, but perhaps something else."""


def login_path(folder: Path) -> Path:
    """Return where the login of a server lies that has its home in this folder."""
    return folder / "login"


def login(folder: Path) -> str:
    """Return the login of a server, USER:PASSWORD; it is made at first and then stays.

    A process that dies before the end leaves no login without a password.
    """
    path = login_path(make_directory(folder))
    if found := known_login(folder):
        return found
    with tempfile.NamedTemporaryFile("w", dir=folder, encoding="ascii") as file:  # its owner's alone
        file.write(f"{USER}:{secrets.token_urlsafe(24)}\n")
        file.flush()
        with suppress(FileExistsError):  # another process was first
            os.link(file.name, path)
    return path.read_text(encoding="ascii").strip()


def known_login(folder: Path) -> str:
    """Return the login of a server; "" if it has none."""
    try:
        return login_path(folder).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def header(login: str) -> dict[str, str]:
    """Return the header of HTTP that says a login; none for ""."""
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}


def proof(login: str, port: int, nonce: str) -> str:
    """Return what only the holder of the login can say to this question, at this port."""
    return hmac.new(login.encode(), f"{port}/{nonce}".encode(), "sha256").hexdigest()


def proves(login: str, port: int, seconds: float) -> bool:
    """Return True if the server at this port of this machine has this login. The login is not sent."""
    import urllib.request  # loaded only when a server is asked: most commands read the ledger alone

    nonce = secrets.token_hex(16)
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{PROOF}{nonce}", timeout=seconds) as reply:
            told = reply.read(1000)
    except NO_ANSWER:
        return False
    return bool(login) and hmac.compare_digest(told, proof(login, port, nonce).encode())
