"""Read appointments, contacts, tasks and notes as records, including what other requests must give.

A reply is read to its end first. Then the changed occurrences of all its series are requested together, and
the attachments of all of them; only then are records yielded. When a part disappeared meanwhile, the item is
requested again. A part that was only edited gives its item a new version, and the next pass reads both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from connectors.ews.attachments import attachments, contents
from connectors.ews.client import EwsClient
from connectors.ews.distribution_lists import Expansion
from connectors.ews.errors import REFUSED_FIELDS, TNS, EwsRefusal, refusal_of, translated
from connectors.ews.fetch import ANSWER, Again, Fetch, PageSize
from connectors.ews.fields import CLASS_ONLY, FORMATS, Shape
from connectors.ews.records import id_in, id_of, item_of, moment, number
from connectors.ews.requests import get_records
from connectors.ews.response_stream import ResponseMessage
from model.errors import MigrationError, Rejected
from model.kinds import Kind
from model.protocols import Body, Failed, Native, Ref, key_of

AGAIN_MOST = 2
ASKED_TO_LEARN = 5  # items of a probe for accepted fields
OWN_ELEMENTS = frozenset({"CalendarItem", "Contact", "DistributionList", "Task"})
HEAD = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<m:Items xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    b' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">'
)
TAIL = b"</m:Items>"
GONE = "vanished"
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ItemPart:
    """Hold one element of a record, and what it refers to.

    Attributes:
        ref: the item's ref with the version that was read.
        class_: its ItemClass.
        xml: the element.
        listless: True for a distribution list without its members.
        attachments: the attachments to read.
        occurrences: the changed occurrences, in the order of their original starts.
    """

    ref: Ref
    class_: str
    xml: bytes
    listless: bool = False
    attachments: tuple[Ref, ...] = ()
    occurrences: tuple[Ref, ...] = ()


class PartPlan:
    """Read single elements: the changed occurrences of series; see FetchPlan."""

    answer = ANSWER

    def __init__(self, client: EwsClient, shape: Shape) -> None:
        self._client = client
        self._shape = shape

    def request(self, ids: Sequence[str]) -> str:
        """Return the request for these ids."""
        return get_records(ids, self._shape.fields)

    def about(self, message: ResponseMessage) -> str:
        """Return the id of the item in a message, or ""."""
        return id_in(message.element)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> ItemPart | Failed | Again | None:
        """Return the element in a message."""
        del again  # a message that was parsed is complete
        return part_of(message, ref, self._shape.kind)

    def refused(self, ref: Ref, code: str) -> bool:
        """Return False: a series without one of its dates would be another series."""
        del ref, code
        return False

    def later(self) -> Iterator[ItemPart | Failed | Again]:
        """Return nothing: no result is delayed."""
        return iter(())

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        """Return True if the request asks for fewer fields from now on."""
        return lessen(self._client, self._shape, ids, refusals)


class RecordPlan:
    """Read items of one kind as complete records; without bodies, only their class. See FetchPlan."""

    answer = ANSWER

    def __init__(
        self, client: EwsClient, pace: PageSize, shape: Shape, expansion: Expansion, *, bodies: bool
    ) -> None:
        self._client = client
        self._pace = pace
        self._shape = shape
        self._expansion = expansion
        self._bodies = bodies
        self._read: list[tuple[ItemPart, int]] = []

    def request(self, ids: Sequence[str]) -> str:
        """Return the request for these ids."""
        return get_records(ids, self._shape.fields if self._bodies else CLASS_ONLY)

    def about(self, message: ResponseMessage) -> str:
        """Return the id of the item in a message, or ""."""
        return id_in(message.element)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> Native | Failed | Again | None:
        """Keep the element for `later`; without bodies, return the result at once."""
        part = part_of(message, ref, self._shape.kind)
        if not self._bodies:
            return self._native(part, {})
        self._read.append((part, again))
        return None

    def refused(self, ref: Ref, code: str) -> bool:
        """Return False: no refusal is handled."""
        del ref, code
        return False

    def later(self) -> Iterator[Native | Failed | Again]:
        """Read occurrences and attachments of the kept elements, and yield the records."""
        read, self._read = self._read, []
        changed = self._occurrences([part for part, _ in read])
        parts = [part for part, _ in read] + [item for item in changed.values() if isinstance(item, ItemPart)]
        files = contents(self._client, self._pace, (ref for part in parts for ref in part.attachments))
        for part, again in read:
            yield self._whole(part, changed, files, again)

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        """Return True if the request asks for fewer fields from now on."""
        return self._bodies and lessen(self._client, self._shape, ids, refusals)

    def _occurrences(self, masters: Sequence[ItemPart]) -> dict[str, ItemPart | MigrationError]:
        """Return the changed occurrences of series by id, or the error for each that is not given."""
        ids = {key_of(ref.id): ref for master in masters for ref in master.occurrences}
        results: dict[str, ItemPart | MigrationError] = {}
        for result in Fetch(self._client, self._pace, PartPlan(self._client, self._shape)).run(ids.values()):
            if isinstance(result, Failed):
                results[ids[result.key].id] = result.error
            else:
                results[result.ref.id] = result
        return results

    def _whole(
        self,
        part: ItemPart,
        changed: Mapping[str, ItemPart | MigrationError],
        files: Mapping[str, Body | MigrationError],
        again: int,
    ) -> Native | Failed | Again:
        """Return the record; ask again when a part disappeared meanwhile."""
        own = [changed[ref.id] for ref in part.occurrences]
        faults = [item for item in own if isinstance(item, MigrationError)]
        parts = [part, *(item for item in own if isinstance(item, ItemPart))]
        files_by_id = {ref.id: files[ref.id] for item in parts for ref in item.attachments}
        gone = [item for item in (*faults, *files_by_id.values()) if _is_gone(item)]
        if gone and again < AGAIN_MOST:
            return Again(part.ref)
        if faults:
            missing = Rejected("occurrence-missing", "the source names a changed date that it does not have")
            fault = next((item for item in faults if not _is_gone(item)), missing)
            return Failed(key_of(part.ref.id), fault)
        return self._native(part, files_by_id, self._body(parts))

    def _body(self, parts: Iterable[ItemPart]) -> Body | None:
        """Write the record's body."""
        sink = self._client.sink()
        sink.write(HEAD)
        for part in parts:
            sink.write(self._complete(part))
        sink.write(TAIL)
        return sink.finish()

    def _native(
        self, part: ItemPart, held: Mapping[str, Body | MigrationError], body: Body | None = None
    ) -> Native:
        """Return the record with its properties."""
        readable = {id_: file for id_, file in held.items() if not isinstance(file, MigrationError)}
        properties = {"ItemClass": part.class_, "Attachments": readable}
        return Native(part.ref, FORMATS[self._shape.kind], properties, body)

    def _complete(self, part: ItemPart) -> bytes:
        return self._expansion.filled(part.xml, part.ref.id) if part.listless else part.xml


