"""Take a leg over from a worker that died, and release it at once.

A mailbox whose worker died in the middle of a delta can change its phase only when nobody holds a leg of it.
The walk here opens neither side, so that a mailbox is taken back even while its servers do not answer. What
the dead worker had in hand stays in doubt, as after any pass that a fault ended: the next pass settles it
first.
"""

from __future__ import annotations

import threading
from dataclasses import replace

from engine.assembly import OtherWalk, build_leg
from engine.config.load import Config
from engine.control import lease
from engine.leg.run import Leg, LegSetting
from ledger.db.rows import Lease, LegRow, LegState
from model.errors import Blocked
from model.protocols import Source


def release_dead(config: Config, leg_id: int, stop: threading.Event) -> str | None:
    """Release a leg of a dead worker, once nothing that the worker sent can still arrive.

    Args:
        config: the configuration.
        leg_id: the leg.
        stop: set when the wait is to end.

    Returns:
        None if the leg is released; "claimed-elsewhere" while its worker may be at work; the code of a
        request to stop.
    """
    leg = build_leg(config, leg_id, stop=stop, other=OtherWalk(removes=False, source=_no_source))
    return release_dead_in(leg.setting, leg.row)


def release_dead_in(setting: LegSetting, row: LegRow) -> str | None:
    """Release a leg in a given setting, as release_dead() does."""
    return Leg(replace(setting, walk=_open_nothing), row).run().code


def _no_source() -> Source:
    """Refuse: this walk opens nothing."""
    raise Blocked("source-closed", "nothing is opened to release a leg")


def _open_nothing(
    _setting: LegSetting, _held: Lease, _keeper: lease.LeaseKeeper
) -> tuple[LegState, str | None]:
    """Leave the leg to the next pass."""
    return LegState.PENDING, None
