"""What a real server does with files; see live_files."""

from __future__ import annotations

import hashlib
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from live_files import (
    WHEN,
    Between,
    Death,
    Desk,
    asked,
    codes,
    contents,
    file,
    folder,
    meant,
    noise,
    stored,
)
from servers.dav.faults import Fault, Faults

from connectors.files.target import FilesTarget
from connectors.webdav.names import takes
from model.errors import Blocked, Transient
from model.protocols import Failed, Role, Stored
from practice.drive.drive_names import FOLDERS, NAMES

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
CHUNK = 1_000_000
LARGE = 3 * CHUNK
DATA = noise(4 * CHUNK + 250_000)
PARTS = 5
CHUNKED = {"chunk_above": LARGE, "chunk_bytes": CHUNK}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def target(desk: Desk) -> FilesTarget:
    made = desk.target(**CHUNKED)
    made.ensure(folder("A"))
    return made


@pytest.fixture
def between() -> Iterator[Between]:
    with Between(asked("FILES_URL")) as proxy:
        yield proxy


def test_the_account_is_found(target: FilesTarget) -> None:
    assert target.identity() == target.identity()
    assert all(len(value) < 100 for value in target.server().values())
    roots = [one for one in target.containers() if one.role is Role.FILES]
    assert [one.path for one in roots] == [("",)]


def test_files_of_all_sizes_come_back_as_they_were(target: FilesTarget) -> None:
    """Empty, whole in one piece, streamed, and in chunks."""
    sizes = (0, 1, 10_000, 300_000, LARGE, LARGE + 1, len(DATA))
    items = [file(f"{size}.bin", noise(size, size)) for size in sizes]
    stored(target.write("/A", items))
    assert contents(target, "/A") == meant(items)
    told = dict(target.digests("/A", [str(one.name) for one in items]))
    assert told == {str(one.name): one.digest for one in items}


def test_many_small_files_in_bulk(desk: Desk, between: Between) -> None:
    target = desk.target(url=between.url, bulk_below=100_000, bulk_items=25)
    if target.server().get("bulk") != "yes":
        pytest.skip("this server takes no bulk uploads")
    target.ensure(folder("A"))
    items = [file(f"Datei {number} ä€🦄.txt", noise(number * 50, number)) for number in range(75)]
    between.requests.clear()
    stored(target.write("/A", items))
    assert [one.method for one in between.requests] == ["POST"] * 3
    assert contents(target, "/A") == meant(items)
    assert len(stored(target.write("/A", items))) == len(items)
    assert contents(target, "/A") == meant(items)


def test_bulk_never_touches_what_was_there(desk: Desk) -> None:
    first = desk.target()
    first.ensure(folder("A"))
    assert desk.put(b"by its user", "A", "x.txt").status == 201
    target = desk.target(bulk_below=100_000)
    target.ensure(folder("A"))
    assert sorted(codes(target.write("/A", [file("x.txt"), file("y.txt")]))) == ["", "name-taken"]
    assert contents(target, "/A")["x.txt"][0] == hashlib.sha256(b"by its user").digest()


@pytest.mark.parametrize("bulk", [0, 100_000])
def test_names_that_people_give(desk: Desk, bulk: int) -> None:
    """What it says it takes comes back under the very name; what not, the server refuses too."""
    target = desk.target(bulk_below=bulk)
    target.ensure(folder("A"))
    rules = target.capabilities.files
    assert rules is not None
    names = dict.fromkeys(unicodedata.normalize("NFC", name) for name in NAMES)
    good = [name for name in names if takes(name, rules)]
    items = [file(name, name.encode()) for name in good]
    stored(target.write("/A", items))
    assert contents(target, "/A") == meant(items)
    bad = [name for name in names if name not in good]
    assert set(codes(target.write("/A", [file(name) for name in bad]))) <= {"name-not-allowed"}
    refused = [name for name in bad if desk.put(b"x", "A", name).ok]
    assert refused == []


def test_folders_with_names_that_people_give(desk: Desk) -> None:
    target = desk.target()
    rules = target.capabilities.files
    assert rules is not None
    names = dict.fromkeys(unicodedata.normalize("NFC", name) for name in FOLDERS)
    good = [name for name in names if takes(name, rules)]
    for name in good:
        target.ensure(folder(name, name))
    found = {one.path for one in desk.target().containers()}
    assert found == {("",), *(("", name) for name in good), *(("", name, name) for name in good)}


def test_two_forms_of_one_name_are_one_file(desk: Desk, target: FilesTarget) -> None:
    """Decomposed and composed: what was written first stays."""
    name = "Größe.txt"
    decomposed = unicodedata.normalize("NFD", name)
    rules = target.capabilities.files
    assert rules is not None
    if not rules.composed:
        pytest.skip("this server keeps both")
    stored(target.write("/A", [file(name, b"first")]))
    assert desk.put(b"second", "A", decomposed, If_None_Match="*").status == 412
    assert codes(target.write("/A", [file(decomposed, b"second")])) == ["name-not-allowed"]
    assert contents(target, "/A") == meant([file(name, b"first")])


