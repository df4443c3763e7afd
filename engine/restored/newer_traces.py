"""Find, in the target itself, that more was done with it than the ledger knows.

No mark is needed for that, so it holds on any machine and with any target that numbers what it takes. Two
things are looked for among the items that came above the highest number that the ledger knows of a folder:

- Copies of items that the ledger never copied. A newer ledger wrote them, so this one was restored from a
  backup (`ledger-restored`).
- Items that are nobody's copies, while copies of ours were read, marked or deleted there. A person works in
  the account, so the mailbox is not in the phase that the ledger says (`target-in-use`).

Only what is strange costs anything: a folder whose UIDNEXT the ledger knows is not listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from engine.context.answers import is_silence
from engine.context.leg_context import LegContext, as_container
from engine.context.restored_ledger_breaker import CODE as RESTORED
from engine.identity.provisioning_items import artefacts_among
from engine.restored.restored_target import is_unreached
from engine.steps.listing.discover import Sides
from engine.steps.positions import era_of, number_of
from engine.steps.settling.reconcile import AT_TARGET
from engine.steps.target_reading import full_listing, read_digests, unless_missing
from ledger.db.rows import ContainerRow, ItemRow, State
from model.errors import Blocked, CursorLost, Rejected
from model.protocols import Container, Failed, Listed, Native, Ref, key_of

IN_USE = "target-in-use"
STRANGERS_MOST = 200
"""How many strange items of one folder are read."""
NEWS_MOST = 500
"""How many new items of one folder of the source are read in search of a strange one."""


@dataclass(slots=True)
class Traces:
    """Count what the target holds beyond the ledger.

    Attributes:
        copies: copies of items of the source that this ledger never wrote.
        foreign: items that are nobody's copies.
        touched: copies of ours that are gone or have other flags.
    """

    copies: int = 0
    foreign: int = 0
    touched: int = 0


@dataclass(slots=True)
class _Folder:
    """Hold what is strange in one folder of the target.

    Attributes:
        href: the folder.
        rows: the containers of the ledger that have it.
        strange: the digests of the strange items, by href.
        sizes: their sizes.
    """

    href: str
    rows: list[ContainerRow]
    strange: dict[str, bytes]
    sizes: set[int] = field(default_factory=set)


def refuse_newer(leg: LegContext, sides: Sides, unchanged: Collection[int], *, older: bool) -> bool:
    """Refuse a ledger that knows less than the target shows, before a pass writes anything.

    Args:
        leg: the open leg.
        sides: the containers of both sides, as they were just listed.
        unchanged: the containers that the target has as a verification found them.
        older: True if the ledger is known to be older, and a person approved that.

    Returns:
        True if the ledger is older, and a person approved that the pass goes on; see
            engine.steps.beginning.ledger_generation.adopt.

    Raises:
        Blocked: `ledger-restored` or `target-in-use` without an approval.
    """
    traces = look(leg, sides, unchanged)
    if traces.copies and not older and not leg.approved(RESTORED):
        leg.ledger.event(RESTORED, {"copies": traces.copies, "workload": leg.kind.value})
        raise _restored()
    if _is_in_use(leg, traces) and not leg.allowed_once(IN_USE, traces.touched):
        raise _in_use()
    return older or traces.copies > 0


def refuse_unwritten(leg: LegContext, sides: Sides) -> None:
    """Refuse as refuse_newer does, for a command that only looks: nothing is recorded or spent.

    Raises:
        Blocked: see refuse_newer.
    """
    traces = look(leg, sides, ())
    if traces.copies and not leg.approved(RESTORED):
        raise _restored()
    if _is_in_use(leg, traces) and not leg.approved(IN_USE):
        raise _in_use()


def _restored() -> Blocked:
    return Blocked(RESTORED, "the target holds copies that the ledger never wrote")


def _in_use() -> Blocked:
    return Blocked(IN_USE, "somebody works in the target account")


def _is_in_use(leg: LegContext, traces: Traces) -> bool:
    """Return True if somebody works in the account.

    A person who accepted what is in the account, for example after a rollback that left what its user had
    changed there, is not asked again.
    """
    return traces.foreign > 0 and traces.touched > 0 and not leg.approved("target-not-empty")


def look(leg: LegContext, sides: Sides, unchanged: Collection[int]) -> Traces:
    """Count what the target holds beyond the ledger; the source is asked only if something is strange.

    In the live phase nothing is looked for: what is strange there is its user's, and late mail that is there
    already is recognised by engine.steps.listing.late_mail.

    Args:
        leg: the open leg.
        sides: the containers of both sides.
        unchanged: the containers that the target has as a verification found them.
    """
    traces = Traces()
    if not leg.mirror or leg.target.place(b"") is not None or not leg.ledger.begun():
        return traces
    by_source = {container.id: container for container in sides.source}
    groups: dict[str, list[ContainerRow]] = defaultdict(list)
    for row in leg.ledger.containers():
        if row.href is not None and not row.gone:
            groups[row.href].append(row)
    for href, rows in groups.items():
        if any(row.id not in unchanged for row in rows):
            with unless_missing():
                folder = _strangers(leg, href, rows)
                if folder is not None and folder.strange:
                    _sort(
                        leg,
                        folder,
                        [by_source.get(row.source_id) or as_container(row) for row in rows],
                        traces,
                    )
    for folder, of_source in _unknown_folders(leg, sides, groups):
        _sort(leg, folder, of_source, traces)
    if traces.foreign:
        for href, rows in groups.items():
            with unless_missing():
                traces.touched += _touched(leg, href, rows)
    return traces


def _strangers(leg: LegContext, href: str, rows: list[ContainerRow]) -> _Folder | None:
    """Return what came into a folder above all that the ledger knows; None if nothing did."""
    position = leg.positions[href] = leg.target.position(href)
    first = _above_all(leg, rows, era_of(position))
    if first is None or not era_of(position) or first >= (number_of(position) or 0):
        return None
    claimed = leg.ledger.claimed(href)
    listed = [
        item for item in full_listing(leg, href, f"{era_of(position)}:{first}") if item.href not in claimed
    ]
    return _read(leg, href, rows, listed, rows)


def _read(
    leg: LegContext,
    href: str,
    rows: list[ContainerRow],
    listed: list[Listed],
    writers: Sequence[ContainerRow],
) -> _Folder:
    """Read what was listed of a folder; writers: the containers whose copies are not strange there."""
    newest = listed[-STRANGERS_MOST:]
    digests = read_digests(leg, href, [item.href for item in newest])
    ours = _digests(leg, href, writers) if digests else set()
    strange = {item: digest for item, digest in digests.items() if digest not in ours}
    return _Folder(href, rows, strange, {item.size for item in newest})


def _above_all(leg: LegContext, rows: list[ContainerRow], era: str) -> int | None:
    """Return the number above all that the ledger knows of a folder; None if it knows nothing.

    A folder that a person accepted with what was in it is known from the last verification on.
    """
    known = [item.href for row in rows for item in leg.ledger.rows(row.id, AT_TARGET) if item.href]
    numbers = [(number_of(href) or 0) + 1 for href in known if era_of(href) == era]
    surveyed = {row.surveyed for row in rows}
    numbers += [number_of(mark) or 0 for mark in surveyed if mark and era_of(mark) == era]
    if numbers:
        return max(numbers)
    is_other_era = bool(known) or any(surveyed)
    return None if is_other_era or leg.approved("target-not-empty") else 1


def _digests(leg: LegContext, href: str, rows: Sequence[ContainerRow]) -> set[bytes]:
    """Return the digests of all that this ledger wrote, or tried to write, into a folder."""
    tried = leg.in_doubt[href].digests.keys() if href in leg.in_doubt else set()
    written = {item.digest for row in rows for item in leg.ledger.rows(row.id) if item.digest is not None}
    return written | set(tried)


def _unknown_folders(
    leg: LegContext, sides: Sides, known: Mapping[str, object]
) -> Iterator[tuple[_Folder, list[Container]]]:
    """Yield the target's folders that hold something and that no row of the ledger has.

    One of ours that somebody renamed holds our copies: they are not strange.
    """
    if leg.approved("target-not-empty"):
        return
    rows = leg.ledger.containers()
    writers: list[ContainerRow] | None = None
    ours = {*known, *leg.ledger.elsewhere()} | {row.href for row in rows}
    by_path = {one.path: one for one in sides.source if one.omit is None}
    for container in sides.target.values():
        if container.id in ours or not container.total or container.omit is not None or container.readonly:
            continue
        with unless_missing():
            listed = list(full_listing(leg, container.id))
            if writers is None:  # it reads all rows
                writers = [row for row in rows if row.href is not None and _has_left(leg, sides, row)]
            found = by_path.get(container.path)
            yield _read(leg, container.id, [], listed, writers), [] if found is None else [found]


def _has_left(leg: LegContext, sides: Sides, row: ContainerRow) -> bool:
    """Return True if the folder of a container is not where it was: it has another name now, or none."""
    if row.href not in sides.target:
        return True
    era = era_of(leg.positions.get(row.href, ""))
    known = {era_of(item.href) for item in leg.ledger.rows(row.id, AT_TARGET) if item.href}
    return bool(era and known) and era not in known


def _sort(leg: LegContext, folder: _Folder, sources: list[Container], traces: Traces) -> None:
    """Count the strange items of a folder: copies that the ledger did not write, and others."""
    cursors = {row.source_id: row for row in folder.rows}
    wanted = set(folder.strange.values())
    found: set[bytes] = set()
    for container in sources:
        if wanted - found:
            found |= _digests_of_news(leg, container, cursors.get(container.id), folder.sizes) & wanted
    rest = [href for href, digest in folder.strange.items() if digest not in found]
    traces.copies += len(folder.strange) - len(rest)
    traces.foreign += len(rest) - len(artefacts_among(leg.target, folder.href, rest, leg.artefacts))


def _digests_of_news(
    leg: LegContext, container: Container, row: ContainerRow | None, sizes: Collection[int]
) -> set[bytes]:
    """Return the digests of items of a container that this ledger never copied; nothing is recorded."""
    news = _news(leg, container, row)
    fitting = [ref for ref in news if ref.size in sizes]
    others = [ref for ref in news if ref.size not in sizes]
    digests: set[bytes] = set()
    for result in leg.source.fetch(container, fitting + others[: max(0, NEWS_MOST - len(fitting))]):
        leg.check()
        digest = _digest(leg, result)
        if digest is not None:
            digests.add(digest)
    return digests


def _news(leg: LegContext, container: Container, row: ContainerRow | None) -> list[Ref]:
    seen = (
        []
        if row is None
        else [item for item in leg.ledger.rows(row.id, (State.SEEN,)) if item.digest is None]
    )
    refs = {item.key: Ref(item.source_id, item.version, size=item.size) for item in seen}
    for ref in _changes(leg, container, None if row is None else row.cursor):
        key = key_of(ref.id)
        if not ref.deleted and (row is None or leg.ledger.row(row.id, key) is None):
            refs[key] = ref
    return list(refs.values())


def _changes(leg: LegContext, container: Container, cursor: str | None) -> Iterator[Ref]:
    try:
        for page in leg.source.changes(container, cursor):
            leg.check()
            yield from page.refs
    except CursorLost:
        if cursor is not None:
            yield from _changes(leg, container, None)


def _digest(leg: LegContext, result: Native | Failed) -> bytes | None:
    if isinstance(result, Failed):
        if not isinstance(result.error, Rejected) and not is_silence(result):
            raise result.error
        return None
    try:
        return None if leg.form.skip(result) else leg.form.map(result, leg.reading()).item.digest
    except Rejected:
        return None


def _touched(leg: LegContext, href: str, rows: list[ContainerRow]) -> int:
    """Count the copies that were right at the last verification, and are gone or have other flags now."""
    expected = {str(item.href): item for row in rows for item in leg.ledger.rows(row.id, (State.VERIFIED,))}
    if not expected:
        return 0
    listed = {item.href: item for item in islice(full_listing(leg, href), None)}
    position = leg.positions.get(href) or leg.target.position(href)
    return sum(
        _is_touched(item, listed.get(place))
        for place, item in expected.items()
        if era_of(place) == era_of(position) and not is_unreached(position, place)
    )


def _is_touched(item: ItemRow, listed: Listed | None) -> bool:
    if listed is None:
        return True
    now = {flag.lower() for flag in listed.flags} - {"\\recent"}
    return now != {flag.lower() for flag in (item.flags or "").split()}
