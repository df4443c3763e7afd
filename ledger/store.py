"""Open the ledger: what is planned, who works on what, what happened.

    ledger = Ledger("sqlite:///ledger.db")
    ledger.migrate()
    lease = ledger.claim(leg.id, owner, ttl=60)
    with ledger.session(lease, mirror=True) as session: ...

A Ledger is safe to use from several threads and processes. Every method is one transaction; those that return
an iterator read from one snapshot until it is exhausted or closed.

Errors: Misconfigured (its address, its version), Transient("ledger-unavailable"), Corrupt("ledger-damaged",
"ledger-inconsistent", "event-chain-broken"), and Blocked as the methods say. After Transient a method that
writes may have written; each of them may be called again, except that one event more is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Engine, and_, bindparam, or_, select, text

from ledger import migrations
from ledger.db import audit_log as events
from ledger.db import leases
from ledger.db.audit_log import Event
from ledger.db.engine import asking, make_engine, now, parse_url, reading, writing
from ledger.db.patience import ConnectPatience
from ledger.db.readers import LEG_COLUMNS, MAILBOX_COLUMNS, chunked, in_wave, leg_row, mailbox_row
from ledger.db.rows import ContainerRow, Finding, ItemRow, Lease, LegRow, LegState, MailboxRow, Phase, Tally
from ledger.db.schema import container, item, leg
from ledger.db.schema import mailbox as mailbox_table
from ledger.leg import locations, phase_moves, phases
from ledger.leg.locations import Place, Seat
from ledger.plan import mailboxes as planning
from ledger.plan.decision import deciding
from ledger.plan.mailboxes import PlanConflict, Planned, PlannedMailbox
from ledger.views import reports
from ledger.views.reports import Differing, LegSummary, Lost, Rejection
from model.errors import Blocked, LeaseLost
from model.kinds import Kind
from model.protocols import Identity, Loss

if TYPE_CHECKING:
    from ledger.leg.leg_session import LegLedger

RETRYABLE = frozenset({LegState.BLOCKED, LegState.WAITING, LegState.DIFFERS})


_LEG = select(*LEG_COLUMNS).select_from(leg.join(mailbox_table)).where(leg.c.id == bindparam("leg"))
_MAILBOX = select(*MAILBOX_COLUMNS).where(mailbox_table.c.id == bindparam("mailbox"))


def _nobody(owner: str) -> bool:
    """Return the answer if nothing is known about an owner but its lease."""
    return not owner


class Ledger:
    """Read and write the whole ledger; see the module. No input or output happens before the first call."""

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self.patience = ConnectPatience()
        self._engine = make_engine(self._url, self.patience)

    def __repr__(self) -> str:
        return f"Ledger({self._url.render_as_string(hide_password=True)!r})"

    @property
    def engine(self) -> Engine:
        """Return the engine, for what belongs to the database as a whole: listening to commits, measuring."""
        return self._engine

    def migrate(self) -> None:
        """Create the ledger, or bring it to this version's schema.

        Several processes may do so at once. Idempotent.

        Raises:
            Transient: "ledger-in-use" if workers hold a ledger of an older schema.
        """
        migrations.upgrade(self._engine)

    def ready(self) -> None:
        """Create the ledger if there is none, and check its schema. Idempotent.

        Raises:
            Misconfigured: it has another schema. An older one is left: older programs may be at work on it.
        """
        if migrations.revision_of(self._engine) is None:
            self.migrate()
        with reading(self._engine) as connection:
            migrations.refuse_another(connection)

    def revision(self) -> str | None:
        """Return the revision of its schema; None if there is no ledger yet."""
        return migrations.revision_of(self._engine)

    def newest_revision(self) -> str:
        """Return the revision that this program knows."""
        return migrations.newest()

    def refuse_newer(self) -> None:
        """Refuse a ledger that a newer program upgraded.

        Raises:
            Misconfigured: a newer program upgraded it.
        """
        migrations.refuse_newer(self._engine)

    def held_until(self) -> tuple[int, datetime | None]:
        """Count the legs that workers hold, and say until when at most, if no worker renews its lease."""
        return migrations.held_until(self._engine)

    def close(self) -> None:
        """Close all connections that are not in use. Idempotent."""
        self._engine.dispose()

    def clock(self) -> datetime:
        """Return the present time by the database's clock, by which leases expire."""
        with asking(self._engine) as connection:
            return datetime.fromtimestamp(connection.execute(select(now())).scalar_one(), UTC)

    # Planning

    def add_mailboxes(
        self, rows: Iterable[PlannedMailbox], *, whole: bool = False, waves: Collection[str] | None = None
    ) -> list[str | PlanConflict]:
        """Plan mailboxes; return one entry for each row, in order: its random id, or why the row blocks.

        Idempotent by source. A mailbox whose accounts are bound (or that is at work now) keeps its target,
        wave and logins. A row that says otherwise is a PlanConflict, and the mailbox is withheld
        ("plan-changed") until the row says again what it said before. What is withheld or withdrawn is
        recorded.

        Args:
            rows: of the mapping CSV.
            whole: True if these are all the rows there are. A mailbox that none of them names is withdrawn:
                removed if it was never bound, otherwise withheld ("not-in-plan").
            waves: `whole` concerns only these waves; None means all.
        """
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE mailbox IN SHARE ROW EXCLUSIVE MODE"))
            return planning.add_mailboxes(connection, rows, whole, waves)

    def refuse_withheld(self, mailbox_id: str) -> None:
        """Refuse a mailbox that must not run.

        Raises:
            Blocked: "not-in-plan" or "plan-changed".
        """
        with asking(self._engine) as connection:
            planning.refuse_withheld(connection, mailbox_id)

    def mailboxes(self, wave: str | None = None, ids: Iterable[str] | None = None) -> list[MailboxRow]:
        """Return mailboxes by id: of this wave, and among these ids.

        None means all; unknown ids are left out.
        """
        query = select(*MAILBOX_COLUMNS).where(in_wave(wave)).order_by(mailbox_table.c.id)
        with asking(self._engine) as connection:
            if ids is None:
                return [mailbox_row(row) for row in connection.execute(query)]
            chunks = map(list, chunked(sorted(set(ids))))
            among = query.where(mailbox_table.c.id.in_(bindparam("ids", expanding=True)))
            return [mailbox_row(row) for some in chunks for row in connection.execute(among, {"ids": some})]

    def mailbox(self, mailbox_id: str) -> MailboxRow:
        """Return a mailbox.

        Raises:
            Blocked: "mailbox-unknown".
        """
        with asking(self._engine) as connection:
            row = connection.execute(_MAILBOX, {"mailbox": mailbox_id}).one_or_none()
        if row is None:
            raise Blocked("mailbox-unknown", "the ledger has no such mailbox")
        return mailbox_row(row)

    def planned(self, mailbox_id: str) -> Planned:
        """Return a mailbox and its accounts as they are planned.

        Raises:
            Blocked: "mailbox-unknown".
        """
        with asking(self._engine) as connection:
            return planning.planned(connection, mailbox_id)

    def targets(self, sources: Collection[str], workload: Kind) -> dict[str, Seat]:
        """Return the seats of mailboxes with this workload, by source.

        A mailbox that is withheld, or that the gate refused, has no seat. One that the gate has not bound yet
        has a seat without a user.
        """
        with reading(self._engine) as connection:
            return {
                source: seat
                for chunk in chunked(sorted(set(sources)))
                for source, seat in locations.seats(connection, chunk, workload)
            }

    def who(self, id_or_address: str, by: str) -> MailboxRow:
        """Resolve a random id, or find an address's id, and record that `by` asked. Not idempotent.

        Raises:
            Blocked: "mailbox-unknown".
        """
        match = or_(
            mailbox_table.c.id == id_or_address,
            mailbox_table.c.source == id_or_address,
            mailbox_table.c.target == id_or_address,
        )
        with writing(self._engine) as connection:
            row = connection.execute(
                select(*MAILBOX_COLUMNS).where(match).order_by(mailbox_table.c.id)
            ).first()
            if row is None:
                raise Blocked("mailbox-unknown", "the ledger has no such mailbox")
            resolved = mailbox_row(row)
            events.append_event(connection, resolved.wave, "who", {"by": by}, subject=resolved.id)
            return resolved

    def legs(
        self,
        wave: str | None = None,
        mailbox: str | None = None,
        workload: Kind | None = None,
        *,
        of: Collection[str] = (),
    ) -> list[LegRow]:
        """Return legs by mailbox and workload. Filters that are None or empty mean all.

        Args:
            wave: only this wave.
            mailbox: only this mailbox.
            workload: only this workload.
            of: only these mailboxes.
        """
        query = (
            select(*LEG_COLUMNS).select_from(leg.join(mailbox_table)).where(_chosen(wave, mailbox, workload))
        )
        parts = [query.where(leg.c.mailbox.in_(chunk)) for chunk in chunked(sorted(set(of)))] or [query]
        with reading(self._engine) as connection:
            return [
                leg_row(row)
                for part in parts
                for row in connection.execute(part.order_by(leg.c.mailbox, leg.c.workload))
            ]

    def leg(self, leg_id: int) -> LegRow:
        """Return a leg.

        Raises:
            Blocked: "mailbox-unknown".
        """
        with asking(self._engine) as connection:
            row = connection.execute(_LEG, {"leg": leg_id}).one_or_none()
        if row is None:
            raise Blocked("mailbox-unknown", "the ledger has no such workload")
        return leg_row(row)

    def has(self, mailbox_id: str, key: bytes) -> bool:
        """Return True if an item of this key is, or was, one of the mailbox's."""
        legs = select(leg.c.id).where(leg.c.mailbox == mailbox_id)
        ours = select(container.c.id).where(container.c.leg.in_(legs))
        query = select(item.c.key).where(item.c.container.in_(ours), item.c.key == key).limit(1)
        with asking(self._engine) as connection:
            return connection.execute(query).first() is not None

    def set_phase(
        self,
        mailbox_id: str,
        phase: Phase,
        by: str,
        *,
        answers: phases.PhaseAcceptance = phases.NOTHING,
        epochs: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """Move a mailbox to a phase while nobody holds a leg of it, with events. Idempotent.

        Args:
            mailbox_id: the mailbox.
            phase: the new phase.
            by: who does it.
            answers: what a person takes responsibility for; it is recorded, too.
            epochs: of its legs when the deciding facts were read. A worker that held one since voids them.

        Raises:
            Blocked: "claimed-elsewhere", "live-phase" or "mailbox-unknown"; then nothing was changed.
        """
        with writing(self._engine) as connection:
            phases.refuse_held(connection, mailbox_id)
            phases.refuse_claimed_since(connection, mailbox_id, epochs)
            if phase is not Phase.LIVE:
                phases.refuse_begun(connection, mailbox_id)
            phases.move(connection, mailbox_id, phase, by, answers, stated=True)

    def moves(self, mailbox_id: str) -> phase_moves.Moves:
        """Return which moves of a mailbox from phase to phase this ledger has."""
        with asking(self._engine) as connection:
            return phase_moves.read(connection, mailbox_id)

    def passes(self) -> dict[tuple[str, Kind], tuple[str, int]]:
        """Return the mailbox's id and the number of its newest writing pass, by source and workload."""
        query = select(mailbox_table.c.source, leg.c.workload, mailbox_table.c.id, leg.c.generation)
        with reading(self._engine) as connection:
            rows = connection.execute(query.join(mailbox_table, mailbox_table.c.id == leg.c.mailbox))
            return {(row.source, Kind(row.workload)): (row.id, row.generation) for row in rows}

    def phase_asked(self, mailbox_ids: Collection[str]) -> set[str]:
        """Return those mailboxes whose phase a person has to set, even if it stays the same.

        A pass found that this ledger lost a move of theirs.
        """
        with reading(self._engine) as connection:
            return phase_moves.unanswered(connection, mailbox_ids)

    def bind(
        self,
        lease: Lease,
        source: Identity,
        target: Identity,
        level: str,
        *,
        replaced: bool = False,
        apart: Collection[Kind] = (),
    ) -> None:
        """Bind the leg's mailbox to both accounts at the first call; prove them again at every other.

        Idempotent. An account belongs to one mailbox of the ledger, on each side, and a mailbox has one
        account in each system; at the source, one on each server. A new binding is recorded.

        Args:
            lease: of the leg.
            source: the account at the source.
            target: the account at the target.
            level: of the proof.
            replaced: True if another folder of the account than before may be bound.
            apart: the workloads that are read from another server than that of this leg.

        Raises:
            Blocked: "identity-bound-elsewhere", "identity-changed" or "folder-replaced".
            LeaseLost: another worker owns the leg now, and the accounts are not bound yet.
        """
        with reading(self._engine) as connection:
            if not replaced and planning.is_bound(connection, lease, source, target, level):
                return
        with writing(self._engine) as connection:
            leases.fence(connection, lease)
            planning.bind(connection, lease, source, target, level, replaced=replaced, apart=apart)

    # Claims

    def claim(
        self,
        leg_id: int,
        owner: str,
        ttl: float,
        *,
        dead: Callable[[str], bool] = _nobody,
        phase: Phase | None = None,
    ) -> Lease | None:
        """Claim a leg, if it is free, if its lease expired, or if `dead` says that its owner is gone.

        A new lease voids every older one. If it raises Transient, the leg may be claimed until its lease
        expires.

        Args:
            leg_id: the leg.
            owner: names one run of one process; it is never used again.
            ttl: seconds until the lease ends, if it is not renewed.
            dead: tells whether an owner is known to be gone.
            phase: the phase by whose rules the owner is about to work; None means any.

        Returns:
            None if the leg is not free.

        Raises:
            LeaseLost: "phase-changed" if the mailbox is in another phase; then nothing was claimed.
            Misconfigured: a newer program has upgraded the ledger since it was opened.
        """
        with asking(self._engine) as connection:
            holder = leases.owner_of(connection, leg_id)
        # Asked outside of any transaction: finding out may take its time.
        gone = holder if holder is not None and dead(holder) else None
        with writing(self._engine) as connection:
            lease = leases.claim(connection, leg_id, owner, ttl, gone, migrations.newest())
            migrations.refuse_another(connection)
            if lease is not None and phase not in (None, lease.phase):
                raise LeaseLost(
                    leases.PHASE_CHANGED, "the mailbox moved just before the workload was claimed"
                )
            return lease

    def outwaited(self, lease: Lease) -> None:
        """Record that no previous owner of the leg can write any more: the new owner waited. Idempotent.

        Raises:
            LeaseLost: "lease-lost".
        """
        with writing(self._engine) as connection:
            if not leases.outwaited(connection, lease):
                raise LeaseLost("lease-lost", "another worker took the workload over")

    def renew(self, lease: Lease, ttl: float) -> bool:
        """Let a lease end `ttl` seconds from now; return False if the lease is lost."""
        with writing(self._engine) as connection:
            return leases.renew(connection, lease, ttl)

    def release(
        self, lease: Lease, state: LegState, code: str | None = None, detail: str | None = None
    ) -> bool:
        """Give the leg back.

        Args:
            lease: the worker's own.
            state: the leg's new state.
            code: why; None if the state says all.
            detail: see model.errors.MigrationError.

        Returns:
            False if the lease was lost before; then nothing was changed.
        """
        with writing(self._engine) as connection:
            return leases.release(connection, lease, state, code, detail)

    def block(self, leg_id: int, code: str) -> bool:
        """Block a leg whose work could not begin; return False if a worker holds it."""
        with writing(self._engine) as connection:
            return leases.block(connection, leg_id, code)

    def put_off(self, leg_id: int, code: str, detail: str | None = None) -> bool:
        """Set a leg that could not be worked on to waiting; return False if a worker holds it."""
        with writing(self._engine) as connection:
            return leases.block(connection, leg_id, code, LegState.WAITING, detail)

    def requeue(
        self,
        legs: Iterable[int] | None = None,
        *,
        wave: str | None = None,
        mailbox: str | None = None,
        workload: Kind | None = None,
        states: Collection[LegState] = RETRYABLE,
        rejected: bool = False,
    ) -> int:
        """Set legs that nobody holds back to pending, except for withheld mailboxes'; return how many.

        Filters that are None mean all. `states`: only legs in these states. `rejected`: their rejected items
        get new attempts as well.
        """
        chosen = _chosen(wave, mailbox, workload)
        with writing(self._engine) as connection:
            if legs is None:
                return leases.requeue(connection, chosen, states, rejected)
            parts = [and_(chosen, leg.c.id.in_(chunk)) for chunk in chunked(set(legs))]
            return sum(leases.requeue(connection, part, states, rejected) for part in parts)

    def session(self, lease: Lease, *, mirror: bool, tally: Tally | None = None) -> LegLedger:
        """Return what the leg's worker reads and writes.

        Args:
            lease: of the leg.
            mirror: False in the live phase: a change at the source no longer touches what is at the target.
            tally: where to count what it records; None makes a new one.

        Raises:
            LeaseLost: "phase-changed" if it would mirror a live mailbox.
        """
        if mirror and lease.phase is Phase.LIVE:
            raise LeaseLost(leases.PHASE_CHANGED, "a live mailbox is its user's")
        from ledger.leg.leg_session import LegLedger  # what only reads needs none of it

        return LegLedger(self._engine, lease, mirror=mirror, tally=tally)

    # Reports

    def summary(self, wave: str | None = None, mailbox: str | None = None) -> list[LegSummary]:
        """Return one entry for each leg: of a wave and of a mailbox, or of all (None)."""
        with reading(self._engine) as connection:
            return reports.summary(connection, wave, mailbox)

    def rejected(self, wave: str | None = None, mailbox: str | None = None) -> Iterator[Rejection]:
        """Yield (mailbox, container, item) of every item that needs a person."""
        with reading(self._engine) as connection:
            yield from reports.rejected(connection, wave, mailbox)

    def differing(self, wave: str | None = None) -> Iterator[Differing]:
        """Yield (mailbox, container, item or None, finding) of what a verification found to be wrong."""
        with reading(self._engine) as connection:
            yield from reports.differing(connection, wave)

    def lost(self, wave: str | None, kinds: Collection[Kind]) -> Iterator[Lost]:
        """Yield (mailbox, container, item or None, loss) of every item that arrived without something."""
        with reading(self._engine) as connection:
            yield from reports.lost(connection, wave, kinds)

    def losses(self, leg_id: int) -> Iterator[tuple[int, bytes, Loss]]:
        """Yield (container id, item key, loss) of a leg."""
        with reading(self._engine) as connection:
            yield from reports.losses(connection, leg_id)

    def findings(self, leg_id: int) -> Iterator[tuple[int, Finding]]:
        """Yield (container id, finding) of a leg, in the order in which they were recorded."""
        with reading(self._engine) as connection:
            yield from reports.findings(connection, leg_id)

    def arrived(self, mailbox_id: str, kind: Kind) -> Iterator[tuple[ContainerRow, ItemRow]]:
        """Yield every item of a mailbox's workload that is at the target, by container."""
        with reading(self._engine) as connection:
            yield from locations.arrived(connection, mailbox_id, kind)

    def holders(self, kind: Kind) -> Iterator[tuple[int, str]]:
        """Yield (leg id, source id) of every container of a workload, in every wave."""
        with reading(self._engine) as connection:
            yield from locations.holders(connection, kind)

    def place_of(self, legs: Collection[int], key: bytes) -> Place | None:
        """Return where the item or container of this key went, by these legs; None if they do not know it."""
        with asking(self._engine) as connection:
            return locations.place_of(connection, legs, key)

    # Decisions

    def approve(
        self,
        subject: str,
        code: str,
        by: str,
        reason: str,
        signature: bytes | None = None,
        about: Mapping[str, str | int] | None = None,
    ) -> Event:
        """Record that a person takes responsibility. Not idempotent: each call adds an event.

        The event of a mailbox holds a fingerprint of both accounts, so that the approval counts for these
        alone.

        Args:
            subject: a mailbox id, or "wave:NAME".
            code: what is approved.
            by: who approves.
            reason: in the person's words.
            signature: of the approver; None for most codes.
            about: the numbers that the person saw.
        """
        wave = subject.removeprefix("wave:") if subject.startswith("wave:") else self.mailbox(subject).wave
        with deciding(self, wave) as decision:
            return decision.approve(subject, code, {"by": by, "reason": reason, **(about or {})}, signature)

    def approved(
        self, subject: str, code: str, spender: str | None = None, *, spent: str | None = None
    ) -> bool:
        """Return True if exactly this subject has an approval that counts.

        An approval counts for what it was about: a mailbox's, while its accounts and logins are the same; a
        wave's, for a spender that was planned as it is now before the approval. An approval that the spender
        has spent since ("approval-spent:CODE") counts no more.

        Args:
            subject: a mailbox id, or "wave:NAME".
            code: what is approved.
            spender: the mailbox that uses the approval; None means the subject.
            spent: the name by which it is spent, if that is not `code`.
        """
        with reading(self._engine) as connection:
            return planning.approved(connection, subject, code, spender, spent)

    def event(
        self, wave: str, kind: str, detail: Mapping[str, str | int], *, subject: str | None = None
    ) -> Event:
        """Record a decision about a wave, or about a subject (a mailbox id) in it. Not idempotent."""
        with writing(self._engine) as connection:
            return events.append_event(connection, wave, kind, detail, subject=subject)

    def events(self, wave: str) -> list[Event]:
        """Return the events of a wave's chain, in order."""
        with reading(self._engine) as connection:
            return list(events.read_events(connection, wave))

    def verify_events(self) -> None:
        """Check every wave's chain.

        Raises:
            Corrupt: "event-chain-broken" unless every chain is as it was recorded.
        """
        with reading(self._engine) as connection:
            events.verify_all(connection)


def _chosen(wave: str | None, mailbox_id: str | None, workload: Kind | None) -> ColumnElement[bool]:
    chosen = in_wave(wave, mailbox_id)
    return chosen if workload is None else and_(chosen, leg.c.workload == workload.value)
