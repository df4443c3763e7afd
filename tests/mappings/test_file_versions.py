"""Which older versions of a file a target is given, and under which dates."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.fields.context import Context
from mappings.files.file import map_file
from mappings.files.file_versions import EARLIEST
from model.errors import Rejected
from model.file_versions import Older
from model.kinds import Kind
from model.protocols import Capabilities, Item, Native, Ref

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)
CONTEXT = Context(Capabilities(frozenset({Kind.FILES})), NOW, NOW)


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def older(data: bytes, seconds: float | None) -> Older:
    """seconds: before NOW."""
    date = None if seconds is None else NOW - timedelta(seconds=seconds)
    return Older(sha(data), len(data), lambda: io.BytesIO(data), date)


def native(*came: Older, data: bytes = b"now", modified: datetime | None = NOW, **more: Any) -> Native:
    properties = {"Name": "a.txt", "Modified": modified, "Sha256": sha(data).hex(), "Size": len(data)}
    facts = {"Versions": len(came), "Older": came, **more}
    return Native(Ref("1", "v"), "file", properties | facts, lambda: io.BytesIO(data))


def mapped(*came: Older, **more: Any) -> tuple[Item, list[str]]:
    found = map_file(native(*came, **more), CONTEXT)
    return found.item, [f"{loss.field}/{loss.reason}" for loss in found.losses]


def ages(item: Item) -> list[float]:
    return [(NOW - one.date).total_seconds() for one in item.versions if one.date is not None]


def test_each_keeps_its_bytes_and_its_date() -> None:
    item, losses = mapped(older(b"one", 100), older(b"two", 50))
    assert ([one.digest for one in item.versions], ages(item)) == ([sha(b"one"), sha(b"two")], [100, 50])
    assert losses == []


def test_what_did_not_come_stays() -> None:
    item, losses = mapped(older(b"one", 100), Versions=4)
    assert (ages(item), losses) == ([100], ["versions/left-behind"])


def test_what_the_source_does_not_tell_is_named() -> None:
    item, losses = mapped(Versions=None)
    assert (item.versions, losses) == ((), ["versions/unreadable"])


def test_one_date_is_one_version_to_a_target() -> None:
    item, losses = mapped(older(b"one", 10), older(b"two", 10), older(b"three", 9.5))
    assert (ages(item), losses) == ([12, 11, 10], ["versions/date-changed"])


def test_a_file_that_is_older_than_its_versions_stays_the_newest() -> None:
    """It was uploaded with the date that it had elsewhere."""
    item, losses = mapped(older(b"one", 100), older(b"two", 5), modified=NOW - timedelta(seconds=1000))
    assert (ages(item), losses) == ([1002, 1001], ["versions/date-changed"])


def test_without_a_date_it_is_just_before_the_next() -> None:
    item, losses = mapped(older(b"one", None), older(b"two", 7))
    assert (ages(item), losses) == ([8, 7], ["versions/date-changed"])


def test_a_file_without_a_date_arrives_when_it_is_written() -> None:
    item, losses = mapped(older(b"one", -30), modified=None)
    assert (ages(item), losses) == ([1], ["modified/unknown", "versions/date-changed"])


def test_the_same_bytes_again_and_nothing_are_no_versions() -> None:
    item, losses = mapped(
        older(b"", 90), older(b"a", 80), older(b"", 70), older(b"a", 60), older(b"now", 50), older(b"now", 40)
    )
    assert (ages(item), losses) == ([60], ["versions/not-kept"])


def test_bytes_that_come_back_later_are_a_version_each() -> None:
    item, losses = mapped(older(b"a", 90), older(b"b", 80), older(b"a", 70))
    assert (ages(item), losses) == ([90, 80, 70], [])


def test_before_1970_there_is_none() -> None:
    item, losses = mapped(older(b"a", 90), older(b"b", 80), modified=EARLIEST + timedelta(seconds=1))
    assert [one.date for one in item.versions] == [EARLIEST]
    assert losses == ["versions/date-changed", "versions/left-behind"]


def test_other_things_are_no_versions() -> None:
    for wrong in ("two", (b"two",), [older(b"a", 1)]):
        with pytest.raises(Rejected, match="malformed-record"):
            map_file(native(Older=wrong), CONTEXT)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"", b"a", b"b", b"now"]), st.none() | st.floats(-1e10, 1e10)), max_size=12
    )
)
def test_whatever_came_is_in_order_and_counted(came: list[tuple[bytes, float | None]]) -> None:
    item, losses = mapped(*(older(data, seconds) for data, seconds in came))
    dates = [one.date for one in item.versions if one.date is not None]
    assert len(dates) == len(item.versions)
    assert all(one < other for one, other in pairwise([*dates, NOW]))
    assert all(date.microsecond == 0 and date >= EARLIEST for date in dates)
    digests = [*(one.digest for one in item.versions), item.digest]
    assert all(one != other for one, other in pairwise(digests))
    assert all(one.size for one in item.versions)
    assert bool({"versions/not-kept", "versions/left-behind"} & set(losses)) == (len(dates) < len(came))
