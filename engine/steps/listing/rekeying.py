"""Recognise items that the source lists under other ids since they were copied, and do not copy them again.

This happens with an IMAP folder that has another UIDVALIDITY, with a restored mailbox, and with a folder that
was made again under the same name. Items are recognised by their meaning: the row of the new id gets the
copy.

Compared are, in the container and in former containers with the same place at the target, the rows that the
source no longer has, and the new ids. The digest decides. For mail that the source renders anew at each read,
the Message-ID and the digest that such renderings share decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from engine.context.answers import fetched, is_silence
from engine.context.leg_context import LegContext
from engine.context.shrink_guard import FEW, LEAST, is_halved, is_shrunk
from engine.steps import item_dates
from engine.steps.listing import discover
from engine.steps.listing.discover import Listing
from engine.steps.listing.rekeyed_copies import Copies, Copy
from engine.steps.listing.rekeyed_fates import fates_of, meaning
from engine.steps.own_copies import MOVED
from ledger.db.rows import ContainerRow, ItemRow, State
from ledger.inventory.lines import message_mark
from ledger.leg.rekeying import Refated, Rekeyed
from mappings.fields.file_names import unparted
from model.errors import Blocked, Rejected
from model.protocols import Body, Failed, Mapped, Native

CODE = "source-rekeyed"
ABSENT = "source-items-absent"
"""The event of a live mailbox whose source lacks something that was copied: it may come back."""
CHUNK = 100
HELD = (State.WRITTEN, State.VERIFIED, State.CHANGED)


def settle_rekeyed(leg: LegContext, row: ContainerRow, listing: Listing) -> int:
    """Give known items their new ids, after a container was listed and before any item of it is copied.

    One page of them is one transaction; after a crash, the next call finds the rest. Idempotent.

    Args:
        leg: the open leg.
        row: the container.
        listing: what the source said about it.

    Returns:
        How many copies have another id.

    Raises:
        Blocked: `source-rekeyed` if what is left still looks like known items, until a person approves.
    """
    listing = listing if leg.mirror else _with_earlier(leg, row, listing)
    if not leg.ledger.counts(row.id).get(State.SEEN, 0):
        return 0
    copies = _copies(leg, row, listing)
    if not (copies.count or copies.fates) or not _is_called_for(leg, row, listing):
        return 0
    rekeyed, doubtful = _settle_once(leg, row, copies)
    more = rekeyed
    # Groups may name contacts that have other ids now.
    while more and copies.count and leg.traits.groups:
        more, doubtful = _settle_once(leg, row, copies)
        rekeyed += more
    if rekeyed:
        leg.ledger.event("source-items-rekeyed", {"container": row.id, "items": rekeyed})
    _refuse_doubtful(leg, row, listing, copies.count, doubtful)
    return rekeyed


def settle_groups(leg: LegContext, books: Sequence[tuple[ContainerRow, Listing]]) -> None:
    """Look again at all address books if something has another id.

    A group may name contacts of an address book that was listed after its own.
    """
    for row, listing in books:
        settle_rekeyed(leg, row, listing)


def _settle_once(leg: LegContext, row: ContainerRow, copies: Copies) -> tuple[int, int]:
    """Return how many of the new ids are known items, and how many look like some.

    A new id gets a copy of another date only once every new id has got the copy of its own date, and in
    staging and frozen only where many have other dates: the source dates anew then. A few are other mails
    with the same text.
    """
    rekeyed, doubtful, news = 0, 0, _worth_reading(leg, row, copies)
    for any_date in (False, True):
        of_another_date: list[ItemRow] = []
        for start in range(0, len(news), CHUNK):
            leg.check()
            result = _pair(leg, row, news[start : start + CHUNK], copies, any_date=any_date)
            if result.pairs and not leg.mirror:
                leg.ledger.reconsider(MOVED)  # before: a copy may have stood for what was moved elsewhere
            leg.ledger.rekeyed(row.id, result.pairs, result.fates)
            rekeyed, doubtful = rekeyed + len(result.pairs) + len(result.fates), doubtful + result.doubtful
            of_another_date += result.of_another_date
        is_dated_anew = not leg.mirror or len(of_another_date) >= LEAST
        news = of_another_date if is_dated_anew else []
    if rekeyed and leg.traits.made_uid:
        leg.learn_origins()
    return rekeyed, doubtful


def _with_earlier(leg: LegContext, row: ContainerRow, listing: Listing) -> Listing:
    """Return the listing, completed with everything that the source has if the source ever lacked something.

    In the live phase, a pass that finds a folder emptied leaves no trace of it in the rows, and the next pass
    may find it filled again. So if a source ever lacked something of this mailbox, it is asked for all that
    it has before anything new is copied.
    """
    source_spoke = bool(listing.absent) or listing.present is not None
    new = leg.ledger.counts(row.id).get(State.SEEN, 0)
    if not source_spoke and not new:
        return listing
    if leg.ledger.last_event(ABSENT) is None:
        if source_spoke and any(listing.lacks(item.key) for item in leg.ledger.rows(row.id, HELD)):
            leg.ledger.event(ABSENT, {"container": row.id})
        return listing
    if listing.present is not None or not new:
        return listing
    return replace(listing, present=discover.present(leg, row))


def _copies(leg: LegContext, row: ContainerRow, listing: Listing) -> Copies:
    containers = [
        container
        for container in leg.ledger.containers()
        if container.href is not None
        and container.href == row.href
        and (container.id == row.id or container.gone)
    ]
    copies = Copies(fates=fates_of(leg, row, listing, containers))
    for container in containers:
        states = (State.LEAVING,) if leg.mirror else (*HELD, State.LEAVING)
        for item in leg.ledger.rows(container.id, states):
            if item.href is None or item.digest is None:
                continue
            if leg.mirror or container.gone or listing.lacks(item.key):
                copies.add(Copy(container.id, item), _names(leg, item))
    return copies


def _is_called_for(leg: LegContext, row: ContainerRow, listing: Listing) -> bool:
    """Return True if new ids are to be compared with known items.

    In the live phase no known item may be written again. In staging, a few deleted and a few new items are
    usual, and are not read twice because of that.
    """
    if not leg.mirror or listing.lost:
        return True
    if any(container.gone and container.href == row.href for container in leg.ledger.containers()):
        return True
    return is_halved(leg.ledger.counts(row.id)) or _is_strange(leg, row)


def _is_strange(leg: LegContext, row: ContainerRow) -> bool:
    counts = leg.ledger.counts(row.id)
    return is_shrunk(counts) and min(counts.get(State.LEAVING, 0), counts.get(State.SEEN, 0)) >= LEAST


def _worth_reading(leg: LegContext, row: ContainerRow, copies: Copies) -> list[ItemRow]:
    """Return the new items that have the size of a copy.

    All of them if some copy's size occurs at no new item.

    A source may count line ends, or everything beside the text, as part of the size.
    """
    news = list(leg.ledger.rows(row.id, (State.SEEN,)))
    sizes = Counter(item.size for item in news)
    if any(sizes[size] < count for size, count in copies.sizes.items()):
        return news
    return [item for item in news if item.size in copies.sizes or copies.fates.may_have(item)]


@dataclass(slots=True)
class RekeyResult:
    """Hold what new ids turned out to be.

    Attributes:
        pairs: new ids that get a copy.
        fates: new ids that get a fate.
        doubtful: how many have the Message-ID of a copy and another meaning.
        of_another_date: new ids that have the meaning of a copy, and another date.
    """

    pairs: list[Rekeyed] = field(default_factory=list)
    fates: list[Refated] = field(default_factory=list)
    doubtful: int = 0
    of_another_date: list[ItemRow] = field(default_factory=list)


def _pair(
    leg: LegContext, row: ContainerRow, news: Sequence[ItemRow], copies: Copies, *, any_date: bool
) -> RekeyResult:
    rekeyed = RekeyResult()

    def meant(entry: Mapped) -> Callable[[], bytes]:
        return lambda: meaning(leg, entry.item.body)

    for item, result in fetched(leg, row, news):
        mapped = _mapped(leg, result)
        if mapped is None or isinstance(result, Failed):
            continue
        copy = _equal_copy(leg, copies, mapped, any_date=any_date)
        if copy is None and _is_of_another_date(leg, copies, mapped, any_date=any_date):
            rekeyed.of_another_date.append(item)
            continue
        copy = copy or _copy_under_old_id(leg, copies, result, mapped)
        mid = _mark_of(leg, mapped)
        namesakes = [] if copy is not None else copies.named(mid)
        if namesakes:
            copy = _rebuilt_copy(leg, str(row.href), namesakes, mapped)
        if copy is not None:
            rekeyed.pairs.append(_rekeyed(leg, item, copies.take(copy), mapped))
        elif (fate := copies.fates.take(item, mid, mapped.item.digest, meant(mapped))) is not None:
            rekeyed.fates.append(fate)
        else:
            rekeyed.doubtful += bool(namesakes)
    return rekeyed


def _mapped(leg: LegContext, result: Native | Failed) -> Mapped | None:
    """Return the mapped record, or None if it cannot move: copying it gives it its fate."""
    if isinstance(result, Failed):
        if not isinstance(result.error, Rejected):
            raise result.error
        return None
    try:
        return None if leg.form.skip(result) else leg.form.map(result, leg.reading())
    except Rejected:
        return None


def _equal_copy(leg: LegContext, copies: Copies, mapped: Mapped, *, any_date: bool) -> Copy | None:
    """Return a copy with the same digest; of mail, with the same date unless any will do.

    Many files have the same content, such as none at all. In the live phase another name is another file: its
    user may have removed or filled the one that was copied.
    """
    digest = mapped.item.digest
    if leg.traits.by_message_id and not any_date:
        return copies.dated(digest, _date(mapped))
    if not leg.traits.by_name:
        return copies.equal(digest)
    named_copy = copies.called(digest, str(mapped.item.name))
    return named_copy if named_copy is not None or not leg.mirror else copies.equal(digest)


def _is_of_another_date(leg: LegContext, copies: Copies, mapped: Mapped, *, any_date: bool) -> bool:
    if any_date or not leg.traits.by_message_id:
        return False
    return copies.equal(mapped.item.digest) is not None


def _date(mapped: Mapped) -> int | None:
    """Return the date of a mail in whole seconds; None if it fits a copy of any date.

    A date that lay in the future is clamped, and the copy keeps the date that it got.
    """
    date = mapped.item.date
    return None if date is None or item_dates.is_clamped(mapped.losses) else int(date.timestamp() // 1)


def _names(leg: LegContext, old: ItemRow) -> frozenset[str]:
    """Return the names that a file may have at the source, by the name of its copy; none for other kinds."""
    if not leg.traits.by_name:
        return frozenset()
    rules, name = leg.context.target.files, str(old.href)
    other = None if rules is None else unparted(name, old.key, rules)
    return frozenset({name, other or name})


def _copy_under_old_id(leg: LegContext, copies: Copies, native: Native, mapped: Mapped) -> Copy | None:
    """Return the copy that this record would be under its old id: ids of ours are made of an item's key."""
    if leg.named_by(mapped.item.key) is None:
        return None
    for copy in copies.sized(mapped.item.size):
        by_old_id = replace(native, ref=replace(native.ref, id=copy.item.source_id))
        if leg.form.map(by_old_id, leg.reading()).item.digest == copy.item.digest:
            return copy
    return None


