"""The ledger: what is planned, who works on what, what happened.

    ledger = Ledger("sqlite:///ledger.db")
    ledger.migrate()
    lease = ledger.claim(leg.id, owner, ttl=60)
    with ledger.leg.leg_session(lease, mirror=True) as session: ...

A Ledger is safe to use from several threads and processes. Every method is one transaction; those
that return an iterator read from one snapshot until it is exhausted or closed.

Errors: Misconfigured (its address, its version), Transient("ledger-unavailable"),
Corrupt("ledger-damaged", "ledger-inconsistent", "event-chain-broken"), and Blocked where said.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from sqlalchemy import ColumnElement, Engine, and_, or_, select, text

from ledger import migrations
from ledger.db import audit_log as events
from ledger.db import leases
from ledger.db.audit_log import Event
from ledger.db.engine import make_engine, now, parse_url, reading, writing
from ledger.db.readers import LEG_COLUMNS, MAILBOX_COLUMNS, chunked, in_wave, leg_row, mailbox_row
from ledger.db.rows import ContainerRow, Finding, ItemRow, Lease, LegRow, LegState, MailboxRow, Phase, Tally
from ledger.db.schema import container, item, leg
from ledger.db.schema import mailbox as mailbox_table
from ledger.leg import locations, phase_moves, phases
from ledger.leg.leg_session import LegLedger
from ledger.leg.locations import Place, Seat
from ledger.plan import mailboxes as planning
from ledger.plan.mailboxes import PlanConflict, PlannedMailbox
from ledger.views import reports
from ledger.views.reports import Differing, LegSummary, Lost, Rejection
from model.errors import Blocked, LeaseLost
from model.protocols import Identity, Kind, Loss

RETRYABLE = frozenset({LegState.BLOCKED, LegState.WAITING, LegState.DIFFERS})


def _nobody(owner: str) -> bool:
    """The answer when nothing is known about an owner but its lease."""
    return not owner


class Ledger:
    """See the module. No input or output happens before the first call."""

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._engine = make_engine(self._url)

    def __repr__(self) -> str:
        return f"Ledger({self._url.render_as_string(hide_password=True)!r})"

    @property
    def engine(self) -> Engine:
        """For what belongs to the database as a whole: listening to commits, measuring."""
        return self._engine

    def migrate(self) -> None:
        """Creates the ledger or brings it to this version's schema; several processes may at once. Raises
        Transient("ledger-in-use") where workers hold a ledger of an older schema."""
        migrations.upgrade(self._engine)

    def ready(self) -> None:
        """Creates the ledger where there is none. Raises Misconfigured where it has another schema than this
        program's: an older one is left as it is, for older programs may be at work on it."""
        if migrations.revision_of(self._engine) is None:
            self.migrate()
        with reading(self._engine) as connection:
            migrations.refuse_another(connection)

    def revision(self) -> str | None:
        """Reads the revision of its schema; None where there is no ledger yet."""
        return migrations.revision_of(self._engine)

    def newest_revision(self) -> str:
        """Returns the revision that this program knows."""
        return migrations.newest()

    def refuse_newer(self) -> None:
        """Raises Misconfigured where a newer program upgraded the ledger."""
        migrations.refuse_newer(self._engine)

    def held_until(self) -> tuple[int, datetime | None]:
        """Counts the legs that workers hold, and until when if none of them goes on. The schema may be an
        older one."""
        return migrations.held_until(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    def clock(self) -> datetime:
        """Now, by the database: leases expire by its clock."""
        with reading(self._engine) as connection:
            return datetime.fromtimestamp(connection.execute(select(now())).scalar_one(), UTC)

    # Planning

    def add_mailboxes(
        self, rows: Iterable[PlannedMailbox], *, whole: bool = False, waves: Collection[str] | None = None
    ) -> list[str | PlanConflict]:
        """One entry per row, in order: the mailbox's random id, or why the row blocks.

        Idempotent by source. A mailbox whose accounts are bound (or that is at work now) keeps its target,
        wave and logins: a row that says otherwise is a PlanConflict, and the mailbox is withheld
        ("plan-changed") until the row says again what it said. whole: these are all the rows there are (of
        those waves, if given): a mailbox that none of them names is withdrawn: removed if it was never
        bound, else withheld ("not-in-plan"). Both are recorded."""
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE mailbox IN SHARE ROW EXCLUSIVE MODE"))
            return planning.add_mailboxes(connection, rows, whole, waves)

    def refuse_withheld(self, mailbox_id: str) -> None:
        """Raises Blocked("not-in-plan" | "plan-changed") when this mailbox must not run."""
        with reading(self._engine) as connection:
            planning.refuse_withheld(connection, mailbox_id)

    def mailboxes(self, wave: str | None = None, ids: Iterable[str] | None = None) -> list[MailboxRow]:
        """By id. ids that are not known are left out."""
        query = select(*MAILBOX_COLUMNS).where(in_wave(wave)).order_by(mailbox_table.c.id)
        with reading(self._engine) as connection:
            if ids is None:
                return [mailbox_row(row) for row in connection.execute(query)]
            found = []
            for chunk in chunked(sorted(set(ids))):
                rows = connection.execute(query.where(mailbox_table.c.id.in_(chunk)))
                found += [mailbox_row(row) for row in rows]
            return found

    def mailbox(self, mailbox_id: str) -> MailboxRow:
        """Raises Blocked("mailbox-unknown")."""
        for row in self.mailboxes(ids=[mailbox_id]):
            return row
        raise Blocked("mailbox-unknown", "the ledger has no such mailbox")

    def logins(self, mailbox_id: str) -> tuple[str | None, str | None]:
        """The source's and the target's login, where the plan gives one apart from the address."""
        query = select(mailbox_table.c.source_login, mailbox_table.c.target_login).where(
            mailbox_table.c.id == mailbox_id
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise Blocked("mailbox-unknown", "the ledger has no such mailbox")
        return row.source_login, row.target_login

    def target_folder(self, mailbox_id: str) -> str:
        """Where the plan puts its files, in place of the configured root; "" where it does not say."""
        query = select(mailbox_table.c.target_folder).where(mailbox_table.c.id == mailbox_id)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none() or ""

    def targets(self, sources: Collection[str], workload: Kind) -> dict[str, Seat]:
        """By source, of the mailboxes with this workload. Who is withheld, or was refused by the gate, has no
        seat; whom the gate has not bound has one without a user."""
        with reading(self._engine) as connection:
            return {
                source: seat
                for chunk in chunked(sorted(set(sources)))
                for source, seat in locations.seats(connection, chunk, workload)
            }

    def who(self, id_or_address: str, by: str) -> MailboxRow:
        """Resolves a random id, or finds an address's id; recorded. Raises Blocked("mailbox-unknown")."""
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
            found = mailbox_row(row)
            events.append_event(connection, found.wave, "who", {"by": by}, subject=found.id)
            return found

    def legs(
        self,
        wave: str | None = None,
        mailbox: str | None = None,
        workload: Kind | None = None,
        *,
        of: Collection[str] = (),
    ) -> list[LegRow]:
        """By mailbox and workload. of: only these mailboxes, where any are given."""
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
        """Raises Blocked("mailbox-unknown")."""
        query = select(*LEG_COLUMNS).select_from(leg.join(mailbox_table)).where(leg.c.id == leg_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise Blocked("mailbox-unknown", "the ledger has no such leg")
        return leg_row(row)

    def has(self, mailbox_id: str, key: bytes) -> bool:
        """Whether an item of this key is, or was, one of the mailbox's."""
        legs = select(leg.c.id).where(leg.c.mailbox == mailbox_id)
        ours = select(container.c.id).where(container.c.leg.in_(legs))
        query = select(item.c.key).where(item.c.container.in_(ours), item.c.key == key).limit(1)
        with reading(self._engine) as connection:
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
        """Moves a mailbox to a phase while nobody holds a leg of it; recorded, and what was answered for
        with it. epochs: of its legs when what decides was read; who held one since voids that. Raises
        Blocked("claimed-elsewhere" | "live-phase" | "mailbox-unknown"), having changed nothing."""
        with writing(self._engine) as connection:
            phases.refuse_held(connection, mailbox_id)
            phases.refuse_claimed_since(connection, mailbox_id, epochs)
            if phase is not Phase.LIVE:
                phases.refuse_begun(connection, mailbox_id)
            phases.move(connection, mailbox_id, phase, by, answers, stated=True)

    def moves(self, mailbox_id: str) -> phase_moves.Moves:
        """Which moves of a mailbox from phase to phase this ledger has."""
        with reading(self._engine) as connection:
            return phase_moves.read(connection, mailbox_id)

    def passes(self) -> dict[tuple[str, Kind], tuple[str, int]]:
        """By source and workload: the mailbox's id, and the number of the newest pass that began to write."""
        query = select(mailbox_table.c.source, leg.c.workload, mailbox_table.c.id, leg.c.generation)
        with reading(self._engine) as connection:
            rows = connection.execute(query.join(mailbox_table, mailbox_table.c.id == leg.c.mailbox))
            return {(row.source, Kind(row.workload)): (row.id, row.generation) for row in rows}

    def phase_asked(self, mailbox_ids: Collection[str]) -> set[str]:
        """Those of the mailboxes whose phase a person has to set, though it be the same: a pass found that
        this ledger lost a move."""
        with reading(self._engine) as connection:
            return phase_moves.unanswered(connection, mailbox_ids)

    def bind(
        self, lease: Lease, source: Identity, target: Identity, level: str, *, replaced: bool = False
    ) -> None:
        """Binds the leg's mailbox to both accounts at the first call, proves them again at every other.

        An account belongs to one mailbox of the ledger, on each side, and a mailbox has one account a
        system. replaced: another folder of the account than before may be bound. Raises
        Blocked("identity-bound-elsewhere" | "identity-changed" | "folder-replaced"), LeaseLost; recorded
        when it binds."""
        with writing(self._engine) as connection:
            leases.fence(connection, lease)
            if planning.bind(connection, lease, source, target, level, replaced=replaced):
                detail = {"level": level, "workload": lease.workload.value}
                wave = planning.wave_of(connection, lease.mailbox)
                events.append_event(connection, wave, "bound", detail, subject=lease.mailbox)

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
        """The leg for ttl seconds, if it is free, expired, or `dead` says its owner is gone; else None.

        owner names one run of one process, never used again. A new lease voids every older one. phase: by
        whose rules the owner is about to work; raises LeaseLost("phase-changed"), having claimed nothing,
        where the mailbox is in another one. Raises Misconfigured where a newer program has upgraded the
        ledger since it was opened."""
        with reading(self._engine) as connection:
            holder = leases.owner_of(connection, leg_id)
        # Asked outside of any transaction: finding out may take its time.
        gone = holder if holder is not None and dead(holder) else None
        with writing(self._engine) as connection:
            lease = leases.claim(connection, leg_id, owner, ttl, gone, migrations.newest())
            migrations.refuse_another(connection)
            if lease is not None and phase not in (None, lease.phase):
                raise LeaseLost(leases.PHASE_CHANGED, "the mailbox moved just before the leg was claimed")
            return lease

    def outwaited(self, lease: Lease) -> None:
        """No previous owner of the leg can write any more: whoever took over has waited for that. Raises
        LeaseLost("lease-lost")."""
        with writing(self._engine) as connection:
            if not leases.outwaited(connection, lease):
                raise LeaseLost("lease-lost", "another worker took the leg over")

    def renew(self, lease: Lease, ttl: float) -> bool:
        """ttl more seconds from now. False: the lease is lost."""
        with writing(self._engine) as connection:
            return leases.renew(connection, lease, ttl)

    def release(
        self, lease: Lease, state: LegState, code: str | None = None, detail: str | None = None
    ) -> bool:
        """Gives the leg back. detail: see model.errors.MigrationError. False: the lease was lost before,
        nothing was changed."""
        with writing(self._engine) as connection:
            return leases.release(connection, lease, state, code, detail)

    def block(self, leg_id: int, code: str) -> bool:
        """A leg whose work could not even begin, so that what a run before found of it is not taken for this
        one's verdict. False: somebody holds it, and nothing was changed."""
        with writing(self._engine) as connection:
            return leases.block(connection, leg_id, code)

    def put_off(self, leg_id: int, code: str, detail: str | None = None) -> bool:
        """A leg that could not be worked on: it waits for another run. detail: as of release. False: somebody
        holds it, and nothing was changed."""
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
        """Sends legs that nobody holds back to pending, but no withheld mailbox's; returns how many.

        rejected: their rejected items get new attempts as well."""
        chosen = _chosen(wave, mailbox, workload)
        with writing(self._engine) as connection:
            if legs is None:
                return leases.requeue(connection, chosen, states, rejected)
            parts = [and_(chosen, leg.c.id.in_(chunk)) for chunk in chunked(set(legs))]
            return sum(leases.requeue(connection, part, states, rejected) for part in parts)

    def session(self, lease: Lease, *, mirror: bool, tally: Tally | None = None) -> LegLedger:
        """What the leg's worker writes. mirror=False (live phase): what changes or disappears at the
        source no longer touches what is at the target. tally: where to count what it records. Raises
        LeaseLost("phase-changed") where it would mirror a live mailbox."""
        if mirror and lease.phase is Phase.LIVE:
            raise LeaseLost(leases.PHASE_CHANGED, "a live mailbox is its user's")
        return LegLedger(self._engine, lease, mirror=mirror, tally=tally)

    # Reports

    def summary(self, wave: str | None = None) -> list[LegSummary]:
        with reading(self._engine) as connection:
            return reports.summary(connection, wave)

    def rejected(self, wave: str | None = None, mailbox: str | None = None) -> Iterator[Rejection]:
        """(mailbox, container, item) of every item that needs a person."""
        with reading(self._engine) as connection:
            yield from reports.rejected(connection, wave, mailbox)

    def differing(self, wave: str | None = None) -> Iterator[Differing]:
        """(mailbox, container, item or None, finding) of whatever a verification found to be wrong."""
        with reading(self._engine) as connection:
            yield from reports.differing(connection, wave)

    def lost(self, wave: str | None, kinds: Collection[Kind]) -> Iterator[Lost]:
        """(mailbox, container, item or None, loss) of every item that arrived without something."""
        with reading(self._engine) as connection:
            yield from reports.lost(connection, wave, kinds)

    def losses(self, leg_id: int) -> Iterator[tuple[int, bytes, Loss]]:
        """(container id, item key, loss)."""
        with reading(self._engine) as connection:
            yield from reports.losses(connection, leg_id)

    def findings(self, leg_id: int) -> Iterator[tuple[int, Finding]]:
        """(container id, finding) in the order they were recorded."""
        with reading(self._engine) as connection:
            yield from reports.findings(connection, leg_id)

    def arrived(self, mailbox_id: str, kind: Kind) -> Iterator[tuple[ContainerRow, ItemRow]]:
        """Every item of a mailbox's workload that is at the target, by container."""
        with reading(self._engine) as connection:
            yield from locations.arrived(connection, mailbox_id, kind)

    def holders(self, kind: Kind) -> Iterator[tuple[int, str]]:
        """(leg id, source id) of every container of a workload, in every wave."""
        with reading(self._engine) as connection:
            yield from locations.holders(connection, kind)

    def place_of(self, legs: Collection[int], key: bytes) -> Place | None:
        """Where the item or container of this key went, as one of these legs knows it."""
        with reading(self._engine) as connection:
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
        """A person takes responsibility. subject is a mailbox id or "wave:NAME". What a mailbox's approval
        was about goes into the event, as a fingerprint of both accounts; about: and the numbers seen."""
        wave = subject.removeprefix("wave:") if subject.startswith("wave:") else self.mailbox(subject).wave
        detail: dict[str, str | int] = {"by": by, "code": code, "reason": reason, **(about or {})}
        with writing(self._engine) as connection:
            if not subject.startswith("wave:"):
                detail["seen"] = planning.seen_of(connection, subject)
            kind = f"approved:{code}"
            return events.append_event(connection, wave, kind, detail, subject=subject, signature=signature)

    def approved(
        self, subject: str, code: str, spender: str | None = None, *, spent: str | None = None
    ) -> bool:
        """Exactly this subject: a wave's approval is asked for by "wave:NAME".

        An approval counts for what was looked at: a mailbox's, while its accounts and logins are the same;
        a wave's, for a spender (mailbox id) that was planned as it is now before the approval. One that the
        spender (by default the subject) has spent since ("approval-spent:CODE") counts no more. spent: the
        name by which it is spent, where that is another than CODE."""
        with reading(self._engine) as connection:
            return planning.approved(connection, subject, code, spender, spent)

    def event(
        self, wave: str, kind: str, detail: Mapping[str, str | int], *, subject: str | None = None
    ) -> Event:
        """Records a decision about a wave, or about a subject (a mailbox id) in it."""
        with writing(self._engine) as connection:
            return events.append_event(connection, wave, kind, detail, subject=subject)

    def events(self, wave: str) -> list[Event]:
        with reading(self._engine) as connection:
            return list(events.read_events(connection, wave))

    def verify_events(self) -> None:
        """Raises Corrupt("event-chain-broken") unless every wave's chain is as it was recorded."""
        with reading(self._engine) as connection:
            events.verify_all(connection)


def _chosen(wave: str | None, mailbox_id: str | None, workload: Kind | None) -> ColumnElement[bool]:
    chosen = in_wave(wave, mailbox_id)
    return chosen if workload is None else and_(chosen, leg.c.workload == workload.value)
