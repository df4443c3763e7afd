"""Keep those out of their wave's cutover who were given back, until a cutover names them.

Whoever asked for a person to be given back had a reason. The next cutover of the whole wave must not undo
that because somebody forgot it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.db.audit_log import Event
from ledger.db.rows import MailboxRow, Phase
from ledger.leg.cutover_steps import CUTOVER_NAMED, GIVE_BACK_BEGUN, GIVE_BACK_ENDED
from ledger.store import Ledger
from ledger.views.decisions import of_kinds

GIVEN_BACK = GIVE_BACK_ENDED
"""The kind of the event, and the code of a mailbox that stays out for it."""
GIVING_BACK = "giving-back"
"""The code of a mailbox whose give-back was begun and has not ended."""
TAKING_BACK = "taking-back"
"""The code of a mailbox whose hooks were begun to be undone, and are not all."""


def record_begin(ledger: Ledger, rows: Iterable[MailboxRow], by: str) -> None:
    """Record that these mailboxes begin to be given back: before anything is undone.

    That it ended is recorded with the step back to staging (ledger.leg.cutover_steps.Steps.take_back).
    What the same person began, and what did not end, is not recorded twice.

    Args:
        ledger: the ledger.
        rows: the mailboxes.
        by: who decided.
    """
    rows = list(rows)
    newest = {one.subject: one for one in _about(ledger, rows)}
    for row in rows:
        last = newest.get(row.id)
        if last is None or last.kind != GIVE_BACK_BEGUN or last.detail.get("by") != by:
            ledger.event(row.wave, GIVE_BACK_BEGUN, {"by": by}, subject=row.id)


def stay_out(ledger: Ledger, rows: Iterable[MailboxRow]) -> frozenset[str]:
    """Return the ids of those mailboxes that a cutover of their whole wave leaves out: no live one."""
    return begun(ledger, (row for row in rows if row.phase is not Phase.LIVE))


def begun(ledger: Ledger, rows: Iterable[MailboxRow]) -> frozenset[str]:
    """Return the ids of those mailboxes that somebody gave back, or began to, unless one named them since."""
    return frozenset(_out(_about(ledger, rows)))


def _about(ledger: Ledger, rows: Iterable[MailboxRow]) -> list[Event]:
    """Return what was recorded of these mailboxes in their waves, in its order."""
    waves = {row.id: row.wave for row in rows}
    events = of_kinds(ledger, waves, (GIVE_BACK_BEGUN, GIVEN_BACK, CUTOVER_NAMED))
    return [one for one in events if one.wave == waves.get(one.subject or "")]


def _out(events: Iterable[Event]) -> set[str]:
    """Return the ids of the mailboxes that were given back and not named since, by events in their order."""
    out = set[str]()
    for event in events:
        if event.subject is not None and event.kind in (GIVE_BACK_BEGUN, GIVEN_BACK):
            out.add(event.subject)
        elif event.subject is not None and event.kind == CUTOVER_NAMED:
            out.discard(event.subject)
    return out


def let_in(ledger: Ledger, rows: Iterable[MailboxRow], by: str) -> None:
    """Record that a cutover names these mailboxes: those that were given back go along again."""
    rows = list(rows)
    out = stay_out(ledger, rows)
    for row in rows:
        if row.id in out:
            ledger.event(row.wave, CUTOVER_NAMED, {"by": by}, subject=row.id)
