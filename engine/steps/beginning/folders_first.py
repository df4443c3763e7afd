"""Let what names folders of mail wait until these are at the target."""

from __future__ import annotations

from engine.context.leg_context import LegContext
from engine.control.stop_signal import StopRequested

CODE = "mail-first"


def await_folders(leg: LegContext) -> None:
    """Refuse to begin before the folders of mail are made, which the items may name.

    A mailbox whose mail does not move has none to wait for.

    Args:
        leg: the open leg.

    Raises:
        StopRequested: "mail-first".
    """
    if leg.traits.names_folders and leg.ledger.awaits_folders():
        raise StopRequested(CODE)
