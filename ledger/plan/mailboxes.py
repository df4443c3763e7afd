"""Plan mailboxes: which move where, in which wave, and whose accounts they proved to be."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, exists, or_, select, update

from ledger.db.audit_log import Event, append_event, chain_of, head_of, newest_event
from ledger.db.engine import asking, now
from ledger.db.handle import LedgerHandle
from ledger.db.lease_statements import kept_rolling
from ledger.db.readers import MAILBOX_COLUMNS, mailbox_row
from ledger.db.rows import NOT_IN_PLAN, Lease, LegState, MailboxRow, Phase
from ledger.db.schema import (
    checked,
    container,
    event,
    evidence_key,
    finding,
    identity,
    incident,
    inventory,
    item,
    label,
    leg,
    listed,
    loss,
    mailbox,
    meeting,
    meta,
    share,
    step,
    version,
)
from ledger.db.upsert import upsert
from ledger.plan.callers import name_caller
from model.errors import Blocked
from model.kinds import Kind
from model.protocols import Identity


@dataclass(frozen=True, slots=True)
class PlannedMailbox:
    """Describe a row of the mapping CSV.

    Attributes:
        source: the address at the source, or a site (model.sites).
        target: the address at the target.
        wave: its wave.
        phase: where a new mailbox starts; later only set_phase moves it.
        workloads: the kinds that move.
        source_login: None if it is the address.
        target_login: None if it is the address.
        target_folder: see connectors.settings.Account.
    """

    source: str
    target: str
    wave: str
    phase: Phase
    workloads: frozenset[Kind]
    source_login: str | None = None
    target_login: str | None = None
    target_folder: str | None = None


PLAN_CHANGED = "plan-changed"
WITHHELD = (NOT_IN_PLAN, PLAN_CHANGED)
"""The codes why a mailbox of the ledger must not run."""

_PLAN = "plan:"
"""The beginning of the name of a wave's mark in meta."""
FIELDS = ("target", "wave", "source_login", "target_login", "target_folder")


@dataclass(frozen=True, slots=True)
class PlanConflict:
    """Name a row that contradicts what a bound mailbox already did. Nothing of the row was taken over.

    Attributes:
        mailbox: the mailbox's id.
        field: what changed since its accounts were bound: one of FIELDS.
        code: why the mailbox is withheld.
    """

    mailbox: str
    field: str
    code: str = PLAN_CHANGED


@dataclass(frozen=True, slots=True)
class Planned:
    """Hold a mailbox and what its plan says of its accounts.

    Attributes:
        mailbox: the mailbox.
        source_login: the source's login; None if the plan gives none apart from the address.
        target_login: the target's, in the same way.
        folder: takes the place of the configured root of its files; "" if the plan does not say.
        withheld: the code by which the mailbox must not run; None if it may.
    """

    mailbox: MailboxRow
    source_login: str | None
    target_login: str | None
    folder: str
    withheld: str | None


_ACCOUNTS = (mailbox.c.withheld, mailbox.c.source_login, mailbox.c.target_login, mailbox.c.target_folder)
_PLANNED = select(*_ACCOUNTS, *MAILBOX_COLUMNS).where(mailbox.c.id == bindparam("of"))
_WITHHELD = select(mailbox.c.withheld).where(mailbox.c.id == bindparam("of"))
_APPROVED = (
    select(event.c.subject)
    .where(event.c.subject.in_(bindparam("subjects", expanding=True)), event.c.kind == bindparam("kind"))
    .distinct()
)
_BOUND = select(leg.c.source_identity, leg.c.target_identity, leg.c.level, leg.c.target_user).where(
    leg.c.id == bindparam("of")
)
_BOUND_IN = (
    select(leg.c.source_identity, leg.c.target_identity, mailbox.c.wave)
    .select_from(leg.join(mailbox))
    .where(leg.c.id == bindparam("of"))
)
_OWNERS = select(identity.c.side, identity.c.identity, identity.c.mailbox).where(
    or_(
        identity.c.mailbox == bindparam("of"),
        *(
            and_(identity.c.side == side, identity.c.identity == bindparam(side))
            for side in ("source", "target")
        ),
    )
)
_SOURCES = select(leg.c.workload, leg.c.source_identity).where(
    leg.c.mailbox == bindparam("of"), leg.c.source_identity.is_not(None)
)
_WAVE = select(mailbox.c.wave).where(mailbox.c.id == bindparam("of"))
_OWNED = select(identity.c.side, identity.c.identity).where(identity.c.mailbox == bindparam("of"))


