"""A file with a secret that every account of the machine may read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.settings import Secret
from engine.config.load import Config, load
from engine.preflight import exposed_secrets as exposed

IMAP = """
mailboxes = "mailboxes.csv"

[source]
kind = "imap"
host = "old.example"
password = {{ file = "{source}" }}

[target.mail]
kind = "imap"
host = "new.example"
password = {{ file = "{target}" }}

[[hooks.freeze]]
name = "freeze"
url = "https://new.example/freeze"
headers = {{ Authorization = {{ file = "{header}" }}, X-More = {{ file = "{target}" }} }}
"""


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that everybody may search, with all above it."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    return tmp_path


def secret(folder: Path, name: str, mode: int) -> Path:
    file = folder / name
    file.write_text("much")
    file.chmod(mode)
    return file


def settings(folder: Path, source: object, target: object, header: object) -> Config:
    (folder / "kogge.toml").write_text(IMAP.format(source=source, target=target, header=header))
    return load(folder / "kogge.toml")


def test_files_that_everybody_may_read_are_named_by_their_line(open_folder: Path) -> None:
    config = settings(
        open_folder,
        secret(open_folder, "a", 0o644),
        secret(open_folder, "b", 0o640),
        secret(open_folder, "c", 0o604),
    )
    assert exposed.exposed_secrets(config) == ["kogge.toml:14: hooks.freeze", "kogge.toml:7: source.password"]


def test_a_closed_folder_above_keeps_a_file_secret(open_folder: Path) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o750)
    file = secret(closed, "a", 0o644)
    assert exposed.exposed_secrets(settings(open_folder, file, file, file)) == []
    closed.chmod(0o751)
    assert len(exposed.exposed_secrets(settings(open_folder, file, file, file))) == 3


def test_what_is_absent_or_depends_on_the_account_is_not_looked_at(open_folder: Path) -> None:
    secret(open_folder, "{login}", 0o644)
    config = settings(open_folder, open_folder / "{login}", open_folder / "absent", open_folder / "absent")
    assert exposed.exposed_secrets(config) == []


def test_what_a_container_engine_gives_is_left_out(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = secret(open_folder, "a", 0o444)
    config = settings(open_folder, file, file, file)
    monkeypatch.setattr(exposed, "GIVEN_BY_CONTAINERS", (open_folder,))
    assert exposed.exposed_secrets(config) == []


def test_secrets_that_are_no_files_are_passed_over() -> None:
    assert list(exposed._files("here", "password", Secret(env="A"))) == []
