"""Reads a wave's report from the ledger: every fact once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pydantic import BaseModel

from engine.approvals.low_score_approval import answered, is_accepted
from engine.approvals.score import LIGHTER, score_of
from engine.steps.beginning.invitation_policy import CHAIN, SCHEDULED, kinds_of
from ledger.db.audit_log import Event
from ledger.db.engine import snapshot
from ledger.db.rows import ROLLED_BACK, LegRow, LegState, MailboxRow, Outcome, Phase, State
from ledger.leg.phase_moves import MOVED
from ledger.plan.approvals import events_since
from ledger.plan.source_extras import Extras, extras_of
from ledger.store import Ledger
from ledger.views.decisions import decider
from ledger.views.progress_samples import beats
from ledger.views.report_rows import folder_losses, measured_in
from ledger.views.reports import LegSummary
from ledger.views.scores import ARRIVED, Absent, Counts, Lacking, absent_of, counts_of, lacking_of
from ledger.views.scores import ScoreCounts as PartCounts
from ledger.views.seal_chain import Seals
from model.errors import Corrupt
from model.kinds import KINDS, Kind
from reports.data import (
    Chain,
    Coded,
    Decision,
    Fate,
    InvitationProbe,
    Lost,
    MailboxReport,
    SealReport,
    WaveReport,
    WorkloadReport,
)
from reports.plan_gaps import by_mailbox

ADDRESS = re.compile(r"(?<![^\s@<>()\[\],;:\"'])[^\s@<>()\[\],;:\"']++@[^\s<>()\[\],;:\"']+")
HIDDEN = "[…]"
UNKNOWN = "unknown"
"""The code of a failure for which none was recorded."""


def read(ledger: Ledger, wave: str, targets: Iterable[BaseModel] = (), contact: str = "") -> WaveReport:
    """Read the report of a wave that the ledger knows, as it is at one moment, also during a run.

    Args:
        ledger: what is read.
        wave: its name.
        targets: the settings of those of its targets that keep calendars.
        contact: whom people may ask.
    """
    with snapshot(ledger.engine):
        return _read(ledger, wave, targets, contact)


def _read(ledger: Ledger, wave: str, targets: Iterable[BaseModel], contact: str) -> WaveReport:
    rows = ledger.mailboxes(wave)
    facts = _Facts(ledger, wave, rows)
    chain, events = _chain(ledger, wave)
    back = _given_back(events)
    newest = _sealed(ledger, wave)
    return WaveReport(
        wave=wave,
        at=ledger.clock().timestamp(),
        boxes=tuple(replace(facts.box(row), given_back=row.id in back) for row in rows),
        chain=chain,
        beats=tuple(beats(ledger, wave)),
        rates=measured_in(ledger, wave),
        invitation_probe=_invitation_probe(ledger, targets),
        seal=newest,
        contact=contact,
    )


def calendars(settings: Mapping[Kind, BaseModel | None]) -> list[BaseModel]:
    """Return the settings of the targets whose items may have attendees."""
    return [one for kind, one in settings.items() if kind in SCHEDULED and one is not None]


class _Facts:
    """Collect what the ledger counts for every mailbox of a wave."""

    def __init__(self, ledger: Ledger, wave: str, rows: Sequence[MailboxRow]) -> None:
        ids = [row.id for row in rows]
        self._ledger = ledger
        self._counts = counts_of(ledger, ids, LIGHTER)
        self._absent = absent_of(ledger, ids)
        self._lacking = lacking_of(ledger, ids)
        self._folders = folder_losses(ledger, wave)
        self._extras = extras_of(ledger, (row.source for row in rows))
        self._legs = by_mailbox(ledger.legs(wave))
        self._summaries = by_mailbox(ledger.summary(wave))

    def box(self, row: MailboxRow) -> MailboxReport:
        counts = self._counts[row.id]
        score = score_of(counts) if counts.verified else None
        failures = _failures(self._absent.get(row.id, []))
        summaries = {one.workload: one for one in self._summaries.get(row.id, [])}
        legs = sorted(self._legs.get(row.id, []), key=lambda leg: list(Kind).index(leg.workload))
        skips = {kind: one.skips for kind, one in summaries.items()}
        omitted = {kind: one.omitted for kind, one in summaries.items()}
        extras = self._extras.get(row.source)
        return MailboxReport(
            id=row.id,
            phase=row.phase,
            withheld=legs[0].withheld if legs else None,
            parts=tuple(_part(leg, counts, summaries.get(leg.workload)) for leg in legs),
            score=score,
            failures=failures,
            skips=_coded(skips),
            omitted=(*_coded(omitted), *_beside(extras or {}, {leg.workload for leg in legs})),
            asked=extras is not None,
            losses=_losses(self._lacking.get(row.id, []), self._folders.get(row.id, [])),
            accepted=score is not None and score.is_low and is_accepted(self._ledger, row, score),
            missed=answered(self._ledger, row).get("missing", 0) if failures else 0,
        )


def _beside(extras: Extras, workloads: Collection[Kind]) -> Iterator[Coded]:
    """Yield what is outside all folders, and stays. It is counted with mail, whose server reports it."""
    moving = {KINDS[kind].extra for kind in workloads}
    return (Coded(Kind.MAIL, code, count) for code, count in extras.items() if count and code not in moving)


def _part(leg: LegRow, counts: Counts, summary: LegSummary | None) -> WorkloadReport:
    own = counts.parts.get(leg.workload, PartCounts())
    findings: Counter[Outcome] = Counter()
    for (outcome, _), count in (summary.findings if summary else {}).items():
        findings[outcome] += count
    back = leg.state is LegState.BLOCKED and leg.code == ROLLED_BACK
    return WorkloadReport(
        workload=leg.workload,
        state=leg.state,
        code=leg.code,
        level=leg.level,
        fates=fates_of(own, back),
        unread=own.states[State.WRITTEN],
        bytes=summary.bytes if summary else 0,
        findings=findings,
    )


def fates_of(own: PartCounts, back: bool) -> dict[Fate, int]:
    """Count every item of a workload once.

    Args:
        own: the counts by state.
        back: True if the items that are still to come were at the target and were taken back.
    """
    states = own.states
    transformed = own.lost.total()
    rest = states.total() - sum(states[state] for state in (*ARRIVED, *_SETTLED))
    found = {
        Fate.MIGRATED: sum(states[state] for state in ARRIVED) - transformed,
        Fate.TRANSFORMED: transformed,
        Fate.TAKEN_BACK if back else Fate.OPEN: rest,
    }
    return found | {fate: states[state] for state, fate in _SETTLED.items()}


_SETTLED = {State.SKIPPED: Fate.SKIPPED, State.REJECTED: Fate.FAILED, State.GONE: Fate.WITHDRAWN}


def _failures(absent: Iterable[Absent]) -> tuple[Coded, ...]:
    found: Counter[tuple[Kind, str]] = Counter()
    for one in absent:
        if one.state is State.REJECTED:
            found[one.workload, one.code or UNKNOWN] += one.items
    return tuple(Coded(kind, code, items) for (kind, code), items in found.items())


def _coded(by_kind: Mapping[Kind, Mapping[str, int]]) -> tuple[Coded, ...]:
    return tuple(
        Coded(kind, code, items)
        for kind, codes in by_kind.items()
        for code, items in sorted(codes.items())
        if items
    )


def _losses(items: Iterable[Lacking], folders: Iterable[Lacking]) -> tuple[Lost, ...]:
    found = [Lost(one.workload, one.field, one.reason, one.items) for one in items]
    return (*found, *(Lost(one.workload, one.field, one.reason, one.items, True) for one in folders))


def _given_back(events: Iterable[Event]) -> set[str]:
    """Return the mailboxes that are in staging again after their cutover had begun."""
    begun, back = set[str](), set[str]()
    for event in events:
        if event.kind != MOVED or event.subject is None:
            continue
        if event.detail.get("phase") != Phase.STAGING.value:
            begun.add(event.subject)
            back.discard(event.subject)
        elif event.subject in begun:
            back.add(event.subject)
    return back


def _chain(ledger: Ledger, wave: str) -> tuple[Chain, list[Event]]:
    """Read the chain. One that was altered is not hidden: the report says so, and shows what is there."""
    try:
        (count, head), events = events_since(ledger, wave)
    except Corrupt:
        events = ledger.events(wave)
        return Chain(len(events), None, _decisions(events), _recorded(events)), events
    return Chain(count, head.hex(), _decisions(events), _recorded(events)), events


def _recorded(events: Iterable[Event]) -> dict[str, int]:
    return dict(sorted(Counter(event.kind for event in events if not decider(event)).items()))


def _decisions(events: Iterable[Event]) -> tuple[Decision, ...]:
    """Return what people decided, in the order in which each decision was first made."""
    groups: dict[tuple[str, str, str, str], list[Event]] = {}
    for event in events:
        if who := decider(event):
            kind, _, code = event.kind.partition(":")
            about = code or str(event.detail.get("phase", event.detail.get("what", "")))
            by, reason = hidden(who), hidden(str(event.detail.get("reason", "")))
            groups.setdefault((kind, about, by, reason), []).append(event)
    return tuple(_decision(key, own) for key, own in groups.items())


def _decision(key: tuple[str, str, str, str], own: Sequence[Event]) -> Decision:
    kind, about, by, reason = key
    named = {event.subject for event in own if event.subject and not event.subject.startswith("wave:")}
    times = [event.at for event in own]
    return Decision(kind, about, by, reason, len(own), len(named), min(times), max(times))


def hidden(text: str) -> str:
    """Return the text without addresses, because a reason may name a person."""
    return ADDRESS.sub(HIDDEN, text)


def _invitation_probe(ledger: Ledger, targets: Iterable[BaseModel]) -> InvitationProbe | None:
    """Return the newest result for any of these targets."""
    kinds = {kind for settings in targets for kind in kinds_of(settings)}
    said = [event for event in ledger.events(CHAIN) if event.kind in kinds]
    return InvitationProbe(str(said[-1].detail.get("outcome", "")), said[-1].at) if said else None


def _sealed(ledger: Ledger, wave: str) -> SealReport | None:
    seals = Seals(ledger)
    found = seals.all(wave)
    if not found:
        return None
    newest, changed = found[-1], bool(seals.changed(wave))
    root, statement = newest.root.hex(), newest.statement.hex()
    return SealReport(
        newest.number, newest.at, root, statement, len(found) - 1, newest.complete is not False, changed
    )
