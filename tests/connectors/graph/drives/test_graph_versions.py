"""Older versions over Graph: which come, in which order, and what becomes of those that Graph spoils."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from graph_drive_desk import Desk, folders, listed, read
from servers.faulty.downloads import Hurt

from connectors.graph.source import GraphSource
from connectors.graph_api.batch import BatchReader, BatchReply
from connectors.graph_api.errors import GraphRefusal
from model.errors import Transient
from model.file_versions import Older
from model.protocols import Native, Ref
from practice.drive.drive import Node
from practice.drive.drive_content import Content

FIRST = datetime(2020, 1, 1, 12, tzinfo=UTC)


def saved(one_desk: Desk, *contents: bytes) -> Node:
    """A file that was saved once a day."""
    for day, data in enumerate(contents):
        node = one_desk.drive.write(one_desk.drive.root, "a.txt", data, FIRST + timedelta(days=day))
    return node


def fetched(source: GraphSource, most: int) -> Native:
    root = folders(source)[()]
    (found,) = source.fetch_versions(root, listed(source, root)[0], most)
    assert isinstance(found, Native), found
    return found


def older(native: Native) -> list[bytes]:
    """What came, checked."""
    found = native.properties["Older"]
    assert isinstance(found, tuple)
    return [content(one) for one in found]


def content(one: Older) -> bytes:
    with one.body() as stream:
        data = stream.read()
    assert (len(data), hashlib.sha256(data).digest()) == (one.size, one.digest)
    return data


def test_the_newest_of_the_older_ones_come_oldest_first(source: GraphSource, one_desk: Desk) -> None:
    saved(one_desk, b"one", b"two", b"three", b"four")
    native = fetched(source, 2)
    assert (older(native), read(native)) == ([b"two", b"three"], b"four")
    assert native.properties["Versions"] == 3
    assert [one.date for one in native.properties["Older"]] == [  # type: ignore[attr-defined]
        FIRST + timedelta(days=1),
        FIRST + timedelta(days=2),
    ]


def test_all_there_are_come_when_more_are_wanted(source: GraphSource, one_desk: Desk) -> None:
    saved(one_desk, b"one", b"", b"three")
    assert older(fetched(source, 9)) == [b"one", b""]


def test_of_none_that_are_wanted_only_the_number_is_told(source: GraphSource, one_desk: Desk) -> None:
    saved(one_desk, b"one", b"two")
    native = fetched(source, 0)
    assert (older(native), native.properties["Versions"]) == ([], 1)
    assert sum(one_desk.downloads.asked.values()) == 1


def test_what_is_not_asked_for_is_not_counted(source: GraphSource, one_desk: Desk) -> None:
    saved(one_desk, b"one", b"two")
    root = folders(source)[()]
    (found,) = source.fetch(root, listed(source, root)[0])
    assert isinstance(found, Native)
    assert not {"Versions", "Older"} & set(found.properties)


def test_a_page_of_versions_is_not_all_of_them(source: GraphSource, one_desk: Desk) -> None:
    saved(one_desk, *(b"%d" % number for number in range(230)))
    native = fetched(source, 1)
    assert (older(native), native.properties["Versions"]) == ([b"228"], 229)


def test_a_second_page_that_is_refused_leaves_the_number_untold(
    source: GraphSource, one_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(one_desk, *(b"%d" % number for number in range(230)))
    real = BatchReader.run

    def run(batch: BatchReader, asks: Mapping[str, str]) -> Iterator[tuple[str, BatchReply | GraphRefusal]]:
        refused = {name for name, path in asks.items() if "/versions?" in path}
        yield from ((name, GraphRefusal(403, "accessDenied")) for name in refused)
        yield from real(batch, {name: path for name, path in asks.items() if name not in refused})

    monkeypatch.setattr(BatchReader, "run", run)
    native = fetched(source, 1)
    assert (read(native), older(native), native.properties["Versions"]) == (b"229", [], None)


def test_a_large_one_is_spooled(source: GraphSource, one_desk: Desk) -> None:
    large = Content.sparse(300_000, 1, "large").read(0, 300_000)
    saved(one_desk, large, b"small")
    assert older(fetched(source, 1)) == [large]


def test_a_cut_one_goes_on_where_it_ended(source: GraphSource, one_desk: Desk) -> None:
    node = saved(one_desk, bytes(range(250)) * 400, b"new")
    one_desk.downloads.strike(node.was(1), Hurt.CUT, Hurt.VOID, Hurt.DOWN)
    assert older(fetched(source, 1)) == [bytes(range(250)) * 400]
    assert len(one_desk.downloads.ranges) > 0


def test_what_is_called_malware_is_left_out(source: GraphSource, one_desk: Desk) -> None:
    node = saved(one_desk, b"one", b"bad", b"three", b"four")
    one_desk.drive.spoil(node, 2, infected=True)
    native = fetched(source, 3)
    assert (older(native), native.properties["Versions"]) == ([b"one", b"three"], 3)


def test_what_is_not_as_long_as_it_is_said_to_be_is_left_out(source: GraphSource, one_desk: Desk) -> None:
    node = saved(one_desk, b"one", b"two", b"three")
    one_desk.drive.spoil(node, 1, stated=9)
    assert older(fetched(source, 3)) == [b"two"]


def test_a_page_in_place_of_one_is_no_version(source: GraphSource, one_desk: Desk) -> None:
    node = saved(one_desk, b"one", b"two", b"three")
    one_desk.downloads.strike(node.was(2), *[Hurt.PAGE] * 9)
    assert older(fetched(source, 3)) == [b"one"]


def test_an_outage_is_not_blamed_on_a_version(source: GraphSource, one_desk: Desk) -> None:
    node = saved(one_desk, b"one", b"two")
    one_desk.downloads.strike(node.was(1), *[Hurt.DOWN] * 1000)
    short = one_desk.source(patience_seconds=0.2)
    with pytest.raises(Transient):
        fetched(short, 1)
    short.close()


def test_saved_while_it_comes(source: GraphSource, one_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is the newest, and no version of it is missing or doubled."""
    saved(one_desk, b"one", b"two")
    real = one_desk.downloads.url
    times = iter([True])

    def url(base: str, drive: object, node: Node) -> str:
        if node.name == "a.txt" and node.version == 2 and next(times, False):
            one_desk.drive.write(one_desk.drive.root, "a.txt", b"three", FIRST + timedelta(days=5))
        return real(base, one_desk.drive, node)

    monkeypatch.setattr(type(one_desk.downloads), "url", lambda _, *given: url(*given), raising=True)
    native = fetched(source, 9)
    assert (older(native), read(native), native.properties["Versions"]) == ([b"one", b"two"], b"three", 2)


def test_other_items_are_fetched_as_ever(source: GraphSource, one_desk: Desk) -> None:
    saved(one_desk, b"one")
    root = folders(source)[()]
    gone = Ref(f"{one_desk.drive.id}/nobody", "")
    (failed,) = source.fetch_versions(root, [gone], 1)
    assert not isinstance(failed, Native)
    assert failed.error.code == "vanished"
