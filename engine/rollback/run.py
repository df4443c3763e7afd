"""Roll a leg back as configured, or only look what that would do."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from engine.assembly import OtherWalk, build_leg
from engine.config.load import Config
from engine.context.leg_context import LegContext
from engine.leg.connect import open_to_look
from engine.leg.run import LegSetting, approvals
from engine.pacing.measured_sides import measured_alone
from engine.pacing.worker_slots import Through
from engine.rollback.classify import Judged, RollbackFate, judge, search
from engine.rollback.report import RollbackReport
from engine.rollback.walk import RollbackScope, by_href, roll_back
from engine.steps.beginning.ledger_generation import refuse_unwritten
from ledger.db.rows import ROLLING, ContainerRow, LegRow, MailboxRow
from ledger.leg.rollback import APPROVAL, RECALL, SHARED, rested_on
from ledger.store import Ledger
from model.errors import Blocked
from model.protocols import Capabilities, Container, Identity, Native, Page, Ref


class NoSource:
    """Refuse all requests: a rollback asks the source for nothing, because it may no longer exist.

    Implements model.protocols.Source.
    """

    @property
    def capabilities(self) -> Capabilities:
        """Not available.

        Raises:
            Blocked: `source-closed`.
        """
        raise _closed()

    def identity(self) -> Identity:
        """Refuse.

        Raises:
            Blocked: `source-closed`.
        """
        raise _closed()

    def containers(self) -> Iterator[Container]:
        """Refuse.

        Raises:
            Blocked: `source-closed`.
        """
        raise _closed()

    def changes(self, container: Container, cursor: str | None) -> Iterator[Page]:
        """Refuse.

        Args:
            container: ignored.
            cursor: ignored.

        Raises:
            Blocked: `source-closed`.
        """
        del container, cursor
        raise _closed()

    def fetch(self, container: Container, refs: Iterable[Ref], *, bodies: bool = True) -> Iterator[Native]:
        """Refuse.

        Args:
            container: ignored.
            refs: ignored.
            bodies: ignored.

        Raises:
            Blocked: `source-closed`.
        """
        del container, refs, bodies
        raise _closed()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _closed() -> Blocked:
    return Blocked("source-closed", "a rollback asks the source for nothing")


@dataclass(slots=True)
class Scope:
    """Say whose mailboxes one rollback takes: what rests on items of one another goes as well.

    Attributes:
        ledger: the ledger. It is asked once, and only if a calendar is among the legs.
        mailboxes: the ids of the mailboxes.
    """

    ledger: Ledger
    mailboxes: Collection[str]
    _rested: frozenset[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def rested(self) -> frozenset[bytes]:
        """Return the keys of items on which copies of other people, outside the scope, rest."""
        with self._lock:
            if self._rested is None:
                self._rested = rested_on(self.ledger, self.mailboxes)
            return self._rested


def approved(ledger: Ledger, rows: Iterable[MailboxRow], *, recall: bool = False) -> frozenset[str]:
    """Return the mailboxes that may be rolled back now.

    A person approved it, or a rollback was begun and has not ended.

    Args:
        ledger: the ledger.
        rows: the mailboxes.
        recall: True to remove from every folder, which a person must have approved as well.
    """
    rows = list(rows)
    waves = {row.wave for row in rows}
    begun = {leg.mailbox for wave in waves for leg in ledger.legs(wave) if leg.code == ROLLING}
    rows_approved = [row for row in rows if row.id in begun or approvals(ledger, row)(APPROVAL)]
    return frozenset(row.id for row in rows_approved if not recall or approvals(ledger, row)(RECALL))


def run(
    config: Config,
    leg_id: int,
    scope: Scope,
    report: RollbackReport,
    *,
    execute: bool,
    recall: bool = False,
    stop: threading.Event | None = None,
    through: Through = measured_alone,
) -> None:
    """Roll back what is approved (engine.rollback.walk.roll_back), or report what that would do now.

    Args:
        config: the configuration.
        leg_id: the leg.
        scope: whose mailboxes are rolled back.
        report: filled in.
        execute: False to write nothing, neither to the target nor to the ledger.
        recall: True to remove from every folder.
        stop: set when the rollback is to stop; None if it is never stopped from outside.
        through: wraps the calls to the target.

    Raises:
        MigrationError: while it only looks, what the target raises.
        StopRequested: while it only looks, if it is to stop.
    """
    needs = OtherWalk(removes=execute, source=NoSource)
    leg = build_leg(config, leg_id, stop=stop, through=through, other=needs)
    act = roll_back if execute else look_at
    act(leg.setting, leg.row, RollbackScope(recall, scope.rested, report))


def look_at(setting: LegSetting, row: LegRow, order: RollbackScope) -> None:
    """Look at a leg in a given setting, as run() does without `execute`.

    Raises:
        MigrationError: what the target raises.
    """
    with open_to_look(setting, row) as leg:
        rollback = leg.ledger.rollback
        bound = rollback.is_bound()
        if bound:
            rollback.refuse_another(leg.target.identity())
        refuse_unwritten(leg, setting.generations, asks_target=bound)
        if bound:
            _look(leg, order)


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
    """Count the containers that Kogge made and that would be empty, with nothing below them."""
    made_by_us = leg.ledger.folders.made()
    separator = leg.context.target.separator
    existing = {container.id for container in leg.target.containers()}
    removable: set[str] = set()
    for href, group in sorted(by_href(rows).items(), key=lambda pair: -len(pair[0])):
        if href not in existing or not any(row.id in made_by_us for row in group):
            continue
        below = {entry for entry in existing - removable if separator and entry.startswith(href + separator)}
        if staying[href] or below:
            report.stays(leg.mailbox.id, str(leg.kind), group[0].path)
        else:
            removable.add(href)
    report.counts["containers"] = len(removable)


def _tell(leg: LegContext, order: RollbackScope, judged: Judged) -> None:
    order.report.add(leg.mailbox.id, str(leg.kind), judged, recall=order.recall)