def test_names_of_250_bytes_and_of_more(desk: Desk, target: FilesTarget) -> None:
    rules = target.capabilities.files
    assert rules is not None
    long = "ü" * ((rules.bytes - 4) // 2) + ".txt"
    stored(target.write("/A", [file(long)]))
    assert set(contents(target, "/A")) == {long}
    assert codes(target.write("/A", [file(f"üü{long}")])) == ["name-not-allowed"]
    assert not desk.put(b"x", "A", f"üü{long}").ok


def test_a_deep_path(target: FilesTarget) -> None:
    names = tuple(f"Ebene {depth}" for depth in range(60))
    href = target.ensure(folder(*names))
    stored(target.write(href, [file("unten.txt")]))
    assert set(contents(target, href)) == {"unten.txt"}
    assert ("", *names) in {one.path for one in target.containers()}


def test_dates_of_files(target: FilesTarget) -> None:
    dates = {
        "1995.txt": datetime(1995, 1, 1, 12, tzinfo=UTC),
        "2038.txt": datetime(2038, 2, 1, tzinfo=UTC),
        "2100.txt": datetime(2100, 1, 1, tzinfo=UTC),
        "1969.txt": datetime(1969, 7, 20, tzinfo=UTC),
    }
    stored(target.write("/A", [file(name, date=date) for name, date in dates.items()]))
    found = {one.href: one.date for one in target.listing("/A")}
    oldest = found.pop("1969.txt")
    assert found == {name: date for name, date in dates.items() if name != "1969.txt"}
    assert oldest is not None
    assert oldest < datetime(1970, 1, 3, tzinfo=UTC)


def test_dates_of_folders_last(target: FilesTarget) -> None:
    target.ensure(folder("A", "B"))
    stored(target.write("/A/B", [file("x.txt")]))
    dates = {"/A/B": WHEN, "/A": WHEN + timedelta(days=1)}
    for href, date in dates.items():
        assert target.stamp(href, date) == ()
    found = {one.id: one.modified for one in target.containers()}
    assert {href: found[href] for href in dates} == dates


def test_what_is_there_is_never_overwritten(desk: Desk, target: FilesTarget) -> None:
    for size in (20, len(DATA)):
        name = f"{size}.bin"
        assert desk.put(b"by its user", "A", name).status == 201
        assert codes(target.write("/A", [file(name, noise(size))])) == ["name-taken"]
        assert contents(target, "/A")[name][0] == hashlib.sha256(b"by its user").digest()


def test_the_same_bytes_are_written_once(target: FilesTarget) -> None:
    items = [file("small.txt"), file("large.bin", DATA)]
    first = stored(target.write("/A", items))
    again = stored(target.write("/A", items))
    assert {one.href: one.version for one in again} == {
        entry.names[0]: entry.etag for entry in target._tree.files("/A")
    }
    assert {one.href for one in first} == {one.href for one in again}


def test_a_new_version_replaces_the_old(target: FilesTarget) -> None:
    old = {one.href: one for one in stored(target.write("/A", [file("a.txt"), file("b.bin", DATA)]))}
    later = WHEN + timedelta(days=400)
    items = [
        file("a.txt", b"newer", date=later, replaces=old["a.txt"]),
        file("b.bin", noise(len(DATA), 2), date=later, replaces=old["b.bin"]),
    ]
    stored(target.write("/A", items))
    assert contents(target, "/A") == meant(items)


def test_a_new_version_with_a_new_name_moves(target: FilesTarget) -> None:
    (old,) = stored(target.write("/A", [file("old.txt")]))
    item = file("new ä.txt", b"newer", replaces=old)
    stored(target.write("/A", [item]))
    assert contents(target, "/A") == meant([item])


def test_the_live_phase_only_adds(desk: Desk, target: FilesTarget) -> None:
    old = {one.href: one for one in stored(target.write("/A", [file("mine.txt"), file("changed.txt")]))}
    mine, changed = old["mine.txt"], old["changed.txt"]
    assert desk.put(b"by its user", "A", "changed.txt").status == 204
    careful = desk.target(live=True, bulk_below=100_000)
    assert codes(careful.write("/A", [file("changed.txt", b"v2", replaces=changed)])) == ["changed-at-target"]
    assert codes(careful.write("/A", [file("mine.txt", b"v2", replaces=mine)])) == ["changed-at-target"]
    assert codes(careful.write("/A", [file("new.txt")])) == [""]
    with pytest.raises(Blocked, match="live-phase"):
        list(careful.remove("/A", [mine]))
    found = contents(target, "/A")
    assert found["changed.txt"][0] == hashlib.sha256(b"by its user").digest()
    assert found["mine.txt"] == meant([file("mine.txt")])["mine.txt"]
    assert "new.txt" in found


def test_what_was_written_is_removed_and_nothing_else(desk: Desk, target: FilesTarget) -> None:
    items = [file("a.txt"), file("b.txt"), file("c.txt")]
    old = {one.href: one for one in stored(target.write("/A", items))}
    assert desk.put(b"by its user", "A", "b.txt").status == 204
    digests = {str(one.name): one.digest for one in items}
    leaving = [replace(old[name], digest=digest) for name, digest in digests.items()]
    results = {
        one.href if isinstance(one, Stored) else one.error.code for one in target.remove("/A", leaving)
    }
    assert results == {"a.txt", "c.txt", "changed-at-target"}
    assert set(contents(target, "/A")) == {"b.txt"}
    assert codes(target.remove("/A", [leaving[0]])) == [""]


def test_a_folder_gets_another_name(target: FilesTarget) -> None:
    stored(target.write("/A", [file("x.txt")]))
    assert target.rename("/A", folder("B ä")) == "/B ä"
    assert target.rename("/A", folder("B ä")) == "/B ä"
    assert set(contents(target, "/B ä")) == {"x.txt"}


def test_two_workers_write_the_same_at_once(desk: Desk, target: FilesTarget) -> None:
    """A file that another request writes is locked (423); that passes."""
    items = [
        file("large.bin", DATA),
        file("middle.bin", noise(LARGE)),
        *(file(f"{n}.txt") for n in range(20)),
    ]
    second = desk.target(**CHUNKED)
    assert second.capabilities
    results: list[list[str]] = []
    thread = threading.Thread(target=lambda: results.append(codes(second.write("/A", items))))
    thread.start()
    results.append(codes(target.write("/A", items)))
    thread.join()
    assert results == [[""] * len(items)] * 2
    assert contents(target, "/A") == meant(items)


@pytest.mark.parametrize("nth", range(1, PARTS + 5))
def test_an_upload_is_gone_on_with_after_a_cut(desk: Desk, between: Between, nth: int) -> None:
    """At each of its requests in turn: what arrived is not sent again."""
    calm = desk.target()
    if not desk.home.uploads:
        pytest.skip("this server takes no chunks")
    calm.ensure(folder("A"))
    dying = desk.target(url=between.url, patience_seconds=0, **CHUNKED)
    assert dying.capabilities
    between.layers = (Death(nth),)
    with pytest.raises(Transient):
        list(dying.write("/A", [file("large.bin", DATA)]))
    between.layers = ()
    between.requests.clear()
    stored(desk.target(url=between.url, **CHUNKED).write("/A", [file("large.bin", DATA)]))
    chunks = [one for one in between.requests if one.method == "PUT"]
    steps = 4 + PARTS
    assert len(chunks) == (0 if nth == steps else PARTS - max(0, min(PARTS, nth - 3)))
    assert contents(calm, "/A") == meant([file("large.bin", DATA)])


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Fault.LATE, Fault.BUSY, Fault.LOCKED, Fault.PAGE])
@pytest.mark.parametrize("method", ["PUT", "MKCOL", "MOVE", "PROPFIND"])
def test_a_passing_fault_leaves_one_whole_file(
    desk: Desk, between: Between, fault: Fault, method: str
) -> None:
    calm = desk.target()
    calm.ensure(folder("A"))
    target = desk.target(url=between.url, **CHUNKED)
    assert target.capabilities
    between.layers = (Faults({(method, 1): fault}),)
    items = [file("large.bin", DATA), file("small.txt")]
    stored(target.write("/A", items))
    assert contents(calm, "/A") == meant(items)


