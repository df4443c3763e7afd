"""A practice server of files in a process of its own, until its standard input ends. Prints one line of JSON.

python bench_file_servers.py webdav FOLDER                 url, password: the user bench's files are there
python bench_file_servers.py nextcloud                     url, password; of bench@new.example
python bench_file_servers.py microsoft365 FOLDER           settings of a source, login: whose drive holds
                                                           what is in FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from servers.webdav import WebDavServer

from practice.drive.drive import Drive, Node
from practice.drive.drive_population import Tree
from practice.drive.drives import Drives
from practice.graph.server import GraphServer
from practice.graph_items.drives import GraphDrives
from practice.nextcloud.files import NextcloudFiles
from practice.world.world import World

USER, ADDRESS = "bench", "bench@new.example"


@contextmanager
def webdav(folder: str) -> Iterator[dict[str, object]]:
    with WebDavServer([USER], Path(folder)) as server:
        yield {"url": f"{server.url}/{USER}", "password": server.user_password}


@contextmanager
def nextcloud() -> Iterator[dict[str, object]]:
    with NextcloudFiles([ADDRESS]) as server:
        yield {"url": server.url, "password": server.user_password}


@contextmanager
def microsoft365(folder: str) -> Iterator[dict[str, object]]:
    world = World(seed=1, people=1, items=0, nasty=False)
    login = world.addresses()[0]
    drives = Drives(world, Tree(files=0, nasty=False))
    drive = drives.of(login)
    _fill(drive, drive.root, Path(folder))
    with GraphServer(world, services=[GraphDrives(drives)]) as server:
        settings = {
            "kind": "graph",
            "tenant": server.tenant,
            "client_id": server.client_id,
            "graph_url": server.url,
            "authority": server.authority,
        }
        yield {"settings": settings, "login": login, "secret": server.secret}


def _fill(drive: Drive, into: Node, folder: Path) -> None:
    """The server hashes each file before the clock runs."""
    for path in sorted(folder.iterdir()):
        modified = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        if path.is_dir():
            _fill(drive, drive.folder(into, path.name, modified), path)
        else:
            _ = drive.write(into, path.name, path.read_bytes(), modified).quickxor


KINDS = {"webdav": webdav, "nextcloud": nextcloud, "microsoft365": microsoft365}

if __name__ == "__main__":
    with KINDS[sys.argv[1]](*sys.argv[2:]) as told:
        print(json.dumps(told), flush=True)  # noqa: T201
        sys.stdin.read()
