"""A server whose folders are links that lead back up: they are walked, and there is an end to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from files_desk import PASSWORD_ENV
from servers.webdav import USER_PASSWORD, WebDavServer

from connectors.files.folders import DEEPEST
from connectors.files.target import FilesTarget
from connectors.settings import Account
from connectors.webdav.settings import FilesSettings
from model.protocols import Container


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebDavServer]:
    monkeypatch.setenv(PASSWORD_ENV, USER_PASSWORD)
    with WebDavServer(["anna"], links=True) as made:
        yield made


def walked(server: WebDavServer, spool: Path) -> list[Container]:
    settings = FilesSettings.model_validate(
        {"kind": "webdav", "url": f"{server.url}/anna", "password": {"env": PASSWORD_ENV}}
    )
    target = FilesTarget(settings, Account(login="anna"), lambda: None, spool)
    try:
        return list(target.containers())
    finally:
        target.close()


def link(root: Path, *names: str) -> None:
    """Folders in root that are root."""
    for name in names:
        (root / name).symlink_to(root, target_is_directory=True)


def date(root: Path, *places: str) -> None:
    """Not all within one second."""
    for at, place in enumerate(places):
        os.utime(root / place, (1_600_000_000 + at, 1_600_000_000 + at))


@pytest.mark.parametrize("links", ["ab", "abc"])
def test_two_links_that_lead_up_end(server: WebDavServer, tmp_path: Path, links: str) -> None:
    root = server.folder("anna")
    (root / "real" / "below").mkdir(parents=True)
    link(root, *links)
    found = walked(server, tmp_path)
    assert ("", "real", "below") in [one.path for one in found]
    assert max(len(one.path) for one in found) < 8
    assert {one.omit for one in found} == {None}


def test_links_that_lead_up_from_further_down_end(server: WebDavServer, tmp_path: Path) -> None:
    root = server.folder("anna")
    (root / "a" / "b").mkdir(parents=True)
    for name in ("up", "upper"):
        (root / "a" / "b" / name).symlink_to(root / "a", target_is_directory=True)
    assert 4 < max(len(one.path) for one in walked(server, tmp_path)) < 12


def test_what_lies_deeper_than_any_folder_is_not_looked_into(server: WebDavServer, tmp_path: Path) -> None:
    server.folder("anna").joinpath(*"d" * (DEEPEST + 2)).mkdir(parents=True)
    found = walked(server, tmp_path)
    assert [one.omit for one in found] == [None] * DEEPEST + ["unreachable"]


def test_folders_that_look_alike_are_none(server: WebDavServer, tmp_path: Path) -> None:
    """One copied into itself."""
    root = server.folder("anna")
    places = ["x/x/x", "x/x/y", "x/y", "y"]
    for place in places:
        (root / place).mkdir(parents=True)
    date(root, *places, "x/x", "x")
    assert {"/".join(one.path[1:]) for one in walked(server, tmp_path)} == {"", *places, "x/x", "x"}