def _mark_of(leg: LegContext, mapped: Mapped) -> int | None:
    if not leg.traits.by_message_id:
        return None
    return message_mark(mapped.item.message_id)


def _rebuilt_copy(leg: LegContext, href: str, namesakes: Sequence[Copy], mapped: Mapped) -> Copy | None:
    """Return the copy that is another rendering of the same mail."""
    flags = mapped.item.flags
    meaning_of_item = _tolerant(leg, mapped.item.body, flags)
    by_href = {str(copy.item.href): copy for copy in namesakes}
    for item, native in leg.target.read(href, by_href):
        if isinstance(native, Failed):
            if not isinstance(native.error, Rejected) and not is_silence(native):
                raise native.error
        elif native.body is not None and _tolerant(leg, native.body, flags) == meaning_of_item:
            return by_href[item]
    return None


def _tolerant(leg: LegContext, body: Body, flags: Collection[str]) -> bytes:
    with body() as stream:
        return leg.form.meaning(stream, leg.began, flags)


def _rekeyed(leg: LegContext, new: ItemRow, copy: Copy, mapped: Mapped) -> Rekeyed:
    place = leg.target.place(new.key)
    elsewhere = copy.item.href if place is not None and leg.is_ours(copy.item) else None
    if leg.traits.named_by_key is not None:
        elsewhere = copy.item.place or leg.named_by(copy.item.key)
    return Rekeyed(copy.container, copy.item.key, new.key, _state(leg, copy.item, mapped), elsewhere)


