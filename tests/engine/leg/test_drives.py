"""A person's drive, from Microsoft 365 to a file server, while they go on working in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from configurations import graph_source
from servers.dav.restarts import Restarts
from servers.faulty.downloads import FaultyDownloads, FaultyDrives

from connectors.http.client import HttpClient
from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.leg.leg_result import LegResult
from engine.leg.run_options import RunOptions
from engine.planning.load_plan import plan
from kogge.shown.item_lookup import UNREADABLE, subjects_of
from ledger.db.rows import LegState
from ledger.store import Ledger
from model.kinds import Kind
from practice.drive.drive import Drive, Form
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.graph.server import GraphServer
from practice.nextcloud.files import App, NextcloudFiles
from practice.world.world import World

NOT_MOVED = Counter({"not-a-file": 2, "blocked-by-source": 1})


@dataclass
class Move:
    """One person's files on both sides."""

    config: Config
    service: FaultyDrives
    cloud: NextcloudFiles
    owner: str

    @property
    def drive(self) -> Drive:
        return self.service.drives.of(self.owner)

    @property
    def downloads(self) -> FaultyDownloads:
        return self.service.downloads

    def run(self, *, verify_only: bool = False) -> LegResult:
        with closing(Ledger(self.config.ledger_url())) as ledger:
            (leg,) = ledger.legs()
        return build_leg(self.config, leg.id, options=RunOptions(verify_only=verify_only)).run()

    def there(self) -> Counter[tuple[tuple[str, ...], bytes]]:
        """(folder, bytes) of every file at the target."""
        root = self.cloud.shelves[self.owner].real(())
        files = (one for one in root.rglob("*") if one.is_file())
        return Counter((one.relative_to(root).parts[:-1], one.read_bytes()) for one in files)

    def meant(self) -> Counter[tuple[tuple[str, ...], bytes]]:
        """The same of the source: of plain names, which stay as they are."""
        nodes = (node for node in self.drive.root.walk() if node.form is Form.FILE and not node.infected)
        nodes = (node for node in nodes if node.parent and node.parent.form is Form.FOLDER)
        return Counter((node.path[:-1], b"".join(node.content.blocks())) for node in nodes)


@pytest.fixture
def tree() -> Tree:
    return Tree(files=10, nasty=False)


@pytest.fixture
def move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: Tree) -> Iterator[Move]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOGGE_TEST_FILES", "userpw")
    world = World(seed=5, people=1, items=0, nasty=False)
    owner = world.addresses()[0]
    service = FaultyDrives(Drives(world, tree))
    with GraphServer(world, services=[service]) as server, NextcloudFiles([owner]) as cloud:
        monkeypatch.setenv("KOGGE_TEST_SECRET", server.secret)
        (tmp_path / "mailboxes.csv").write_text(f"source,target,wave\n{owner},{owner},1\n")
        (tmp_path / "directory.csv").write_text(f"source,target\n{owner},{owner}\n")
        (tmp_path / "kogge.toml").write_text(f"""
[approval]
required = 0
{graph_source(server)}page_items = 20
[gate]
directory = "directory.csv"
[target.files]
kind = "nextcloud"
url = "{cloud.url}"
password = {{ env = "KOGGE_TEST_FILES" }}
patience_seconds = 5
""")
        config = load(tmp_path / "kogge.toml")
        config.state_directory.mkdir(mode=0o700, exist_ok=True)
        with closing(Ledger(config.ledger_url())) as ledger:
            ledger.migrate()
            assert not plan(config, ledger).conflicts
        yield Move(config, service, cloud, owner)


def verified(result: LegResult) -> bool:
    return (result.workload, result.state, result.code) == (Kind.FILES, LegState.VERIFIED, None)


