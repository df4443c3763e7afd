"""Remove what one leg wrote and what is unchanged since: the walk of an approved rollback.

    claim                    the lease, as for any walk (engine.leg.run)
    refuse_another           is it still the account that was written to? The source is not asked for anything
    refuse_older             a ledger restored from a backup does not know all that was written, or the phase
    ledger.leg.rollback.start    recorded; no other run works on the leg until this one has ended
    reconcile.settle         what is in doubt, of writes and of removals
    shares                   those that Kogge made are taken back first
    judge                    folder by folder: what is as Kogge wrote it
    doom -> remove -> undone durable before and after, once a listing shows that it is gone: after a crash in
                             between, what is there decides
    containers               those that Kogge made, when nothing is in them, the deepest first
    ledger.leg.rollback.finish   recorded, with counts

What someone changed, or what cannot be read, stays, and so does its row. What was removed is SEEN again,
without a trace. Whatever ends a rollback early leaves its leg BLOCKED with the code "rolling-back".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice

from engine.context.leg_context import LegContext
from engine.control import lease
from engine.control.stop_signal import StopRequested
from engine.files.shares import WHOLE, digest_of, name_of, party_of
from engine.leg.connect import AttemptState, open_leg
from engine.leg.leg_result import LegResult
from engine.leg.run import Leg, LegSetting, pause_after
from engine.rollback.classify import Judged, RollbackFate, judge, listing_of, search
from engine.rollback.report import RollbackReport, detail_of
from engine.steps import own_copies
from engine.steps.beginning import invitation_policy, ledger_generation
from engine.steps.following import taking_effect
from engine.steps.listing import folder_renames
from engine.steps.settling import reconcile
from ledger.db.rows import (
    ROLLED_BACK,
    ROLLING,
    ContainerRow,
    Finding,
    Lease,
    LegRow,
    LegState,
    Outcome,
    State,
    Tally,
)
from ledger.leg.rollback import APPROVAL, RECALL, SHARED
from model.errors import Blocked, Corrupt, LeaseLost, MigrationError, Misconfigured, Transient
from model.optional_protocols import RemovesContainers, SupportsMark, SupportsShares
from model.protocols import Failed, Stored

Ended = tuple[LegState, str | None]


def nothing_rests() -> frozenset[bytes]:
    """Return no keys: nothing rests on items of this leg."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class RollbackScope:
    """Say what a rollback is to do.

    Attributes:
        recall: True to remove from every folder, and to report what was read.
        rested: returns the keys of items on which copies of other people rest.
        report: filled in.
    """

    recall: bool = False
    rested: Callable[[], Collection[bytes]] = nothing_rests
    report: RollbackReport = field(default_factory=RollbackReport)


def roll_back(setting: LegSetting, row: LegRow, order: RollbackScope) -> LegResult:
    """Claim the leg and roll it back; go on with a rollback that was begun.

    One mailbox's trouble raises nothing. The target must have been opened so that it removes. Idempotent.

    Args:
        setting: what the walk needs.
        row: the leg.
        order: what to do.

    Returns:
        How the leg ended: "not-approved", and nothing was done, unless a person approved APPROVAL for the
            mailbox or its wave; a recall needs RECALL as well, also if the rollback was begun without it.
    """
    approved = setting.rules.approved
    if (row.code != ROLLING and not approved(APPROVAL)) or (order.recall and not approved(RECALL)):
        order.report.code = "not-approved"
        return LegResult(row.id, row.mailbox, row.workload, row.state, "not-approved")
    result = Leg(replace(setting, walk=partial(_walk, order)), row).run()
    if result.code != ROLLED_BACK and order.report.code is None:
        order.report.code = result.code
    return result


def _walk(order: RollbackScope, setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper) -> Ended:
    """Roll back until the end, or until a person must begin again."""
    begun = Begun()
    try:
        _until_done(order, setting, held, keeper, begun)
    except StopRequested as request:
        return _end_early(order, begun, request.code)
    except (LeaseLost, Misconfigured, Corrupt):
        raise
    except MigrationError as error:
        order.report.cause = error.local
        return _end_early(order, begun, error.code)
    return LegState.BLOCKED, ROLLED_BACK


def _until_done(
    order: RollbackScope, setting: LegSetting, held: Lease, keeper: lease.LeaseKeeper, begun: Begun
) -> None:
    faults = 0
    while True:
        before = order.report.counts[RollbackFate.OURS]
        try:
            with open_leg(setting, held, keeper, AttemptState(died=None)) as leg:
                _undo(order, setting, leg, begun)
            return
        except Transient as error:
            keeper.guard()
            faults = 1 if order.report.counts[RollbackFate.OURS] > before else faults + 1
            pause_after(setting, error, faults)


@dataclass(slots=True)
class Begun:
    """Remember that the rollback is in the ledger.

    Attributes:
        started: True once it is.
    """

    started: bool = False


def _end_early(order: RollbackScope, begun: Begun, code: str) -> Ended:
    order.report.code = code
    return LegState.BLOCKED, ROLLING if begun.started else code