def part_of(message: ResponseMessage, ref: Ref, kind: Kind) -> ItemPart:
    """Return the element of an item, independent of its response message.

    Args:
        message: the response message.
        ref: the ref that it answers.
        kind: the kind of items.
    """
    item = item_of(message.element)
    assert item is not None  # noqa: S101 - about() found it
    for mime in item.findall(TNS + "MimeContent"):
        item.remove(mime)
    tag = etree.QName(item).localname
    ours = kind is Kind.NOTES or tag in OWN_ELEMENTS
    return ItemPart(
        Ref(ref.id, id_of(item)[1] or ref.version, size=number(item.findtext(TNS + "Size")) or ref.size),
        class_=(item.findtext(TNS + "ItemClass") or "").strip(),
        xml=etree.tostring(item, encoding="utf-8", with_tail=False),
        listless=tag == "DistributionList" and item.find(TNS + "Members") is None,
        attachments=attachments(item) if ours else (),
        occurrences=_changed_occurrences(item),
    )


def _changed_occurrences(item: etree._Element) -> tuple[Ref, ...]:
    """Return the changed occurrences of a series, each once."""
    by_id: dict[str, tuple[datetime, Ref]] = {}
    for entry in item.findall(f"{TNS}ModifiedOccurrences/{TNS}Occurrence"):
        id_, version = id_of(entry)
        start = moment(entry.findtext(TNS + "OriginalStart")) or moment(entry.findtext(TNS + "Start"))
        if id_:
            by_id.setdefault(id_, (start or NEVER, Ref(id_, version)))
    return tuple(ref for _, ref in sorted(by_id.values(), key=lambda pair: pair[0]))


def _is_gone(result: object) -> bool:
    """Return True if a result is Rejected("vanished")."""
    return isinstance(result, Rejected) and result.code == GONE


def lessen(client: EwsClient, shape: Shape, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
    """Return True if these refusals made the shape ask for less.

    Args:
        client: the EWS client.
        shape: the fields.
        ids: items to try with.
        refusals: the refusals of a request.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    if not any(refusal.code in REFUSED_FIELDS for refusal in refusals):
        return False
    probe = ids[:ASKED_TO_LEARN]
    return shape.lessen(lambda fields: _accepts(client, probe, fields))


def _accepts(client: EwsClient, ids: Sequence[str], fields: tuple[str, ...]) -> bool:
    try:
        codes = client.collect(get_records(ids, fields), ANSWER, _code, strict=False)
    except EwsRefusal as refusal:
        if refusal.code in REFUSED_FIELDS:
            return False
        raise translated(refusal) from None
    return not REFUSED_FIELDS.intersection(codes)


def _code(message: ResponseMessage) -> str:
    refusal = refusal_of(message.element)
    return "" if refusal is None else refusal.code
