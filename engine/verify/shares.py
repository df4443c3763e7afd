"""Compare the shares of files and folders at the target with the ledger, and perhaps with the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from engine.context.leg_context import LegContext
from engine.files import shares
from ledger.db.rows import ContainerRow, Finding, Outcome
from ledger.leg.shares import FOUND, ShareRow
from model.errors import Rejected
from model.optional_protocols import SupportsShares

DETAIL = "shares"


def compare(leg: LegContext, container: ContainerRow, *, source: bool) -> Iterator[Finding]:
    """Yield DIFFERS for what is shared otherwise than Kogge shared it, whoever changed it.

    A file that is missing is no finding here. In the live phase people share as they like.

    Args:
        leg: the open leg.
        container: the folder.
        source: True to ask the source too: what it shares otherwise now is UNCHECKED, once it is time to
            share.
    """
    if not leg.traits.shared or not leg.mirror or container.href is None or container.gone:
        return
    share_rows = leg.ledger.shares.of(container.id)
    now = datetime.now(UTC).timestamp()
    for key, rows in share_rows.items():
        leg.check()
        if not _as_shared(leg, container, key, rows, now):
            yield Finding(Outcome.DIFFERS, key or None, None, DETAIL)
    if source and container.omit is None and shares.is_time(leg):
        yield from _changed(leg, container, share_rows, now)


def _as_shared(
    leg: LegContext, container: ContainerRow, key: bytes, rows: Sequence[ShareRow], now: float
) -> bool:
    name = None if key == shares.WHOLE else shares.name_of(leg, container.id, key)
    if not isinstance(leg.target, SupportsShares) or (name is None and key != shares.WHOLE):
        return True
    try:
        grants = leg.target.shared(str(container.href), name)
    except Rejected:
        return True  # another finding reports that it is missing
    return {shares.digest_of(grant) for grant in grants} == {row.digest for row in rows if row.is_there(now)}


def _changed(
    leg: LegContext, container: ContainerRow, share_rows: Mapping[bytes, Sequence[ShareRow]], now: float
) -> Iterator[Finding]:
    plans = shares.plan(leg, container)
    for key in sorted({*plans, *share_rows}):
        plan = plans.get(key, shares.SharePlan())
        if not plan.told:
            continue
        rows = [row for row in share_rows.get(key, ()) if row.ends is None or row.ends > now]
        found_parties = {row.party for row in rows if row.code == FOUND}
        expected = {
            shares.digest_of(grant) for grant in plan.grants if shares.party_of(grant) not in found_parties
        }
        shared = {row.digest for row in rows if row.party not in found_parties}
        if expected != shared and (key == shares.WHOLE or shares.name_of(leg, container.id, key) is not None):
            yield Finding(Outcome.UNCHECKED, key or None, None, DETAIL)
