"""Compare what is at the target with the ledger: folder by folder, then across the mailbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from itertools import islice

from engine.context.answers import is_silence
from engine.context.leg_context import LegContext
from engine.identity.own_items import invitations_among
from engine.identity.provisioning_items import artefacts_among
from engine.restored.restored_target import is_unreached, named_lost
from engine.steps.positions import era_of, number_of, reaches
from engine.steps.target_reading import (
    each_digest,
    full_listing,
    read_digests,
    sized_like,
    unless_missing,
)
from engine.verify.meeting_twice import is_twice
from engine.verify.rejected_copies import rejected_copies
from engine.verify.source import differing, stands_for
from engine.verify.survey import Asked, Expected, Leftover, Survey
from ledger.db.rows import (
    MEETING_TWICE,
    RENUMBERED,
    TARGET_RESTORED,
    ContainerRow,
    Finding,
    ItemRow,
    Outcome,
    Phase,
    State,
)
from ledger.inventory.lines import message_mark
from ledger.leg.matching import TargetItem, Wanted, match
from mappings.fields.message_id import message_id
from model.errors import Blocked
from model.optional_protocols import SupportsDigests, TellsEmpty
from model.protocols import Body, Failed, Listed

HELD = (State.WRITTEN, State.VERIFIED)
CHUNK = 200

NOT_COUNTED: Mapping[str, int | None] = {}
"""Of a target that does not count."""


def survey(
    leg: LegContext,
    asked: Asked,
    *,
    unchanged: Collection[int] = frozenset(),
    counted: Mapping[str, int | None] = NOT_COUNTED,
) -> Survey:
    """List the folders of the leg, read a share of the bodies, and return the findings.

    Args:
        leg: the open leg.
        asked: which bodies to read; everything is listed in any case.
        unchanged: the containers that need no look, see engine.steps.listing.unchanged.
        counted: how many items the target counts in a container, by href; those of 0 are opened together.
    """
    result = Survey()
    groups = {
        href: rows for href, rows in _by_href(leg).items() if any(row.id not in unchanged for row in rows)
    }
    owned = _owned(leg, groups) if groups else {}
    if not leg.mirror:
        for rows in groups.values():
            result.lost |= set().union(*(named_lost(leg, row.id) for row in rows))
    if isinstance(leg.target, TellsEmpty):
        result.empty = leg.target.empty([href for href in groups if counted.get(href) == 0])
    leftovers = [_folder(leg, href, rows, asked, owned[href], result) for href, rows in groups.items()]
    digests = {
        leftover.href: read_digests(leg, leftover.href, (item.href for item in leftover.strangers))
        for leftover in leftovers
        if leftover.strangers
    }
    for leftover in leftovers:
        _reunite(leg, leftover, digests.get(leftover.href, {}), result)
        _leave_in_doubt(leg, leftover, digests.get(leftover.href, {}))
    digests |= _digests_of_own_folders(leg, leftovers, groups)
    _report(leg, leftovers, digests, result)
    return result


def _by_href(leg: LegContext) -> dict[str, list[ContainerRow]]:
    groups: dict[str, list[ContainerRow]] = defaultdict(list)
    for container in leg.ledger.containers():
        if container.href is not None:
            groups[container.href].append(container)
    return groups


def _owned(leg: LegContext, hrefs: Iterable[str]) -> dict[str, set[str]]:
    """Return which items belong to a row, by container.

    This includes items found there for a row of another container, whose href is their whole path, and older
    copies of what changed and could not be written, or is not written yet.
    """
    claimed = leg.ledger.claimed_anywhere()
    owned = {href: claimed.get(href, set()) for href in hrefs}
    paths = {item for items in owned.values() for item in items if "/" in item}
    for path in paths:
        container, _, name = path.rpartition("/")
        owned.get(f"{container}/", set()).add(name)
    return owned


def _folder(
    leg: LegContext,
    href: str,
    containers: list[ContainerRow],
    asked: Asked,
    owned: Set[str],
    result: Survey,
) -> Leftover:
    expected: dict[str, Expected] = {}
    found_places: dict[str, list[Expected]] = defaultdict(list)
    for container in containers:
        for row in leg.ledger.rows(container.id, HELD):
            place = str(row.href)
            if not leg.is_ours(row):
                found_places[place].append(_expect(container.id, row))
                continue
            # Two rows with one href: the server made one message of two. The second is missing.
            twin = place if place not in expected else f"{place} again {len(expected)}"
            expected[twin] = _expect(container.id, row)
    _check_found(leg, href, found_places, result)
    leftover = Leftover(href, containers, expected, [], rejected=rejected_copies(leg, containers))
    is_empty = href in result.empty and not expected
    listing = iter(()) if is_empty else _present(leg, href, expected, owned, leftover)
    while window := list(islice(listing, CHUNK)):
        leg.check()
        pairs = {item.href: expected.pop(item.href) for item in window}
        for item in _not_reused(leg, href, window, pairs, result):
            _compare_outside(leg, item, pairs[item.href], result)
        _read_back(leg, href, {h: e for h, e in pairs.items() if _is_sampled(e, asked)}, result)
    for container_id, key in leftover.rejected.values():
        result.findings[container_id].append(Finding(Outcome.MISSING, key))
    return leftover


def _expect(container: int, row: ItemRow) -> Expected:
    verified = row.state is State.VERIFIED
    said = row.size or 0, row.flags or "", row.date
    return Expected(container, row.key, row.digest or b"", *said, verified, row.mid)


def _check_found(leg: LegContext, href: str, found_places: dict[str, list[Expected]], result: Survey) -> None:
    """Check items that were at the target already, perhaps in another container or for several rows."""
    for place, native in leg.target.read(href, found_places):
        leg.check()
        for expected in found_places[place]:
            if is_silence(native):
                _add_finding(result, expected, Outcome.ERROR, None, "unreadable")
            elif isinstance(native, Failed) or native.body is None:
                if not _is_theirs(leg, expected):
                    _add_finding(result, expected, Outcome.MISSING, place, "")
            elif leg.digest(native.body) != expected.digest and _still_stands(leg, expected, native.body):
                result.read[expected.container].add(expected.key)
            else:
                _judge(leg, expected, place, native.body, result)


def _still_stands(leg: LegContext, expected: Expected, body: Body) -> bool:
    return not _is_theirs(leg, expected) and stands_for(leg, expected.container, expected.key, body)


def _present(
    leg: LegContext,
    href: str,
    expected: dict[str, Expected],
    owned: Set[str],
    leftover: Leftover,
) -> Iterator[Listed]:
    try:
        for item in full_listing(leg, href):
            leftover.position = _above(leftover.position, item.href)
            if item.href in expected:
                yield item
            elif leftover.rejected.pop(item.href, None) is None and item.href not in owned:
                leftover.strangers.append(item)
    except Blocked as error:
        if error.code != "container-missing":
            raise
        leftover.position = None
        # The folder itself is gone: everything in it is missing.


def _above(position: str | None, item: str) -> str:
    """Return the position next to the highest listed so far; "" if items have no order."""
    number = number_of(item)
    if number is None:
        return ""
    if position and era_of(position) == era_of(item):
        number = max(number, (number_of(position) or 0) - 1)
    return f"{era_of(item)}:{number + 1}"


def _is_theirs(leg: LegContext, expected: Expected) -> bool:
    """Return True if an item is the user's: in the live phase, once it was proven to have arrived."""
    return expected.verified and not leg.mirror


