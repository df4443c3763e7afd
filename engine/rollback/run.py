"""Rolls a leg back as configured, or only looks what that would do."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from engine.assembly import accounts, open_ledger, opener, rules
from engine.config.load import Config
from engine.context.leg_context import LegContext, Opener, as_it_is
from engine.control.server_words_file import Words
from engine.leg.run import LegResult, LegSetting, Task, approvals, pace_of
from engine.pacing.worker_slots import Through
from engine.rollback.classify import Judged, RollbackFate, judge, search
from engine.rollback.report import RollbackReport
from engine.rollback.walk import RollbackScope, by_href, roll_back
from engine.steps import invitation_policy
from ledger.db.leases import ROLLING
from ledger.db.rows import ContainerRow, Lease, LegRow, MailboxRow, Phase
from ledger.leg.rollback import APPROVAL, RECALL, SHARED, rested_on
from ledger.store import Ledger
from model.errors import Blocked
from model.protocols import Capabilities, Container, Identity, Native, Page, Ref


class NoSource:
    """A rollback asks the source for nothing: it may be gone by then. Implements model.protocols.Source."""

    @property
    def capabilities(self) -> Capabilities:
        raise _closed()

    def identity(self) -> Identity:
        raise _closed()

    def containers(self) -> Iterator[Container]:
        raise _closed()

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        del container, cursor
        raise _closed()

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool = True) -> Iterator[Native]:
        del container, refs, bodies
        raise _closed()

    def close(self) -> None:
        """There is nothing to close."""


def _closed() -> Blocked:
    return Blocked("source-closed", "a rollback asks the source for nothing")


@dataclass(slots=True)
class Scope:
    """Whose mailboxes one rollback takes: what they rest on of each other goes all the same. The ledger is
    asked once, and only when a calendar is among them."""

    ledger: Ledger
    mailboxes: Collection[str]
    _rested: frozenset[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rested(self) -> frozenset[bytes]:
        with self._lock:
            if self._rested is None:
                self._rested = rested_on(self.ledger, self.mailboxes)
            return self._rested


def approved(ledger: Ledger, rows: Iterable[MailboxRow], *, recall: bool = False) -> frozenset[str]:
    """The mailboxes that may be rolled back now: a person approved it, or one was begun and has not ended.
    recall: from every folder, which a person approved as well."""
    rows = list(rows)
    waves = {row.wave for row in rows}
    begun = {leg.mailbox for wave in waves for leg in ledger.legs(wave) if leg.code == ROLLING}
    going = [row for row in rows if row.id in begun or approvals(ledger, row)(APPROVAL)]
    return frozenset(row.id for row in going if not recall or approvals(ledger, row)(RECALL))


def run(
    config: Config,
    leg_id: int,
    scope: Scope,
    report: RollbackReport,
    *,
    recall: bool = False,
    stop: threading.Event | None = None,
    through: Through = as_it_is,
) -> LegResult:
    """Rolls back what is approved. See engine.rollback.walk.roll_back."""
    ledger = open_ledger(config)
    row = ledger.leg(leg_id)
    setting = _setting(config, ledger, row, through, removes=True)
    setting = replace(setting, stop=stop or threading.Event())
    return roll_back(setting, row, RollbackScope(recall, scope.rested, report))


def preview(
    config: Config,
    leg_id: int,
    scope: Scope,
    report: RollbackReport,
    *,
    recall: bool = False,
    stop: threading.Event | None = None,
    through: Through = as_it_is,
) -> None:
    """What a rollback would do now. Writes nothing, neither to the target nor to the ledger. Raises what the
    target does, and Stopping."""
    ledger = open_ledger(config)
    row = ledger.leg(leg_id)
    setting = _setting(config, ledger, row, through, removes=False)
    setting = replace(setting, stop=stop or threading.Event())
    look_at(setting, row, RollbackScope(recall, scope.rested, report))


def look_at(setting: LegSetting, row: LegRow, order: RollbackScope) -> None:
    """Raises what the target does."""
    ledger = setting.ledger
    phase = setting.mailbox.phase
    held = Lease(row.id, row.mailbox, row.workload, "", row.epoch, False, phase)  # it may only read
    target = setting.opener.target(_nothing_is_written, row.started or datetime.now(UTC))
    try:
        with ledger.session(held, mirror=False) as session:
            leg = LegContext(
                mailbox=setting.mailbox,
                kind=row.workload,
                ledger=session,
                source=NoSource(),
                target=target,
                guard=_nothing_is_written,
                began=row.started or datetime.now(UTC),
                pace=setting.pace,
                mirror=setting.mailbox.phase is not Phase.LIVE,
                stop=setting.stop,
                turn=setting.opener.turn,
            )
            if session.rollback.is_bound():
                session.rollback.refuse_another(target.identity())
                _look(leg, order)
    finally:
        target.close()


def _nothing_is_written() -> None:
    """Nobody holds the leg: the ledger and the target refuse."""


def _look(leg: LegContext, order: RollbackScope) -> None:
    rows = leg.ledger.containers()
    rested = order.rested() if leg.kind in SHARED else frozenset()
    lost: list[Judged] = []
    owned: set[tuple[str, str]] = set()
    staying: dict[str, bool] = {}
    for row in rows:
        shares = leg.ledger.shares.of(row.id).values()
        order.report.counts["shares"] += sum(entry.made for group in shares for entry in group)
    for href, group in by_href(rows).items():
        staying[href] = False
        for entry in judge(leg, href, group, rested):
            if entry.fate is RollbackFate.OURS:
                owned.add((entry.folder, entry.href))
            elif entry.listed is not None:
                staying[href] = True
            if order.recall and entry.fate is RollbackFate.GONE:
                lost.append(entry)
            else:
                _tell(leg, order, entry)
    for entry in search(leg, lost, owned):
        _tell(leg, order, entry)
    _look_at_containers(leg, order.report, rows, staying)


def _look_at_containers(
    leg: LegContext, report: RollbackReport, rows: list[ContainerRow], staying: dict[str, bool]
) -> None:
    """Which of those that we made would have nothing in them, and nothing below them."""
    made = leg.ledger.folders.made()
    separator = leg.context.target.separator
    there = {container.id for container in leg.target.containers()}
    going: set[str] = set()
    for href, group in sorted(by_href(rows).items(), key=lambda pair: -len(pair[0])):
        if href not in there or not any(row.id in made for row in group):
            continue
        below = {entry for entry in there - going if separator and entry.startswith(href + separator)}
        if staying[href] or below:
            report.stays(leg.mailbox.id, str(leg.kind), group[0].path)
        else:
            going.add(href)
    report.counts["containers"] = len(going)


def _tell(leg: LegContext, order: RollbackScope, one: Judged) -> None:
    order.report.add(leg.mailbox.id, str(leg.kind), one, recall=order.recall)


def _setting(config: Config, ledger: Ledger, row: LegRow, through: Through, *, removes: bool) -> LegSetting:
    mailbox = ledger.mailbox(row.mailbox)
    opened = opener(config, ledger, mailbox, row.workload, removes=removes)
    return LegSetting(
        words=Words(config.state_directory),
        ledger=ledger,
        mailbox=mailbox,
        pair=accounts(ledger, mailbox),
        opener=through(Opener(source=NoSource, target=opened.target)),
        rules=rules(config, row.workload, approvals(ledger, mailbox)),
        pace=pace_of(config),
        task=Task(),
        stop=threading.Event(),
        silenced=lambda: invitation_policy.is_proven(ledger, config.target.of(row.workload)),
    )