@dataclass(frozen=True, slots=True)
class _Known:
    """Hold what the ledger has before planning: mailboxes by source, and their workloads by id."""

    rows: dict[str, Any]
    workloads: dict[str, frozenset[str]]


def add_mailboxes(
    connection: Connection,
    rows: Iterable[PlannedMailbox],
    whole: bool = False,
    waves: Collection[str] | None = None,
) -> list[str | PlanConflict]:
    """Plan mailboxes; return one id or conflict for each row, in order. Idempotent by source.

    See Ledger.add_mailboxes.
    """
    before = _known(connection)
    ids = {row.id for row in before.rows.values()}
    result: list[str | PlanConflict] = []
    named, news = set(), set()
    for planned in rows:
        named.add(planned.source)
        old = before.rows.get(planned.source)
        if old is None or _is_news(old, planned, before):
            news |= {planned.wave, planned.wave if old is None else old.wave}
        result.append(
            _put(connection, planned, _new_id(ids)) if old is None else _again(connection, planned, before)
        )
        if old is None or _difference(old, planned):
            query = select(mailbox).where(mailbox.c.source == planned.source)
            before.rows[planned.source] = connection.execute(query).one()
    if whole:
        for row in list(before.rows.values()):
            if row.source not in named and (waves is None or row.wave in waves):
                _withdraw(connection, row)
                news.add(row.wave)
    mark_replanned(connection, news)
    return result


def mark_replanned(connection: Connection, waves: Collection[str]) -> None:
    """Change the mark of these waves, so that their plans are read anew; see plan_mark()."""
    for wave in sorted(waves):
        marked = upsert(connection, meta).values(name=f"{_PLAN}{wave}", value=secrets.token_hex(8))
        value = {"value": marked.excluded.value}
        connection.execute(marked.on_conflict_do_update(index_elements=["name"], set_=value))


def plan_mark(connection: Connection, wave: str) -> str | None:
    """Return a mark that changes whenever the wave's plan or a check of it changes.

    Returns:
        None if there is no plan.
    """
    query = select(meta.c.value).where(meta.c.name == f"{_PLAN}{wave}")
    mark: str | None = connection.execute(query).scalar_one_or_none()
    return mark


def _is_news(old: Any, planned: PlannedMailbox, before: _Known) -> bool:
    """Return True if the row changes the plan."""
    same = before.workloads.get(old.id) == frozenset(planned.workloads)
    return bool(not same or old.withheld or _difference(old, planned))


def _known(connection: Connection) -> _Known:
    rows = {row.source: row for row in connection.execute(select(mailbox))}
    workloads: dict[str, set[str]] = {}
    for number, workload in connection.execute(select(leg.c.mailbox, leg.c.workload)):
        workloads.setdefault(number, set()).add(workload)
    kinds = {number: frozenset(kinds_of) for number, kinds_of in workloads.items()}
    return _Known(rows, kinds)


def _is_fixed(connection: Connection, number: str) -> bool:
    """Return True if a mailbox is bound or at work.

    It locks the mailbox's legs: a mailbox that is neither stays so until the transaction ends.
    """
    legs = select(leg.c.id).where(leg.c.mailbox == number).with_for_update()
    numbers = list(connection.scalars(legs))
    at_work = and_(leg.c.owner.is_not(None), leg.c.lease_until >= now())
    fixed = and_(leg.c.id.in_(numbers), or_(leg.c.source_identity.is_not(None), at_work))
    return connection.execute(select(exists().where(fixed))).scalar_one() is True


def _difference(old: Any, planned: PlannedMailbox) -> str | None:
    """Return the first of FIELDS in which the row differs; None if it differs in none."""
    return next((name for name in FIELDS if getattr(old, name) != getattr(planned, name)), None)


def _again(connection: Connection, planned: PlannedMailbox, before: _Known) -> str | PlanConflict:
    """Plan a row whose source the ledger knows."""
    old = before.rows[planned.source]
    number: str = old.id
    differs = _difference(old, planned)
    if differs and _is_fixed(connection, number):
        _withhold(connection, old, PLAN_CHANGED)
        return PlanConflict(number, differs)
    if differs:
        # What a dry run listed may be of another account: it is listed anew.
        _forget(connection, number)
    if differs or old.withheld:
        _release(connection, number, planned.wave)
    if differs or before.workloads.get(number) != frozenset(planned.workloads):
        _put(connection, planned, number)
    return number


