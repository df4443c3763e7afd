"""The name that each file gets in a folder where names are taken already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.spool import bytes_body
from engine.files.file_names import TAKEN, Names
from model.file_names import FileNames
from model.kinds import Kind
from model.protocols import Item, Mapped, key_of

FOLDING = FileNames(fold=True)
EMPTY = bytes_body(b"")
MINE, OTHER = key_of("mine"), key_of("other")


class Asked(dict[str, Any]):
    """A folder of 100,000 names is asked for one of them, never gone through."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("gone through")

    def items(self) -> Any:
        return iter(self)


def called(name: str, key: bytes = MINE) -> Mapped:
    return Mapped(Item(Kind.FILES, key, b"", 0, EMPTY, name=name))


def test_a_name_that_is_free_or_its_own_stays() -> None:
    names = Names(FOLDING, Asked({"plan.txt": MINE}))
    assert names.give(called("Plan.txt")) == called("Plan.txt")
    assert names.give(called("Neu.txt")) == called("Neu.txt")


def test_a_name_that_is_anothers_or_somebodys_is_parted_by_the_key() -> None:
    begun = MINE.hex()[:8]
    names = Names(FOLDING, Asked({"plan.txt": OTHER, "akte.txt": None, f"akte ({begun}).txt": None}))
    given = [names.give(called(name)) for name in ("Plan.txt", "Akte.txt")]
    assert [one.item.name for one in given] == [f"Plan ({begun}).txt", f"Akte ({MINE.hex()[:16]}).txt"]
    assert [one.losses for one in given] == [(TAKEN,), (TAKEN,)]


def test_of_two_with_one_name_the_first_one_gets_it() -> None:
    names = Names(FOLDING, {})
    assert names.give(called("Plan.txt")) == called("Plan.txt")
    assert names.give(called("plan.txt", OTHER)).item.name == f"plan ({OTHER.hex()[:8]}).txt"
    assert names.give(called("Plan.txt")) == called("Plan.txt")
