"""What the benches share: one board, one private Dovecot, and jobs in processes of their own."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from bench_board import Board
from bench_job import Cost, Job, Taken
from bench_lab import ROOT, Dav, Files, Run, needed, script
from servers.dovecot import Dovecot, start_dovecot

from model.kinds import Kind
from practice.dav.radicale import RadicaleServer
from practice.servers.dovecot import available

USERS = ("source", *(f"user{number}" for number in range(100)))
_fresh = iter(USERS[1:])


@pytest.fixture(scope="session")
def board() -> Iterator[Board]:
    found = Board()
    yield found
    found.show()
    found.write(ROOT / "build" / "bench.json")


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    needed(available(), "Dovecot 2.4")
    server = start_dovecot(USERS)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mbsync() -> str:
    program = shutil.which("mbsync")
    needed(program is not None, "mbsync")
    return str(program)


@pytest.fixture(scope="session")
def vdirsyncer() -> str:
    """Debian's package, or the release of PyPI in an environment of its own, which KOGGE_VDIRSYNCER names."""
    program = shutil.which(os.environ.get("KOGGE_VDIRSYNCER", "vdirsyncer"))
    needed(program is not None, "vdirsyncer")
    return str(program)


@pytest.fixture(scope="session")
def rclone() -> str:
    program = shutil.which("rclone")
    needed(program is not None, "rclone")
    return str(program)


@pytest.fixture
def user() -> str:
    """An account nobody used before."""
    return next(_fresh)


@pytest.fixture
def users() -> Callable[[], str]:
    return lambda: next(_fresh)


@pytest.fixture
def imap(dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Settings of either side on that Dovecot."""
    monkeypatch.setenv("BENCH_IMAP_PASSWORD", dovecot.master_password)
    return {
        "kind": "imap",
        "host": dovecot.host,
        "port": dovecot.port,
        "security": dovecot.security,
        "auth": "master-user",
        "username": dovecot.master_user,
        "password": {"env": "BENCH_IMAP_PASSWORD"},
    }


@pytest.fixture
def copied(imap: dict[str, object], tmp_path: Path) -> Run:
    """Copies and verifies one mailbox to the Dovecot, in a process of its own."""

    def run(
        source: dict[str, object],
        source_account: str,
        target_account: str,
        target: dict[str, object] = imap,
    ) -> Taken:
        job = Job(
            source=source,
            target=target,
            source_account=source_account,
            target_account=target_account,
            ledger=f"sqlite:///{tmp_path}/{target_account}.db",
            spool=str(tmp_path / "spool"),
        )
        return _taken(job)

    return run


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dav:
    """Copies and verifies one kind of objects to a Radicale, in a process of its own."""
    numbers = itertools.count()

    def run(server: RadicaleServer, user: str, kind: Kind, source: dict[str, object]) -> Taken:
        monkeypatch.setenv("BENCH_DAV_PASSWORD", server.user_password)
        job = Job(
            source=source,
            target={
                "kind": "carddav" if kind is Kind.CONTACTS else "caldav",
                "url": server.home(user),
                "profile": server.product,
                "password": {"env": "BENCH_DAV_PASSWORD"},
            },
            source_account="anna@old.example",
            target_account=user,
            ledger=f"sqlite:///{tmp_path}/{kind}-{next(numbers)}.db",
            spool=str(tmp_path / "spool"),
            kind=kind.value,
        )
        return _taken(job)

    return run


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Copies and verifies one drive, in a process of its own."""
    numbers = itertools.count()

    def run(
        source: dict[str, object],
        source_account: str,
        target: dict[str, object],
        target_account: str,
        target_address: str = "",
    ) -> Taken:
        job = Job(
            source=source,
            target=target,
            source_account=source_account,
            target_account=target_account,
            ledger=f"sqlite:///{tmp_path}/files-{next(numbers)}.db",
            spool=str(tmp_path / "spool"),
            kind=Kind.FILES.value,
            target_address=target_address,
        )
        return _taken(job)

    return run


def _taken(job: Job) -> Taken:
    found = json.loads(script("bench_job.py", json.dumps(asdict(job))))
    found["copy"], found["verify"] = Cost(**found["copy"]), Cost(**found["verify"])
    return Taken(**found)