def _withhold(connection: Connection, row: Any, code: str) -> None:
    """Stop a mailbox from running.

    A leg whose items are all accounted for keeps its state. So does one that is blocked already: only
    `kogge retry` ends that, and a list that names the mailbox again does not.
    """
    if row.withheld == code:
        return
    connection.execute(update(mailbox).where(mailbox.c.id == row.id).values(withheld=code))
    idle = and_(leg.c.mailbox == row.id, leg.c.owner.is_(None), leg.c.state != LegState.VERIFIED.value)
    idle = and_(
        idle, or_(leg.c.state != LegState.BLOCKED.value, leg.c.code.is_(None), leg.c.code.in_(WITHHELD))
    )
    connection.execute(
        update(leg).where(idle).values(state=LegState.BLOCKED.value, code=kept_rolling(code), detail=None)
    )
    append_event(connection, row.wave, "withheld", {"code": code}, subject=row.id)


def _release(connection: Connection, number: str, wave: str) -> None:
    planned = {"planned_at": now(), "planned_seq": head_of(connection, wave)[0]}
    connection.execute(update(mailbox).where(mailbox.c.id == number).values(withheld=None, **planned))
    stopped = and_(leg.c.mailbox == number, leg.c.owner.is_(None), leg.c.code.in_(WITHHELD))
    connection.execute(
        update(leg).where(stopped).values(state=LegState.PENDING.value, code=None, detail=None)
    )


def _withdraw(connection: Connection, row: Any) -> None:
    """Withdraw a mailbox that no row names.

    A mailbox that was never bound wrote nothing, and is removed. A bound one stays, withheld.
    """
    if _is_fixed(connection, row.id):
        _withhold(connection, row, NOT_IN_PLAN)
        return
    _forget(connection, row.id)
    connection.execute(delete(evidence_key).where(evidence_key.c.mailbox == row.id))
    connection.execute(delete(leg).where(leg.c.mailbox == row.id))
    connection.execute(delete(mailbox).where(mailbox.c.id == row.id))
    append_event(connection, row.wave, "withdrawn", {}, subject=row.id)


def _forget(connection: Connection, number: str) -> None:
    """Delete what was listed and checked of a mailbox that is not bound."""
    for table_ in (checked, step):
        connection.execute(delete(table_).where(table_.c.mailbox == number))
    legs = list(connection.scalars(select(leg.c.id).where(leg.c.mailbox == number)))
    containers = select(container.c.id).where(container.c.leg.in_(legs))
    for table in (item, loss, finding, share, version, incident, meeting):
        connection.execute(delete(table).where(table.c.container.in_(containers)))
    for table in (listed, inventory, container, label):
        connection.execute(delete(table).where(table.c.leg.in_(legs)))
    anew = {
        "state": LegState.PENDING.value,
        "code": None,
        "detail": None,
        "items": 0,
        "done": 0,
        "bytes": 0,
        "started": None,
        "finished": None,
        "owner": None,
        "lease_until": None,
        "took_over": False,
        "before": None,
    }
    # The epoch goes up: a worker that was presumed dead finds its lease lost.
    ran = and_(leg.c.id.in_(legs), leg.c.epoch > 0)
    connection.execute(update(leg).where(ran).values(epoch=leg.c.epoch + 1, **anew))


def _new_id(taken: set[str]) -> str:
    # 40,000 random 32-bit numbers collide more often than not in a few tries: look, do not hope.
    while (new := f"m-{secrets.token_hex(4)}") in taken:
        continue
    taken.add(new)
    return new


def _put(connection: Connection, planned: PlannedMailbox, number: str) -> str:
    changing = {field: getattr(planned, field) for field in FIELDS}
    first = {"phase": planned.phase, "planned_at": now(), "planned_seq": head_of(connection, planned.wave)[0]}
    statement = upsert(connection, mailbox).values(id=number, source=planned.source, **first, **changing)
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changing))
    name_caller(connection, planned.source, planned.target)
    legs = [
        {"mailbox": number, "workload": kind, "state": LegState.PENDING} for kind in sorted(planned.workloads)
    ]
    if legs:
        connection.execute(upsert(connection, leg).on_conflict_do_nothing(), legs)
    unwanted = and_(leg.c.mailbox == number, leg.c.epoch == 0, leg.c.workload.not_in(list(planned.workloads)))
    connection.execute(delete(leg).where(unwanted))
    return number


