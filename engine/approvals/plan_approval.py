"""May this wave be written? Enough different approvers signed its plan as it is now.

What is signed is a statement: wave, stage, the plan's hash, approver, reason, time. The hash covers what
decides whose mail goes where, and how well that is proven: each mailbox's accounts, logins, folder and
workloads, what the newest check found of it, when and in which window the wave runs, and the systems. A
changed plan has another hash, so that what was signed before says nothing about it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from engine.approvals.pinned_settings import refuse_weaker
from engine.approvals.signed_plan import canonical, digest_of, documents, systems_of
from engine.config.hints import next_command
from engine.config.load import Config
from engine.identity.identity_gate import LEVELS, NEEDS_APPROVAL
from ledger.db.audit_log import Event
from ledger.db.rows import MailboxRow
from ledger.plan.approvals import KIND, Head, PlanRow, events_since, plan_rows, stamp
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Blocked, Misconfigured
from model.signing_keys import is_signed

START, CUTOVER = "start", "cutover"
STAGES = (START, CUTOVER)
NOT_APPROVED = "not-approved"
CHANGED = "plan-changed"
"""Why a signature is void: it is of another plan, or of this one before it was another for a while."""
VOIDED = "plan-voided"
"""The event that ends the signatures of a plan, for good."""
DOMAIN = b"kogge plan approval 1\n"
"""Begins whatever is signed, so that a signature made for another purpose is none here."""


@dataclass(frozen=True, slots=True)
class WavePlan:
    """A wave as it would be approved now. rows: by mailbox. excused: what is not ready, but somebody took
    responsibility for (`kogge approve CODE`). text: the document that is signed, by its SHA-256, which is
    hash; earlier: that of the same plan as earlier versions of Kogge wrote it."""

    wave: WaveRow
    rows: Mapping[str, PlanRow]
    excused: frozenset[str]
    hash: str
    earlier: frozenset[str] = frozenset()
    text: bytes = b""

    def is_signed_by(self, hash_: str) -> bool:
        """Whether a signature of this hash is one of this plan."""
        return hash_ == self.hash or hash_ in self.earlier

    @property
    def unchecked(self) -> list[PlanRow]:
        return [row for row in self.rows.values() if row.at is None]

    @property
    def left_out(self) -> list[PlanRow]:
        """What was checked and is not ready: an approval of the others does not reach it."""
        return [row for row in self.rows.values() if row.at is not None and not self.ready(row)]

    def ready(self, row: PlanRow) -> bool:
        return row.at is not None and (row.code is None or row.mailbox in self.excused)


@dataclass(frozen=True, slots=True)
class Statement:
    """What an approver signs. at: by the approver's clock."""

    wave: str
    stage: str
    plan: str
    approver: str
    reason: str
    at: str

    def to_sign(self) -> bytes:
        fields = {name: getattr(self, name) for name in FIELDS}
        return DOMAIN + canonical(fields)


TOLD = ("plan", "approver", "reason", "at")
FIELDS = ("wave", "stage", *TOLD)


@dataclass(frozen=True, slots=True)
class Approval:
    """A recorded one. void: why it does not count, or None: "plan-changed", "approver-unknown",
    "signature-invalid", "given-twice"."""

    event: Event
    statement: Statement
    void: str | None


def plan_of(config: Config, ledger: Ledger, wave: str) -> WavePlan:
    """The wave as the ledger has it now."""
    planned, rows = Waves(ledger).read(wave), plan_rows(ledger, wave)
    excused = frozenset(row.mailbox for row in rows if is_accepted(ledger, row, row.code))
    texts = list(documents(config, planned, rows, excused))
    hash_, *earlier = (hashlib.sha256(text).hexdigest() for text in texts)
    listed = {row.mailbox: row for row in rows}
    return WavePlan(planned, listed, excused, hash_, frozenset(earlier), texts[0])


def is_accepted(ledger: Ledger, row: PlanRow, found: str | None) -> bool:
    """Whether a person took responsibility for what was found of a mailbox, by its code."""
    code = NEEDS_APPROVAL.get(found or "")
    return code is not None and (
        ledger.approved(row.mailbox, code) or ledger.approved(f"wave:{row.wave}", code, row.mailbox)
    )


