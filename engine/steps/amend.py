"""Applies what changed at the source to what is at the target: flags are amended, never a body of mail.

A draft whose text changed, and a note, are taken back and written anew. Where a target replaces in place,
changed items are written like new ones (engine.steps.copy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.context.fetch_results import FetchResults
from engine.context.leg_context import LegContext
from engine.steps import discover, reconcile
from engine.steps.remove import CHANGED, split, stored
from ledger.db.rows import ContainerRow, ItemRow, State
from model.errors import Rejected, Transient
from model.protocols import Amendment, Failed, Loss, Mapped, Native


def apply_changes(work: LegContext, row: ContainerRow) -> None:
    """Brings flags of CHANGED items up to date; a draft whose text changed is taken back and written
    anew. R5: of any other mail a new version never rewrites the body. In the live phase what is written stays
    as it is, also where a change was listed before the phase began. Raises Transient where the source says
    nothing of an item: it stays as it is until then."""
    if not work.mirror:
        work.ledger.keep(row.id)
        return
    while rows := work.ledger.pending(row.id, work.pace.batch, states=(State.CHANGED,)):
        work.check()
        _apply(work, row, rows)


def _apply(work: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> None:
    if work.form.flags is None:
        _renew(work, row, rows)
        return
    answers = FetchResults(work, row)
    changes: list[Amendment] = []
    labels: dict[str, str] = {}
    drafts: list[ItemRow] = []
    vanished: list[str] = []
    rejected: list[bytes] = []
    for item, result in answers.about(rows, bodies=False):
        if isinstance(result, Failed):
            if result.error.code == "vanished":
                vanished.append(item.source_id)
            elif isinstance(result.error, Rejected):
                rejected.append(item.key)
            else:
                raise result.error
            continue
        try:
            flags, words, _ = work.form.flags(result, work.context.target)
        except Rejected:
            rejected.append(item.key)
            continue
        labels.update(words)
        if "\\Draft" in flags or "\\Draft" in (item.flags or "").split():
            drafts.append(item)
        changes.append(Amendment(stored(item), flags))
    done = _rewrite_drafts(work, row, drafts, answers) | {item.key for item in answers.silent}
    _amend(work, row, [change for change in changes if change.stored.key not in done], labels)
    discover.forget(work, row, vanished)
    work.ledger.unamended(row.id, rejected)
    for key in rejected:
        work.ledger.lose(row.id, key, (Loss("flags", "change-unreadable"),))
    answers.require()


def _amend(
    work: LegContext, row: ContainerRow, changes: Sequence[Amendment], labels: Mapping[str, str]
) -> None:
    flags = {change.stored.key: change.flags for change in changes}
    done, failed = split(work.target.amend(str(row.href), changes))
    work.ledger.amended(row.id, [(one, flags[one.key]) for one in done], labels)
    for failure in failed:
        if failure.error.code not in ("vanished", CHANGED):
            raise failure.error
    if failed:
        _refuse_renumbered(work, row, changes)
        work.ledger.rewrite(row.id, [failure.key for failure in failed])


def _refuse_renumbered(work: LegContext, row: ContainerRow, changes: Sequence[Amendment]) -> None:
    """What a server renumbered since this walk began has not vanished: the next walk finds it again."""
    era = reconcile.era_of(work.target.position(str(row.href)))
    if any(reconcile.era_of(change.stored.href) != era for change in changes):
        raise Transient("container-renumbered")


def _rewrite_drafts(
    work: LegContext, row: ContainerRow, drafts: Sequence[ItemRow], answers: FetchResults
) -> set[bytes]:
    """A draft's text may have changed."""
    edited = [
        item
        for item, result in answers.about(drafts)
        if isinstance(result, Native) and result.body is not None and work.digest(result.body) != item.digest
    ]
    _take_back(work, row, edited)
    return {item.key for item in edited}


def _renew(work: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> None:
    """Items whose whole content may change, at a target that replaces nothing."""
    answers = FetchResults(work, row)
    edited: list[ItemRow] = []
    same: list[Amendment] = []
    labels: dict[str, str] = {}
    for item, result in answers.about(rows):
        mapped = _mapped(work, result)
        if mapped is None or mapped.item.digest != item.digest:
            edited.append(item)
        else:
            labels.update(mapped.labels)
            same.append(Amendment(stored(item), mapped.item.flags))
    _take_back(work, row, edited)
    _amend(work, row, same, labels)
    answers.require()


def _mapped(work: LegContext, result: Native | Failed) -> Mapped | None:
    """None for what cannot move any more: it is taken back, and copying it again gives it its fate."""
    try:
        if isinstance(result, Failed):
            raise result.error
        return None if work.form.skip(result) else work.form.map(result, work.reading())
    except Rejected:
        return None


def _take_back(work: LegContext, row: ContainerRow, edited: Sequence[ItemRow]) -> None:
    """The old copy is removed first and the row goes back to SEEN, so that a crash in between leaves an item
    still to be written, never two."""
    if not edited:
        return
    removed, failed = split(work.target.remove(str(row.href), [stored(item) for item in edited]))
    others = [one.key for one in failed if one.error.code == CHANGED]  # not ours any more: it stays (R8b)
    work.ledger.rewrite(row.id, [*(one.key for one in removed), *others])
    if len(failed) > len(others):
        raise next(one.error for one in failed if one.error.code != CHANGED)