def _state(leg: LegContext, old: ItemRow, mapped: Mapped) -> State:
    """Return the state of a row with a new id: its flags, name or date may have changed as well.

    In the live phase these are the user's.
    """
    if not leg.mirror:
        return State.VERIFIED if old.state is State.VERIFIED else State.WRITTEN
    item = mapped.item
    is_same = {flag.lower() for flag in item.flags} == {flag.lower() for flag in (old.flags or "").split()}
    if leg.traits.by_name:
        is_same = item.name == old.href and (item.date is None or int(item.date.timestamp() // 1) == old.date)
    return State.WRITTEN if is_same else State.CHANGED


def _refuse_doubtful(leg: LegContext, row: ContainerRow, listing: Listing, left: int, doubtful: int) -> None:
    """Refuse to copy if many known items are gone, as many are new, and nothing says which is which.

    Copying them would double the folder until the removals, and for good in the live phase.

    Raises:
        Blocked: `source-rekeyed`.
    """
    new = leg.ledger.counts(row.id).get(State.SEEN, 0)
    if leg.mirror:
        is_doubtful = _is_strange(leg, row)
    else:
        unsure = doubtful if leg.traits.by_message_id else min(left, new) * listing.lost
        is_doubtful = unsure >= LEAST or (unsure >= FEW and 2 * unsure > new)
    if is_doubtful and not leg.allowed_once(CODE, left):
        raise Blocked("source-rekeyed", f"{left} known items gone and {new} new in one folder")
