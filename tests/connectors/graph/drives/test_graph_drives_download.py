"""Downloads: cut, expired, replaced by a page, damaged, huge; and what is given out of all that."""

from __future__ import annotations

import hashlib
import logging

import pytest
from graph_drive_desk import Desk, code, fetched, folders, listed, one, read
from servers.faulty.downloads import Hurt
from servers.faulty.plan import FaultPlan, Kind

from connectors.exchange.quickxor import QuickXor
from connectors.graph.source import GraphSource
from model.errors import MigrationError
from model.protocols import Native, Ref
from practice.drive.drive import Node
from practice.drive.drive_content import Content
from practice.drive.quickxor import quickxor_text

DATA = bytes(range(251)) * 4000


@pytest.fixture
def file(one_desk: Desk) -> Node:
    return one_desk.drive.write(one_desk.drive.root, "daten.bin", DATA)


@pytest.mark.parametrize("size", [0, 1, 2, 159, 160, 161, 319, 320, 4096, 99_999])
@pytest.mark.parametrize("step", [7, 160, 4096])
def test_the_fast_hash_is_the_described_one(size: int, step: int) -> None:
    data = hashlib.shake_128(b"%d" % size).digest(size)
    made = QuickXor()
    for at in range(0, size, step):
        made.update(data[at : at + step])
    assert made.text() == quickxor_text(size, [(0, data)])


@pytest.mark.parametrize(
    "hurts",
    [
        (Hurt.CUT,),
        (Hurt.CUT, Hurt.CUT, Hurt.CUT, Hurt.CUT, Hurt.CUT),
        (Hurt.SHORT,),
        (Hurt.SHORT, Hurt.CUT),
        (Hurt.PAGE, Hurt.PAGE),
        (Hurt.WRONG, Hurt.WRONG),
        (Hurt.VOID,),
        ((Hurt.CUT, Hurt.VOID),),
        (Hurt.CUT, Hurt.UNRANGED),
        (Hurt.CUT, Hurt.WRONG),
        (Hurt.BUSY, Hurt.DOWN, Hurt.GATEWAY),
        (Hurt.CUT, Hurt.BUSY, Hurt.PAGE, Hurt.VOID, Hurt.SHORT, Hurt.CUT),
    ],
    ids=str,
)
def test_what_goes_wrong_on_the_way_changes_nothing(
    source: GraphSource, one_desk: Desk, file: Node, hurts: tuple[Hurt | tuple[Hurt, ...], ...]
) -> None:
    one_desk.downloads.strike(file, *hurts)
    result = one(source, one_desk.drive, file)
    assert read(result) == DATA
    assert isinstance(result, Native)
    assert result.properties["Sha256"] == hashlib.sha256(DATA).hexdigest()


def test_a_cut_connection_goes_on_where_it_ended(source: GraphSource, one_desk: Desk, file: Node) -> None:
    one_desk.downloads.strike(file, Hurt.CUT, Hurt.CUT)
    assert read(one(source, one_desk.drive, file)) == DATA
    first, second = (int(text[6:-1]) for text in one_desk.downloads.ranges)
    assert 0 < first < second < len(DATA)


def test_no_token_is_shown_to_a_download(source: GraphSource, one_desk: Desk, file: Node) -> None:
    read(one(source, one_desk.drive, file))
    assert one_desk.downloads.asked == {200: 1}


def test_an_address_that_expired_is_renewed(source: GraphSource, one_desk: Desk) -> None:
    files = [one_desk.drive.write(one_desk.drive.root, f"{n}", b"%d" % n) for n in range(5)]
    root = folders(source)[()]
    refs, _ = listed(source, root)
    results = source.fetch(root, refs)
    read(next(results))
    one_desk.downloads.expire()
    assert all(read(result) for result in results)
    assert one_desk.downloads.asked == {200: len(files), 401: 4}


@pytest.mark.parametrize(
    ("hurt", "expected"),
    [(Hurt.WRONG, "hash-mismatch"), (Hurt.PAGE, "poison-item"), (Hurt.VOID, "item-refused")],
)
def test_what_always_goes_wrong_is_never_given_out(
    source: GraphSource, one_desk: Desk, file: Node, hurt: Hurt, expected: str
) -> None:
    good = one_desk.drive.write(one_desk.drive.root, "gut", b"gut")
    one_desk.downloads.strike(file, *[hurt] * 20)
    results = fetched(source, folders(source)[()])
    assert sorted(code(r) if not isinstance(r, Native) else "" for r in results.values()) == ["", expected]
    assert read(one(source, one_desk.drive, good)) == b"gut"


def test_a_wrong_hash_at_the_source_is_a_mismatch(source: GraphSource, one_desk: Desk, file: Node) -> None:
    one_desk.drive.state(file, quickxor_text(3, [(0, b"abc")]))
    assert code(one(source, one_desk.drive, file)) == "hash-mismatch"


