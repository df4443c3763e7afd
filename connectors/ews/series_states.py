"""Tell which series changed in one of their days alone, where the server keeps the change key of the series.

Exchange gives the series another change key then. gromox 3.10 does not, and its SyncFolderItems is silent.
Therefore each listing asks what is cheap about every series: which of its days were deleted and which were
changed, and of the changed days their times, subject, place, availability and date of change, but no text.
The cursor of a calendar holds a digest of that beside the server's own sync state, for each series that has
such days: 19 characters a series.

It costs a listing of the calendar without bodies and a small request for each hundred series, and as many for
changed days. A calendar without series is not asked. What else changes in a day that was changed before is
found if its date of change moves; else the verification of both sides finds it, and each pass of a frozen
mailbox (engine.verify.second_look).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from lxml import etree

from connectors.ews.client import EwsClient
from connectors.ews.errors import REFUSED_FIELDS, TNS, EwsRefusal
from connectors.ews.fetch import ANSWER, LEAST_BYTES, Again, Fetch, PageSize
from connectors.ews.records import id_in, id_of, item_of
from connectors.ews.requests import get_items
from connectors.ews.response_stream import ResponseMessage
from model.protocols import Failed, Ref

SEPARATOR = "\n"
"""Between the sync state, which is base64, and the digests."""
NO_SERIES = "-"
KEY, STATE = 8, 6
BATCH = 100
DAYS = ("calendar:ModifiedOccurrences", "calendar:DeletedOccurrences")
CHANGED_DAY = (
    *("item:Subject", "item:LastModifiedTime", "calendar:Start", "calendar:End", "calendar:IsAllDayEvent"),
    *("calendar:Location", "calendar:LegacyFreeBusyStatus"),
)
Digests = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class CalendarCursor:
    """Hold the cursor of a calendar.

    Attributes:
        state: the server's sync state.
        digests: of each series that has changed or deleted days, by series_key(); None if no listing asked.
        has_series: False if the calendar had no series when it was listed last.
    """

    state: str
    digests: Digests | None = None
    has_series: bool = True

    def text(self) -> str:
        """Return the cursor as the ledger keeps it."""
        if self.digests is None:
            return self.state
        if not self.has_series:
            return f"{self.state}{SEPARATOR}{NO_SERIES}"
        joined = b"".join(key + digest for key, digest in sorted(self.digests.items()))
        return f"{self.state}{SEPARATOR}{base64.b64encode(joined).decode()}"


def read_cursor(text: str) -> CalendarCursor:
    """Return the cursor of a calendar; a cursor of an earlier version holds a sync state alone."""
    state, separator, encoded = text.partition(SEPARATOR)
    if encoded == NO_SERIES:
        return CalendarCursor(state, {}, has_series=False)
    try:
        joined = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return CalendarCursor(state)
    size = KEY + STATE
    pieces = [joined[at : at + size] for at in range(0, len(joined), size)]
    digests = {piece[:KEY]: piece[KEY:] for piece in pieces}
    return CalendarCursor(state, digests if separator else None)


def series_key(id_: str) -> bytes:
    """Return by what a cursor names a series."""
    return blake2b(id_.encode(), digest_size=KEY).digest()


@dataclass(frozen=True, slots=True)
class SeriesDigests:
    """Hold the digests of the series of a calendar.

    Attributes:
        all: of each series that has changed or deleted days, by series_key().
        moved: the ids of the series whose digest is another one than before.
    """

    all: Digests
    moved: frozenset[str]

    def version(self, id_: str) -> str:
        """Return the digest of a series as a text; "" if it has no such days."""
        return self.all.get(series_key(id_), b"").hex()


def digests_of(client: EwsClient, series: Sequence[str], before: Digests) -> SeriesDigests:
    """Return the digests of what series say of their days.

    Of what the server does not answer, the digest stays as it was: a series that cannot be read is no reason
    to end a listing.

    Args:
        client: the EWS client.
        series: the ids of the series.
        before: their digests as they were.

    Raises:
        Transient, Blocked: the server cannot be asked, after the retries.
    """
    kept = {key: before[key] for key in map(series_key, series) if key in before}
    try:
        found = _found(client, series)
    except _NotOfferedError:
        return SeriesDigests(kept, frozenset())
    now = {series_key(id_): digest for id_, digest in found.items()}
    moved = frozenset(id_ for id_ in found if kept.get(series_key(id_), b"") != now[series_key(id_)])
    return SeriesDigests({key: digest for key, digest in (kept | now).items() if digest}, moved)


class _NotOfferedError(Exception):
    """Report that the server does not know what is asked of a series."""


@dataclass(slots=True)
class _Days:
    """Collect what a series says of its changed and deleted days."""

    deleted: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def digest(self) -> bytes:
        """Return the digest; b"" if there are no such days."""
        if not self.deleted and not self.changed:
            return b""
        said = repr((sorted(self.deleted), sorted(self.changed)))
        return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=STATE).digest()


class _ElementPlan:
    """Read some fields of items; see FetchPlan."""

    answer = ANSWER

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields

    def request(self, ids: Sequence[str]) -> str:
        return get_items(ids, mime=False, fields=self._fields, tags=False)

    def about(self, message: ResponseMessage) -> str:
        return id_in(message.element)

    def read(self, message: ResponseMessage, ref: Ref, again: int) -> etree._Element | None:
        del ref, again
        return item_of(message.element)

    def refused(self, ref: Ref, code: str) -> bool:
        del ref, code
        return False

    def later(self) -> Iterator[etree._Element | Failed | Again]:
        return iter(())

    def lessen(self, ids: Sequence[str], refusals: Sequence[EwsRefusal]) -> bool:
        del ids
        if any(refusal.whole and refusal.code in REFUSED_FIELDS for refusal in refusals):
            raise _NotOfferedError
        return False


def _found(client: EwsClient, series: Sequence[str]) -> dict[str, bytes]:
    """Return the digest of each series about which the server answers, by id.

    A changed day about which it does not answer counts with what its series says of it.
    """
    days: dict[str, _Days] = {}
    owner: dict[str, str] = {}
    for item in _asked(client, series, DAYS):
        id_, _ = id_of(item)
        deleted = item.iterfind(f"{TNS}DeletedOccurrences/{TNS}DeletedOccurrence")
        changed = list(item.iterfind(f"{TNS}ModifiedOccurrences/{TNS}Occurrence"))
        days[id_] = _Days(_texts(deleted), _texts(changed))
        owner |= {id_of(entry)[0]: id_ for entry in changed}
    for item in _asked(client, owner, CHANGED_DAY):
        days[owner[id_of(item)[0]]].changed += _texts([item])
    return {id_: one.digest() for id_, one in days.items()}


def _asked(client: EwsClient, ids: Iterable[str], fields: Sequence[str]) -> Iterator[etree._Element]:
    """Yield the items that the server gives of these."""
    fetch = Fetch(client, PageSize(BATCH, LEAST_BYTES), _ElementPlan(fields))
    for result in fetch.run(Ref(id_, "", size=0) for id_ in ids):
        if not isinstance(result, Failed):
            yield result


def _texts(elements: Iterable[etree._Element]) -> list[str]:
    """Return all texts of each element, in a fixed order, as one text."""
    return ["|".join(sorted(f"{one.tag}={one.text or ''}" for one in each.iter())) for each in elements]
