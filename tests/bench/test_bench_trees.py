"""How fast drives move, against what does less, each with a fresh target in a process of its own.

What is ours in a ratio is the walk's copy, as `kogge migrate` does it: gate, delta, folders, and for every
file download, hashes, name, ledger, writing and date. Verification (everything read back) is apart. Runs
alternate, and a ratio is of two runs next to each other: the machine's other work weighs on both.

Small files come from the practice Microsoft 365, and rclone's from a practice WebDAV server, which is faster;
both write to a plain WebDAV server. Large ones come from this disk: the reference has no source at all, and
on a machine of two processors a practice Microsoft 365 would take the target's time. What ours does besides
is to hash them twice, where they are read and where they are sent.

Bulk uploads mean something on a real Nextcloud alone, where each request costs PHP's start:

KOGGE_LIVE_FILES_URL                           a Nextcloud
KOGGE_LIVE_FILES_LOGIN, KOGGE_LIVE_FILES_PASSWORD  of an account made for tests: a folder is made in it, and
                                               removed
KOGGE_LIVE_FILES_AUTH, KOGGE_LIVE_FILES_APP_ID "appapi" and the app, where the password is an app's secret
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import quote

import pytest
import requests
from bench_board import Board
from bench_file_servers import ADDRESS, USER
from bench_job import Cost, Taken
from bench_lab import Files, file_server, script

from connectors.files.target import FilesTarget
from connectors.http.auth import Credentials
from connectors.settings import Account
from connectors.webdav.settings import FilesSettings

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
FOLDERS, EACH, SMALL = 10, 100, 10_000
FILMS, LARGE = 10, 100_000_000
HUGE = 10_000_000_000
ROUNDS = 3
PASSWORD_ENV, SECRET_ENV = "KOGGE_BENCH_PASSWORD", "KOGGE_BENCH_SECRET"
LIVE = "KOGGE_LIVE_FILES_"
WHEN = 1_600_000_000
Targets = Callable[[], AbstractContextManager[tuple[dict[str, object], Path]]]


@pytest.fixture
def targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Targets:
    """Each gives settings of a fresh WebDAV server, and the folder of its files, which goes with it."""
    numbers = itertools.count()

    @contextmanager
    def fresh() -> Iterator[tuple[dict[str, object], Path]]:
        folder = tmp_path / f"target {next(numbers)}"
        folder.mkdir()
        with file_server("webdav", str(folder)) as told:
            monkeypatch.setenv(PASSWORD_ENV, told["password"])
            yield _settings("webdav", told["url"]), folder
        shutil.rmtree(folder)

    return fresh


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """1,000 files of 10 KB in ten folders, of the user of a WebDAV server."""
    dice, root = random.Random(1), tmp_path / "source" / USER
    for name in map(str, range(FOLDERS)):
        (root / f"Ordner {name}").mkdir(parents=True)
        for number in range(EACH):
            _write(root / f"Ordner {name}" / f"Datei {number}.bin", dice.randbytes(SMALL), number)
    return root


def test_small_files(
    board: Board,
    files: Files,
    rclone: str,
    targets: Targets,
    small: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours: list[Taken] = []
    theirs: list[float] = []
    with file_server("webdav", str(small.parent)) as plain, file_server("microsoft365", str(small)) as cloud:
        monkeypatch.setenv(SECRET_ENV, cloud["secret"])
        source = {**cloud["settings"], "client_secret": {"env": SECRET_ENV}}
        for _ in range(ROUNDS):
            with targets() as (target, folder):
                ours.append(_verified(files(source, cloud["login"], target, USER), FOLDERS * EACH))
                _assert_arrived(small, folder)
            with targets() as (target, folder):
                theirs.append(_rclone(rclone, plain, target))
                _assert_arrived(small, folder)
    board.put("files-small-vs-rclone", *_rates(FOLDERS * EACH, [one.copy.seconds for one in ours], theirs))
    verified = median(one.verify.seconds for one in ours)
    board.notes.append(("small files, verification alone", f"{FOLDERS * EACH / verified:,.0f} files/s"))
    parts = sorted(ours[-1].parts.items(), key=lambda part: -part[1])
    told = ", ".join(f"{name} {seconds / FOLDERS / EACH * 1000:.2f} ms" for name, seconds in parts)
    board.notes.append(("CPU of the last copy of small files", told))


def test_large_files(board: Board, files: Files, targets: Targets, tmp_path: Path) -> None:
    source = tmp_path / "films"
    source.mkdir()
    for number in range(FILMS):
        _write(source / f"Film {number}.bin", random.Random(number).randbytes(LARGE), number)
    ours: list[Taken] = []
    bare: list[Cost] = []
    for _ in range(ROUNDS):
        with targets() as (target, folder):
            taken = files({"kind": "folder", "folder": str(source)}, "anna@old.example", target, USER)
            ours.append(_verified(taken, FILMS))
            _assert_arrived(source, folder)
        with targets() as (target, folder):
            password = os.environ[PASSWORD_ENV]
            told = script("bench_put_files.py", str(target["url"]), USER, password, str(source))
            bare.append(Cost(*map(float, told.split())))
            _assert_arrived(source, folder)
    amount = FILMS * LARGE / 1e6
    took = [one.copy.seconds for one in ours]
    board.put("files-large-vs-bare", *_rates(amount, took, [one.seconds for one in bare]))
    used = {
        "copy": median(one.copy.cpu for one in ours),
        "of it the source, which hashes": median(one.parts["fetch and parse"] for one in ours),
        "bare PUTs": median(one.cpu for one in bare),
    }
    spent = ", ".join(f"{name} {seconds * 1000 / amount:.2f} s" for name, seconds in used.items())
    board.notes.append(("CPU for 1 GB in large files", spent))


def test_memory(board: Board, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of 10 GB, nothing but zeros, into the practice Nextcloud in chunks."""
    source = tmp_path / "films"
    source.mkdir()
    with (source / "Film.bin").open("wb") as stream:
        stream.truncate(HUGE)
    with file_server("nextcloud") as told:
        monkeypatch.setenv(PASSWORD_ENV, told["password"])
        target = _settings("nextcloud", told["url"])
        taken = files({"kind": "folder", "folder": str(source)}, "anna@old.example", target, ADDRESS)
    board.put("memory-files-mb", _verified(taken, 1).peak_mb)
    board.notes.append(("a file of 10 GB, the whole leg", f"{HUGE / 1e6 / taken.copy.seconds:,.0f} MB/s"))