def _compare_outside(leg: LegContext, item: Listed, expected: Expected, result: Survey) -> None:
    """Compare flags and date; for files, which servers do not rewrite, also the size.

    Keywords are compared without case, because servers may fold it. In the live phase flags are the user's
    from the moment an item arrives.

    Source:
        RFC 3501 section 2.3.2.
    """
    if _is_theirs(leg, expected):
        return
    expected_flags = {flag.lower() for flag in expected.flags.split()}
    listed_flags = {flag.lower() for flag in item.flags if flag.lower() != "\\recent"}
    differing_fields = []
    if leg.mirror and expected_flags != listed_flags:
        differing_fields.append("flags")
    if expected.date is not None and item.date is not None and int(item.date.timestamp()) != expected.date:
        differing_fields.append("date")
    if leg.context.target.files is not None and item.size != expected.size:
        differing_fields.append("size")
    for detail in differing_fields:
        _add_finding(result, expected, Outcome.DIFFERS, item.href, detail)


def _read_back(leg: LegContext, href: str, pairs: dict[str, Expected], result: Survey) -> None:
    unread = dict(pairs)
    if isinstance(leg.target, SupportsDigests):
        _confirm_digests(leg, href, unread, result)
    for item, native in leg.target.read(href, unread):
        leg.check()  # reading a window may take long
        expected = unread[item]
        if isinstance(native, Failed) or native.body is None:
            _add_finding(result, expected, Outcome.ERROR, item, "unreadable")
        elif is_twice(leg, href, native.body):
            _add_finding(result, expected, Outcome.DIFFERS, item, MEETING_TWICE)
        else:
            _judge(leg, expected, item, native.body, result)


