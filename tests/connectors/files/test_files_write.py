"""Writing single files into a practice Nextcloud: what is there stays, what got lost is settled."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from files_desk import WHEN, Desk, file, folder
from results import code, stored
from servers.dav.faults import Fault

from model.errors import Blocked, MigrationError, Transient
from model.protocols import Failed, Stored
from practice.dav.proxy import Forward, Reply, Request
from practice.nextcloud.files import NextcloudFiles


def test_a_file_has_its_bytes_its_name_and_its_date(desk: Desk) -> None:
    target = desk.target()
    (one,) = stored(target.write("", [file(1, b"abc", "Größe & Maß.txt")]))
    assert desk.files() == {"Größe & Maß.txt": b"abc"}
    assert desk.dates() == {"Größe & Maß.txt": int(WHEN.timestamp())}
    assert (one.href, one.via) == ("Größe & Maß.txt", False)
    shelf = desk.cloud.shelves["anna"]
    assert one.version == shelf.etag(shelf.real(("Größe & Maß.txt",)))


def test_an_empty_file_is_a_file(desk: Desk) -> None:
    target = desk.target()
    stored(target.write("", [file(1, b"")]))
    assert desk.files() == {"file 1.txt": b""}
    assert [one.size for one in target.listing("")] == [0]


def test_what_somebody_else_put_there_is_never_overwritten(desk: Desk) -> None:
    target = desk.target()
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
    assert code(target.write("", [file(1, b"ours")])) == "name-taken"
    assert desk.files() == {"file 1.txt": b"theirs"}


def test_the_same_bytes_that_are_there_already_have_arrived(desk: Desk) -> None:
    target = desk.target()
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"same", None)
    stored(target.write("", [file(1, b"same")]))
    assert desk.dates() == {"file 1.txt": int(WHEN.timestamp())}
    assert desk.cloud.shelves["anna"].history.dates(("file 1.txt",)) == []


def test_a_folder_of_the_name_is_no_file(desk: Desk) -> None:
    target = desk.target()
    target.ensure(folder("file 1.txt"))
    assert code(target.write("", [file(1)])) == "name-taken"


PASSING = [
    Fault.LOST,
    Fault.CUT,
    Fault.UNSENT,
    Fault.BUSY,
    Fault.LATE,
    Fault.LIMIT,
    Fault.LOCKED,
    Fault.BROKEN,
    Fault.PAGE,
]


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("method", ["PUT", "PROPFIND", "PATCH"])
def test_a_passing_fault_leaves_one_file(desk: Desk, fault: Fault, method: str) -> None:
    target = desk.target()
    made = target.capabilities
    assert made.files is not None
    desk.faults({(method, 1): fault, ("PUT", 1): Fault.LOST if method != "PUT" else fault})
    stored(target.write("", [file(1, b"abc")]))
    assert desk.files() == {"file 1.txt": b"abc"}
    assert desk.dates() == {"file 1.txt": int(WHEN.timestamp())}


def test_a_date_that_the_server_refuses_is_the_earliest_it_takes(desk: Desk) -> None:
    target = desk.target()
    stored(target.write("", [file(1, date=datetime(1960, 1, 1, tzinfo=UTC)), file(2, date=None)]))
    assert desk.dates()["file 1.txt"] == 86_401


def test_a_500_that_wrote_the_file_with_todays_date_is_settled(desk: Desk) -> None:
    """Nextcloud answers 500 for a date it refuses, and keeps the file."""
    target = desk.target()
    assert target.capabilities

    def refuses_dates(request: Request, rest: Forward) -> Reply:
        if request.method != "PUT":
            return rest(request)
        headers = request.headers.copy()
        headers["X-OC-MTime"] = "1"
        return rest(replace(request, headers=headers))

    desk.cloud.layers = (refuses_dates,)
    stored(target.write("", [file(1, b"abc")]))
    assert desk.files() == {"file 1.txt": b"abc"}
    assert desk.dates() == {"file 1.txt": int(WHEN.timestamp())}


def test_no_room_blocks(desk: Desk, cloud: NextcloudFiles) -> None:
    cloud.shelves["anna"].quota = 10
    with pytest.raises(Blocked, match="over-quota"):
        list(desk.target().write("", [file(1, b"x" * 11)]))
    assert desk.files() == {}


def test_a_file_that_cannot_fit_is_not_even_sent(desk: Desk, cloud: NextcloudFiles) -> None:
    cloud.shelves["anna"].quota = 9_000_000
    with pytest.raises(Blocked, match="over-quota"):
        list(desk.target(chunk_above=100_000_000).write("", [file(1, bytes(10_000_000))]))
    assert desk.counts()["PUT"] == 0


def test_what_the_server_spoils_is_not_left_there(desk: Desk) -> None:
    target = desk.target()
    assert target.capabilities

    def spoils(request: Request, rest: Forward) -> Reply:
        return rest(replace(request, body=b"spoilt!") if request.method == "PUT" else request)

    desk.cloud.layers = (spoils,)
    assert code(target.write("", [file(1, b"content")])) == "hash-mismatch"
    assert desk.files() == {}


def test_a_file_spoilt_once_is_written_again(desk: Desk) -> None:
    target = desk.target()
    assert target.capabilities
    seen: list[str] = []

    def spoils_one(request: Request, rest: Forward) -> Reply:
        if request.method == "PUT":
            seen.append(request.path)
        spoilt = request.method == "PUT" and len(seen) == 1
        return rest(replace(request, body=b"spoilt!") if spoilt else request)

    desk.cloud.layers = (spoils_one,)
    stored(target.write("", [file(1, b"content")]))
    assert desk.files() == {"file 1.txt": b"content"}


@pytest.mark.parametrize("size", [7, 400_000, 2000])
def test_bytes_that_are_not_what_was_hashed_are_not_written(desk: Desk, size: int) -> None:
    target = desk.target(chunk_above=3000 if size == 2000 else 10_000_000, patience_seconds=1)
    good = file(1, b"x" * size)
    for body in (b"y" * size, b"x" * (size - 1), b"x" * size + b"z"):
        if len(body) > size > 300_000:
            continue  # of a long body no more is read than it has
        with pytest.raises(Transient, match="body-changed"):
            list(target.write("", [replace(good, body=lambda body=body: io.BytesIO(body))]))
    assert desk.files() == {}


def test_a_new_version_replaces_the_old_one(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    (new,) = stored(target.write("", [file(1, b"two", replaces=old)]))
    assert desk.files() == {"file 1.txt": b"two"}
    assert new.version != old.version


def test_in_staging_what_changed_in_between_is_repaired(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"changed", None)
    stored(target.write("", [file(1, b"two", replaces=old)]))
    assert desk.files() == {"file 1.txt": b"two"}


def test_a_new_name_is_a_move_and_no_second_upload(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    before = desk.counts()["PUT"]
    (new,) = stored(target.write("", [file(1, b"one", "other.txt", replaces=old)]))
    assert desk.files() == {"other.txt": b"one"}
    assert desk.counts()["PUT"] == before
    assert new.href == "other.txt"


@pytest.mark.parametrize("fault", PASSING)
def test_a_move_that_gets_lost_is_settled(desk: Desk, fault: Fault) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    desk.faults({("MOVE", 1): fault})
    stored(target.write("", [file(1, b"two", "other.txt", replaces=old)]))
    assert desk.files() == {"other.txt": b"two"}


def test_a_move_that_was_done_before_goes_on_with_the_bytes(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    stored(target.write("", [file(1, b"one", "other.txt", replaces=old)]))
    stored(target.write("", [file(1, b"two", "other.txt", replaces=old)]))
    assert desk.files() == {"other.txt": b"two"}


def test_what_has_the_old_name_and_is_not_ours_stays(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
    told = replace(old, digest=file(1, b"one").digest)
    stored(target.write("", [file(1, b"two", "other.txt", replaces=told)]))
    assert desk.files() == {"file 1.txt": b"theirs", "other.txt": b"two"}


def test_neither_of_two_strangers_is_touched(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    for name in ("file 1.txt", "other.txt"):
        desk.cloud.shelves["anna"].put((name,), b"theirs", None)
    assert code(target.write("", [file(1, b"two", "other.txt", replaces=old)])) == "name-taken"
    assert desk.files() == {"file 1.txt": b"theirs", "other.txt": b"theirs"}


def test_a_folder_that_has_the_old_name_stays(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    desk.cloud.shelves["anna"].remove(("file 1.txt",))
    target.ensure(folder("file 1.txt", "in"))
    stored(target.write("", [file(1, b"two", "other.txt", replaces=old)]))
    assert desk.files() == {"other.txt": b"two"}
    assert {one.id for one in desk.target().containers()} == {"", "/file 1.txt", "/file 1.txt/in"}


@pytest.mark.parametrize("bytes_", [b"one", b"two"])
def test_what_is_ours_moves_although_its_etag_changed(desk: Desk, bytes_: bytes) -> None:
    """Or although a worker died after it had written the new bytes under the old name."""
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    desk.cloud.shelves["anna"].put(("file 1.txt",), bytes_, None)
    told = replace(old, digest=file(1, b"one").digest)
    stored(target.write("", [file(1, b"two", "other.txt", replaces=told)]))
    assert desk.files() == {"other.txt": b"two"}


def test_a_move_onto_something_else_is_refused(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    desk.cloud.shelves["anna"].put(("other.txt",), b"theirs", None)
    assert code(target.write("", [file(1, b"one", "other.txt", replaces=old)])) == "name-taken"
    assert desk.files() == {"file 1.txt": b"one", "other.txt": b"theirs"}


def test_a_new_date_alone_sends_no_bytes(desk: Desk) -> None:
    target = desk.target()
    (old,) = stored(target.write("", [file(1, b"one")]))
    later = datetime(2022, 1, 1, tzinfo=UTC)
    before = desk.counts()["PUT"]
    (new,) = stored(target.write("", [file(1, b"one", replaces=old, date=later)]))
    assert desk.dates() == {"file 1.txt": int(later.timestamp())}
    assert desk.counts()["PUT"] == before
    assert stored(target.remove("", [new])) == [new]


def test_what_was_somebody_elses_is_not_replaced(desk: Desk) -> None:
    target = desk.target()
    desk.cloud.shelves["anna"].put(("file 1.txt",), b"theirs", None)
    via = Stored(file(1).key, "file 1.txt", via=True)
    assert code(target.write("", [file(1, b"ours", replaces=via)])) == "name-taken"
    (same,) = stored(target.write("", [file(1, b"theirs", replaces=via)]))
    assert same.via
    assert code(target.remove("", [same])) == "cannot-remove"


def test_in_the_live_phase_nothing_is_replaced_or_moved(desk: Desk) -> None:
    (old,) = stored(desk.target().write("", [file(1, b"one")]))
    live = desk.target(live=True)
    assert code(live.write("", [file(1, b"two", replaces=old)])) == "changed-at-target"
    assert code(live.write("", [file(1, b"one", "other.txt", replaces=old)])) == "changed-at-target"
    assert stored(live.write("", [file(1, b"one", replaces=old)])) == [old]
    with pytest.raises(Blocked, match="live-phase"):
        live.stamp("", WHEN)
    stored(live.write("", [file(2, b"new")]))
    assert desk.files() == {"file 1.txt": b"one", "file 2.txt": b"new"}


@pytest.mark.parametrize(
    "name", ["a.part", ".htaccess", "a\\b", "x" * 251, "e\u0301.txt", "..", "a/b", "a\nb"]
)
def test_a_name_that_the_server_refuses_is_not_sent(desk: Desk, name: str) -> None:
    target = desk.target()
    assert code(target.write("", [file(1, b"x", name)])) == "name-not-allowed"
    assert desk.counts()["PUT"] == 0


def test_a_folder_that_is_gone_blocks(desk: Desk) -> None:
    target = desk.target()
    with pytest.raises(Blocked, match="container-missing"):
        list(target.write("/gone", [file(1)]))


def test_removing_takes_what_was_written_and_nothing_that_changed(desk: Desk) -> None:
    target = desk.target()
    one, two = stored(target.write("", [file(1), file(2)]))
    desk.cloud.shelves["anna"].put((two.href,), b"changed since", None)
    results = {one.key: one for one in target.remove("", [one, two])}
    assert isinstance(results[one.key], Stored)
    failed = results[two.key]
    assert isinstance(failed, Failed)
    assert failed.error.code == "changed-at-target"
    assert desk.files() == {two.href: b"changed since"}


def test_what_has_the_bytes_that_were_written_is_ours_whatever_its_etag(desk: Desk) -> None:
    target = desk.target()
    one, two, three = stored(target.write("", [file(1), file(2), file(3)]))
    desk.cloud.shelves["anna"].touch((one.href,), "1600000000")
    desk.cloud.shelves["anna"].put((two.href,), b"changed", None)
    told = [replace(each, digest=file(1).digest) for each in (one, two, replace(three, version=""))]
    results = {each.key: each for each in target.remove("", told)}
    assert {key for key, each in results.items() if isinstance(each, Failed)} == {two.key}
    assert desk.files() == {two.href: b"changed"}


def test_what_is_gone_is_removed(desk: Desk) -> None:
    target = desk.target()
    one, two = stored(target.write("", [file(1), file(2)]))
    told = [one, replace(two, version="", digest=file(2).digest)]
    for _ in range(2):
        assert len(stored(target.remove("", told))) == 2
    assert desk.files() == {}


@pytest.mark.parametrize("fault", PASSING)
def test_a_removal_that_gets_lost_is_settled(desk: Desk, fault: Fault) -> None:
    target = desk.target()
    told = stored(target.write("", [file(1)]))
    desk.faults({("DELETE", 1): fault})
    assert stored(target.remove("", told)) == told
    assert desk.files() == {}


def test_no_error_tells_a_name(desk: Desk) -> None:
    target = desk.target()
    secret = "Kündigung Meier.docx"
    desk.cloud.shelves["anna"].put((secret,), b"theirs", None)
    errors: list[MigrationError] = [
        one.error for one in target.write("", [file(1, b"x", secret)]) if isinstance(one, Failed)
    ]
    for attempt in (
        lambda: list(target.write("/Kündigung", [file(1)])),
        lambda: target.position("/Kündigung"),
    ):
        with pytest.raises(Blocked) as caught:
            attempt()
        errors.append(caught.value)
    assert errors
    assert not any("ndigung" in str(error) + repr(error) for error in errors)