def test_bulk_uploads(
    board: Board, files: Files, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "LOGIN", "PASSWORD"):
        if not os.environ.get(LIVE + name):
            pytest.skip(f"{LIVE}{name} is not given")
    account = Account(login=os.environ[f"{LIVE}LOGIN"])
    settings = _settings("nextcloud", os.environ[f"{LIVE}URL"].rstrip("/")) | {
        "password": {"env": f"{LIVE}PASSWORD"},
        "auth": os.environ.get(f"{LIVE}AUTH", "basic"),
        "app_id": os.environ.get(f"{LIVE}APP_ID"),
    }
    credentials = Credentials(FilesSettings.model_validate(settings), account)
    address = _address(settings, account, tmp_path)
    ours, bare = [], []
    with file_server("microsoft365", str(small)) as cloud:
        monkeypatch.setenv(SECRET_ENV, cloud["secret"])
        source = {**cloud["settings"], "client_secret": {"env": SECRET_ENV}}
        for _ in range(ROUNDS):
            with _place(settings, credentials, account.login) as place:
                taken = files(source, cloud["login"], {**settings, "root": place}, account.login, address)
                ours.append(_verified(taken, FOLDERS * EACH).copy.seconds)
            with _place(settings, credentials, account.login) as place:
                monkeypatch.setenv("BENCH_HEADERS", json.dumps(dict(credentials.headers("POST", "/"))))
                given = (str(settings["url"]), account.login, place, str(small))
                bare.append(float(script("bench_bulk.py", *given)))
    board.put("files-small-vs-bare-bulk", *_rates(FOLDERS * EACH, ours, bare))


def _address(settings: dict[str, object], account: Account, spool: Path) -> str:
    """The account's, or "" where it has none."""
    target = FilesTarget(FilesSettings.model_validate(settings), account, lambda: None, spool)
    with closing(target):
        return min(target.identity().addresses, default="")


@contextmanager
def _place(settings: dict[str, object], credentials: Credentials, login: str) -> Iterator[str]:
    """A folder of its own in the account, which is removed."""
    name = f"kogge-bench-{secrets.token_hex(4)}"
    url = f"{settings['url']}/remote.php/dav/files/{quote(login)}/{name}"
    headers = dict(credentials.headers("MKCOL", url))
    requests.request("MKCOL", url, headers=headers).raise_for_status()
    try:
        yield name
    finally:
        requests.delete(url, headers=headers).raise_for_status()


def _settings(kind: str, url: str) -> dict[str, object]:
    return {"kind": kind, "url": url, "password": {"env": PASSWORD_ENV}}


def _write(path: Path, data: bytes, number: int) -> None:
    path.write_bytes(data)
    os.utime(path, (WHEN + number, WHEN + number))


def _verified(taken: Taken, count: int) -> Taken:
    assert (taken.state, taken.code, taken.states) == ("verified", None, {"VERIFIED": count})
    return taken


def _assert_arrived(source: Path, folder: Path) -> None:
    assert _contents(folder / USER) == _contents(source)


def _contents(root: Path) -> dict[str, str]:
    """Path -> hash of every file."""
    found = {}
    for path in root.rglob("*.*"):
        with path.open("rb") as stream:
            found[str(path.relative_to(root))] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _rates(amount: float, ours: list[float], reference: list[float]) -> tuple[float, float, float]:
    ratio = median(theirs / own for own, theirs in zip(ours, reference, strict=True))
    return amount / median(ours), amount / median(reference), ratio


def _rclone(program: str, source: dict[str, object], target: dict[str, object]) -> float:
    """As it comes: four files at a time."""
    password = os.environ[PASSWORD_ENV]
    hidden = subprocess.run([program, "obscure", password], stdout=subprocess.PIPE, text=True, check=True)
    common = {"TYPE": "webdav", "VENDOR": "other", "USER": USER, "PASS": hidden.stdout.strip()}
    environment = dict(os.environ)
    for name, side in (("OLD", source), ("NEW", target)):
        for key, value in {**common, "URL": str(side["url"])}.items():
            environment[f"RCLONE_CONFIG_{name}_{key}"] = value
    began = time.perf_counter()
    subprocess.run([program, "--config", os.devnull, "copy", "old:", "new:"], check=True, env=environment)
    return time.perf_counter() - began