def test_a_full_account_is_told_before_the_bytes_go(tmp_path: Path) -> None:
    full = Desk(tmp_path, who="FULL_")
    try:
        for more in ({}, {"chunk_above": 5_000_000, "chunk_bytes": 5_000_000}):
            target = full.target(**more)
            target.ensure(folder("A"))
            quota = target.quota()
            assert quota is not None
            with pytest.raises(Blocked, match="over-quota"):
                list(target.write("/A", [file("large.bin", noise(quota[1] - quota[0] + 1))]))
            assert list(target.listing("/A")) == []
        _fill(full)
    finally:
        full.close()


def _fill(full: Desk) -> None:
    """Small files, in bulk, until there is no more room: those that are told are there."""
    target = full.target(bulk_below=1_000_000)
    target.ensure(folder("B"))
    quota = target.quota()
    assert quota is not None
    items = [file(f"{n}.bin", noise(900_000, n)) for n in range((quota[1] - quota[0]) // 900_000 + 5)]
    told: list[Stored | Failed] = []
    with pytest.raises(Blocked, match="over-quota"):
        told.extend(target.write("/B", items))
    assert {one.href for one in stored(told)} <= set(contents(target, "/B"))
    there = contents(target, "/B")
    assert there == {name: value for name, value in meant(items).items() if name in there}


def test_the_server_hashes_what_it_stores(desk: Desk, target: FilesTarget) -> None:
    """On the way in when asked, and later again; a checksum that a client only claims is not believed."""
    if desk.target()._profile.hashes is False:
        pytest.skip("this server hashes nothing")
    digest = hashlib.sha256(b"content").hexdigest()
    answer = desk.put(b"content", "A", "x.txt", X_Hash="sha256", OC_Checksum=f"SHA256:{'0' * 64}")
    assert (answer.status, answer.headers["x-hash-sha256"]) == (201, digest)
    assert dict(target.digests("/A", ["x.txt"])) == {"x.txt": bytes.fromhex(digest)}
