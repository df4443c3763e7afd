"""A WebDAV server from pip alone: WsgiDAV on cheroot, in threads of this process, over a folder.

with WebDavServer(["anna"]) as server:
    server.url            # http://127.0.0.1:PORT, with a folder for each user
    server.folder("anna")

What it has: conditional PUT, MOVE with Overwrite, dates by PROPPATCH. What it has not: hashes, uploads that
can be gone on with; its quota is this disk's, and a PUT is written straight into its place.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cheroot import wsgi
from wsgidav.fs_dav_provider import FilesystemProvider
from wsgidav.wsgidav_app import WsgiDAVApp

from practice.harness.lent_folder import LentFolder

USER_PASSWORD = "userpw"
THREADS = 8
HELD = 1 << 20


class WebDavServer:
    """Users log in with USER_PASSWORD, by Basic or, with digest, by Digest; each has a folder of their own,
    which the others may not look into, unless place puts them all into one tree, at the paths that it gives.
    root: where the files are; a folder that goes with the server unless given. atomic: a PUT that breaks off
    changes nothing. links: symbolic links are followed."""

    def __init__(
        self,
        users: Iterable[str],
        root: Path | None = None,
        *,
        digest: bool = False,
        place: Callable[[str], str] | None = None,
        atomic: bool = False,
        links: bool = False,
    ) -> None:
        self._place = place
        self._lent: LentFolder | None = None
        if root is None:
            self._lent = LentFolder("kogge-webdav-")
            root = self._lent.path / "files"  # beside the folder's lock, which is not served
            root.mkdir()
        self.root = root
        self.users = tuple(users)
        self.user_password = USER_PASSWORD
        for user in self.users:
            self.folder(user).mkdir(parents=True, exist_ok=True)
        self._options = {"follow_symlinks": links}
        app = self._app(digest)
        app = _Whole(app) if atomic else app
        self._server = wsgi.Server(("127.0.0.1", 0), app, numthreads=THREADS, timeout=60)
        self._server.prepare()
        self.url = f"http://127.0.0.1:{self._server.bind_addr[1]}"
        self._thread = threading.Thread(target=self._server.serve, daemon=True)

    def folder(self, user: str) -> Path:
        """A user's files on this disk."""
        return self.root / (self._place(user).strip("/") if self._place is not None else user)

    def start(self) -> Self:
        """Safe more than once, until stop()."""
        if not self._thread.is_alive():
            self._thread.start()
        return self

    def stop(self) -> None:
        """A folder that was not given is gone."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join()
        if self._lent is not None:
            self._lent.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _app(self, digest: bool) -> Any:
        for name in ("wsgidav", "cheroot"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # they tell paths
        known = {user: {"password": USER_PASSWORD} for user in self.users}
        shares = {f"/{user}": user for user in self.users} if self._place is None else {}
        return WsgiDAVApp(
            {
                "provider_mapping": {
                    share: self._provider(self.root / user) for share, user in shares.items()
                }
                or {"/": self._provider(self.root)},
                "simple_dc": {
                    "user_mapping": {share: {user: known[user]} for share, user in shares.items()}
                    | {"*": known}
                },
                "http_authenticator": {
                    "accept_basic": not digest,
                    "accept_digest": digest,
                    "default_to_digest": digest,
                },
                "mutable_live_props": ["{DAV:}getlastmodified"],
                "property_manager": True,
                "lock_storage": True,
                "logging": {"enable": False, "enable_loggers": []},
                "verbose": 0,
                "dir_browser": {"enable": False},
            }
        )

    def _provider(self, root: Path) -> FilesystemProvider:
        return FilesystemProvider(str(root), fs_opts=self._options)


class _Whole:
    """Hands on a body only when all of it has come."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        with tempfile.SpooledTemporaryFile(HELD) as held:
            while held.tell() < length:
                data = environ["wsgi.input"].read(min(HELD, length - held.tell()))
                if not data:
                    start_response("400 Bad Request", [("Content-Length", "0")])
                    return
                held.write(data)
            held.seek(0)
            environ["wsgi.input"] = held
            yield from self._app(environ, start_response)
