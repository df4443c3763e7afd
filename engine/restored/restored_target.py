"""Find copies whose numbers the target no longer stands by: it renumbered a folder, or was put back.

A changed UIDVALIDITY voids every href of a folder. If a folder was put back to a backup under the same
UIDVALIDITY, its UIDNEXT went back with it: what had a number from there on is lost, and these numbers are
given once more, to other mail. So the hrefs of lost copies are voided before anything is written, and no href
belongs to two rows.

In staging and frozen what was lost is written again. In the live phase its user may have deleted some of it
before, and nothing tells which: a person decides.

Source:
    RFC 9051 section 2.3.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.context.leg_context import LegContext
from engine.steps.positions import era_of, number_of
from engine.steps.settling.reconcile import AT_TARGET
from engine.steps.target_reading import full_listing, paired
from ledger.db.rows import TARGET_RESTORED as CODE
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.leg.matching import Wanted
from model.errors import Blocked

__all__ = ["CODE", "has_unanswered", "is_unreached", "named_lost", "revalidate", "write_approved"]


def revalidate(leg: LegContext, row: ContainerRow) -> int:
    """Pair rows and copies again when the server changed the folder's identity, or put the folder back.

    What is no longer there is written again. In the live phase what a renumbered folder lacks was removed by
    its user, and stays removed; what was lost with a restore waits for a person. Idempotent.

    Args:
        leg: the open leg.
        row: the container.

    Returns:
        How many rows were affected.

    Source:
        RFC 9051 section 2.3.1.1.
    """
    if row.href is None or next(leg.ledger.rows(row.id, AT_TARGET), None) is None:
        return 0
    try:
        position = leg.positions.get(row.href) or leg.target.position(row.href)
    except Blocked as error:
        if error.code == "container-missing" and (row.gone or not leg.mirror):
            return 0  # the user removed it, or the source no longer has it either
        raise
    if not era_of(position):
        return 0  # hrefs have no order there, even if they look so
    renumbered, lost = _sorted(leg, row, position)
    if renumbered:
        _find_again(leg, row, renumbered)
    if lost:
        _void(leg, row, lost)
    return len(renumbered) + len(lost)


def _sorted(leg: LegContext, row: ContainerRow, position: str) -> tuple[list[ItemRow], list[ItemRow]]:
    """Return the rows that have numbers of another incarnation of the folder, and those that are lost."""
    named = set() if leg.mirror else named_lost(leg, row.id)
    renumbered: list[ItemRow] = []
    unreached: list[ItemRow] = []
    lost: list[ItemRow] = []
    for item in leg.ledger.rows(row.id, AT_TARGET):
        if era_of(str(item.href)) != era_of(position):
            renumbered.append(item)
        elif is_unreached(position, str(item.href)):
            unreached.append(item)
        elif item.key in named:
            lost.append(item)
    return renumbered, lost + _unlisted(leg, str(row.href), position, unreached)


def is_unreached(position: str, href: str) -> bool:
    """Return True if a folder has not given an item's number yet: it was put back to before that.

    Args:
        position: the folder's position.
        href: the item; a number of another incarnation says nothing.
    """
    number = number_of(href)
    return era_of(href) == era_of(position) and number is not None and number >= (number_of(position) or 0)


def named_lost(leg: LegContext, container_id: int) -> set[bytes]:
    """Return the items of a container that the last verification found lost with a restore."""
    found = leg.ledger.findings(container_id)
    return {one.key for one in found if one.key is not None and one.detail == CODE}


def write_approved(leg: LegContext) -> None:
    """Set back to be written what was lost from a live mailbox, if a person approved that."""
    count = _unanswered(leg)
    if count and leg.allowed_once(CODE, count):
        leg.ledger.reconsider(CODE)


def has_unanswered(leg: LegContext) -> bool:
    """Return True if items were lost from a live mailbox, and nobody has decided about them."""
    return _unanswered(leg) > 0


def _unanswered(leg: LegContext) -> int:
    if leg.mirror or not leg.ledger.counts().get(State.REJECTED, 0):
        return 0
    rejected = (row for one in leg.ledger.containers() for row in leg.ledger.rows(one.id, (State.REJECTED,)))
    return sum(row.code == CODE for row in rejected)


def _unlisted(leg: LegContext, href: str, position: str, rows: Sequence[ItemRow]) -> list[ItemRow]:
    """Return the rows whose copies are not there: a server may state an old position."""
    there = {item.href for item in full_listing(leg, href, position)} if rows else set()
    return [row for row in rows if row.href not in there]


def _find_again(leg: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> None:
    """Find the copies of rows in a folder that has another UIDVALIDITY."""
    found = _pairs(leg, row, rows)
    absent = [item for item in rows if item.key not in found and leg.mirror]
    _write_again(leg, row, absent)
    leg.ledger.rehref(row.id, found)  # last: it tells the next run that this is done
    leg.ledger.event("target-folder-renumbered", {"items": len(rows), "absent": len(absent)})


def _void(leg: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> None:
    """Void the hrefs of copies that are not in a folder that was put back."""
    found = _pairs(leg, row, rows)
    absent = [item for item in rows if item.key not in found]
    if leg.mirror:
        _write_again(leg, row, absent)
        leg.ledger.event(CODE, {"items": len(absent), "workload": leg.kind.value})
    else:
        leg.ledger.lost(row.id, [item.key for item in absent], CODE)
    leg.ledger.rehref(row.id, found)


def _pairs(leg: LegContext, row: ContainerRow, rows: Sequence[ItemRow]) -> dict[bytes, str]:
    expected = [Wanted(item.key, item.digest or b"", item.size or 0, None, None) for item in rows]
    return dict(paired(leg, str(row.href), expected, None).pairs)


def _write_again(leg: LegContext, row: ContainerRow, absent: Sequence[ItemRow]) -> None:
    leaving = [item.key for item in absent if item.state is State.LEAVING]
    leg.ledger.withdrawn(row.id, leaving, removed=False)
    leg.ledger.rewrite(row.id, [item.key for item in absent if item.state is not State.LEAVING])
