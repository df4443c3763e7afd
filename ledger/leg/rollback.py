"""Record a rollback: which copies are about to be removed, which are gone, which containers were made.

A copy that is about to be removed is in doubt like one that is being written: WRITING, with the code DOOMED.
The next worker looks for it (engine.steps.settling.reconcile.settle): a copy that is still there was not
removed, and one that is not there is to be written again. From start to end of a rollback its leg has the
code ROLLING: no other run works on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, String, and_, bindparam, case, delete, func, null, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from ledger.db.audit_log import append_event
from ledger.db.encoding import pack_flags
from ledger.db.engine import Transaction, asking, reading
from ledger.db.leases import AT_TARGET, SETTLED
from ledger.db.readers import CONTAINER_COLUMNS, ITEM_COLUMNS, chunked, container_row, item_row, streamed
from ledger.db.rows import ROLLED_BACK, ROLLING, ContainerRow, Finding, ItemRow, Lease, LegState, State
from ledger.db.schema import container, finding, item, leg, loss, share
from ledger.leg import item_states
from ledger.plan.mailboxes import refuse_another, wave_of
from model.errors import Blocked
from model.kinds import kinds_that
from model.protocols import Identity

if TYPE_CHECKING:
    from ledger.db.handle import LedgerHandle

APPROVAL = "rollback"
"""The code that a person approves."""
RECALL = "recall"
"""The code that a person approves as well, for copies that are removed from every folder."""
DOOMED, DOOMED_NEWER = "rolling-back", "rolling-back-newer"
"""The codes of an item whose copy at the target is about to be removed, or was.