def as_app(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kogge logs in as an application from now on."""
    move.cloud.app = App()
    monkeypatch.setenv("KOGGE_TEST_FILES", move.cloud.app.secret)
    path = move.config.path
    path.write_text(path.read_text() + f'auth = "appapi"\napp_id = "{move.cloud.app.id}"\n')
    move.config = load(path)


@pytest.mark.parametrize(("after", "down"), [(0, 9), (25, 12), (35, 25)])
@pytest.mark.parametrize("app", [True, False])
def test_a_database_that_restarts_under_the_target_blocks_nobody(
    move: Move, monkeypatch: pytest.MonkeyPatch, after: int, down: int, app: bool
) -> None:
    """Some of the answers say that nobody knows the application, though its secret is right."""
    monkeypatch.setattr(HttpClient, "wait", lambda _client, _seconds: None)
    if app:
        as_app(move, monkeypatch)
    restarts = Restarts(after, down, seed=after)
    move.cloud.layers = (restarts,)
    assert verified(move.run())
    assert move.there() == move.meant()
    assert restarts.struck.total() == down
    assert (restarts.struck[401] > 0) is app


def test_what_people_do_between_two_passes_is_done_at_the_target(move: Move) -> None:
    drive = move.drive
    here, there = drive.folder(drive.root, "hier"), drive.folder(drive.root, "dort")
    files = [drive.write(here, f"{n}.txt", b"file %d" % n) for n in range(6)]
    assert verified(move.run())
    assert move.there() == move.meant()
    drive.move(files[0], there)
    drive.move(files[1], drive.folder(drive.root, "ganz neu"))
    drive.move(files[2], drive.folder(there, "darunter neu"), "anders.txt")
    drive.rename(files[3], "umbenannt.txt")
    drive.write(here, files[4].name, b"another text")
    drive.delete(files[5])
    drive.rename(there, "anderswo")
    assert verified(move.run())
    assert move.there() == move.meant()
    drive.move(files[0], here)
    drive.move(files[1], here)
    drive.delete(drive.at("ganz neu"))
    assert verified(move.run())
    assert move.there() == move.meant()


def test_a_folder_that_is_tidied_up_is_no_source_that_shrank(move: Move) -> None:
    drive = move.drive
    here = drive.folder(drive.root, "hier")
    files = [drive.write(here, f"{n}.txt", b"file %d" % n) for n in range(50)]
    assert verified(move.run())
    archive = drive.folder(drive.root, "Archiv")
    for file in files[:45]:
        drive.move(file, archive)
    assert verified(move.run())
    assert move.there() == move.meant()


def test_a_drive_that_is_gone_takes_nothing_from_the_target(move: Move) -> None:
    assert verified(move.run())
    before = move.there()
    move.service.drives.without.add(move.owner)
    result = move.run()
    assert (result.state, result.code) == (LegState.BLOCKED, "drive-missing")
    assert move.there() == before != Counter()
    move.service.drives.without.clear()
    assert verified(move.run())


def test_a_lost_delta_copies_nothing_again(move: Move) -> None:
    assert verified(move.run())
    served = dict(move.downloads.served)
    move.drive.lose_tokens()
    result = move.run()
    assert verified(result)
    assert (result.tally.new, move.downloads.served) == (0, served)
    assert move.there() == move.meant()


class TestNasty:
    """Every name and size there is."""

    @pytest.fixture
    def tree(self) -> Tree:
        return Tree(files=5, depth=30)

    def test_every_file_has_a_fate(self, move: Move) -> None:
        result = move.run()
        meant, there = move.meant(), move.there()
        assert Counter(data for _, data in meant.elements()) == Counter(data for _, data in there.elements())
        with closing(Ledger(move.config.ledger_url())) as ledger:
            rejected = list(ledger.rejected())
            assert Counter(item.code for _, _, item in rejected) == NOT_MOVED
            names = subjects_of(move.config, ledger, rejected)
        assert UNREADABLE not in names.values(), "their owner finds them by name"
        assert result.state is LegState.VERIFIED
