"""Apply changes of the source to the copies at the target.

Flags are amended, the body of a mail never changes.

A draft whose text changed, and a note, are removed and written again. If a target replaces in place, changed
items are written like new ones (engine.steps.copying.copy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.context.answers import fetched, is_silence
from engine.context.leg_context import LegContext
from engine.steps import positions
from engine.steps.listing import discover
from engine.steps.own_copies import CHANGED, split, stored
from ledger.db.rows import ContainerRow, ItemRow, State
from model.errors import Rejected, Transient
from model.protocols import Amendment, Failed, Loss, Mapped, Native


def apply_changes(leg: LegContext, row: ContainerRow) -> None:
    """Bring the flags of CHANGED items up to date; remove and rewrite drafts whose text changed.

    Of any other mail, a new version never rewrites the body (R5). In the live phase, what is written stays as
    it is, even if a change was listed before the phase began. Idempotent; an error may leave a part of the
    changes applied.

    Args:
        leg: the open leg.
        row: the container.

    Raises:
        Transient: if the source says nothing about an item; the item stays as it is until then.
    """
    if not leg.mirror:
        leg.ledger.keep(row.id)
        return
    while rows := leg.ledger.pending(row.id, leg.pace.batch, states=(State.CHANGED,)):
        leg.check()
        _apply(leg, row, rows)


def _apply(leg: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> None:
    if not leg.form.flagged:
        _renew(leg, row, rows)
        return
    changes: list[Amendment] = []
    labels: dict[str, str] = {}
    drafts: list[ItemRow] = []
    vanished: list[str] = []
    rejected: list[bytes] = []
    silent: list[Failed] = []
    for item, result in fetched(leg, row, rows, bodies=False):
        if isinstance(result, Failed):
            if is_silence(result):
                silent.append(result)
            elif result.error.code == "vanished":
                vanished.append(item.source_id)
            elif isinstance(result.error, Rejected):
                rejected.append(item.key)
            else:
                raise result.error
            continue
        try:
            flags, words, _ = leg.form.flags(result, leg.context.target)
        except Rejected:
            rejected.append(item.key)
            continue
        labels.update(words)
        if "\\Draft" in flags or "\\Draft" in (item.flags or "").split():
            drafts.append(item)
        changes.append(Amendment(stored(item), flags))
    rewritten = _rewrite_drafts(leg, row, drafts, silent) | {failure.key for failure in silent}
    _amend(leg, row, [change for change in changes if change.stored.key not in rewritten], labels)
    discover.forget(leg, row, vanished)
    leg.ledger.unamended(row.id, rejected)
    for key in rejected:
        leg.ledger.lose(row.id, key, (Loss("flags", "change-unreadable"),))
    _raise_first(silent)


def _raise_first(silent: Sequence[Failed]) -> None:
    """Raise that the source does not answer about an item, once the others have what they need."""
    if silent:
        raise silent[0].error


def _amend(
    leg: LegContext, row: ContainerRow, changes: Sequence[Amendment], labels: Mapping[str, str]
) -> None:
    flags = {change.stored.key: change.flags for change in changes}
    amended, failed = split(leg.target.amend(str(row.href), changes))
    leg.ledger.amended(row.id, [(result, flags[result.key]) for result in amended], labels)
    for failure in failed:
        if failure.error.code not in ("vanished", CHANGED):
            raise failure.error
    if failed:
        _refuse_renumbered(leg, row, changes)
        leg.ledger.rewrite(row.id, [failure.key for failure in failed])


def _refuse_renumbered(leg: LegContext, row: ContainerRow, changes: Sequence[Amendment]) -> None:
    """Raise Transient if the server renumbered the folder since this walk began.

    The next walk finds its items again.
    """
    era = positions.era_of(leg.target.position(str(row.href)))
    if any(positions.era_of(change.stored.href) != era for change in changes):
        raise Transient("container-renumbered")


def _rewrite_drafts(
    leg: LegContext, row: ContainerRow, drafts: Sequence[ItemRow], silent: list[Failed]
) -> set[bytes]:
    """Remove the copies of drafts whose text changed, so that they are written again. Return their keys.

    Args:
        leg: the open leg.
        row: the container.
        drafts: the drafts.
        silent: drafts about which the source says nothing are added to it.
    """
    edited = []
    for item, result in fetched(leg, row, drafts):
        if isinstance(result, Failed):
            silent += [result] if is_silence(result) else []
        elif result.body is not None and leg.digest(result.body) != item.digest:
            edited.append(item)
    _remove_old(leg, row, edited)
    return {item.key for item in edited}


def _renew(leg: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> None:
    """Update items whose whole content may change, at a target that does not replace in place."""
    edited: list[ItemRow] = []
    silent: list[Failed] = []
    unchanged: list[Amendment] = []
    labels: dict[str, str] = {}
    for item, result in fetched(leg, row, rows):
        if isinstance(result, Failed) and is_silence(result):
            silent.append(result)
            continue
        mapped = _mapped(leg, result)
        if mapped is None or mapped.item.digest != item.digest:
            edited.append(item)
        else:
            labels.update(mapped.labels)
            unchanged.append(Amendment(stored(item), mapped.item.flags))
    _remove_old(leg, row, edited)
    _amend(leg, row, unchanged, labels)
    _raise_first(silent)


def _mapped(leg: LegContext, result: Native | Failed) -> Mapped | None:
    """Return the mapped record, or None if it cannot move any more: copying it again gives it its fate."""
    try:
        if isinstance(result, Failed):
            raise result.error
        return None if leg.form.skip(result) else leg.form.map(result, leg.reading())
    except Rejected:
        return None


def _remove_old(leg: LegContext, row: ContainerRow, edited: Sequence[ItemRow]) -> None:
    """Remove the old copies, then set their rows to SEEN.

    A crash in between leaves an item to be written, never two.
    """
    if not edited:
        return
    removed, failed = split(leg.target.remove(str(row.href), [stored(item) for item in edited]))
    # A copy that is no longer ours stays (R8b).
    changed_keys = [failure.key for failure in failed if failure.error.code == CHANGED]
    leg.ledger.rewrite(row.id, [*(result.key for result in removed), *changed_keys])
    if len(failed) > len(changed_keys):
        raise next(failure.error for failure in failed if failure.error.code != CHANGED)
