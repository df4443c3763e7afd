"""Tell the legs of invited people what became of a meeting in the leg of whoever called it.

A server that keeps one event for all who are invited shows a meeting twice to everybody whose copy was there
before the organizer's. So an attendee's copy waits for the organizer's, whatever wave or worker moves that
one. A meeting is known by a keyed hash of its UID; who called it, by an address of the plan.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    or_,
    select,
    update,
)

from ledger.db.engine import Transaction
from ledger.db.leases import AT_TARGET
from ledger.db.readers import chunked
from ledger.db.rows import NOT_IN_PLAN, ORGANIZER_FIRST, Lease, LegState, Phase, State
from ledger.db.schema import caller, container, item, leg, mailbox, meeting, meta
from ledger.db.upsert import upsert
from ledger.leg import item_states
from model.kinds import Kind

GUESTS_FIRST = "guests-first"
"""The code of an organizer's own item that waits until guests' copies, written before, are taken back."""
WAITING = (ORGANIZER_FIRST, GUESTS_FIRST)
OWNER: None = None
NOBODY = 0
"""Who called a meeting: the mailbox's owner, or somebody of no plan."""
_KEY = "meeting-key"
_NAME = re.compile(r"k-([0-9a-f]{32})\.ics")
_DONE = (LegState.VERIFIED.value, LegState.DIFFERS.value, LegState.COPIED.value)
_DENIED = "denied"
_OPEN = (State.SEEN, State.WRITING)
SURELY = 86_400.0
"""Seconds by which an item must be older than a pass that would have listed it: the clocks of a source and of
the ledger may differ, and so may the moments at which two mailboxes get one meeting."""
STAYS_FOR_GUESTS = "stays-for-guests"
"""The code of an organizer's own item that the source deleted, and that a guest who has moved still sees."""
_HELD = (State.WRITTEN, State.VERIFIED, State.CHANGED)


class Answer(StrEnum):
    """Say what is known of the other copies of a meeting.

    guests   of the owner's own: copies of guests are at the target that no organizer's stands for
    there    it is at the target
    awaited  it will be, or may be
    stays    it is not there, and will not be: its leg ended without it, or does not move
    nobody   no mailbox of the plan is the organizer's
    another  of the owner's own: colleagues have a meeting of its UID that somebody else called
    """

    GUESTS = "guests"
    THERE = "there"
    AWAITED = "awaited"
    STAYS = "stays"
    NOBODY = "nobody"
    ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Organized:
    """Say what is known of a meeting.

    Attributes:
        answer: what became of the other copies.
        href: where that one is, in its container; None unless it is at the target.
        has_another: of ANOTHER, the addresses of the mailboxes that have the other meeting, at both sides.
    """

    answer: Answer
    href: str | None = None
    has_another: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Noted:
    """Name an item that is a meeting.

    Attributes:
        key: of the item.
        uid: its UID.
        caller: who called it: OWNER, NOBODY, or as MeetingLedger.callers() says.
        digest: of what will be written; None if nothing will.
        organizer: the organizer's address as the item states it; of the owner's own, "" unless the source
            says that it is the owner's.
        created: when the source made the item, in seconds since 1970 UTC; None if it does not say.
    """

    key: bytes
    uid: str
    caller: int | None
    digest: bytes | None = None
    created: float | None = None
    organizer: str = field(default="", repr=False)