def approvals_of(config: Config, ledger: Ledger, wave: str, stage: str | None = None) -> list[Approval]:
    """All that were ever given for a wave, the oldest first. Raises Corrupt when the chain is broken."""
    return _judged(config, _looked(config, ledger, wave), [stage] if stage else STAGES)


def refuse_unapproved(config: Config, ledger: Ledger, wave: str, stage: str) -> None:
    """Raises Blocked("not-approved") unless enough different approvers signed the wave's plan as it is;
    Misconfigured where there are not so many of them, or where the configuration asks for less than the
    ledger is held to; Corrupt when the chain of events is broken."""
    refuse_weaker(config, ledger)
    required = refuse_too_few(config)
    if required:
        _approved_plan(config, ledger, wave, stage, required)


def _approved_plan(config: Config, ledger: Ledger, wave: str, stage: str, required: int) -> WavePlan:
    known = _looked(config, ledger, wave)
    given, plan = _judged(config, known, [stage]), known.plan
    _end_others(ledger, wave, known, given)
    valid = sum(entry.void is None for entry in given)
    if valid < required:
        told = _told(wave, stage, required, valid, given, plan.hash)
        command = command_to_approve(config, wave, stage, "--key FILE --reason TEXT")
        raise Blocked(NOT_APPROVED, f"{told}. Next: {command}")
    return plan


def refuse_too_few(config: Config) -> int:
    """How many approvals a wave takes. Raises Misconfigured where no so many can be given."""
    if (told := too_few(config)) is not None:
        raise Misconfigured(f"{config.path.name}: approval.approvers", told)
    return config.approval.required


def too_few(config: Config) -> str | None:
    """What to do where fewer approvers are named than a wave takes; None where they are enough."""
    required, approvers = config.approval.required, len(config.approval.approvers)
    if required <= approvers:
        return None
    return (
        f"a wave takes {required} approvals, approvers named: {approvers}. Name them: `kogge keys new NAME"
        " --out FILE` prints a line for each. Or say that none is needed: approval.required = 0"
    )


def command_to_approve(config: Config, wave: str, stage: str, how: str) -> str:
    """What to type; how: the options that sign."""
    option = "" if stage == START else f" --stage {stage}"
    return next_command(config.path, f"approve --wave {wave}{option} {how}")


def _told(wave: str, stage: str, required: int, valid: int, given: Iterable[Approval], plan: str) -> str:
    """Names nobody: it may be shown in Prefect."""
    text = f"the {stage} of wave {wave} has {valid} of {required} approvals of its plan {plan[:12]}"
    void = [entry for entry in given if entry.void == CHANGED]
    if void:
        newest = void[-1]
        when = f"{newest.event.moment:%Y-%m-%d %H:%M} UTC"
        text += f"; the newest other, of {when}, was of plan {newest.statement.plan[:12]}: it changed since"
    return text


def permitted(_level: str | None) -> None:
    """A permission where none is needed."""


def permission(config: Config, ledger: Ledger, mailbox: MailboxRow) -> Callable[[str | None], None]:
    """What a leg asks before it writes: without a level before anything is opened, then with the level of
    proof. Raises Blocked("not-approved" | "proof-weaker-than-approved")."""
    seen: list[PlanRow] = []

    def permit(level: str | None) -> None:
        if level is None:
            refuse_weaker(config, ledger)
        if not config.approval.required:
            return
        if level is None or not seen:
            seen[:] = [_approved_row(config, ledger, mailbox)]
        approved = seen[0].level or LEVELS[-1]
        if level is not None and LEVELS.index(level) < LEVELS.index(approved):
            raise Blocked("proof-weaker-than-approved", f"it is {level}, and was {approved} when approved")

    return permit


def _approved_row(config: Config, ledger: Ledger, mailbox: MailboxRow) -> PlanRow:
    plan = _approved_plan(config, ledger, mailbox.wave, START, refuse_too_few(config))
    (now,) = plan_rows(ledger, mailbox_id=mailbox.id)
    row = plan.rows.get(mailbox.id)
    if row is None or row.approved_part() != now.approved_part():
        raise Blocked(NOT_APPROVED, "the mailbox is not as its wave's plan had it")
    if not plan.ready(row):
        raise Blocked(NOT_APPROVED, "it was not ready when its wave was approved")
    return row


