"""The process of the local Prefect server: `python -m flows.deploy.own_server PORT`.

It is Prefect's server behind a guard. A page of the internet runs in a browser of this machine and can reach
every port here, under the machine's name or, once its own name leads here, under that one (DNS rebinding). So
the guard refuses every request that names another host or comes from a page of another one; and Prefect asks
for the password that the environment holds. Beside its work it settles the runs of commands that were killed:
no other process of Kogge may live on this machine then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias

from flows.deploy.server_login import AUTH_STRING, HOST, PROOF, proof

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

NAMES = (HOST, "localhost")
NONCE_MOST = 200


def origins(port: int) -> tuple[str, ...]:
    """Return the origins of the server's own pages."""
    return tuple(f"http://{name}:{port}" for name in NAMES)


class Guard:
    """Refuse what is not for an ASGI application behind it.

    Args:
        app: gets what is let through.
        login: of the server.
        port: where the server listens.
    """

    def __init__(self, app: App, login: str, port: int) -> None:
        self._app = app
        self._login = login
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        path = str(scope.get("path", ""))
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not self._is_own(scope["headers"]):
            await _answer(scope, send, 403, "another name or origin than this server's")
        elif scope["type"] == "http" and path.startswith(PROOF):
            nonce = path.removeprefix(PROOF)[:NONCE_MOST]
            await _answer(scope, send, 200, proof(self._login, self._port, nonce))
        else:
            await self._app(scope, receive, send)

    def _is_own(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Return True if a request names this server, and comes from one of its pages or from none."""
        named = [(name.lower(), value.decode("latin-1").lower()) for name, value in headers]
        hosts = [value for name, value in named if name == b"host"]
        pages = [value for name, value in named if name == b"origin"]
        at_home = [host.partition(":")[0] in NAMES for host in hosts]
        return at_home == [True] and all(page in origins(self._port) for page in pages)


async def _answer(scope: Scope, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def main(port: int, environment: Mapping[str, str] = os.environ) -> None:
    """Serve until the process is told to end."""
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    from flows.deploy.killed_runs import keep_settling

    login = environment[AUTH_STRING]
    if not all(login.partition(":")):
        raise SystemExit(f"{AUTH_STRING} holds no USER:PASSWORD")
    keep_settling(Path(environment["PREFECT_HOME"]).parent, f"http://{HOST}:{port}/api", login)
    server = get_current_settings().server
    uvicorn.run(
        Guard(create_app(final=True), login, port),
        host=HOST,
        port=port,
        timeout_keep_alive=server.api.keepalive_timeout,
        ws_ping_interval=server.api.websocket_ping_interval,
        ws_ping_timeout=server.api.websocket_ping_timeout,
        log_level=server.logging_level.lower(),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