class MeetingLedger:
    """Note the meetings of one leg, and ask about those of others, in the transactions of its worker."""

    def __init__(self, transaction: Transaction, lease: Lease) -> None:
        self._transaction = transaction
        self._lease = lease

    def callers(self, addresses: Collection[str]) -> dict[str, int]:
        """Return who of the plan has these addresses.

        Args:
            addresses: lower-case addresses.

        Returns:
            For each address of the plan a number for `Noted`. People of other lists and waves, whose
            mailboxes the ledger does not have yet, are among them.
        """
        found: dict[str, int] = {}
        query = select(caller.c.address, caller.c.id)
        with self._transaction(writes=False) as connection:
            for chunk in chunked(sorted(addresses)):
                found |= dict(connection.execute(query.where(caller.c.address.in_(chunk))).all())
        return found

    def owners(self, addresses: Collection[str]) -> dict[str, str]:
        """Return, of those of these addresses that the plan has, the address of their owner's source."""
        found: dict[str, str] = {}
        query = select(caller.c.address, caller.c.source)
        with self._transaction(writes=False) as connection:
            for chunk in chunked(sorted(addresses)):
                found |= dict(connection.execute(query.where(caller.c.address.in_(chunk))).all())
        return found

    def note(self, container_id: int, meetings: Collection[Noted]) -> dict[bytes, Organized]:
        """Record meetings, and since when they wait, before anything of them is written; tell of the others.

        A guest's copy that need not wait counts from here on as one that may be at the target: its digest is
        recorded in the same transaction. So of two workers, one with the guest's and one with the organizer's
        copy, the later one sees what the earlier one decided. Idempotent.

        Args:
            container_id: the container.
            meetings: items that are being written.

        Returns:
            What is known of them, by key. A meeting that the owner called is there only because of guests.
        """
        if not meetings:
            return {}
        with self._transaction(writes=True, touches=(container_id,)) as connection:
            key = _ledger_key(connection)
            legs = _legs(connection, {entry.caller for entry in meetings if entry.caller})
            rows: list[dict[str, Any]] = [
                {
                    "container": container_id,
                    "key": entry.key,
                    "mark": blake2b(entry.uid.encode(), key=key, digest_size=16).digest(),
                    "caller": entry.caller,
                    "epoch": legs[entry.caller].before(entry.created) if entry.caller in legs else None,
                    "organizer": _hashed(entry.organizer, key),
                }
                for entry in meetings
            ]
            statement = upsert(connection, meeting)
            new = statement.excluded
            same = meeting.c.caller == new.caller, meeting.c.mark == new.mark, meeting.c.epoch.is_not(None)
            values: dict[str, Any] = {name: new[name] for name in ("mark", "caller", "organizer")}
            values["epoch"] = case((and_(*same), meeting.c.epoch), else_=new.epoch)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["container", "key"], set_=values), rows
            )
            known = self._of(connection, container_id, [entry.key for entry in meetings])
            going = [one for one in meetings if one.caller is not None and _may_go(known.get(one.key))]
            _record_digests(connection, container_id, going)
            return known

    def ask_again(self) -> int:
        """Set copies that waited for others back to be written, where the answer is another now.

        Returns:
            How many.
        """
        waiting = item.c.state == State.SKIPPED.value, item.c.code.in_(WAITING)
        query = select(item.c.container, item.c.key).join(container)
        query = query.where(container.c.leg == self._lease.leg, *waiting, item.c.href.is_(None))
        with self._transaction(writes=False) as connection:
            by_container: dict[int, list[bytes]] = {}
            for number, key in connection.execute(query):
                by_container.setdefault(number, []).append(bytes(key))
            again = {
                number: [key for key in keys if _may_go(organized.get(key))]
                for number, keys in by_container.items()
                for organized in [self._of(connection, number, keys)]
            }
        again = {number: keys for number, keys in again.items() if keys}
        if again:
            with self._transaction(writes=True, touches=again) as connection:
                values = {"state": State.SEEN.value, "code": None, "attempts": 0}
                for number, keys in again.items():
                    item_states.move(connection, number, keys, (State.SKIPPED,), values)
                item_states.progress(connection, self._lease.leg, done=-sum(map(len, again.values())))
        return sum(map(len, again.values()))

    def settled(self) -> None:
        """Record that the pass under way settled all that it listed; nothing if items are open. Idempotent.

        From then on nobody waits for a meeting of the owner's that was to be in that listing.
        """
        is_open = item.c.state.in_([state.value for state in _OPEN])
        mine = self._lease.leg
        open_items = exists(select(item.c.id).join(container).where(container.c.leg == mine, is_open))
        query = update(leg).where(leg.c.id == mine, leg.c.epoch == self._lease.epoch, ~open_items)
        with self._transaction(writes=True) as connection:
            connection.execute(query.values(settled=leg.c.epoch, settled_since=leg.c.claimed))

    def waiting(self) -> int:
        """Count the copies of this leg that wait for others."""
        query = select(func.count()).select_from(item.join(container))
        waiting = item.c.state == State.SKIPPED.value, item.c.code.in_(WAITING)
        query = query.where(container.c.leg == self._lease.leg, *waiting)
        with self._transaction(writes=False) as connection:
            return int(connection.execute(query).scalar_one())

    def of_colleagues(self, hrefs: Iterable[str]) -> set[str]:
        """Return those of these objects that other legs wrote for the organizers of meetings.

        The server shows them to everybody who is invited.
        """
        names = {bytes.fromhex(found[1]): href for href in hrefs if (found := _NAME.fullmatch(href))}
        query = select(meeting.c.key).join(container, container.c.id == meeting.c.container)
        query = query.where(meeting.c.caller.is_(None), container.c.leg != self._lease.leg)
        with self._transaction(writes=False) as connection:
            chunks = (connection.scalars(query.where(meeting.c.key.in_(keys))) for keys in chunked(names))
            return {names[bytes(key)] for chunk in chunks for key in chunk}

    def kept_for_guests(self, hrefs: Iterable[str]) -> set[str]:
        """Return those of these objects that stay at the target for guests and belong to no row."""
        names = {bytes.fromhex(found[1]): href for href in hrefs if (found := _NAME.fullmatch(href))}
        query = select(item.c.key).join(container).where(container.c.leg == self._lease.leg)
        query = query.where(item.c.state == State.GONE.value, item.c.code == STAYS_FOR_GUESTS)
        with self._transaction(writes=False) as connection:
            chunks = (connection.scalars(query.where(item.c.key.in_(keys))) for keys in chunked(names))
            return {names[bytes(key)] for chunk in chunks for key in chunk}

    def seen_by_moved(self, container_id: int, keys: Iterable[bytes]) -> set[bytes]:
        """Return those of the owner's own items that guests see whose mailboxes are frozen or live.

        Their copies rest on it, or wait for it. A guest's own copy, which was written beside it, does not.

        Args:
            container_id: the container.
            keys: of the items.
        """
        guests = meeting.alias()
        query = select(meeting.c.key, item.c.href, item.c.code)
        query = query.select_from(
            meeting.join(guests, _of_one(meeting, guests))
            .join(item, and_(item.c.container == guests.c.container, item.c.key == guests.c.key))
            .join(container, _its_container())
            .join(leg)
            .join(mailbox)
        )
        query = query.where(meeting.c.container == container_id, meeting.c.caller.is_(None))
        query = query.where(leg.c.id != self._lease.leg, mailbox.c.phase != Phase.STAGING.value)
        found: set[bytes] = set()
        with self._transaction(writes=False) as connection:
            for chunk in chunked(keys):
                for row in connection.execute(query.where(meeting.c.key.in_(chunk))):
                    if row.code == ORGANIZER_FIRST or (row.href and bytes(row.key).hex() in row.href):
                        found.add(bytes(row.key))
        return found

    def in_the_way(self, container_id: int) -> list[bytes]:
        """Return the items of a container at the target for which their organizer's own waits.

        Somebody else's event of the same UID has no say in it.
        """
        own = meeting.alias()
        organizers = item.alias()
        waits = and_(
            organizers.c.container == own.c.container,
            organizers.c.key == own.c.key,
            organizers.c.state == State.SKIPPED.value,
            organizers.c.code == GUESTS_FIRST,
        )
        query = select(meeting.c.key).select_from(
            meeting.join(item, _same_item()).join(own, _of_one(own, meeting)).join(organizers, waits)
        )
        query = query.where(meeting.c.container == container_id)
        query = query.where(item.c.state.in_([state.value for state in _HELD])).distinct()
        with self._transaction(writes=False) as connection:
            return [bytes(key) for key in connection.scalars(query)]

    def _of(self, connection: Connection, container_id: int, keys: Iterable[bytes]) -> dict[bytes, Organized]:
        """Return what is known of these meetings."""
        result: dict[bytes, Organized] = {}
        query = select(meeting).where(meeting.c.container == container_id)
        for chunk in chunked(keys):
            rows = connection.execute(query.where(meeting.c.key.in_(chunk))).all()
            legs = _legs(connection, {row.caller for row in rows})
            copies = _copies(connection, {bytes(row.mark) for row in rows if row.caller is not None})
            for row in rows:
                if row.caller is not None:
                    of, ones = legs.get(row.caller), copies.get(bytes(row.mark), [])
                    known = [one for one in ones if one.stands_for(row.organizer, of)]
                    result[bytes(row.key)] = self._judged(of, known, row.epoch)
            own = [bytes(row.key) for row in rows if row.caller is None]
            result |= _guests(connection, container_id, own, self._lease.leg)
        return result

    def _judged(self, of: _CallerLeg | None, copies: Sequence[_Copy], epoch: int | None) -> Organized:
        """Decide by the caller's leg, and by other owners' copies: an address may be unknown, or wrong."""
        others = [copy for copy in copies if copy.leg != self._lease.leg]
        if any(copy.code == GUESTS_FIRST for copy in others):
            return Organized(Answer.AWAITED)
        known = of if of is not None and of.leg != self._lease.leg else None
        theirs = [copy for copy in others if known is not None and copy.leg == known.leg]
        if known is not None and not _is_there(theirs) and _may_come(known, theirs, epoch):
            return Organized(Answer.AWAITED)
        if (there := next(iter(_is_there(theirs) or _is_there(others)), None)) is not None:
            return Organized(Answer.THERE, there)
        if any(copy.state in _OPEN for copy in others) and not (known is not None and known.stays):
            return Organized(Answer.AWAITED)
        return Organized(Answer.NOBODY if known is None else Answer.STAYS)


