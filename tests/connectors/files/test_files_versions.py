"""A new file with what it was before: each version once, in order, whatever goes wrong, whoever goes on."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from files_desk import CHUNK, WHEN, Desk, file, folder
from pydantic import ValidationError
from results import code, stored
from servers.dav.faults import Fault, Faults
from walking import Died

from connectors.files.target import FilesTarget
from connectors.http.client import HttpClient
from connectors.webdav.settings import FilesSettings
from model.errors import Blocked, LeaseLost, Misconfigured, Transient
from model.file_versions import Older
from model.protocols import Item, Loss, Stored
from practice.dav.proxy import Forward, Reply, Request, reply

NOT_KEPT = Loss("versions", "not-kept")
NOW = int(WHEN.timestamp())
SMALL = (b"one", b"two, a bit longer", b"one")
"""The first comes back."""


def older(data: bytes, seconds: int) -> Older:
    return Older(
        hashlib.sha256(data).digest(), len(data), lambda: io.BytesIO(data), WHEN - timedelta(seconds=seconds)
    )


def told(*contents: bytes, number: int = 1, data: bytes = b"now", name: str | None = None) -> Item:
    """A file that was these before, a minute each, oldest first."""
    found = [older(one, 60 * (len(contents) - at)) for at, one in enumerate(contents)]
    return replace(file(number, data, name), versions=tuple(found))


def opened(desk: Desk, **more: Any) -> FilesTarget:
    return desk.target(**{"versions": 5, "patience_seconds": 3, **more})


def kept(desk: Desk, *names: str) -> dict[int, bytes]:
    """The older versions of a file, by how many seconds older they are."""
    found = desk.cloud.shelves["anna"].history.older(names or ("file 1.txt",))
    return {NOW - date: data for date, data in found.items()}


def wanted(*contents: bytes) -> dict[int, bytes]:
    return {60 * (len(contents) - at): one for at, one in enumerate(contents)}


def moved(desk: Desk) -> list[tuple[str, str]]:
    return [
        (request.path.rpartition("/")[2], request.headers["destination"].rpartition("/")[2])
        for request in desk.cloud.requests
        if request.method == "MOVE"
    ]


def test_each_version_is_there_in_order_under_its_date(desk: Desk) -> None:
    target = opened(desk)
    (one,) = stored(target.write("", [told(*SMALL)]))
    assert desk.files() == {"file 1.txt": b"now"}
    assert desk.dates() == {"file 1.txt": NOW}
    assert kept(desk) == wanted(*SMALL)
    assert (one.href, one.versions, one.losses) == ("file 1.txt", 3, ())
    assert target.versions("", "file 1.txt") == 3


def test_nobody_sees_it_before_it_is_whole(desk: Desk) -> None:
    seen: list[dict[str, bytes]] = []

    def look(request: Request, rest: Forward) -> Reply:
        seen.append(desk.files())
        return rest(request)

    desk.cloud.layers = (look,)
    stored(opened(desk).write("", [told(*SMALL)]))
    assert {data for files in seen for name, data in files.items() if not name.startswith(".kogge-")} <= {
        b"now"
    }
    assert [to for _, to in moved(desk)] == ["file%201.txt"]


def test_files_without_any_go_as_ever(desk: Desk) -> None:
    target = opened(desk, bulk_below=1000)
    href = target.ensure(folder("Neu"))
    stored(target.write(href, [file(2, b"two"), told(b"old"), file(3, b"three")]))
    assert desk.counts()["POST"] == 1
    assert desk.files() == {"Neu/file 1.txt": b"now", "Neu/file 2.txt": b"two", "Neu/file 3.txt": b"three"}
    assert kept(desk, "Neu", "file 1.txt") == {60: b"old"}


def test_large_ones_go_in_chunks(desk: Desk) -> None:
    large = [bytes([65 + n]) * (4 * CHUNK + n) for n in range(3)]
    (one,) = stored(opened(desk).write("", [told(large[0], b"small", large[1], data=large[2])]))
    assert kept(desk) == wanted(large[0], b"small", large[1])
    assert desk.files() == {"file 1.txt": large[2]}
    assert (one.versions, desk.uploads()) == (3, [])


@pytest.mark.parametrize(("name_bytes", "count"), [(238, 3), (239, 0), (250, 0)])
def test_a_name_that_leaves_no_room_for_versions(desk: Desk, name_bytes: int, count: int) -> None:
    """Nothing is written that the MOVE would leave behind."""
    name = "ä" * ((name_bytes - 4) // 2) + "x" * (name_bytes % 2) + ".txt"
    (one,) = stored(opened(desk).write("", [told(*SMALL, name=name)]))
    assert (one.versions, one.losses) == (count, () if count else (NOT_KEPT,))
    assert (desk.files(), len(kept(desk, name))) == ({name: b"now"}, count)
    assert desk.counts()["PUT"] == 1 + count


def test_a_file_that_became_empty(desk: Desk) -> None:
    stored(opened(desk).write("", [told(b"something", data=b"")]))
    assert (desk.files(), kept(desk)) == ({"file 1.txt": b""}, {60: b"something"})


def test_somebody_s_file_of_the_name_stays(desk: Desk) -> None:
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
    assert code(opened(desk).write("", [told(b"old")])) == "name-taken"
    assert (desk.files(), kept(desk)) == ({"file 1.txt": b"theirs"}, {})


def test_a_name_taken_meanwhile_stays_and_nothing_of_ours_does(desk: Desk) -> None:
    def take(request: Request, rest: Forward) -> Reply:
        if request.method == "MOVE":
            desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
        return rest(request)

    desk.cloud.layers = (take,)
    assert code(opened(desk).write("", [told(b"old")])) == "name-taken"
    assert (desk.files(), kept(desk)) == ({"file 1.txt": b"theirs"}, {})


def test_what_is_there_with_its_bytes_and_without_its_versions(desk: Desk) -> None:
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"now", None)
    (one,) = stored(opened(desk).write("", [told(b"old")]))
    assert (one.versions, one.losses) == (0, (NOT_KEPT,))


def test_what_replaces_a_file_of_ours_makes_one_version_by_itself(desk: Desk) -> None:
    target = opened(desk)
    (one,) = stored(target.write("", [told(b"old")]))
    again = replace(told(b"old", b"now", data=b"newer"), date=WHEN + timedelta(seconds=9), replaces=one)
    stored(target.write("", [again]))
    assert kept(desk) == {0: b"now", 60: b"old"}


def refusing(desk: Desk, data: bytes, status: int) -> None:
    def refuse(request: Request, rest: Forward) -> Reply:
        return reply(status) if request.method == "PUT" and request.body == data else rest(request)

    desk.cloud.layers = (refuse,)


@pytest.mark.parametrize("status", [400, 403, 413, 507])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_version_that_is_refused_is_left_out_and_named(desk: Desk, status: int, at: int) -> None:
    contents = [b"one", b"two", b"three"]
    refusing(desk, contents[at], status)
    (one,) = stored(opened(desk).write("", [told(*contents)]))
    rest = {age: data for age, data in wanted(*contents).items() if data != contents[at]}
    assert (kept(desk), desk.files()) == (rest, {"file 1.txt": b"now"})
    assert (one.versions, one.losses) == (2, (NOT_KEPT,))


def test_a_version_larger_than_the_quota_is_left_out(desk: Desk) -> None:
    desk.cloud.shelves["anna"].quota = 3500
    (one,) = stored(opened(desk).write("", [told(b"a" * 4000, b"b" * 3600, b"small")]))
    assert (kept(desk), desk.files(), one.versions) == ({60: b"small"}, {"file 1.txt": b"now"}, 1)
    assert desk.uploads() == []


def test_no_room_for_the_file_itself_blocks_and_is_gone_on_from(desk: Desk) -> None:
    shelf = desk.cloud.shelves["anna"]
    shelf.quota = 100
    item = told(b"old", data=b"x" * 200)
    with pytest.raises(Blocked, match="over-quota"):
        list(opened(desk).write("", [item]))
    shelf.quota = None
    stored(opened(desk).write("", [item]))
    assert (kept(desk), desk.files()) == ({60: b"old"}, {"file 1.txt": b"x" * 200})


def test_a_file_that_is_refused_leaves_nothing(desk: Desk) -> None:
    refusing(desk, b"now", 413)
    assert code(opened(desk).write("", [told(*SMALL)])) == "too-large"
    assert desk.files() == {}


def test_a_version_that_is_stored_wrong_is_left_out(desk: Desk) -> None:
    def spoil(request: Request, rest: Forward) -> Reply:
        wrong = request.method == "PUT" and request.body == b"two"
        return rest(replace(request, body=b"tow") if wrong else request)

    desk.cloud.layers = (spoil,)
    (one,) = stored(opened(desk).write("", [told(b"one", b"two", b"three")]))
    assert kept(desk) == {180: b"one", 60: b"three"}
    assert (one.versions, one.losses) == (2, (NOT_KEPT,))


def test_one_that_the_server_drops_by_itself_is_named(desk: Desk) -> None:
    def expire(request: Request, rest: Forward) -> Reply:
        answer = rest(request)
        if request.method == "MOVE":
            desk.cloud.shelves["anna"].history.forget(("file 1.txt",), NOW - 120)
        return answer

    desk.cloud.layers = (expire,)
    (one,) = stored(opened(desk).write("", [told(*SMALL)]))
    assert (one.versions, one.losses) == (2, (NOT_KEPT,))


# Whatever happens in between

SCENES: dict[str, Callable[[], list[Item]]] = {
    "small": lambda: [told(*SMALL)],
    "large": lambda: [told(b"a" * 4 * CHUNK, b"small", b"b" * 4 * CHUNK, data=b"c" * 4 * CHUNK)],
    "two": lambda: [told(b"old"), told(b"older", b"old", number=2, data=b"b")],
}


def state(desk: Desk) -> Any:
    files = desk.files()
    return files, desk.dates(), {name: kept(desk, name) for name in files}, desk.uploads()


def count_requests(desk: Desk, items: list[Item]) -> tuple[int, Any]:
    stored(opened(desk, connections=1).write("", items))
    total, found = len(desk.cloud.requests), state(desk)
    for name in found[0]:
        desk.cloud.shelves["anna"].remove((name,))
    return total, found


@pytest.mark.parametrize(
    ("scene", "after"), [("small", False), ("small", True), ("large", True), ("two", True)]
)
def test_dying_at_every_request(desk: Desk, monkeypatch: pytest.MonkeyPatch, scene: str, after: bool) -> None:
    """Of one worker, before it is sent or when its answer came; the next one knows nothing of it."""
    items = SCENES[scene]()
    total, calm = count_requests(desk, items)
    sent = HttpClient._send
    assert total > 10
    for moment in range(1, total + 1):
        left = iter(range(moment, 0, -1))

        def dying(client: HttpClient, *given: Any, left: Any = left) -> Any:
            if (this := next(left, 0)) <= 1 and not (after and this == 1):
                raise Died
            response = sent(client, *given)
            if this == 1:
                response.close()
                raise Died
            return response

        with monkeypatch.context() as patch:
            patch.setattr(HttpClient, "_send", dying)
            with pytest.raises(Died):
                list(opened(desk, connections=1).write("", items))
        stored(opened(desk).write("", items))
        assert state(desk) == calm, f"died at request {moment}"
        for name in desk.files():
            desk.cloud.shelves["anna"].remove((name,))


@pytest.mark.parametrize(
    ("scene", "fault"),
    [
        *(("small", one) for one in Fault if one is not Fault.FULL),
        ("large", Fault.LOST),
        ("large", Fault.LATE),
    ],
)
def test_every_fault_at_every_request(desk: Desk, scene: str, fault: Fault) -> None:
    items = SCENES[scene]()
    total, calm = count_requests(desk, items)
    for moment in range(1, total + 1):
        desk.cloud.layers = (Faults({("*", moment): fault}, retry_after=0),)
        for _ in range(3):
            try:
                stored(opened(desk).write("", items))
                break
            except Transient:
                continue
        assert state(desk) == calm, f"{fault} at request {moment}"
        desk.cloud.layers = ()
        for name in desk.files():
            desk.cloud.shelves["anna"].remove((name,))


def interrupted(desk: Desk, item: Item, puts: int) -> None:
    """A worker dies after so many PUTs."""
    left = iter([True] * puts)

    def lose(request: Request, rest: Forward) -> Reply:
        return rest(request) if request.method != "PUT" or next(left, False) else reply(400)

    def guard() -> None:
        if len([one for one in desk.cloud.requests if one.method == "PUT"]) > puts:
            raise LeaseLost("lease-lost", "")

    desk.cloud.requests.clear()
    desk.cloud.layers = (lose,)
    with pytest.raises(LeaseLost):
        list(desk.target(guard, versions=5).write("", [item]))
    desk.cloud.layers = ()
    assert any(name.startswith(".kogge-") for name in desk.files())


def test_a_source_that_went_on_meanwhile(desk: Desk) -> None:
    """The newest two are others by now: what was begun is no part of it."""
    interrupted(desk, told(b"one", b"two"), 2)
    stored(opened(desk).write("", [told(b"two", b"three", data=b"four")]))
    assert (kept(desk), desk.files()) == (wanted(b"two", b"three"), {"file 1.txt": b"four"})


def test_what_was_begun_and_is_of_another_is_not_gone_on_from(desk: Desk) -> None:
    interrupted(desk, told(b"one", b"two"), 2)
    (name,) = desk.files()
    desk.cloud.shelves["anna"].put((name,), b"strange", None)
    stored(opened(desk).write("", [told(b"one", b"two")]))
    assert kept(desk) == wanted(b"one", b"two")


def test_going_on_sends_nothing_twice(desk: Desk) -> None:
    interrupted(desk, told(b"one", b"two", b"three"), 2)
    desk.cloud.requests.clear()
    stored(opened(desk).write("", [told(b"one", b"two", b"three")]))
    assert [one.body for one in desk.cloud.requests if one.method == "PUT"] == [b"three", b"now"]


def test_what_nobody_goes_on_from_goes_for_good(desk: Desk) -> None:
    item = told(b"one", b"two")
    interrupted(desk, item, 2)
    (name,) = desk.files()
    target = opened(desk)
    for _ in range(2):
        stored(target.remove("", [Stored(item.key, name)]))
    assert desk.files() == {}
    gone, *_ = [one for one in desk.cloud.requests if one.method == "DELETE"]
    assert gone.headers["x-nc-skip-trashbin"] == "true"


def test_half_a_file_is_in_no_listing(desk: Desk) -> None:
    interrupted(desk, told(b"one", b"two"), 2)
    assert list(opened(desk).listing("")) == []


# Where they cannot be kept


def test_in_the_live_phase_the_newest_alone_is_written(desk: Desk) -> None:
    target = opened(desk, live=True)
    stored(target.write("", [told(*SMALL)]))
    assert (desk.files(), kept(desk)) == ({"file 1.txt": b"now"}, {})


@pytest.mark.parametrize("kind", ["webdav", "exo"])
def test_other_servers_keep_none_in_order(kind: str) -> None:
    given = {"kind": kind, "url": "https://files.example.org", "password": {"env": "X"}}
    assert FilesSettings.model_validate(given | {"versions": 0}).versions == 0
    with pytest.raises(ValidationError, match=f'versions: kind = "{kind}" keeps none in order'):
        FilesSettings.model_validate(given | {"versions": 1})


def test_a_nextcloud_whose_app_is_switched_off_is_refused(desk: Desk) -> None:
    desk.cloud.versioning = False
    assert desk.target().capabilities.versions == 0
    with pytest.raises(Misconfigured, match="files_versions"):
        _ = opened(desk).capabilities


def test_how_many_are_wanted_is_a_capability(desk: Desk) -> None:
    assert opened(desk).capabilities.versions == 5


def test_how_many_are_there(desk: Desk) -> None:
    target = opened(desk)
    assert target.versions("", "file 1.txt") is None
    stored(target.write("", [file(1)]))
    assert target.versions("", "file 1.txt") == 0
