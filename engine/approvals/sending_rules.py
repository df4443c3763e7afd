"""Record who allowed rules to send mail out of the own domains, and tell which rules were allowed.

An approval names the rules by their digests, as they are at the target while they are switched off. A rule
that its owner changes afterwards is another rule: it is switched off again, and needs another approval.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.db.audit_log import Event
from ledger.db.rows import RULES_SEND_OUT, MailboxRow, Phase
from ledger.store import Ledger
from ledger.views.sending_rules import DIGESTS, approved_digests, switched_off
from model.errors import Misconfigured
from model.plural import many

NONE = "no rule of these mailboxes, as far as a run has read, is off for sending mail out of the own domains"


def allowed_rules(ledger: Ledger, mailbox_id: str) -> frozenset[bytes]:
    """Return the digests of the rules of a mailbox that a person allowed.

    Returns:
        Nothing if the approval was about another account.
    """
    digests = approved_digests(ledger, mailbox_id)
    return digests if digests and ledger.approved(mailbox_id, RULES_SEND_OUT) else frozenset()


def accept(ledger: Ledger, rows: Sequence[MailboxRow], by: str, reason: str) -> list[Event]:
    """Record an approval for each of these mailboxes that has such rules. What was allowed before stays so.

    Args:
        ledger: the ledger.
        rows: the mailboxes.
        by: who approves.
        reason: why.

    Returns:
        The recorded events.

    Raises:
        Misconfigured: if none of the mailboxes has such a rule that nobody allowed; nothing is recorded then.
    """
    found = switched_off(ledger, [row.id for row in rows])
    live = [row.id for row in rows if row.phase is Phase.LIVE and row.id in found]
    earlier = {row.id: allowed_rules(ledger, row.id) for row in rows if row.id in found}
    new = {number: digests - earlier[number] for number, digests in found.items() if number not in live}
    asked = {number: digests for number, digests in new.items() if digests}
    if not asked:
        raise Misconfigured("CODE", _why_none(live=len(live), allowed=bool(new)))
    return [
        ledger.approve(number, RULES_SEND_OUT, by, reason, about=_about(digests, earlier[number]))
        for number, digests in asked.items()
    ]


def _why_none(*, live: int, allowed: bool) -> str:
    if allowed:
        return (
            f"nothing asks for {RULES_SEND_OUT}: all of these rules are allowed, and the next run writes them"
        )
    if live:
        whose = many(live, "mailbox that is live", "mailboxes that are live")
        return f"the rules are in {whose}: there the owner switches them on, and Kogge does not"
    return f"nothing asks for {RULES_SEND_OUT}: {NONE}"


def _about(digests: frozenset[bytes], earlier: frozenset[bytes]) -> dict[str, str | int]:
    return {"rules": len(digests), DIGESTS: " ".join(sorted(one.hex() for one in digests | earlier))}