def test_without_a_hash_the_size_must_be_right(source: GraphSource, one_desk: Desk, file: Node) -> None:
    one_desk.drive.state(file, "")
    one_desk.downloads.strike(file, Hurt.PAGE, Hurt.SHORT)
    assert read(one(source, one_desk.drive, file)) == DATA


def test_a_page_is_a_file_where_it_is_one(source: GraphSource, one_desk: Desk) -> None:
    page = b"<!DOCTYPE html><html><body>Satzung</body></html>"
    node = one_desk.drive.write(one_desk.drive.root, "Satzung.html", page)
    one_desk.downloads.strike(node, Hurt.PAGE)
    assert read(one(source, one_desk.drive, node)) == page


def test_an_empty_file_is_a_file(source: GraphSource, one_desk: Desk) -> None:
    node = one_desk.drive.write(one_desk.drive.root, "leer", b"")
    result = one(source, one_desk.drive, node)
    assert read(result) == b""
    assert isinstance(result, Native)
    assert result.properties["Sha256"] == hashlib.sha256(b"").hexdigest()


def test_malware_is_not_given_out_whoever_says_so(source: GraphSource, one_desk: Desk, file: Node) -> None:
    first = one_desk.drive.write(one_desk.drive.root, "zuerst", b"1")
    root = folders(source)[()]
    results = source.fetch(root, [Ref(f"{one_desk.drive.id}/{node.id}", "") for node in (first, file)])
    assert read(next(results)) == b"1"
    file.infected = True
    assert code(next(results)) == "blocked-by-source", "by the address, when Graph had said nothing of it"
    assert code(one(source, one_desk.drive, file)) == "blocked-by-source"


def test_a_file_that_changes_while_it_is_read_is_read_as_it_is_then(
    source: GraphSource, one_desk: Desk, file: Node
) -> None:
    root = folders(source)[()]
    (before,), _ = listed(source, root)
    blocker = one_desk.drive.write(one_desk.drive.root, "vorher", b"1")
    results = source.fetch(root, [Ref(f"{one_desk.drive.id}/{blocker.id}", ""), before])
    read(next(results))
    one_desk.downloads.strike(file, (Hurt.CUT, Hurt.VOID))
    one_desk.drive.write(one_desk.drive.root, file.name, b"ganz neu" * 1000)
    result = next(results)
    assert read(result) == b"ganz neu" * 1000
    assert isinstance(result, Native)
    versions = {ref.version for ref in listed(source, folders(source)[()])[0]}
    assert result.ref.version in versions
    assert result.ref.version != before.version


def test_a_large_file_is_in_the_spool_and_read_again_from_its_start(
    source: GraphSource, one_desk: Desk
) -> None:
    content = Content.sparse(60_000_000, "large")
    node = one_desk.drive.write(one_desk.drive.root, "groß.bin", content)
    one_desk.downloads.strike(node, Hurt.CUT)
    result = one(source, one_desk.drive, node)
    assert isinstance(result, Native)
    assert result.body is not None
    for _ in range(2):
        digest = hashlib.sha256()
        with result.body() as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        assert digest.digest() == content.sha256()
    assert list((one_desk.folder / "spool").iterdir()) == []
    assert one_desk.downloads.served[node.id] < 1.2 * content.size


def test_a_storm_of_faults_loses_nothing(source: GraphSource, one_desk: Desk) -> None:
    files = {f"{n}": hashlib.shake_128(b"%d" % n).digest(3000 + n) for n in range(40)}
    for name, data in files.items():
        one_desk.drive.write(one_desk.drive.root, name, data)
    kinds = (Kind.CUT_MID_BODY, Kind.EXPIRED_TOKEN, Kind.ERROR_PAGE, Kind.INNER_BUSY, Kind.REBUILD_MIME)
    one_desk.downloads.faults = FaultPlan(3, dict.fromkeys(kinds, 0.07), budget=2)
    one_desk.server.faults = FaultPlan(4, {Kind.CUT_MID_BODY: 0.1, Kind.INNER_BUSY: 0.1})
    results = fetched(source, folders(source)[()])
    got = {str(r.properties["Name"]): read(r) for r in results.values() if isinstance(r, Native)}
    assert got == files
    assert one_desk.downloads.faults.struck


def test_no_name_nor_address_is_told_of_a_failure(
    source: GraphSource, one_desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    node = one_desk.drive.write(one_desk.drive.root, "Kündigung Weiß.docx", b"x")
    one_desk.downloads.strike(node, *[Hurt.WRONG] * 9)
    with caplog.at_level(logging.DEBUG):
        result = one(source, one_desk.drive, node)
    text = f"{result}{caplog.text}"
    assert "hash-mismatch" in text
    assert not any(secret in text for secret in ("Kündigung", "tempauth=", one_desk.login))


def test_close_ends_a_download(source: GraphSource, one_desk: Desk, file: Node) -> None:
    root = folders(source)[()]
    refs, _ = listed(source, root)
    source.close()
    with pytest.raises(MigrationError):
        list(source.fetch(root, refs))
