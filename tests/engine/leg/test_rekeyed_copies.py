"""Thousands of equal items in one folder get their copies in as many steps as there are items."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from engine.steps import item_dates
from engine.steps.listing import rekeying
from engine.steps.listing.rekeying import Copies, Copy
from ledger.db.rows import ItemRow, State
from model.kinds import KINDS, Kind

MANY = 2_000
DIGEST = b"d" * 32
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STEPS_MOST = 8
"""Questions about one copy, per item: some for finding it, some for dropping it."""


class Counting(set[tuple[int, bytes]]):
    """What was taken; it counts how often somebody asks."""

    asked = 0

    def __contains__(self, one: object) -> bool:
        self.asked += 1
        return super().__contains__(one)


def a_row(number: int, **fields: Any) -> ItemRow:
    """A row of which only what is asked for here counts."""
    values: dict[str, Any] = {one.name: None for one in dataclasses.fields(ItemRow)}
    values |= {"key": number.to_bytes(16), "state": State.LEAVING, "digest": DIGEST, "size": 10}
    return ItemRow(**values | {"href": str(number), **fields})


def seconds(number: int) -> datetime:
    return BEGAN + timedelta(seconds=number)


def a_leg(kind: Kind, *, mirror: bool = True) -> Any:
    target = SimpleNamespace(files=None)
    return SimpleNamespace(
        kind=kind, traits=KINDS[kind], mirror=mirror, context=SimpleNamespace(target=target)
    )


def mapped(number: int, *, name: str | None = None, losses: Any = ()) -> Any:
    return SimpleNamespace(
        item=SimpleNamespace(digest=DIGEST, date=seconds(number), name=name), losses=losses
    )


def all_taken(copies: Copies, leg: Any, news: list[Any], *, any_date: bool = False) -> tuple[list[str], int]:
    """The copies in the order in which these got them, and how many steps that took."""
    counting = copies.taken = Counting()
    got = []
    for each in news:
        copy = rekeying._equal_copy(leg, copies, each, any_date=any_date)
        assert copy is not None
        got.append(str(copies.take(copy).item.href))
    return got, counting.asked


def of_mail(date: Callable[[int], datetime | None]) -> Copies:
    copies = Copies()
    for number in range(MANY):
        day = date(number)
        copies.add(Copy(1, a_row(number, date=None if day is None else int(day.timestamp()))))
    return copies


def test_equal_mails_of_one_date() -> None:
    got, steps = all_taken(of_mail(lambda _: BEGAN), a_leg(Kind.MAIL), [mapped(0)] * MANY)
    assert got == [str(number) for number in range(MANY)]
    assert steps <= STEPS_MOST * MANY


def test_equal_mails_that_each_have_a_date_whatever_their_order() -> None:
    news = [mapped(number) for number in reversed(range(MANY))]
    got, steps = all_taken(of_mail(seconds), a_leg(Kind.MAIL), news)
    assert got == [str(number) for number in reversed(range(MANY))]
    assert steps <= STEPS_MOST * MANY


def test_any_date_will_do_in_the_end() -> None:
    leg = a_leg(Kind.MAIL)
    got, steps = all_taken(of_mail(seconds), leg, [mapped(MANY)] * MANY, any_date=True)
    assert got == [str(number) for number in range(MANY)]
    assert steps <= STEPS_MOST * MANY


def test_a_copy_without_a_date_has_any_and_the_first_that_fits_is_taken() -> None:
    copies = of_mail(lambda number: None if number % 2 else seconds(number))
    leg = a_leg(Kind.MAIL)
    got, _ = all_taken(copies, leg, [mapped(2), mapped(0), mapped(2), mapped(1)])
    assert got == ["1", "0", "2", "3"]


def test_a_date_that_was_clamped_fits_every_copy() -> None:
    got, _ = all_taken(of_mail(seconds), a_leg(Kind.MAIL), [mapped(7, losses=item_dates.CLAMPED[:1])] * 2)
    assert got == ["0", "1"]


@pytest.mark.parametrize("mirror", [True, False])
def test_equal_files_keep_their_names(mirror: bool) -> None:
    leg = a_leg(Kind.FILES, mirror=mirror)
    copies = Copies()
    for number in range(MANY):
        row = a_row(number, href=f"file {number}")
        copies.add(Copy(1, row), rekeying._names(leg, row))
    news = [mapped(0, name=f"file {number}") for number in reversed(range(MANY))]
    got, steps = all_taken(copies, leg, news[:-1])
    assert got == [f"file {number}" for number in reversed(range(1, MANY))]
    assert steps <= STEPS_MOST * MANY
    renamed = rekeying._equal_copy(leg, copies, mapped(0, name="another"), any_date=False)
    assert (renamed is not None) is mirror, "in the live phase another name is another file"
