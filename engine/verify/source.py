"""Compare what the source says now with the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from engine.context.answers import SILENT, fetched, is_silence
from engine.context.leg_context import LegContext, as_container
from engine.steps import item_dates
from engine.steps.listing import discover
from engine.verify import occurrences
from engine.verify.occurrences import Almanac
from ledger.db.encoding import version_hash
from ledger.db.rows import KEPT, STALE, UNSTABLE, ContainerRow, Finding, ItemRow, Outcome, State
from mappings.fields.file_names import partings
from mappings.losses.catalogue import lose
from model.errors import PUT_BACK, CursorLost, Rejected
from model.protocols import Body, Container, Failed, Loss, Mapped, Native, Page, key_of
from model.target_losses import ATTACHMENT_REFUSED, KEYWORDS_NOT_TAKEN

HELD = (State.WRITTEN, State.VERIFIED)
ANSWERS_STAY = lose("attendee", "answer-stays")
CHUNK = 100
DETAIL_MOST = 64
ELSE = "source-body"
UNREADABLE, OTHER_NAME, OTHER_DATE = "source-unreadable", "source-name", "source-date"
FOUND = frozenset({ELSE, STALE, UNSTABLE, UNREADABLE, OTHER_NAME, OTHER_DATE, occurrences.DETAIL})
"""The details of findings that reading the source makes."""
APART = 2.0
"""Seconds between two readings of an item: some servers render the moment of reading, to the second."""
PARTINGS = 9


@dataclass(frozen=True, slots=True)
class SourceState:
    """Hold what the source says of its containers.

    Attributes:
        totals: the source's own count of items by source id; None if it does not count.
        findings: what the source says beyond the ledger, by the id of the container.
        listed: its containers, see discover.listed.
    """

    totals: Mapping[str, int | None]
    findings: Mapping[int, list[Finding]]
    listed: Sequence[Container]


def containers(leg: LegContext) -> SourceState:
    """List the source's containers again.

    A container that the ledger does not know is recorded, so that it has a place to be found at. It is
    UNCHECKED as long as no pass gave it a place at the target; so is a container that is gone or has another
    name.
    """
    rows = {row.source_id: row for row in leg.ledger.containers()}
    totals: dict[str, int | None] = {}
    details: dict[int, str] = {}
    listed = discover.listed(leg, rows)
    for container in listed:
        totals[container.id] = container.total
        row = rows.get(container.id)
        if row is None or (row.omit is not None and container.omit is None):
            row = leg.ledger.record_container(container)
            if container.omit is None:
                details[row.id] = "new-folder"
        elif row.gone or (row.href is None and container.omit is None):
            details[row.id] = "new-folder"
        elif leg.mirror and container.omit is None and row.path != container.path:
            details[row.id] = "renamed-folder"
    for source_id, row in rows.items():
        if leg.mirror and source_id not in totals and not row.gone:
            details[row.id] = "gone-folder"
    findings = {number: [Finding(Outcome.UNCHECKED, None, None, word)] for number, word in details.items()}
    return SourceState(totals, findings, listed)


def relist(leg: LegContext, container: ContainerRow, total: int | None) -> list[Finding]:
    """List the items of the source again.

    Anything beyond the ledger is UNCHECKED ("changed since"): it never counts as a success, and the next pass
    copies it. In the live phase only new items are, because nothing else that the source does is carried
    over.

    Args:
        leg: the open leg.
        container: the container.
        total: the source's own count; None if it does not count.
    """
    if container.gone:
        return []
    versions = {row.key: row.version for row in leg.ledger.rows(container.id) if row.state is not State.GONE}
    if total == 0 and not versions and container.cursor is not None:
        return []  # the source counts 0 items now, and it was listed to its end before
    changed: dict[bytes, str] = {}
    listed = _since_cursor(leg, container, versions, changed)
    if listed is None:
        present = discover.present(leg, container)
        listed = len(present)
        changed.update({key: "new" for key in present if key not in versions})
        changed.update({key: "gone" for key in versions if key not in present})
    reported = {key: detail for key, detail in changed.items() if leg.mirror or detail == "new"}
    findings = [Finding(Outcome.UNCHECKED, key, None, detail) for key, detail in reported.items()]
    if total is not None and listed != total and leg.mirror:
        findings.append(Finding(Outcome.UNCHECKED, None, None, "total"))
    return findings


@dataclass(frozen=True, slots=True)
class Reading:
    """Hold what the bodies of a container say.

    Attributes:
        findings: what differs from what was copied.
        doubted: the meaning of each body that differs, by key; `again` reads them once more.
        lost: how many items of a live mailbox the source lost because it was put back to a backup.
    """

    findings: list[Finding]
    doubted: Mapping[bytes, bytes]
    lost: int = 0


def reread(leg: LegContext, container: ContainerRow) -> Reading:
    """Read every body of the source again.

    Exchange rebuilds MIME, so a body that differs in bytes but has the same meaning is REBUILT. An item about
    which the source says nothing is UNCHECKED. Anything else is doubted until it was read once more. For
    calendars the source is also asked when the events take place.
    """
    almanac = Almanac(leg.began) if leg.traits.occurs else None
    reading = _read_again(leg, container, leg.ledger.rows(container.id, HELD), almanac)
    if almanac is not None:
        reading.findings.extend(occurrences.compare(leg, container, almanac))
    return reading


def reread_found(leg: LegContext, container: ContainerRow) -> Reading:
    """Read again, at the source, the items of which the last verification found something there.

    So a verification that reads no other body of the source takes none of these findings away unseen. A
    calendar with an event that takes place otherwise is read as a whole.
    """
    found = [
        (entry.key, detail)
        for entry in leg.ledger.findings(container.id)
        if entry.key is not None and (detail := entry.detail.removeprefix(f"{KEPT}:")) in FOUND
    ]
    if any(detail == occurrences.DETAIL for _, detail in found):
        return reread(leg, container)
    rows = (
        row
        for key in sorted({key for key, _ in found})
        if (row := leg.ledger.row(container.id, key)) is not None
    )
    held = (row for row in rows if row.state in HELD)
    return _read_again(leg, container, held, None)


def _read_again(
    leg: LegContext, container: ContainerRow, rows: Iterator[ItemRow], almanac: Almanac | None
) -> Reading:
    findings: list[Finding] = []
    first: dict[bytes, bytes] = {}
    lost = 0
    while chunk := list(islice(rows, CHUNK)):
        leg.check()
        for row, result in fetched(leg, container, chunk):
            leg.check()
            if not leg.mirror and isinstance(result, Failed) and result.error.code == "vanished":
                lost += result.error.detail == PUT_BACK  # what the source lacks concerns no live mailbox
                continue
            findings += _judge(leg, container, row, result, almanac, first)
    return Reading(findings, first, lost)


def again(
    leg: LegContext, container: ContainerRow, findings: Sequence[Finding], doubted: Mapping[bytes, bytes]
) -> list[Finding]:
    """Return the findings, after a second reading of items whose body differed at the first.

    Two readings that differ from each other are UNSTABLE. What was copied may equal either reading. Between
    the two readings lie at least APART seconds, for which whoever calls this waits.

    Args:
        leg: the open leg.
        container: the container.
        findings: those of the first reading, and any others.
        doubted: see Reading.
    """
    second: dict[bytes, Finding] = {}
    keys = iter(doubted)
    while chunk := list(islice(keys, CHUNK)):
        leg.check()
        rows = [row for key in chunk if (row := leg.ledger.row(container.id, key)) is not None]
        for row, result in fetched(leg, container, rows):
            mapped = None if isinstance(result, Failed) else mapped_again(leg, result)
            if mapped is None:
                continue
            if mapped.item.digest == row.digest or _says_the_same(leg, container, row, mapped):
                second[row.key] = Finding(Outcome.REBUILT, row.key, row.href)
            elif _meaning(leg, mapped) != doubted[row.key]:
                second[row.key] = Finding(Outcome.DIFFERS, row.key, row.href, UNSTABLE)
    return [
        second.get(entry.key, entry) if entry.key is not None and entry.detail in (ELSE, STALE) else entry
        for entry in findings
    ]


def _since_cursor(
    leg: LegContext, container: ContainerRow, versions: dict[bytes, str], changed: dict[bytes, str]
) -> int | None:
    """Return how many items there are if the source listed everything anyway; else None."""
    full = False
    present: set[bytes] = set()
    try:
        for page in leg.source.changes(as_container(container), container.cursor):
            leg.check()
            full = full or page.full
            present.update(key_of(ref.id) for ref in page.refs if not ref.deleted)
            _note_changes(page, versions, changed)
    except CursorLost:
        return None
    if not full:
        return None
    changed.update({key: "gone" for key in versions if key not in present})
    return len(present)


def _note_changes(page: Page, versions: dict[bytes, str], changed: dict[bytes, str]) -> None:
    for ref in page.refs:
        key = key_of(ref.id)
        if ref.deleted:
            if key in versions:
                changed[key] = "gone"
        elif key not in versions:
            changed[key] = "new"
        elif versions[key] != version_hash(ref.version):
            changed[key] = "changed"


def _judge(
    leg: LegContext,
    container: ContainerRow,
    row: ItemRow,
    result: Native | Failed,
    almanac: Almanac | None,
    first: dict[bytes, bytes],
) -> Iterator[Finding]:
    """Yield the findings of one item; note in `first` the meaning of a body that is not what was copied."""
    if is_silence(result):
        yield Finding(Outcome.UNCHECKED, row.key, row.href, SILENT)
        return
    mapped = None if isinstance(result, Failed) else mapped_again(leg, result)
    if mapped is None:
        yield Finding(Outcome.ERROR, row.key, row.href, UNREADABLE)
        return
    if _has_other_flags(leg, container, row, mapped):
        yield Finding(Outcome.UNCHECKED, row.key, row.href, "changed")
    same_version = isinstance(result, Native) and version_hash(result.ref.version) == row.version
    if same_version and (detail := _differing_label(leg, row, mapped)):
        yield Finding(Outcome.DIFFERS, row.key, row.href, detail)
    if _is_as_copied(leg, container, row, mapped):
        if almanac is not None:
            almanac.note(row, mapped)
        return
    if _lacks_what_was_refused(leg, container, row, mapped):
        return
    if _says_the_same(leg, container, row, mapped):
        yield Finding(Outcome.REBUILT, row.key, row.href)
        return
    if same_version:
        first[row.key] = _meaning(leg, mapped)
    yield Finding(Outcome.DIFFERS, row.key, row.href, STALE if leg.form.flagged else ELSE)


def _is_as_copied(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    """Return True if the source's record still is what was copied, or what stands for it at the target."""
    return (
        mapped.item.digest == row.digest
        or _stands_for(leg, container, row, mapped)
        or _has_stored_answers(leg, container, row, mapped)
    )


