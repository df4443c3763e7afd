"""Bind in the ledger the accounts that the identity gate has proven.

For files also the folder that they go into.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.context.leg_context import LegContext
from engine.control.lease import writes_most
from engine.identity import identity_gate
from engine.identity.identity_gate import IdentityProof, refuse_lent
from engine.identity.own_items import own_items
from ledger.db.leases import AT_TARGET
from ledger.db.rows import Lease
from ledger.leg.target_accounts import Doubt
from ledger.store import Ledger
from model.errors import Blocked, Transient
from model.kinds import Kind

REPLACED = "folder-replaced"


def bind(
    ledger: Ledger,
    claim: Lease,
    leg: LegContext,
    proof: IdentityProof,
    *,
    first: bool,
    apart: frozenset[Kind] = frozenset(),
) -> Callable[[], None]:
    """Bind both accounts in the ledger, see Ledger.bind. Idempotent.

    Another folder than before is bound if a person approved that.

    Args:
        ledger: the ledger.
        claim: the lease.
        leg: the open leg.
        proof: what the identity gate has proven.
        first: True if nothing was put into the folder yet.
        apart: see Ledger.bind.

    Returns:
        A function that binds the folder of files that did not exist yet. Call it once the folder is made,
            before anything is put into it.

    Raises:
        Blocked: `folder-lent` for a folder that a person shares now; `identity-changed`, `folder-replaced` or
            another code of Ledger.bind.
    """
    if first:
        refuse_lent(proof.target, leg.approved)
    try:
        ledger.bind(claim, proof.source, proof.target, proof.level, apart=apart)
    except Blocked as error:
        if error.code == REPLACED and not leg.traits.of_sites:
            raise Blocked("identity-changed", "the account was made anew under the same name") from None
        if error.code != REPLACED or not leg.allowed_once(REPLACED, 1):
            raise
        leg.spend()  # before it is bound: not every walk that binds comes to its end
        ledger.bind(claim, proof.source, proof.target, proof.level, replaced=True, apart=apart)
    if not first or not leg.traits.of_sites or proof.target.part:
        return _already_bound

    def bind_made() -> None:
        identity = leg.target.identity()
        refuse_lent(identity, leg.approved)
        ledger.bind(claim, proof.source, identity, proof.level, apart=apart)

    return bind_made


def refuse_filled_since(leg: LegContext, sleep: Callable[[float], None]) -> None:
    """Refuse an account into which something was put since it was bound, as long as no item has arrived.

    An account without an id of its own may be that of another mailbox of this ledger, under another login; no
    approval excuses that. Items that were sent and did not arrive prove nothing: while their worker was dead,
    another mailbox may have gone first.

    Args:
        leg: the open leg.
        sleep: waits so many seconds.

    Raises:
        Blocked: `target-not-empty` or `identity-bound-elsewhere`.
        Transient: `account-in-doubt` while another worker may fill the same account.
    """
    counts = leg.ledger.counts()
    if any(counts.get(state) for state in AT_TARGET) or not any(counts.get(state) for state in leg.owed):
        return
    fingerprint, our_containers = leg.target.identity().fingerprint, leg.ledger.elsewhere()
    shared = bool(fingerprint) and _take_account(leg, fingerprint, sleep)
    if shared and identity_gate.is_filled(leg.target, leg.artefacts, our_containers):
        raise Blocked("identity-bound-elsewhere", "another mailbox of this ledger may own the account")
    if not leg.ledger.begun() and not leg.in_doubt:  # otherwise a late write of ours may be there
        identity_gate.refuse_filled(leg.target, leg.approved, leg.artefacts, our_containers)


def refuse_mostly_strange(leg: LegContext) -> None:
    """Refuse an account that holds more that is not this mailbox's than that is, judged by meaning.

    This is asked of a ledger that knew of no pass, after its copies were adopted and before the pass has a
    number. A mark alone excuses nothing: another mailbox may own the account under another login.

    Raises:
        Blocked: `target-not-empty`.
    """
    if leg.ledger.generation() or leg.approved("target-not-empty"):
        return
    claimed, elsewhere = leg.ledger.claimed_anywhere(), leg.ledger.elsewhere()
    own_count = foreign_count = 0
    for container in leg.target.containers():
        if container.id in elsewhere or container.omit is not None or container.readonly:
            continue
        listed = {item.href for item in own_items(leg.target, container.id)}
        mine = len(listed & claimed.get(container.id, set()))
        own_count, foreign_count = own_count + mine, foreign_count + len(listed) - mine
    if own_count <= foreign_count and identity_gate.is_filled(leg.target, leg.artefacts, elsewhere):
        raise Blocked("target-not-empty", "most of what the target account holds is not ours")


def _take_account(leg: LegContext, fingerprint: str, sleep: Callable[[float], None]) -> bool:
    """Take an account for this leg, see LegLedger.take_account.

    A worker that ended in its first batch may never be followed by another one. It is waited for as a claimer
    of its leg would wait. What it sent is visible then, in this account too if it is the same one.

    Raises:
        Transient: `account-in-doubt` while another worker is at work, or was since.
    """
    account = leg.ledger.take_account(fingerprint)
    if isinstance(account, Doubt) and not account.at_work:
        pace = leg.pace
        sleep(pace.grace + (0.0 if account.ended else writes_most(pace.lease, pace.margin)))
        account = leg.ledger.take_account(fingerprint, outwaited=account)
    if isinstance(account, Doubt):
        doubt = Transient("account-in-doubt", "another mailbox may be about to write into the same account")
        raise doubt.about(account.mailbox)
    return account


def _already_bound() -> None:
    """Do nothing: the folder was bound before."""