@dataclass(frozen=True, slots=True)
class _Known:
    """Of one wave, in this process: its chain so far, and its plan. voided: by plan, the number of the event
    that ended its signatures."""

    head: Head | None = None
    given: tuple[Event, ...] = ()
    voided: Mapping[str, int] = field(default_factory=dict)
    stamp: object = None
    plan: WavePlan = WavePlan(WaveRow(""), {}, frozenset(), "")


_lock = threading.Lock()
_waves: WeakKeyDictionary[Ledger, dict[str, _Known]] = WeakKeyDictionary()


def _looked(config: Config, ledger: Ledger, wave: str) -> _Known:
    """What is known of a wave, brought up to now: only what was added to its chain is read, and its plan
    only where something of it is new. Nothing is locked while the ledger is asked: several who look at once
    find the same."""
    with _lock:
        known = _waves.setdefault(ledger, {}).get(wave, _Known())
    head, new = events_since(ledger, wave, known.head)
    given = (*known.given, *(event for event in new if event.kind.startswith(KIND)))
    ended = {str(event.detail["plan"]): event.seq for event in new if event.kind == VOIDED}
    voided = {**known.voided, **ended}
    asked_anew = any(event.kind.startswith("approved:") for event in new)
    now = (stamp(ledger, wave), Waves(ledger).read(wave), digest_of(systems_of(config)))
    unchanged = known.stamp == now and not asked_anew
    found = _Known(head, given, voided, now, known.plan if unchanged else plan_of(config, ledger, wave))
    with _lock:
        newest = _waves[ledger].get(wave)
        if newest is None or newest.head is None or newest.head[0] <= head[0]:
            _waves[ledger][wave] = found
    return found


def _judged(config: Config, known: _Known, stages: Iterable[str]) -> list[Approval]:
    """A person counts once, by the first that is valid."""
    found: list[Approval] = []
    for stage in stages:
        counted: set[str] = set()
        for event in known.given:
            if event.kind == KIND + stage:
                statement = _statement(event, stage)
                void = _void(config, event, statement, known)
                if void is None and statement.approver in counted:
                    void = "given-twice"
                if void is None:
                    counted.add(statement.approver)
                found.append(Approval(event, statement, void))
    return sorted(found, key=lambda entry: entry.event.seq)


def _statement(event: Event, stage: str) -> Statement:
    """As it must have been signed: wave and stage by where it is recorded."""
    told = {name: str(event.detail.get(name, "")) for name in TOLD}
    return Statement(wave=event.wave, stage=stage, **told)


def _void(config: Config, event: Event, statement: Statement, known: _Known) -> str | None:
    key = config.approval.key_of(statement.approver)
    if key is None:
        return "approver-unknown"
    if event.subject != f"wave:{event.wave}" or not is_signed(
        key, event.signature or b"", statement.to_sign()
    ):
        return "signature-invalid"
    signed = known.plan.is_signed_by(statement.plan)
    return None if signed and not _has_ended(known, statement.plan, event) else CHANGED


def _has_ended(known: _Known, plan: str, event: Event) -> bool:
    return known.voided.get(plan, 0) > event.seq


def _end_others(ledger: Ledger, wave: str, known: _Known, given: Iterable[Approval]) -> None:
    """What was signed of another plan than the wave has now counts no more, also once that plan comes back:
    who signed it did not see what was between."""
    other = {
        entry.statement.plan
        for entry in given
        if entry.void == CHANGED and not _has_ended(known, entry.statement.plan, entry.event)
    }
    for plan in sorted(other):
        ledger.event(wave, VOIDED, {"plan": plan}, subject=f"wave:{wave}")


def detail_of(statement: Statement) -> dict[str, str | int]:
    """What an event says beside its wave, kind and subject."""
    return {name: getattr(statement, name) for name in TOLD}


def new_statement(wave: str, stage: str, plan: WavePlan, approver: str, reason: str) -> Statement:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Statement(wave, stage, plan.hash, approver, reason, at)
