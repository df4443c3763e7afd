"""Shares files and folders at the target as they are shared at the source, once the mailbox is frozen.

Before, what should be shared is planned, and what cannot be is named: whom it is for may work there already,
and what they changed in staging we would repair. In the live phase people share as they like.

What the source shares no more is taken back where the ledger says that we shared it; what somebody else
shared at the target stays as it is, and verification tells of it where we share too. The ledger names nobody:
it keeps hashes.

Whoever has a folder at the target has all that is in it. So a folder with something in it that is for fewer
people at the source, or of which that is not told, is shared only once a person approved that (NARROWER).
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
from model.protocols import Kind, Loss, key_of
from model.sites import is_site

LATER = "person-later"
"""The code of a share with somebody whose account the gate has not bound yet: the next frozen pass after that
makes it."""
UNKNOWN = {Sharing.USER: "person-unknown", Sharing.GROUP: "group-unknown"}
NARROWER = "narrower-rights"
"""The approval without which nobody gets to see more than at the source."""
LESS = Loss("share", "narrower-than-parent")
HELD = Loss("share", "held-back")
DIFFERS = Loss("share", "share-differs")
WHOLE = b""
"""The ledger's key of a container itself."""


@dataclass(frozen=True, slots=True)
class SharePlan:
    """What the target should share of one item or container, and what it will not. told: whether the source
    says with whom it shares; else nothing is taken back. held: what waits for an approval."""

    grants: tuple[Grant, ...] = ()
    losses: tuple[Loss, ...] = ()
    told: bool = True
    held: tuple[Grant, ...] = ()

    def holding(self, made: Collection[bytes] = ()) -> SharePlan:
        """made: the digests of what is shared by us, and stays so."""
        held = tuple(grant for grant in self.grants if digest_of(grant) not in made)
        losses = (*self.losses, HELD) if held else self.losses
        return replace(
            self, grants=tuple(grant for grant in self.grants if grant not in held), losses=losses, held=held
        )


@dataclass(frozen=True, slots=True)
class Spot:
    """An item or, with name None, a container at the target."""

    container: int
    key: bytes
    href: str
    name: str | None


def share(leg: LegContext, rows: Sequence[ContainerRow]) -> None:
    """After everything has arrived, and what is gone is gone. Idempotent: what is as it should be is left
    alone. Raises what the connectors do, LeaseLost and Stopping; a server that lets us share little at a time
    is waited for. Raises Blocked("narrower-rights") for a site: who has its folder sees all of it."""
    if leg.kind is not Kind.FILES or not leg.mirror or not isinstance(leg.source, SupportsGrants):
        return
    there = [row for row in rows if not row.gone and row.omit is None and row.href is not None]
    plans = {row.id: _checked(leg, row) for row in there}
    wide, unsure = _wide(there, plans, _is_less), _wide(there, plans, _is_untold)
    if leg.approved(NARROWER):
        wide = unsure = frozenset()
    for row in there:
        leg.check()
        if row.path in wide | unsure and WHOLE in plans[row.id]:
            known = () if row.path in wide else leg.ledger.shares.of(row.id).get(WHOLE, ())
            made = {entry.digest for entry in known if entry.made}
            plans[row.id][WHOLE] = plans[row.id][WHOLE].holding(made)
        _share(leg, row, plans[row.id])
    if (wide or unsure) and is_time(leg) and is_site(leg.mailbox.source):
        raise Blocked(NARROWER, "something in it is for fewer people than the folder it goes into")


def _checked(leg: LegContext, row: ContainerRow) -> dict[bytes, SharePlan]:
    leg.check()
    return plan(leg, row)


def _share(leg: LegContext, row: ContainerRow, plans: Mapping[bytes, SharePlan]) -> None:
    if not is_time(leg):
        leg.ledger.shares.lose(row.id, {key: one.losses for key, one in plans.items()})
        return
    known = leg.ledger.shares.of(row.id)
    for key in sorted({*plans, *known, *leg.ledger.shares.lossy(row.id)}):
        leg.check()
        _settle(leg, row, key, plans.get(key, SharePlan()), known.get(key, ()))


def _is_less(one: SharePlan) -> bool:
    return LESS in one.losses


def _is_untold(one: SharePlan) -> bool:
    """It may be for fewer: what its folders are shared like by now stays, and nothing more is."""
    return not one.told


def _wide(
    rows: Sequence[ContainerRow],
    plans: Mapping[int, Mapping[bytes, SharePlan]],
    is_such: Callable[[SharePlan], bool],
) -> frozenset[tuple[str, ...]]:
    """The paths of the containers with something such in or below them."""
    wide: set[tuple[str, ...]] = set()
    for row in rows:
        narrow = [key for key, one in plans[row.id].items() if is_such(one)]
        depth = len(row.path) - (narrow == [WHOLE])
        wide |= {row.path[:length] for length in range(1, depth + 1)} if narrow else set()
    return frozenset(wide)


def is_time(leg: LegContext) -> bool:
    """Nothing more comes from the source, and its owner does not work at the target yet."""
    return leg.mailbox.phase is Phase.FROZEN


