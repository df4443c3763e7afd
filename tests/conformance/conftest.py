"""The registry: every connector that passes the suite. Tests skip on capabilities, never on names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benches import (
    PASSWORD_ENV,
    AgendaTargetBench,
    ApiTargetBench,
    DavTargetBench,
    EwsSourceBench,
    FilesTargetBench,
    GraphSourceBench,
    ImapSourceBench,
    ImapTargetBench,
    MemorySourceBench,
    MemoryTargetBench,
    SourceBench,
    TargetBench,
    exchange,
    microsoft,
)
from files_bench import GraphFilesBench, online_drive
from memory.doubles import MemoryMailbox, MemoryStore
from server_fixtures import radicale_fixture
from servers.dav.dav_proxy import DavProxy
from servers.dav.manners import manners
from servers.dovecot import start_dovecot
from servers.exo.agenda import ExoAgenda
from servers.open_xchange.server import OpenXchangeServer
from servers.webdav import WebDavServer
from services import need_dovecot
from target_items import (
    CARDS,
    EVENTS,
    SUITE_CARDS,
    SUITE_EVENTS,
    SUITE_LISTS,
    SUITE_SERIES,
    SUITE_TASKS,
    TASKS,
    Goods,
)

from model.protocols import Target
from practice.dav.radicale import RadicaleServer
from practice.nextcloud.files import NextcloudFiles
from practice.nextcloud.store import composed
from practice.servers.imap import ImapServer
from practice.servers.pymap_server import start_pymap

USERS = tuple(f"user{number}" for number in range(250))
Started = Callable[[str], ImapServer]
STARTS: dict[str, Callable[[], ImapServer]] = {
    "dovecot": lambda: start_dovecot(USERS),
    "dovecot-plain": lambda: start_dovecot(
        USERS,
        hide=("MULTIAPPEND", "CONDSTORE", "QRESYNC", "ESEARCH", "LIST-STATUS", "SPECIAL-USE", "METADATA"),
    ),
    "dovecot-bare": lambda: start_dovecot(
        USERS, hide=("MULTIAPPEND", "UIDPLUS", "LITERAL+", "QRESYNC", "LIST-EXTENDED", "STATUS=SIZE", "ID")
    ),
    "pymap": lambda: start_pymap(USERS),
}
SOURCES = ("memory", "memory-enumerating", "exchange", "microsoft", "microsoft-files", *STARTS)
DAV: dict[str, tuple[Goods, str]] = {
    "radicale-calendar": (EVENTS, "radicale"),
    "radicale-tasks": (TASKS, "radicale"),
    "radicale-contacts": (CARDS, "radicale"),
    "nextcloud-calendar": (EVENTS, "nextcloud"),
}
"""Radicale as it is, and with the manners of other products in front of it."""
SUITE: dict[str, Goods] = {
    "suite-calendar": SUITE_EVENTS,
    "suite-tasks": SUITE_TASKS,
    "suite-contacts": SUITE_CARDS,
}
"""Open-Xchange App Suite, which lists a year or so of a calendar; the items here are older."""
SUITE_API: dict[str, Goods] = {"suite-api-contacts": SUITE_LISTS, "suite-api-tasks": SUITE_SERIES}
"""The same with its HTTP API, and with items that DAV does not hold."""
FILES = ("nextcloud-files", "nextcloud-files-single", "webdav-files", "exo-files")
TARGETS = ("memory", "memory-single", *STARTS, *DAV, *SUITE, *SUITE_API, *FILES, "exo-calendar")
_fresh: dict[str, Iterator[str]] = {name: iter(USERS) for name in (*STARTS, *FILES, "radicale")}


@pytest.fixture(scope="session")
def started() -> Iterator[Started]:
    running: dict[str, ImapServer] = {}

    def start(name: str) -> ImapServer:
        if name.startswith("dovecot"):
            need_dovecot()
        if name not in running:
            running[name] = STARTS[name]()
        return running[name]

    yield start
    for server in running.values():
        server.stop()


radicale = radicale_fixture(USERS, scope="session")


@pytest.fixture(scope="session")
def nextcloud_files() -> Iterator[NextcloudFiles]:
    with NextcloudFiles(USERS) as server:
        yield server


@pytest.fixture(scope="session")
def webdav() -> Iterator[WebDavServer]:
    with WebDavServer(USERS) as server:
        yield server


@pytest.fixture(scope="session")
def exo() -> Iterator[WebDavServer]:
    """The paths of eXo's JCR, and what it does with a PUT that breaks off, in front of WsgiDAV."""
    base = "/rest/private/jcr/repository/collaboration/Users"

    def place(user: str) -> str:
        return f"{base}/{user[0]}___/{user[:2]}___/{user[:3]}___/{user}/Private"

    with WebDavServer(USERS, place=place, atomic=True) as server:
        yield server


