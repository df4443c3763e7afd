"""Many small files in one request: only where nobody else can have put anything, and never without a word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from files_desk import WHEN, Desk, file, folder
from results import code, stored
from servers.dav.faults import Fault

from model.errors import Blocked, LeaseLost
from model.protocols import Failed, Stored
from practice.dav.proxy import Forward, Reply, Request

BULK = {"bulk_below": 1000, "bulk_items": 10}


def test_small_files_of_a_folder_made_now_go_in_one_request(desk: Desk) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    items = [file(number, f"{number}".encode() * number, f"Größe {number}.txt") for number in range(10)]
    results = stored(target.write(href, items))
    assert (desk.counts()["POST"], desk.counts()["PUT"]) == (1, 0)
    assert desk.files() == {f"New/Größe {n}.txt": f"{n}".encode() * n for n in range(10)}
    assert set(desk.dates().values()) == {int(WHEN.timestamp())}
    assert {one.href for one in results} == {one.name for one in items}
    assert stored(target.remove(href, results)) != []
    assert desk.files() == {}


def test_a_folder_that_was_there_gets_single_files(desk: Desk) -> None:
    desk.target(**BULK).ensure(folder("Old"))
    target = desk.target(**BULK)
    href = target.ensure(folder("Old"))
    desk.cloud.shelves["anna"].put(("Old", "file 1.txt"), b"theirs", None)
    assert code(target.write(href, [file(1)])) == "name-taken"
    assert code(target.write("", [file(2, name="Old")])) == "name-taken"
    assert desk.counts()["POST"] == 0


def test_in_the_live_phase_nothing_goes_in_bulk(desk: Desk) -> None:
    target = desk.target(live=True, **BULK)
    href = target.ensure(folder("New"))
    stored(target.write(href, [file(1), file(2)]))
    assert desk.counts()["POST"] == 0


def test_a_folder_whose_making_got_lost_is_not_taken_for_ours(desk: Desk) -> None:
    target = desk.target(**BULK)
    assert target.capabilities
    desk.faults({("MKCOL", 1): Fault.LOST})
    href = target.ensure(folder("New"))
    stored(target.write(href, [file(1), file(2)]))
    assert desk.counts()["POST"] == 0


def test_a_server_without_bulk_gets_single_files(desk: Desk) -> None:
    desk.cloud.bulk = False
    target = desk.target(**BULK)
    stored(target.write(target.ensure(folder("New")), [file(1), file(2)]))
    assert desk.counts()["POST"] == 0


def test_a_name_that_was_given_before_is_not_overwritten(desk: Desk) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    (old,) = stored(target.write(href, [file(1, b"one")]))
    assert code(target.write(href, [file(2, b"two", "file 1.txt")])) == "name-taken"
    moved = stored(target.write(href, [file(1, b"one", "moved.txt", replaces=old)]))
    assert code(target.write(href, [file(3, b"three", "moved.txt")])) == "name-taken"
    assert desk.files() == {"New/moved.txt": b"one"}
    assert moved[0].href == "moved.txt"


def test_a_name_that_ends_in_a_blank_goes_alone(desk: Desk) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    items = [file(number, name=name) for number, name in enumerate(("a ", "a", " b", "c\N{NO-BREAK SPACE}"))]
    stored(target.write(href, items))
    assert set(desk.files()) == {f"New/{one.name}" for one in items}
    assert desk.counts()["PUT"] == 2


def test_one_name_twice_in_a_batch_is_one_file(desk: Desk) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    results = list(target.write(href, [file(1, b"one", "x"), file(2, b"two", "x")]))
    assert sorted(type(one).__name__ for one in results) == ["Failed", "Stored"]
    assert desk.files() == {"New/x": b"one"}


def test_replacing_is_never_done_in_bulk(desk: Desk) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    (old,) = stored(target.write(href, [file(1, b"one")]))
    posts = desk.counts()["POST"]
    stored(target.write(href, [file(1, b"two", replaces=old)]))
    assert desk.counts()["POST"] == posts


@pytest.mark.parametrize("nth", range(5))
def test_what_comes_after_a_part_that_was_damaged_is_sent_again(desk: Desk, nth: int) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))

    def damages(request: Request, rest: Forward) -> Reply:
        body = request.body.replace(f"bytes {nth}".encode(), b"damaged", 1)
        return rest(replace(request, body=body) if request.method == "POST" else request)

    desk.cloud.layers = (damages,)
    stored(target.write(href, [file(number, f"bytes {number}".encode()) for number in range(5)]))
    assert desk.files() == {f"New/file {number}.txt": f"bytes {number}".encode() for number in range(5)}
    assert desk.counts()["PUT"] == 5 - nth


@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.FULL])
def test_a_request_that_gets_lost_leaves_each_file_once(desk: Desk, fault: Fault) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    desk.faults({("POST", 1): fault})
    stored(target.write(href, [file(number) for number in range(5)]))
    assert desk.files() == {f"New/file {number}.txt": b"content" for number in range(5)}
    assert set(desk.dates().values()) == {int(WHEN.timestamp())}


def test_names_that_a_bulk_upload_would_let_through_are_refused(desk: Desk) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    items = [file(1), file(2, name="x.part"), file(3, name="y" * 251), file(4, name=".htaccess"), file(5)]
    results = list(target.write(href, items))
    assert {one.key for one in results if isinstance(one, Stored)} == {items[0].key, items[4].key}
    assert {one.error.code for one in results if isinstance(one, Failed)} == {"name-not-allowed"}
    assert sorted(desk.files()) == ["New/file 1.txt", "New/file 5.txt"]


def test_no_room_blocks(desk: Desk) -> None:
    target = desk.target(**BULK)
    href = target.ensure(folder("New"))
    desk.cloud.shelves["anna"].quota = 10
    with pytest.raises(Blocked, match="over-quota"):
        list(target.write(href, [file(1, b"x" * 8), file(2, b"y" * 8)]))
    assert desk.files() == {"New/file 1.txt": b"x" * 8}


def test_a_lost_lease_sends_nothing(desk: Desk) -> None:
    calls = iter(range(100))

    def lost() -> None:
        if next(calls) >= 3:  # the folder is made, and the request begun
            raise LeaseLost("lease-lost")

    target = desk.target(lost, **{**BULK, "bulk_below": 1_000_000})
    href = target.ensure(folder("New"))
    with pytest.raises(LeaseLost):
        list(target.write(href, [file(number, b"x" * 200_000) for number in range(5)]))
    assert desk.files() == {}


def test_groups_are_no_larger_than_they_may_be(desk: Desk) -> None:
    target = desk.target(bulk_below=90_000, bulk_bytes=100_000)
    href = target.ensure(folder("New"))
    stored(target.write(href, [file(number, b"x" * 40_000) for number in range(5)]))
    posts = [len(request.body) for request in desk.cloud.requests if request.method == "POST"]
    assert len(posts) == 3
    assert max(posts) < 90_000
