"""Read which rules send mail out of the own domains, and which of them a person allowed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import and_, select

from ledger.db.audit_log import newest_detail
from ledger.db.engine import reading
from ledger.db.handle import LedgerHandle
from ledger.db.readers import chunked
from ledger.db.rows import RULES_SEND_OUT
from ledger.db.schema import container, item, leg, loss
from ledger.views.scores import ARRIVED

LOSS = ("rule", "sends-out")
"""What a rule loses that is switched off until somebody allows it: field and reason."""
RULES = "names"
"""What of an approval names the rules, with blanks between: see engine.approvals.sending_rules."""


def switched_off(ledger: LedgerHandle, mailbox_ids: Iterable[str]) -> dict[str, frozenset[bytes]]:
    """Return, by mailbox, the digests of the rules that are off at the target for what they send out.

    A mailbox without such a rule is left out.
    """
    same = and_(item.c.container == loss.c.container, item.c.key == loss.c.key)
    query = select(leg.c.mailbox, item.c.digest)
    query = query.select_from(
        loss.join(item, same).join(container, container.c.id == loss.c.container).join(leg)
    )
    query = query.where(loss.c.field == LOSS[0], loss.c.reason == LOSS[1], item.c.digest.is_not(None))
    query = query.where(item.c.state.in_([state.value for state in ARRIVED]))
    found: dict[str, set[bytes]] = {}
    with reading(ledger.engine) as connection:
        for chunk in chunked(sorted(set(mailbox_ids))):
            for number, digest in connection.execute(query.where(leg.c.mailbox.in_(chunk))):
                found.setdefault(number, set()).add(bytes(digest))
    return {number: frozenset(digests) for number, digests in found.items()}


def approved_names(ledger: LedgerHandle, mailbox_id: str) -> frozenset[str]:
    """Return how the newest approval of this mailbox names its rules."""
    with reading(ledger.engine) as connection:
        detail = newest_detail(connection, mailbox_id, f"approved:{RULES_SEND_OUT}") or {}
    return frozenset(str(detail.get(RULES, "")).split())
