"""The key that wraps the keys of the evidence: given, or made once beside the state directory."""

from __future__ import annotations

import threading
from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest
from powerless import powerless

from engine.config.evidence_key import FILE, key_file, key_of_keys, proven_key
from engine.config.load import Config, load
from ledger.db.engine import writing
from ledger.db.rows import Phase
from ledger.inventory import keystore
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.errors import Misconfigured
from model.kinds import Kind

KEY = bytes(range(32))
TEXT = """
[source]
kind = "imap"
host = "old.example"
password = { env = "KOGGE_SOURCE_PASSWORD" }

[target.mail]
kind = "imap"
host = "new.example"
password = { env = "KOGGE_TARGET_PASSWORD" }

[state]
directory = "state"
"""


def config(place: Path, more: str = "") -> Config:
    (place / "kogge.toml").write_text(TEXT + more)
    return load(place / "kogge.toml")


def given(place: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("KOGGE_EVIDENCE_KEY", value)
    return config(place, '\n[evidence]\nkey = { env = "KOGGE_EVIDENCE_KEY" }\n')


def test_the_key_that_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_of_keys(given(tmp_path, b64encode(KEY).decode(), monkeypatch)) == KEY
    assert {file.name for file in tmp_path.iterdir()} == {"kogge.toml"}


@pytest.mark.parametrize("value", ["c2hvcnQ=", "no base64!", b64encode(KEY + b"x").decode(), KEY.hex()])
def test_a_key_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(Misconfigured, match="32 bytes in Base64") as raised:
        key_of_keys(given(tmp_path, value, monkeypatch))
    assert "evidence.key" in str(raised.value)
    assert value not in str(raised.value)


def test_a_secret_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(tmp_path, "", monkeypatch)
    with pytest.raises(Misconfigured, match="KOGGE_EVIDENCE_KEY is empty"):
        key_of_keys(settings)


def test_one_is_made_where_none_is_given_beside_the_state_directory(tmp_path: Path) -> None:
    settings = config(tmp_path)
    key = key_of_keys(settings)
    assert len(key) == 32
    assert key_file(settings) == tmp_path / FILE
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert key_of_keys(settings) == key == key_of_keys(config(tmp_path))
    assert {file.name for file in tmp_path.iterdir()} == {"kogge.toml", FILE}
    (tmp_path / FILE).unlink()
    assert key_of_keys(settings) != key


def test_processes_that_need_it_at_once_get_the_same(tmp_path: Path) -> None:
    settings = config(tmp_path)
    ready, found = threading.Barrier(8), set()

    def ask() -> None:
        ready.wait()
        found.add(key_of_keys(settings))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert {file.name for file in tmp_path.iterdir()} == {"kogge.toml", FILE}


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = config(tmp_path)
    key_of_keys(settings)
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        key_of_keys(settings)


def test_a_file_that_holds_something_else(tmp_path: Path) -> None:
    settings = config(tmp_path)
    (tmp_path / FILE).write_text("Guten Tag")
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(Misconfigured, match="32 bytes in Base64"):
        key_of_keys(settings)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    settings = config(tmp_path)
    tmp_path.chmod(0o500)
    try:
        with powerless(), pytest.raises(Misconfigured, match=r"\[evidence\] key"):
            key_of_keys(settings)
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    settings = config(tmp_path, "")
    gone = settings.model_copy(update={"state": settings.state.model_copy(update={"directory": Path("a/b")})})
    gone._path = settings.path
    with pytest.raises(Misconfigured, match=r"\[evidence\] key"):
        key_of_keys(gone)


def test_a_key_that_the_ledger_does_not_know_is_refused_before_any_server_is_asked(tmp_path: Path) -> None:
    settings = config(tmp_path)
    with closing(Ledger(f"sqlite:///{tmp_path}/ledger.db")) as ledger:
        ledger.migrate()
        planned = PlannedMailbox("a@x", "a@y", "w", Phase.STAGING, frozenset({Kind.MAIL}))
        (mailbox,) = ledger.add_mailboxes([planned])
        key = proven_key(settings, ledger)
        with writing(ledger.engine) as connection:
            keystore.keep(connection, str(mailbox), key, keystore.make(key))
        assert proven_key(settings, ledger) == key
        (tmp_path / FILE).unlink()
        with pytest.raises(Misconfigured, match="several machines need the same"):
            proven_key(settings, ledger)