FILE_SERVERS = {
    "nextcloud-files": "nextcloud_files",
    "nextcloud-files-single": "nextcloud_files",
    "webdav-files": "webdav",
    "exo-files": "exo",
}


def files_bench(request: pytest.FixtureRequest, name: str, spool: Path) -> FilesTargetBench:
    server = request.getfixturevalue(FILE_SERVERS[name])
    user = next(_fresh[name])
    if isinstance(server, NextcloudFiles):
        user = f"user{249 - int(user[4:])}" if name == "nextcloud-files-single" else user
        single = {"bulk_below": 0, "root": "From/Exchange"} if name == "nextcloud-files-single" else {}
        shelf = server.shelves[user]
        root = str(single.get("root", ""))
        settings = {"kind": "nextcloud", "url": server.url, **single}
        return FilesTargetBench(user, spool, settings, lambda path: shelf.remove(composed(root + path)))
    folder = server.folder(user)
    kinds = {
        "webdav-files": {"kind": "webdav", "url": f"{server.url}/{{login}}"},
        "exo-files": {"kind": "exo", "url": server.url, "flavour": "jcr"},
    }
    return FilesTargetBench(user, spool, kinds[name], lambda path: (folder / path.lstrip("/")).unlink())


@pytest.fixture(params=SOURCES)
def bench(
    request: pytest.FixtureRequest, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SourceBench]:
    """An account at a source, empty, with the folder ("Work",)."""
    made: SourceBench
    if request.param == "exchange":
        with exchange() as server:
            monkeypatch.setenv(PASSWORD_ENV, next(iter(server.world.service_accounts.values())).password)
            made = EwsSourceBench(server, tmp_path)
            made.create(("Work",))
            yield made
        return
    if request.param == "microsoft":
        with microsoft() as online:
            monkeypatch.setenv(PASSWORD_ENV, online.secret)
            made = GraphSourceBench(online, tmp_path)
            made.create(("Work",))
            yield made
        return
    if request.param == "microsoft-files":
        with online_drive() as (online, drive):
            monkeypatch.setenv(PASSWORD_ENV, online.secret)
            yield GraphFilesBench(online, drive, tmp_path)
        return
    if request.param.startswith("memory"):
        made = MemorySourceBench(MemoryMailbox(incremental=request.param == "memory"))
    else:
        server = started(request.param)
        monkeypatch.setenv(PASSWORD_ENV, server.master_password)
        made = ImapSourceBench(server, next(_fresh[request.param]), tmp_path)
    made.create(("Work",))
    yield made


@pytest.fixture(params=TARGETS)
def target_bench(
    request: pytest.FixtureRequest, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TargetBench]:
    """An account at a target that nobody has written to."""
    if request.param.startswith("memory"):
        yield MemoryTargetBench(MemoryStore(atomic=request.param == "memory"))
        return
    if request.param in DAV:
        radicale: RadicaleServer = request.getfixturevalue("radicale")
        monkeypatch.setenv(PASSWORD_ENV, radicale.user_password)
        goods, product = DAV[request.param]
        with DavProxy(radicale, manners(product, radicale)) as proxy:
            server = proxy if product != "radicale" else radicale
            yield DavTargetBench(server, next(_fresh["radicale"]), tmp_path, goods, product)
        return
    if request.param in SUITE:
        with OpenXchangeServer(["anna"]) as suite:
            monkeypatch.setenv(PASSWORD_ENV, suite.user_password)
            yield DavTargetBench(suite, "anna", tmp_path, SUITE[request.param], "open-xchange")
        return
    if request.param in SUITE_API:
        with OpenXchangeServer(["anna"]) as suite:
            monkeypatch.setenv(PASSWORD_ENV, suite.user_password)
            yield ApiTargetBench(suite, "anna", tmp_path, SUITE_API[request.param])
        return
    if request.param == "exo-calendar":
        with ExoAgenda(USERS[:1]) as exo:
            monkeypatch.setenv(PASSWORD_ENV, exo.user_password)
            yield AgendaTargetBench(exo, USERS[0])
        return
    if request.param in FILES:
        monkeypatch.setenv(PASSWORD_ENV, request.getfixturevalue(FILE_SERVERS[request.param]).user_password)
        yield files_bench(request, request.param, tmp_path)
        return
    imap = started(request.param)
    monkeypatch.setenv(PASSWORD_ENV, imap.master_password)
    yield ImapTargetBench(imap, next(_fresh[request.param]), tmp_path)


@pytest.fixture
def target(target_bench: TargetBench) -> Iterator[Target]:
    opened = target_bench.open(lambda: None)
    yield opened
    opened.close()


@pytest.fixture
def goods(target_bench: TargetBench) -> Goods:
    return target_bench.goods


@pytest.fixture
def href(target: Target, goods: Goods) -> str:
    return target.ensure(goods.container("Work"))
