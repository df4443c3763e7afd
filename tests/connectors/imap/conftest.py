"""Scripted IMAP servers, and sources and targets that talk to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imap_script import (
    Script,
    ScriptedServer,
    Serve,
    Settings,
)

from connectors.imap.session import ImapSettings
from connectors.imap.source import ImapSource
from connectors.imap.target import ImapTarget
from connectors.imap.wire.pipelining import PIPELINING
from connectors.settings import Account


@pytest.fixture(autouse=True)
def _nothing_is_known_of_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are used again by other servers."""
    monkeypatch.setattr(PIPELINING, "_counts", {})
    monkeypatch.setattr(PIPELINING, "_alone", {})


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ImapSettings]:
    monkeypatch.setenv("IMAP_PASSWORD", "secret")

    def make(port: int, **more: object) -> ImapSettings:
        basic = {"host": "127.0.0.1", "port": port, "security": "none", "password": {"env": "IMAP_PASSWORD"}}
        return ImapSettings.model_validate(basic | {"timeout_seconds": 5} | more)

    return make


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[ScriptedServer] = []

    def start(script: Script, **more: bytes) -> ScriptedServer:
        running.append(ScriptedServer(script, **more))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def target(settings: Settings, tmp_path: Path) -> Iterator[Callable[..., ImapTarget]]:
    opened: list[ImapTarget] = []

    def make(server: ScriptedServer, guard: Callable[[], None] = lambda: None, **more: object) -> ImapTarget:
        opened.append(ImapTarget(settings(server.port, **more), Account(login="anna"), guard, tmp_path))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


@pytest.fixture
def source(settings: Settings, tmp_path: Path) -> Iterator[Callable[[ScriptedServer], ImapSource]]:
    opened: list[ImapSource] = []

    def make(server: ScriptedServer) -> ImapSource:
        opened.append(ImapSource(settings(server.port), Account(login="anna"), tmp_path))
        return opened[-1]

    yield make
    for each in opened:
        each.close()