def planned(connection: Connection, mailbox_id: str) -> Planned:
    """Return a mailbox and its accounts as they are planned.

    Raises:
        Blocked: "mailbox-unknown".
    """
    row = connection.execute(_PLANNED, {"of": mailbox_id}).one_or_none()
    if row is None:
        raise Blocked("mailbox-unknown", "the ledger has no such mailbox")
    withheld, source_login, target_login, folder, *rest = row
    return Planned(mailbox_row(rest), source_login, target_login, folder or "", withheld)


def refuse_withheld(connection: Connection, mailbox_id: str) -> None:
    """Refuse a mailbox that must not run.

    Raises:
        Blocked: "not-in-plan" or "plan-changed".
    """
    refuse_code(connection.execute(_WITHHELD, {"of": mailbox_id}).scalar_one())


def refuse_code(code: str | None) -> None:
    """Refuse a mailbox that is withheld with this code (Planned.withheld); see refuse_withheld."""
    if code is not None:
        raise Blocked(code, "mailboxes.csv no longer says what this mailbox was planned by")


def seen_of(connection: Connection, mailbox_id: str) -> str:
    """Return a fingerprint of what an approval of this mailbox is about: both accounts and their logins."""
    columns = (mailbox.c.source, mailbox.c.target, mailbox.c.source_login, mailbox.c.target_login)
    query = select(*columns, mailbox.c.target_folder).where(mailbox.c.id == mailbox_id)
    *row, folder = connection.execute(query).one()
    seen = row if folder is None else [*row, folder]  # what was approved before there were folders stays so
    text = json.dumps(seen, separators=(",", ":")).encode()
    return hashlib.blake2b(text, key=mailbox_id.encode(), digest_size=16).hexdigest()


def approved(
    connection: Connection, subject: str, code: str, spender: str | None, spent_as: str | None = None
) -> bool:
    """Return True if an approval counts; see Ledger.approved.

    The order of a chain decides what came first, never a clock. A mailbox that was ever written to stays in
    its wave, so what another chain says of it is older.
    """
    chain = chain_of(connection, spender or subject)
    approval = newest_event(connection, subject, f"approved:{code}", chain)
    if approval is None or not _still_means(connection, subject, approval, spender):
        return False
    return _is_unspent(connection, spender or subject, spent_as or code, approval, chain)


def approved_for(ledger: LedgerHandle, mailbox_id: str, wave: str, code: str, spent_as: str | None) -> bool:
    """Return True if an approval of the mailbox, or of its whole wave, counts; see Ledger.approved.

    Args:
        ledger: an open ledger.
        mailbox_id: the mailbox that uses the approval.
        wave: its wave.
        code: what is approved.
        spent_as: see Ledger.approved.
    """
    subjects = (mailbox_id, f"wave:{wave}")
    with asking(ledger.engine) as connection:
        known = set(connection.scalars(_APPROVED, {"subjects": subjects, "kind": f"approved:{code}"}))
        return any(
            approved(connection, subject, code, None if subject == mailbox_id else mailbox_id, spent_as)
            for subject in subjects
            if subject in known
        )


def is_spendable(connection: Connection, subject: str, code: str) -> bool:
    """Return True if somebody approved this of the mailbox, and it was not spent since.

    It may be about accounts that the mailbox no longer has: they may come back, and the approval with them.
    """
    chain = chain_of(connection, subject)
    approval = newest_event(connection, subject, f"approved:{code}", chain)
    return approval is not None and _is_unspent(connection, subject, code, approval, chain)


def _is_unspent(connection: Connection, spender: str, code: str, approval: Event, chain: str) -> bool:
    spent = newest_event(connection, spender, f"approval-spent:{code}", chain)
    return spent is None or (approval.wave == chain and (spent.wave != chain or spent.seq < approval.seq))


def _still_means(connection: Connection, subject: str, approval: Event, spender: str | None) -> bool:
    if not subject.startswith("wave:"):
        return approval.detail.get("seen") == seen_of(connection, subject)
    if spender is None:
        return True
    query = select(mailbox.c.wave, mailbox.c.planned_seq).where(mailbox.c.id == spender)
    wave, planned = connection.execute(query).one()
    return bool(wave == approval.wave and planned < approval.seq)


