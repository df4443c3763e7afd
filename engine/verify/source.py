"""What the source says now, held against the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from engine.context.fetch_results import SILENT, FetchResults
from engine.context.leg_context import LegContext, as_container
from engine.steps import discover, item_dates
from engine.verify import occurrences
from engine.verify.occurrences import Almanac
from ledger.db.encoding import version_hash
from ledger.db.rows import STALE, UNSTABLE, ContainerRow, Finding, ItemRow, Outcome, State
from mappings.fields.file_names import partings
from model.errors import CursorLost, Rejected
from model.protocols import KEYWORDS_NOT_TAKEN, Body, Failed, Kind, Loss, Mapped, Native, Page, key_of

HELD = (State.WRITTEN, State.VERIFIED)
CHUNK = 100
DETAIL_MOST = 64
ELSE = "source-body"
PARTINGS = 9


@dataclass(frozen=True, slots=True)
class Now:
    """totals: the source's own count of every container it lists, by source id, where it tells. findings:
    what it says of containers beyond the ledger, by container."""

    totals: Mapping[str, int | None]
    findings: Mapping[int, list[Finding]]


def containers(leg: LegContext) -> Now:
    """Lists the source's containers again. One that the ledger does not know is recorded, so that it has
    a place to be found at; it, as long as no pass gave it a place at the target, and one that is gone or has
    another name, is UNCHECKED."""
    rows = {row.source_id: row for row in leg.ledger.containers()}
    totals: dict[str, int | None] = {}
    details: dict[int, str] = {}
    for found in discover.listed(leg, rows):
        totals[found.id] = found.total
        row = rows.get(found.id)
        if row is None or (row.omit is not None and found.omit is None):
            row = leg.ledger.record_container(found)
            if found.omit is None:
                details[row.id] = "new-folder"
        elif row.gone or (row.href is None and found.omit is None):
            details[row.id] = "new-folder"
        elif leg.mirror and found.omit is None and row.path != found.path:
            details[row.id] = "renamed-folder"
    for source_id, row in rows.items():
        if leg.mirror and source_id not in totals and not row.gone:
            details[row.id] = "gone-folder"
    findings = {number: [Finding(Outcome.UNCHECKED, None, None, word)] for number, word in details.items()}
    return Now(totals, findings)


def relist(leg: LegContext, container: ContainerRow, total: int | None) -> list[Finding]:
    """Lists the source again. Anything it says beyond the ledger is UNCHECKED ("changed since"): never a
    success, and the next pass will bring it. In the live phase that is only what is new: nothing else the
    source does is carried over."""
    if container.gone:
        return []
    known = {row.key: row.version for row in leg.ledger.rows(container.id) if row.state is not State.GONE}
    if total == 0 and not known and container.cursor is not None:
        return []  # empty by the source's own count of just now, and it was listed to its end before
    changed: dict[bytes, str] = {}
    listed = _since_cursor(leg, container, known, changed)
    if listed is None:
        present = discover.present(leg, container)
        listed = len(present)
        changed.update({key: "new" for key in present if key not in known})
        changed.update({key: "gone" for key in known if key not in present})
    owed = {key: detail for key, detail in changed.items() if leg.mirror or detail == "new"}
    found = [Finding(Outcome.UNCHECKED, key, None, detail) for key, detail in owed.items()]
    if total is not None and listed != total and leg.mirror:
        found.append(Finding(Outcome.UNCHECKED, None, None, "total"))
    return found


def reread(leg: LegContext, container: ContainerRow) -> list[Finding]:
    """Reads every body of the source again. Exchange rebuilds MIME, so a body that differs in bytes but
    says the same is REBUILT; one of which the source says nothing is UNCHECKED. What is neither is read
    once more: two readings that differ from each other are UNSTABLE. Of calendars, the source is asked when
    they take place, too."""
    found: list[Finding] = []
    first: dict[bytes, bytes] = {}
    almanac = Almanac(leg.began) if leg.kind is Kind.CALENDAR else None
    rows = leg.ledger.rows(container.id, HELD)
    answers = FetchResults(leg, container)
    while chunk := list(islice(rows, CHUNK)):
        leg.check()
        for row, result in answers.about(chunk):
            leg.check()
            found += _judge(leg, container, row, result, almanac, first)
    found = [*_read_again(leg, container, found, first)]
    found += [Finding(Outcome.UNCHECKED, row.key, row.href, SILENT) for row in answers.silent]
    answers.record()
    if almanac is not None:
        found += occurrences.compare(leg, container, almanac)
    return found


def _since_cursor(
    leg: LegContext, container: ContainerRow, known: dict[bytes, str], changed: dict[bytes, str]
) -> int | None:
    """How many items there are, when the source enumerated everything anyway; else None."""
    full = False
    seen: set[bytes] = set()
    try:
        for page in leg.source.changes(as_container(container), container.cursor):
            leg.check()
            full = full or page.full
            seen.update(key_of(ref.id) for ref in page.refs if not ref.deleted)
            _note(page, known, changed)
    except CursorLost:
        return None
    if not full:
        return None
    changed.update({key: "gone" for key in known if key not in seen})
    return len(seen)


def _note(page: Page, known: dict[bytes, str], changed: dict[bytes, str]) -> None:
    for ref in page.refs:
        key = key_of(ref.id)
        if ref.deleted:
            if key in known:
                changed[key] = "gone"
        elif key not in known:
            changed[key] = "new"
        elif known[key] != version_hash(ref.version):
            changed[key] = "changed"


def _judge(
    leg: LegContext,
    container: ContainerRow,
    row: ItemRow,
    result: Native | Failed,
    almanac: Almanac | None,
    first: dict[bytes, bytes],
) -> Iterator[Finding]:
    """first: takes what a body means that is not what was copied."""
    mapped = None if isinstance(result, Failed) else mapped_again(leg, result)
    if mapped is None:
        yield Finding(Outcome.ERROR, row.key, row.href, "source-unreadable")
        return
    if _has_other_flags(leg, container, row, mapped):
        yield Finding(Outcome.UNCHECKED, row.key, row.href, "changed")
    same_version = isinstance(result, Native) and version_hash(result.ref.version) == row.version
    if same_version and (detail := _called_else(leg, row, mapped)):
        yield Finding(Outcome.DIFFERS, row.key, row.href, detail)
    if mapped.item.digest == row.digest or _stands_for(leg, container, row, mapped):
        if almanac is not None:
            almanac.note(row, mapped)
        return
    if _says_the_same(leg, container, row, mapped):
        yield Finding(Outcome.REBUILT, row.key, row.href)
        return
    if same_version:
        first[row.key] = _meaning(leg, mapped)
    yield Finding(Outcome.DIFFERS, row.key, row.href, ELSE if leg.form.flags is None else STALE)


def _has_other_flags(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    """Whether the source says other flags than were written. Keywords that the target did not take are named
    as a loss, and are no change."""
    now = {flag.lower() for flag in mapped.item.flags}
    written = {flag.lower() for flag in (row.flags or "").split()}
    if now == written:
        return False
    if written - now or any(flag.startswith("\\") for flag in now - written):
        return True
    return row.key not in leg.ledger.losses.of([KEYWORDS_NOT_TAKEN]).get(container.id, ())


def _read_again(
    leg: LegContext, container: ContainerRow, found: Sequence[Finding], first: Mapping[bytes, bytes]
) -> Iterator[Finding]:
    """The findings, with a second reading of what had another body at the first. What was copied may be as
    either of them."""
    again: dict[bytes, Finding] = {}
    keys = iter(first)
    while chunk := list(islice(keys, CHUNK)):
        leg.check()
        rows = [row for key in chunk if (row := leg.ledger.row(container.id, key)) is not None]
        for row, result in FetchResults(leg, container).about(rows):
            mapped = None if isinstance(result, Failed) else mapped_again(leg, result)
            if mapped is None:
                continue
            if mapped.item.digest == row.digest or _says_the_same(leg, container, row, mapped):
                again[row.key] = Finding(Outcome.REBUILT, row.key, row.href)
            elif _meaning(leg, mapped) != first[row.key]:
                again[row.key] = Finding(Outcome.DIFFERS, row.key, row.href, UNSTABLE)
    for entry in found:
        yield (
            again.get(entry.key, entry) if entry.key is not None and entry.detail in (ELSE, STALE) else entry
        )


def _meaning(leg: LegContext, mapped: Mapped) -> bytes:
    with mapped.item.body() as stream:
        return leg.form.tolerant(stream, leg.began)


def _called_else(leg: LegContext, row: ItemRow, mapped: Mapped) -> str:
    """Whether a file's name, or an item's date, is another one at the source than was written; "" if not."""
    rules, item = leg.context.target.files, mapped.item
    if not leg.mirror:
        return ""
    if rules is not None and item.name is not None:
        names = (item.name, *islice(partings(item.name, row.key, rules), PARTINGS))
        if str(row.href) not in names:
            return "source-name"
    date = item_dates.wanted(row, item.date, mapped.losses)
    if row.date is not None and date is not None and int(date.timestamp()) != row.date:
        return "source-date"
    return ""


def mapped_again(leg: LegContext, native: Native) -> Mapped | None:
    """What the source's record becomes now; None when it cannot be mapped any more."""
    try:
        return None if leg.form.skip(native) else leg.form.map(native, leg.reading())
    except Rejected:
        return None


