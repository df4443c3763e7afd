"""Tell the legs of invited people what became of a meeting in the leg of whoever called it.

A server that keeps one event for all who are invited shows a meeting twice to everybody whose copy was there
before the organizer's. So an attendee's copy waits for the organizer's, whatever wave or worker moves that
one. A meeting is known by a keyed hash of its UID; who called it, by an address of the plan.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, exists, func, or_, select, update

from ledger.db.engine import Transaction
from ledger.db.leases import AT_TARGET
from ledger.db.readers import chunked
from ledger.db.rows import NOT_IN_PLAN, ORGANIZER_FIRST, Lease, LegState, Phase, State
from ledger.db.schema import caller, container, item, leg, mailbox, meeting, meta
from ledger.db.upsert import upsert
from ledger.leg import item_states
from model.protocols import Kind

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
    """

    GUESTS = "guests"
    THERE = "there"
    AWAITED = "awaited"
    STAYS = "stays"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Organized:
    """Say what is known of a meeting.

    Attributes:
        answer: what became of the other copies.
        href: where that one is, in its container; None unless it is at the target.
    """

    answer: Answer
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """Name an item that is a meeting.

    Attributes:
        key: of the item.
        uid: its UID.
        caller: who called it: OWNER, NOBODY, or as MeetingLedger.callers() says.
        digest: of what will be written; None if nothing will.
    """

    key: bytes
    uid: str
    caller: int | None
    digest: bytes | None = None


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
                    "epoch": legs[entry.caller].epoch if entry.caller in legs else None,
                }
                for entry in meetings
            ]
            statement = upsert(connection, meeting)
            new = statement.excluded
            same = meeting.c.caller == new.caller, meeting.c.mark == new.mark, meeting.c.epoch.is_not(None)
            values: dict[str, Any] = {"mark": new.mark, "caller": new.caller}
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
            meeting.join(guests, and_(guests.c.mark == meeting.c.mark, guests.c.caller.is_not(None)))
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
        """Return the items of a container at the target for which an organizer's own waits."""
        own = meeting.alias()
        organizers = item.alias()
        waits = and_(
            organizers.c.container == own.c.container,
            organizers.c.key == own.c.key,
            organizers.c.state == State.SKIPPED.value,
            organizers.c.code == GUESTS_FIRST,
        )
        query = select(meeting.c.key).select_from(
            meeting.join(item, _same_item())
            .join(own, and_(own.c.mark == meeting.c.mark, own.c.caller.is_(None)))
            .join(organizers, waits)
        )
        query = query.where(meeting.c.container == container_id, meeting.c.caller.is_not(None))
        query = query.where(item.c.state.in_([state.value for state in _HELD])).distinct()
        with self._transaction(writes=False) as connection:
            return [bytes(key) for key in connection.scalars(query)]

    def _of(self, connection: Connection, container_id: int, keys: Iterable[bytes]) -> dict[bytes, Organized]:
        """Return what is known of these meetings."""
        result: dict[bytes, Organized] = {}
        query = select(meeting.c.key, meeting.c.mark, meeting.c.caller, meeting.c.epoch)
        query = query.where(meeting.c.container == container_id)
        for chunk in chunked(keys):
            rows = connection.execute(query.where(meeting.c.key.in_(chunk))).all()
            legs = _legs(connection, {row.caller for row in rows})
            copies = _copies(connection, {bytes(row.mark) for row in rows if row.caller is not None})
            called = {bytes(row.mark) for row in rows if row.caller is None}
            guests = _guests(connection, called, self._lease.leg)
            for row in rows:
                key, mark = bytes(row.key), bytes(row.mark)
                if row.caller is not None:
                    result[key] = self._judged(legs.get(row.caller), copies.get(mark, []), row.epoch)
                elif mark in guests:
                    result[key] = Organized(Answer.GUESTS)
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

    A pass that began after this item was seen would have listed the meeting.
    """
    if of.stays:
        return False
    if any(copy.state in _OPEN for copy in copies):
        return True
    ended = of.through and (of.live or (epoch is not None and of.epoch > epoch))
    return not copies and not ended


def _may_go(organized: Organized | None) -> bool:
    return organized is None or organized.answer not in (Answer.AWAITED, Answer.GUESTS)


@dataclass(frozen=True, slots=True)
class _CallerLeg:
    """Describe the leg of somebody who may call meetings.

    Attributes:
        leg: its number; None if the ledger does not have the mailbox yet.
        epoch: of the leg; 0 if there is none.
        stays: True if it does not move.
        through: True if its newest pass ended with every item settled, and no worker holds it.
        live: True if its mailbox is live: nothing new comes to its source.
    """

    leg: int | None
    epoch: int = 0
    stays: bool = False
    through: bool = False
    live: bool = False


@dataclass(frozen=True, slots=True)
class _Copy:
    """Describe an organizer's own item."""

    leg: int
    state: State
    code: str | None
    href: str | None


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
        leg.c.code,
        case((and_(leg.c.owner.is_(None), leg.c.state.in_(_DONE), ~open_items), 1), else_=0).label("through"),
    )
    result: dict[int, _CallerLeg] = {}
    for chunk in chunked(sorted(number for number in callers if number)):
        for row in connection.execute(select(*columns).select_from(joined).where(caller.c.id.in_(chunk))):
            if row.leg is not None:
                stays = row.withheld == NOT_IN_PLAN or row.code == _DENIED
                live = row.phase == Phase.LIVE.value
                result[row.id] = _CallerLeg(row.leg, row.epoch, stays, bool(row.through), live)
            elif row.mailbox is None and row.list is not None:
                result[row.id] = _CallerLeg(None)
    return result


