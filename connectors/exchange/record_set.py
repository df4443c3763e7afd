"""List and fetch records of which a mailbox answers all at once, whichever protocol answers with them.

An answer holds all records, and no state to go on from: each listing is whole. Its cursor is a digest of the
records, so that a listing with nothing new names nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from model.errors import Rejected
from model.protocols import Failed, Native, Page, Ref, key_of


@dataclass(frozen=True, slots=True)
class Record:
    """Hold one record.

    Attributes:
        body: its bytes.
        properties: what else is known of it (Native.properties); its version does not depend on that.
        rests_on: what its version depends on beside the body.
        form: Native.format of this record; "" for that of the others.
    """

    body: bytes
    properties: Mapping[str, object] = field(default_factory=dict)
    rests_on: bytes = b""
    form: str = ""


class RecordSetReader:
    """List and fetch the records of one container; one thread at a time."""

    def __init__(
        self, read: Callable[[], Mapping[str, Record]], form: str, *, together: bool = False
    ) -> None:
        """Prepare; nothing is asked.

        Args:
            read: asks for each record, by its id.
            form: Native.format of the records.
            together: True if what a record means depends on the others: it has another version once any of
                them changes.
        """
        self._read = read
        self._form = form
        self._together = together
        self._listed: Mapping[str, Record] | None = None

    def changes(self, cursor: str | None) -> Iterator[Page]:
        """Yield one page: all records, or nothing if they are as they were.

        Raises:
            Whatever `read` raises.
        """
        self._listed = records = self._read()
        now = self._digest_of_all(records)
        if now == cursor:
            yield Page((), now)
        else:
            yield Page(tuple(self._ref(id_, one, now) for id_, one in records.items()), now, full=True)

    def fetch(self, refs: Iterable[Ref], *, bodies: bool) -> Iterator[Native | Failed]:
        """Yield one record for each ref, as it was listed last; see `model.protocols.Source.fetch`.

        Raises:
            Whatever `read` raises.
        """
        records = self._read() if self._listed is None else self._listed
        now = self._digest_of_all(records)
        for ref in refs:
            record = records.get(ref.id)
            if record is None:
                yield Failed(key_of(ref.id), Rejected("vanished"))
            else:
                stated = self._ref(ref.id, record, now)
                body = _body(record.body) if bodies else None
                yield Native(stated, record.form or self._form, record.properties, body)

    def _digest_of_all(self, records: Mapping[str, Record]) -> str:
        """Return a digest that is equal for the same records, in whatever order they came.

        Where a record stands for itself, its id counts: the same right to another folder is another one.
        """
        marks = (_digest(one.body) + ("" if self._together else id_) for id_, one in records.items())
        return _digest("".join(sorted(marks)).encode())

    def _ref(self, id_: str, record: Record, all_: str) -> Ref:
        rests_on = all_.encode() if self._together else record.rests_on
        return Ref(id_, _digest(rests_on + record.body), size=len(record.body))


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _body(record: bytes) -> Callable[[], io.BytesIO]:
    return lambda: io.BytesIO(record)
