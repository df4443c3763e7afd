"""A real server of files, as the environment names it. Without an address its tests are skipped:

KOGGE_LIVE_FILES_URL                               the server
KOGGE_LIVE_FILES_KIND, KOGGE_LIVE_FILES_FLAVOUR    nextcloud (default), webdav or exo; of eXo: jcr or drives
KOGGE_LIVE_FILES_LOGIN, KOGGE_LIVE_FILES_PASSWORD  of an account made for tests: a folder is made in it for
                                                   each test, and removed in the end
KOGGE_LIVE_FILES_AUTH, KOGGE_LIVE_FILES_APP_ID     "digest"; or "appapi" and the app, whose secret the
                                                   password then is

For what needs them:

KOGGE_LIVE_FILES_FULL_LOGIN, KOGGE_LIVE_FILES_FULL_PASSWORD  an account with room for 15 to 40 MB
KOGGE_LIVE_FILES_GUEST, KOGGE_LIVE_FILES_GROUP     a login and a group to share with
KOGGE_LIVE_SMTP_PORT                               where on 127.0.0.1 the server delivers its mail
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
import pytest
from servers.dav.dav_proxy import HOP

from connectors.files.target import FilesTarget
from connectors.http.client import HttpAnswer, HttpClient
from connectors.settings import Account
from connectors.webdav import account as files_account
from connectors.webdav.account import Home
from connectors.webdav.client import joined, passing
from connectors.webdav.settings import FilesSettings
from model.kinds import Kind
from model.protocols import Container, Failed, Item, Native, Stored, key_of
from practice.dav.proxy import Fate, Forward, Front, Layer, Reply, Request, reply, stack

RUN = secrets.token_hex(4)
WHEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
SECONDS = 300.0


def asked(name: str) -> str:
    """What the environment says; skips without it."""
    text = os.environ.get(f"KOGGE_LIVE_{name}")
    if not text:
        pytest.skip(f"KOGGE_LIVE_{name} is not given")
    return text


def settings(root: str, who: str = "", **more: object) -> FilesSettings:
    """who: "FULL_" for the account that has little room."""
    given: dict[str, object] = {
        "kind": os.environ.get("KOGGE_LIVE_FILES_KIND", "nextcloud"),
        "url": asked("FILES_URL"),
        "password": {"env": f"KOGGE_LIVE_FILES_{who}PASSWORD"},
        "root": root,
        "patience_seconds": 60,
        "timeout_seconds": SECONDS,
    }
    for name in ("flavour", "auth", "app_id"):
        if text := os.environ.get(f"KOGGE_LIVE_FILES_{name.upper()}"):
            given[name] = text
    return FilesSettings.model_validate({**given, **more})


def account(who: str = "") -> Account:
    return Account(login=asked(f"FILES_{who}LOGIN"))


@dataclass
class Desk:
    """A folder of its own at the server, targets that write into it, and a client that does as it likes."""

    spool: Path
    who: str = ""
    root: str = field(default_factory=lambda: f"kogge-live-{RUN}-{secrets.token_hex(3)}")
    opened: list[FilesTarget] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = settings(self.root, self.who)
        self.wire = HttpClient(known, account(self.who), known.profile, SECONDS, passing)
        self.home: Home = files_account.home(self.wire, known, account(self.who))

    def target(self, *, live: bool = False, **more: object) -> FilesTarget:
        """Nothing goes in bulk unless asked for."""
        known = settings(self.root, self.who, **{"bulk_below": 0, **more})
        made = FilesTarget(known, account(self.who), lambda: None, self.spool, live=live)
        self.opened.append(made)
        return made

    def named(self) -> FilesTarget:
        """As target, where the account's row names the folder."""
        row = Account(login=account(self.who).login, folder=self.root)
        made = FilesTarget(settings("", self.who), row, lambda: None, self.spool)
        self.opened.append(made)
        return made

    def path(self, *names: str) -> str:
        """Of a file in the folder, or a folder below it."""
        path = self.home.files
        for name in (self.root, *names[:-1]):
            path = joined(path, name) + "/"
        return joined(path, names[-1]) if names else path

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> HttpAnswer:
        plain = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.wire.ask(method, path, {**plain, "Content-Length": str(len(body))}, body)

    def put(self, data: bytes, *names: str, **headers: str) -> HttpAnswer:
        return self.ask("PUT", self.path(*names), data, **headers)

    def close(self) -> None:
        for one in self.opened:
            one.close()
        self.ask("DELETE", self.path())
        self.wire.close()


class Between:
    """A proxy in front of a server; its layers may be replaced."""

    def __init__(self, url: str) -> None:
        self._netloc = urlsplit(url).netloc
        self._path = urlsplit(url).path
        self.layers: Sequence[Layer] = ()
        self.requests: list[Request] = []
        self.failures: list[BaseException] = []
        self._server = Front(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self._path}"

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return stack(self.layers, self._asked)(request)

    def _asked(self, request: Request) -> Reply:
        line = http.client.HTTPConnection(self._netloc, timeout=SECONDS)
        try:
            headers = {name: text for name, text in request.headers.items() if name not in HOP}
            line.request(request.method, request.target, request.body, headers)
            came = line.getresponse()
            kept = httpx.Headers([one for one in came.getheaders() if one[0].lower() not in HOP])
            return Reply(came.status, kept, came.read())
        finally:
            line.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.end_all()
        self._server.server_close()
        assert not self.failures


@dataclass
class Death:
    """At the nth request everything ends; that one takes effect."""

    nth: int
    count: int = 0

    def __call__(self, request: Request, rest: Forward) -> Reply:
        self.count += 1
        if self.count < self.nth:
            return rest(request)
        if self.count == self.nth:
            rest(request)
        return replace(reply(500), fate=Fate.LOST)


def file(
    name: str, data: bytes = b"content", *, date: datetime | None = WHEN, replaces: Stored | None = None
) -> Item:
    return Item(
        kind=Kind.FILES,
        key=key_of(f"live-{name}"),
        digest=hashlib.sha256(data).digest(),
        size=len(data),
        body=lambda: io.BytesIO(data),
        date=date,
        name=name,
        replaces=replaces,
    )


def noise(size: int, seed: int = 1) -> bytes:
    """The same for the same seed."""
    block = hashlib.shake_256(str(seed).encode()).digest(min(size, 1 << 16) or 1)
    return (block * (size // len(block) + 1))[:size]


def folder(*names: str) -> Container:
    return Container(Kind.FILES, f"source-{names}", ("", *names))


def stored(results: Iterable[Stored | Failed]) -> list[Stored]:
    found = list(results)
    assert [one.error.code for one in found if isinstance(one, Failed)] == []
    return [one for one in found if isinstance(one, Stored)]


def codes(results: Iterable[Stored | Failed]) -> list[str]:
    return [one.error.code if isinstance(one, Failed) else "" for one in results]


def contents(target: FilesTarget, href: str) -> dict[str, tuple[bytes, datetime | None]]:
    """What the server gives back of every file in a folder: its SHA-256, over its bytes, and its date."""
    listed = {one.href: one for one in target.listing(href)}
    found = {}
    for name, one in target.read(href, listed):
        assert isinstance(one, Native)
        assert one.properties["Size"] == listed[name].size
        found[name] = (bytes.fromhex(str(one.properties["Sha256"])), listed[name].date)
    return found


def meant(items: Iterable[Item]) -> dict[str, tuple[bytes, datetime | None]]:
    return {str(one.name): (one.digest, one.date) for one in items}
