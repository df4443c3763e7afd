"""Whatever goes wrong, wherever, and whenever a worker starts anew: the same files, each once."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from files_desk import WHEN, Desk, file, folder
from servers.dav.faults import Fault, Faults

from model.errors import Blocked, Transient
from model.protocols import Failed, Item, Stored

PASSING = [one for one in Fault if one is not Fault.FULL]
SETTINGS = {"bulk_below": 1000, "bulk_items": 4, "patience_seconds": 3}


def versions() -> tuple[list[Item], list[Item]]:
    """Small, middle and large files; and what they become: some changed, some renamed, some both."""
    sizes = [0, 10, 999, 1000, 2500, 3001, 5000, 20, 30, 40]
    first = [file(n, bytes([65 + n]) * size, f"Größe {n}.txt") for n, size in enumerate(sizes)]
    later = [
        file(0, b"no longer empty", "Größe 0.txt"),
        file(1, b"x" * 4000, "Größe 1.txt"),
        file(2, bytes([67]) * 999, "umbenannt.txt"),
        file(5, b"kurz", "auch umbenannt.txt"),
        file(6, bytes([71]) * 5000, "lang umbenannt.txt"),
    ]
    return first, later


def all_written(desk: Desk, items: list[Item], known: dict[bytes, Stored]) -> int:
    """Writes what is still to be written until nothing is, with a new target after each fault that was not
    waited out; returns how many there were."""
    for attempt in range(60):
        target = desk.target(**SETTINGS)
        waiting = [
            item if item.key not in known else file_again(item, known[item.key])
            for item in items
            if (old := known.get(item.key)) is None or (old.digest, old.href) != (item.digest, item.name)
        ]
        try:
            href = target.ensure(folder("Ordner"))
            for result in target.write(href, waiting):
                assert not isinstance(result, Failed), result
                digest = next(item.digest for item in items if item.key == result.key)
                known[result.key] = Stored(result.key, result.href, result.version, digest=digest)
            return attempt
        except Transient:
            continue
        finally:
            target.close()
    raise AssertionError("it never ends")


def file_again(item: Item, old: Stored) -> Item:
    with item.body() as stream:
        data = stream.read()
    number = int(next(n for n in range(10) if file(n).key == item.key))
    return file(number, data, item.name, replaces=old)


@pytest.mark.parametrize("seed", range(25))
def test_any_faults_at_any_requests(desk: Desk, seed: int) -> None:
    dice = Random(seed)
    script = {("*", number): dice.choice(PASSING) for number in range(1, 400) if dice.random() < 0.15}
    faults = Faults(script, retry_after=0)
    desk.cloud.layers = (faults,)
    first, later = versions()
    known: dict[bytes, Stored] = {}
    all_written(desk, first, known)
    all_written(desk, later, known)
    desk.cloud.layers = ()
    changed = {item.key: item for item in later}
    wanted = {}
    for item in first:
        last = changed.get(item.key, item)
        with last.body() as stream:
            wanted[f"Ordner/{last.name}"] = stream.read()
    assert desk.files() == wanted
    assert set(desk.dates().values()) == {int(WHEN.timestamp())}
    assert desk.uploads() == []
    assert faults.struck


def test_a_full_account_blocks_at_any_request_and_goes_on_when_there_is_room(desk: Desk) -> None:
    first, _ = versions()
    for number in range(1, 30):
        desk.cloud.layers = (Faults({("*", number): Fault.FULL}),)
        target = desk.target(**SETTINGS)
        with suppress(Blocked):
            list(target.write(target.ensure(folder(f"Ordner {number}")), first))
        target.close()
        desk.cloud.layers = ()
        fresh = desk.target(**SETTINGS)
        results = list(fresh.write(fresh.ensure(folder(f"Ordner {number}")), first))
        assert all(isinstance(one, Stored) for one in results)
        assert len([path for path in desk.files() if path.startswith(f"Ordner {number}/")]) == len(first)
