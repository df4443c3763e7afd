"""Appointments, contacts, tasks and notes: one record for each, complete with what other requests must tell.

A reply is read to its end first. Then the changed occurrences of all its series are asked for together, and
the attachments of all of them; only then is any record given. Where a part is gone meanwhile, the item is
asked for again; a part that was only edited has a new version of its item, and the next pass brings both.
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
from model.protocols import Body, Failed, Kind, Native, Ref, key_of

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
    """One element of a record, and what it refers to. occurrences: in the order of their original starts;
    listless: a distribution list that came without its members."""

    ref: Ref
    class_: str
    xml: bytes
    listless: bool = False
    attachments: tuple[Ref, ...] = ()
    occurrences: tuple[Ref, ...] = ()


class PartPlan:
    """Reads single elements: the changed occurrences of series."""

    answer = ANSWER

    def __init__(self, client: EwsClient, shape: Shape) -> None:
        self._client = client
        self._shape = shape

    def request(self, ids: Sequence[str]) -> str:
        return get_records(ids, self._shape.fields)

    def about(self, message: ResponseMessage) -> str:
        return id_in(message.element)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> ItemPart | Failed | Again | None:
        del again  # XML is whole, or no message
        return part_of(message, ref, self._shape.kind)

    def refused(self, ref: Ref, code: str) -> bool:
        del ref, code  # a series without one of its dates would be another series
        return False

    def later(self) -> Iterator[ItemPart | Failed | Again]:
        return iter(())

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        return lessen(self._client, self._shape, ids, refusals)


class RecordPlan:
    """Reads items of shape's kind as whole records. Without bodies, their class alone."""

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
        return get_records(ids, self._shape.fields if self._bodies else CLASS_ONLY)

    def about(self, message: ResponseMessage) -> str:
        return id_in(message.element)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> Native | Failed | Again | None:
        part = part_of(message, ref, self._shape.kind)
        if not self._bodies:
            return self._native(part, {})
        self._read.append((part, again))
        return None

    def refused(self, ref: Ref, code: str) -> bool:
        del ref, code
        return False

    def later(self) -> Iterator[Native | Failed | Again]:
        read, self._read = self._read, []
        changed = self._occurrences([part for part, _ in read])
        parts = [part for part, _ in read] + [one for one in changed.values() if isinstance(one, ItemPart)]
        files = contents(self._client, self._pace, (ref for part in parts for ref in part.attachments))
        for part, again in read:
            yield self._whole(part, changed, files, again)

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        return self._bodies and lessen(self._client, self._shape, ids, refusals)

    def _occurrences(self, masters: Sequence[ItemPart]) -> dict[str, ItemPart | MigrationError]:
        """The changed occurrences of these series by id, or why one is not given."""
        ids = {key_of(ref.id): ref for master in masters for ref in master.occurrences}
        found: dict[str, ItemPart | MigrationError] = {}
        for one in Fetch(self._client, self._pace, PartPlan(self._client, self._shape)).run(ids.values()):
            if isinstance(one, Failed):
                found[ids[one.key].id] = one.error
            else:
                found[one.ref.id] = one
        return found

    def _whole(
        self,
        part: ItemPart,
        changed: Mapping[str, ItemPart | MigrationError],
        files: Mapping[str, Body | MigrationError],
        again: int,
    ) -> Native | Failed | Again:
        own = [changed[ref.id] for ref in part.occurrences]
        faults = [one for one in own if isinstance(one, MigrationError)]
        parts = [part, *(one for one in own if isinstance(one, ItemPart))]
        held = {ref.id: files[ref.id] for one in parts for ref in one.attachments}
        gone = [one for one in (*faults, *held.values()) if _is_gone(one)]
        if gone and again < AGAIN_MOST:
            return Again(part.ref)
        if faults:
            missing = Rejected("occurrence-missing", "the source names a changed date that it does not have")
            fault = next((one for one in faults if not _is_gone(one)), missing)
            return Failed(key_of(part.ref.id), fault)
        return self._native(part, held, self._body(parts))

    def _body(self, parts: Iterable[ItemPart]) -> Body | None:
        sink = self._client.sink()
        sink.write(HEAD)
        for one in parts:
            sink.write(self._complete(one))
        sink.write(TAIL)
        return sink.finish()

    def _native(
        self, part: ItemPart, held: Mapping[str, Body | MigrationError], body: Body | None = None
    ) -> Native:
        readable = {id_: one for id_, one in held.items() if not isinstance(one, MigrationError)}
        found = {"ItemClass": part.class_, "Attachments": readable}
        return Native(part.ref, FORMATS[self._shape.kind], found, body)

    def _complete(self, part: ItemPart) -> bytes:
        return self._expansion.filled(part.xml, part.ref.id) if part.listless else part.xml


def part_of(message: ResponseMessage, ref: Ref, kind: Kind) -> ItemPart:
    """The element of an item, kept beyond the life of its message."""
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
        occurrences=_changed(item),
    )


def _changed(item: etree._Element) -> tuple[Ref, ...]:
    """The changed occurrences of a series, each once."""
    found: dict[str, tuple[datetime, Ref]] = {}
    for one in item.findall(f"{TNS}ModifiedOccurrences/{TNS}Occurrence"):
        id_, version = id_of(one)
        start = moment(one.findtext(TNS + "OriginalStart")) or moment(one.findtext(TNS + "Start"))
        if id_:
            found.setdefault(id_, (start or NEVER, Ref(id_, version)))
    return tuple(ref for _, ref in sorted(found.values(), key=lambda pair: pair[0]))


def _is_gone(one: object) -> bool:
    return isinstance(one, Rejected) and one.code == GONE


def lessen(client: EwsClient, shape: Shape, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
    """Whether these refusals made shape ask less. Raises Transient and Blocked as every request does."""
    if not any(one.code in REFUSED_FIELDS for one in refusals):
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
