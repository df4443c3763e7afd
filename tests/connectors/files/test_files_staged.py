"""A server that writes a PUT straight into its place: files are written beside it and moved, whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from files_desk import PASSWORD_ENV, WHEN, file, folder
from results import code, stored
from servers.dav.dav_proxy import DavProxy
from servers.dav.faults import Fault, Faults
from servers.webdav import USER_PASSWORD, WebDavServer

from connectors.files.target import FilesSettings, FilesTarget
from connectors.settings import Account
from model.errors import LeaseLost, Transient
from practice.dav.proxy import Fate, Forward, Reply, Request, reply

DATA = b"0123456789" * 40_000


@dataclass
class Shed:
    """A WebDAV server behind a proxy, whose layers stand in front."""

    server: WebDavServer
    proxy: DavProxy
    spool: Path

    def target(self, **settings: object) -> FilesTarget:
        given = {
            "kind": "webdav",
            "url": f"{self.proxy.url}/anna",
            "password": {"env": PASSWORD_ENV},
            "patience_seconds": 20,
            **settings,
        }
        return FilesTarget(
            FilesSettings.model_validate(given), Account(login="anna"), lambda: None, self.spool
        )

    def fault(self, *layers: object) -> None:
        self.proxy.layers = (*layers, self.redirected)  # type: ignore[assignment]

    def redirected(self, request: Request, rest: Forward) -> Reply:
        """The server knows itself under its own address only."""
        headers = request.headers.copy()
        if "destination" in headers:
            headers["Destination"] = headers["Destination"].replace(self.proxy.url, self.server.url)
        return rest(replace(request, headers=headers))

    def files(self) -> dict[str, bytes]:
        base = self.server.folder("anna")
        return {
            path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()
        }


@pytest.fixture
def shed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shed]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with WebDavServer(["anna"]) as server, DavProxy(server) as proxy:  # type: ignore[arg-type]
        made = Shed(server, proxy, tmp_path)
        made.fault()
        yield made


@dataclass
class Death:
    """At the nth request everything ends: it took effect or not, and nothing answers any more."""

    nth: int
    persisted: bool
    count: int = 0

    def __call__(self, request: Request, rest: Forward) -> Reply:
        self.count += 1
        if self.count < self.nth:
            return rest(request)
        if self.count == self.nth and self.persisted:
            rest(request)
        return replace(reply(500), fate=Fate.LOST)


def test_a_file_is_whole_dated_and_alone(shed: Shed) -> None:
    target = shed.target()
    href = target.ensure(folder("A"))
    stored(target.write(href, [file(1, DATA, "a.docx"), file(2, b"", "empty")]))
    assert shed.files() == {"A/a.docx": DATA, "A/empty": b""}
    assert {one.date for one in target.listing(href)} == {WHEN}
    staged = [request.path for request in shed.proxy.requests if request.method == "PUT"]
    assert all(path.rpartition("/")[2].startswith(".kogge-") for path in staged)
    target.close()


@pytest.mark.parametrize("persisted", [True, False])
def test_a_worker_that_dies_at_any_request_is_finished_by_the_next(shed: Shed, persisted: bool) -> None:
    for nth in range(1, 4):
        dying = shed.target(patience_seconds=0)
        assert dying.capabilities
        shed.fault(Death(nth, persisted))
        try:
            list(dying.write("", [file(nth, DATA)]))
        except Transient:
            assert nth < 4
        dying.close()
        shed.fault()
        target = shed.target()
        stored(target.write("", [file(nth, DATA)]))
        assert {one.href for one in target.listing("")} == {f"file {n}.txt" for n in range(1, nth + 1)}
        target.close()
    assert shed.files() == {f"file {number}.txt": DATA for number in range(1, 4)}


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.FULL])
@pytest.mark.parametrize("step", [("PUT", 1), ("MOVE", 1), ("PROPPATCH", 1)])
def test_a_passing_fault_leaves_one_whole_file(shed: Shed, fault: Fault, step: tuple[str, int]) -> None:
    target = shed.target()
    shed.fault(Faults({step: fault}, retry_after=0))
    stored(target.write("", [file(1, DATA)]))
    assert shed.files() == {"file 1.txt": DATA}
    target.close()


def test_what_somebody_else_put_there_stays_and_nothing_lies_beside_it(shed: Shed) -> None:
    (shed.server.folder("anna") / "file 1.txt").write_bytes(b"theirs")
    target = shed.target()
    assert code(target.write("", [file(1, DATA)])) == "name-taken"
    assert shed.files() == {"file 1.txt": b"theirs"}
    target.close()


def test_a_new_version_replaces_the_old_one_and_a_new_name_moves_it(shed: Shed) -> None:
    target = shed.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    (new,) = stored(target.write("", [file(1, b"two", replaces=old)]))
    stored(target.write("", [file(1, b"two", "other.txt", replaces=new)]))
    assert shed.files() == {"other.txt": b"two"}
    target.close()


def test_a_lease_lost_in_a_file_leaves_none_of_its_name(shed: Shed) -> None:
    calls = iter(range(100))

    def lost() -> None:
        if next(calls) >= 1:
            raise LeaseLost("lease-lost")

    settings = FilesSettings.model_validate(
        {"kind": "webdav", "url": f"{shed.proxy.url}/anna", "password": {"env": PASSWORD_ENV}}
    )
    target = FilesTarget(settings, Account(login="anna"), lost, shed.spool)
    with pytest.raises(LeaseLost):
        list(target.write("", [file(1, DATA)]))
    assert list(target.listing("")) == []
    target.close()


def test_digests_are_read_where_the_server_has_none(shed: Shed) -> None:
    target = shed.target()
    items = [file(1, DATA), file(2, b"")]
    stored(target.write("", items))
    found = dict(target.digests("", ["file 1.txt", "file 2.txt", "gone"]))
    assert {name: found[name] for name in ("file 1.txt", "file 2.txt")} == {
        str(item.name): item.digest for item in items
    }
    assert "vanished" in repr(found["gone"])
    target.close()


def test_a_server_that_takes_no_dates_is_asked_once(shed: Shed) -> None:
    def refuses(request: Request, rest: Forward) -> Reply:
        return reply(403) if request.method == "PROPPATCH" else rest(request)

    shed.fault(refuses)
    target = shed.target()
    stored(target.write("", [file(number) for number in range(5)]))
    asked = [request for request in shed.proxy.requests if request.method == "PROPPATCH"]
    assert 1 <= len(asked) <= 2  # two threads
    assert [(loss.field, loss.reason) for loss in target.stamp("", WHEN)] == [("folder-date", "not-kept")]
    target.close()
