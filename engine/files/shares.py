"""Share files and folders at the target as they are shared at the source, once the mailbox is frozen.

Before, what should be shared is planned, and what cannot be shared is recorded. The recipients may work at
the target already, and in staging Kogge would repair what they changed. In the live phase people share as
they like.

What the source no longer shares is taken back if the ledger says that Kogge shared it. What someone else
shared at the target stays as it is; verification reports it where Kogge shares too. The ledger keeps hashes
and names no person.

A person who has a folder at the target has everything in it. So a folder that contains something which is for
fewer people at the source, or about which the source does not say that, is shared only once a person approved
it (NARROWER).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.context.leg_context import LegContext, as_container
from ledger.db.leases import AT_TARGET
from ledger.db.rows import ContainerRow, Phase, Tally
from ledger.leg.shares import FOUND, ShareRow
from model.errors import Blocked, Rejected
from model.optional_protocols import Grant, Sharing, SupportsGrants, SupportsShares
from model.protocols import Loss, key_of
from model.sites import is_site

LATER = "person-later"
"""The code of a share with a person whose account the identity gate has not bound yet: the next frozen pass
after that makes it."""
UNKNOWN = {Sharing.USER: "person-unknown", Sharing.GROUP: "group-unknown"}
NARROWER = "narrower-rights"
"""The approval without which no person gets to see more than at the source."""
LESS = Loss("share", "narrower-than-parent")
HELD = Loss("share", "held-back")
DIFFERS = Loss("share", "share-differs")
WHOLE = b""
"""The ledger's key of a container itself."""


@dataclass(frozen=True, slots=True)
class SharePlan:
    """Hold what the target should share of one item or container, and what it will not.

    Attributes:
        grants: what is to be shared.
        losses: what will not be shared.
        told: True if the source says with whom it shares; if not, nothing is taken back.
        held: what waits for an approval.
    """

    grants: tuple[Grant, ...] = ()
    losses: tuple[Loss, ...] = ()
    told: bool = True
    held: tuple[Grant, ...] = ()

    def holding(self, made: Collection[bytes] = ()) -> SharePlan:
        """Return the plan with everything held back that is not shared yet.

        Args:
            made: the digests of what Kogge shares already, and goes on sharing.
        """
        held_grants = tuple(grant for grant in self.grants if digest_of(grant) not in made)
        losses = (*self.losses, HELD) if held_grants else self.losses
        return replace(
            self,
            grants=tuple(grant for grant in self.grants if grant not in held_grants),
            losses=losses,
            held=held_grants,
        )


@dataclass(frozen=True, slots=True)
class Spot:
    """Name an item or, with name None, a container at the target."""

    container: int
    key: bytes
    href: str
    name: str | None