def _record_digests(connection: Connection, container_id: int, going: Iterable[Noted]) -> None:
    """Record the digests of items that are about to be written, and of which nothing is at the target."""
    values = [{"b_key": one.key, "b_digest": one.digest} for one in going if one.digest is not None]
    among = item.c.container == container_id, item.c.key == bindparam("b_key")
    unwritten = item.c.state == State.WRITING.value, item.c.href.is_(None)
    if values:
        connection.execute(
            update(item).where(*among, *unwritten).values(digest=bindparam("b_digest")), values
        )


def _is_there(copies: Iterable[_Copy]) -> list[str]:
    """Return where those of these copies are that are at the target."""
    return [str(copy.href) for copy in copies if copy.state in AT_TARGET]


def _may_come(of: _CallerLeg, copies: Collection[_Copy], epoch: int | None) -> bool:
    """Return True if a caller's own copy is not at the target, and may still come.

    A pass that listed the caller's calendar since this item was seen, and settled all of it, would have
    settled the meeting. It counts from then on, also while a later one is under way: people of one wave are
    always at work together.
    """
    if of.stays:
        return False
    if any(copy.state in _OPEN for copy in copies):
        return True
    ended = (of.through and of.live) or (epoch is not None and of.settled > epoch)
    return not copies and not ended


