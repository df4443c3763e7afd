"""Serve CalDAV and CardDAV with Radicale, in a process of its own.

Its collections lie in a folder that goes with it.

What it has: conditional PUT and DELETE with strong ETags over the bytes it stored, sync-collection, multiget,
409 no-uid-conflict inside one collection, tasks and events in one calendar, everything a vCard may hold.
What it does not have: scheduling (it never mails anybody), a trash, a quota, limits on rates or on how many
collections, UIDs unique beyond one collection, keep-alive (HTTP/1.0, one connection for each request).
It rewrites what it stores: property order, folding and PRODID may change; the ETag is that of the result.
Without fsync: about 150 small PUTs a second, one after the other or four at a time.
"""

from __future__ import annotations

import json
import logging
import shutil
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from wsgiref.simple_server import WSGIServer

from practice.harness.child import Child

USER_PASSWORD = "userpw"
PROVISIONED = {
    "calendar": {
        "tag": "VCALENDAR",
        "D:displayname": "Calendar",
        "C:supported-calendar-component-set": "VEVENT,VTODO",
    },
    "contacts": {"tag": "VADDRESSBOOK", "D:displayname": "Contacts"},
}


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    """Serve each connection in a thread. Radicale's own loop admits no port 0, and eight connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def server_bind(self) -> None:
        """Bind without asking for the host's name."""
        socketserver.TCPServer.server_bind(self)  # without a look-up of this host's name
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log that a client went away."""
        logging.debug("%s went away: %r", client_address, request)


def _serve(folder: Path, users: frozenset[str], provisioned: bool) -> None:
    # here, because whoever only starts a server needs none of it
    from radicale.app import Application
    from radicale.auth import BaseAuth
    from radicale.config import load
    from radicale.server import RequestHandler

    class Known(BaseAuth):
        def _login(self, login: str, password: str) -> str:
            return login if login in users and password == USER_PASSWORD else ""

    logging.disable(logging.CRITICAL)
    settings = load()
    storage = {
        "filesystem_folder": str(folder),
        "_filesystem_fsync": "False",
        "predefined_collections": json.dumps(PROVISIONED) if provisioned else "",
    }
    sections: dict[str, dict[str, Any]] = {
        "auth": {"type": Known, "delay": "0"},
        "server": {"delay_on_error": "0"},
        "storage": storage,
        "web": {"type": "none"},
    }
    settings.update(sections, "practice", privileged=True)
    server = Threaded(("127.0.0.1", 0), RequestHandler)
    server.set_app(Application(settings))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    # whoever started us holds our standard input open: at its end we go too, however it died
    sys.stdin.read()
    server.shutdown()
    server.server_close()


def _main(users: frozenset[str], provisioned: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="kogge-radicale-"))
    try:
        _serve(folder, users, provisioned)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class RadicaleServer:
    """Hold a running Radicale; see start_radicale. A user's collections are below home(user)."""

    url: str
    users: frozenset[str]
    _child: Child
    user_password: str = USER_PASSWORD
    product: str = "radicale"

    def home(self, user: str) -> str:
        """Return the URL of a user's principal, where the calendars and address books lie."""
        return f"{self.url}/{quote(user)}/"

    def stop(self) -> None:
        """Stop it; everything in it is gone. Safe to call again."""
        self._child.stop()


def start_radicale(users: Iterable[str], *, provisioned: bool = False) -> RadicaleServer:
    """Start a Radicale that knows users, each with USER_PASSWORD; any other login is 401.

    Args:
        users: who may log in.
        provisioned: True if every user has the collections "calendar" and "contacts" from the first login on,
            as a product's user has; otherwise the home is empty.

    Raises:
        RuntimeError: it does not start.
    """
    known = frozenset(users)
    child = Child("practice.dav.radicale", "provisioned" if provisioned else "bare", *sorted(known))
    return RadicaleServer(f"http://127.0.0.1:{child.port}", known, child)


if __name__ == "__main__":
    _main(frozenset(sys.argv[2:]), sys.argv[1] == "provisioned")