def is_right(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    """Return True if the source's record asks for no other copy than there is."""
    return (
        _is_as_copied(leg, container, row, mapped)
        or _lacks_what_was_refused(leg, container, row, mapped)
        or _says_the_same(leg, container, row, mapped)
    )


def _has_other_flags(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    """Return True if the source has other flags than were written.

    Keywords that the target did not take are a loss, and no change.
    """
    now = {flag.lower() for flag in mapped.item.flags}
    written = {flag.lower() for flag in (row.flags or "").split()}
    if now == written:
        return False
    if written - now or any(flag.startswith("\\") for flag in now - written):
        return True
    return row.key not in leg.ledger.losses.of([KEYWORDS_NOT_TAKEN]).get(container.id, ())


def _meaning(leg: LegContext, mapped: Mapped) -> bytes:
    with mapped.item.body() as stream:
        return leg.form.meaning(stream, leg.began, mapped.item.flags)


def _differing_label(leg: LegContext, row: ItemRow, mapped: Mapped) -> str:
    """Return the detail if a file's name, or an item's date, differs at the source from what was written.

    Else "".
    """
    rules, item = leg.context.target.files, mapped.item
    if not leg.mirror:
        return ""
    if rules is not None and item.name is not None:
        names = (item.name, *islice(partings(item.name, row.key, rules), PARTINGS))
        if str(row.href) not in names:
            return OTHER_NAME
    date = item_dates.target_date(row, item.date, mapped.losses)
    if row.date is not None and date is not None and int(date.timestamp()) != row.date:
        return OTHER_DATE
    return ""


def mapped_again(leg: LegContext, native: Native) -> Mapped | None:
    """Return what the source's record becomes now; None if it can no longer be mapped."""
    try:
        return None if leg.form.skip(native) else leg.form.map(native, leg.reading())
    except Rejected:
        return None


def _says_the_same(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    for _, copy in leg.target.read(str(container.href), [str(row.href)]):
        if isinstance(copy, Native) and copy.body is not None:
            with mapped.item.body() as source, copy.body() as target:
                form, moment, flags = leg.form, leg.began, mapped.item.flags
                return form.meaning(source, moment, flags) == form.meaning(target, moment, flags)
    return False


def _lacks_what_was_refused(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    """Return True if the copy differs in attachments alone, and one that the target refused is a loss."""
    if row.key not in leg.ledger.losses.of([ATTACHMENT_REFUSED]).get(container.id, ()):
        return False
    for _, copy in leg.target.read(str(container.href), [str(row.href)]):
        if isinstance(copy, Native) and copy.body is not None:
            with mapped.item.body() as source, copy.body() as target:
                return _field_names(leg, source, target) == "attachments"
    return False


def _stands_for(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    if leg.is_ours(row) or not mapped.item.invited:
        return False
    return any(
        isinstance(copy, Native)
        and copy.body is not None
        and _losses_by_copy(leg, mapped, copy.body) is not None
        for _, copy in leg.target.read(str(container.href), [str(row.href)])
    )


def _has_stored_answers(leg: LegContext, container: ContainerRow, row: ItemRow, mapped: Mapped) -> bool:
    """Return True if nothing but answers, which the target does not take from an organizer, differs."""
    if row.key not in leg.ledger.losses.of([ANSWERS_STAY]).get(container.id, ()):
        return False
    for _, copy in leg.target.read(str(container.href), [str(row.href)]):
        if isinstance(copy, Native) and copy.body is not None:
            with mapped.item.body() as ours, copy.body() as theirs:
                return leg.form.differing(ours, theirs, leg.began) == ("answers",)
    return False


def _losses_by_copy(leg: LegContext, mapped: Mapped, copy: Body) -> tuple[Loss, ...] | None:
    """Return what an item loses by a copy of someone else's; see mappings.registry.ItemForm.shared."""
    if leg.form.shared is None:
        return None
    with mapped.item.body() as own, copy() as copied:
        return leg.form.shared(own, copied, leg.began, mapped.item.invited)


def stands_for(leg: LegContext, container_id: int, key: bytes, copy: Body) -> bool:
    """Return True if a copy found at the target, which has changed since, is still this item's meeting.

    Other people may have answered the organizer since. What the item loses by it is recorded.

    Args:
        leg: the open leg.
        container_id: the container.
        key: the key of the item.
        copy: the copy at the target.
    """
    mapped = _source(leg, container_id, key)
    losses = _losses_by_copy(leg, mapped, copy) if mapped is not None and mapped.item.invited else None
    leg.ledger.lose(container_id, key, losses or ())
    return losses is not None


def differing(leg: LegContext, container_id: int, key: bytes, copy: Body) -> str:
    """Return in which fields a copy at the target differs from what the source's record becomes.

    Returns:
        For example "start" or "attendees+text"; "body" if no more is known, because the source changed since
            or does not answer.
    """
    row, mapped = leg.ledger.row(container_id, key), _source(leg, container_id, key)
    if row is None or mapped is None or mapped.item.digest != row.digest:
        return "body"
    with mapped.item.body() as ours, copy() as theirs:
        return _field_names(leg, ours, theirs)


def _source(leg: LegContext, container_id: int, key: bytes) -> Mapped | None:
    """Return what the item's record becomes now.

    None if the source does not give it, or if it cannot be mapped.
    """
    row = leg.ledger.row(container_id, key)
    container = next(entry for entry in leg.ledger.containers() if entry.id == container_id)
    if row is None:
        return None
    for _, result in fetched(leg, container, [row]):
        if isinstance(result, Native):
            return mapped_again(leg, result)
    return None


def _field_names(leg: LegContext, ours: BinaryIO, theirs: BinaryIO) -> str:
    try:
        fields = leg.form.differing(ours, theirs, leg.began)
    except Rejected:
        return "body"
    words = list(fields) or ["body"]
    while len("+".join(words)) > DETAIL_MOST:
        words[-2:] = ["more"]
    return "+".join(words)