def share(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """Share what should be shared, after everything has arrived and all removals are done.

    Idempotent: what is as it should be is left alone. A server that accepts few shares at a time is waited
    for.

    Args:
        leg: the open leg.
        rows: the containers.

    Raises:
        Blocked: `narrower-rights` for a site: whoever has its folder sees all of it.
        MigrationError: what the connectors raise; some shares may be made.
        LeaseLost: if another worker has claimed the leg.
        StopRequested: if the leg is to stop.
    """
    if not leg.traits.shared or not leg.mirror or not isinstance(leg.source, SupportsGrants):
        return
    shared_rows = [row for row in rows if not row.gone and row.omit is None and row.href is not None]
    plans = {row.id: _plan_checked(leg, row) for row in shared_rows}
    wide, unsure = _wide(shared_rows, plans, _is_less), _wide(shared_rows, plans, _is_untold)
    if leg.approved(NARROWER):
        wide = unsure = frozenset()
    for row in shared_rows:
        leg.check()
        if row.path in wide | unsure and WHOLE in plans[row.id]:
            share_rows = () if row.path in wide else leg.ledger.shares.of(row.id).get(WHOLE, ())
            made_digests = {entry.digest for entry in share_rows if entry.made}
            plans[row.id][WHOLE] = plans[row.id][WHOLE].holding(made_digests)
        _share(leg, row, plans[row.id])
    if (wide or unsure) and is_time(leg) and is_site(leg.mailbox.source):
        raise Blocked(NARROWER, "something in it is for fewer people than the folder it goes into")


def _plan_checked(leg: LegContext, row: ContainerRow) -> dict[bytes, SharePlan]:
    leg.check()
    return plan(leg, row)


def _share(leg: LegContext, row: ContainerRow, plans: Mapping[bytes, SharePlan]) -> None:
    if not is_time(leg):
        leg.ledger.shares.lose(row.id, {key: share_plan.losses for key, share_plan in plans.items()})
        return
    share_rows = leg.ledger.shares.of(row.id)
    for key in sorted({*plans, *share_rows, *leg.ledger.shares.lossy(row.id)}):
        leg.check()
        _settle(leg, row, key, plans.get(key, SharePlan()), share_rows.get(key, ()))


def _is_less(share_plan: SharePlan) -> bool:
    return LESS in share_plan.losses


def _is_untold(share_plan: SharePlan) -> bool:
    """Return True if it may be for fewer people: its folders keep their shares, and get no more."""
    return not share_plan.told


def _wide(
    rows: Sequence[ContainerRow],
    plans: Mapping[int, Mapping[bytes, SharePlan]],
    is_such: Callable[[SharePlan], bool],
) -> frozenset[tuple[str, ...]]:
    """Return the paths of the containers with such an item in or below them."""
    wide: set[tuple[str, ...]] = set()
    for row in rows:
        narrow = [key for key, share_plan in plans[row.id].items() if is_such(share_plan)]
        depth = len(row.path) - (narrow == [WHOLE])
        wide |= {row.path[:length] for length in range(1, depth + 1)} if narrow else set()
    return frozenset(wide)


def is_time(leg: LegContext) -> bool:
    """Return True if nothing more comes from the source and its owner does not work at the target yet."""
    return leg.mailbox.phase is Phase.FROZEN


def plan(leg: LegContext, row: ContainerRow) -> dict[bytes, SharePlan]:
    """Return how a container and its items should be shared, by key. Ask the source.

    Only what is shared at the source is returned.
    """
    if not isinstance(leg.source, SupportsGrants):
        return {}
    grants_by_id = dict(leg.source.grants(as_container(row)))
    addresses = {
        grant.who for grants in grants_by_id.values() for grant in grants if grant.kind is Sharing.USER
    }
    people = leg.parties.people(addresses - leg.owner)
    return {
        WHOLE if id_ == row.source_id else key_of(id_): _plan_grants(
            leg, [grant for grant in grants if not _is_owner(leg, grant)], people, whole=id_ == row.source_id
        )
        for id_, grants in grants_by_id.items()
    }


def party_of(grant: Grant) -> bytes:
    """Return the hash of the person or group of a grant."""
    return _hash(grant.party)


def digest_of(grant: Grant) -> bytes:
    """Return a digest that is equal for grants with the same party and the same rights."""
    rights = (grant.write, grant.expires, grant.password, grant.everyone, grant.odd)
    return _hash((*grant.party, *map(str, rights)))


def name_of(leg: LegContext, container_id: int, key: bytes) -> str | None:
    """Return an item's name at the target; None if it is not there."""
    item = leg.ledger.row(container_id, key)
    return item.href if item is not None and item.state in AT_TARGET else None


def _is_owner(leg: LegContext, grant: Grant) -> bool:
    return grant.kind is Sharing.USER and grant.who in leg.owner


def _plan_grants(
    leg: LegContext, grants: Collection[Grant], people: Mapping[str, str | None], *, whole: bool
) -> SharePlan:
    if any(grant.kind is Sharing.UNTOLD for grant in grants):
        return SharePlan((), (Loss("share", "unreadable"),), told=False)
    named_grants: list[Grant] = []
    losses: list[Loss] = []
    for grant in grants:
        loss, who = _unshareable(grant), _who(leg, grant, people)
        if loss is not None:
            losses.append(loss)
        elif who is None:
            losses.append(Loss("share", LATER if grant.who in people else UNKNOWN[grant.kind]))
        else:
            named_grants.append(replace(grant, who=who))
    if not isinstance(leg.target, SupportsShares):
        return SharePlan((), (*losses, *(Loss("share", "refused") for _ in named_grants)))
    grants_kept, more = leg.target.kept(named_grants, whole=whole)
    return SharePlan(grants_kept, (*losses, *more))


def _who(leg: LegContext, grant: Grant, people: Mapping[str, str | None]) -> str | None:
    """Return what the party is called at the target; None if it is unknown."""
    if grant.kind is Sharing.USER:
        return people.get(grant.who)
    return leg.parties.group(grant.who) if grant.kind is Sharing.GROUP else ""


def _unshareable(grant: Grant) -> Loss | None:
    """Return the loss if no target could share this; else None."""
    reason = None
    if grant.kind is Sharing.LESS:
        return LESS
    if grant.kind is Sharing.EXTERNAL:
        reason = "not-understood" if grant.odd else "external"
    elif grant.odd:
        reason = "other-rights"
    elif grant.kind is Sharing.LINK and not grant.everyone:
        reason = "organisation-link"
    elif grant.kind is Sharing.LINK and grant.password:
        reason = "link-password"
    return Loss("share", reason) if reason else None


def _settle(
    leg: LegContext, row: ContainerRow, key: bytes, share_plan: SharePlan, share_rows: Sequence[ShareRow]
) -> None:
    name = None if key == WHOLE else name_of(leg, row.id, key)
    is_gone = key != WHOLE and name is None  # its shares are gone with it
    if is_gone or not (share_plan.grants or share_plan.held or share_rows):
        leg.ledger.shares.settle(row.id, key, (), () if is_gone else share_plan.losses)
        return
    if not share_plan.told:
        leg.ledger.shares.settle(row.id, key, share_rows, share_plan.losses)
        return
    try:
        _share_at_target(leg, Spot(row.id, key, str(row.href), name), share_plan, share_rows)
    except Rejected:  # it vanished, which verification reports; or sharing was switched off
        leg.ledger.shares.settle(row.id, key, share_rows, share_plan.losses)


def _share_at_target(
    leg: LegContext, spot: Spot, share_plan: SharePlan, share_rows: Sequence[ShareRow]
) -> None:
    target = leg.target
    if not isinstance(target, SupportsShares):
        return
    grants_there = {party_of(grant): grant for grant in target.shared(spot.href, spot.name)}
    our_rows = {row.party: row for row in share_rows if row.made}
    foreign = {party: grant for party, grant in grants_there.items() if party not in our_rows}
    to_share = [grant for grant in share_plan.grants if party_of(grant) not in foreign]
    already_shared = [grant for grant in (*share_plan.grants, *share_plan.held) if party_of(grant) in foreign]
    rows = {party_of(grant): _row(grant, None) for grant in to_share}
    rows |= {party_of(grant): _row(foreign[party_of(grant)], FOUND) for grant in already_shared}
    stale = {party: row for party, row in our_rows.items() if party not in rows}
    if {*share_rows} != {*rows.values(), *stale.values()}:
        leg.ledger.shares.intend(spot.container, spot.key, [*rows.values(), *stale.values()])
    if leaving := [grants_there[party] for party in stale if party in grants_there]:
        target.unshare(spot.href, spot.name, leaving)
    losses = list(share_plan.losses)
    losses += [DIFFERS for other in already_shared if digest_of(other) != rows[party_of(other)].digest]
    for grant, loss in target.share(spot.href, spot.name, to_share, leg.check):
        if loss is not None:
            losses.append(loss)
            rows[party_of(grant)] = replace(rows[party_of(grant)], code=loss.reason)
    waiting = [_row(grant, HELD.reason) for grant in share_plan.held if party_of(grant) not in rows]
    leg.ledger.shares.settle(spot.container, spot.key, [*rows.values(), *waiting], losses)
    leg.ledger.tally.add(Tally(shared=len({row for row in rows.values() if row.made} - {*share_rows})))


def _row(grant: Grant, code: str | None) -> ShareRow:
    ends = None if grant.expires is None else int(grant.expires.timestamp())
    return ShareRow(party_of(grant), digest_of(grant), ends, code)


def _hash(parts: Iterable[str]) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()
