"""Older versions of files, and the folder that they go into, at a real server; see live_files."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from live_files import WHEN, Between, Death, Desk, asked, contents, file, folder, meant, noise, stored

from connectors.files.target import FilesTarget
from connectors.webdav.propfind import IDENTIFIED
from model.errors import Transient
from model.file_versions import Older
from model.protocols import Item, Loss, Stored

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
CHUNKED = {"chunk_above": 1_000_000, "chunk_bytes": 1_000_000, "versions": 5}
SMALL = (b"one", b"two, a bit longer", b"one", b"now")
EIGHT_DAYS = 8 * 86_400
"""So far apart, none is thinned out while a test runs."""

STEPS = 15
"""Requests for a small file with three older versions."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def target(desk: Desk) -> FilesTarget:
    made = desk.target(**CHUNKED)
    if made.server().get("versions") != "yes":
        pytest.skip("this server keeps no versions in order")
    made.ensure(folder("A"))
    return made


def told(name: str, *bodies: bytes, seconds: int = EIGHT_DAYS) -> Item:
    """What it was, oldest first, so many seconds apart, and what it is."""
    dates = [WHEN - timedelta(seconds=seconds * back) for back in range(len(bodies) - 1, 0, -1)]
    older = [
        Older(hashlib.sha256(data).digest(), len(data), partial(io.BytesIO, data), date)
        for data, date in zip(bodies[:-1], dates, strict=True)
    ]
    return replace(file(name, bodies[-1]), versions=tuple(older))


def wanted(item: Item) -> dict[int, bytes]:
    return {int(one.date.timestamp()): one.body().read() for one in item.versions if one.date is not None}


def kept(desk: Desk, target: FilesTarget, name: str) -> dict[int, bytes]:
    """What the server gives of a file's older versions, by their dates."""
    there = target._reading.entry(desk.path("A", name), IDENTIFIED)
    assert there is not None
    tree = f"{desk.home.versions}{there.id}/"
    dates = {one.names[0] for one in target._reading.listed(tree) if one.names} - {str(int(WHEN.timestamp()))}
    return {int(date): desk.ask("GET", tree + date).body for date in dates}


@pytest.mark.parametrize("seconds", [1, EIGHT_DAYS])
def test_each_version_is_there_under_its_date(desk: Desk, target: FilesTarget, seconds: int) -> None:
    item = told("Akte ä.txt", *SMALL, seconds=seconds)
    for _ in range(2):
        (one,) = stored(target.write("/A", [item]))
        assert (one.versions, one.losses) == (3, ())
        assert kept(desk, target, "Akte ä.txt") == wanted(item)
        assert contents(target, "/A") == meant([item])


def test_large_versions_go_in_chunks(desk: Desk, target: FilesTarget) -> None:
    item = told("large.bin", *(noise(2_500_000, seed) for seed in range(3)))
    (one,) = stored(target.write("/A", [item]))
    assert (one.versions, kept(desk, target, "large.bin")) == (2, wanted(item))
    assert contents(target, "/A") == meant([item])


@pytest.mark.parametrize(("name_bytes", "losses"), [(238, ()), (239, (Loss("versions", "not-kept"),))])
def test_a_name_that_leaves_no_room_for_versions(
    target: FilesTarget, name_bytes: int, losses: tuple[Loss, ...]
) -> None:
    item = told("x" * (name_bytes - 4) + ".txt", *SMALL)
    (one,) = stored(target.write("/A", [item]))
    assert (one.versions, one.losses) == (0 if losses else 3, losses)
    assert contents(target, "/A") == meant([item])


@pytest.mark.parametrize("nth", range(1, STEPS + 1))
def test_it_is_gone_on_with_after_a_cut(desk: Desk, target: FilesTarget, nth: int) -> None:
    """At each request in turn; nothing of ours stays beside it."""
    item = told("a.txt", *SMALL)
    with Between(asked("FILES_URL")) as between:
        dying = desk.target(**{**CHUNKED, "url": between.url, "patience_seconds": 0})
        assert dying.capabilities.versions == 5
        between.layers = (Death(nth),)
        with pytest.raises(Transient):
            list(dying.write("/A", [item]))
    (one,) = stored(target.write("/A", [item]))
    assert (one.versions, kept(desk, target, "a.txt")) == (3, wanted(item))
    assert contents(target, "/A") == meant([item])
    assert list(target.names("/A")) == ["a.txt"]


def test_what_is_half_written_is_told_and_goes_past_the_trash_bin(desk: Desk, target: FilesTarget) -> None:
    key, half = file("a.txt").key, b"half"
    name = f".kogge-{key.hex()[:16]}.txt"
    bin_ = f"{desk.home.versions.partition('/versions/')[0]}/trashbin/{desk.home.user}/trash/"
    before = sum(1 for _ in target._reading.listed(bin_))
    item = told("a.txt", *SMALL)
    assert desk.put(half, "A", name).status == 201
    assert list(target.containers())
    assert target.leftovers() == {("/A", name, key[:8])}
    stored(target.remove("/A", [Stored(key, name, "", digest=hashlib.sha256(half).digest())]))
    assert list(target.names("/A")) == []
    assert desk.put(half, "A", name).status == 201
    stored(target.write("/A", [item]))
    assert kept(desk, target, "a.txt") == wanted(item)
    assert list(target.containers())
    assert target.leftovers() == frozenset()
    assert sum(1 for _ in target._reading.listed(bin_)) == before


def test_the_folder_of_a_row_keeps_its_id_and_one_made_anew_has_another(desk: Desk) -> None:
    def part() -> str:
        return desk.target().identity().part

    whole = part()
    if not whole:
        pytest.skip("this server tells no ids")
    named = desk.named()
    assert named.identity().part == ""
    named.ensure(folder())
    first = named.identity()
    assert first.part not in {"", whole}
    assert (first.lent, desk.named().identity().part) == (False, first.part)
    assert desk.ask("DELETE", desk.path()).ok
    assert desk.named().identity().part == ""
    desk.named().ensure(folder())
    assert desk.named().identity().part not in {"", first.part}