def _says_the_same(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    for _, copy in leg.target.read(str(container.href), [str(row.href)]):
        if isinstance(copy, Native) and copy.body is not None:
            with mapped.item.body() as source, copy.body() as target:
                form, moment = leg.form, leg.began
                return form.tolerant(source, moment) == form.tolerant(target, moment)
    return False


def _stands_for(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    if leg.is_ours(row) or not mapped.item.invited:
        return False
    return any(
        isinstance(copy, Native) and copy.body is not None and _lost(leg, mapped, copy.body) is not None
        for _, copy in leg.target.read(str(container.href), [str(row.href)])
    )


def _lost(leg: LegContext, mapped: Mapped, copy: Body) -> tuple[Loss, ...] | None:
    """See mappings.registry.ItemForm.shared."""
    if leg.form.shared is None:
        return None
    with mapped.item.body() as own, copy() as found:
        return leg.form.shared(own, found, leg.began, mapped.item.invited)


def stands_for(leg: LegContext, container_id: int, key: bytes, copy: Body) -> bool:
    """Whether what was found at the target, and means something else by now, still is the meeting of this
    item: others have answered the organizer since. What the item loses by it is recorded."""
    mapped = _source(leg, container_id, key)
    losses = _lost(leg, mapped, copy) if mapped is not None and mapped.item.invited else None
    leg.ledger.lose(container_id, key, losses or ())
    return losses is not None


def differing(leg: LegContext, container_id: int, key: bytes, copy: Body) -> str:
    """In which fields a copy at the target differs from what the source's record becomes: "start",
    "attendees+text". "body" where only that is known: the source changed since, or does not answer."""
    row, mapped = leg.ledger.row(container_id, key), _source(leg, container_id, key)
    if row is None or mapped is None or mapped.item.digest != row.digest:
        return "body"
    with mapped.item.body() as ours, copy() as theirs:
        return _named(leg, ours, theirs)


def _source(leg: LegContext, container_id: int, key: bytes) -> Mapped | None:
    """What the item's record becomes now; None when the source does not give it, or it cannot be mapped."""
    row = leg.ledger.row(container_id, key)
    container = next(entry for entry in leg.ledger.containers() if entry.id == container_id)
    if row is None:
        return None
    for _, result in FetchResults(leg, container).about([row]):
        if isinstance(result, Native):
            return mapped_again(leg, result)
    return None


def _named(leg: LegContext, ours: BinaryIO, theirs: BinaryIO) -> str:
    try:
        fields = leg.form.differing(ours, theirs, leg.began)
    except Rejected:
        return "body"
    words = list(fields) or ["body"]
    while len("+".join(words)) > DETAIL_MOST:
        words[-2:] = ["more"]
    return "+".join(words)
