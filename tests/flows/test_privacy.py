"""A real run of whole people, mail to notes: nothing of a person is in Prefect, the logs or the evidence."""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from whole_tables import every_row

from engine.config.load import Config, load
from engine.planning.load_plan import plan
from flows.deploy import prefect_server
from kogge.prepare.practice_servers import Stage, practising
from ledger.store import Ledger
from practice.world.records import Record
from practice.world.world import World

# Prefect 3.9.1 leaves its HTTP clients' sockets to the garbage collector.
pytestmark = [
    pytest.mark.prefect,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PEOPLE, ITEMS, SEED, PIM = 2, 40, 11, 30
SHORT = 6
"""Words below this many characters ("Inbox") occur by chance."""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with practising(PEOPLE, ITEMS, SEED, PIM, prefect_port=0) as running:
        yield running


@pytest.fixture
def config(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settle_prefect: Callable[[Path], Path]
) -> Iterator[Config]:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name, text in stage.files(required=0).items():
        (tmp_path / name).write_text(text)
    loaded = load(tmp_path / "kogge.toml")
    loaded.state_directory.mkdir(mode=0o700)
    settle_prefect(loaded.state_directory)
    yield loaded
    prefect_server.down(loaded.state_directory)


def kogge(config: Config, *arguments: str) -> None:
    """In a process of its own: Prefect keeps what it knows of another test's server."""
    command = [sys.executable, "-c", "from kogge.app import main; main()", *arguments]
    done = subprocess.run(command, cwd=config.path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def evidence(config: Config) -> str:
    """Of the whole wave, unpacked."""
    key = config.path.parent / "approver-one.pem"
    key.chmod(0o600)
    kogge(config, "audit", "seal", "--wave", "pilot", "--key", key.name, "--out", "evidence")
    pack = config.path.parent / "evidence/wave-pilot"
    found = [gzip.decompress(path.read_bytes()) for path in sorted(pack.rglob("*.gz"))]
    found += [path.read_bytes() for path in sorted(pack.rglob("*.*")) if path.suffix in (".txt", ".jsonl")]
    found.append(b64decode(json.loads((pack / "wave.dsse.json").read_bytes())["payload"]))
    return b"\n".join(found).decode()


def test_prefect_the_logs_and_the_evidence_know_no_person(stage: Stage, config: Config) -> None:
    ledger = Ledger(config.ledger_url())
    ledger.migrate()
    plan(config, ledger, None)
    kogge(config, "migrate", "--wave", "pilot")
    legs = ledger.legs()
    assert sum(leg.items for leg in legs) >= PEOPLE * (ITEMS + 4 * PIM)
    words = words_of(stage, config)
    ledger.close()
    state = config.state_directory
    database = "\n".join(every_row(prefect_server.home(state) / "prefect.db"))
    logs = "\n".join(path.read_text() for path in state.rglob("*.log"))
    sealed = evidence(config)
    assert sealed.count('"verdict":') >= PEOPLE * (ITEMS + 4 * PIM)
    for kept in (database, sealed):
        assert legs[0].mailbox in kept, "the grep can find what is there"
    for kept in (database, logs, sealed):
        assert [word for word in words if word in kept] == []


def words_of(stage: Stage, config: Config) -> set[str]:
    """Every address, subject and folder name of the run, as text and as JSON would escape it."""
    world = World(seed=SEED, people=PEOPLE, items=ITEMS, pim=PIM)
    letters = [
        (mailbox.letter(item).subject or "")
        for mailbox in map(world.mailbox, stage.addresses)
        for item in mailbox.messages()
    ]
    records = [
        item.record
        for mailbox in map(world.mailbox, stage.addresses)
        for item in mailbox.messages()
        if item.record is not None
    ]
    path = config.ledger_url().removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        folders = [json.loads(value) for (value,) in connection.execute("SELECT path FROM container")]
    connection.close()
    written = [word for record in records for word in said_by(record)]
    assert len(written) > PEOPLE * PIM * 4
    found = {*stage.addresses, *letters, *written, *(part for folder in folders for part in folder)}
    long = {word for word in found if len(word) >= SHORT}
    assert len(long) > PEOPLE * 5
    return long | {json.dumps(word)[1:-1] for word in long}


def said_by(record: Record) -> Iterator[str]:
    """Subjects, names, places, addresses of people and UIDs of an event, a contact, a task or a note."""
    yield record.common.subject
    for name in ("uid", "location", "given", "surname", "company", "display", "file_as"):
        value = getattr(record, name, None)
        if isinstance(value, str):
            yield " ".join(value.split())
    for person in (*getattr(record, "required", ()), *getattr(record, "emails", ())):
        yield getattr(person, "address", None) or ""
