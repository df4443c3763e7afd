"""Look what a pass would find: prove the accounts, list the source, touch nothing at the target.

Of a leg of which nothing was copied yet, the ledger keeps what was listed: the first pass goes on from there.
Of any other leg it keeps nothing. Such a leg is not even claimed, so that it has the same state, code and
score afterwards, whatever the look met.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.context.leg_context import LegContext, as_container
from engine.identity import identity_gate
from engine.leg.connect import open_to_look
from engine.leg.leg_result import News
from engine.restored import newer_traces
from engine.steps.beginning import ledger_generation
from engine.steps.listing import discover
from ledger.db.encoding import version_number
from ledger.db.rows import ContainerRow, LegRow, LegState
from ledger.leg import listing_diff
from ledger.leg.rollback import refuse_unfinished_leg
from ledger.store import Ledger
from model.errors import CursorLost
from model.protocols import Container, Page, key_of

if TYPE_CHECKING:
    from engine.leg.run import LegSetting

CODE = "dry-run"
"""The code of a leg that was only looked at."""


def keeps_nothing(setting: LegSetting, row: LegRow) -> bool:
    """Return True if a dry run of the leg leaves no trace in the ledger.

    It leaves one only where nothing but a dry run was ever there.
    """
    untouched = row.state is LegState.PENDING and row.code in (None, CODE)
    return not untouched or listing_diff.begun(setting.ledger, row.id)


def list_first(setting: LegSetting, leg: LegContext) -> tuple[LegState, str | None]:
    """List a leg that was claimed and of which nothing was copied; the ledger keeps the listing."""
    _prove(setting, leg)
    with discover.ends(leg) as ended:
        for row in discover.record_only(leg):
            listing = discover.list_changes(leg, row)
            if leg.mirror:  # in the live phase, removals would be reported only once, here
                ended(listing.cursors)
    return LegState.PENDING, CODE


def look(setting: LegSetting, row: LegRow) -> News:
    """Look at a leg without claiming it, and keep nothing.

    Returns:
        What the source says that the ledger does not have.

    Raises:
        Blocked: what would stop a pass.
        StopRequested: if the look is to stop.
        Transient: a fault that passes.
    """
    refuse_unfinished_leg(setting.ledger, row.id)
    with open_to_look(setting, row) as leg:
        _prove(setting, leg)
        return _news(setting.ledger, leg)


def _prove(setting: LegSetting, leg: LegContext) -> None:
    begun = leg.ledger.begun()
    elsewhere = not begun and ledger_generation.is_begun_elsewhere(leg)
    pair = replace(setting.pair, bound=setting.pair.bound or begun, begun=elsewhere)
    others = frozenset(leg.ledger.elsewhere())
    identity_gate.prove_identity(pair, leg.source, leg.target, setting.rules, others)
    ledger_generation.refuse_unwritten(leg, setting.generations)
    newer_traces.refuse_unwritten(leg, discover.sides_of(leg))


def _news(ledger: Ledger, leg: LegContext) -> News:
    news = News()
    known = {row.source_id: row for row in leg.ledger.containers()}
    found = discover.listed(leg, known)
    for container in found:
        if container.omit is None:
            news.add(_news_of(ledger, leg, container, known.get(container.id)))
    listed = {container.id for container in found}
    for row in known.values():
        if row.source_id not in listed and not row.gone:
            news.gone += len(_there(leg, row))
    return news


def _news_of(ledger: Ledger, leg: LegContext, container: Container, row: ContainerRow | None) -> News:
    if row is None or row.cursor is None:
        return _compared(ledger, leg, row, leg.source.changes(container, None))
    try:
        return _compared(ledger, leg, row, leg.source.changes(as_container(row), row.cursor))
    except CursorLost:
        return _compared(ledger, leg, row, leg.source.changes(as_container(row), None))


def _compared(ledger: Ledger, leg: LegContext, row: ContainerRow | None, pages: Iterable[Page]) -> News:
    """Compare pages with the ledger. One of them that is full lists everything that there is."""
    news = News()
    listed: set[bytes] | None = None
    for page in pages:
        leg.check()
        keys = {key_of(ref.id): ref for ref in page.refs}
        known = {} if row is None else listing_diff.versions(ledger, row.id, keys)
        if page.full and listed is None:
            listed = set()
        for key, ref in keys.items():
            if ref.deleted:
                news.gone += key in known
                continue
            if listed is not None:
                listed.add(key)
            news.new += key not in known
            news.changed += key in known and known[key] != version_number(ref.version)
    if listed is not None and row is not None:
        news.gone += len(_there(leg, row) - listed)
    return news


def _there(leg: LegContext, row: ContainerRow) -> set[bytes]:
    return {item.key for item in leg.ledger.rows(row.id, discover.THERE)}
