"""How many calls of ours lie between a leg and the bytes of its first message on the wire."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from memory.doubles import MemoryMailbox, MemoryStore
from on_dovecot import OnDovecot
from server_fixtures import dovecot_fixture
from servers.dovecot import Dovecot
from walking import SOURCE, letter

from connectors.imap.wire.connection import ImapConnection
from engine.steps.copying import copy
from ledger.db.rows import LegState
from model.protocols import Role

pytestmark = pytest.mark.dovecot
dovecot = dovecot_fixture(["anna"])
ROOT = Path(__file__).parents[3]
OURS = tuple(f"{ROOT}/{package}/" for package in ("engine", "connectors", "ledger", "mappings", "model"))
CALLS_MOST = 25
"""A person who reads along from a leg to its socket can keep as many in mind, if barely."""


def calls(frame: FrameType | None) -> list[str]:
    """The calls of ours that lead to a frame, the outermost first."""
    found: list[str] = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(OURS):
            found.insert(0, f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}")
        frame = frame.f_back
    return found


def test_a_message_is_a_few_calls_away_from_its_leg(
    quick_path: Path, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With those in the thread that writes, which another thread of the leg starts."""
    handed: list[list[str]] = []
    sent: list[list[str]] = []
    submit, flush = ThreadPoolExecutor.submit, ImapConnection.flush

    def submitted(
        pool: ThreadPoolExecutor, call: Callable[..., Any], *given: Any, **more: Any
    ) -> Future[Any]:
        if call is copy._write:
            handed.append(calls(sys._getframe(1)))
        return submit(pool, call, *given, **more)

    def flushed(connection: ImapConnection) -> None:
        if any(b" APPEND " in data for data in connection._out):
            sent.append([*calls(sys._getframe(1)), "connection.py:flush"])
        flush(connection)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submitted)
    monkeypatch.setattr(ImapConnection, "flush", flushed)
    mailbox = MemoryMailbox(addresses=frozenset({SOURCE}))
    mailbox.deliver(mailbox.create_folder(("Inbox",), Role.INBOX), letter(1))
    trial = OnDovecot(quick_path, mailbox, MemoryStore())
    trial.server, trial.user = dovecot, "anna"
    assert trial.run().state is LegState.VERIFIED
    way = [*handed[0], *sent[0]]
    assert way[0] == "run.py:run"
    assert len(way) <= CALLS_MOST, way
