"""A wave whose work is scripted: its configuration, its ledger, and a Prefect server of its own."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from configurations import NO_APPROVAL, imap_sides

from engine.config.load import Config, load
from engine.leg.leg_result import LOGGED_IN, News
from flows.deploy import prefect_server
from ledger.db.rows import LegState, Phase, Tally
from ledger.plan.mailboxes import PlannedMailbox
from ledger.store import Ledger
from model.kinds import Kind

SIDES = NO_APPROVAL + imap_sides()
"""Begins a configuration that needs no approval; no server is reached."""


@dataclass(frozen=True)
class Ended:
    """How a leg of the script ended."""

    state: LegState
    code: str | None = None
    tally: Tally = field(default_factory=Tally)
    news: News | None = None

    @property
    def accepted(self) -> bool:
        return self.state in LOGGED_IN


@contextmanager
def opened(folder: Path, text: str) -> Iterator[tuple[Config, Ledger]]:
    """The configuration of this text, which is written to the folder, and its empty ledger."""
    (folder / "kogge.toml").write_text(text)
    config = load(folder / "kogge.toml")
    config.state_directory.mkdir()
    ledger = Ledger(config.ledger_url())
    ledger.migrate()
    yield config, ledger
    ledger.close()


def add(ledger: Ledger, wave: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Plans mail from each source to its target; the mailboxes' ids."""
    mail = frozenset({Kind.MAIL})
    planned = [PlannedMailbox(source, target, wave, Phase.STAGING, mail) for source, target in pairs]
    return [str(one) for one in ledger.add_mailboxes(planned)]


@contextmanager
def serving(state: Path) -> Iterator[prefect_server.Server]:
    """A local Prefect server."""
    yield prefect_server.up(state, port=0)
    prefect_server.down(state)
    gc.collect()  # Prefect 3.9.1 leaves its clients' sockets to it: not in the middle of another test