def _may_go(organized: Organized | None) -> bool:
    return organized is None or organized.answer not in (Answer.AWAITED, Answer.GUESTS)


@dataclass(frozen=True, slots=True)
class _CallerLeg:
    """Describe the leg of somebody who may call meetings.

    Attributes:
        leg: its number; None if the ledger does not have the mailbox yet.
        epoch: of the leg; 0 if there is none.
        claimed: since when a worker holds it; None if none does.
        settled: the newest pass that settled all it had listed; 0 for none.
        settled_since: when that one began.
        stays: True if it does not move.
        through: True if its newest pass ended with every item settled, and no worker holds it.
        live: True if its mailbox is live: nothing new comes to its source.
    """

    leg: int | None
    epoch: int = 0
    claimed: float | None = None
    settled: int = 0
    settled_since: float | None = None
    stays: bool = False
    through: bool = False
    live: bool = False

    def before(self, created: float | None) -> int:
        """Return the pass after which any other one would have listed a meeting.

        Args:
            created: when a guest's copy of it was made at the source. What is older than a pass was listed by
                it, also if that pass is under way, or has ended.
        """
        if created is not None and self.settled_since is not None and created + SURELY < self.settled_since:
            return self.settled - 1
        if created is not None and self.claimed is not None and created + SURELY < self.claimed:
            return self.epoch - 1
        return self.epoch


