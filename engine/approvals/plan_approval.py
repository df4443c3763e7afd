"""Decide whether a wave may be written: enough different approvers must have signed its plan as it is now.

What is signed is a statement: wave, stage, the plan's hash, approver, reason, time. The hash covers what
decides whose mail goes where, and how well that is proven: each mailbox's accounts, logins, folder and
workloads, what the newest check found of it, when and in which window the wave runs, and the systems. A
changed plan has another hash, so that earlier signatures say nothing about it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from engine.approvals.pinned_settings import refuse_weaker
from engine.approvals.signed_plan import (
    canonical,
    digest_of,
    documents,
    systems_of,
    without_findings,
    without_systems,
)
from engine.config.hints import next_command
from engine.config.load import Config
from engine.identity.identity_gate import LEVELS, NEEDS_APPROVAL
from ledger.db.audit_log import Event
from ledger.db.rows import LegState, MailboxRow
from ledger.plan.approvals import KIND, Head, PlanRow, events_since, plan_rows, signed_text, stamp
from ledger.plan.waves import WaveRow, Waves
from ledger.store import Ledger
from model.errors import Blocked, Misconfigured
from model.plural import many
from model.signing_keys import is_signed

START, CUTOVER = "start", "cutover"
STAGES = (START, CUTOVER)
NOT_APPROVED = "not-approved"
CHANGED = "plan-changed"
"""Why a signature is void: it is of another plan, or of this one before it was another for a while."""
WAS_ANOTHER = "of this plan, but the wave had another one since"
"""Says it of a signature that was ended, and whose plan came back."""
UNDO_EDIT = (
    ", by an edit of the configuration alone. Nothing of the plan was changed, and the approvals"
    " count as before: undo the edit; or, if it is meant, check the wave and sign again"
)
UNDO_CHECK = (
    ", only by what a check found, or by that and the configuration. The approvals count again once a check"
    " finds what was signed; or, if this is how it stays, sign again"
)
"""How approvals count again that were given for a plan that only looks otherwise now."""
VOIDED = "plan-voided"
"""The event that ends the signatures of a plan, for good."""
DOMAIN = b"kogge plan approval 1\n"
"""The beginning of everything that is signed, so that a signature made for another purpose does not count
here."""


@dataclass(frozen=True, slots=True)
class WavePlan:
    """Hold a wave as it would be approved now.

    Attributes:
        wave: what is planned of the wave.
        rows: the mailboxes by id.
        excused: mailboxes that are not ready, but for which a person took responsibility (`kogge approve
            CODE`).
        hash: the SHA-256 of the document that is signed.
        earlier: the hashes of the same plan as earlier versions of Kogge wrote it.
        text: the document that is signed.
    """

    wave: WaveRow
    rows: Mapping[str, PlanRow]
    excused: frozenset[str]
    hash: str
    earlier: frozenset[str] = frozenset()
    text: bytes = b""

    def is_signed_by(self, hash_: str) -> bool:
        """Return True if a signature of this hash is one of this plan."""
        return hash_ == self.hash or hash_ in self.earlier

    @property
    def unchecked(self) -> list[PlanRow]:
        """The mailboxes that were not checked."""
        return [row for row in self.rows.values() if row.at is None]

    @property
    def left_out(self) -> list[PlanRow]:
        """The mailboxes that were checked and are not ready.

        An approval of the others does not include them.
        """
        return [row for row in self.rows.values() if row.at is not None and not self.ready(row)]

    def ready(self, row: PlanRow) -> bool:
        """Return True if a mailbox was checked and is ready, or excused."""
        return row.at is not None and (row.code is None or row.mailbox in self.excused)


@dataclass(frozen=True, slots=True)
class Statement:
    """Hold what an approver signs.

    Attributes:
        wave: the name of the wave.
        stage: START or CUTOVER.
        plan: the hash of the plan.
        approver: the approver's name.
        reason: why.
        at: the time, by the approver's clock.
    """

    wave: str
    stage: str
    plan: str
    approver: str
    reason: str
    at: str

    def to_sign(self) -> bytes:
        """Return the bytes that are signed."""
        fields = {name: getattr(self, name) for name in FIELDS}
        return DOMAIN + canonical(fields)


TOLD = ("plan", "approver", "reason", "at")
FIELDS = ("wave", "stage", *TOLD)


@dataclass(frozen=True, slots=True)
class Approval:
    """Hold a recorded approval.

    Attributes:
        event: its event.
        statement: what was signed.
        void: why it does not count: "plan-changed", "approver-unknown", "signature-invalid" or "given-twice";
            None if it counts.
    """

    event: Event
    statement: Statement
    void: str | None


def plan_of(config: Config, ledger: Ledger, wave: str) -> WavePlan:
    """Return the wave as the ledger has it now."""
    planned, rows = Waves(ledger).read(wave), plan_rows(ledger, wave)
    excused = frozenset(row.mailbox for row in rows if is_accepted(ledger, row, row.code))
    texts = list(documents(config, planned, rows, excused))
    hash_, *earlier = (hashlib.sha256(text).hexdigest() for text in texts)
    listed = {row.mailbox: row for row in rows}
    return WavePlan(planned, listed, excused, hash_, frozenset(earlier), texts[0])


def is_accepted(ledger: Ledger, row: PlanRow, found: str | None) -> bool:
    """Return True if a person took responsibility for what was found of a mailbox.

    Args:
        ledger: the ledger.
        row: the mailbox.
        found: the code of what was found; None if nothing was.
    """
    code = NEEDS_APPROVAL.get(found or "")
    return code is not None and (
        ledger.approved(row.mailbox, code) or ledger.approved(f"wave:{row.wave}", code, row.mailbox)
    )


def approvals_of(config: Config, ledger: Ledger, wave: str, stage: str | None = None) -> list[Approval]:
    """Return all approvals that were ever given for a wave, oldest first.

    Args:
        config: the configuration.
        ledger: the ledger.
        wave: the name of the wave.
        stage: START or CUTOVER; None for both.

    Raises:
        Corrupt: if the chain of events is broken.
    """
    return _judge(config, _refreshed(config, ledger, wave), [stage] if stage else STAGES)


def is_plan_signed(config: Config, ledger: Ledger, wave: str) -> bool:
    """Return True if the ledger holds an approval of the wave's plan as it is now.

    It does not matter how many approvals this configuration asks for, which approvers it names, and between
    which systems it moves: another configuration may share the ledger.

    Raises:
        Corrupt: if the chain of events is broken.
    """
    cached = _refreshed(config, ledger, wave)
    named = ((str(event.detail.get("plan", "")), event) for event in cached.given)
    hashes = {hash_ for hash_, event in named if not _has_ended(cached, hash_, event)}
    if any(map(cached.plan.is_signed_by, hashes)):
        return True
    return bool(_alike(config, ledger, cached.plan, hashes, without_systems))


def _alike(
    config: Config,
    ledger: Ledger,
    plan: WavePlan,
    hashes: Collection[str],
    part: Callable[[str | bytes], dict[str, Any]],
) -> frozenset[str]:
    """Return those of these signed plans of which this part is as in the wave's plan.

    A plan whose signed document was not kept is none of them.
    """
    texts = documents(config, plan.wave, plan.rows.values(), plan.excused) if hashes else ()
    now = [part(text) for text in texts]
    kept = ((hash_, signed_text(ledger, hash_)) for hash_ in sorted(hashes))
    return frozenset(hash_ for hash_, text in kept if text is not None and part(text) in now)


def suspended(config: Config, ledger: Ledger, wave: str, stage: str | None = None) -> list[Approval]:
    """Return the approvals that do not count now, and will once a check, or the configuration, is as it was.

    Nobody decided on another plan since: it only looks otherwise.

    Args:
        config: the configuration.
        ledger: the ledger.
        wave: the name of the wave.
        stage: START or CUTOVER; None for both.
    """
    cached = _refreshed(config, ledger, wave)
    approvals = _judge(config, cached, [stage] if stage else STAGES)
    alike = _alike(config, ledger, cached.plan, _others(cached, approvals), without_findings)
    return [entry for entry in approvals if entry.void == CHANGED and entry.statement.plan in alike]


def refuse_unapproved(config: Config, ledger: Ledger, wave: str, stage: str) -> None:
    """Refuse a wave whose plan, as it is, too few different approvers have signed.

    Raises:
        Blocked: `not-approved`.
        Misconfigured: if fewer approvers are configured than a wave takes, or if the configuration asks for
            less than the ledger is held to.
        Corrupt: if the chain of events is broken.
    """
    refuse_weaker(config, ledger)
    required = refuse_too_few(config)
    if required:
        _approved_plan(config, ledger, wave, stage, required)


def refuse_unapproved_mailbox(
    config: Config, ledger: Ledger, mailbox: MailboxRow, stage: str
) -> PlanRow | None:
    """Refuse a mailbox whose wave is not approved, and one that its approval does not include.

    Returns:
        What was approved of the mailbox; None if no approval is required.

    Raises:
        Blocked: `not-approved`.
        Misconfigured: as refuse_unapproved.
        Corrupt: as refuse_unapproved.
    """
    refuse_weaker(config, ledger)
    required = refuse_too_few(config)
    return _approved_row(config, ledger, mailbox, stage, required) if required else None


def _approved_plan(config: Config, ledger: Ledger, wave: str, stage: str, required: int) -> WavePlan:
    cached = _refreshed(config, ledger, wave)
    approvals, plan = _judge(config, cached, [stage]), cached.plan
    valid = sum(entry.void is None for entry in approvals)
    others = _others(cached, approvals)
    looks = frozenset() if valid >= required else _alike(config, ledger, plan, others, without_findings)
    _end(ledger, wave, others - looks)
    if valid < required:
        edits = _alike(config, ledger, plan, looks, without_systems)
        undo = {hash_: UNDO_EDIT if hash_ in edits else UNDO_CHECK for hash_ in looks}
        text = _missing_approvals(wave, stage, required, valid, approvals, plan.hash, undo)
        command = command_to_approve(config, wave, stage, "--key FILE --reason TEXT")
        if stage == CUTOVER and unverified(ledger, wave):
            migrate = next_command(config.path, f"migrate --wave {wave}")
            first = f'{migrate} (in Prefect: "start {wave}"), as not all of it is verified'
            raise Blocked(NOT_APPROVED, f"{text}. Next: {first}; then: {command}")
        raise Blocked(NOT_APPROVED, f"{text}. Next: {command}")
    return plan


def unverified(ledger: Ledger, wave: str) -> list[LegState]:
    """Return the states of what is not verified, so that nobody approves the cutover yet.

    What the plan withholds does not count.
    """
    legs = ledger.legs(wave)
    return [leg.state for leg in legs if leg.state is not LegState.VERIFIED and leg.withheld is None]


def refuse_too_few(config: Config) -> int:
    """Return how many approvals a wave takes.

    Raises:
        Misconfigured: if fewer approvers are configured.
    """
    if (advice := too_few(config)) is not None:
        raise Misconfigured(f"{config.path.name}: approval.approvers", advice)
    return config.approval.required


def too_few(config: Config) -> str | None:
    """Return what to do if fewer approvers are configured than a wave takes; None if they are enough."""
    required, approvers = config.approval.required, len(config.approval.approvers)
    if required <= approvers:
        return None
    approvals = many(required, "approval", "approvals")
    return (
        f"a wave takes {approvals}, approvers named: {approvers}. Name them: `kogge keys new NAME"
        " --out FILE` prints a line for each. Or say that none is needed: approval.required = 0"
    )


def command_to_approve(config: Config, wave: str, stage: str, how: str) -> str:
    """Return the command to type; `how` holds the options that sign."""
    option = "" if stage == START else f" --stage {stage}"
    return next_command(config.path, f"approve --wave {wave}{option} {how}")


def _missing_approvals(
    wave: str,
    stage: str,
    required: int,
    valid: int,
    approvals: Iterable[Approval],
    plan: str,
    undo: Mapping[str, str],
) -> str:
    """Return why approvals are missing. The text names no person, because Prefect may show it.

    The approvals of the plans in `undo` count again once that is done.
    """
    text = f"the {stage} of wave {wave} has {valid} of {required} approvals of its plan {plan[:12]}"
    void = [entry for entry in approvals if entry.void == CHANGED]
    if void:
        newest = void[-1]
        when = f"{newest.event.moment:%Y-%m-%d %H:%M} UTC"
        if newest.statement.plan == plan:
            text += f"; that of {when} was {WAS_ANOTHER}: look at it again, and sign again"
        else:
            text += (
                f"; the newest other, of {when}, was of plan {newest.statement.plan[:12]}: it changed since"
            )
        text += undo.get(newest.statement.plan, "")
    return text


def permitted(_level: str | None) -> None:
    """Permit: for walks that need no permission."""


def permission(config: Config, ledger: Ledger, mailbox: MailboxRow) -> Callable[[str | None], None]:
    """Return the permission that a leg asks for before it writes.

    It is called without a level before anything is opened, then with the level of proof. It raises Blocked:
    `not-approved` or `proof-weaker-than-approved`.

    Args:
        config: the configuration.
        ledger: the ledger.
        mailbox: the mailbox.
    """
    rows: list[PlanRow] = []

    def permit(level: str | None) -> None:
        if level is None or not rows:
            row = refuse_unapproved_mailbox(config, ledger, mailbox, START)
            rows[:] = [] if row is None else [row]
        if not rows:
            return
        approved = rows[0].level or LEVELS[-1]
        if level is not None and LEVELS.index(level) < LEVELS.index(approved):
            raise Blocked("proof-weaker-than-approved", f"it is {level}, and was {approved} when approved")

    return permit


def _approved_row(config: Config, ledger: Ledger, mailbox: MailboxRow, stage: str, required: int) -> PlanRow:
    plan = _approved_plan(config, ledger, mailbox.wave, stage, required)
    (now,) = plan_rows(ledger, mailbox_id=mailbox.id)
    row = plan.rows.get(mailbox.id)
    if row is None or row.approved_part() != now.approved_part():
        raise Blocked(NOT_APPROVED, "the mailbox is not as its wave's plan had it")
    if not plan.ready(row):
        raise Blocked(NOT_APPROVED, "it was not ready when its wave was approved")
    return row


@dataclass(frozen=True, slots=True)
class _WaveCache:
    """Cache what this process knows of one wave: its chain so far, and its plan.

    Attributes:
        voided: by plan, the number of the event that ended its signatures.
        firsts: the number of the event that recorded each signed statement first. Whoever has a statement and
            its signature can record both again.
    """

    head: Head | None = None
    given: tuple[Event, ...] = ()
    voided: Mapping[str, int] = field(default_factory=dict)
    firsts: Mapping[Statement, int] = field(default_factory=dict)
    stamp: object = None
    plan: WavePlan = WavePlan(WaveRow(""), {}, frozenset(), "")


_lock = threading.Lock()
_waves: WeakKeyDictionary[Ledger, dict[str, _WaveCache]] = WeakKeyDictionary()


def _refreshed(config: Config, ledger: Ledger, wave: str) -> _WaveCache:
    """Return what is known of a wave, brought up to date.

    Only what was added to its chain is read, and its plan only if something of it is new. No lock is held
    while the ledger is asked: concurrent calls find the same.
    """
    with _lock:
        cached = _waves.setdefault(ledger, {}).get(wave, _WaveCache())
    head, new = events_since(ledger, wave, cached.head)
    events = (*cached.given, *(event for event in new if event.kind.startswith(KIND)))
    firsts = {_signed_statement(event): event.seq for event in reversed(events)}
    ends = {str(event.detail["plan"]): event.seq for event in new if event.kind == VOIDED}
    voided = {**cached.voided, **ends}
    asked_anew = any(event.kind.startswith("approved:") for event in new)
    now = (stamp(ledger, wave), Waves(ledger).read(wave), digest_of(systems_of(config)))
    unchanged = cached.stamp == now and not asked_anew
    plan = cached.plan if unchanged else plan_of(config, ledger, wave)
    updated = _WaveCache(head, events, voided, firsts, now, plan)
    with _lock:
        newest = _waves[ledger].get(wave)
        if newest is None or newest.head is None or newest.head[0] <= head[0]:
            _waves[ledger][wave] = updated
    return updated


def _judge(config: Config, cached: _WaveCache, stages: Iterable[str]) -> list[Approval]:
    """Return the approvals, each judged. A person counts once, by the first approval that is valid."""
    approvals: list[Approval] = []
    for stage in stages:
        counted: set[str] = set()
        for event in cached.given:
            if event.kind == KIND + stage:
                statement = _signed_statement(event)
                void = _void(config, event, statement, cached)
                if void is None and statement.approver in counted:
                    void = "given-twice"
                if void is None:
                    counted.add(statement.approver)
                approvals.append(Approval(event, statement, void))
    return sorted(approvals, key=lambda entry: entry.event.seq)


def _signed_statement(event: Event) -> Statement:
    """Return the statement as it must have been signed: wave and stage follow from where it is recorded."""
    stage = event.kind.removeprefix(KIND)
    fields = {name: str(event.detail.get(name, "")) for name in TOLD}
    return Statement(wave=event.wave, stage=stage, **fields)


def _void(config: Config, event: Event, statement: Statement, cached: _WaveCache) -> str | None:
    key = config.approval.key_of(statement.approver)
    if key is None:
        return "approver-unknown"
    if event.subject != f"wave:{event.wave}" or not is_signed(
        key, event.signature or b"", statement.to_sign()
    ):
        return "signature-invalid"
    signed = cached.plan.is_signed_by(statement.plan)
    return None if signed and not _has_ended(cached, statement.plan, event) else CHANGED


def _has_ended(cached: _WaveCache, plan: str, event: Event) -> bool:
    """Return True if a plan was another one since somebody signed it, however often that was recorded."""
    return cached.voided.get(plan, 0) > cached.firsts[_signed_statement(event)]


def _others(cached: _WaveCache, approvals: Iterable[Approval]) -> frozenset[str]:
    """Return the signed plans that are not the wave's plan now, and whose signatures have not ended."""
    return frozenset(
        entry.statement.plan
        for entry in approvals
        if entry.void == CHANGED and not _has_ended(cached, entry.statement.plan, entry.event)
    )


def _end(ledger: Ledger, wave: str, plans: Iterable[str]) -> None:
    """End the signatures of these plans.

    They do not count again if that plan comes back: the signers did not see what was between.
    """
    for plan in sorted(plans):
        ledger.event(wave, VOIDED, {"plan": plan}, subject=f"wave:{wave}")


def detail_of(statement: Statement) -> dict[str, str | int]:
    """Return what an event says beside its wave, kind and subject."""
    return {name: getattr(statement, name) for name in TOLD}


def new_statement(wave: str, stage: str, plan: WavePlan, approver: str, reason: str) -> Statement:
    """Return a statement about the plan, with the current time: two that are signed are never the same."""
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    return Statement(wave, stage, plan.hash, approver, reason, at)