def bind(
    connection: Connection,
    lease: Lease,
    source: Identity,
    target: Identity,
    level: str,
    *,
    replaced: bool = False,
    apart: Collection[Kind] = (),
) -> None:
    """Bind or prove the accounts of a leg; see Ledger.bind."""
    held = {
        "source_identity": _bound_as(source),
        "target_identity": _bound_as(target),
        "level": level,
        "target_user": target.user,
    }
    *bound, wave = connection.execute(_BOUND_IN, {"of": lease.leg}).one()
    for old, account in zip(bound, (source, target), strict=True):
        if old is not None:
            refuse_another(old, account, replaced=replaced)
    elsewhere = _bound_elsewhere(connection, lease.mailbox, apart)
    _own(connection, lease.mailbox, {"source": source, "target": target}, elsewhere)
    connection.execute(update(leg).where(leg.c.id == lease.leg).values(held))
    if bound[0] is None:
        detail = {"level": level, "workload": lease.workload.value}
        append_event(connection, wave, "bound", detail, subject=lease.mailbox)


def is_bound(connection: Connection, lease: Lease, source: Identity, target: Identity, level: str) -> bool:
    """Return True if a leg and its mailbox are bound to just these accounts: bind() would change nothing."""
    held = connection.execute(_BOUND, {"of": lease.leg}).one()
    if tuple(held) != (_bound_as(source), _bound_as(target), level, target.user):
        return False
    owned = [tuple(row) for row in connection.execute(_OWNED, {"of": lease.mailbox})]
    return all(
        [name for where, name in owned if where == side and name.startswith(f"{account.system}:")]
        == [_name(account)]
        for side, account in (("source", source), ("target", target))
    )


def refuse_another(bound: str, account: Identity, *, replaced: bool = False) -> None:
    """Refuse an account that is not the one that a leg was bound to.

    Args:
        bound: as the leg has it.
        account: the account now.
        replaced: True if another folder of the same account may be bound.

    Raises:
        Blocked: "identity-changed" or "folder-replaced".
    """
    if bound in (_name(account), _bound_as(account)):
        return
    if not bound.startswith(f"{_name(account)}#"):
        raise Blocked("identity-changed", "the account is not the one this mailbox was bound to")
    if not replaced:
        raise Blocked("folder-replaced", "the folder is not the one this mailbox was bound to")


def _name(account: Identity) -> str:
    return f"{account.system}:{account.id}"


def _bound_as(account: Identity) -> str:
    """Return the account's name with its part, as soon as there is a part.

    We make the part, or the leg was bound before parts were recorded. An account that has no part any more is
    another.
    """
    return f"{_name(account)}#{account.part}" if account.part else _name(account)


def _bound_elsewhere(connection: Connection, owner: str, apart: Collection[Kind]) -> frozenset[str]:
    """Return the source accounts that this mailbox has at other servers alone.

    Args:
        connection: of the ledger.
        owner: the mailbox.
        apart: the workloads that are read from another server than this one.
    """
    if not apart:
        return frozenset()
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for workload, bound in connection.execute(_SOURCES, {"of": owner}):
        names[Kind(workload) in apart].add(bound)
    return frozenset(names[True] - names[False])


def _own(
    connection: Connection, owner: str, accounts: Mapping[str, Identity], elsewhere: frozenset[str]
) -> None:
    """Record whose the accounts are, by side, unless another mailbox has them or this one has others.

    Args:
        connection: of the ledger.
        owner: the mailbox.
        accounts: by side.
        elsewhere: other accounts that it may have at the source.
    """
    rows = [
        {"side": side, "identity": _name(account), "mailbox": owner} for side, account in accounts.items()
    ]
    connection.execute(upsert(connection, identity).on_conflict_do_nothing(), rows)
    asked = {side: _name(account) for side, account in accounts.items()}
    found = [tuple(row) for row in connection.execute(_OWNERS, {"of": owner, **asked})]
    for side, account in accounts.items():
        name = _name(account)
        of_system = [one for where, one, whose in found if (where, whose) == (side, owner)]
        others = {one for one in of_system if one.startswith(f"{account.system}:")} - {name}
        if others - (elsewhere if side == "source" else frozenset()):
            raise Blocked("identity-changed", "the account is not the one this mailbox was bound to")
        if name not in of_system:
            raise Blocked("identity-bound-elsewhere", "another mailbox of this ledger owns the account")


def wave_of(connection: Connection, mailbox_id: str) -> str:
    """Return the wave of a mailbox."""
    wave: str = connection.execute(_WAVE, {"of": mailbox_id}).scalar_one()
    return wave