@dataclass(frozen=True, slots=True)
class _Copy:
    """Describe an organizer's own item."""

    leg: int
    state: State
    code: str | None
    href: str | None
    organizer: bytes | None

    def stands_for(self, organizer: bytes | None, of: _CallerLeg | None) -> bool:
        """Return True if it is the organizer's own of a copy that names this organizer.

        Args:
            organizer: as the copy has it, hashed; None if an older version noted it.
            of: the leg of the organizer, if the plan has it.
        """
        if of is not None and of.leg == self.leg:
            return True
        return self.organizer is not None and self.organizer == organizer


def _legs(connection: Connection, callers: Collection[int | None]) -> dict[int, _CallerLeg]:
    """Return the calendar legs of these callers. Who is in no plan any more is left out."""
    work = and_(leg.c.mailbox == mailbox.c.id, leg.c.workload == Kind.CALENDAR.value)
    joined = caller.outerjoin(mailbox, mailbox.c.source == caller.c.source).outerjoin(leg, work)
    theirs = container.alias()
    is_open = item.c.state.in_([state.value for state in _OPEN])
    among = item.join(theirs, theirs.c.id == item.c.container)
    open_items = exists(select(item.c.id).select_from(among).where(theirs.c.leg == leg.c.id, is_open))
    columns: tuple[Any, ...] = (
        caller.c.id,
        caller.c.list,
        mailbox.c.id.label("mailbox"),
        mailbox.c.withheld,
        mailbox.c.phase,
        leg.c.id.label("leg"),
        leg.c.epoch,
        case((leg.c.owner.is_not(None), leg.c.claimed)).label("claimed"),
        func.coalesce(leg.c.settled, 0).label("settled"),
        leg.c.settled_since,
        leg.c.code,
        case((and_(leg.c.owner.is_(None), leg.c.state.in_(_DONE), ~open_items), 1), else_=0).label("through"),
    )
    result: dict[int, _CallerLeg] = {}
    for chunk in chunked(sorted(number for number in callers if number)):
        for row in connection.execute(select(*columns).select_from(joined).where(caller.c.id.in_(chunk))):
            if row.leg is not None:
                stays = row.withheld == NOT_IN_PLAN or row.code == _DENIED
                live = row.phase == Phase.LIVE.value
                passes = row.epoch, row.claimed, row.settled, row.settled_since
                result[row.id] = _CallerLeg(row.leg, *passes, stays, bool(row.through), live)
            elif row.mailbox is None and row.list is not None:
                result[row.id] = _CallerLeg(None)
    return result


def _copies(connection: Connection, marks: Collection[bytes]) -> dict[bytes, list[_Copy]]:
    """Return, by mark, the items of these meetings in the legs of those who called them."""
    columns = (meeting.c.mark, meeting.c.organizer, container.c.leg, item.c.state, item.c.code, item.c.href)
    query = select(*columns)
    query = query.select_from(meeting.join(item, _same_item()).join(container, _its_container()))
    query = query.where(meeting.c.caller.is_(None))
    result: dict[bytes, list[_Copy]] = {}
    for chunk in chunked(sorted(marks)):
        for row in connection.execute(query.where(meeting.c.mark.in_(chunk))):
            copy = _Copy(row.leg, State(row.state), row.code, row.href, row.organizer)
            result.setdefault(bytes(row.mark), []).append(copy)
    return result


