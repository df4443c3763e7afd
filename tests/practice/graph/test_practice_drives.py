"""The practice drives themselves: what lies in them, and how changes are numbered."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest

from practice.drive.drive import Drive, Form
from practice.drive.drive_content import Content
from practice.drive.drive_names import NAMES
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.drive.quickxor import quickxor, quickxor_text
from practice.world.world import World


@pytest.fixture(scope="module")
def drives() -> Drives:
    return Drives(World(seed=5, people=3, items=0, nasty=False))


@pytest.fixture
def drive() -> Drive:
    return Drive(1, "one", "OneDrive", "https://my.example/one")


def tree(drive: Drive) -> dict[tuple[str, ...], tuple[Form, bytes]]:
    return {node.path: (node.form, node.content.sha256()) for node in drive.root.walk()}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (b"J", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
        (b"\xb5\xb4", "taAFAAAAAAAAAAAAAgAAAAAAAAA="),
        (b"\x8d\x14\x43\x54", "jaDAEKgAAAAAAAAABAAAAAAAAAA="),
    ],
)
def test_the_hash_is_the_one_that_microsoft_describes(data: bytes, text: str) -> None:
    assert quickxor_text(len(data), [(0, data)]) == text


def test_the_hash_of_pieces_is_that_of_the_whole() -> None:
    content = Content.sparse(100_000, "key")
    assert len(content.pieces) > 3
    whole = content.read(0, content.size)
    assert len(whole) == content.size
    assert content.quickxor == quickxor_text(len(whole), [(0, whole)])
    assert content.sha256() == hashlib.sha256(whole).digest()
    assert quickxor(len(whole), [(0, whole)]) != quickxor(len(whole) + 1, [(0, whole)])
    assert b"".join(content.blocks(10, 70_000)) == whole[10:70_000]


def test_a_seed_gives_the_same_drive_to_the_same_person(drives: Drives) -> None:
    again = Drives(World(seed=5, people=3, items=0, nasty=False))
    first, second = (each.of(each.world.addresses()[1]) for each in (drives, again))
    assert first.id == second.id
    assert tree(first) == tree(second)
    assert tree(first) != tree(drives.of(drives.world.addresses()[0]))


def test_a_nasty_drive_holds_what_real_ones_do(drives: Drives) -> None:
    drive = drives.of(drives.world.addresses()[0])
    nodes = list(drive.root.walk())
    names = {node.name for node in nodes}
    assert set(NAMES) <= names
    assert not any(char in name for name in names for char in '"*:<>?/\\|')
    assert any(len(name.encode()) > 255 for name in names)
    assert any(unicodedata.normalize("NFC", name) in names - {name} for name in names)
    assert any(len(node.path) > 40 for node in nodes)
    assert {node.form for node in nodes} == set(Form)
    assert any(node.form is Form.FOLDER and not node.children for node in nodes)
    assert any(node.form is Form.FILE and not node.size for node in nodes)
    assert [node.name for node in nodes if node.infected] == ["eicar.com"]
    assert [len(node.older) for node in drive.at("Versionen").children.values()] == [0, 1, 11]


def test_crowds_and_large_files_cost_nothing_until_read() -> None:
    world = World(seed=5, people=1, items=0, nasty=False)
    drive = Drives(world, Tree(0, nasty=False, crowd=300, large=(1 << 40,))).of(world.addresses()[0])
    assert len(drive.at("Menge").children) == 300
    large = drive.at("groß 0.bin")
    assert large.size == 1 << 40
    assert len(large.quickxor) == 28
    assert any(large.content.read((1 << 40) - 10, 1 << 40))


def test_each_item_is_told_once_at_its_latest_change(drive: Drive) -> None:
    folder = drive.folder(drive.root, "A")
    file = drive.write(folder, "x", b"1")
    known = drive.change
    drive.write(folder, "x", b"2")
    drive.rename(folder, "B")
    drive.write(drive.root, "y", b"")
    told = [node.name for _, node in drive.changes(known, 100)]
    assert told == ["x", "B", "y", "root"]
    assert [one.content for one in file.older] == [Content.of(b"1")]
    assert drive.changes(drive.change, 100) == []


def test_pages_of_changes_make_the_whole(drive: Drive) -> None:
    for number in range(10):
        drive.write(drive.root, f"{number}", b"")
    whole, at, paged = drive.changes(0, 1000), 0, []
    while page := drive.changes(at, 3):
        paged += page
        at = page[-1][0]
    assert paged == whole
    assert len(whole) == 11


def test_what_is_deleted_is_told_without_what_lay_below(drive: Drive) -> None:
    folder = drive.folder(drive.root, "A")
    file = drive.write(folder, "x", b"1")
    known = drive.change
    drive.delete(folder)
    assert [node.name for _, node in drive.changes(known, 100)] == ["A", "root"]
    with pytest.raises(KeyError):
        drive.find(file.id)
    drive.folder(drive.root, "A")


def test_a_move_takes_a_name_that_is_free(drive: Drive) -> None:
    one, other = drive.folder(drive.root, "A"), drive.folder(drive.root, "B")
    file = drive.write(one, "x", b"1")
    drive.write(other, "x", b"2")
    with pytest.raises(KeyError, match="taken"):
        drive.move(file, other)
    drive.move(file, other, "y")
    assert (file.path, dict(one.children)) == (("B", "y"), {})


def test_sites_have_libraries(drives: Drives) -> None:
    site = drives.site("sites/bauamt")
    assert [one.name for one in site.libraries] == ["Freigegebene Dokumente", "Bauakten"]
    assert drives.site(site.id) is site
    library = site.libraries[1]
    assert drives.find(library.id) is library
    assert any(node.form is Form.FILE for node in library.root.walk())
    with pytest.raises(KeyError):
        drives.site("sites/nowhere")