def _confirm_digests(leg: LegContext, href: str, unread: dict[str, Expected], result: Survey) -> None:
    """Remove items whose digest the target itself confirms.

    The others are read: a wrong or missing hash is no finding yet.
    """
    for item, digest in each_digest(leg, href, list(unread)):
        if digest == unread[item].digest:
            expected = unread.pop(item)
            result.read[expected.container].add(expected.key)


def _not_reused(
    leg: LegContext, href: str, window: list[Listed], pairs: dict[str, Expected], result: Survey
) -> list[Listed]:
    """Name the items of a live mailbox whose numbers belong to other mail by now: the target was put back.

    A message never changes under its number; another Message-ID, or size and date, are looked at.

    Returns:
        The other items; those that are named are taken out of the pairs.
    """
    if leg.mirror or leg.context.target.replaces:
        return window
    doubtful = [
        item.href
        for item in window
        if (pairs[item.href].verified or pairs[item.href].key in result.lost)
        and _looks_otherwise(item, pairs[item.href])
    ]
    for item_href, digest in read_digests(leg, href, doubtful).items():
        if digest != pairs[item_href].digest:
            _add_finding(result, pairs.pop(item_href), Outcome.MISSING, item_href, TARGET_RESTORED)
    return [item for item in window if item.href in pairs]


