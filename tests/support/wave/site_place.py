"""A site of a practice Microsoft 365, and a practice Nextcloud that its libraries move to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from configurations import graph_source

from engine.assembly import build_leg
from engine.config.load import Config, load
from engine.leg.leg_result import LegResult
from engine.leg.run_options import RunOptions
from engine.planning.load_plan import LoadedPlan, plan
from ledger.store import Ledger
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.drive.sites import HOST
from practice.drive.sites import Site as PracticeSite
from practice.graph.server import GraphServer
from practice.graph_items.drives import GraphDrives
from practice.nextcloud.files import NextcloudFiles
from practice.world.world import World

SITE = f"site:{HOST}:/sites/bauamt"
LIBRARY = f"{SITE}:Bauakten"
DOCUMENTS = f"{SITE}:Freigegebene Dokumente"
SERVICE = "svc-files"
HEAD = "source,target,wave,folder\n"


@dataclass
class Place:
    """A directory with a configuration that leads to the practice servers."""

    path: Path
    drives: Drives
    cloud: NextcloudFiles
    toml: str
    owner: str

    def listed(self, *rows: str, extra: str = "") -> Config:
        (self.path / "mailboxes.csv").write_text(HEAD + "".join(f"{row}\n" for row in rows))
        (self.path / "kogge.toml").write_text(self.toml + extra)
        return load(self.path / "kogge.toml")

    @property
    def site(self) -> PracticeSite:
        return self.drives.site("sites/bauamt")

    def files(self, user: str) -> dict[str, bytes]:
        root = self.cloud.shelves[user].real(())
        return {str(one.relative_to(root)): one.read_bytes() for one in root.rglob("*") if one.is_file()}


@contextmanager
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("KOGGE_TEST_FILES", "userpw")
    world = World(seed=5, people=2, items=0, nasty=False)
    drives = Drives(world, Tree(files=2, nasty=False), Tree(files=5, nasty=False))
    owner = world.addresses()[0]
    service = GraphDrives(drives)
    with GraphServer(world, services=[service]) as server, NextcloudFiles([owner, SERVICE]) as cloud:
        monkeypatch.setenv("KOGGE_TEST_SECRET", server.secret)
        toml = f"""
[approval]
required = 0
{graph_source(server)}[target.files]
kind = "nextcloud"
url = "{cloud.url}"
password = {{ env = "KOGGE_TEST_FILES" }}
patience_seconds = 5
"""
        yield Place(tmp_path, drives, cloud, toml, owner)


def moved(config: Config, *, verify_only: bool = False, approve: str = "") -> list[LegResult]:
    """Plans, and runs every leg."""
    config.state_directory.mkdir(mode=0o700, exist_ok=True)
    with closing(Ledger(config.ledger_url())) as ledger:
        ledger.migrate()
        planned: LoadedPlan = plan(config, ledger)
        assert not planned.conflicts
        for number in planned.ids if approve else ():
            ledger.approve(number, approve, "somebody", "looked at it")
        ledger.requeue()
        legs = [leg.id for leg in ledger.legs()]
    return [build_leg(config, number, options=RunOptions(verify_only=verify_only)).run() for number in legs]


def contents(drive) -> set[bytes]:
    return {b"".join(node.content.blocks()) for node in drive.root.walk() if node.form.value == "file"}
