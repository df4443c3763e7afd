"""What a file of 10 GB costs on its way into the practice Nextcloud.

The server stands in this process: the memory measured has its chunk, too, and the speed its work. The file is
nothing but zeros, so that it takes no disk; every byte of it is read, hashed, sent, put together and hashed
again. What bulk uploads save is not measured here: it is PHP's work for each request, and here is no PHP.
"""

from __future__ import annotations

import hashlib
import resource
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bench_board import Board

from connectors.files.target import FilesSettings, FilesTarget
from connectors.settings import Account
from model.kinds import Kind
from model.protocols import Item, Stored, key_of
from practice.nextcloud.files import USER_PASSWORD, NextcloudFiles

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
WHEN = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
LARGE = 10_000_000_000
PASSWORD_ENV = "KOGGE_BENCH_PASSWORD"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[NextcloudFiles]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with NextcloudFiles(["bench"]) as server:
        yield server


def target(cloud: NextcloudFiles, spool: Path, **settings: object) -> FilesTarget:
    given = {"kind": "nextcloud", "url": cloud.url, "password": {"env": PASSWORD_ENV}, **settings}
    return FilesTarget(FilesSettings.model_validate(given), Account(login="bench"), lambda: None, spool)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_file_of_10_gb(cloud: NextcloudFiles, tmp_path: Path, board: Board) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as stream:
        stream.truncate(LARGE)
    with sparse.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    item = Item(
        Kind.FILES, key_of("large"), digest, LARGE, lambda: sparse.open("rb"), date=WHEN, name="large"
    )
    into = target(cloud, tmp_path)
    before = most = resident()
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.monotonic()
    (stored,) = into.write("", [item])
    took = time.monotonic() - begun
    done.set()
    watcher.join()
    assert isinstance(stored, Stored)
    assert dict(into.digests("", ["large"])) == {"large": digest}
    into.close()
    board.put("memory-10gb-file-mb", (most - before) / 1e6)
    board.notes.append(("a file of 10 GB", f"{LARGE / 1e6 / took:,.0f} MB/s"))
