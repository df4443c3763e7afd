"""Large files in chunks: gone on with where a worker died, put together once, whatever is lost."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from files_desk import CHUNK, WHEN, Desk, file
from results import code, stored
from servers.dav.faults import Fault

from model.errors import Blocked, LeaseLost, Transient
from model.protocols import Stored
from practice.dav.proxy import Fate, Forward, Reply, Request, reply
from practice.nextcloud.files import NextcloudFiles

DATA = bytes(range(250)) * 21  # 5,250 bytes: five chunks and a quarter
PARTS = 6


def chunks_sent(cloud: NextcloudFiles, since: int = 0) -> list[str]:
    return [
        request.path.rpartition("/")[2]
        for request in cloud.requests[since:]
        if request.method == "PUT" and "/uploads/" in request.path
    ]


@dataclass
class Death:
    """At the nth request everything ends: it took effect or not, and nothing answers any more."""

    nth: int
    persisted: bool
    count: int = field(default=0)

    def __call__(self, request: Request, rest: Forward) -> Reply:
        self.count += 1
        if self.count < self.nth:
            return rest(request)
        if self.count == self.nth and self.persisted:
            rest(request)
        return replace(reply(500), fate=Fate.LOST)


def test_a_large_file_goes_in_chunks(desk: Desk) -> None:
    stored(desk.target().write("", [file(1, DATA)]))
    assert desk.files() == {"file 1.txt": DATA}
    assert desk.dates() == {"file 1.txt": int(WHEN.timestamp())}
    assert chunks_sent(desk.cloud) == [f"{number:05d}" for number in range(1, PARTS + 1)]
    assert desk.uploads() == []


def test_every_request_names_the_place_and_the_whole_length(desk: Desk) -> None:
    stored(desk.target().write("", [file(1, DATA)]))
    sent = [request for request in desk.cloud.requests if "/uploads/" in request.path]
    changing = [request for request in sent if request.method in {"MKCOL", "PUT", "MOVE"}]
    assert len(changing) == 1 + PARTS + 1
    assert {request.headers["oc-total-length"] for request in changing} == {str(len(DATA))}
    assert all(request.headers["destination"].endswith("/file%201.txt") for request in changing)
    assert changing[-1].headers["overwrite"] == "F"
    assert not any("transfer-encoding" in request.headers for request in sent)


@pytest.mark.parametrize("persisted", [True, False])
def test_a_worker_that_dies_at_any_request_is_finished_by_the_next(desk: Desk, persisted: bool) -> None:
    calm = desk.target()
    assert calm.capabilities
    before = len(desk.cloud.requests)
    stored(calm.write("", [file(0, DATA)]))
    steps = len(desk.cloud.requests) - before
    assert steps == 1 + 1 + 1 + PARTS + 1
    for nth in range(1, steps + 1):
        dying = desk.target(patience_seconds=0)
        assert dying.capabilities
        desk.cloud.layers = (Death(nth, persisted),)
        with pytest.raises(Transient):
            list(dying.write("", [file(nth, DATA)]))
        dying.close()
        desk.cloud.layers = ()
        mark = len(desk.cloud.requests)
        (one,) = stored(desk.target().write("", [file(nth, DATA)]))
        arrived = max(0, nth - 4 + persisted)
        done = nth == steps and persisted
        assert len(chunks_sent(desk.cloud, mark)) == (0 if done else PARTS - min(arrived, PARTS)), nth
        assert desk.files()[one.href] == DATA
        assert desk.uploads() == [], nth
    assert len(desk.files()) == steps + 1


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.FULL])
@pytest.mark.parametrize("step", [("MKCOL", 1), ("PROPFIND", 1), ("PUT", 1), ("PUT", PARTS), ("MOVE", 1)])
def test_a_passing_fault_leaves_one_whole_file(desk: Desk, fault: Fault, step: tuple[str, int]) -> None:
    target = desk.target()
    assert target.capabilities
    desk.faults({step: fault})
    stored(target.write("", [file(1, DATA)]))
    assert desk.files() == {"file 1.txt": DATA}
    assert desk.uploads() == []


def test_a_chunk_that_arrived_short_is_sent_again(desk: Desk) -> None:
    dying = desk.target(patience_seconds=0)
    assert dying.capabilities
    desk.cloud.layers = (Death(7, True),)
    with pytest.raises(Transient):
        list(dying.write("", [file(1, DATA)]))
    desk.cloud.layers = ()
    (upload,) = desk.uploads()
    short = desk.cloud.shelves["anna"].upload(upload) / "00002"
    short.write_bytes(short.read_bytes()[:-1])
    mark = len(desk.cloud.requests)
    stored(desk.target().write("", [file(1, DATA)]))
    assert chunks_sent(desk.cloud, mark) == ["00002", "00005", "00006"]
    assert desk.files() == {"file 1.txt": DATA}


def test_chunks_that_hold_something_else_are_found_out_and_replaced(desk: Desk) -> None:
    """X-Hash on the MOVE tells; the next round starts from the file itself."""
    dying = desk.target(patience_seconds=0)
    assert dying.capabilities
    desk.cloud.layers = (Death(7, True),)
    with pytest.raises(Transient):
        list(dying.write("", [file(1, DATA)]))
    desk.cloud.layers = ()
    (upload,) = desk.uploads()
    wrong = desk.cloud.shelves["anna"].upload(upload) / "00002"
    wrong.write_bytes(b"#" * CHUNK)
    stored(desk.target().write("", [file(1, DATA)]))
    assert desk.files() == {"file 1.txt": DATA}


def test_another_version_or_place_is_another_upload(desk: Desk) -> None:
    for item in (file(1, DATA), file(1, DATA[::-1]), file(1, DATA, "other.txt")):
        dying = desk.target(patience_seconds=0)
        assert dying.capabilities
        desk.cloud.layers = (Death(5, True),)
        with pytest.raises(Transient):
            list(dying.write("", [item]))
        desk.cloud.layers = ()
    assert len(desk.uploads()) == 3


def test_an_upload_that_the_server_forgot_is_begun_again(desk: Desk) -> None:
    target = desk.target()
    assert target.capabilities
    shelf = desk.cloud.shelves["anna"]

    def forgets(request: Request, rest: Forward) -> Reply:
        if request.method == "PUT" and request.path.endswith("/00003"):
            desk.cloud.layers = ()
            for one in desk.uploads():
                for part in shelf.upload(one).iterdir():
                    part.unlink()
                shelf.upload(one).rmdir()
        return rest(request)

    desk.cloud.layers = (forgets,)
    stored(target.write("", [file(1, DATA)]))
    assert desk.files() == {"file 1.txt": DATA}


def test_a_chunk_that_is_missing_is_noticed_and_the_upload_made_anew(desk: Desk) -> None:
    target = desk.target()
    assert target.capabilities
    shelf = desk.cloud.shelves["anna"]

    def loses(request: Request, rest: Forward) -> Reply:
        if request.method == "MOVE":
            desk.cloud.layers = ()
            (upload,) = desk.uploads()
            (shelf.upload(upload) / "00003").unlink()
        return rest(request)

    desk.cloud.layers = (loses,)
    stored(target.write("", [file(1, DATA)]))
    assert desk.files() == {"file 1.txt": DATA}


def test_no_room_blocks_before_a_byte_is_sent(desk: Desk) -> None:
    desk.cloud.shelves["anna"].quota = len(DATA) - 1
    with pytest.raises(Blocked, match="over-quota"):
        list(desk.target().write("", [file(1, DATA)]))
    assert chunks_sent(desk.cloud) == []


def test_a_large_file_overwrites_nothing_that_is_there(desk: Desk) -> None:
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
    assert code(desk.target().write("", [file(1, DATA)])) == "name-taken"
    assert desk.files() == {"file 1.txt": b"theirs"}


def test_a_large_file_replaces_its_own_earlier_version(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"small")]))
    (new,) = stored(target.write("", [file(1, DATA, replaces=old)]))
    assert desk.files() == {"file 1.txt": DATA}
    (small,) = stored(target.write("", [file(1, b"small", replaces=new)]))
    assert desk.files() == {"file 1.txt": b"small"}
    assert isinstance(small, Stored)


def test_a_lease_that_is_lost_before_the_commit_leaves_no_file(desk: Desk) -> None:
    calls = iter(range(100))

    def lost() -> None:
        if next(calls) >= 1 + 2 * PARTS + 1:
            raise LeaseLost("lease-lost")

    with pytest.raises(LeaseLost):
        list(desk.target(lost).write("", [file(1, DATA)]))
    assert desk.files() == {}
    assert desk.counts()["MOVE"] == 0


def test_there_are_never_more_chunks_than_the_server_takes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.files.chunked_upload.CHUNKS_MOST", 10)
    stored(desk.target(chunk_bytes=1).write("", [file(1, DATA)]))
    assert len(chunks_sent(desk.cloud)) == 10
