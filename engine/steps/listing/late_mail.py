"""Find, in the live phase, late mail that the target received by itself.

And sources that are no longer there.

During a cutover the same mail may be delivered to both systems. Before late mail is added, the headers of
every folder of the account are listed once, without our own copies. If a late mail has the mark
(mappings.mail.delivery) of some of these mails, they are read. Whoever got a copy of a mail knows its mark,
so the content decides: a late mail with the content of one of them is there already, in whatever folder its
user put it. Each mail at the target stands for one late mail. A late mail whose content none of them has is
written.

A late mail whose write was cut off may have arrived, and its user may have moved it since. A mail in any
folder that is not ours, and that has the digest and the date that were to be written, is that one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set

from engine.context.answers import is_silence
from engine.context.delivered import OUTGOING, Delivered, Likeness, Place, content_of
from engine.context.leg_context import LegContext
from engine.steps import target_reading
from ledger.db.rows import ContainerRow, ItemRow, LegState, State
from mappings.mail.delivery import NAMES, mark
from model.errors import Blocked, Rejected
from model.optional_protocols import SupportsHeaders
from model.protocols import Container, Failed, Item, Mapped, Native, Role

DELIVERED = "delivered-already"
DIFFERS = "delivered-differs"
"""The event of late mail that is written beside a mail with its Message-ID and Date."""
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
    if leg.mirror or not leg.traits.by_message_id or not isinstance(target, SupportsHeaders):
        return None
    if not any(leg.ledger.counts(row.id).get(State.SEEN, 0) for row in rows):
        return None
    delivered = Delivered()
    attempted = [item for row in rows for item in leg.ledger.rows(row.id, (State.SEEN,)) if item.digest]
    for container in list(leg.target.containers()):
        # Its user may just have removed the folder; one of ours, the copy will ask for.
        with target_reading.unless_missing():
            _note(leg, target, container, delivered, _cut_off(leg, container.id, attempted, delivered))
    for places in delivered.places.values():
        places.sort()
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
    for item, digest in target_reading.sized_like(leg, href, {row.size or 0 for row in attempted}):
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
        role = container.role if container.role in OUTGOING else None
        delivered.places[role].add(container.id, href, mail_mark)
    if container.role is Role.INBOX or container.path == INBOX:
        delivered.nameless += _contents(leg, container.id, nameless[-NAMELESS_MOST:])


def likenesses(leg: LegContext, row: ContainerRow, mapped: Sequence[Mapped]) -> dict[bytes, Likeness]:
    """Return, by key, which late mails the target may have received by itself. Ask no server.

    Args:
        leg: the open leg.
        row: the container.
        mapped: mapped mails.
    """
    target_mail = leg.delivered
    if target_mail is None:
        return {}
    alike = {entry.item.key: target_mail.likeness(entry.item.body, row.role) for entry in mapped}
    return {key: likeness for key, likeness in alike.items() if likeness is not None}


def is_cut_off(leg: LegContext, item: Item) -> bool:
    """Return True if a late mail is at the target because a write that was cut off took effect."""
    return leg.delivered is not None and leg.delivered.cut_off.get(item.key) == item.digest


def sort_out(
    leg: LegContext, mapped: Sequence[Mapped], alike: Mapping[bytes, Likeness]
) -> tuple[list[Mapped], list[tuple[bytes, str]]]:
    """Separate late mail that was delivered already from mail that is to be written.

    The target is asked for mails that may be the same. An event names how many late mails are written beside
    a mail that has their Message-ID and Date, and another content.

    Args:
        leg: the open leg.
        mapped: mapped mails.
        alike: by key, what likenesses() says of them.

    Returns:
        The mails to write, and the keys of the delivered ones with their code.

    Raises:
        MigrationError: what the target raised while it was read.
    """
    target_mail = leg.delivered
    if target_mail is None:
        return list(mapped), []
    delivered = {entry.item.key for entry in mapped if is_cut_off(leg, entry.item)}
    by_content: defaultdict[tuple[Likeness, bytes], set[bytes]] = defaultdict(set)
    compared = {key: likeness for key, likeness in alike.items() if key not in delivered}
    _read_alike(leg, target_mail, set(compared.values()))
    for entry in mapped:
        if (likeness := compared.get(entry.item.key)) is not None:
            by_content[likeness, content_of(entry.item.body)].add(entry.item.key)
    beside = 0
    for (likeness, digest), keys in by_content.items():
        if target_mail.take(likeness, digest, keys):
            delivered |= keys
        elif likeness.mark is not None:
            beside += len(keys)
    if beside:
        leg.ledger.event(DIFFERS, {"count": beside})
    to_write = [entry for entry in mapped if entry.item.key not in delivered]
    return to_write, [(entry.item.key, DELIVERED) for entry in mapped if entry.item.key in delivered]


def _read_alike(leg: LegContext, target_mail: Delivered, alike: Set[Likeness]) -> None:
    """Read the target's mails that may be some of the late ones; each is read once in a pass."""
    by_folder: defaultdict[str, list[str]] = defaultdict(list)
    for place in dict.fromkeys(place for likeness in alike for place in target_mail.unread(likeness)):
        by_folder[place.folder].append(place.href)
    for folder, hrefs in by_folder.items():
        leg.check()
        with target_reading.unless_missing():  # its user may just have removed the folder
            for href, native in leg.target.read(folder, hrefs):
                target_mail.note({Place(folder, href): _content_if_read(native)})


def _content_if_read(native: Native | Failed) -> bytes | None:
    """Return the digest of a mail's content; None if the mail is gone, or cannot be read.

    Raises:
        MigrationError: a fault of the server, not of the mail.
    """
    if isinstance(native, Failed):
        if not isinstance(native.error, Rejected) and not is_silence(native):
            raise native.error
        return None
    return None if native.body is None else content_of(native.body)


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
