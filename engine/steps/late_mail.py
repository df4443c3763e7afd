"""Find, in the live phase, late mail that the target received by itself.

And sources that are no longer there.

During a cutover the same mail may be delivered to both systems. Before late mail is added, the headers of
every folder of the account are listed once, without our own copies. A late mail that has the mark
(mappings.mail.delivery) of one of these mails is there already, in whatever folder its user put it. Each mail
at the target stands for one late mail.

A late mail whose write was cut off may have arrived, and its user may have moved it since. A mail in any
folder that is not ours, and that has the digest and the date that were to be written, is that one.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set

from engine.context.delivered import OUTGOING, Delivered, Sign, content_of
from engine.context.leg_context import LegContext
from engine.steps import reconcile
from ledger.db.rows import ContainerRow, ItemRow, LegState, State
from mappings.mail.delivery import NAMES, mark
from model.errors import Blocked
from model.optional_protocols import SupportsHeaders
from model.protocols import Container, Kind, Mapped, Native, Role

DELIVERED = "delivered-already"
SOURCE_GONE = "source-gone"
GONE = frozenset({"mailbox-missing", "mailbox-not-online", "account-disabled"})
"""The codes of a source that was decommissioned."""


INBOX = ("INBOX",)
CHECKED = 500
NAMELESS_MOST = 500
"""How many mails without a mark are read from the target's inbox for comparison: the newest ones."""


def find_delivered(leg: LegContext, rows: Sequence[ContainerRow]) -> Delivered | None:
    """Return what a live mail account received by itself; None if there is no late mail to add.

    Args:
        leg: the open leg.
        rows: the containers of the leg.
    """
    target = leg.target
    if leg.mirror or leg.kind is not Kind.MAIL or not isinstance(target, SupportsHeaders):
        return None
    if not any(leg.ledger.counts(row.id).get(State.SEEN, 0) for row in rows):
        return None
    delivered = Delivered()
    attempted = [item for row in rows for item in leg.ledger.rows(row.id, (State.SEEN,)) if item.digest]
    for container in list(leg.target.containers()):
        # Its user may just have removed the folder; one of ours, the copy will ask for.
        with reconcile.unless_missing():
            _note(leg, target, container, delivered, _cut_off(leg, container.id, attempted, delivered))
    delivered.marks = array("Q", sorted(delivered.marks))
    return delivered


def _cut_off(leg: LegContext, href: str, attempted: Sequence[ItemRow], delivered: Delivered) -> set[str]:
    """Note which attempted writes took effect in a folder, and return the hrefs of these mails."""
    wanted: defaultdict[tuple[bytes | None, int], list[bytes]] = defaultdict(list)
    for row in attempted:
        if row.date is not None and row.key not in delivered.cut_off:
            wanted[row.digest, row.date].append(row.key)
    found: set[str] = set()
    if not wanted:
        return found
    ours = leg.ledger.claimed(href)
    for item, digest in reconcile.sized_like(leg, href, {row.size or 0 for row in attempted}):
        keys = [] if item.date is None else wanted[digest, int(item.date.timestamp() // 1)]
        if keys and item.href not in ours:
            delivered.cut_off[keys.pop()] = digest
            found.add(item.href)
    return found


def _note(
    leg: LegContext, target: SupportsHeaders, container: Container, delivered: Delivered, cut_off: Set[str]
) -> None:
    """Note what was delivered to a folder; of mails that we wrote, `cut_off` are there."""
    nameless: list[str] = []
    for href, mail_mark in _marks(leg, target, container):
        if href in cut_off:
            continue
        if mail_mark is None:
            nameless.append(href)
            continue
        if container.role in OUTGOING:
            delivered.by_role[container.role][mail_mark] += 1
        else:
            delivered.marks.append(mail_mark)
    if container.role is Role.INBOX or container.path == INBOX:
        delivered.nameless += _contents(leg, container.id, nameless[-NAMELESS_MOST:])


def sort_out(
    leg: LegContext, row: ContainerRow, mapped: Sequence[Mapped]
) -> tuple[list[Mapped], list[tuple[bytes, str]]]:
    """Separate late mail that was delivered already from mail that is to be written. Ask no server.

    Args:
        leg: the open leg.
        row: the container.
        mapped: mapped mails.

    Returns:
        The mails to write, and the keys of the delivered ones with their code.
    """
    target_mail = leg.delivered
    if target_mail is None:
        return list(mapped), []
    by_sign: defaultdict[Sign, set[bytes]] = defaultdict(set)
    delivered = {
        entry.item.key for entry in mapped if target_mail.cut_off.get(entry.item.key) == entry.item.digest
    }
    for entry in mapped:
        if entry.item.key in delivered:
            continue
        if (sign := target_mail.sign(entry.item.body, row.role)) is not None:
            by_sign[sign].add(entry.item.key)
    delivered |= {key for sign, keys in by_sign.items() if target_mail.take(sign, keys) for key in keys}
    to_write = [entry for entry in mapped if entry.item.key not in delivered]
    return to_write, [(entry.item.key, DELIVERED) for entry in mapped if entry.item.key in delivered]


def of_a_source_that_is_gone(leg: LegContext) -> tuple[LegState, str] | None:
    """Return how the leg of a live mailbox ends if its source account is no longer there.

    Nothing is owed then, and nothing is removed.

    Returns:
        The state and the code of the leg. None if the source is there, or if something that was listed must
            still be copied.

    Raises:
        Blocked: what the source raises for other reasons.
    """
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
    """Yield the href and the mark of each mail in a folder that Kogge did not write."""
    our_hrefs = leg.ledger.claimed(container.id)
    for number, (href, head) in enumerate(target.headers(container.id, NAMES)):
        if number % CHECKED == 0:
            leg.check()
        if href not in our_hrefs:
            yield href, mark(head)


def _contents(leg: LegContext, folder: str, hrefs: Sequence[str]) -> Counter[bytes]:
    """Count the digests of these mails' contents."""
    digests = Counter[bytes]()
    for _, native in leg.target.read(folder, hrefs):
        if isinstance(native, Native) and native.body is not None:
            digests[content_of(native.body)] += 1
    return digests
