"""Files over Graph: folders, changes out of the drive's delta, and what each file is said to be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from graph_drive_desk import Desk, code, desk, fetched, folders, listed, one, read
from servers.faulty import plan as faults
from servers.faulty.plan import FaultPlan

from connectors.graph.source import GraphSource
from model.errors import Blocked, CursorLost, Transient
from model.kinds import Kind
from model.protocols import Container, Failed, Native, Role, key_of
from practice.drive.drive import Form
from practice.drive.drive_population import PRECISE, Tree
from practice.graph.tokens import App


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk(tmp_path, monkeypatch) as opened:
        yield opened


@pytest.fixture
def source(plain: Desk) -> Iterator[GraphSource]:
    opened = plain.source()
    yield opened
    opened.close()


@pytest.fixture
def nasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk(tmp_path, monkeypatch, Tree()) as opened:
        yield opened


def told(source: GraphSource, container: Container, cursor: str | None) -> tuple[set[str], set[str], str]:
    """Item ids that are there, those that are gone, and the cursor."""
    refs, after = listed(source, container, cursor)
    here = {ref.id.rpartition("/")[2] for ref in refs if not ref.deleted}
    return here, {ref.id.rpartition("/")[2] for ref in refs if ref.deleted}, after


def test_every_folder_is_a_container_and_the_root_too(nasty: Desk) -> None:
    source = nasty.source()
    found = list(source.containers())
    nodes = [node for node in nasty.drive.root.walk() if node.form is Form.FOLDER]
    assert {container.path[1:] for container in found} == {(), *(node.path for node in nodes)}
    assert len({container.id for container in found}) == len(found) == len(nodes) + 1
    seen: set[tuple[str, ...]] = set()
    for container in found:
        assert container.kind is Kind.FILES
        assert container.path[0] == "OneDrive"
        assert len(container.path) == 1 or container.path[:-1] in seen, "parents come first"
        seen.add(container.path)
    assert [container.path for container in found if container.role] == [("OneDrive",)]
    assert found[0].role is Role.FILES
    source.close()


def test_every_file_arrives_as_it_is_under_its_name(nasty: Desk) -> None:
    source, count, codes = nasty.source(count_versions=True), 0, []
    for path, container in folders(source).items():
        results = fetched(source, container)
        nodes = {
            key_of(f"{nasty.drive.id}/{node.id}"): node for node in nasty.drive.at(*path).children.values()
        }
        assert container.total == len(results)
        for key, result in results.items():
            if isinstance(result, Failed):
                codes.append((nodes[key].name, result.error.code))
                continue
            node, facts, count = nodes[key], result.properties, count + 1
            assert read(result) == node.content.read(0, node.size)
            assert facts["Name"] == node.name
            assert facts["Sha256"] == node.content.sha256().hex()
            assert facts["Size"] == result.ref.size == node.size
            assert facts["Modified"] == node.modified
            assert facts["Versions"] == len(node.older)
            assert result.format == "file"
    assert count > 100
    assert sorted(codes) == [
        ("Notizbuch", "not-a-file"),
        ("Von nebenan", "not-a-file"),
        ("eicar.com", "blocked-by-source"),
    ]
    source.close()


def test_what_a_file_is_said_to_be(source: GraphSource, plain: Desk) -> None:
    node = plain.drive.write(plain.drive.root, "genau.txt", b"abc", PRECISE)
    result = one(source, plain.drive, node)
    assert isinstance(result, Native)
    assert result.ref.id == f"{plain.drive.id}/{node.id}"
    assert dict(result.properties) == {
        "Name": "genau.txt",
        "Modified": PRECISE,
        "Created": node.created,
        "Size": 3,
        "Sha256": hashlib.sha256(b"abc").hexdigest(),
    }


def test_folders_have_their_dates_and_totals(source: GraphSource, plain: Desk) -> None:
    when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    folder = plain.drive.folder(plain.drive.root, "A", when)
    for number in range(3):
        plain.drive.write(folder, f"{number}", b"xy")
    found = folders(source)
    assert (found["A",].modified, found["A",].total, found["A",].size) == (when, 3, 6)
    assert (found[()].total, found[()].size) == (0, 0)


def test_one_delta_serves_every_folder(source: GraphSource, plain: Desk) -> None:
    for number in range(12):
        folder = plain.drive.folder(plain.drive.root, f"{number}")
        plain.drive.write(folder, "x", b"1")
    found = folders(source)
    cursors = {listed(source, container)[1] for container in found.values()}
    assert len(cursors) == 1
    before = plain.server.requests["DriveDelta"]
    plain.drive.write(plain.drive.at("3"), "neu", b"2")
    again = plain.source()
    changed = {path: told(again, container, *cursors)[0] for path, container in folders(again).items()}
    assert {path for path, ids in changed.items() if ids} == {("3",)}
    assert plain.server.requests["DriveDelta"] == before + 3, "all of it, in two pages, and the changes"
    again.close()


def test_what_changes_is_told_once_where_it_is(source: GraphSource, plain: Desk) -> None:
    drive = plain.drive
    here, there = drive.folder(drive.root, "hier"), drive.folder(drive.root, "dort")
    stays, moves, goes = (drive.write(here, name, b"1") for name in ("bleibt", "zieht um", "geht"))
    before = folders(source)
    ids, _, cursor = told(source, before["hier",], None)
    assert ids == {stays.id, moves.id, goes.id}
    drive.move(moves, there)
    drive.delete(goes)
    drive.rename(stays, "bleibt hier")
    source.close()
    again = plain.source()
    found = folders(again)
    assert told(again, found["hier",], cursor)[:2] == ({stays.id}, {goes.id})
    assert told(again, found["dort",], cursor)[:2] == ({moves.id}, set())
    assert told(again, found[()], cursor)[:2] == (set(), set())
    again.close()


def test_what_is_gone_without_a_place_is_told_in_the_root(source: GraphSource, plain: Desk) -> None:
    drive = plain.drive
    plain.service.parents = False
    goes = drive.write(drive.folder(drive.root, "A"), "geht", b"1")
    lost = drive.write(drive.folder(drive.root, "B"), "auch", b"1")
    _, cursor = listed(source, folders(source)[()])
    drive.delete(goes)
    drive.delete(drive.at("B"))
    found = folders(source)
    assert told(source, found[()], cursor)[1] >= {goes.id}
    assert ("B",) not in found
    assert lost.id not in told(source, found[()], None)[0]


def test_a_file_that_goes_into_a_notebook_is_gone(source: GraphSource, plain: Desk) -> None:
    drive = plain.drive
    notebook = drive.notebook(drive.root, "Notizen")
    file = drive.write(drive.folder(drive.root, "A"), "x", b"1")
    found = folders(source)
    assert told(source, found[()], None)[0] == {notebook.id}, "not the files inside of it"
    _, cursor = listed(source, found[()])
    drive.move(file, notebook)
    found = folders(source)
    assert file.id in told(source, found[()], cursor)[1]
    assert told(source, found["A",], cursor)[:2] == (set(), set())


def test_a_renamed_folder_changes_no_file(source: GraphSource, plain: Desk) -> None:
    drive = plain.drive
    folder = drive.folder(drive.root, "alt")
    drive.write(drive.folder(folder, "unten"), "x", b"1")
    before = folders(source)
    refs, cursor = listed(source, before["alt", "unten"])
    drive.rename(folder, "neu")
    after = folders(source)
    assert after["neu", "unten"].id == before["alt", "unten"].id
    assert told(source, after["neu", "unten"], cursor)[:2] == (set(), set())
    assert listed(source, after["neu", "unten"])[0] == refs


def test_a_version_changes_with_bytes_name_and_date(source: GraphSource, plain: Desk) -> None:
    drive = plain.drive
    file = drive.write(drive.root, "x", b"1")

    def version() -> str:
        (ref,), _ = listed(source, folders(source)[()])
        (result,) = source.fetch(folders(source)[()], [ref])
        assert isinstance(result, Native)
        assert result.ref == ref, "the listing and the item say the same"
        return ref.version

    versions = [version()]
    drive.write(drive.root, "x", b"2", file.modified)
    versions.append(version())
    drive.rename(file, "y")
    versions.append(version())
    drive.touch(file, file.modified + timedelta(seconds=1))
    versions.append(version())
    assert len(set(versions)) == 4
    drive.share(file)
    assert version() == versions[-1]


def test_a_lost_cursor_is_lost_for_every_folder_at_one_price(source: GraphSource, plain: Desk) -> None:
    for number in range(3):
        plain.drive.folder(plain.drive.root, f"{number}")
    _, cursor = listed(source, folders(source)[()])
    plain.drive.lose_tokens()
    found = folders(source)
    before = plain.server.requests["DriveDelta"]
    for container in found.values():
        with pytest.raises(CursorLost):
            listed(source, container, cursor)
    assert plain.server.requests["DriveDelta"] == before + 1
    listed(source, found[()], None)


def test_a_listing_that_is_lost_in_the_middle_begins_anew(source: GraphSource, plain: Desk) -> None:
    for number in range(50):
        plain.drive.write(plain.drive.root, f"{number}", b"")
    plan = plain.server.faults = FaultPlan()
    plan.script("DriveDelta", 2, faults.invalid_sync_state())
    refs, _ = listed(source, folders(source)[()])
    assert len(refs) == 50
    for number in range(9):
        plan.script("DriveDelta", 2 * number + 2, faults.invalid_sync_state())
    with pytest.raises(Transient, match="sync-stuck"):
        folders(source)


def test_an_enumeration_goes_on_after_any_page(source: GraphSource, plain: Desk) -> None:
    folder = plain.drive.folder(plain.drive.root, "A")
    files = [plain.drive.write(folder, f"{number}", b"") for number in range(50)]
    pages = list(source.changes(folders(source)["A",], None))
    assert [len(page.refs) for page in pages] == [20, 20, 10]
    new = plain.drive.write(folder, "neu", b"")
    plain.drive.delete(files[0])
    again = plain.source()
    rest, _, cursor = told(again, folders(again)["A",], pages[0].cursor)
    named = {ref.id.rpartition("/")[2] for ref in pages[0].refs} | rest
    here, gone, _ = told(again, folders(again)["A",], cursor)
    assert cursor == pages[-1].cursor, "of the round that was begun"
    assert (named | here) - gone == {file.id for file in files[1:]} | {new.id}
    again.close()


def test_a_file_that_moved_meanwhile_has_vanished_from_its_folder(source: GraphSource, plain: Desk) -> None:
    drive = plain.drive
    there = drive.folder(drive.root, "dort")
    moved, gone = drive.write(drive.root, "x", b"1"), drive.write(drive.root, "y", b"1")
    root = folders(source)[()]
    refs, _ = listed(source, root)
    drive.move(moved, there)
    drive.delete(gone)
    assert [code(result) for result in source.fetch(root, refs)] == ["vanished", "vanished"]


def test_a_drive_that_may_not_be_read_blocks_and_no_file_is_blamed(source: GraphSource, plain: Desk) -> None:
    plain.drive.write(plain.drive.root, "x", b"1")
    root = folders(source)[()]
    refs, _ = listed(source, root)
    plain.server.entra.add(App(plain.server.client_id, plain.server.secret, frozenset({"User.Read.All"})))
    with pytest.raises(Blocked, match="access-denied"):
        list(source.fetch(root, refs))


def test_a_person_without_a_drive_has_no_folder(source: GraphSource, plain: Desk) -> None:
    plain.service.drives.without.add(plain.login)
    assert list(source.containers()) == []


def test_a_crowd_in_one_folder_is_listed_page_by_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(tmp_path, monkeypatch, Tree(files=0, nasty=False, crowd=3000)) as opened:
        source = opened.source(page_items=1000)
        found = folders(source)["Menge",]
        pages = [len(page.refs) for page in source.changes(found, None)]
        assert pages == [1000, 1000, 1000, 0]
        assert found.total == 3000
        source.close()


def test_the_listing_has_no_name_on_the_disk(source: GraphSource, plain: Desk) -> None:
    plain.drive.write(plain.drive.root, "geheim", b"1")
    folders(source)
    spool = plain.folder / "spool"
    assert list(spool.iterdir()) == []
    assert spool.stat().st_mode & 0o077 == 0