def _undo(order: RollbackScope, setting: LegSetting, leg: LegContext, begun: Begun) -> None:
    ledger = leg.ledger.rollback
    order.report.restart()
    if ledger.is_bound():  # otherwise nothing was ever written
        ledger.refuse_another(leg.target.identity())
        invitation_policy.refuse_unproven(leg, setting.silenced)
    if not begun.started:
        ledger_generation.refuse_older(leg, setting.generations, asks_target=ledger.is_bound())
        ledger.start(recall=order.recall)
        begun.started = True
    if ledger.is_bound():
        folder_renames.catch_up(leg)
        for row, item in reconcile.settle_doomed(leg):
            removed = Judged(RollbackFate.OURS, str(row.href), str(item.href), row, item)
            order.report.add(leg.mailbox.id, str(leg.kind), removed, recall=False)
        reconcile.settle(leg, died=None)
        for href in list(leg.in_doubt):
            _sweep(leg, href)
        own_copies.reconsider(leg)
        unshare(leg, order.report)
        taking_effect.give_back(leg)
        _Removing(order, leg).all()
    ledger.finish(order.report.numbers(), recall=order.recall)


def _sweep(leg: LegContext, href: str) -> None:
    try:
        reconcile.sweep(leg, href)
    except Blocked as error:
        if error.code != "container-missing":
            raise


def unshare(leg: LegContext, report: RollbackReport) -> None:
    """Take back what Kogge shared, if it is still shared so; what someone changed since is theirs.

    Idempotent.
    """
    target = leg.target
    if not isinstance(target, SupportsShares):
        return
    for row in leg.ledger.containers():
        for key, share_rows in leg.ledger.shares.of(row.id).items():
            leg.check()
            digests = {entry.party: entry.digest for entry in share_rows if entry.made}
            name = None if key == WHOLE else name_of(leg, row.id, key)
            if digests and row.href is not None and (key == WHOLE or name is not None):
                report.counts["shares"] += _unshare_ours(target, row.href, name, digests)
            leg.ledger.shares.settle(row.id, key, (), ())


def _unshare_ours(target: SupportsShares, href: str, name: str | None, digests: dict[bytes, bytes]) -> int:
    try:
        grants = [
            entry for entry in target.shared(href, name) if digests.get(party_of(entry)) == digest_of(entry)
        ]
        if grants:
            target.unshare(href, name, grants)
    except MigrationError as error:
        if error.code not in ("vanished", "container-missing"):
            raise
        return 0
    return len(grants)


