"""Open the ledger of a configuration for the length of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.control.error_log import defect_log

if TYPE_CHECKING:
    from engine.config.load import Config
    from engine.control.ledger_patience import LedgerPatience
    from ledger.store import Ledger


@contextmanager
def opened_ledger(
    config: Config, *, upgrade: bool = False, patience: LedgerPatience | None = None
) -> Iterator[Ledger]:
    """Open the ledger in this version's schema; make it if it does not exist.

    A database that does not answer is waited for; not long, as a person sits before most commands.

    Args:
        config: the configuration.
        upgrade: True for a command that moves mailboxes. A command that looks or decides leaves an older
            ledger as it is.
        patience: how long a database that does not answer is waited for; None for not long.

    Yields:
        The ledger.

    Raises:
        Misconfigured: if the ledger cannot be used.
        Transient: `ledger-in-use` while other workers use an older schema; `ledger-unavailable` if its
            database does not answer.
    """
    from engine.control.ledger_patience import COMMAND_SECONDS, LedgerPatience
    from ledger.open_ledgers import opened

    waits = LedgerPatience(COMMAND_SECONDS) if patience is None else patience
    with (
        opened(config.ledger_url(), upgrade=upgrade, patience=waits) as ledger,
        defect_log(config.state_directory),
    ):
        yield ledger