def plan(leg: LegContext, row: ContainerRow) -> dict[bytes, SharePlan]:
    """What a container and its items should be shared like, by key, of those that are shared at the source.
    Asks the source."""
    if not isinstance(leg.source, SupportsGrants):
        return {}
    given = dict(leg.source.grants(as_container(row)))
    named = {grant.who for grants in given.values() for grant in grants if grant.kind is Sharing.USER}
    people = leg.parties.people(named - leg.owner)
    return {
        WHOLE if id_ == row.source_id else key_of(id_): _planned(
            leg, [grant for grant in grants if not _is_owner(leg, grant)], people, whole=id_ == row.source_id
        )
        for id_, grants in given.items()
    }


def party_of(grant: Grant) -> bytes:
    return _hashed(grant.party)


def digest_of(grant: Grant) -> bytes:
    """Equal for grants that are the same share with the same rights."""
    rights = (grant.write, grant.expires, grant.password, grant.everyone, grant.odd)
    return _hashed((*grant.party, *map(str, rights)))


def name_of(leg: LegContext, container_id: int, key: bytes) -> str | None:
    """An item's name at the target; None where it is not there."""
    item = leg.ledger.row(container_id, key)
    return item.href if item is not None and item.state in AT_TARGET else None


def _is_owner(leg: LegContext, grant: Grant) -> bool:
    return grant.kind is Sharing.USER and grant.who in leg.owner


def _planned(
    leg: LegContext, grants: Collection[Grant], people: Mapping[str, str | None], *, whole: bool
) -> SharePlan:
    if any(grant.kind is Sharing.UNTOLD for grant in grants):
        return SharePlan((), (Loss("share", "unreadable"),), told=False)
    named: list[Grant] = []
    losses: list[Loss] = []
    for grant in grants:
        loss, who = _lost(grant), _who(leg, grant, people)
        if loss is not None:
            losses.append(loss)
        elif who is None:
            losses.append(Loss("share", LATER if grant.who in people else UNKNOWN[grant.kind]))
        else:
            named.append(replace(grant, who=who))
    if not isinstance(leg.target, SupportsShares):
        return SharePlan((), (*losses, *(Loss("share", "refused") for _ in named)))
    kept, more = leg.target.kept(named, whole=whole)
    return SharePlan(kept, (*losses, *more))


def _who(leg: LegContext, grant: Grant, people: Mapping[str, str | None]) -> str | None:
    """What the party is called at the target; None where nobody knows."""
    if grant.kind is Sharing.USER:
        return people.get(grant.who)
    return leg.parties.group(grant.who) if grant.kind is Sharing.GROUP else ""


def _lost(grant: Grant) -> Loss | None:
    """What no target could share."""
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
    leg: LegContext, row: ContainerRow, key: bytes, wanted: SharePlan, known: Sequence[ShareRow]
) -> None:
    name = None if key == WHOLE else name_of(leg, row.id, key)
    gone = key != WHOLE and name is None  # and with the file its shares
    if gone or not (wanted.grants or wanted.held or known):
        leg.ledger.shares.settle(row.id, key, (), () if gone else wanted.losses)
        return
    if not wanted.told:
        leg.ledger.shares.settle(row.id, key, known, wanted.losses)
        return
    try:
        _shared(leg, Spot(row.id, key, str(row.href), name), wanted, known)
    except Rejected:  # it vanished meanwhile, which verification tells; or sharing was switched off
        leg.ledger.shares.settle(row.id, key, known, wanted.losses)


def _shared(leg: LegContext, spot: Spot, wanted: SharePlan, known: Sequence[ShareRow]) -> None:
    target = leg.target
    if not isinstance(target, SupportsShares):
        return
    there = {party_of(grant): grant for grant in target.shared(spot.href, spot.name)}
    ours = {row.party: row for row in known if row.made}
    strange = {party: grant for party, grant in there.items() if party not in ours}
    giving = [grant for grant in wanted.grants if party_of(grant) not in strange]
    others = [grant for grant in (*wanted.grants, *wanted.held) if party_of(grant) in strange]
    rows = {party_of(grant): _row(grant, None) for grant in giving}
    rows |= {party_of(grant): _row(strange[party_of(grant)], FOUND) for grant in others}
    stale = {party: row for party, row in ours.items() if party not in rows}
    if {*known} != {*rows.values(), *stale.values()}:
        leg.ledger.shares.intend(spot.container, spot.key, [*rows.values(), *stale.values()])
    if leaving := [there[party] for party in stale if party in there]:
        target.unshare(spot.href, spot.name, leaving)
    losses = list(wanted.losses)
    losses += [DIFFERS for other in others if digest_of(other) != rows[party_of(other)].digest]
    for grant, loss in target.share(spot.href, spot.name, giving, leg.check):
        if loss is not None:
            losses.append(loss)
            rows[party_of(grant)] = replace(rows[party_of(grant)], code=loss.reason)
    waiting = [_row(grant, HELD.reason) for grant in wanted.held if party_of(grant) not in rows]
    leg.ledger.shares.settle(spot.container, spot.key, [*rows.values(), *waiting], losses)
    leg.ledger.tally.add(Tally(shared=len({row for row in rows.values() if row.made} - {*known})))


def _row(grant: Grant, code: str | None) -> ShareRow:
    ends = None if grant.expires is None else int(grant.expires.timestamp())
    return ShareRow(party_of(grant), digest_of(grant), ends, code)


def _hashed(parts: Iterable[str]) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()