def _copies(connection: Connection, marks: Collection[bytes]) -> dict[bytes, list[_Copy]]:
    """Return, by mark, the items of these meetings in the legs of those who called them."""
    query = select(meeting.c.mark, container.c.leg, item.c.state, item.c.code, item.c.href)
    query = query.select_from(meeting.join(item, _same_item()).join(container, _its_container()))
    query = query.where(meeting.c.caller.is_(None))
    result: dict[bytes, list[_Copy]] = {}
    for chunk in chunked(sorted(marks)):
        for row in connection.execute(query.where(meeting.c.mark.in_(chunk))):
            copy = _Copy(row.leg, State(row.state), row.code, row.href)
            result.setdefault(bytes(row.mark), []).append(copy)
    return result


def _guests(connection: Connection, marks: Collection[bytes], leg_id: int) -> set[bytes]:
    """Return the meetings of which guests have copies at the target that their own legs wrote, or may write.

    What a live guest has stays: nothing of it would be taken back.
    """
    query = select(meeting.c.mark, item.c.key, item.c.href, item.c.place)
    joined = meeting.join(item, _same_item()).join(container, _its_container()).join(leg).join(mailbox)
    query = query.select_from(joined).where(meeting.c.caller.is_not(None), leg.c.id != leg_id)
    sent = and_(item.c.state == State.WRITING.value, item.c.digest.is_not(None))
    query = query.where(or_(item.c.href.is_not(None), sent), mailbox.c.phase != Phase.LIVE.value)
    found: set[bytes] = set()
    for chunk in chunked(sorted(marks)):
        for row in connection.execute(query.where(meeting.c.mark.in_(chunk))):
            if row.href is None or bytes(row.key).hex() in row.href or row.place == row.href:
                found.add(bytes(row.mark))
    return found


def _same_item() -> ColumnElement[bool]:
    return and_(item.c.container == meeting.c.container, item.c.key == meeting.c.key)


def _its_container() -> ColumnElement[bool]:
    return container.c.id == item.c.container


def _ledger_key(connection: Connection) -> bytes:
    """Return the key of the hashes, which is the ledger's own; it is made at the first use.

    On PostgreSQL its row is locked until the end of the transaction, so that workers note one after the other
    and none misses what another notes at the same time. SQLite has one writer.
    """
    made = upsert(connection, meta).values(name=_KEY, value=secrets.token_hex(32))
    connection.execute(made.on_conflict_do_nothing())
    query = select(meta.c.value).where(meta.c.name == _KEY).with_for_update()
    return bytes.fromhex(connection.execute(query).scalar_one())
