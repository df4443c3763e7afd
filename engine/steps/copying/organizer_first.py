"""Let an attendee's copy of a meeting wait for the organizer's, where one event is everybody's.

Such a server takes the organizer's object after an attendee's, and shows the meeting twice to each of those
whose copy was there. After the organizer's it refuses an attendee's, and what is there stands for that
person's copy. So a copy whose organizer moves to the same target is skipped until the organizer's own is
written, and asked about in every pass.

Where a guest's copy was written nevertheless, because the organizer came into the plan later, the organizer's
own waits until that copy is taken back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.context.leg_context import LegContext
from engine.planning.mailbox_list import canonical
from engine.steps.own_copies import split, stored
from ledger.db.rows import ORGANIZER_FIRST, ContainerRow, ItemRow
from ledger.leg.meetings import GUESTS_FIRST, NOBODY, OWNER, Answer, Noted, Organized
from mappings.losses.catalogue import lose
from model.protocols import Item, Mapped

if TYPE_CHECKING:
    from engine.steps.copying.copy import PreparedBatch

WAITS = {Answer.AWAITED: ORGANIZER_FIRST, Answer.GUESTS: GUESTS_FIRST}
"""The answers for which an item waits, each with its code."""
UID_CONFLICT = "uid-conflict"
_CREATED = re.compile(rb"^CREATED:(\d{8}T\d{6})Z\r?$", re.MULTILINE)
_HEAD = 65_536
"""Bytes of an item in which CREATED stands, before any attachment."""


def ask_again(leg: LegContext, containers: Iterable[ContainerRow]) -> None:
    """Make pending again what waited and need not any more, and take back copies that are in the way.

    A copy is taken back in staging only, and only if it is what Kogge wrote. It waits then. Idempotent.

    Args:
        leg: the open leg.
        containers: the containers of the leg.
    """
    if not leg.context.target.shares_events:
        return
    for row in containers if leg.mirror else ():
        _give_way(leg, row)
    leg.ledger.meetings.ask_again()


def _give_way(leg: LegContext, row: ContainerRow) -> None:
    keys = leg.ledger.meetings.in_the_way(row.id) if row.href is not None else []
    items = [item for key in keys if (item := leg.ledger.row(row.id, key)) is not None and leg.is_ours(item)]
    if items:
        leg.check()
        removed, _ = split(leg.target.remove(str(row.href), [stored(item) for item in items]))
        leg.ledger.rewrite(row.id, [result.key for result in removed])


def tell_settled(leg: LegContext) -> None:
    """Record that this pass copied, skipped or rejected all that it listed: see `MeetingLedger.settled`.

    What of the owner's was not among it is waited for no longer.
    """
    if leg.form.shared is not None and leg.context.target.shares_events:
        leg.ledger.meetings.settled()


def open_code(leg: LegContext) -> str | None:
    """Return ORGANIZER_FIRST if items of the leg wait for others and nobody approved that; else None."""
    if leg.form.shared is None:
        return None  # no meetings; the target need not be asked
    if not leg.context.target.shares_events or not leg.ledger.meetings.waiting():
        return None
    return None if leg.approved(ORGANIZER_FIRST) else ORGANIZER_FIRST


def hold_back(leg: LegContext, row: ContainerRow, rows: Iterable[ItemRow], prepared: PreparedBatch) -> None:
    """Skip, before anything of a batch is written, the copies that have to wait for the organizer's.

    What has a place at the target already does not wait. Every meeting of the batch is noted in the ledger.

    Args:
        leg: the open leg.
        row: the container.
        rows: the rows of the batch.
        prepared: the batch; changed in place.
    """
    if not leg.context.target.shares_events:
        return
    meetings = [entry.item for entry in prepared.mapped if entry.item.organizer and entry.item.uid]
    organized = leg.ledger.meetings.note(row.id, _noted(leg, meetings))
    placed = {item.key for item in rows if item.href is not None}
    kept: list[Mapped] = []
    for entry in prepared.mapped:
        known = organized.get(entry.item.key)
        if known is None:
            kept.append(entry)
        elif known.answer in WAITS and entry.item.key not in placed:
            prepared.skipped.append((entry.item.key, WAITS[known.answer]))
        elif known.answer is Answer.ANOTHER and _invites(leg, entry.item, known.has_another):
            prepared.rejected.append((entry.item.key, UID_CONFLICT))
        else:
            kept.append(_as_known(leg, entry, known))
    prepared.mapped[:] = kept


def _noted(leg: LegContext, meetings: Iterable[Item]) -> list[Noted]:
    others = {item.key: _names(leg, item.organizer) for item in meetings if _is_invited(leg, item)}
    callers = leg.ledger.meetings.callers({name for names in others.values() for name in names})
    noted = []
    for item in meetings:
        # The address that the meeting itself has goes before the person's others.
        found = (callers[name] for name in others.get(item.key, ()) if name in callers)
        caller = OWNER if item.key not in others else next(found, NOBODY)
        stated = item.organizer if caller is not OWNER or item.organizer in leg.owner else ""
        made = None if caller is OWNER else _created(item)
        noted.append(Noted(item.key, str(item.uid), caller, item.digest, made, canonical(stated)))
    return noted


def _created(item: Item) -> float | None:
    """Return when the source made an item, in seconds since 1970 UTC; None if it does not say."""
    with item.body() as stream:
        found = _CREATED.search(stream.read(_HEAD))
    if found is None:
        return None
    try:
        return datetime.strptime(found[1].decode(), "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _invites(leg: LegContext, item: Item, people: Collection[str]) -> bool:
    """Return True if a meeting may invite somebody who has one of these addresses.

    The server would enter it beside what that person has under its UID, so that both read as nothing. An
    address of the same domain that the plan does not know may be that person's, too.
    """
    from mappings.compare.shared_meeting import attendees  # late: few servers share events

    with item.body() as stream:
        guests = {canonical(one) for one in attendees(stream)}
    owners = leg.ledger.meetings.owners({*guests, *people})
    theirs = {owners[name] for name in people if name in owners}
    domains = {name.rpartition("@")[2] for name in people}
    return any(
        owners[guest] in theirs if guest in owners else guest.rpartition("@")[2] in domains
        for guest in guests
    )


def _is_invited(leg: LegContext, item: Item) -> bool:
    """Return True if somebody else called the meeting, by any of the owner's addresses."""
    return bool(item.invited) and item.organizer not in leg.owner


def _names(leg: LegContext, organizer: str) -> list[str]:
    """Return the addresses of an organizer, by the directory; none of one whom no wave may touch."""
    name = canonical(organizer)
    rows = leg.directory.sources.get(name, frozenset())
    also = leg.directory.rows[next(iter(rows))] if len(rows) == 1 else frozenset[str]()
    names = [name, *sorted(also - {name})]
    return [] if leg.deny.denies(names) else names


def _as_known(leg: LegContext, entry: Mapped, known: Organized) -> Mapped:
    """Return a copy with what is known of the organizer's own."""
    if known.answer is Answer.THERE:
        return replace(entry, item=replace(entry.item, shown_as=known.href))
    is_known = canonical(entry.item.organizer) in leg.directory.sources
    if known.answer is not Answer.STAYS and not (known.answer is Answer.NOBODY and is_known):
        return entry
    return replace(entry, losses=(*entry.losses, lose("organizer", "stays-behind")))