def _looks_otherwise(item: Listed, expected: Expected) -> bool:
    if expected.mid is not None:
        header = b"Message-ID: " + (item.message_id or "").encode("latin-1", "replace")
        return message_mark(message_id(header)) != expected.mid
    date = None if item.date is None else int(item.date.timestamp() // 1)
    return item.size != expected.size and date != expected.date


def _judge(leg: LegContext, expected: Expected, href: str, body: Body, result: Survey) -> None:
    if leg.digest(body) == expected.digest:
        result.read[expected.container].add(expected.key)
    elif not _is_theirs(leg, expected):
        detail = differing(leg, expected.container, expected.key, body)
        _add_finding(result, expected, Outcome.DIFFERS, href, detail)


def _reunite(leg: LegContext, leftover: Leftover, digests: dict[str, bytes], result: Survey) -> None:
    """Find the same items in the same folder under other ids: the server renumbered, nothing is wrong.

    If the place of an item is known, nothing is renumbered: what lies elsewhere is a user's, or landed late.
    """
    if not leftover.absent or not digests or leg.context.target.replaces:
        return
    expected_items = [Wanted(e.key, e.digest, e.size, None, None) for e in leftover.absent.values()]
    reunited = _unite(leftover, expected_items, digests)
    for old, expected in list(leftover.absent.items()):
        if (item := reunited.get(expected.key)) is not None:
            leg.ledger.rehref(expected.container, {expected.key: item.href})
            result.read[expected.container].add(expected.key)
            _compare_outside(leg, item, expected, result)
            del leftover.absent[old]


def _leave_in_doubt(leg: LegContext, leftover: Leftover, digests: dict[str, bytes]) -> None:
    """Leave out strangers that a worker may have been writing when it died.

    The next pass settles them. Until then the row is unchecked, and the item is not one too many.
    """
    if not leftover.strangers or not digests:
        return
    writing = (
        row for container in leftover.containers for row in leg.ledger.rows(container.id, (State.WRITING,))
    )
    expected_items = [Wanted(row.key, row.digest, row.size or 0, row.since) for row in writing if row.digest]
    _unite(leftover, expected_items, digests)


def _unite(
    leftover: Leftover, expected_items: list[Wanted], digests: dict[str, bytes]
) -> dict[bytes, Listed]:
    """Remove from the strangers what these rows are; return it by key."""
    listed = {item.href: item for item in leftover.strangers}
    free = [TargetItem(item.href, item.size, item.message_id) for item in leftover.strangers]
    pairs = match(expected_items, free, digests).pairs
    used_hrefs = set(pairs.values())
    leftover.strangers = [item for item in leftover.strangers if item.href not in used_hrefs]
    return {key: listed[href] for key, href in pairs.items()}


def _digests_of_own_folders(
    leg: LegContext, leftovers: list[Leftover], known: Collection[str]
) -> dict[str, dict[str, bytes]]:
    """Return the digests of what a user's own folders hold, of items that may be those that were not found.

    In the live phase a user, or a filter of their client, may move an item before it was read back.
    """
    absent = [e for leftover in leftovers for e in leftover.absent.values() if not _is_theirs(leg, e)]
    if leg.mirror or not absent or leg.context.target.replaces:
        return {}
    sizes = {e.size for e in absent}
    digests: dict[str, dict[str, bytes]] = {}
    for container in leg.target.containers():
        if container.id in known or container.omit is not None:
            continue
        with unless_missing():
            digests[container.id] = {one.href: digest for one, digest in sized_like(leg, container.id, sizes)}
    return digests


def _report(
    leg: LegContext, leftovers: list[Leftover], digests: dict[str, dict[str, bytes]], result: Survey
) -> None:
    elsewhere: dict[bytes, list[tuple[str, str]]] = defaultdict(list)
    strangers = {leftover.href: {item.href for item in leftover.strangers} for leftover in leftovers}
    for href, items in digests.items():
        for item, digest in items.items():
            if item in strangers.get(href, items):
                elsewhere[digest].append((href, item))
    moved: set[tuple[str, str]] = set()
    for leftover in leftovers:
        lost = _lost(leg, leftover)
        for href, expected in leftover.absent.items():
            if href in lost:
                _add_finding(result, expected, Outcome.MISSING, None, TARGET_RESTORED)
            if href in lost or _is_theirs(leg, expected):
                continue
            places = elsewhere[expected.digest]
            place = next((entry for entry in reversed(places) if entry[0] != leftover.href), None)
            if place is not None:
                places.remove(place)
                moved.add(place)
                _judge_moved(leg, expected, place, result)
            else:
                _add_finding(result, expected, Outcome.MISSING, None, "")
    positions: dict[int, str | None] = {}
    for leftover in leftovers:
        clean = _report_extras(leg, leftover, digests.get(leftover.href, {}), moved, result)
        positions |= _surveyed(leg, leftover, clean=clean)
    leg.ledger.surveyed(positions)


def _lost(leg: LegContext, leftover: Leftover) -> set[str]:
    """Return what a live mailbox lost because its folder was put back to a backup.

    The folder is asked only if something is absent that had a higher number than all that is there.
    """
    highest = leftover.position
    if leg.mirror or leg.context.target.replaces or highest is None:
        return set()
    absent = {href for href in leftover.absent if not highest or is_unreached(highest, href)}
    if not absent:
        return set()
    position = leg.target.position(leftover.href)
    return {href for href in absent if is_unreached(position, href)}


def _judge_moved(leg: LegContext, expected: Expected, place: tuple[str, str], result: Survey) -> None:
    """Report an item that was read in another folder than it was written to.

    In the live phase its user moved it, so it has arrived.
    """
    if not leg.mirror:
        result.read[expected.container].add(expected.key)
        return
    result.receiving.add(place[0])
    _add_finding(result, expected, Outcome.DIFFERS, place[1], "folder")


def _report_extras(
    leg: LegContext,
    leftover: Leftover,
    digests: dict[str, bytes],
    moved: set[tuple[str, str]],
    result: Survey,
) -> bool:
    """Report items that belong to no row.

    In the live phase the user's own items do not concern us; copies of ours still do. In the frozen phase
    mail may be redirected to the target: what came after the last clean look was delivered.

    Returns:
        True if there is no unexpected item.
    """
    extras = [item for item in leftover.strangers if (leftover.href, item.href) not in moved]
    our_digests = _digests(leg, leftover) if extras else set()
    unknown = [item.href for item in extras if digests.get(item.href) not in our_digests]
    unexpected = _unexpected(leg, leftover.href, unknown)
    for item in extras:
        if digests.get(item.href) in our_digests:
            finding = Finding(Outcome.EXTRA, None, item.href, "duplicate")
        elif item.href not in unexpected:
            continue
        elif _is_delivered(leg, leftover, item):
            finding = Finding(Outcome.DELIVERED, None, item.href, "")
        else:
            detail = RENUMBERED if _is_renumbered(leg, leftover, item) else "unknown"
            finding = Finding(Outcome.EXTRA, None, item.href, detail)
        result.findings[leftover.containers[0].id].append(finding)
    return not unexpected


def _is_delivered(leg: LegContext, leftover: Leftover, item: Listed) -> bool:
    """Return True if an item came to a frozen mailbox after the last look at the folder in staging.

    A late write of ours has one of our digests, and was told apart before.
    """
    if leg.mailbox.phase is not Phase.FROZEN:
        return False
    marks = {container.surveyed for container in leftover.containers}
    return None not in marks and all(mark == "" or reaches(mark, item.href) for mark in marks)


def _is_renumbered(leg: LegContext, leftover: Leftover, item: Listed) -> bool:
    """Return True if the target gave a frozen folder another UIDVALIDITY since the last look in staging."""
    marks = {container.surveyed for container in leftover.containers}
    is_known = None not in marks and leg.mailbox.phase is Phase.FROZEN
    return is_known and any(mark and era_of(mark) != era_of(item.href) for mark in marks)


def _surveyed(leg: LegContext, leftover: Leftover, *, clean: bool) -> dict[int, str | None]:
    """Return, by the ids of containers, up to where a folder was examined in staging, if that is news.

    If items have no order, only a clean look proves that a later stranger was not there.
    """
    if leg.mailbox.phase is not Phase.STAGING:
        return {}
    position = leftover.position or ("" if clean and leftover.position is not None else None)
    return {row.id: position for row in leftover.containers if row.surveyed != position}


def _unexpected(leg: LegContext, href: str, hrefs: list[str]) -> set[str]:
    """Return the items that are not expected.

    In staging neither provisioning mail is, nor what was there when a person approved a target that was not
    empty. Nor is a meeting of a colleague, where one event is everybody's: its own leg knows it, or it was
    called at the target. Nor is an own meeting that the source deleted and that stays for its guests.
    """
    if not leg.mirror or not hrefs or leg.approved("target-not-empty"):
        return set()
    others = set(hrefs) - artefacts_among(leg.target, href, hrefs, leg.artefacts)
    if leg.context.target.shares_events:
        meetings = leg.ledger.meetings
        others -= meetings.of_colleagues(hrefs) | meetings.kept_for_guests(hrefs)
    return others - invitations_among(leg.target, href, sorted(others))


def _digests(leg: LegContext, leftover: Leftover) -> set[bytes]:
    """Return the digests of everything that Kogge wrote or tried to write.

    Late writes may be gone from the source.

    In the live phase items that are gone do not count, because the user may have a copy of them.
    """
    states = None if leg.mirror else [state for state in State if state is not State.GONE]
    rows = (row for container in leftover.containers for row in leg.ledger.rows(container.id, states))
    lost = leg.in_doubt[leftover.href].digests if leftover.href in leg.in_doubt else {}
    return {row.digest for row in rows if row.digest is not None} | lost.keys()


def _is_sampled(expected: Expected, asked: Asked) -> bool:
    """Return True if an item is in the sample, which is always the same and cannot be foreseen."""
    if expected.key in asked.doubtful.get(expected.container, ()):
        return True
    if expected.verified and not asked.again:
        return False
    return asked.share >= 1 or int.from_bytes(expected.key[:4], "big") < asked.share * 2**32


def _add_finding(result: Survey, expected: Expected, outcome: Outcome, href: str | None, detail: str) -> None:
    result.findings[expected.container].append(Finding(outcome, expected.key, href, detail))
