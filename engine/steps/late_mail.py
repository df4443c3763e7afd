"""The live phase: what late mail the target was delivered itself, and a source that is no longer there.

During a cutover both systems may be delivered the same mail. Before late mail is added, the headers of every
folder of the account are listed once, the copies of our own left out: what has the mark
(mappings.mail.delivery) of one of the others is there already, whatever folder its user moved it to; one
stands for one.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from engine.context.delivered import OUTGOING, Delivered, Sign, content_of
from engine.context.leg_context import LegContext
from ledger.db.rows import ContainerRow, LegState, State
from mappings.mail.delivery import NAMES, mark
from model.errors import Blocked
from model.optional_protocols import SupportsHeaders
from model.protocols import Container, Kind, Mapped, Native, Role

DELIVERED = "delivered-already"
SOURCE_GONE = "source-gone"
GONE = frozenset({"mailbox-missing", "mailbox-not-online", "account-disabled"})
"""Codes of a source that was decommissioned."""


INBOX = ("INBOX",)
CHECKED = 500
NAMELESS_MOST = 500
"""Mails without a mark of the target's inbox, the newest, that are read to compare them."""


def find_delivered(leg: LegContext, rows: Sequence[ContainerRow]) -> Delivered | None:
    """Of an account of mail that is live, when there is anything late to add to it; else None."""
    target = leg.target
    if leg.mirror or leg.kind is not Kind.MAIL or not isinstance(target, SupportsHeaders):
        return None
    if not any(leg.ledger.counts(row.id).get(State.SEEN, 0) for row in rows):
        return None
    found = Delivered()
    for container in list(leg.target.containers()):
        nameless: list[str] = []
        for href, one in _marks(leg, target, container):
            if one is None:
                nameless.append(href)
                continue
            if container.role in OUTGOING:
                found.by_role[container.role][one] += 1
            else:
                found.marks.append(one)
        if container.role is Role.INBOX or container.path == INBOX:
            found.nameless += _contents(leg, container.id, nameless[-NAMELESS_MOST:])
    found.marks = array("Q", sorted(found.marks))
    return found


def sort_out(
    leg: LegContext, row: ContainerRow, mapped: Sequence[Mapped]
) -> tuple[list[Mapped], list[tuple[bytes, str]]]:
    """What is to be written, and the keys of what was delivered already, with that code. Asks no server."""
    there = leg.delivered
    if there is None:
        return list(mapped), []
    by_sign: defaultdict[Sign, set[bytes]] = defaultdict(set)
    for entry in mapped:
        if (sign := there.sign(entry.item.body, row.role)) is not None:
            by_sign[sign].add(entry.item.key)
    delivered = {key for sign, keys in by_sign.items() if there.take(sign, keys) for key in keys}
    kept = [entry for entry in mapped if entry.item.key not in delivered]
    return kept, [(entry.item.key, DELIVERED) for entry in mapped if entry.item.key in delivered]


def of_a_source_that_is_gone(leg: LegContext) -> tuple[LegState, str] | None:
    """How the leg of a live mailbox ends whose source account is no longer there: nothing is owed, and
    nothing is removed. None: it is there, or something that was listed of it is still to be brought."""
    counts = leg.ledger.counts() if not leg.mirror and leg.ledger.begun() else {}
    if not counts or any(counts.get(state) for state in (State.SEEN, State.WRITING)):
        return None
    try:
        leg.source.identity()
    except Blocked as error:
        if error.code not in GONE:
            raise
        unread = counts.get(State.WRITTEN, 0)
        return LegState.COPIED if unread else LegState.VERIFIED, SOURCE_GONE
    return None


def _marks(
    leg: LegContext, target: SupportsHeaders, container: Container
) -> Iterator[tuple[str, int | None]]:
    """(href, mark) of what somebody else put into a folder."""
    ours = leg.ledger.claimed(container.id)
    for number, (href, head) in enumerate(target.headers(container.id, NAMES)):
        if number % CHECKED == 0:
            leg.check()
        if href not in ours:
            yield href, mark(head)


def _contents(leg: LegContext, folder: str, hrefs: Sequence[str]) -> Counter[bytes]:
    found = Counter[bytes]()
    for _, native in leg.target.read(folder, hrefs):
        if isinstance(native, Native) and native.body is not None:
            found[content_of(native.body)] += 1
    return found