class _Removing:
    """Remove from all folders of a leg, once."""

    def __init__(self, order: RollbackScope, leg: LegContext) -> None:
        self._order = order
        self._leg = leg
        self._lost: list[Judged] = []
        self._owned: set[tuple[str, str]] = set()
        self._removed: list[Judged] = []

    def all(self) -> None:
        """Remove everything that is ours, then empty containers and marks."""
        rows = self._leg.ledger.containers()
        rested = self._order.rested() if self._leg.kind in SHARED else frozenset()
        for href, group in by_href(rows).items():
            for batch in self._batches(judge(self._leg, href, group, rested)):
                self._remove(batch)
            self._confirm(href)
        if self._order.recall:
            for batch in self._batches(search(self._leg, self._lost, self._owned)):
                self._recall(batch)
        clear(self._leg, rows, self._order.report)
        for row in rows:
            self._leg.ledger.rollback.forget_findings(row.id)
        if self._leg.ledger.rollback.left():
            return
        if self._leg.ledger.labels():
            self._leg.target.label({})
        if isinstance(self._leg.target, SupportsMark):
            self._leg.target.keep_mark("")

    def _batches(self, judged: Iterator[Judged]) -> Iterator[list[Judged]]:
        while batch := list(islice(judged, self._leg.pace.batch)):
            self._leg.await_turn()
            yield batch

    def _remove(self, batch: Sequence[Judged]) -> None:
        self._owned |= {(entry.folder, entry.href) for entry in batch if entry.fate is RollbackFate.OURS}
        lost = [entry for entry in batch if entry.fate is RollbackFate.GONE]
        self._lost += lost
        ended = [entry for entry in lost if _is_leaving(entry) and not self._order.recall]
        self._close([entry for entry in batch if entry.fate is RollbackFate.FOUND] + ended)
        self._take([entry for entry in batch if entry.fate is RollbackFate.OURS], doomed=True)
        self._tell(
            entry
            for entry in batch
            if entry.fate is not RollbackFate.OURS and not (self._order.recall and entry in lost)
        )

    def _recall(self, batch: Sequence[Judged]) -> None:
        """Remove items that are not where they were written.

        Found elsewhere, or gone from the account for good.

        They are not doomed before: until an item is gone, the ledger knows it as it was, and looks for it
        again.
        """
        self._take([entry for entry in batch if entry.fate is RollbackFate.OURS], doomed=False)
        lost = [entry for entry in batch if entry.fate is RollbackFate.GONE]
        self._close(lost)
        self._tell(lost)

    def _take(self, ours: Sequence[Judged], *, doomed: bool) -> None:
        for _, some in groupby(sorted(ours, key=_folder), key=_folder):
            self._take_of_one(list(some), doomed=doomed)

    def _take_of_one(self, ours: Sequence[Judged], *, doomed: bool) -> None:
        """Remove items of one container, in one folder of the target."""
        leg, ledger = self._leg, self._leg.ledger.rollback
        container = ours[0].row.id
        by_key = {entry.key: entry for entry in ours}
        findings = [self._finding(entry) for entry in ours] if self._order.recall else []
        if doomed:
            ledger.doom(container, by_key.keys(), findings)
        else:
            ledger.note(container, by_key.keys(), findings)
        copies = [_stored(entry) for entry in ours]
        removed, failed = own_copies.split(leg.target.remove(ours[0].folder, copies))
        removed_keys = {result.key for result in removed}
        self._removed += [by_key[key] for key in removed_keys]
        if not doomed:
            self._confirm(ours[0].folder)
        self._spare(container, by_key, failed)

    def _confirm(self, folder: str) -> None:
        """Look once more for removed items: that a server says it removed something proves nothing."""
        removed, self._removed = self._removed, []
        listing = listing_of(self._leg, folder) if removed else {}
        still_there = [result for result in removed if result.href in listing]
        confirmed = [result for result in removed if result.href not in listing]
        self._close(confirmed)
        self._leg.ledger.tally.add(Tally(withdrawn=len(confirmed)))
        self._tell(confirmed)
        for container, some in groupby(sorted(still_there, key=_container), key=_container):
            self._leg.ledger.rollback.spared(container, {entry.key for entry in some})
        self._tell(replace(entry, fate=RollbackFate.REFUSED) for entry in still_there)

    def _spare(self, container: int, by_key: dict[bytes, Judged], failed: Sequence[Failed]) -> None:
        fates = {own_copies.CHANGED: RollbackFate.CHANGED, "cannot-remove": RollbackFate.REFUSED}
        spared = {failure.key: fates[failure.error.code] for failure in failed if failure.error.code in fates}
        self._leg.ledger.rollback.spared(container, spared.keys())
        self._tell(replace(by_key[key], fate=fate) for key, fate in spared.items())
        for failure in failed:
            if failure.key not in spared:
                # The folder was renumbered between look and removal.
                vanished = failure.error.code == "vanished"
                raise Transient("container-renumbered") if vanished else failure.error

    def _close(self, ended: Iterable[Judged]) -> None:
        """Record that nothing of ours is at the target."""
        for container, some in groupby(sorted(ended, key=_container), key=_container):
            self._leg.ledger.rollback.undone(container, {entry.key for entry in some})

    def _finding(self, judged: Judged) -> Finding:
        return Finding(Outcome.MATCH, judged.key, judged.href, detail_of(judged))

    def _tell(self, some: Iterable[Judged]) -> None:
        mailbox, workload = self._leg.mailbox.id, str(self._leg.kind)
        for entry in some:
            self._order.report.add(mailbox, workload, entry, recall=self._order.recall)


def by_href(rows: Iterable[ContainerRow]) -> dict[str, list[ContainerRow]]:
    """Return the containers, grouped by the folder of the target that they share."""
    groups: dict[str, list[ContainerRow]] = {}
    for row in rows:
        if row.href is not None:
            groups.setdefault(row.href, []).append(row)
    return groups


def clear(leg: LegContext, rows: Sequence[ContainerRow], report: RollbackReport) -> None:
    """Remove the empty containers that Kogge made, the deepest first.

    Args:
        leg: the open leg.
        rows: the containers.
        report: counts removed and staying containers.
    """
    target = leg.target
    if not isinstance(target, RemovesContainers):
        return
    made_by_us, places = leg.ledger.folders.made(), leg.ledger.placed()
    groups = by_href(rows)
    our_hrefs = [href for href, group in groups.items() if any(row.id in made_by_us for row in group)]
    for href in sorted(our_hrefs, key=lambda href: -len(places.get(groups[href][0].id, ()))):
        leg.check()
        if target.clear(href):
            report.counts["containers"] += 1
            for row in groups[href]:
                leg.ledger.folders.unmake(row.id)
                leg.ledger.set_href(row.id, None)
        else:
            report.stays(leg.mailbox.id, str(leg.kind), groups[href][0].path)


def _is_leaving(judged: Judged) -> bool:
    return judged.item is not None and judged.item.state is State.LEAVING


def _container(judged: Judged) -> int:
    return judged.row.id


def _folder(judged: Judged) -> tuple[int, str]:
    return judged.row.id, judged.folder


def _stored(judged: Judged) -> Stored:
    if judged.item is None:
        return Stored(judged.key, judged.href, judged.version, digest=judged.digest)
    copy = own_copies.stored(judged.item)
    return replace(copy, href=judged.href, version=judged.version or copy.version)
