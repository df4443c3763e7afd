"""The ledger of a configuration, for the length of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.config.load import Config
from engine.control.error_log import defect_log

if TYPE_CHECKING:
    from ledger.store import Ledger


@contextmanager
def opened_ledger(config: Config, *, upgrade: bool = False) -> Iterator[Ledger]:
    """The ledger, of this version's schema; made when it is not there yet. upgrade: of a command that moves
    mailboxes; one that looks, or decides, leaves an older ledger as it is. Raises Misconfigured, and
    Transient("ledger-in-use") while others are at work on an older one."""
    from ledger.open_ledgers import opened

    with opened(config.ledger_url(), upgrade=upgrade) as ledger, defect_log(config.state_directory):
        yield ledger
