"""Record who allowed rules to send mail out of the own domains, and tell which rules were allowed.

An approval names the rules by what they say at the target while they are switched off. A rule that its owner
changes afterwards is another rule: it is switched off again, and needs another approval.

Events go into the evidence, in which nobody may try out whether a guessed rule is meant. So a name is a
digest under the key that wraps the keys of the evidence.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.config.evidence_key import proven_key
from engine.config.load import Config
from ledger.db.audit_log import Event
from ledger.db.rows import RULES_SEND_OUT, MailboxRow, Phase
from ledger.store import Ledger
from ledger.views.sending_rules import RULES, approved_names, switched_off
from mappings.fields.context import NO_DIGEST, Digests
from model.errors import Misconfigured
from model.plural import many

NONE = "no rule of these mailboxes, as far as a run has read, is off for sending mail out of the own domains"


@dataclass(frozen=True, slots=True)
class AllowedRules:
    """Tell which rules of a mailbox a person allowed. Implements `mappings.fields.context.Digests`.

    Attributes:
        mailbox: the mailbox's id.
        key: the key that wraps those of the evidence.
        names: how the approval names the rules.
    """

    mailbox: str
    key: bytes
    names: frozenset[str]

    def __contains__(self, digest: object) -> bool:
        """Return True if the rule with this digest was allowed."""
        return isinstance(digest, bytes) and _name(self.key, self.mailbox, digest) in self.names


def _name(key: bytes, mailbox_id: str, digest: bytes) -> str:
    """Return the name of a rule in an approval: 16 bytes in hexadecimal."""
    said = b"\0".join((RULES_SEND_OUT.encode(), mailbox_id.encode(), digest))
    return hmac.digest(key, said, "sha256")[:16].hex()


def allowed_rules(config: Config, ledger: Ledger, mailbox_id: str) -> Digests:
    """Return which rules of a mailbox a person allowed.

    Returns:
        NO_DIGEST without an approval, or if it was about another account.

    Raises:
        Misconfigured: if the key of the evidence cannot be read, or is another one.
    """
    names = _counting(ledger, mailbox_id)
    return AllowedRules(mailbox_id, proven_key(config, ledger), names) if names else NO_DIGEST


def _counting(ledger: Ledger, mailbox_id: str) -> frozenset[str]:
    names = approved_names(ledger, mailbox_id)
    return names if names and ledger.approved(mailbox_id, RULES_SEND_OUT) else frozenset()


def accept(ledger: Ledger, rows: Sequence[MailboxRow], by: str, reason: str, key: bytes) -> list[Event]:
    """Record an approval for each of these mailboxes that has such rules. What was allowed before stays so.

    Args:
        ledger: the ledger.
        rows: the mailboxes.
        by: who approves.
        reason: why.
        key: the key that wraps those of the evidence.

    Returns:
        The recorded events.

    Raises:
        Misconfigured: if none of the mailboxes has such a rule that nobody allowed; nothing is recorded then.
    """
    found = switched_off(ledger, [row.id for row in rows])
    live = {row.id for row in rows if row.phase is Phase.LIVE}
    named = {
        number: {_name(key, number, digest) for digest in digests}
        for number, digests in found.items()
        if number not in live
    }
    earlier = {number: _counting(ledger, number) for number in named}
    asked = {number: names for number, names in named.items() if names - earlier[number]}
    if not asked:
        raise Misconfigured("CODE", _why_none(live=len(live & found.keys()), allowed=bool(named)))
    return [
        ledger.approve(number, RULES_SEND_OUT, by, reason, about=_about(names, earlier[number]))
        for number, names in asked.items()
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


def _about(names: Collection[str], earlier: frozenset[str]) -> dict[str, str | int]:
    return {"rules": len(names), RULES: " ".join(sorted(earlier.union(names)))}