With DOOMED_NEWER the source has a newer version than that copy.
"""
DOOMS = frozenset({DOOMED, DOOMED_NEWER})
RECALLED = "recalled"
"""The beginning of the detail of a finding about a copy that a recall removes; marks of its flags follow."""
SHARED = kinds_that(lambda traits: traits.uid_stays)
_OURS = re.compile(r"k-([0-9a-f]{32})\.ics$")


class _hexed(FunctionElement[str]):  # noqa: N801  (reads as the SQL function it is)
    """Write bytes as lower-case hexadecimal text."""

    type = String()
    inherit_cache = True


@compiles(_hexed, "sqlite")
def _hexed_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return f"lower(hex({compiler.process(element.clauses, **options)}))"


@compiles(_hexed, "postgresql")
def _hexed_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"encode({compiler.process(element.clauses, **options)}, 'hex')"


@dataclass(frozen=True, slots=True)
class Corrected:
    """Describe a copy that was repaired in place.

    Attributes:
        key: of the item.
        href: where it is now.
        date: in seconds since 1970 UTC; None if it has none.
        flags: what was written.
    """

    key: bytes
    href: str
    date: int | None
    flags: frozenset[str]


class RollbackLedger:
    """Record the rollback of one leg, in the transactions of its worker."""

    def __init__(self, transaction: Transaction, lease: Lease) -> None:
        self._transaction = transaction
        self._lease = lease

    # Both ends

    def start(self, *, recall: bool) -> int:
        """Record the beginning: from here on the leg is ROLLING.

        Returns:
            How many of its items are at the target.
        """
        with self._transaction(writes=True) as connection:
            query = select(func.count()).select_from(item.join(container))
            query = query.where(container.c.leg == self._lease.leg, item.c.href.is_not(None))
            count = int(connection.execute(query).scalar_one())
            connection.execute(update(leg).where(leg.c.id == self._lease.leg).values(code=ROLLING))
            detail = {"workload": self._lease.workload.value, "items": count, "recall": int(recall)}
            wave = wave_of(connection, self._lease.mailbox)
            append_event(connection, wave, "rollback-started", detail, subject=self._lease.mailbox)
            return count

    def finish(self, counts: Mapping[str, int], *, recall: bool = False) -> None:
        """Record the end with its counts. The approvals are spent if this was the last leg of the mailbox."""
        mailbox = self._lease.mailbox
        others = leg.c.mailbox == mailbox, leg.c.id != self._lease.leg
        undone = leg.c.state == LegState.BLOCKED.value, leg.c.code == ROLLED_BACK
        with self._transaction(writes=True) as connection:
            wave = wave_of(connection, mailbox)
            detail = {"workload": self._lease.workload.value, **counts}
            append_event(connection, wave, ROLLED_BACK, detail, subject=mailbox)
            total = connection.execute(select(func.count()).where(*others)).scalar_one()
            ended = connection.execute(select(func.count()).where(*others, *undone)).scalar_one()
            if total == ended:
                append_event(connection, wave, f"approval-spent:{APPROVAL}", {}, subject=mailbox)
                if recall:
                    append_event(connection, wave, f"approval-spent:{RECALL}", {}, subject=mailbox)

    def is_bound(self) -> bool:
        """Return True if the gate ever let this leg write."""
        query = select(leg.c.target_identity).where(leg.c.id == self._lease.leg)
        with self._transaction(writes=False) as connection:
            return connection.execute(query).scalar_one() is not None

    def refuse_another(self, target: Identity) -> None:
        """Refuse an account that is not the one that the leg wrote to.

        Raises:
            Blocked: "identity-changed" or "folder-replaced".
        """
        query = select(leg.c.target_identity).where(leg.c.id == self._lease.leg)
        with self._transaction(writes=False) as connection:
            refuse_another(str(connection.execute(query).scalar_one()), target)

    def left(self) -> bool:
        """Return True if the leg still has anything at the target."""
        query = select(item.c.id).join(container)
        query = query.where(container.c.leg == self._lease.leg, item.c.href.is_not(None)).limit(1)
        with self._transaction(writes=False) as connection:
            return connection.execute(query).first() is not None

    # Items

    def doom(self, container_id: int, keys: Collection[bytes], findings: Iterable[Finding] = ()) -> None:
        """Record, before anything is removed, that these copies may be gone from now on. Idempotent.

        Items that are LEAVING stay so.

        Args:
            container_id: the container.
            keys: of the items.
            findings: they replace those about the same items; if there are none, the old ones stay.
        """
        values = {
            "state": State.WRITING.value,
            "code": case((item.c.state.in_(_HELD), DOOMED), else_=DOOMED_NEWER),
        }
        rows = list(findings)
        with self._transaction(writes=True) as connection:
            done = 0
            for chunk in chunked(sorted(keys)):
                among = item.c.container == container_id, item.c.key.in_(chunk), item.c.href.is_not(None)
                settled = select(func.count()).where(*among, item.c.state.in_(_SETTLED))
                done += int(connection.execute(settled).scalar_one())
                connection.execute(
                    update(item).where(*among, item.c.state != State.LEAVING.value).values(values)
                )
            _replace_findings(connection, container_id, keys, rows)
            item_states.progress(connection, self._lease.leg, done=-done)

    def note(self, container_id: int, keys: Collection[bytes], findings: Iterable[Finding]) -> None:
        """Record findings as doom does, of copies at other places than the ledger has.

        These are looked for until they are gone.
        """
        rows = list(findings)
        with self._transaction(writes=True) as connection:
            _replace_findings(connection, container_id, keys, rows)

    def undone(self, container_id: int, keys: Collection[bytes]) -> None:
        """Record that nothing of these items is at the target, or nothing of ours. Idempotent.

        They become SEEN, or GONE if the source deleted them, without a trace.
        """
        leaving = item.c.state == State.LEAVING.value
        values = {
            "state": case((leaving, State.GONE.value), else_=State.SEEN.value),
            "attempts": 0,
            "code": null(),
            **dict.fromkeys(_FORGOTTEN),
        }
        with self._transaction(writes=True) as connection:
            done = 0
            for chunk in chunked(sorted(keys)):
                among = item.c.container == container_id, item.c.key.in_(chunk), item.c.href.is_not(None)
                settled = select(func.count()).where(*among, item.c.state.in_(_SETTLED))
                done += int(connection.execute(settled).scalar_one())
                connection.execute(update(item).where(*among).values(values))
                for table in (loss, share):
                    about = table.c.container == container_id, table.c.key.in_(chunk)
                    connection.execute(delete(table).where(*about))
            item_states.progress(connection, self._lease.leg, done=-done)

    def spared(self, container_id: int, keys: Collection[bytes]) -> None:
        """Set doomed items whose copy is still there back as they were. Idempotent."""
        newer = item.c.code == DOOMED_NEWER
        values = {
            "state": case((newer, State.CHANGED.value), else_=State.WRITTEN.value),
            "code": null(),
        }
        doomed = item.c.state == State.WRITING.value, item.c.code.in_(sorted(DOOMS))
        with self._transaction(writes=True) as connection:
            done = 0
            for chunk in chunked(sorted(keys)):
                among = item.c.container == container_id, item.c.key.in_(chunk), *doomed
                settled = select(func.count()).where(*among, item.c.code == DOOMED)
                done += int(connection.execute(settled).scalar_one())
                connection.execute(update(item).where(*among).values(values))
            item_states.progress(connection, self._lease.leg, done=done)

    def corrected(self, container_id: int, copies: Iterable[Corrected]) -> None:
        """Record copies that were repaired in place: where they are now, and what was last written of them.

        A copy that was read back stays VERIFIED, because its bytes are the same.
        """
        with self._transaction(writes=True) as connection:
            for copy in copies:
                values = {"href": copy.href, "date": copy.date, "flags": pack_flags(copy.flags)}
                among = item.c.container == container_id, item.c.key == copy.key, item.c.href.is_not(None)
                connection.execute(update(item).where(*among).values(values))

    # Containers

    def forget_findings(self, container_id: int) -> None:
        """Delete findings of a verification about copies that are gone. Idempotent.

        Findings of a recall stay.
        """
        verified = finding.c.container == container_id, finding.c.detail.not_like(f"{RECALLED}%")
        with self._transaction(writes=True) as connection:
            connection.execute(delete(finding).where(*verified))


_HELD = (State.WRITTEN.value, State.VERIFIED.value)
_SETTLED = tuple(state.value for state in SETTLED)
_FORGOTTEN = ("href", "since", "digest", "target_version", "flags", "place")
"""The columns that a row loses. The date stays: it tells a person which item it was."""


def _replace_findings(
    connection: Connection, container_id: int, keys: Collection[bytes], findings: list[Finding]
) -> None:
    for chunk in chunked(sorted(keys)) if findings else ():
        about = finding.c.container == container_id, finding.c.key.in_(chunk)
        connection.execute(delete(finding).where(*about))
    item_states.record_findings(connection, container_id, findings)


def refuse_unfinished(ledger: LedgerHandle, claim: Lease) -> None:
    """Refuse a leg whose rollback was begun and not finished.

    Raises:
        Blocked: "rolling-back".
    """
    refuse_unfinished_leg(ledger, claim.leg)


def refuse_unfinished_leg(ledger: LedgerHandle, leg_id: int) -> None:
    """Refuse as refuse_unfinished does, a leg that was not claimed.

    Raises:
        Blocked: "rolling-back".
    """
    with asking(ledger.engine) as connection:
        code = connection.execute(_CODE, {"of": leg_id}).scalar_one()
    if code == ROLLING:
        raise Blocked(ROLLING, "a rollback of it was begun, and must end first")


_CODE = select(leg.c.code).where(leg.c.id == bindparam("of"))


def rested_on(ledger: LedgerHandle, besides: Collection[str]) -> frozenset[bytes]:
    """Return the keys of items that somebody else's copy rests on.

    A server that has one event for all who are invited shows an attendee the organizer's, by the name that
    the organizer's key gave it. This reads every row of every calendar.

    Args:
        ledger: an open ledger.
        besides: ids of mailboxes whose copies do not count.
    """
    theirs = item.c.href.not_like("%" + _hexed(item.c.key) + "%")
    query = select(leg.c.mailbox, item.c.href).select_from(item.join(container).join(leg))
    query = query.where(
        leg.c.workload.in_([kind.value for kind in SHARED]),
        item.c.href.like("%k-%.ics"),
        item.c.state.in_([state.value for state in AT_TARGET]),
        theirs,
    )
    keys = set()
    with reading(ledger.engine) as connection:
        for mailbox, href in streamed(connection, query):
            name = _OURS.search(href)
            if name is not None and mailbox not in besides:
                keys.add(bytes.fromhex(name[1]))
    return frozenset(keys)


def recalled(ledger: LedgerHandle, leg_id: int) -> Iterator[tuple[ContainerRow, ItemRow, str]]:
    """Yield what recalls removed of a leg, this time and before, each with the detail of its finding."""
    width, depth = len(CONTAINER_COLUMNS), len(ITEM_COLUMNS)
    same = and_(finding.c.container == item.c.container, finding.c.key == item.c.key)
    query = select(*CONTAINER_COLUMNS, *ITEM_COLUMNS, finding.c.detail)
    query = query.select_from(finding.join(item, same).join(container, container.c.id == item.c.container))
    query = query.where(
        container.c.leg == leg_id, finding.c.detail.like(f"{RECALLED}%"), item.c.href.is_(None)
    )
    query = query.order_by(container.c.id, item.c.id)
    with reading(ledger.engine) as connection:
        for row in streamed(connection, query):
            values: Any = tuple(row)
            removed_item = item_row(values[width : width + depth])
            yield container_row(values[:width]), removed_item, values[width + depth]