def _guests(
    connection: Connection, container_id: int, keys: Iterable[bytes], leg_id: int
) -> dict[bytes, Organized]:
    """Return, for the owner's own items, what copies of their UID other people's legs wrote, or may write.

    GUESTS for copies of this very meeting. What a live guest has stays: nothing of it would be taken back.
    ANOTHER for meetings that somebody else called.
    """
    own = meeting.alias()
    one = _of_one(own, meeting)
    columns = (own.c.key.label("own"), one.label("one"), item.c.key, item.c.href, item.c.place)
    query = select(*columns, mailbox.c.phase, mailbox.c.source, mailbox.c.target).select_from(
        own.join(meeting, and_(meeting.c.mark == own.c.mark, meeting.c.caller.is_not(None)))
        .join(item, _same_item())
        .join(container, _its_container())
        .join(leg)
        .join(mailbox)
    )
    sent = and_(item.c.state == State.WRITING.value, item.c.digest.is_not(None))
    query = query.where(own.c.container == container_id, leg.c.id != leg_id)
    query = query.where(or_(item.c.href.is_not(None), sent))
    guests: set[bytes] = set()
    another: dict[bytes, set[str]] = {}
    for chunk in chunked(keys):
        for row in connection.execute(query.where(own.c.key.in_(chunk))):
            if row.href is not None and bytes(row.key).hex() not in row.href and row.place != row.href:
                continue
            if not row.one:
                another.setdefault(bytes(row.own), set()).update((row.source, row.target))
            elif row.phase != Phase.LIVE.value:
                guests.add(bytes(row.own))
    found = {key: Organized(Answer.ANOTHER, None, frozenset(names)) for key, names in another.items()}
    return found | dict.fromkeys(guests, Organized(Answer.GUESTS))


def _of_one(own: FromClause, guest: FromClause) -> ColumnElement[bool]:
    """Return if a guest's copy and an owner's own are one meeting.

    The same UID is not enough, because whoever knows it can use it. The copy has to name the owner: by an
    address that the source says is the owner's, or by one that the plan gives to the owner.
    """
    theirs = container.alias()
    called = caller.join(mailbox, mailbox.c.source == caller.c.source)
    called = called.join(leg, leg.c.mailbox == mailbox.c.id).join(theirs, theirs.c.leg == leg.c.id)
    by_plan = select(caller.c.id).select_from(called).correlate(own, guest)
    by_plan = by_plan.where(caller.c.id == guest.c.caller, theirs.c.id == own.c.container)
    by_address = func.coalesce(own.c.organizer == guest.c.organizer, false())
    return and_(
        own.c.mark == guest.c.mark,
        own.c.caller.is_(None),
        guest.c.caller.is_not(None),
        or_(by_address, exists(by_plan)),
    )


def _same_item() -> ColumnElement[bool]:
    return and_(item.c.container == meeting.c.container, item.c.key == meeting.c.key)


def _its_container() -> ColumnElement[bool]:
    return container.c.id == item.c.container


def _hashed(organizer: str, key: bytes) -> bytes | None:
    return blake2b(organizer.encode(), key=key, digest_size=8).digest() if organizer else None


def _ledger_key(connection: Connection) -> bytes:
    """Return the key of the hashes, which is the ledger's own; it is made at the first use.

    On PostgreSQL its row is locked until the end of the transaction, so that workers note one after the other
    and none misses what another notes at the same time. SQLite has one writer.
    """
    made = upsert(connection, meta).values(name=_KEY, value=secrets.token_hex(32))
    connection.execute(made.on_conflict_do_nothing())
    query = select(meta.c.value).where(meta.c.name == _KEY).with_for_update()
    return bytes.fromhex(connection.execute(query).scalar_one())
